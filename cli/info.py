"""`seaice info`: what a store contains, on one screen."""

from pathlib import Path
from typing import Annotated

import typer

from .console import say, say_json
from .options import AsJson


def info(
    store: Annotated[str, typer.Argument(help="Store to look into")],
    plot: Annotated[
        Path | None, typer.Option(help="Folder to draw class distribution and scenes in")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace pictures that seaice did not write")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a store holds.

    Scenes by split, month and service, channels, class distribution, recipe; with --plot
    also two pictures: the classes (Figure 5 of the paper) and the scenes on one sheet.

    Example: seaice info store.zarr
    """
    from seaice_data.store.description import describe_store
    from seaice_data.store.store import Store

    opened = Store.open(store)
    description = describe_store(opened)
    plots: list[str] = []
    if plot:
        from seaice_model.plots.store import save_store_plots

        plots = [str(path) for path in save_store_plots(opened, plot, overwrite=overwrite)]
    if as_json:
        say_json(description.to_mapping() | ({"pictures": plots} if plots else {}))
        return
    rows = description.to_rows() | ({"pictures": " ".join(plots)} if plots else {})
    say(*(f"{name:<10} {text}" for name, text in rows.items()))
