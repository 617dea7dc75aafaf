"""`seaice split`: which scenes of a store train, validate and test."""

from pathlib import Path
from typing import Annotated

import typer

from .console import note, say, say_json
from .options import AsJson


def split(
    store: Annotated[str, typer.Argument(help="Store to divide anew")],
    seed: Annotated[
        int, typer.Option(min=0, help="Another seed, other validation scenes")
    ] = 0,
    test: Annotated[
        Path | None, typer.Option(help="List of test scenes; the challenge's if not given")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="List of validation scenes; drawn if not given")
    ] = None,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="Let scenes of one orbit pass part")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Divide the scenes of a store into train, validation and test.

    A store is divided when it is made: the 20 test scenes of the challenge test, 20 drawn
    ones validate, and scenes of one orbit pass stay together. Here lists may say otherwise
    (JSON, or one a line; ids or names of files). What is said here also holds for scenes
    that are added later.

    Example: seaice split store.zarr --validation valset2.json
    """
    from seaice_data.preparation.division import split_store
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
        note(f"note: {n_tested} scenes of the validation list test, and do not validate")
    if as_json:
        say_json({"store": opened.path, "splits": report.splits})
        return
    shares = ", ".join(f"{name} {len(ids)}" for name, ids in report.splits.items())
    say(
        f"{shares} scenes, {len(report.left_out)} left out because their pass stands on "
        "another side"
    )
