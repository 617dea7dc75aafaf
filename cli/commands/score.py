"""`seaice score`: maps against the experts' charts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Progress, note, say, say_json, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seaice_data.errors import Failure
    from seaice_data.sources.charts import ChartedScenes
    from seaice_model.scores.score import ScoreReport


def score(
    maps: Annotated[
        Path, typer.Argument(help="Folder of maps, or a submission file of the challenge")
    ],
    truth: Annotated[
        str,
        typer.Option(
            help="Store, or folder of netCDF files, with the charts; "
            "if not given, the store that the maps name"
        ),
    ] = "",
    report: Annotated[
        Path | None,
        typer.Option(help="HTML page to write, with all tables and figures inside"),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace a report or index.html that seaice did not write"
        ),
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print every number, one per line, as CSV")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the scores as JSON")
    ] = False,
) -> None:
    """Score maps against the experts' charts.

    Prints R2 for SIC, weighted F1 for SOD and FLOE, and their combination, on the original
    charts as in the AutoICE challenge, and on the grids of the official code; also mean IoU
    and pixel accuracy. Trivial baselines are scored alongside. The displacement of the ice
    edge is reported, and the reliability of the uncertainty if the maps contain it. The
    scores are also added to the index.html of the folder. A submission file is netCDF with
    a variable like 20180124T194759_dmi_SIC for each chart of each test scene: classes as
    bytes, at 80 m.

    Example: seaice score maps/ --truth store.zarr --report scores.html
    """
    from seaice_data.system.ownership import PAGE, refuse_foreign
    from seaice_model.pages.scores import write_report
    from seaice_model.scores.report_numbers import as_csv as csv_of
    from seaice_model.scores.report_numbers import as_mapping
    from seaice_model.scores.score import score_maps
    from seaice_model.scores.scored_maps import find_truth

    if as_csv and as_json:
        raise typer.BadParameter("give either --csv or --json")
    if report is not None:
        refuse_foreign(report, PAGE, overwrite=overwrite)
    charts = find_truth(maps, truth)
    with Progress("maps") as progress:
        scored = score_maps(maps, charts, progress=progress)
    _update_index(maps, charts, overwrite=overwrite)
    not_plotted: Sequence[Failure] = ()
    if report is not None:
        not_plotted = write_report(scored, report, charts)
        note(f"report: {report}")
    if as_csv:
        say(*csv_of(scored).splitlines())
    elif as_json:
        say_json(as_mapping(scored))
    else:
        _say_tables(scored)
    for failure in scored.failed:
        hint = f" ({failure.hint})" if failure.hint else ""
        note(f"not scored: {failure.name}: {failure.reason}{hint}")
    for failure in not_plotted:
        note(f"not plotted: {failure.name}: {failure.reason}")
    if scored.failed or not_plotted:
        raise typer.Exit(1)


def _update_index(maps: Path, charts: "ChartedScenes", *, overwrite: bool) -> None:
    """Update the index.html of a folder, or note why it could not be updated."""
    from seaice_data.errors import ForeignFileError
    from seaice_model.pages.index import write_index

    if maps.is_file():
        return
    try:
        write_index(maps, charts, overwrite=overwrite)
    except ForeignFileError as error:
        note(f"index.html in {maps} was not updated: {error} ({error.hint})")
    except OSError as error:
        note(f"index.html in {maps} was not updated: {error.strerror or error}")


def _say_tables(report: "ScoreReport") -> None:
    """Print what fits into 80 columns; the HTML report contains the rest."""
    from seaice_data.texts import counted
    from seaice_model.scores.report_text import (
        UNPREDICTED,
        as_text,
        denoised_in_words,
        seen_in_words,
    )

    say(*as_text(report).split("\n"))
    note(UNPREDICTED)
    for scene_id in report.without_charts:
        note(f"not scored: {scene_id} has no chart")
    if report.seen:
        note(f"note: {seen_in_words(report)}")
    if report.denoised_otherwise:
        note(f"note: {denoised_in_words(report)}")
    elapsed = seconds(report.elapsed_s)
    say(f"{counted(len(report.scenes), 'map')} scored against {report.truth} in {elapsed}")
