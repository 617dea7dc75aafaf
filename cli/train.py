"""`seaice train`: the network, from a store."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Progress, note, say, say_json, seconds

if TYPE_CHECKING:
    from seaice_model.config import RunConfig
    from seaice_model.train import TrainProgress

STOPPED = 75
"""Exit code of a training that a signal stopped: run it again with --resume."""


def train(
    store: Annotated[str, typer.Argument(help="Store with the training scenes")],
    run: Annotated[Path, typer.Option(help="Folder for settings, log, checkpoints")] = Path(
        "run"
    ),
    preset: Annotated[
        str, typer.Option(help="default (if not given), tiny (for CPUs), model1 to model9")
    ] = "",
    config: Annotated[
        Path | None, typer.Option(help="TOML file with tables [model] and [train], instead")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs in all, instead of the preset's or the run's"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another seed, another network")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run where it stopped")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON")
    ] = False,
) -> None:
    """Train the multi-task U-Net on the patches of a store.

    The default is the recipe of the paper (Chen et al., 2024), made for a GPU: 300 epochs
    of 500 batches. On a CPU take --preset tiny. After each epoch the validation scenes are
    scored and the best weights kept. A run that was stopped (Ctrl-C, or SLURM: exit code
    75) goes on with --resume.

    Example: seaice train store.zarr --preset tiny
    """
    from seaice_data.settings import read_toml
    from seaice_data.store import Store
    from seaice_model.checkpoint import settings_to_resume
    from seaice_model.config import RunConfig
    from seaice_model.presets import find_preset
    from seaice_model.train import train as run_training

    if resume and overwrite:
        raise typer.BadParameter("give either --resume or --overwrite")
    if preset and config:
        raise typer.BadParameter("give either --preset or --config")
    opened = Store.open(store)
    if config:
        chosen = read_toml(RunConfig, config)
    elif resume and not preset:
        chosen = settings_to_resume(run).config
    else:
        named = find_preset(preset or "default")
        chosen = named.config
        if named.ratio != opened.recipe.ratio:
            note(
                f"note: preset {named.name!r} is meant for a store of ratio {named.ratio}, "
                f"this one has ratio {opened.recipe.ratio}"
            )
    # `run_training` compares what is chosen with the settings of a run that goes on.
    chosen = _changed(chosen, n_epochs=epochs, seed=seed)
    with Progress("batches") as progress:
        report = run_training(
            opened,
            run,
            chosen,
            resume=resume,
            overwrite=overwrite,
            device=device,
            progress=_Lines(progress),
        )
    if as_json:
        say_json(
            {
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
        )
    elif report.best_score is not None:
        say(
            f"{report.n_epochs} epochs in {run}: best combined score "
            f"{report.best_score:.1f} % on validation (epoch {report.best_epoch}), "
            f"{report.patches_per_s:.1f} patches/s, in {seconds(report.elapsed_s)}"
        )
    if not report.is_complete:
        note(f"stopped after {report.n_epochs} epochs; go on with --resume")
        raise typer.Exit(STOPPED)


class _Lines:
    """Shows a line for each epoch, and the batches in between."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, step: "TrainProgress") -> None:
        done = (step.epoch - 1) * step.n_iterations + step.iteration
        text = f"epoch {step.epoch}/{step.n_epochs}, loss {step.loss:.3f}"
        if step.scores is None:
            self._progress(done, step.n_epochs * step.n_iterations, text)
            return
        shown = {name: chart.score for name, chart in step.scores.charts.items()}
        shown = {"combined": step.scores.combined, **shown}
        scores = ", ".join(f"{k} {v:.1f} %" for k, v in shown.items() if v is not None)
        note(f"{text}, learning rate {step.learning_rate:.2g}, validation: {scores}")


def _changed(config: "RunConfig", **values: Any) -> "RunConfig":
    """Replace the training settings that were given on the command line."""
    given = {key: value for key, value in values.items() if value is not None}
    return replace(config, train=replace(config.train, **given))
