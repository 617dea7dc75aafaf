"""`seaice score`: maps against the charts of the experts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Progress, note, say, say_json, seconds

if TYPE_CHECKING:
    from seaice_data.store import Store
    from seaice_model.metrics import Scores
    from seaice_model.score import ScoreProgress


def score(
    maps: Annotated[Path, typer.Argument(help="Folder of maps")],
    reference: Annotated[
        str, typer.Option(help="Store with the charts; if not given, the one the maps name")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the scores as JSON")
    ] = False,
) -> None:
    """Score maps against the experts' charts.

    On the original 80 m grid: R2 for SIC, weighted F1 for SOD and FLOE, and their
    combination as in the AutoICE challenge; pixels of all scenes together, and scene by
    scene. Beside them stand maps of one class everywhere (the most frequent one, and the
    one that scores best), so that a number means something.

    Example: seaice score maps/ --reference store.zarr
    """
    from seaice_data.charted import charts_of, find_charts
    from seaice_model.score import score_maps

    charts = find_charts(reference) if reference else charts_of(_store_of_the_maps(maps))
    with Progress("maps") as progress:

        def show(step: "ScoreProgress") -> None:
            progress(step.n_done, step.n_maps, step.scene)

        report = score_maps(maps, charts, progress=show)
    if as_json:
        say_json(
            {
                "grid": "80 m",
                "pooled": _mapping(report.pooled),
                "baselines": {
                    name: _mapping(b.scores) for name, b in report.baselines.items()
                },
                "scenes": {i: _mapping(scores) for i, scores in report.scenes.items()},
                "confusion": report.grids["original"].confusion,
                "without_charts": report.without_charts,
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
        return
    names = ("combined", "SIC", "SOD", "FLOE")
    say(f"{'scores in %, 80 m grid':<24}" + "".join(f"{name:>10}" for name in names))
    for scene_id, scores in report.scenes.items():
        say(_row(scene_id, scores))
    say(_row("all scenes together", report.pooled))
    for name, baseline in report.baselines.items():
        say(_row(f"baseline: {name}", baseline.scores))
    for scene_id in report.without_charts:
        note(f"not scored: {scene_id} has no chart")
    elapsed = seconds(report.elapsed_s)
    say(f"{len(report.scenes)} maps scored against {charts.path} in {elapsed}")


def _store_of_the_maps(maps: Path) -> "Store":
    """Open the store that the maps were drawn from."""
    from seaice_data.errors import StoreError
    from seaice_data.store import Store
    from seaice_model.errors import MapError
    from seaice_model.maps import find_maps, read_provenance

    named = read_provenance(find_maps(maps)[0]).store
    try:
        return Store.open(named)
    except StoreError as error:
        raise MapError(
            f"the maps in {str(maps)!r} were drawn from a store that cannot be opened: "
            f"{error}",
            hint="name the store with the charts by --reference",
        ) from error


def _mapping(scores: "Scores") -> dict[str, Any]:
    """Return scores in percent by name."""
    return {"combined": scores.combined, **{n: c.score for n, c in scores.charts.items()}}


def _row(title: str, scores: "Scores") -> str:
    values = _mapping(scores).values()
    return f"{title:<24}" + "".join(
        "         -" if v is None else f"{v:10.1f}" for v in values
    )
