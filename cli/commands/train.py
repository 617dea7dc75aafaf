"""`seaice train`: train a network on the patches of a store."""

import logging
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, pstdev
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seaice_data.texts import counted

from ..console import EpochLines, Progress, note, say, say_json, seconds
from ..forecast import Forecast
from ..options import STOPPED, AsJson, Device, read_seeds

if TYPE_CHECKING:
    from seaice_data.store.store import Store
    from seaice_model.config.run_config import RunConfig
    from seaice_model.training.progress import TrainReport


def train(
    store: Annotated[
        str | None,
        typer.Argument(
            help="Store with the training scenes; with --resume by default that of the run",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        Path, typer.Option(help="Folder for settings, log and checkpoints")
    ] = Path("run"),
    preset: Annotated[
        str,
        typer.Option(
            help="default (if not given), tiny (for CPUs), model1 to model9, swin, best"
        ),
    ] = "",
    profile: Annotated[
        str,
        typer.Option(
            help="How to read the paper: default (if not given), paper, or official"
        ),
    ] = "",
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with tables such as [model] and [train]; overrides the preset"
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A setting as key=value, overriding all others; repeatable"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Total number of epochs; if not given, that of the preset or run"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another seed gives another network")
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Train several networks, RUN/seed-0 and so on: 0-4 or 0,2,5")
    ] = "",
    where: Annotated[
        str | None,
        typer.Option(help='Train on some scenes only: "month in 5..9 and service == cis"'),
    ] = None,
    device: Device = "auto",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write events for TensorBoard")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was stopped")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run")] = False,
    list_presets: Annotated[
        bool, typer.Option("--list-presets", help="List presets and profiles, then exit")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a network, by default the multi-task U-Net, on the patches of a store.

    The default is the training of the paper (Chen et al., 2024), meant for a GPU: 300
    epochs of 500 batches. On a CPU use --preset tiny. After each epoch the validation
    scenes are scored, and the best weights are kept. Continue a run that was stopped
    (Ctrl-C, or SLURM: exit code 75) with --resume.

    Several GPUs: torchrun --nproc-per-node 4 --no-python -- seaice train store.zarr

    Example: seaice train store.zarr --preset tiny
    """
    if list_presets:
        from seaice_model.config.catalogue import as_mapping, as_text

        if as_json:
            say_json(as_mapping())
        else:
            say(*as_text().split("\n"))
        return
    if store is None and not resume:
        raise typer.BadParameter("name a store", param_hint="STORE")
    if resume and overwrite:
        raise typer.BadParameter("give either --resume or --overwrite")
    if seeds and seed is not None:
        raise typer.BadParameter("give either --seed or --seeds")
    numbers = read_seeds(seeds)

    from seaice_data.settings import assign
    from seaice_data.store.store import Store
    from seaice_model.training.seeds import train_seeds
    from seaice_model.training.train import train as run_training

    opened = (
        _store_of(run, is_several=bool(numbers)) if store is None else Store.open(store)
    )
    if resume and not (preset or profile or config):
        chosen = _resumed(run, settings or [], is_several=bool(numbers))
    else:
        chosen = _resolved(opened, profile, preset, config, settings or [])
    given = {"train.n_epochs": epochs, "train.seed": seed, "train.where": where}
    chosen = assign(chosen, {k: value for k, value in given.items() if value is not None})
    forecast = None
    if _is_first():
        is_advised = preset != "tiny" and not resume
        # Of a run to resume, nobody knows here which seeds are done.
        n_seeds = 0 if resume else len(numbers)
        forecast = Forecast(device, n_seeds=n_seeds, is_advised=is_advised)
        note(f"{_epochs(chosen, numbers)} on {forecast.machine}")
        _note_settings(chosen, run / "seed-*" if numbers else run)
    options: dict[str, Any] = {
        "resume": resume,
        "overwrite": overwrite,
        "device": device,
        "tensorboard": tensorboard,
    }
    with Progress("batches") as progress:
        if numbers:
            reports = train_seeds(
                opened, run, chosen, numbers, **options,
                progress=lambda number: EpochLines(progress, f"seed {number}, ", forecast),
            )  # fmt: skip
        else:
            lines = EpochLines(progress, forecast=forecast)
            reports = [run_training(opened, run, chosen, **options, progress=lines)]
    if _is_first():
        _say_reports(reports, is_several=bool(numbers), as_json=as_json)
        if _is_stopped(reports, numbers):
            note(f"stopped after {_done(reports, numbers)}; continue with --resume")
    if _is_stopped(reports, numbers):
        raise typer.Exit(STOPPED)


def _epochs(config: "RunConfig", seeds: Sequence[int]) -> str:
    batches = counted(config.train.n_iterations, "batch", "batches")
    epochs = f"{counted(config.train.n_epochs, 'epoch')} of {batches}"
    return f"{counted(len(seeds), 'training')} of {epochs}" if seeds else epochs


def _note_settings(config: "RunConfig", run: Path) -> None:
    """Print the settings that differ from the defaults; with --verbose, all of them."""
    from seaice_data.settings import to_mapping, to_toml
    from seaice_model.config.run_config import RunConfig

    shown = to_mapping(config)
    if not logging.getLogger().isEnabledFor(logging.INFO):
        defaults = to_mapping(RunConfig())
        differing = {
            table: {k: v for k, v in values.items() if v != defaults[table][k]}
            for table, values in shown.items()
        }
        shown = {table: values for table, values in differing.items() if values}
        kind = "settings that differ from the defaults" if shown else "default settings"
        note(f"{kind} (all: `seaice --verbose train`, or {run}/settings.json)")
    note(*to_toml(shown).splitlines())


def _is_stopped(reports: "Sequence[TrainReport]", seeds: Sequence[int]) -> bool:
    """Return whether the last run lacks epochs, or other seeds still have to be trained."""
    return not reports[-1].is_complete or len(reports) < len(seeds)


def _done(reports: "Sequence[TrainReport]", seeds: Sequence[int]) -> str:
    if reports[-1].is_complete:
        return f"{len(reports)} of {counted(len(seeds), 'seed')}"
    return counted(reports[-1].n_epochs, "epoch")


def _is_first() -> bool:
    """Return whether this is the one process of torchrun that prints."""
    from seaice_model.training.processes import is_first

    return is_first()


def _resolved(
    store: "Store", profile: str, preset: str, config: Path | None, changes: list[str]
) -> "RunConfig":
    """Return the chosen configuration; note where the store differs from it."""
    from seaice_model.config.presets import find_preset, find_profile
    from seaice_model.config.resolve import resolve

    profile, preset = profile or "default", preset or "default"
    chosen = resolve(profile, preset, config, changes)
    departures = find_profile(profile).departures(store.recipe, find_preset(preset).ratio)
    if departures and _is_first():
        note(
            f"note: this store was not prepared as preset {preset!r} of profile "
            f"{profile!r} expects: {'; '.join(departures)}"
        )
    return chosen


def _resumed(run: Path, changes: list[str], *, is_several: bool) -> "RunConfig":
    """Return the configuration of a run to resume, with changes."""
    from seaice_model.config.resolve import changed
    from seaice_model.runs.settings import settings_to_resume

    first = _first_run(run, is_several=is_several)
    return changed(settings_to_resume(first).config, changes)


def _store_of(run: Path, *, is_several: bool) -> "Store":
    """Return the store that a run to resume was trained on."""
    from seaice_model.training.run_settings import store_to_resume

    return store_to_resume(_first_run(run, is_several=is_several))


def _first_run(run: Path, *, is_several: bool) -> Path:
    """Return the folder of a run, or of the first of several seeds."""
    from seaice_model.runs.folder import RunFolder

    started = RunFolder(run).seeds() if is_several else ()
    return started[0].path if started else run


def _say_reports(
    reports: "Sequence[TrainReport]", *, is_several: bool, as_json: bool
) -> None:
    if as_json:
        runs = [_as_json(report) for report in reports]
        say_json({"runs": runs} if is_several else runs[0])
    else:
        for report in reports:
            if report.best_score is not None:
                epochs = counted(report.n_epochs, "epoch")
                say(
                    f"{epochs} in {report.run}: best combined score "
                    f"{report.best_score:.1f} % on validation (epoch {report.best_epoch}), "
                    f"{report.patches_per_s:.1f} patches/s, in {seconds(report.elapsed_s)}"
                )
        scores = [report.best_score for report in reports if report.best_score is not None]
        if is_several and len(scores) > 1:
            say(
                f"{len(scores)} seeds: mean of their best combined scores "
                f"{mean(scores):.1f} %, standard deviation {pstdev(scores):.1f}"
            )


def _as_json(report: "TrainReport") -> dict[str, Any]:
    return {
        "run": str(report.run),
        "complete": report.is_complete,
        "epochs": report.n_epochs,
        "best_score_percent": report.best_score,
        "best_epoch": report.best_epoch,
        "parameters": report.n_parameters,
        "patches_per_s": round(report.patches_per_s, 1),
        "wait_share": round(report.wait_share, 4),
        "elapsed_s": round(report.elapsed_s, 3),
    }
