"""The model card of a run: what the network is, how good, trained on what, and its limits.

It is Markdown with a head of YAML, as repositories of models show it: ``README.md`` in the
folder of the run, so that the folder can be published as it is. All in it follows from the
files of the run, and from scores of its maps if they are given.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from seaice_data.channels import Group, find_channels
from seaice_data.charts import CHARTS
from seaice_data.errors import ForeignFileError, SettingsError
from seaice_data.grid import SPACING_M
from seaice_data.settings import differences
from seaice_data.system.documents import DocumentError, read_text
from seaice_data.system.files import replacing
from seaice_data.texts import counted, printable, shortened
from seaice_model.config.network_names import UNET
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import MapError, RunError
from seaice_model.pages.limits import limits_of
from seaice_model.pages.markdown import escaped, table
from seaice_model.pages.training_data import (
    training_data_in_words,
    training_data_table,
    validation_in_words,
)
from seaice_model.runs.checkpoint import (
    Checkpoint,
    joint_fingerprint,
    load_best,
    weights_fingerprint,
)
from seaice_model.runs.folder import RunFolder, run_errors
from seaice_model.runs.locations import is_url, shown
from seaice_model.runs.log import LogEntry, read_log
from seaice_model.runs.settings import RunSettings
from seaice_model.scores.report_text import COLUMNS, decimal
from seaice_model.scores.saved_scores import SavedScores, read_scores

if TYPE_CHECKING:
    from jinja2 import Environment

NAME = "README.md"
"""Name of the card in the folder of its run."""

_MARK = re.compile(r"^# Written by seaice card, ([0-9a-f]{16})\n", re.MULTILINE)
_LICENCE = re.compile(r"[A-Za-z0-9.+-]{1,40}")
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class _Run:
    """A run, as its card shows it."""

    name: str
    checkpoint: Checkpoint
    best: LogEntry | None

    @property
    def settings(self) -> RunSettings:
        """What it was trained with."""
        return self.checkpoint.settings

    @property
    def scores(self) -> tuple[float | None, ...]:
        """Scores of the best epoch on the validation scenes, in the order of `COLUMNS`."""
        if self.best is None:
            return (self.checkpoint.state.best_score, None, None, None)
        return (self.best.combined, self.best.sic, self.best.sod, self.best.floe)


def write_card(
    run_path: str | Path,
    path: str | Path | None = None,
    *,
    scores: str | Path | None = None,
    licence: str = "",
    repository: str = "",
    overwrite: bool = False,
) -> Path:
    """Write the model card of a run, or of the runs of several seeds together.

    Parameters
    ----------
    run_path
        Folder of the run, or folder of seeds.
    path
        File to write; ``README.md`` in the folder if not given.
    scores
        File with what `seaice score --json` printed for maps of the run, or of one of the
        runs of seeds, or of all of them together.
    licence
        Licence of the weights, by its identifier at Hugging Face, such as ``cc-by-4.0``.
    repository
        Repository at Hugging Face where the run will be: ``owner/name``.
    overwrite
        Whether to replace a file that seaice did not write, or that was edited since.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    RunError
        If there is no run, runs of seeds differ otherwise, or the card cannot be written.
    MapError
        If `scores` is not a report of scores, or of maps of another network.
    ForeignFileError
        If another file is in the way.
    SettingsError
        If `licence` or `repository` cannot be one.
    """
    if is_url(run_path):
        raise RunError(
            f"the card of a run is written from its folder, not from {shown(run_path)!r}",
            hint="download the folder, its log included, and name it",
        )
    folder = Path(run_path)
    path = folder / NAME if path is None else Path(path)
    if licence and not _LICENCE.fullmatch(licence):
        raise SettingsError(
            f"{shortened(licence)!r} is not the identifier of a licence",
            hint="write one like cc-by-4.0 or apache-2.0",
        )
    if repository and not _REPOSITORY.fullmatch(repository):
        raise SettingsError(f"{shortened(repository)!r} is not a repository: owner/name")
    with run_errors(path):
        _refuse_foreign(path, overwrite=overwrite)
    runs = _runs(folder)
    test = None if scores is None else _read_test(runs, scores)
    text = _card_text(runs, test, licence=licence, repository=repository)
    with run_errors(path, "write"), replacing(path) as new:
        new.write_text(text, encoding="utf-8")
    return path


def _card_text(
    runs: Sequence[_Run], test: "_Test | None", *, licence: str, repository: str
) -> str:
    """Return the card of runs that differ in their seeds only; see `write_card`."""
    settings = [run.settings for run in runs]
    config, recipe = settings[0].config, settings[0].store.recipe
    denoisings = dict.fromkeys(name for one in settings for name in one.denoisings)
    where = f"hf://{repository}" if repository else "run"
    text = (
        _environment()
        .get_template("card.md")
        .render(
            front=_front(runs, test, licence, repository),
            title=f"Ice charts from Sentinel-1 by {_network(runs)}",
            about=_about(runs),
            command=f"seaice predict scenes/ --run {where} --out maps/",
            where=where,
            seeds=[run.name for run in runs] if len(runs) > 1 else [],
            recipe=recipe,
            spacing_m=f"{recipe.ratio * SPACING_M:g}",
            validation_words=validation_in_words(settings),
            validation=_validation(runs),
            test=test and _shown(test),
            data_words=training_data_in_words(settings),
            data=training_data_table({run.name: run.settings for run in runs}),
            channels=_channels(config.model.channels),
            denoising=escaped(", ".join(denoisings)),
            training_words=_training_words(runs),
            settings=_settings(config),
            limits=[*limits_of(settings, None if test is None else test.scores)],
        )
    )
    return text.replace("---\n", f"---\n# Written by seaice card, {_digest(text)}\n", 1)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _refuse_foreign(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace a file that is not a card, or that was edited."""
    if not path.exists() or overwrite:
        return
    try:
        text = read_text(path)
    except DocumentError:
        text = ""
    mark = _MARK.search(text)
    if mark is None or mark[1] != _digest(_MARK.sub("", text, count=1)):
        said = "that seaice did not write" if mark is None else "that was edited since"
        raise ForeignFileError(
            f"there is a file at {str(path)!r} {said}",
            hint="write the card elsewhere with --out, or replace it with --overwrite",
        )


