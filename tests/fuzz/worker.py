"""Run commands on variants in a process of its own, and watch what they do.

``python -m fuzz.worker BASE SEED FIRST LAST TARGET...`` writes one line of JSON before and
one after each variant to the file descriptor named by ``FUZZ_PIPE``. The targets take
turns: of 4 targets, variant 10 attacks the third. The kernel kills a command that never
ends, after `CPU_S` seconds of work or `WALL_S` seconds of waiting.
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import torch

from .planted import PLANTED
from .targets import TARGETS

CPU_S = 10
"""Processor time for a variant, in seconds: load by other processes does not count."""

WALL_S = 180
"""Seconds after which a command counts as waiting for ever."""

MEMORY = 3 * 2**30
"""Bytes that a command may allocate in addition to those of the process."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FORBIDDEN = (
    "socket.connect",
    "os.system",
    "os.exec",
    "subprocess.Popen",
)
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink")
_BAD_CHARACTERS = ("\x1b", "\u202e", "\0", "\x07")


class Watch:
    """Receives audit events of Python, and records forbidden ones."""

    def __init__(self) -> None:
        self.inside: Path | None = None
        self.seen: list[str] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.inside is None:
            return
        if event == "open":
            path, mode, flags = arguments
            is_writing = any(c in (mode or "") for c in "wax+") or (flags or 0) & _WRITING
            if is_writing and not isinstance(path, int):
                self.check(event, path)
        elif event in _CHANGES:
            self.check(event, arguments[0])
        elif event in _FORBIDDEN and arguments[0] != "fc-list":  # matplotlib lists fonts
            self.seen.append(f"{event} {arguments!r:.200}")

    def check(self, event: str, path: Any) -> None:
        inside, self.inside = self.inside, None  # ignore events of this function
        try:
            name = os.path.realpath(os.fsdecode(path))
            caches = os.path.realpath(os.environ["MPLCONFIGDIR"])
            allowed = (str(inside), caches, os.devnull, "/dev/", "/proc")
            if "__pycache__" not in name and not name.startswith(allowed):
                self.seen.append(f"{event} {name}")
        except (TypeError, ValueError):
            pass
        finally:
            self.inside = inside


def attack(
    watch: Watch, base: Path, folder: Path, target: str, seed: int, number: int
) -> dict[str, Any]:
    """Make a variant, run its commands, and return exit codes and findings."""
    attacked = {**TARGETS, **PLANTED}[target]
    rng = random.Random(f"{seed} {target} {number}")  # noqa: S311 - not a secret
    inside, outside = folder / "inside", folder / "outside"
    for path in (inside, outside):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
    (outside / "mine.txt").write_text("mine")
    for name in attacked.needs:
        source = base / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, inside / name)
    os.chdir(inside)
    what, commands = attacked.attack(inside, rng)
    found: list[str] = []
    codes = []
    for command in commands:
        start = _log_size()
        watch.inside, watch.seen = inside, []
        try:
            codes.append(attacked.run(*command))
            if codes[-1] not in (0, 1, 2):
                found.append(f"exit code {codes[-1]}")
        except BaseException as error:  # noqa: BLE001 - any error is a finding
            found.append("".join(traceback.format_exception(error))[-3000:])
        watch.inside = None
        found += watch.seen
        printed = _log_since(start)
        if "Traceback" in printed:
            found.append(printed[-3000:])
        found += [
            f"prints {c!r}: {printed!r:.300}" for c in _BAD_CHARACTERS if c in printed
        ]
        # Maps and runs name stores by URLs. Elsewhere a URL is an invalid value, which
        # errors quote.
        if "s3cr3t" in printed and target in ("maps", "run"):
            found.append(f"prints a secret: {printed!r:.300}")
    if sorted(folder.iterdir()) != [inside, outside]:
        found.append(f"unexpected files: {sorted(p.name for p in folder.iterdir())}")
    if [p.name for p in outside.iterdir()] != ["mine.txt"]:
        found.append("files outside were changed")
    return {"what": what, "commands": commands, "codes": codes, "found": found}


def _log_size() -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    return os.fstat(1).st_size


def _log_since(start: int) -> str:
    sys.stdout.flush()
    sys.stderr.flush()
    size = os.fstat(1).st_size - start
    return os.pread(1, min(size, 10**6), start).decode("utf-8", "replace")


def _limit() -> None:
    """Let the kernel end this process if a variant needs too much time or memory."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_S + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    signal.alarm(WALL_S)


def main(base: str, seed: str, first: str, last: str, *targets: str) -> None:
    """Attack variants `first` to `last`."""
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    watch = Watch()  # for ever: Python cannot remove an audit hook
    with (
        os.fdopen(int(os.environ["FUZZ_PIPE"]), "w") as pipe,
        tempfile.TemporaryDirectory() as folder,
    ):
        place = Path(folder).resolve()
        for number in range(int(first), int(last)):
            target = targets[number % len(targets)]
            about = {"number": number, "target": target}
            print(json.dumps(about), file=pipe, flush=True)
            _limit()
            result = attack(watch, Path(base), place, target, int(seed), number)
            print(json.dumps({**about, **result}), file=pipe, flush=True)
        os.chdir("/")
        signal.alarm(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
