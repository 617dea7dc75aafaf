"""The folder of a run: which files there are, and who may write them.

::

    run/
      settings.json         what was asked for: configuration, store, scenes
      log.jsonl             one line an epoch
      best.safetensors      checkpoint of the epoch with the highest combined score
      last.safetensors      checkpoint to go on from
      learning_curve.png    the log as a picture
      tensorboard/          the log for TensorBoard, if asked for

Runs of several seeds stand side by side: ``run/seed-0``, ``run/seed-1`` and so on, each a
folder like this.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seaice_model.errors import RunError
from seaice_model.files import alone_in

_MARKS_OF_A_STORE = ("zarr.json", ".zgroup")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the files of a run are."""

    path: Path
    """The folder."""

    @property
    def settings(self) -> Path:
        """What was asked for, as JSON."""
        return self.path / "settings.json"

    @property
    def log(self) -> Path:
        """One line of JSON an epoch."""
        return self.path / "log.jsonl"

    @property
    def best(self) -> Path:
        """Checkpoint of the best epoch."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """Checkpoint to go on from."""
        return self.path / "last.safetensors"

    @property
    def learning_curve(self) -> Path:
        """The log as a picture."""
        return self.path / "learning_curve.png"

    @property
    def events(self) -> Path:
        """Folder of the log for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that a training writes, but for those in `events`."""
        return (self.settings, self.log, self.best, self.last, self.learning_curve)

    @property
    def has_results(self) -> bool:
        """Whether anything was learned: a checkpoint is there, or an epoch was finished."""
        results = (self.best, self.last, self.learning_curve)
        is_logged = self.log.exists() and b"\n" in self.log.read_bytes()
        return is_logged or any(path.exists() for path in results)

    def of_seed(self, seed: int) -> "RunFolder":
        """Return the folder of one seed among several."""
        return RunFolder(self.path / f"seed-{seed}")

    def seeds(self) -> tuple["RunFolder", ...]:
        """Return the folders of several seeds that are here, by their numbers."""
        found = {
            int(named[1]): RunFolder(path)
            for path in self.path.glob("seed-*")
            if (named := re.fullmatch(r"seed-(\d+)", path.name)) and path.is_dir()
        }
        return tuple(found[seed] for seed in sorted(found))

    def refuse_results(self) -> None:
        """Make sure that no results would be replaced.

        Raises
        ------
        RunError
            If there are some.
        """
        if self.has_results:
            raise RunError(
                f"there is a run at {str(self.path)!r}",
                hint="go on with it by --resume, replace it by --overwrite, or name "
                "another with --run",
            )

    def clear(self) -> None:
        """Remove the files of a run, and nothing else."""
        with in_words(self):
            for path in self.files:
                path.unlink(missing_ok=True)
            if self.events.is_dir():
                shutil.rmtree(self.events)


@contextmanager
def alone(folder: RunFolder) -> Iterator[None]:
    """Make the folder of a run; refuse it while another process trains in it.

    Raises
    ------
    RunError
        If another process does, it is a store, or cannot be made.
    """
    found = [name for name in _MARKS_OF_A_STORE if (folder.path / name).exists()]
    if found:
        raise RunError(
            f"{str(folder.path)!r} is a store, and no folder for a run",
            hint="name another folder with --run",
        )
    with in_words(folder):
        folder.path.mkdir(parents=True, exist_ok=True)
    with alone_in(folder.path) as is_alone:
        if not is_alone:
            raise RunError(
                f"another process is training the run at {str(folder.path)!r}",
                hint="wait until it has ended, or name another folder with --run",
            )
        yield


@contextmanager
def in_words(folder: RunFolder) -> Iterator[None]:
    """Say which run cannot be written, and why."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write a run to {str(folder.path)!r}: {error.strerror or error}"
        ) from error
