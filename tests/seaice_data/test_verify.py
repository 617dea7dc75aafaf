"""Every damage is found, named, and can be mended."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from coded_scenes import write_coded

from seaice_data.prepare import prepare
from seaice_data.recipe import Recipe
from seaice_data.settings import from_mapping
from seaice_data.store import Store
from seaice_data.verify import Damage, remove_damaged, verify

IDS = ("20190114T101830_dmi", "20190214T101830_dmi")


@pytest.fixture(scope="module", params=[(2, "zstd"), (3, "none")], ids=str)
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Recipe]:
    """Hold a raw folder, a store, and its recipe."""
    folder = tmp_path_factory.mktemp("verify")
    for scene_id in IDS:
        write_coded(folder / "raw", 203, 251, scene_id)
    zarr_format, codec = request.param
    recipe = from_mapping(Recipe, {"zarr_format": zarr_format, "codec": codec})
    prepare(folder / "raw", str(folder / "store.zarr"), recipe)
    return folder / "raw", folder / "store.zarr", recipe


@pytest.fixture
def store(whole: tuple[Path, Path, Recipe], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[1], tmp_path / "store.zarr"))


def files_of(store: Path, name: str) -> list[Path]:
    return sorted(p for p in (store / "scenes" / IDS[1] / name).rglob("*") if p.is_file())


def chunk_of(store: Path, name: str) -> Path:
    return next(p for p in files_of(store, name) if p.name[0].isdigit())


def found(store: Path) -> list[tuple[str, str]]:
    return [(damage.scene, damage.array) for damage in verify(str(store)).damages]


def test_a_whole_store_has_no_damage(store: Path) -> None:
    report = verify(str(store), jobs=2)
    assert (report.n_scenes, report.damages, report.damaged_scenes) == (2, (), ())


def test_a_flipped_bit_anywhere_in_a_scene_is_found(store: Path) -> None:
    rng = np.random.default_rng(0)
    for path in files_of(store, ""):
        content = path.read_bytes()
        flipped = bytearray(content)
        # Metadata also has parts without a meaning here, as the level of a codec.
        values = path.name[0].isdigit()
        place = int(rng.integers(len(content))) if values else content.index(b"{")
        flipped[place] ^= 1 << int(rng.integers(7))
        path.write_bytes(flipped)
        damages = verify(str(store)).damages
        path.write_bytes(content)
        if path.name in (".zgroup",):  # zarr does not look into it, and so it does no harm
            continue
        assert [damage.scene for damage in damages] == [IDS[1]], path
        if values:
            assert damages[0].array == path.relative_to(store / "scenes" / IDS[1]).parts[0]


@pytest.mark.parametrize("name", ["inputs", "charts", "full_charts", "tie_line", "channel"])
def test_a_chunk_that_is_cut_or_missing_is_found(store: Path, name: str) -> None:
    chunk = chunk_of(store, name)
    chunk.write_bytes(chunk.read_bytes()[:-3])
    assert found(store) == [(IDS[1], name)]
    chunk.unlink()
    report = verify(str(store))
    assert "chunks missing" in report.damages[0].reason


def test_a_missing_array_is_found(store: Path) -> None:
    shutil.rmtree(store / "scenes" / IDS[1] / "full_flags")
    assert found(store) == [(IDS[1], "full_flags")]


def test_changed_attributes_are_found(store: Path) -> None:
    for path in files_of(store, ""):
        if path.parent.name == IDS[1] and b'"month": 2' in path.read_bytes():
            path.write_bytes(path.read_bytes().replace(b'"month": 2', b'"month": 3'))
    assert verify(str(store)).damages == (
        Damage(IDS[1], "", "attributes are not as they were written"),
    )


def test_root_attributes_that_do_not_fit_the_scenes_are_found_and_mended(
    whole: tuple[Path, Path, Recipe], store: Path
) -> None:
    Store.open(str(store)).remove(IDS[1])
    (damage,) = verify(str(store)).damages
    assert damage.reason.startswith("attributes do not fit the scenes: splits")
    prepare(whole[0], str(store), whole[2])
    assert verify(str(store)).damages == ()


def test_damaged_scenes_are_removed_and_prepared_again(
    whole: tuple[Path, Path, Recipe], store: Path
) -> None:
    chunk_of(store, "inputs").unlink()
    remove_damaged(str(store), verify(str(store)))
    assert Store.open(str(store)).scenes == IDS[:1]
    assert prepare(whole[0], str(store), whole[2]).written == IDS[1:]
    assert verify(str(store)).damages == ()
    assert {p.name for p in store.iterdir()} == {p.name for p in whole[1].iterdir()}
