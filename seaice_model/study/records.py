"""Records of the runs of a study: their paths, and how they are read and written.

A run of a candidate is a folder like that of any run, with files next to it::

    study/runs/model3/
      seed-0/            run of seed 0, a folder as in `seaice_model.runs.folder`
      seed-0.json        its confusion matrices by scene; exists if the run is finished
      seed-0.truth.json  those against the hidden truth, if the study has one
      seed-0.lock        locked by the process that works on the run
      seed-0.error       why it failed, until it is tried again

A candidate that shares the runs of another has only the ``.json`` and ``.error`` files.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from seaice_data.arrays import IntArray
from seaice_data.charts import CHARTS
from seaice_data.errors import SeaIceError, SettingsError
from seaice_data.scene_id import SceneId
from seaice_data.settings import differences, from_mapping, to_mapping
from seaice_data.system.documents import (
    DocumentError,
    naming_version,
    parse_json,
    read_text,
    typed,
)
from seaice_data.system.files import replacing
from seaice_data.texts import counted, printable
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import StudyError
from seaice_model.runs.checkpoint import load
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.settings import load_settings
from seaice_model.scores.hidden_truth import PARTS
from seaice_model.study.candidates import Candidate, View
from seaice_model.study.statistics import Confusion

log = logging.getLogger(__name__)

SPLITS = ("validation", "test")
"""Splits that a run is scored on, in the order of the paper's table."""

TRUTH_PARTS: tuple[str, ...] = PARTS
"""What takes the place of splits in the record against the hidden truth."""

_FORMAT_VERSION = 1
_MOST_PIXELS = 2**40


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRun:
    """A candidate and a seed."""

    candidate: Candidate
    """What is trained, and how its maps are predicted."""

    seed: int
    """Decides weights, patches and the sampled validation scenes."""

    store: str
    """Path or URL of the store, to open it; it may contain secrets."""

    folder: Path
    """Folder of the runs of all candidates."""

    twins: str | None = None
    """Path or URL of the store of twins, if its maps are those of twins."""

    truth: str | None = None
    """Folder of the hidden truth, if it is also scored against it."""

    @property
    def config(self) -> RunConfig:
        """Network and training of this run."""
        config = self.candidate.settings.config
        sampled = replace(
            config.train, seed=self.seed, validation="drawn", validation_scenes=()
        )
        return replace(config, train=sampled)

    @property
    def path(self) -> Path:
        """Folder of the run, which candidates may share."""
        return RunFolder(self.folder / self.candidate.trained).of_seed(self.seed).path

    @property
    def record(self) -> Path:
        """Its confusion matrices."""
        return self._beside(".json")

    @property
    def truth_record(self) -> Path:
        """Its confusion matrices against the hidden truth."""
        return self._beside(".truth.json")

    @property
    def lock(self) -> Path:
        """Locked by the process that works on it, or on one that shares its folder."""
        return self.path.with_suffix(".lock")

    @property
    def error(self) -> Path:
        """Why it failed."""
        return self._beside(".error")

    @property
    def is_trained(self) -> bool:
        """Return whether all epochs are done.

        Raises
        ------
        RunError
            If the last checkpoint is damaged.
        """
        last = RunFolder(self.path).last
        n_epochs = self.config.train.n_epochs
        return last.exists() and load(last).state.n_epochs >= n_epochs

    @property
    def is_finished(self) -> bool:
        """Return whether it is trained and scored."""
        return self.record.exists() and (not self.truth or self.truth_record.exists())

    def _beside(self, suffix: str) -> Path:
        """Return a file of this candidate and seed."""
        folder = RunFolder(self.folder / self.candidate.name)
        return folder.of_seed(self.seed).path.with_suffix(suffix)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RunRecord:
    """The record of a finished run."""

    config: RunConfig
    """Network and training, seed included."""

    store_fingerprint: str
    """Fingerprint of the recipe of its store."""

    best_epoch: int
    """Epoch whose weights are scored, from 1."""

    confusion: Mapping[str, Mapping[str, Confusion]]
    """Confusion matrices on the 80 m grid, by split, scene and chart. Against the hidden
    truth, `seaice_model.scores.hidden_truth.PARTS` of test scenes take the place of
    splits."""

    view: View = field(default_factory=View)
    """How its maps were predicted."""

    twins: Mapping[str, str] = field(default_factory=dict)
    """Checksums of the twins that its maps are of, by scene; empty if they are of none, or
    in records of versions that did not say. So is `truth`."""

    truth: Mapping[str, str] = field(default_factory=dict)
    """Checksums of the hidden truth that its maps are scored against, by scene."""


