"""Regions of patches: the pixels of polygons, exactly, with their shares."""

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.learnable_scenes import prepared_scene
from support.polygon_scenes import RECIPE, polygon_table, write_polygons

from seaice_data.charts import CHART_FILL
from seaice_data.errors import DamageError, StoreError
from seaice_data.sampling.augmentation import AUGMENTATIONS
from seaice_data.sampling.patch import Patch
from seaice_data.sampling.regions import MOST_REGIONS, N_SHARES
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.sampling.windows import Sampling
from seaice_data.store.store import Store
from seaice_data.store.writer import StoreWriter

A, B, C = "20190101T000000_dmi", "20190301T000000_dmi", "20190501T000000_cis"
STILL = AUGMENTATIONS["none"]

SMALL = np.array(
    [
        [7, 7, 7, 7, 7, 7],
        [7, 7, 7, 7, 7, 7],
        [7, 7, 7, 7, 7, 7],
        [9, 9, 9, 9, 4, 4],
        [9, 9, 9, 9, 4, 4],
        [9, 9, 4, 4, 4, -1],
    ]
)
EGGS = polygon_table(
    {
        9: (80, 60, 87, 4, 20, 81, 8),  # young ice and thin first-year ice; fast ice
        4: (1,),  # water
        7: (92, -9, 95, 10),  # old ice
    }
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Write a scene of three polygons."""
    path = str(tmp_path_factory.mktemp("regions") / "small.zarr")
    return write_polygons(path, {A: SMALL}, EGGS)


def sampler(store: Store, size: int, **settings: Any) -> PatchSampler:
    return PatchSampler(store, scenes=store.scenes, size=size, regions=True, **settings)


def test_regions_are_polygons_by_size_with_their_shares(small: Store) -> None:
    patch = sampler(small, 6)[0]
    # Polygon 7 has 18 pixels, 9 has 10, and 4 has 7.
    expected = np.select([SMALL == 7, SMALL == 9, SMALL == 4], [1, 2, 3])
    np.testing.assert_array_equal(patch["region"], expected)
    shares = patch["shares"].round(3)
    assert shares[0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    np.testing.assert_allclose(shares[1, :6], [0.2, 0.2, 0, 0.6, 0, 0])
    assert np.isnan(shares[1, 6:]).all()
    assert shares[2].tolist() == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert np.isnan(shares[3:]).all()
    assert patch["visible"].tolist() == [1, 1, 1, *[0] * 29]


def test_a_window_shows_parts_of_polygons(small: Store) -> None:
    patches = sampler(small, 3)
    corners = {patches.place(number)[1:]: number for number in range(200)}
    patch = patches[corners[2, 2]]
    np.testing.assert_array_equal(patch["region"], [[2, 2, 2], [1, 1, 3], [1, 1, 3]])
    assert patch["visible"][:4].tolist() == pytest.approx([4 / 10, 3 / 18, 2 / 7, 0])
    patch = patches[corners[3, 3]]  # 6 pixels of polygon 4, 2 of polygon 9, one of none
    np.testing.assert_array_equal(patch["region"], [[2, 1, 1], [2, 1, 1], [1, 1, 0]])


def test_of_regions_of_one_size_the_lower_id_comes_first(tmp_path: Path) -> None:
    ids = np.repeat([[30, 10, 20]], 2, axis=0)
    table = polygon_table({10: (92,), 30: (92,), 20: (92,)})
    store = write_polygons(str(tmp_path / "s.zarr"), {A: ids}, table)
    patch = sampler(store, 3)[0]
    assert patch["region"][0].tolist() == [3, 1, 2]


def test_beyond_the_scene_is_none(small: Store) -> None:
    region = sampler(small, 8)[0]["region"]
    assert (region[6:] == 0).all()
    assert (region[:, 6:] == 0).all()
    assert (region[:5, :6] > 0).all()


@pytest.mark.parametrize(
    ("changes", "turn"),
    [
        ({"flip_x": 1}, np.fliplr),
        ({"flip_y": 1}, np.flipud),
        ({"rotation": 1, "rotation_range_deg": (90, 90)}, None),
        ({"rotation": 1, "rotation_range_deg": (180, 180)}, lambda p: np.rot90(p, 2)),
    ],
)
def test_flips_and_quarter_turns_are_exact(
    small: Store, changes: dict[str, Any], turn: Callable[..., np.ndarray] | None
) -> None:
    still = sampler(small, 6)[0]
    turned = sampler(small, 6, augmentation=replace(STILL, **changes))[0]
    if turn is None:
        is_left = (turned["region"] == np.rot90(still["region"])).all()
        turn = np.rot90 if is_left else lambda plane: np.rot90(plane, -1)
    np.testing.assert_array_equal(turned["region"], turn(still["region"]))
    np.testing.assert_array_equal(turned["shares"], still["shares"])
    np.testing.assert_array_equal(turned["visible"], still["visible"])


def test_what_is_visible_does_not_depend_on_the_scale(tmp_path: Path) -> None:
    ids = np.full((64, 64), 7)
    ids[16:48, 16:48] = 9
    store = write_polygons(str(tmp_path / "s.zarr"), {A: ids}, EGGS)
    for scale in (0.5, 0.8, 1.25):
        zoomed = replace(STILL, scale_otherwise=scale)
        patch = sampler(store, 64, augmentation=zoomed)[0]
        inner = int(patch["region"][32, 32]) - 1
        shown = (patch["region"] == inner + 1).sum()
        assert patch["visible"][inner] == pytest.approx(1, abs=0.05)
        assert shown < 0.8 * 32**2 or shown > 1.2 * 32**2


def test_thirty_two_regions_at_most(tmp_path: Path) -> None:
    ids = np.repeat(np.arange(40)[::-1, None], 5, axis=1)
    ids[0] = ids[1]  # polygon 38 has two rows, 39 has none
    table = polygon_table(dict.fromkeys(range(40), (92, -9, 95, 10)))
    store = write_polygons(str(tmp_path / "s.zarr"), {A: ids}, table)
    patch = sampler(store, 40)[0]
    numbers = patch["region"][:, 0]
    assert numbers[:2].tolist() == [1, 1]
    # The others are equal: ids 0 to 30, from the bottom up.
    assert numbers[:8:-1].tolist() == [*range(2, 33)]
    assert (numbers[2:9] == 0).all()
    assert patch["visible"].tolist() == [1] * MOST_REGIONS


@pytest.fixture(scope="module")
def mosaics(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Write scenes of ten polygons whose SIC says which polygon it is, and none in rows."""
    rng = np.random.default_rng(1)
    scenes = {}
    for scene_id, shape in ((A, (90, 70)), (B, (60, 110)), (C, (20, 30))):
        cells = rng.integers(0, 11, (12, 12))
        y, x = np.indices(shape)
        ids = 100 + 7 * cells[y * 12 // shape[0], x * 12 // shape[1]]
        ids[ids == 170] = -1
        scenes[scene_id] = ids
    eggs = {100 + 7 * k: (92, 10 * k, 87, 4, 100 - 10 * k, 95, 5) for k in range(1, 10)}
    table = polygon_table({100: (92, -9, 95, 5), **eggs})
    path = str(tmp_path_factory.mktemp("regions") / "mosaics.zarr")
    return write_polygons(path, scenes, table)


def boxes(patches: PatchSampler, n: int) -> np.ndarray:
    """Return which pixels show the partner of cutmix, shape ``(patch, y, x)``."""
    is_inside = np.zeros((n, patches.size, patches.size), np.bool_)
    plan = patches.plan(range(n))
    for k, (top, bottom, left, right) in zip(plan.mixed, plan.box, strict=True):
        is_inside[k, top:bottom, left:right] = True
    return is_inside


def assert_regions_fit_charts(patch: Patch, is_inside: np.ndarray) -> None:
    """Compare regions with SIC, which is the position of the polygon."""
    sic = patch["charts"][..., 0].astype(np.int64)
    label = np.where(sic == CHART_FILL, -1, 2 * sic + is_inside)
    values, counts = np.unique(label[label >= 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")  # labels are in the order of ids
    assert len(values) <= MOST_REGIONS
    expected = np.zeros_like(patch["region"])
    for number, value in enumerate(values[order].tolist(), 1):
        expected[label == value] = number
        part = value // 2 / 10
        stages = [0, 0, 0, part, 0, 1 - part, 0]
        np.testing.assert_allclose(patch["shares"][number - 1, :7], stages, atol=1e-6)
    np.testing.assert_array_equal(patch["region"], expected)
    is_shown = patch["visible"] > 0
    assert is_shown.tolist() == [k < len(values) for k in range(MOST_REGIONS)]
    assert (patch["visible"] <= 1).all()


@pytest.mark.parametrize("name", ["none", "official", "paper", "default"])
@pytest.mark.parametrize("size", [16, 45])
def test_regions_are_cut_from_the_pixels_that_charts_come_from(
    mosaics: Store, name: str, size: int
) -> None:
    augmentation = AUGMENTATIONS[name]
    if augmentation.cutmix:
        augmentation = replace(augmentation, cutmix=0.9, cutmix_group=3)
    patches = sampler(mosaics, size, augmentation=augmentation, seed=size)
    batch = patches.__getitems__(range(60))
    plan = patches.plan(range(60))
    is_inside = boxes(patches, 60)
    for patch, inside in zip(batch, is_inside, strict=True):
        assert_regions_fit_charts(patch, inside)
    if augmentation.cutmix:
        is_same = plan.cuts.scene[plan.mixed] == plan.partners.scene
        assert is_same.any()
        assert not is_same.all()


def test_patches_are_the_same_with_and_without_regions(mosaics: Store) -> None:
    with_regions = sampler(mosaics, 32, augmentation="default").batch(range(16))
    plain = PatchSampler(mosaics, scenes=mosaics.scenes, size=32, augmentation="default")
    assert "region" not in plain.empty(2)
    for name, values in plain.batch(range(16)).items():
        np.testing.assert_array_equal(values, with_regions[name])  # type: ignore[literal-required]


def test_memory_used_again_keeps_nothing(mosaics: Store) -> None:
    patches = sampler(mosaics, 24, augmentation="default")
    out = patches.empty(8)
    for first in (0, 8, 16):
        batch = patches.batch(range(first, first + 8), out)
        for k in range(8):
            for name, values in patches[first + k].items():
                np.testing.assert_array_equal(batch[name][k], values)  # type: ignore[literal-required]
    assert batch["shares"].shape == (8, MOST_REGIONS, N_SHARES)
    types = [batch[name].dtype for name in ("region", "shares", "visible")]  # type: ignore[literal-required]
    assert types == [np.uint8, np.float32, np.float32]


@pytest.mark.parametrize("kind", ["packed", "zipped", "memory", "format 2"])
def test_stores_of_all_kinds_have_the_same_regions(
    mosaics: Store, tmp_path: Path, kind: str
) -> None:
    recipe = replace(RECIPE, codec="zstd", zarr_format=2 if kind == "format 2" else 3)
    path = "memory://regions.zarr" if kind == "memory" else str(tmp_path / "store.zarr")
    scenes = {i: mosaics.scene(i).polygon_ids() for i in mosaics.scenes}
    store = write_polygons(path, scenes, mosaics.scene(A).polygons, recipe)
    if kind == "zipped":
        with zipfile.ZipFile(tmp_path / "store.zip", "w") as archive:
            for file in Path(path).rglob("*"):
                archive.write(file, file.relative_to(path))
        store = Store.open(f"zip://::{tmp_path / 'store.zip'}")
    expected = sampler(mosaics, 32, augmentation="default").batch(range(12))
    got = sampler(store, 32, augmentation="default", n_threads=2).batch(range(12))
    for name in ("region", "shares", "visible"):
        np.testing.assert_array_equal(got[name], expected[name])  # type: ignore[literal-required]


def test_a_scene_without_a_pixel_in_a_polygon_has_no_regions(tmp_path: Path) -> None:
    ids = np.full((8, 8), -1)
    store = write_polygons(str(tmp_path / "store.zarr"), {A: ids}, EGGS)
    patch = sampler(store, 8, sampling=Sampling(min_valid_share=(0, 0, 0)))[0]
    assert not patch["region"].any()
    assert not patch["visible"].any()
    assert np.isnan(patch["shares"]).all()


def test_scenes_made_from_ready_files_are_refused(tmp_path: Path) -> None:
    store = StoreWriter.create(str(tmp_path / "store.zarr"), RECIPE)
    store.write(prepared_scene(A, RECIPE), {})
    store = Store.open(store.path)
    with pytest.raises(StoreError, match="a ready-to-train file, which has no poly") as e:
        sampler(store, 8)
    assert e.value.hint is not None
    assert e.value.hint.startswith("prepare the raw files")
    assert not store.scene(A).has_polygons
    with pytest.raises(StoreError, match="no polygons"):
        store.scene(A).polygon_ids()
    with pytest.raises(StoreError, match="no polygons"):
        _ = store.scene(A).polygons


def test_an_id_without_egg_codes_is_damage(tmp_path: Path) -> None:
    for unknown in (5, 99):
        ids = SMALL.copy()
        ids[0, 0] = unknown
        store = write_polygons(str(tmp_path / f"{unknown}.zarr"), {A: ids}, EGGS)
        patches = sampler(store, 6)
        with pytest.raises(DamageError, match=f"'polygon_id' contains {unknown}, but"):
            _ = patches[0]


def test_an_id_listed_twice_is_damage(tmp_path: Path) -> None:
    twice = replace(EGGS, ids=np.array([9, 4, 9]))
    store = write_polygons(str(tmp_path / "s.zarr"), {A: SMALL}, twice)
    with pytest.raises(DamageError, match="occur twice"):
        _ = store.scene(A).polygons


@pytest.mark.parametrize("name", ["polygon_id", "polygons", "polygon_column"])
def test_a_missing_array_is_damage(tmp_path: Path, name: str) -> None:
    store = write_polygons(str(tmp_path / "store.zarr"), {A: SMALL}, EGGS)
    shutil.rmtree(tmp_path / "store.zarr" / "scenes" / A / name)
    with pytest.raises(DamageError, match=name):
        _ = sampler(store, 6)[0]


def test_polygons_are_read_as_they_were_written(small: Store) -> None:
    scene = small.scene(A)
    np.testing.assert_array_equal(scene.polygon_ids(), SMALL)
    table = scene.polygons
    np.testing.assert_array_equal(table.ids, EGGS.ids)
    np.testing.assert_array_equal(table.codes, EGGS.codes)
    np.testing.assert_array_equal(table.is_water, EGGS.is_water)
