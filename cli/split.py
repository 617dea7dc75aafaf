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
    from seaice_data.preparation.prepare import finish
    from seaice_data.settings import to_mapping
    from seaice_data.store.split import SplitSettings, read_id_file
    from seaice_data.store.store import Store

    opened = Store.open(store)
    lists = {
        name: read_id_file(path) if path else None
        for name, path in (("test", test), ("validation", validation))
    }
    for name, ids in lists.items():
        absent = set(ids or ()) - set(opened.scenes)
        if absent:
            note(f"note: {len(absent)} scenes of the {name} list are not in the store")
    settings = SplitSettings(seed=seed, allow_leaks=allow_leaks, **lists)
    opened.finish({"split_settings": to_mapping(settings)})
    for failure in finish(opened):
        note(f"left out: {failure.reason}")
    splits = Store.open(store).splits
    if tests := {*(lists["validation"] or ())} & {*splits["test"]}:
        note(f"note: {len(tests)} scenes of the validation list test, and do not validate")
    if as_json:
        say_json({"store": opened.path, "splits": splits})
        return
    left_out = len(opened.scenes) - sum(map(len, splits.values()))
    shares = ", ".join(f"{name} {len(ids)}" for name, ids in splits.items())
    say(f"{shares} scenes, {left_out} left out because their pass stands on another side")
