"""`seaice split`: divide the scenes of a store again."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seaice_data.texts import agreeing, counted

from ..console import note, say, say_json
from ..options import AsJson

if TYPE_CHECKING:
    from seaice_data.store.store import Store


def split(
    store: Annotated[str, typer.Argument(help="Store to divide again")],
    seed: Annotated[
        int, typer.Option(min=0, help="Another seed gives other validation scenes or folds")
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
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Write the settings of a cross-validation with this many folds instead",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the files of --folds")] = Path(
        "folds"
    ),
    as_json: AsJson = False,
) -> None:
    """Divide the scenes of a store into train, validation and test.

    `seaice prepare` has already divided the store: the 20 test scenes of the challenge are
    for testing, 20 sampled scenes for validation, and scenes of one orbit pass stay
    together. Own scenes without a chart are always test scenes: they can only be mapped.
    This command divides it again, with another seed or with lists of scenes (JSON, or one
    scene per line; ids or file names). Scenes that are added later follow the new division.

    With --folds the store stays as it is. Its training and validation scenes are divided
    into folds of whole orbit passes. With the settings in OUT/fold-1.toml a training
    validates on the first fold and trains on the others, and so on: `seaice train
    store.zarr --config folds/fold-1.toml --run run-1`. Then `seaice predict store.zarr
    --run run-1 --split validation` predicts the scenes of the fold.

    Example: seaice split store.zarr --validation valset2.json
    """
    from seaice_data.store.division import split_store
    from seaice_data.store.split import SplitSettings, read_id_file
    from seaice_data.store.store import Store

    opened = Store.open(store)
    if folds is not None:
        if test or validation or allow_leaks:
            raise typer.BadParameter(
                "--folds cannot be combined with --test, --validation or --allow-leaks"
            )
        _write_folds(opened, folds, seed, out, as_json=as_json)
        return
    settings = SplitSettings(
        seed=seed,
        test=read_id_file(test) if test else None,
        validation=read_id_file(validation) if validation else None,
        allow_leaks=allow_leaks,
    )
    report = split_store(opened, settings)
    for name, ids in report.absent.items():
        if ids:
            one = counted(len(ids), "scene")
            verb = agreeing(len(ids), "is", "are")
            note(f"note: {one} of the {name} list {verb} not in the store")
    for failure in report.failed:
        note(f"left out: {failure.reason}")
    if n_tested := len(report.tested):
        one = counted(n_tested, "scene")
        verb = agreeing(n_tested, "is", "are")
        kind = agreeing(n_tested, "a test scene", "test scenes")
        note(f"note: {one} of the validation list {verb} {kind} instead")
    if as_json:
        say_json({"store": opened.path, "splits": report.splits})
        return
    shares = ", ".join(f"{name} {len(ids)}" for name, ids in report.splits.items())
    n_left_out = len({*report.left_out} - {failure.name for failure in report.failed})
    say(
        f"scenes: {shares}; {n_left_out} left out because other scenes of their pass are "
        "in another split"
    )


def _write_folds(
    store: "Store", n_folds: int, seed: int, out: Path, *, as_json: bool
) -> None:
    """Write the settings of the trainings of a cross-validation."""
    from seaice_data.store.division import folds_of
    from seaice_model.config.folds import write_folds

    folds = folds_of(store, n_folds, seed)
    paths = write_folds(folds, out)
    if as_json:
        listed = [
            {"config": str(path), "validation": fold}
            for path, fold in zip(paths, folds, strict=True)
        ]
        say_json({"store": store.path, "folds": listed})
        return
    for path, fold in zip(paths, folds, strict=True):
        say(f"{path}: validates on {counted(len(fold), 'scene')}")
    command = ["seaice", "train", store.path, "--config", str(paths[0]), "--run", "run-1"]
    note(f"hint: train the first with `{shlex.join(command)}`")
