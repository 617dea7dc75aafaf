"""`seaice predict`: maps of scenes in a store or in netCDF files."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from seaice_data.texts import agreeing, counted

from ..console import Progress, note, say, say_json, seconds, with_hint
from ..options import AcceptMasks, AsJson, Device


class FigureGeometry(StrEnum):
    """Geometry of a figure."""

    swath = "swath"
    polar = "polar"


class GridName(StrEnum):
    """Grid of a map."""

    original = "original"
    spacing_80m = "80m"
    store = "store"


def predict(
    source: Annotated[
        str, typer.Argument(help="Store, netCDF file or folder of netCDF files")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the maps")] = Path("maps"),
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder of the run [default: run], or a URL such as hf://owner/name or "
            "zip://folder::runs.zip; repeat it, or name a folder of runs seed-0, seed-1 "
            "and so on, to combine several networks"
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help="train, validation, test, unseen or all, as the run used them; by "
            "default, scenes that it has not seen"
        ),
    ] = "",
    where: Annotated[
        str,
        typer.Option(help='Narrow the split, as "month in 5..9"; see train'),
    ] = "",
    scene: Annotated[
        list[str] | None, typer.Option(help="Only this scene; repeatable")
    ] = None,
    grid: Annotated[
        GridName,
        typer.Option(
            help="original (as in the netCDF file: 80 m, or 40 m if raw), 80m, or store"
        ),
    ] = GridName.original,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Keep the probability of each class")
    ] = False,
    flips: Annotated[
        bool,
        typer.Option(
            "--flips",
            help="Also predict the scene mirrored in x, in y and in both, and take the "
            "mean; takes four times as long",
        ),
    ] = False,
    plots: Annotated[
        bool,
        typer.Option("--plots/--no-plots", " /--no-png", help="Plot each map as PNG"),
    ] = True,
    png: Annotated[
        list[FigureGeometry] | None,
        typer.Option(
            help="Geometry of the PNG, repeatable: swath (north up, SCENE.png), polar "
            "(EPSG:3413 in the north, SCENE_polar.png)  [default: swath]"
        ),
    ] = None,
    dpi: Annotated[
        int, typer.Option(help="Pixels an inch of the PNG; a panel has 6.4 inches")
    ] = 100,
    device: Device = "auto",
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace maps that were made otherwise (other weights, flips, sensors), "
            "and files that seaice did not write",
        ),
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave out amsr2 or era5, as if scenes lacked it; repeatable. The run "
            "must have learned to do without (drop_amsr2, drop_era5)"
        ),
    ] = None,
    accept_masks: AcceptMasks = False,
    as_json: AsJson = False,
) -> None:
    """Predict maps of scenes, as data and as plots.

    Uses the best weights of a run. With several runs, the mean of the networks decides, and
    their spread shows the uncertainty. For each scene a CF netCDF file on its original grid
    and a PNG are written. Unless you choose scenes of a store, those that were not used to
    train or validate any of the runs are predicted: the test scenes, if the runs were
    trained on this store. --split follows the lists that the runs keep, whatever the splits
    of the store are now: validation means the scenes that a run was validated on and no run
    was trained on; unseen means those that no run has seen. --where chooses among the
    scenes of the split. netCDF files are prepared in memory with the recipe of the run.
    Existing maps are kept, so run the same command again to continue after an interruption.
    Networks that have learned to do without AMSR2 or ERA5 also predict scenes that lack
    them, and the maps say so. Scenes that cannot be predicted, because they lack another
    channel of the network for example, are listed at the end and do not stop the others. If
    only a plot fails, the map is written without it.

    Example: seaice predict store.zarr --out maps/
    """
    from seaice_data.store.group import is_store
    from seaice_data.store.store import Store
    from seaice_model.prediction.predict import (
        PredictSettings,
        predict_files,
        predict_store,
    )

    if scene and (split or where):
        raise typer.BadParameter("give either --scene, or --split and --where")
    if scene and not all(scene):
        raise typer.BadParameter("the id of a scene is empty", param_hint="--scene")
    if png and not plots:
        raise typer.BadParameter("--png needs plots: leave out --no-plots or --no-png")
    settings = PredictSettings(
        grid=grid.value,
        probabilities=probabilities,
        plots=plots,
        geometries=tuple(each.value for each in png or ()) or ("swath",),
        dpi=dpi,
        flips=flips,
        overwrite=overwrite,
        without=tuple(word.strip() for part in without or () for word in part.split(",")),
    )
    runs = run or ["run"]
    with Progress("maps") as progress:
        if is_store(source):
            report = predict_store(
                Store.open(source),
                runs,
                out,
                settings,
                scenes=scene or None,
                split=split,
                where=where,
                device=device,
                progress=progress,
            )
        elif split or where:
            raise typer.BadParameter("--split and --where choose scenes of a store")
        else:
            report = predict_files(
                Path(source),
                runs,
                out,
                settings,
                scenes=scene,
                accept_masks=accept_masks,
                device=device,
                progress=progress,
            )
    for failure in report.failed:
        note(f"left out: {with_hint(failure.reason, failure.hint)}")
    for failure in report.plots_failed:
        note(f"not plotted: {failure.name}: {with_hint(failure.reason, failure.hint)}")
    for groups, n in sorted(Counter(report.drawn_without.values()).items()):
        verb = agreeing(n, "was", "were")
        of_all = f"{n} of {counted(len(report.maps), 'map')}"
        note(f"{of_all} {verb} predicted without {groups}")
    if as_json:
        say_json(
            {
                "maps": [str(path) for path in report.maps],
                "written": report.n_written,
                "kept": report.n_kept,
                "failed": [{"scene": f.name, "reason": f.reason} for f in report.failed],
                "plots_failed": [
                    {"plot": f.name, "reason": f.reason} for f in report.plots_failed
                ],
                "flips": flips,
                "denoised_otherwise": dict(report.denoised_otherwise),
                "drawn_without": dict(report.drawn_without),
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        say(
            f"{counted(report.n_written, 'map')} written to {out}, {report.n_kept} kept, "
            f"{len(report.failed)} left out, in {seconds(report.elapsed_s)}"
        )
    if report.failed or report.plots_failed:
        raise typer.Exit(1)
