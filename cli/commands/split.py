"""`seaice split`: divide the scenes of a store again."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import note, say, say_json
from ..options import AsJson


def split(
    store: Annotated[str, typer.Argument(help="Store to divide again")],
    seed: Annotated[
        int, typer.Option(min=0, help="Another seed gives other validation scenes")
    ] = 0,
    test: Annotated[
        Path | None,
        typer.Option(help="List of test scenes; if not given, those of the challenge"),
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="List of validation scenes; if not given, sampled")
    ] = None,
    allow_leaks: Annotated[
        bool,
        typer.Option(
            "--allow-leaks", help="Allow scenes of one orbit pass in different splits"
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Divide the scenes of a store into train, validation and test.

    `seaice prepare` has already divided the store: the 20 test scenes of the challenge are
    for testing, 20 sampled scenes for validation, and scenes of one orbit pass stay
    together. This command divides it again, with another seed or with lists of scenes
    (JSON, or one scene per line; ids or file names). Scenes that are added later follow the
    new division.

    Example: seaice split store.zarr --validation valset2.json
    """
    from seaice_data.store.division import split_store
    from seaice_data.store.split import SplitSettings, read_id_file
    from seaice_data.store.store import Store

    opened = Store.open(store)
    settings = SplitSettings(
        seed=seed,
        test=read_id_file(test) if test else None,
        validation=read_id_file(validation) if validation else None,
        allow_leaks=allow_leaks,
    )
    report = split_store(opened, settings)
    for name, ids in report.absent.items():
        if ids:
            note(f"note: {len(ids)} scenes of the {name} list are not in the store")
    for failure in report.failed:
        note(f"left out: {failure.reason}")
    if n_tested := len(report.tested):
        note(f"note: {n_tested} scenes of the validation list are test scenes instead")
    if as_json:
        say_json({"store": opened.path, "splits": report.splits})
        return
    shares = ", ".join(f"{name} {len(ids)}" for name, ids in report.splits.items())
    say(
        f"{shares} scenes, {len(report.left_out)} left out because other scenes of their "
        "pass are in another split"
    )
