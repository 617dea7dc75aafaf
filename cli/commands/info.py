"""`seaice info`: what a store contains, on one screen."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import say, say_json
from ..options import AsJson


def info(
    store: Annotated[str, typer.Argument(help="Store to describe")],
    plot: Annotated[
        Path | None,
        typer.Option(help="Folder for plots of the class distribution and of the scenes"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace plots that seaice did not write")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a store contains.

    Prints scenes by split, month and service, channels, class distribution and recipe. With
    --plot also writes two plots: the class distribution (Figure 5 of the paper) and all
    scenes on one sheet.

    Example: seaice info store.zarr
    """
    from seaice_data.store.description import describe_store
    from seaice_data.store.store import Store
    from seaice_model.errors import PlotError

    opened = Store.open(store)
    description = describe_store(opened)
    plots: list[str] = []
    failed: PlotError | None = None
    if plot:
        from seaice_model.plots.store import save_store_plots

        try:
            saved = save_store_plots(opened, plot, overwrite=overwrite)
            plots = [str(path) for path in saved]
        except PlotError as error:  # what the store contains is shown all the same
            failed = error
    if as_json:
        say_json(description.to_mapping() | ({"pictures": plots} if plots else {}))
    else:
        rows = description.to_rows() | ({"plots": " ".join(plots)} if plots else {})
        say(*(f"{name:<10} {text}" for name, text in rows.items()))
    if failed is not None:
        raise failed
