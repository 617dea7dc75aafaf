"""Score a run: predict its scenes as a candidate says, and count confusion matrices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from seaice_data.arrays import ChartArray
from seaice_data.channels import Group
from seaice_data.scenes.fingerprints import file_checksum
from seaice_data.sources.charts import ChartedScenes, find_charts
from seaice_data.sources.inputs import SceneInputs, StoreSource
from seaice_data.store.store import Store
from seaice_model.errors import StudyError
from seaice_model.maps.chart_map import Provenance
from seaice_model.metrics import ChartScorer
from seaice_model.networks.device import find_device, memory_in_words
from seaice_model.prediction.compose import compose_map
from seaice_model.prediction.predict import provenance_of
from seaice_model.prediction.predictor import Predictor
from seaice_model.prediction.requirements import check_store
from seaice_model.scores.hidden_truth import count_parts
from seaice_model.study.candidates import View
from seaice_model.study.records import SPLITS, TRUTH_PARTS, RunRecord
from seaice_model.study.statistics import Confusion

_HIDDEN = "the hidden truth"


@dataclass(frozen=True, slots=True)
class RunScores:
    """What `score_run` counted."""

    record: RunRecord
    """Confusion matrices against charts, by split."""

    truth: RunRecord | None
    """Those against the hidden truth of test scenes, by part, if there is one."""


def score_run(
    store: Store,
    run_path: Path,
    device: str = "auto",
    *,
    view: View | None = None,
    twins: Store | None = None,
    truth: str | None = None,
) -> RunScores:
    """Count the confusion matrices of a run on its validation and its test scenes.

    On the 80 m grid of the scenes, as `seaice_model.scores.score` does; scenes without a
    chart are skipped. Maps are not kept: `seaice predict` makes them from the run.

    Parameters
    ----------
    store
        Store that the run was trained on; its charts are what maps are scored against.
    run_path
        Folder of the run.
    device
        Where the network runs.
    view
        How maps are predicted; as usual if not given.
    twins
        Store of twins of the test scenes, which are predicted instead of those of `store`.
        There are no validation scenes then.
    truth
        Folder of the hidden truth of the test scenes, if they are also scored against it.

    Raises
    ------
    StudyError
        If the run has seen a test scene because the store was divided again since, or the
        twin or the hidden truth of a scene is missing or has another grid.
    """
    view = view or View()
    predictor = Predictor.load([run_path], find_device(device))
    checkpoint = predictor.checkpoints[0]
    tests = store.splits["test"]
    if seen := [scene for scene in tests if predictor.use_of(scene) != "unseen"]:
        raise StudyError(
            f"the run {str(run_path)!r} was trained or validated on {len(seen)} of the "
            f"{len(tests)} test scenes of {store.path!r}: the store was divided again",
            hint="divide the store as it was, or choose another folder with --out",
        )
    if twins is not None:
        check_store(twins, checkpoint)
    hidden = None if truth is None else _truth_in(truth)
    scenes = {
        "validation": () if twins else checkpoint.settings.validation_scenes,
        "test": tests,
    }
    confusion: dict[str, dict[str, Confusion]] = {split: {} for split in SPLITS}
    parts: dict[str, dict[str, Confusion]] = {part: {} for part in TRUTH_PARTS}
    for split, ids in scenes.items():
        charted = [i for i in ids if store.scene(i).has_charts]
        source = StoreSource(twins or store, charted)
        made_of = provenance_of(source, predictor)
        for scene_id in charted:
            charts = store.scene(scene_id).full_charts()
            scene = source.read(scene_id, charts=False)
            with memory_in_words("predicting", "use --device cpu, or a larger machine"):
                predicted = _predicted(predictor, scene, view, made_of)
            check_shapes(scene_id, predicted.shape, charts.shape, whose="the twin")
            scorer = ChartScorer()
            scorer.add(charts, predicted)
            confusion[split][scene_id] = scorer.confusion
            if split == "test" and hidden is not None:
                planes = hidden.scenes[scene_id].read()
                check_shapes(scene_id, planes.shape, charts.shape, whose=_HIDDEN)
                for part, counts in count_parts(planes, charts, predicted).items():
                    parts[part][scene_id] = counts

    charts_record = RunRecord(
        config=checkpoint.settings.config,
        store_fingerprint=store.fingerprint,
        best_epoch=checkpoint.state.n_epochs,
        confusion=confusion,
        view=view,
        twins={} if twins is None else twin_checksums(twins, confusion["test"]),
    )
    if truth is None:
        return RunScores(charts_record, None)
    checksums = truth_checksums(truth, confusion["test"])
    return RunScores(
        charts_record, replace(charts_record, confusion=parts, truth=checksums)
    )


def twin_checksums(twins: Store, scenes: Iterable[str]) -> dict[str, str]:
    """Return a checksum of the inputs of each scene."""
    return {scene: twins.scene(scene).known["checksums"]["inputs"] for scene in scenes}


def truth_checksums(folder: str, scenes: Iterable[str]) -> dict[str, str]:
    """Return a checksum of the file with the hidden truth of each scene."""
    files = {scene: _truth_in(folder).scenes[scene].file for scene in scenes}
    return {scene: file_checksum(file) for scene, file in files.items() if file is not None}


def check_truth(folder: str, shapes: Mapping[str, tuple[int, int]]) -> None:
    """Make sure that there is a hidden truth of each of these scenes, on the same grid.

    Parameters
    ----------
    folder
        Where it is.
    shapes
        Height and width of the chart of each scene.

    Raises
    ------
    StudyError
        If there is none, or it has another grid.
    """
    hint = "write it together with the scenes: `seaice synth --truth`"
    if not Path(folder).is_dir():
        raise StudyError(f"no folder with hidden truth at {folder!r}", hint=hint)
    known = _truth_in(folder).scenes
    found = {scene for scene in shapes if scene in known and known[scene].is_hidden}
    if absent := sorted({*shapes} - found):
        raise StudyError(
            f"{folder!r} has no hidden truth of {len(absent)} test scenes: "
            f"{', '.join(absent[:3])}{' ...' if absent[3:] else ''}",
            hint=hint,
        )
    for scene_id, shape in shapes.items():
        check_shapes(scene_id, known[scene_id].grid.shape, shape, whose=_HIDDEN)


def check_shapes(
    scene_id: str, found: tuple[int, ...], wanted: tuple[int, ...], *, whose: str
) -> None:
    """Make sure that planes have height and width of the chart of their scene.

    Raises
    ------
    StudyError
        If they have not.
    """
    if found[-2:] != wanted[-2:]:
        ours, theirs = ("x".join(map(str, shape[-2:])) for shape in (found, wanted))
        raise StudyError(
            f"{whose} of scene {scene_id} has {ours} pixels, its chart {theirs}",
            hint="make both from the same scenes",
        )


@lru_cache(maxsize=1)
def _truth_in(folder: str) -> ChartedScenes:
    """Find the hidden truth once for all runs: every file in the folder is opened."""
    return find_charts(folder)


def _predicted(
    predictor: Predictor, scene: SceneInputs, view: View, made_of: Provenance
) -> ChartArray:
    """Return the charts of a scene as a network predicts them in a view.

    Unlike `seaice predict`, it does not ask whether the network has learned to do without
    what the view leaves out: how much that costs is what a study finds out.
    """
    seen = scene.without([Group(name) for name in view.without])
    decision = predictor.decide(seen.planes, seen.channels, flips=view.flips)
    return compose_map(seen, decision, made_of).charts
