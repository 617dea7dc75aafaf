"""`seaice predict`: maps of the scenes of a store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import Progress, say, say_json, seconds

if TYPE_CHECKING:
    from seaice_data.store import Store
    from seaice_model.predict import PredictProgress


def predict(
    store: Annotated[str, typer.Argument(help="Store with the scenes")],
    out: Annotated[Path, typer.Option(help="Folder for the maps")] = Path("maps"),
    run: Annotated[Path, typer.Option(help="Folder of the run")] = Path("run"),
    split: Annotated[
        str,
        typer.Option(
            help="train, validation, test or all; if not given, the unseen scenes"
        ),
    ] = "",
    scene: Annotated[
        list[str] | None, typer.Option(help="Only this scene; may be given several times")
    ] = None,
    pictures: Annotated[bool, typer.Option(help="Draw a picture of each map")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace maps of other weights")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON")
    ] = False,
) -> None:
    """Draw ice charts of scenes, as data and as pictures.

    The best weights of a run draw them. Each scene gives a CF netCDF file on its 80 m grid
    and a PNG. If no scenes are named, those are drawn that the run has neither trained nor
    validated on. Maps that are there already are kept, so run it again to go on after an
    interruption.

    Example: seaice predict store.zarr --out maps/
    """
    from seaice_data.store import Store
    from seaice_model.predict import predict_store

    if split and scene:
        raise typer.BadParameter("give either --split or --scene")
    if scene and not all(scene):
        raise typer.BadParameter("the id of a scene is empty", param_hint="--scene")
    opened = Store.open(store)
    with Progress("maps") as progress:

        def show(step: "PredictProgress") -> None:
            progress(step.n_done, step.n_scenes, step.scene)

        report = predict_store(
            opened,
            run,
            out,
            scenes=scene or _scenes_of(opened, split),
            overwrite=overwrite,
            pictures=pictures,
            device=device,
            progress=show,
        )
    if as_json:
        say_json(
            {
                "maps": [str(path) for path in report.maps],
                "written": report.n_written,
                "kept": report.n_kept,
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        say(
            f"{report.n_written} maps drawn in {out}, {report.n_kept} kept, "
            f"in {seconds(report.elapsed_s)}"
        )


def _scenes_of(store: "Store", split: str) -> tuple[str, ...] | None:
    """Return the scenes of a split; none leaves the choice to the run."""
    from seaice_data.errors import SettingsError
    from seaice_data.settings import nearest

    if not split:
        return None
    splits = {**store.splits, "all": store.scenes}
    if split not in splits:
        raise SettingsError(f"unknown split {split!r}", hint=nearest(split, splits))
    if not splits[split]:
        filled = ", ".join(name for name, scenes in splits.items() if scenes)
        raise SettingsError(
            f"split {split!r} of the store {store.path!r} has no scenes",
            hint=f"those with scenes are {filled}" if filled else "prepare some scenes",
        )
    return splits[split]
