"""What the loss of regions gains: maps of synthetic scenes against their hidden truth.

    seaice synth raw/ --scenes 400 --size 1300x2500 --version raw --truth
    seaice prepare raw/ store.zarr && seaice split store.zarr --test test.txt
    PYTHONPATH=.:tests python -m support.region_truth store.zarr raw-truth/ --runs 8

trains each of `CANDIDATES` with several seeds, in the quick settings of a study, predicts
the test scenes, and prints the scores of stages of development and floe sizes in parts of
the scenes (`seaice_model.scores.hidden_truth`), and against the ice charts as usual. The
first candidate is the baseline: differences from it have 95 % intervals over seeds and
scenes (`seaice_model.study.statistics`).

Runs are kept in a folder: the command continues where it was stopped, several processes
share the work, and ``--only-print`` prints what there is.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from seaice_data.sources.charts import find_charts
from seaice_data.sources.inputs import StoreSource
from seaice_data.store.store import Store
from seaice_data.system.files import claimed, replacing
from seaice_model.metrics import ChartScorer
from seaice_model.networks.device import find_device
from seaice_model.prediction.predict import predict_scene, provenance_of
from seaice_model.prediction.predictor import Predictor
from seaice_model.runs.folder import RunFolder
from seaice_model.scores.hidden_truth import PARTS, count_parts
from seaice_model.scores.report_text import aligned
from seaice_model.study.candidates import Candidate, quick, read_variant
from seaice_model.study.records import StudyRun
from seaice_model.study.statistics import (
    SCORES,
    Confusion,
    Sample,
    compare,
    run_scores,
)
from seaice_model.training.train import train

CANDIDATES = (
    "pixels: region_loss=0",
    "ice: region_loss=1",
)
"""Variants of Model 1 (`seaice_model.study.candidates.read_variant`)."""

BY_CHART = "ice charts"
"""The part that is counted against the charts instead of the truth."""

Counts = Mapping[str, Mapping[str, Confusion]]
"""Confusion matrices by part, scene and chart."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, and print the table."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    candidates = [quick(read_variant(text)) for text in options.candidates]
    runs = [
        StudyRun(candidate=candidate, seed=seed, store=options.store, folder=options.out)
        for seed in range(options.runs)  # all candidates of a seed, then the next seed
        for candidate in candidates
    ]
    for run in [] if options.only_print else runs:
        run.lock.parent.mkdir(parents=True, exist_ok=True)
        with claimed(run.lock) as is_ours:
            if is_ours and not run.record.exists():
                _finish(run, options.truth, options.scenes)
                sys.stderr.write(f"{run.candidate.name}, seed {run.seed}: done\n")
    found = [run for run in runs if run.record.exists()]
    sys.stdout.write(table(candidates, found) + "\n")


def table(candidates: Sequence[Candidate], runs: Sequence[StudyRun]) -> str:
    """Return the scores in each part, with differences from the first candidate."""
    counts = {(run.candidate.name, run.seed): _read(run.record) for run in runs}
    lines = [["part", "chart", *(candidate.name for candidate in candidates)]]
    for part in (*PARTS, BY_CHART):
        samples = {
            candidate.name: Sample.of(found)
            for candidate in candidates
            if (
                found := {
                    seed: by_part[part]
                    for (name, seed), by_part in counts.items()
                    if name == candidate.name
                }
            )
        }
        baseline = samples.get(candidates[0].name)
        for score in ("SOD", "FLOE", *(["combined"] if part == BY_CHART else [])):
            cells = [
                _cell(samples.get(candidate.name), baseline, score)
                for candidate in candidates
            ]
            lines.append([part, score, *cells])
    return "\n".join(aligned(lines))


def _cell(sample: Sample | None, baseline: Sample | None, score: str) -> str:
    """Return the mean score in percent, and its difference in percentage points."""
    if sample is None:
        return "-"
    mean = f"{run_scores(sample)[:, SCORES.index(score)].mean():.1f}"
    if baseline is None or sample is baseline:
        return f"{mean} ({len(sample.seeds)} runs)"
    effect = (compare(sample, baseline) or {}).get(score)
    if effect is None:
        return mean
    if effect.low is None or effect.high is None:
        return f"{mean} {effect.mean:+.2f}"
    return f"{mean} {effect.mean:+.2f} ({effect.low:+.2f} to {effect.high:+.2f})"


def _finish(run: StudyRun, truth: str, n_scenes: int) -> None:
    """Train a run, or continue it, and count its maps."""
    store = Store.open(run.store)
    is_begun = RunFolder(run.path).settings.exists()
    report = train(store, run.path, run.config, resume=is_begun, device="cpu")
    if report.is_stopped:
        raise SystemExit("stopped; the same command continues")
    scenes = store.splits["test"][:n_scenes]
    if not scenes:
        raise SystemExit(f"{run.store!r} has no test scenes: divide it with `seaice split`")
    predictor = Predictor.load([run.path], find_device("cpu"))
    hidden = find_charts(truth).scenes
    source = StoreSource(store, scenes)
    made_of = provenance_of(source, predictor)
    counts: dict[str, dict[str, Confusion]] = {part: {} for part in (*PARTS, BY_CHART)}
    for scene in (source.read(scene_id, charts=True) for scene_id in scenes):
        if scene.charts is None:
            continue
        drawn = predict_scene(predictor, scene, made_of).charts
        for part, found in count_parts(
            hidden[scene.id].read(), scene.charts, drawn
        ).items():
            counts[part][scene.id] = found
        scorer = ChartScorer()
        scorer.add(scene.charts, drawn)
        counts[BY_CHART][scene.id] = scorer.confusion
    _write(counts, run.record)


def _write(counts: Counts, path: Path) -> None:
    lists = {
        part: {
            scene: {chart: matrix.tolist() for chart, matrix in charts.items()}
            for scene, charts in scenes.items()
        }
        for part, scenes in counts.items()
    }
    with replacing(path) as new:
        new.write_text(json.dumps(lists), encoding="utf-8")


def _read(path: Path) -> Counts:
    return {
        part: {
            scene: {chart: np.array(matrix, np.int64) for chart, matrix in charts.items()}
            for scene, charts in scenes.items()
        }
        for part, scenes in json.loads(path.read_text(encoding="utf-8")).items()
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("store", help="store with polygons and test scenes")
    parser.add_argument("truth", help="folder that `seaice synth --truth` wrote")
    parser.add_argument("--out", type=Path, default=Path("region-truth"))
    parser.add_argument("--runs", type=int, default=8, help="runs of each candidate")
    parser.add_argument("--scenes", type=int, default=80, help="test scenes to predict")
    parser.add_argument("--candidates", nargs="+", default=CANDIDATES)
    parser.add_argument("--only-print", action="store_true")
    return parser


if __name__ == "__main__":
    main()