def _runs(folder: Path) -> list[_Run]:
    """Read a run, or those of seeds in a folder."""
    seeds = RunFolder(folder).seeds()
    runs = [_read_run(run) for run in seeds or (RunFolder(folder),)]
    for run in runs[1:]:
        ours, theirs = map(_without_seed, (runs[0].settings, run.settings))
        if listed := differences(ours, theirs):
            raise RunError(
                f"runs in {str(folder)!r} differ in more than their seeds: "
                f"{'; '.join(listed)}",
                hint="write a card for each of them",
            )
    return runs


def _without_seed(settings: RunSettings) -> RunSettings:
    """Return settings without what may differ from seed to seed."""
    train = replace(settings.config.train, seed=0)
    return replace(
        settings,
        config=replace(settings.config, train=train),
        store=replace(settings.store, path=""),  # it may have been moved
        train_scenes=(),  # seeds sample other validation scenes
        validation_scenes=(),
        denoising={},
        software="",
    )


def _read_run(folder: RunFolder) -> _Run:
    checkpoint = load_best(folder.path)
    entries = {entry.epoch: entry for entry in read_log(folder.log)}
    best = checkpoint.state.best_epoch
    return _Run(folder.path.resolve().name, checkpoint, entries.get(best) if best else None)


def _network(runs: Sequence[_Run]) -> str:
    settings = runs[0].settings
    model = settings.config.model
    if model.network == UNET:
        name = f"a U-Net ({'-'.join(map(str, model.filters))} filters)"
    else:
        name = f"the network {model.network} ({settings.network_package})"
    return name if len(runs) == 1 else f"{len(runs)} networks, each {name}"


def _about(runs: Sequence[_Run]) -> str:
    charts = ", ".join(f"{chart.long_name} ({chart.name})" for chart in CHARTS)
    prints = ", ".join(weights_fingerprint(run.checkpoint) for run in runs)
    n_weights = sum(weights.numel() for weights in runs[0].checkpoint.result.values())
    software = escaped(", ".join(dict.fromkeys(run.settings.software for run in runs)))
    if len(runs) == 1:
        it, has = "it predicts", f"It has {n_weights:,} weights (fingerprint {prints})"
    else:
        it = "they predict"
        joint = joint_fingerprint(run.checkpoint for run in runs)
        has = (
            f"Each has {n_weights:,} weights (fingerprints {prints}; in maps of all "
            f"together {joint})"
        )
    return (
        f"From a Sentinel-1 scene (EW, HH and HV) and what else is listed below, {it} "
        f"charts of {charts}, as ice services make them by hand. {has} and was trained "
        f"with {software}; this card was written by seaice {version('seaice')}."
    )


@dataclass(frozen=True, slots=True)
class _Test:
    """Scores of maps that networks of the card have made."""

    scores: SavedScores
    made_by: str
    """Which of the networks, in words."""


def _read_test(runs: Sequence[_Run], path: str | Path) -> _Test:
    """Read scores of maps; refuse those of maps that other networks have made."""
    scores = read_scores(path)
    joint = joint_fingerprint(run.checkpoint for run in runs)
    if scores.weights == joint:
        words = "this network" if len(runs) == 1 else f"these {len(runs)} networks together"
        return _Test(scores, words)
    for run in runs:
        if scores.weights == weights_fingerprint(run.checkpoint):
            return _Test(scores, run.name)
    if not scores.weights:
        raise MapError(
            f"{str(path)!r} does not say which network made the maps",
            hint="score a folder of its maps, not a submission, with this version: "
            "seaice score maps/ --json",
        )
    raise MapError(
        f"{str(path)!r} has scores of another network: the weights of its maps are "
        f"{shortened(printable(scores.weights))}, those of the run {joint}",
        hint="predict maps with this run, and score these",
    )


