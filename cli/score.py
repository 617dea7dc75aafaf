"""`seaice score`: maps against the charts of the experts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Progress, note, say, say_json, say_table, seconds

if TYPE_CHECKING:
    from seaice_data.sources.charts import ChartedScenes
    from seaice_data.store.store import Store
    from seaice_model.metrics import Scores
    from seaice_model.scores.score import ScoreProgress, ScoreReport


def score(
    maps: Annotated[
        Path, typer.Argument(help="Folder of maps, or a submission file of the challenge")
    ],
    reference: Annotated[
        str,
        typer.Option(
            help="Store, or folder of netCDF files, with the charts; "
            "if not given, the store that the maps name"
        ),
    ] = "",
    report: Annotated[
        Path | None,
        typer.Option(help="HTML page to write, with all tables and pictures inside"),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace a report or page that seaice did not write"
        ),
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print every number, one a line, as CSV")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the scores as JSON")
    ] = False,
) -> None:
    """Score maps against the experts' charts.

    R2 for SIC, weighted F1 for SOD and FLOE, and their combination: on the original charts
    as in the AutoICE challenge, and in the way of the reference implementation. Beside
    them stand maps that need no network, the displacement of the ice edge and, if the
    maps tell, how far their uncertainty can be believed. The index.html of the folder
    gets the scores, too. A submission file is netCDF with a variable like
    20180124T194759_dmi_SIC for each chart of each test scene: classes as bytes, at 80 m.

    Example: seaice score maps/ --reference store.zarr --report scores.html
    """
    from seaice_data.sources.charts import charts_of, find_charts
    from seaice_model.ownership import PAGE, refuse_foreign
    from seaice_model.pages.scores import write_report
    from seaice_model.scores.score import score_maps

    if as_csv and as_json:
        raise typer.BadParameter("give either --csv or --json")
    if report is not None:
        refuse_foreign(report, PAGE, overwrite=overwrite)
    charts = find_charts(reference) if reference else charts_of(_store_of_the_maps(maps))
    with Progress("maps") as progress:

        def show(step: "ScoreProgress") -> None:
            progress(step.n_done, step.n_maps, step.scene)

        scored = score_maps(maps, charts, progress=show)
    _update_index(maps, charts, overwrite=overwrite)
    if report is not None:
        write_report(scored, report, charts)
        note(f"report: {report}")
    if as_csv:
        _say_csv(scored)
    elif as_json:
        say_json(_mapping(scored))
    else:
        _say_tables(scored)
    for failure in scored.failed:
        hint = f" ({failure.hint})" if failure.hint else ""
        note(f"not scored: {failure.name}: {failure.reason}{hint}")
    if scored.failed:
        raise typer.Exit(1)


def _store_of_the_maps(maps: Path) -> "Store":
    """Open the store that the maps were drawn from."""
    from seaice_data.errors import StoreError
    from seaice_data.store.store import Store
    from seaice_model.errors import MapError
    from seaice_model.maps.listing import describe_maps

    if maps.is_file():
        raise MapError(
            f"{str(maps)!r} does not say where the charts of its scenes are",
            hint="name a store or a folder of netCDF files by --reference; of a folder of "
            "maps, give the folder",
        )
    described, failed = describe_maps(maps)
    if not described:
        raise MapError(failed[0].reason, hint=failed[0].hint)
    named = next(iter(described.values())).provenance.store
    if "://" in named or "::" in named:
        # Whoever made the map would choose where requests with our credentials go.
        raise MapError(
            f"the maps in {str(maps)!r} were drawn from {named!r}; "
            "URLs named in files are not opened",
            hint=f"if you trust it, pass --reference {named}",
        )
    try:
        return Store.open(named)
    except StoreError as error:
        raise MapError(
            f"the maps in {str(maps)!r} were drawn from a store that cannot be opened: "
            f"{error}",
            hint="name the store with the charts by --reference",
        ) from error


def _update_index(maps: Path, charts: "ChartedScenes", *, overwrite: bool) -> None:
    """Bring the page of a folder up to date, if it is ours and can be written."""
    from seaice_model.errors import ForeignFileError
    from seaice_model.pages.index import write_index

    if maps.is_file():
        return
    try:
        write_index(maps, charts, overwrite=overwrite)
    except ForeignFileError as error:
        note(f"index.html in {maps} was not updated: {error} ({error.hint})")
    except OSError as error:
        note(f"index.html in {maps} is not brought up to date: {error.strerror or error}")


def _say_csv(report: "ScoreReport") -> None:
    import csv
    import io
    from dataclasses import astuple, fields

    from seaice_model.pages.scores import Row, rows_of

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    for row in rows_of(report):
        writer.writerow(_inert(value) for value in astuple(row))
    say(*stream.getvalue().splitlines())


def _inert(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula: regions come from files."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@"))
    return f"'{value}" if is_formula else value


def _mapping(report: "ScoreReport") -> dict[str, Any]:
    """Return a report as JSON-ready values."""
    from dataclasses import asdict

    from seaice_model.pages.scores import groups_of
    from seaice_model.scores.score import GRIDS

    return {
        "maps": report.maps,
        "run": report.run,
        "reference": report.reference,
        "ratio": report.ratio,
        "pooled": report.pooled.by_name,
        "grids": {
            name: {
                "about": GRIDS[name],
                **{
                    by: {n: scores.by_name for n, scores in groups.items()}
                    for by, groups in groups_of(scored).items()
                },
                "classes": {
                    chart: asdict(of_chart)
                    for chart, of_chart in scored.pooled.charts.items()
                },
                "confusion": scored.confusion,
            }
            for name, scored in report.grids.items()
        },
        "baselines": {n: b.scores.by_name for n, b in report.baselines.items()},
        "edge": asdict(report.edge),
        "scene_edges": {i: asdict(edge) for i, edge in report.scene_edges.items()},
        "calibration": report.calibration and asdict(report.calibration),
        "without_charts": report.without_charts,
        "seen": report.seen,
        "failed": [{"map": f.name, "reason": f.reason} for f in report.failed],
        "elapsed_s": round(report.elapsed_s, 3),
    }


def _say_tables(report: "ScoreReport") -> None:
    """Print what fits into 80 columns; the rest is in the report."""
    from seaice_model.pages.scores import GRID_TITLES, UNPREDICTED, seen_in_words

    columns = ["combined", "SIC R2", "SOD F1", "FLOE F1"]
    rows: list[Sequence[str]] = [
        [GRID_TITLES[name], *_cells(scored.pooled)] for name, scored in report.grids.items()
    ]
    rows.append([])
    rows += [[f"baseline: {n}", *_cells(b.scores)] for n, b in report.baselines.items()]
    say_table([f"scores in %, ratio {report.ratio}", *columns], rows)
    say("")
    say_table(["original charts, %", *columns, "edge, km"], _group_rows(report))
    say("")
    say_table(["classes", "precision", "recall", "F1, %", "pixels"], _class_rows(report))
    say("")
    for line in _notes(report):
        say(line)
    note(UNPREDICTED)
    for scene_id in report.without_charts:
        note(f"not scored: {scene_id} has no chart")
    if report.seen:
        note(f"note: {seen_in_words(report)}")
    elapsed = seconds(report.elapsed_s)
    say(f"{len(report.scenes)} maps scored against {report.reference} in {elapsed}")


def _group_rows(report: "ScoreReport") -> Iterator[Sequence[str]]:
    """Give a row for each month, service, region and scene."""
    from seaice_model.pages.scores import edge_in_words, groups_of

    for by, groups in groups_of(report.grids["original"]).items():
        if by == "all":
            continue
        for name, scores in groups.items():
            is_scene = by == "scene"
            edge = edge_in_words(report.scene_edges[name]) if is_scene else ""
            yield [name if is_scene else f"{by} {name}", *_cells(scores), edge]
        yield []


def _class_rows(report: "ScoreReport") -> Iterator[Sequence[str]]:
    """Give a row for each class of each chart."""
    from seaice_data.charts import CHARTS

    for chart in CHARTS:
        score = report.pooled.charts[chart.name]
        for k, class_name in enumerate(chart.class_names):
            shares = (score.class_precision[k], score.class_recall[k], score.class_f1[k])
            yield [
                f"{chart.name} {class_name}",
                *(f"{share:.1f}" for share in shares),
                f"{score.class_pixels[k]:,}",
            ]
        yield []


def _notes(report: "ScoreReport") -> Iterator[str]:
    """Say in a line each how the ice edge and the uncertainty are."""
    edge = report.edge
    if edge.mean_km is not None:
        yield (
            f"ice edge (15 %): displaced by {edge.mean_km:.1f} km on average, median "
            f"{edge.median_km:.1f}, in {edge.n_scenes} scenes"
        )
    yield (
        f"ice in the map only {edge.overestimate_km2:,.0f} km2, in the chart only "
        f"{edge.underestimate_km2:,.0f} km2"
    )
    if without := edge.n_without_chart_edge + edge.n_without_map_edge:
        yield (
            f"scenes without an ice edge: {without} ({edge.n_without_chart_edge} in the "
            f"chart, {edge.n_without_map_edge} in the map alone)"
        )
    if report.calibration is not None:
        for name, reliability in report.calibration.reliability.items():
            yield (
                f"{name} probabilities: calibration error "
                f"{100 * reliability.expected_error:.1f} % (mean "
                f"{100 * reliability.mean_probability:.1f}, "
                f"right {100 * reliability.accuracy:.1f})"
            )
        if (coverage := report.calibration.coverage) is not None:
            yield (
                f"SIC spread: {100 * coverage.observed[1]:.0f} % of the pixels within one, "
                f"{100 * coverage.expected[1]:.0f} % if it is right"
            )
    for name, chart in report.pooled.charts.items():
        if chart.n_unpredicted:
            share = 100 * chart.n_unpredicted / chart.n_pixels
            yield (
                f"{name}: {chart.n_unpredicted:,} of {chart.n_pixels:,} charted pixels "
                f"({share:.1f} %) have no class in the map"
            )
    if not report.baselines:
        yield "no baselines: the reference has no training scenes"


def _cells(scores: "Scores") -> list[str]:
    return ["-" if v is None else f"{v:.1f}" for v in scores.by_name.values()]
