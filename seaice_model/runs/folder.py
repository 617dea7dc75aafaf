"""The folder of a run: its files, which of them are ours, and a lock for writers.

::

    run/
      settings.json         configuration, store, scenes
      log.jsonl             one line for each epoch
      best.safetensors      checkpoint of the epoch with the highest combined score
      last.safetensors      checkpoint to resume from
      learning_curve.png    the log as a figure
      tensorboard/          the log for TensorBoard, if asked for

Runs of several seeds are side by side: ``run/seed-0``, ``run/seed-1`` and so on, each a
folder like this.

Settings are written first and removed last. Without the settings of a run, the files in a
folder are not ours, and are not replaced unless requested.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from seaice_data.errors import SettingsError
from seaice_data.system.documents import DocumentError, open_file, parse_json, read_text
from seaice_data.system.files import alone_in
from seaice_model.errors import RunError

EVENTS_END = ".seaice"
"""End of the names of files for TensorBoard, except in version 0.1."""

_MARKS_OF_A_STORE = ("zarr.json", ".zgroup")
_EVENTS = "events.out.tfevents.*"
_SETTINGS = {"config", "store", "train_scenes", "validation_scenes", "software"}


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of the files of a run."""

    path: Path
    """The folder."""

    @property
    def settings(self) -> Path:
        """Settings of the run, as JSON."""
        return self.path / "settings.json"

    @property
    def log(self) -> Path:
        """One line of JSON for each epoch."""
        return self.path / "log.jsonl"

    @property
    def best(self) -> Path:
        """Checkpoint of the best epoch."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """Checkpoint to resume from."""
        return self.path / "last.safetensors"

    @property
    def learning_curve(self) -> Path:
        """The log as a figure."""
        return self.path / "learning_curve.png"

    @property
    def events(self) -> Path:
        """Folder of the log for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that a training writes, except those in `events`."""
        return (self.settings, self.log, self.best, self.last, self.learning_curve)

    @property
    def is_run(self) -> bool:
        """Return whether a training began here: whether there are settings of a run."""
        if not self.settings.exists():
            return False
        with run_errors(self.settings):
            text = read_text(self.settings)
        try:
            settings = parse_json(text)
        except DocumentError:
            return False
        return isinstance(settings, dict) and settings.keys() >= _SETTINGS

    @property
    def has_results(self) -> bool:
        """Return whether there is a checkpoint or a finished epoch."""
        if any(path.exists() for path in (self.best, self.last, self.learning_curve)):
            return True
        if not self.log.exists():
            return False
        with run_errors(self.log), open_file(self.log) as stream:
            return stream.readline(2**20).endswith(b"\n")

    def of_seed(self, seed: int) -> "RunFolder":
        """Return the folder of one seed among several."""
        return RunFolder(self.path / f"seed-{seed}")

    def seeds(self) -> tuple["RunFolder", ...]:
        """Return the folders of seeds that exist, in the order of their numbers."""
        found = {
            int(named[1]): RunFolder(path)
            for path in self.path.glob("seed-*")
            if (named := re.fullmatch("seed-([0-9]+)", path.name)) and path.is_dir()
        }
        return tuple(found[seed] for seed in sorted(found))

    def refuse_results(self) -> None:
        """Refuse to replace results of a run, or files that are not ours.

        Raises
        ------
        RunError
            If there are any.
        """
        if self.is_run:
            if self.has_results:
                raise RunError(
                    f"there is a run at {str(self.path)!r}",
                    hint="continue it with --resume, replace it with --overwrite, or name "
                    "another with --run",
                )
            return
        in_the_way = next((path for path in self.files if path.exists()), None)
        if in_the_way is not None:
            raise RunError(
                f"{str(in_the_way)!r} would be replaced, but its folder has no "
                "settings of a run",
                hint="name another folder with --run, or replace it with --overwrite",
            )

    def clear(self) -> None:
        """Remove the files of a run, and nothing else."""
        with run_errors(self.path, "write a run to"):
            own_end = "" if self.is_run else EVENTS_END
            for path in self.events.glob(f"{_EVENTS}{own_end}"):
                path.unlink()
            with suppress(OSError):  # with files that are not ours, the folder stays
                self.events.rmdir()
            for path in reversed(self.files):
                path.unlink(missing_ok=True)


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Create the folder of a run, and keep other trainings out of it.

    Raises
    ------
    RunError
        If another process is training there, or the folder is a store or cannot be
        created.
    """
    found = [name for name in _MARKS_OF_A_STORE if (folder.path / name).exists()]
    if found:
        raise RunError(
            f"{str(folder.path)!r} is a store, not a folder for a run",
            hint="name another folder with --run",
        )
    with run_errors(folder.path, "write a run to"):
        folder.path.mkdir(parents=True, exist_ok=True)
    with alone_in(folder.path) as is_alone:
        if not is_alone:
            raise RunError(
                f"another process is training the run at {str(folder.path)!r}",
                hint="wait until it has ended, or name another folder with --run",
            )
        yield


@contextmanager
def run_errors(path: Path, doing: str = "read") -> Iterator[None]:
    """Translate what is wrong with a file or folder of a run into a `RunError`.

    If the system refuses access, the error gives its reason. Only a file that was read,
    and whose content is wrong, is called damaged.

    Parameters
    ----------
    path
        The file or folder.
    doing
        What is done with it, as a verb: "cannot read 'run/log.jsonl': Permission denied".
    """
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot {doing} {str(path)!r}: {error.strerror or error}") from None
    except (DocumentError, SettingsError) as error:
        raise RunError(f"{str(path)!r} is damaged: {error}", hint=_repair(path)) from None


def _repair(path: Path) -> str:
    """Return a hint for a damaged file of a run."""
    folder = RunFolder(path.parent)
    if path == folder.log:
        return "remove this line or the file: only the learning curve needs it"
    if path == folder.best and folder.last.exists():
        return "move it away and call `seaice train --resume`, which can write it again"
    if path == folder.last and folder.best.exists():
        return (
            "move it away and call `seaice train --resume`, which continues from the best"
        )
    return "restore it from a copy, or train again with `seaice train --overwrite`"