@dataclass(frozen=True, slots=True)
class RunFailure:
    """A run that could not be finished."""

    candidate: str
    """Its candidate."""

    seed: int
    """Its seed."""

    reason: str
    """What is wrong."""

    hint: str | None
    """What to do about it."""


def save_record(record: RunRecord, path: Path) -> None:
    """Write the record of a run; the file is complete or absent."""
    matrices = {
        split: {
            scene: {name: matrix.tolist() for name, matrix in charts.items()}
            for scene, charts in scenes.items()
        }
        for split, scenes in record.confusion.items()
    }
    mapping = {
        "format_version": _FORMAT_VERSION,
        "software": f"seaice {version('seaice')}",
        "config": to_mapping(record.config),
        "view": to_mapping(record.view),
        "store_fingerprint": record.store_fingerprint,
        "best_epoch": record.best_epoch,
        **({"twins": dict(record.twins)} if record.twins else {}),
        **({"truth": dict(record.truth)} if record.truth else {}),
        "confusion": matrices,
    }
    with replacing(path) as new:
        new.write_text(json.dumps(mapping) + "\n", encoding="utf-8")


def load_record(path: Path, splits: Sequence[str] = SPLITS) -> RunRecord:
    """Read the record of a run.

    Parameters
    ----------
    path
        `StudyRun.record`, or `StudyRun.truth_record`.
    splits
        Splits that it must have: `SPLITS`, or `TRUTH_PARTS`.

    Raises
    ------
    StudyError
        If the file cannot be read, is damaged, or has another format version.
    """
    with _study_errors(path, "it is counted again from the run"):
        mapping = typed(parse_json(read_text(path)), dict[str, Any])
        with naming_version(StudyError, str(path), mapping.get("software")):
            return _record(typed(mapping, _Record), splits)


def check_folder(
    run: StudyRun,
    fingerprint: str,
    twins: Mapping[str, str] | None = None,
    truth: Mapping[str, str] | None = None,
) -> None:
    """Make sure that the folder of a run contains this run.

    Parameters
    ----------
    run
        The run.
    fingerprint
        Fingerprint of the recipe of its store.
    twins, truth
        Checksums of the twins of test scenes, and of their hidden truth, by scene.

    Raises
    ------
    StudyError
        If it contains a run with other settings, of another store, or scored on other twins
        or against another hidden truth.
    """
    changed: list[str] = []
    if run.record.exists():
        record = load_record(run.record)
        config, found = record.config, record.store_fingerprint
        changed += differences(run.candidate.settings.view, record.view)
        changed += _changed_scenes("twin", record.twins, twins or {})
        if truth and run.truth_record.exists():
            before = load_record(run.truth_record, TRUTH_PARTS)
            changed += _changed_scenes("twin", before.twins, twins or {})
            changed += _changed_scenes("hidden truth", before.truth, truth)
    elif RunFolder(run.path).settings.exists():
        settings = load_settings(RunFolder(run.path).settings)
        config, found = settings.config, settings.store.fingerprint
    else:
        return
    changed += differences(run.config, config)
    if found != fingerprint:
        changed.append("another store")
    if changed:
        raise StudyError(
            f"candidate {run.candidate.name!r} is already in the study with other "
            f"settings: {'; '.join(changed)}",
            hint="choose another folder with --out, or another name for the candidate",
        )


