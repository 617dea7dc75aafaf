"""`seaice figures`: the figures of the paper, from any runs or maps."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import Progress, note, say, say_json


def figures(
    models: Annotated[
        list[str],
        typer.Argument(help="Folders of maps or runs, as NAME=FOLDER or FOLDER"),
    ],
    truth: Annotated[
        str, typer.Option(help="Store, or folder of netCDF files, with the charts")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the figures")] = Path("figures"),
    scene: Annotated[
        list[str] | None,
        typer.Option(
            help="Scene for Figures 2 and 3; repeatable; if not given, those of the paper, "
            "or the first two"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace figures that seaice did not write")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the files as JSON")
    ] = False,
) -> None:
    """Plot Figures 2 to 5 of the paper.

    Figures 2 and 3 show the charts of scenes by each model and by the ice service, Figure 4
    shows which classes of SOD and FLOE each model confuses, and Figure 5 how often each
    class occurs in the training scenes.

    Example: seaice figures full=maps/ hh-hv=run2/ --truth store.zarr
    """
    from seaice_data.sources.charts import find_charts
    from seaice_model.study.paper_figures import plot_figures

    named = {}
    for model in models:
        name, equals, folder = model.partition("=")
        name, folder = (name, folder) if equals else (Path(model).resolve().name, model)
        if name in named:
            raise typer.BadParameter(f"two models are called {name!r}")
        if not name or not folder or not Path(folder).is_dir():
            raise typer.BadParameter(f"{model!r} does not name a folder")
        named[name] = Path(folder)
    charts = find_charts(truth)
    with Progress("models") as progress:
        report = plot_figures(
            named, charts, out, scenes=scene or (), overwrite=overwrite, progress=progress
        )
    if as_json:
        pictures = [{"shows": s, "path": p} for s, p in report.figures.items()]
        say_json({"out": out, "pictures": pictures})
    else:
        for shown, path in report.figures.items():
            say(f"{shown}: {path}")
    for failure in report.failed:
        note(f"left out: {failure.name}: {failure.reason}")
    if report.failed:
        raise typer.Exit(1)
