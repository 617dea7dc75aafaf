"""The store: scenes are complete or absent, and readable without seaice."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from support.coded_scenes import SCENE_ID, write_coded

from seaice_data.channels import find_channel
from seaice_data.errors import StoreError
from seaice_data.preparation.assemble import assemble
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.scenes.files import open_scene
from seaice_data.settings import from_mapping
from seaice_data.store.layout import checksum
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.verify import Damage, verify
from seaice_data.store.writer import StoreWriter


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> PreparedScene:
    with open_scene(write_coded(tmp_path_factory.mktemp("raw"), 203, 251)) as opened:
        return assemble(opened, Recipe())


@pytest.fixture
def store(scene: PreparedScene, tmp_path: Path) -> Store:
    made = StoreWriter.create(str(tmp_path / "store.zarr"), Recipe())
    made.write(scene, {})
    return Store.open(made.path)


def verify_scenes(path: str) -> tuple[Damage, ...]:
    """Return what is damaged in the scenes; nobody has written splits here."""
    return tuple(damage for damage in verify(path).damages if damage.scene)


def test_what_is_written_is_read(store: Store, scene: PreparedScene) -> None:
    stored = store.scene(SCENE_ID)
    np.testing.assert_array_equal(stored.inputs, scene.inputs)
    np.testing.assert_array_equal(stored.charts, scene.charts)
    np.testing.assert_array_equal(stored.full_charts(), scene.full_charts)
    np.testing.assert_array_equal(stored.full_flags(), scene.full_flags)
    np.testing.assert_array_equal(stored.tie_points.latitude, scene.tie_points.latitude)
    assert stored.grid == scene.grid
    assert stored.source_grid == scene.source_grid
    assert stored.acquired.isoformat() == "2019-03-14T10:18:30+00:00"


def test_arrays_are_mapped_not_copied(store: Store) -> None:
    assert isinstance(store.scene(SCENE_ID).inputs, np.memmap)
    assert isinstance(store.scene(SCENE_ID).charts, np.memmap)


def test_plain_xarray_opens_a_scene(store: Store, scene: PreparedScene) -> None:
    opened = xr.open_zarr(store.path, group=f"scenes/{SCENE_ID}", consolidated=False)
    np.testing.assert_array_equal(opened.inputs.sel(channel="t2m"), scene.inputs[..., 10])
    np.testing.assert_array_equal(opened.charts.sel(chart="SOD"), scene.charts[..., 1])
    assert opened.charts.dtype == np.uint8


def test_xarray_in_physical_units(store: Store, scene: PreparedScene) -> None:
    dataset = store.scene(SCENE_ID).to_xarray()
    t2m = find_channel("t2m")
    np.testing.assert_allclose(
        dataset.t2m,
        scene.inputs[..., 10].astype(np.float32) * t2m.std + t2m.mean,
        rtol=1e-6,
    )
    assert dataset.t2m.attrs["units"] == "K"
    assert {"latitude", "longitude"} <= set(dataset.coords)


def test_places_in_xarray_are_exact(store: Store, tmp_path: Path) -> None:
    recipe = Recipe(channels=("hh",))  # the places are known without their channels, too
    with open_scene(write_coded(tmp_path, 203, 251)) as opened:
        made = assemble(opened, recipe)
        exact = opened.tie_points.places(np.arange(20) * 10 + 4.5, np.arange(25) * 10 + 4.5)
    bare = StoreWriter.create(str(tmp_path / "bare.zarr"), recipe)
    bare.write(made, {})
    for dataset in (store.scene(SCENE_ID).to_xarray(), bare.scene(SCENE_ID).to_xarray()):
        np.testing.assert_array_equal(dataset.latitude, exact[0].astype(np.float32))
        np.testing.assert_array_equal(dataset.longitude, exact[1].astype(np.float32))
    latitudes = store.scene(SCENE_ID).inputs[..., store.channels.index("latitude")]
    assert latitudes.dtype == np.float16  # whose steps are a kilometre


def test_charts_in_xarray_are_percent_and_classes_with_nan_for_fill(
    store_path: str,
) -> None:
    store = Store.open(store_path)
    scene = store.scene(store.splits["train"][0])
    dataset = scene.to_xarray()
    for position, (name, step) in enumerate({"SIC": 10, "SOD": 1, "FLOE": 1}.items()):
        classes, values = scene.charts[..., position], dataset[name]
        assert 0 < (classes == 255).sum() < classes.size
        expected = np.where(classes == 255, np.nan, step * classes.astype(np.float32))
        np.testing.assert_array_equal(values, expected)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(dataset[f"{name}_class"], classes)
        assert dataset[f"{name}_class"].dtype == np.uint8
        assert dataset[f"{name}_class"].attrs["flag_meanings"].split()[-1] == "fill"
    assert dataset.SIC.attrs["units"] == "%"
    assert 0 <= dataset.SIC.mean() <= 100
    assert dataset.SOD.attrs["flag_values"].tolist() == [0, 1, 2, 3, 4, 5]
    assert dataset.SOD.attrs["flag_meanings"].split()[5] == "old_ice"
    assert dataset.SOD.attrs["flag_values"].dtype == np.float32


def test_a_scene_without_its_last_write_is_absent(store: Store) -> None:
    Path(store.path, "scenes", SCENE_ID, "zarr.json").unlink()
    assert Store.open(store.path).scenes == ()


@pytest.mark.parametrize("damaged", [3, ["20190314T101830_cis"], {"train": 3}])
def test_damaged_splits_are_reported(store: Store, damaged: object) -> None:
    root = Path(store.path, "zarr.json")
    document = json.loads(root.read_text())
    document["attributes"]["splits"] = damaged
    root.write_text(json.dumps(document))
    with pytest.raises(StoreError, match=r"the splits of the store .* are damaged"):
        Store.open(store.path).splits  # noqa: B018


@pytest.mark.parametrize("codec", ["none", "zstd"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_both_zarr_formats_and_codecs_contain_the_same(
    scene: PreparedScene, tmp_path: Path, zarr_format: int, codec: str
) -> None:
    recipe = from_mapping(Recipe, {"zarr_format": zarr_format, "codec": codec})
    path = str(tmp_path / "store.zarr")
    StoreWriter.create(path, recipe).write(scene, {})
    stored = Store.open(path).scene(SCENE_ID)
    assert isinstance(stored.inputs, np.memmap) == (codec == "none")
    np.testing.assert_array_equal(stored.inputs, scene.inputs)
    np.testing.assert_array_equal(stored.charts, scene.charts)
    np.testing.assert_array_equal(stored.full_charts(), scene.full_charts)
    opened = xr.open_zarr(path, group=f"scenes/{SCENE_ID}", consolidated=False)
    assert opened.charts.dtype == np.uint8
    assert (opened.charts == 0).any()  # 0 is a class, not missing
    np.testing.assert_array_equal(opened.inputs.sel(channel="t2m"), scene.inputs[..., 10])
    assert list(opened.chart.values) == ["SIC", "SOD", "FLOE"]
    assert verify_scenes(path) == ()
    names = {p.name for p in Path(path).rglob("*") if p.is_file()}
    assert ("zarr.json" in names) == (zarr_format == 3)
    assert (".zgroup" in names) == (zarr_format == 2)


def test_checksums_do_not_depend_on_how_arrays_are_written(
    scene: PreparedScene, tmp_path: Path
) -> None:
    checksums = []
    for number, recipe in enumerate([Recipe(), Recipe(codec="zstd", zarr_format=2)]):
        store = StoreWriter.create(str(tmp_path / f"{number}.zarr"), recipe)
        store.write(scene, {})
        checksums.append(Store.open(store.path).scene(SCENE_ID).attributes["checksums"])
    assert checksums[0] == checksums[1]
    assert checksums[0]["charts"] == checksum(scene.charts)


def test_a_missing_or_truncated_chunk_is_reported(store: Store) -> None:
    chunk = Path(store.path, "scenes", SCENE_ID, "inputs", "c", "0", "0", "0")
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"wrong size: .* needs \d+ bytes"):
        assert store.scene(SCENE_ID).inputs
    chunk.unlink()
    with pytest.raises(StoreError, match=r"wrong size: .* needs \d+ bytes"):
        assert store.scene(SCENE_ID).inputs


def test_truncated_metadata_is_reported(store: Store) -> None:
    metadata = Path(store.path, "scenes", SCENE_ID, "zarr.json")
    metadata.write_bytes(metadata.read_bytes()[:-10])
    with pytest.raises(StoreError, match=f"metadata of scene '{SCENE_ID}' .* is damaged"):
        Store.open(store.path).scene(SCENE_ID)


def test_what_is_left_of_a_scene_does_not_hinder_the_next_writer(
    store: Store, scene: PreparedScene
) -> None:
    Path(store.path, "scenes", SCENE_ID, "zarr.json").unlink()
    opened = StoreWriter(store.path)
    opened.write(scene, {})
    np.testing.assert_array_equal(opened.scene(SCENE_ID).inputs, scene.inputs)


def test_a_scene_is_removed_whole(store: Store) -> None:
    StoreWriter(store.path).remove(SCENE_ID)
    store.storage.drop_staging()
    assert Store.open(store.path).scenes == ()
    assert {p.name for p in Path(store.path).rglob("*")} == {"scenes", "zarr.json"}


def test_a_second_writer_changes_nothing(store: Store, scene: PreparedScene) -> None:
    before = {p: p.stat().st_mtime_ns for p in Path(store.path).rglob("*") if p.is_file()}
    StoreWriter(store.path).write(scene, {})
    after = {p: p.stat().st_mtime_ns for p in Path(store.path).rglob("*") if p.is_file()}
    assert after == before


def test_preparing_twice_gives_equal_bytes(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 203, 251)
    trees = []
    for name in ("a.zarr", "b.zarr"):
        prepare(tmp_path / "raw", str(tmp_path / name))
        root = tmp_path / name
        trees.append(
            {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        )
    assert trees[0] == trees[1]


def test_a_missing_store_and_what_is_not_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        Store.open(str(tmp_path / "absent.zarr"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("not a store")
    with pytest.raises(StoreError, match="is not a seaice store"):
        Store.open(str(tmp_path / "folder"))
    with pytest.raises(StoreError, match="is not a seaice store"):
        StoreWriter.create(str(tmp_path / "folder"), Recipe())
    with pytest.raises(StoreError, match="is not a seaice store"):
        Store.open(str(tmp_path / "folder" / "notes.txt"))


def test_another_recipe_is_refused_with_the_difference(store: Store) -> None:
    with pytest.raises(StoreError, match="has another recipe: ratio: 5 instead of 10"):
        StoreWriter.create(store.path, Recipe(ratio=5))


def test_an_unknown_scene_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no scene '20200101T000000_cis'"):
        store.scene("20200101T000000_cis")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_lost_chunks_are_not_read_as_open_water(
    scene: PreparedScene, tmp_path: Path, zarr_format: int
) -> None:
    recipe = from_mapping(Recipe, {"zarr_format": zarr_format, "codec": "zstd"})
    store = StoreWriter.create(str(tmp_path / "store.zarr"), recipe)
    store.write(scene, {})
    for name in ("full_charts", "charts"):
        folder = Path(store.path, "scenes", SCENE_ID, name)
        n_chunks = zarr.open_array(folder, mode="r").nchunks
        for path in [p for p in folder.rglob("*") if p.is_file() and p.name[0].isdigit()]:
            path.unlink()
        stored = store.scene(SCENE_ID)
        words = f"scene {SCENE_ID}: '{name}' lacks {n_chunks} of {n_chunks} chunks"
        with pytest.raises(StoreError, match=words) as caught:
            stored.full_charts() if name == "full_charts" else stored.charts
        assert f"seaice verify {store.path}" in str(caught.value.hint)


def test_a_truncated_packed_chunk_is_reported(store: Store) -> None:
    folder = Path(store.path, "scenes", SCENE_ID, "full_charts")
    chunk = next(p for p in folder.rglob("*") if p.is_file() and p.name == "0")
    chunk.write_bytes(chunk.read_bytes()[:-5])
    with pytest.raises(StoreError, match="'full_charts' cannot be read") as caught:
        store.scene(SCENE_ID).full_charts()
    assert "seaice verify" in str(caught.value.hint)


def test_charts_have_255_where_plain_zarr_finds_nothing(store: Store) -> None:
    shutil.rmtree(Path(store.path, "scenes", SCENE_ID, "full_charts", "c"))
    charts = zarr.open_array(Path(store.path, "scenes", SCENE_ID, "full_charts"), mode="r")
    assert set(np.unique(charts[...])) == {255}


@pytest.mark.parametrize(
    "change",
    [
        lambda _: [],
        lambda _: {"attributes": 5},
        lambda root: {"attributes": root["attributes"] | {"recipe": 5}},
        lambda root: {"attributes": root["attributes"] | {"software": None}},
    ],
)
def test_a_root_that_is_not_a_store_is_refused(store: Store, change) -> None:
    root = Path(store.path, "zarr.json")
    root.write_text(json.dumps(change(json.loads(root.read_text()))))
    with pytest.raises(StoreError, match="is not a seaice store"):
        Store.open(store.path)
    with pytest.raises(StoreError, match="is not a seaice store"):
        verify(store.path)


@pytest.mark.parametrize("scene_id", ["", ".", "..", f"../scenes/{SCENE_ID}", "a/b"])
def test_what_is_not_an_id_is_not_a_scene(store: Store, scene_id: str) -> None:
    with pytest.raises(StoreError, match="no scene"):
        store.scene(scene_id)


def test_a_store_of_another_version_is_replaced(store: Store) -> None:
    root = Path(store.path, "zarr.json")
    content = json.loads(root.read_text())
    content["attributes"]["format_version"] = 9
    root.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="format version 9"):
        Store.open(store.path)
    StoreWriter.erase(store.path)
    assert StoreWriter.create(store.path, Recipe(ratio=4)).scenes == ()


@pytest.mark.parametrize("name", ["thesis.txt", "scenes/notes"])
def test_what_is_not_part_of_a_store_is_not_deleted(store: Store, name: str) -> None:
    Path(store.path, name).write_text("mine")
    with pytest.raises(
        StoreError, match=f"contains '{name}', which is not part of a store"
    ):
        StoreWriter.erase(store.path)
    assert Store.open(store.path).scenes == (SCENE_ID,)
    assert Path(store.path, name).read_text() == "mine"


def test_stores_and_scenes_say_what_they_are(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 203, 251)
    path = str(tmp_path / "store.zarr")
    prepare(tmp_path / "raw", path, Recipe(ratio=5, channels=("hh", "hv")))
    store = Store.open(path)
    assert repr(store) == f"<Store '{path}': ratio 5, 2 channels>"
    scene = store.scene(SCENE_ID)
    assert repr(scene) == f"<StoredScene {SCENE_ID} of '{path}': 40 x 50 pixels>"
    patches = PatchSampler(store, scenes=[SCENE_ID], size=24, seed=3)
    assert repr(patches) == (
        f"<PatchSampler of '{path}': 1 scene, 2 channels, 24 x 24 pixels, seed 3>"
    )