def _changed_scenes(
    name: str, before: Mapping[str, str], now: Mapping[str, str]
) -> list[str]:
    """Return in words of how many scenes something is another now; nothing if of none."""
    n = sum(now.get(scene, checksum) != checksum for scene, checksum in before.items())
    return [f"another {name} of {counted(n, 'scene')}"] if n else []


def failures(runs: Sequence[StudyRun]) -> tuple[RunFailure, ...]:
    """Return the runs whose last attempt failed."""
    found = []
    for run in runs:
        if not run.is_finished and (noted := _read_error(run)):
            reason, hint = noted["reason"], noted["hint"]
            found.append(RunFailure(run.candidate.name, run.seed, reason, hint))
    return tuple(found)


def note_failure(run: StudyRun, attempt: str, error: SeaIceError) -> None:
    """Record why a run failed in an attempt."""
    log.warning("%s, seed %d: %s", run.candidate.name, run.seed, error)
    hint = None if error.hint is None else printable(error.hint)
    noted = {"attempt": attempt, "reason": printable(str(error)), "hint": hint}
    with replacing(run.error) as new:
        new.write_text(json.dumps(noted) + "\n", encoding="utf-8")


def failed_in(run: StudyRun, attempt: str) -> bool:
    """Return whether a run failed in this attempt."""
    noted = _read_error(run)
    return noted is not None and noted["attempt"] == attempt


class _Record(TypedDict):
    """What `save_record` writes."""

    format_version: int
    config: dict[str, Any]
    store_fingerprint: str
    best_epoch: int
    confusion: dict[str, dict[str, dict[str, list[list[int]]]]]
    view: NotRequired[dict[str, Any]]  # not in records of versions 0.1 and 0.2
    twins: NotRequired[dict[str, str]]
    truth: NotRequired[dict[str, str]]


def _record(table: _Record, splits: Sequence[str]) -> RunRecord:
    if table["format_version"] != _FORMAT_VERSION:
        raise DocumentError(f"it has format version {table['format_version']}")
    if absent := {*splits} - table["confusion"].keys():
        raise DocumentError(f"'confusion.{min(absent)}' is missing")
    return RunRecord(
        config=from_mapping(RunConfig, table["config"]),
        store_fingerprint=table["store_fingerprint"],
        best_epoch=table["best_epoch"],
        confusion={
            split: {
                typed(scene, SceneId, "scene"): _matrices(charts)
                for scene, charts in table["confusion"][split].items()
            }
            for split in splits
        },
        view=from_mapping(View, table.get("view", {})),
        twins=table.get("twins", {}),
        truth=table.get("truth", {}),
    )


class _Note(TypedDict):
    """What `note_failure` writes."""

    attempt: str
    reason: str
    hint: str | None


@contextmanager
def _study_errors(path: Path, then: str) -> Iterator[None]:
    """Translate errors in a file of a study; `then` is what happens to the run."""
    try:
        yield
    except OSError as error:
        raise StudyError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (DocumentError, SettingsError) as error:
        raise StudyError(
            f"{str(path)!r} is damaged: {error}",
            hint=f"move it away, and run the study again: {then}",
        ) from None


def _matrices(charts: Mapping[str, list[list[int]]]) -> dict[str, IntArray]:
    matrices: dict[str, IntArray] = {}
    for chart in CHARTS:
        rows, shape = charts.get(chart.name, []), (chart.n_classes, chart.n_classes + 1)
        if [len(row) for row in rows] != [shape[1]] * shape[0]:
            raise DocumentError(f"{chart.name} has no confusion matrix")
        if not all(0 <= number <= _MOST_PIXELS for row in rows for number in row):
            raise DocumentError(f"{chart.name} has counts that are not numbers of pixels")
        matrices[chart.name] = np.array(rows, dtype=np.int64)
    return matrices


def _read_error(run: StudyRun) -> _Note | None:
    """Return why a run failed, if it did; the file may be removed at any moment."""
    with _study_errors(run.error, "the run is tried again"), suppress(FileNotFoundError):
        return typed(parse_json(read_text(run.error)), _Note)
    return None
