"""`seaice card`: describe a run, so that others can use it."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import say, say_json
from ..options import AsJson


def card(
    run: Annotated[str, typer.Argument(help="Folder of the run, or of runs of seeds")],
    scores: Annotated[
        Path | None,
        typer.Option(help="What `seaice score --json` printed for maps of the run"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write [default: README.md in the folder]")
    ] = None,
    licence: Annotated[
        str, typer.Option("--license", help="Licence of the weights, such as cc-by-4.0")
    ] = "",
    repository: Annotated[
        str, typer.Option(help="Where it will be published at Hugging Face: owner/name")
    ] = "",
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace a file that seaice did not write, or an edited card",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the model card of a run: network, scores, data, settings and limits.

    The card is Markdown with a head for Hugging Face. Publish the folder with it, without
    last.safetensors, and others predict with `--run hf://owner/name`. Give it the scores of
    maps of scenes that the network has not seen: without them it only has the scores of the
    validation scenes, by which the best epoch was chosen.

    Example: seaice card run/ --scores scores.json --license cc-by-4.0
    """
    from seaice_model.pages.card import write_card

    path = write_card(
        run, out, scores=scores, licence=licence, repository=repository, overwrite=overwrite
    )
    if as_json:
        say_json({"file": str(path)})
    else:
        say(f"{path} written")