def _front(
    runs: Sequence[_Run], test: _Test | None, licence: str, repository: str
) -> Iterator[str]:
    """Yield the lines of the head; JSON is YAML, whatever is in its texts."""
    yield "library_name: seaice"
    yield "pipeline_tag: image-segmentation"
    yield 'tags: ["sea-ice", "sentinel-1", "sar", "arctic", "ice-charts"]'
    if licence:
        yield f"license: {json.dumps(licence)}"
    if test is None:
        return
    scores = test.scores
    metrics = [
        {"type": name.lower(), "name": f"{column}, percent", "value": round(value, 2)}
        for (name, value), column in zip(scores.pooled.items(), COLUMNS, strict=True)
        if value is not None
    ]
    result = {
        "task": {"type": "image-segmentation"},
        "dataset": {
            "type": "hidden-truth" if scores.is_of_hidden_truth else "ice-charts",
            "name": counted(len(scores.scenes), "scene"),
        },
        "metrics": metrics,
    }
    name = repository.rpartition("/")[2] or printable(runs[0].name)
    yield f"model-index: {json.dumps([{'name': name, 'results': [result]}])}"


def _validation(runs: Sequence[_Run]) -> str:
    lines = [
        [
            run.name,
            f"{run.checkpoint.state.best_epoch or run.checkpoint.state.n_epochs}",
            *map(decimal, run.scores),
        ]
        for run in runs
    ]
    if len(runs) > 1:
        columns = zip(*(run.scores for run in runs), strict=True)
        lines.append(["mean (standard deviation)", "", *map(_spread, columns)])
    return table(["run", "epoch", *COLUMNS], lines)


def _spread(scores: Iterable[float | None]) -> str:
    """Return mean and standard deviation of scores."""
    found = [score for score in scores if score is not None]
    return f"{mean(found):.1f} ({stdev(found):.1f})" if len(found) > 1 else "-"


def _shown(test: _Test) -> dict[str, Any]:
    """Return what the card shows of scores of maps."""
    scores = test.scores
    run = ", ".join(part.rpartition("/")[2] for part in scores.run.split(", "))
    truth = "original charts"
    if scores.is_of_hidden_truth:
        truth = "hidden truth of synthetic scenes"
    words = (
        f"{counted(len(scores.scenes), 'map')} of the run {escaped(run)}, in "
        f"percent, all pixels of the {truth} together."
    )
    if scores.seen:
        words += (
            f" Scenes that were used to train or validate a network: {len(scores.seen)}. "
            "Scores on new scenes are lower."
        )
    lines = [[test.made_by, *map(decimal, scores.pooled.values())]]
    lines += [
        [f"baseline: {n}", decimal(v), "", "", ""] for n, v in scores.baselines.items()
    ]
    edge = ""
    if scores.edge_km is not None:
        edge = f"The ice edge is displaced by {scores.edge_km:.1f} km on average."
    classes = []
    for chart in CHARTS:
        of = scores.charts[chart.name]
        title = (
            f"{chart.name}: mean IoU {decimal(of.mean_iou)} %, pixel accuracy "
            f"{decimal(of.pixel_accuracy)} %"
        )
        rows = [
            [name, *map(decimal, (precision, recall, f1)), f"{pixels:,}"]
            for name, precision, recall, f1, pixels in zip(
                chart.class_names,
                of.class_precision,
                of.class_recall,
                of.class_f1,
                of.class_pixels,
                strict=True,
            )
        ]
        headings = ["class", "precision", "recall", "F1", "pixels"]
        classes.append((title, table(headings, rows)))
    shown = table(["", *COLUMNS], lines)
    return {"words": words, "table": shown, "edge": edge, "classes": classes}


def _channels(names: Iterable[str]) -> str:
    groups: dict[Group, list[str]] = {}
    for channel in find_channels(names):
        groups.setdefault(channel.group, []).append(channel.name)
    return "; ".join(f"{group}: {', '.join(of)}" for group, of in groups.items())


def _training_words(runs: Sequence[_Run]) -> str:
    train = runs[0].settings.config.train
    n_epochs = [run.checkpoint.state.n_epochs for run in runs]
    return (
        f"Batches of {train.batch_size} patches of {train.patch_size} x {train.patch_size} "
        f"pixels, {train.n_iterations} batches an epoch; the weights are those after "
        f"{', '.join(map(str, n_epochs))} of {train.n_epochs} epochs."
    )


def _settings(config: RunConfig) -> str:
    default = RunConfig()
    meant = replace(default, model=replace(default.model, channels=config.model.channels))
    listed = differences(config, meant)
    if not listed:
        return "All settings but the channels are the defaults of seaice."
    return "\n".join(
        ["Not the defaults of seaice:", "", *(f"- {escaped(d)}" for d in listed)]
    )


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # late: only for pages

    environment = Environment(  # noqa: S701 - Markdown; texts of files are escaped
        loader=PackageLoader("seaice_model.pages"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["escaped"] = escaped
    return environment
