"""`seaice verify`: compare a store with its checksums."""

from typing import Annotated

import typer

from ..console import Progress, note, say, say_json, seconds
from ..options import AsJson, Jobs, n_processes


def verify(
    store: Annotated[str, typer.Argument(help="Store to verify: a folder or a URL")],
    jobs: Jobs = 0,
    remove: Annotated[bool, typer.Option("--remove", help="Remove damaged scenes")] = False,
    as_json: AsJson = False,
) -> None:
    """Read a whole store and compare it with its checksums.

    Lists every damaged scene and array (wrong values, sizes, types or attributes, missing
    chunks); the exit code is 1 if there are any. To repair a store, remove the damaged
    scenes with --remove, then run `seaice prepare` again, which adds what is missing. If a
    file cannot be read at the moment (permissions, a disk that does not answer), the
    command stops and removes nothing.

    Example: seaice verify store.zarr
    """
    from seaice_data.store.verify import remove_damaged
    from seaice_data.store.verify import verify as run
    from seaice_data.texts import counted, without_secrets

    with Progress("scenes") as progress:
        report = run(store, jobs=n_processes(jobs, store), progress=progress)
    shown = without_secrets(store)
    damaged = report.damaged_scenes
    removed = remove_damaged(store, report) if remove and damaged else ()
    for damage in report.damages:
        place = " ".join(filter(None, [damage.scene, damage.array])) or "root"
        note(f"damaged: {place}: {damage.reason}")
    for name, what in report.foreign_entries.items():
        note(f"note: {name!r} is {what}; it is left alone")
    if removed:
        note(f"removed: {', '.join(removed)}")
        note("hint: add them again with `seaice prepare`")
    if repaired := sorted({*damaged} - {*removed}) if remove else []:
        note(f"no longer damaged, not removed: {', '.join(repaired)}")
    if damaged and not remove:
        note("hint: remove them with --remove, then add them with `seaice prepare`")
    elif report.damages and not damaged:
        note("hint: run `seaice prepare` again to repair the store")
    if as_json:
        say_json(
            {
                "store": shown,
                "scenes": report.n_scenes,
                "damaged": [
                    {"scene": d.scene, "array": d.array, "reason": d.reason}
                    for d in report.damages
                ],
                "removed": removed,
                "strangers": dict(report.foreign_entries),
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        say(
            f"{counted(report.n_scenes, 'scene')} in {shown}, {len(damaged)} damaged, "
            f"in {seconds(report.elapsed_s)}"
        )
    if report.damages:
        raise typer.Exit(1)
