"""Exports: the same files always, continued where they stopped; other files stay."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from support.export_stores import BARE, make_export_store

from seaice_data.errors import ExportError, ForeignFileError, StoreError
from seaice_data.exports.export import export_patches
from seaice_data.exports.settings import ExportSettings, Format, RandomPatches
from seaice_data.store.division import split_store
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store
from seaice_data.system.files import alone_in

FORMATS: tuple[Format, ...] = ("webdataset", "nnunet", "npz", "geotiff")


def settings(to: Format = "npz", **changed: object) -> ExportSettings:
    values = {"size": 32, "random": RandomPatches(train=5), "per_shard": 2, **changed}
    return ExportSettings(to=to, **values)  # type: ignore[arg-type]


def contents(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("to", FORMATS)
def test_an_export_continues_and_ends_with_the_same_files(
    store: Store, tmp_path: Path, to: Format
) -> None:
    asked = settings(to, splits=("train",))
    out = tmp_path / "out"
    done = export_patches(store, out, asked)
    assert (done.n_written, done.n_kept, done.splits) == (5, 0, {"train": 5})
    expected = contents(out)
    _, *files, _ = sorted({*pd.read_csv(out / "patches.csv").file})
    for file in files:
        (out / file).unlink(missing_ok=True)
    manifest = out / "manifest.json"
    manifest.write_text(manifest.read_text().replace("true", "false"))
    again = export_patches(store, out, asked)
    assert (again.n_written, again.n_kept) == (2, 3) if to == "webdataset" else (3, 2)
    assert contents(out) == expected
    assert export_patches(store, out, asked).n_kept == 5


def test_the_list_names_every_patch_and_its_file(store: Store, tmp_path: Path) -> None:
    export_patches(store, tmp_path, settings("webdataset"))
    listed = pd.read_csv(tmp_path / "patches.csv")
    assert listed["split"].value_counts().to_dict() == {
        "train": 5, "validation": 4, "test": 4,
    }  # fmt: skip
    assert [*listed[listed.split == "train"].file] == [
        *["train-000000.tar"] * 2, *["train-000001.tar"] * 2, "train-000002.tar",
    ]  # fmt: skip
    assert all((tmp_path / file).is_file() for file in listed.file)
    assert (listed[listed.scene == BARE].n_valid_SIC == 0).all()


def test_the_manifest_says_what_arrays_mean(store: Store, tmp_path: Path) -> None:
    export_patches(store, tmp_path, settings(channels=("t2m", "hh")))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["is_complete"] is True
    assert manifest["patches"] == {"train": 5, "validation": 4, "test": 4}
    assert [c["name"] for c in manifest["inputs"]["channels"]] == ["t2m", "hh"]
    assert manifest["inputs"]["axes"] == ["y", "x", "channel"]
    assert manifest["charts"]["charts"][1]["classes"][-1] == "old ice"
    assert manifest["recipe"]["ratio"] == 1


def test_progress_counts_patches(store: Store, tmp_path: Path) -> None:
    asked = settings("npz", random=RandomPatches(train=10), splits=("train",))
    done: list[tuple[int, int]] = []
    export_patches(
        store.path,
        tmp_path,
        asked,
        progress=lambda n, n_all, _name: done.append((n, n_all)),
    )
    assert len(done) == 2
    assert done[-1] == (10, 10)


def test_an_export_of_other_settings_is_refused(store: Store, tmp_path: Path) -> None:
    export_patches(store, tmp_path, settings())
    before = contents(tmp_path)
    with pytest.raises(ExportError, match="other patches: seed: 1 instead of 0") as caught:
        export_patches(store, tmp_path, settings(seed=1))
    assert caught.value.hint == "choose another folder, or remove this one"
    assert contents(tmp_path) == before


def test_an_export_of_other_splits_is_refused(tmp_path: Path) -> None:
    store = make_export_store(tmp_path)
    asked = settings(splits=("train", "validation"), random=RandomPatches())
    export_patches(store, tmp_path / "out", asked)
    split_store(store, SplitSettings(test=(BARE,), validation=()))
    with pytest.raises(ExportError, match="the splits of the store have changed"):
        export_patches(store.path, tmp_path / "out", asked)


def test_a_folder_with_other_files_is_left_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ForeignFileError, match=r"is not empty, and has no manifest\.json"):
        export_patches(store, tmp_path, settings())
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ForeignFileError, match=r"notes\.txt' is not a folder"):
        export_patches(store, tmp_path / "notes.txt", settings())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON"),
        ('{"title": "else"}', "it is not of an export of seaice"),
        (
            '{"title": "Patches of a seaice store", "software": "seaice 0.2.0", '
            '"format_version": 7}',
            "its format version is not 1",
        ),
    ],
)
def test_another_manifest_is_refused(store, tmp_path, text, message) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ForeignFileError, match=message):
        export_patches(store, tmp_path, settings())


def test_a_group_is_its_channels_in_the_store(store: Store, tmp_path: Path) -> None:
    asked = settings(channels=("era5", "sar"))  # of ERA5 the store has one channel
    assert export_patches(store, tmp_path, asked).n_kept == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    names = ["t2m", "hh", "hv"]
    assert [c["name"] for c in manifest["inputs"]["channels"]] == names
    named = settings(channels=tuple(names))
    assert export_patches(store, tmp_path, named).n_written == 0


def test_what_is_not_in_the_store_is_refused_before_anything_is_written(
    store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(StoreError, match="has no channel 'skt'"):
        export_patches(store, out, settings(channels=("skt",)))
    none_valid = settings(where=f"id == {BARE}", splits=("train",), random=RandomPatches())
    with pytest.raises(StoreError, match="has no patch to export"):
        export_patches(store, out, none_valid)
    assert not out.exists()


def test_a_second_process_is_kept_out(store: Store, tmp_path: Path) -> None:
    with (
        alone_in(tmp_path),
        pytest.raises(ExportError, match="another process is exporting patches"),
    ):
        export_patches(store, tmp_path, settings())


def test_a_folder_that_cannot_be_written_is_named(store: Store) -> None:
    with pytest.raises(ExportError, match="cannot write patches to '/proc/patches'"):
        export_patches(store, "/proc/patches", settings())
