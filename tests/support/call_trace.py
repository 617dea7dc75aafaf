"""Count how often a step of training, a prediction and a score call from file to file.

A job is easier to follow if it passes through few files and rarely calls back into a file
that is waiting for it (A calls B, and B calls A):

    .venv/bin/python tests/support/call_trace.py
    .venv/bin/python tests/support/call_trace.py --verbose

This measures the checkout that is installed in the environment of this Python. It only runs
the command `seaice`, so any version can be measured. The command runs in this process, on
one small synthetic scene and one core of the CPU, so the numbers are the same each time.
Every job runs once before it is traced. The step of training is the difference between
trainings of five batches and of four. Libraries and loops compiled by numba are not traced:
a call that comes through a library counts as a call from the last file of seaice.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType

PACKAGES = ("seaice_data", "seaice_model", "cli")

CONFIG = """\
[model]
filters = [8, 8]
[train]
patch_size = 32
batch_size = 4
n_epochs = 1
"""


@dataclass
class Trace:
    """How often a job called from file to file; paths are relative to the checkout."""

    entered: Counter[str] = field(default_factory=Counter)
    """Calls into a file from outside it, by file."""

    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls from one file into another, by caller and called file."""

    returns: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Calls back into a file that is waiting, by the chain of files from it to itself."""

    @property
    def files(self) -> set[str]:
        """All files that called another file or were called."""
        return {*self.entered, *(caller for caller, _ in self.changes)}

    def __sub__(self, other: "Trace") -> "Trace":
        return Trace(
            self.entered - other.entered,
            self.changes - other.changes,
            self.returns - other.returns,
        )

    def note_call(self, waiting: list[str], file: str) -> None:
        """Count a call into a file; `waiting` are the files on the stack, caller last."""
        if waiting and waiting[-1] == file:
            return
        self.entered[file] += 1
        if waiting:
            self.changes[waiting[-1], file] += 1
        if file in waiting:
            last = len(waiting) - 1 - waiting[::-1].index(file)
            chain = [*waiting[last:], file]
            shown = zip(chain, [None, *chain[:-1]], strict=True)
            self.returns[tuple(name for name, before in shown if name != before)] += 1


@contextlib.contextmanager
def traced(root: Path) -> Iterator[Trace]:
    """Count what this thread, and those that it starts, call in the packages of `root`."""
    trace = Trace()
    of_thread = threading.local()
    folders = tuple(f"{root / package}{os.sep}" for package in PACKAGES)

    def profile(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event not in ("call", "return") or not path.startswith(folders):
            return
        waiting: list[str] = of_thread.__dict__.setdefault("waiting", [])
        if event == "call":  # also when a generator continues
            file = Path(path).relative_to(root).as_posix()
            trace.note_call(waiting, file)
            waiting.append(file)
        elif waiting:  # also when a generator yields, and after an error
            waiting.pop()

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield trace
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def installed_command() -> tuple[Callable[[], None], Path]:
    """Return the function that the command `seaice` runs, and the checkout it is from."""
    (entry,) = entry_points(group="console_scripts", name="seaice")
    command = entry.load()
    return command, Path(command.__code__.co_filename).parents[1]


def run(command: Callable[[], None], line: str) -> None:
    """Run a command line in this process without output."""
    sys.argv = ["seaice", *line.split()]
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        try:
            command()
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(f"seaice {line}: exit code {ended.code}") from ended


def jobs() -> dict[str, Trace]:
    """Trace all jobs, in the working directory."""
    command, root = installed_command()
    Path("config.toml").write_text(CONFIG)
    run(command, "synth raw --scenes 4 --size 320 --jobs 1")
    run(command, "prepare raw store.zarr --ratio 5 --jobs 1")
    scene = min(Path("raw").glob("*_prep.nc")).name.removesuffix("_prep.nc")

    def trace(line: str) -> Trace:
        with traced(root) as found:
            run(command, line)
        return found

    def training(n_batches: int) -> str:
        options = f"--config config.toml --set n_iterations={n_batches} --overwrite"
        return f"train store.zarr --run run --device cpu {options}"

    prediction = (
        f"predict store.zarr --scene {scene} --device cpu --no-pictures --overwrite"
    )
    run(command, training(4))
    step = trace(training(5)) - trace(training(4))
    run(command, f"{prediction} --out first")
    predicted = trace(f"{prediction} --out maps")
    run(command, "score maps")
    return {
        "step of training": step,
        "prediction of a scene": predicted,
        "score of a map": trace("score maps"),
    }


def in_words(job: str, trace: Trace, *, verbose: bool) -> Iterator[str]:
    yield (
        f"{job}: {len(trace.files)} files, "
        f"{trace.changes.total()} calls into another file, "
        f"{trace.returns.total()} of them back into one that waits"
    )
    if verbose:
        for file in sorted(trace.files, key=lambda file: (-trace.entered[file], file)):
            yield f"    {trace.entered[file]:5} into {file}"
        for chain, n in sorted(trace.returns.items(), key=lambda item: (-item[1], item[0])):
            yield f"    {n:5} back {' > '.join(chain)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verbose", action="store_true", help="list files and returns")
    verbose = parser.parse_args().verbose
    os.environ["OMP_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        found = jobs()
    for job, trace in found.items():
        sys.stdout.writelines(f"{line}\n" for line in in_words(job, trace, verbose=verbose))


if __name__ == "__main__":
    main()
