"""`seaice verify`: whether a store is as it was written."""

from typing import Annotated

import typer

from seaice_data.processor import n_cores

from .console import Progress, note, say, say_json, seconds


def verify(
    store: Annotated[str, typer.Argument(help="Store to read, a folder or a URL")],
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core")] = 0,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the scenes that are damaged")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON")
    ] = False,
) -> None:
    """Read a whole store again and compare it with its checksums.

    Names each scene and array that is damaged, and exits with 1 if there is one. To mend a
    store, remove the damaged scenes with --remove and run `seaice prepare` again, which
    prepares what is missing.

    Example: seaice verify store.zarr
    """
    from seaice_data.verify import remove_damaged
    from seaice_data.verify import verify as run

    with Progress("scenes") as progress:
        report = run(
            store,
            # What lies in the memory of this process is nowhere else.
            jobs=1 if store.startswith("memory:") else jobs or n_cores(),
            progress=progress,
        )
    damaged = report.damaged_scenes
    if remove:
        remove_damaged(store, report)
    for damage in report.damages:
        place = " ".join(filter(None, [damage.scene, damage.array])) or "root"
        note(f"damaged: {place}: {damage.reason}")
    if damaged and remove:
        note(f"hint: {len(damaged)} scenes removed: add them with `seaice prepare`")
    elif damaged:
        note("hint: remove them with --remove, then add them with `seaice prepare`")
    elif report.damages:
        note("hint: run `seaice prepare` again, which writes them")
    if as_json:
        say_json(
            {
                "store": store,
                "scenes": report.n_scenes,
                "damaged": [
                    {"scene": d.scene, "array": d.array, "reason": d.reason}
                    for d in report.damages
                ],
                "removed": damaged if remove else (),
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        say(
            f"{report.n_scenes} scenes in {store}, {len(damaged)} damaged, "
            f"in {seconds(report.elapsed_s)}"
        )
    if report.damages:
        raise typer.Exit(1)
