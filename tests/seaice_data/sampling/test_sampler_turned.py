"""Turned, mirrored, zoomed and mixed patches of scenes whose pixels say where they are.

HH is (1 + row) / 1024 and HV (1 + column) / 1024, exactly; SIC repeats every 77 rows,
SOD every 42 columns.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from support.coded_scenes import write_coded

from seaice_data.channels import find_channel
from seaice_data.errors import StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    Direction,
    sample_mixing,
    sample_turns,
)
from seaice_data.sampling.patch import Patch
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store

AXES: tuple[Direction, ...] = ("samples", "lines")
A, B, TINY = "20190101T000000_dmi", "20190301T000000_dmi", "20190501T000000_cis"
STILL: Mapping[str, float] = {
    "flip_x": 0,
    "flip_y": 0,
    "rotation": 0,
    "scale": 0,
    "cutmix": 0,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("turned")
    write_coded(folder / "raw", 150, 175, A)
    write_coded(folder / "raw", 175, 150, B)
    write_coded(folder / "raw", 30, 50, TINY)
    prepare(folder / "raw", str(folder / "store.zarr"), Recipe(ratio=1))
    return Store.open(str(folder / "store.zarr"))


def sampler(store: Store, size: int = 64, **changes: object) -> PatchSampler:
    augmentation = Augmentation(**{**STILL, **changes})  # type: ignore[arg-type]
    return PatchSampler(store, scenes=[A, B], size=size, seed=3, augmentation=augmentation)


def rows_and_columns(patch: Patch) -> tuple[np.ndarray, np.ndarray]:
    """Return where the pixels of a patch say that they come from; NaN is fill."""
    hh, hv = np.moveaxis(patch["inputs"][..., :2].astype(np.float64), -1, 0)
    return hh * 1024 - 1, hv * 1024 - 1


def assert_charts_fit(patch: Patch) -> None:
    """Check that each class is that of its pixel; between two pixels, that of either."""
    y, x = rows_and_columns(patch)
    sic, sod = patch["charts"][..., 0], patch["charts"][..., 1]
    np.testing.assert_array_equal(np.isnan(y), sic == 255)
    valid = ~np.isnan(y)
    # In half precision, rows are known to 1/16 of a pixel.
    near_y = [np.floor(y[valid] + 0.5 + e).astype(int) // 7 % 11 for e in (-0.07, 0.07)]
    near_x = [np.floor(x[valid] + 0.5 + e).astype(int) // 7 % 6 for e in (-0.07, 0.07)]
    assert ((sic[valid] == near_y[0]) | (sic[valid] == near_y[1])).all()
    assert ((sod[valid] == near_x[0]) | (sod[valid] == near_x[1])).all()


MOVES = {
    "flip_x": {"flip_x": 1},
    "flip_y": {"flip_y": 1},
    "rotation": {"rotation": 1},
    "scale": {"scale": 1},
    "zoom": {"scale_otherwise": 1.1},
    "all": {"flip_x": 0.5, "flip_y": 0.5, "rotation": 1, "scale": 1},
}


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("move", MOVES)
def test_classes_stay_on_their_pixels(store: Store, move: str, method: str) -> None:
    patches = sampler(store, method=method, **MOVES[move])
    for number in range(24):
        assert_charts_fit(patches[number])


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("move", MOVES)
def test_pixels_come_from_where_the_move_leads(
    store: Store, move: str, method: str
) -> None:
    patches = sampler(store, method=method, beyond="scene", **MOVES[move])
    turns = sample_turns(patches.augmentation, 3, range(24))
    for number in range(24):
        scene, top, left = patches.place(number)
        height, width = store.scene(patches.scenes[scene]).grid.shape
        # Offsets from the centre as complex numbers, x + i y: a clockwise turn back is
        # a multiplication, y pointing down.
        i, j = np.mgrid[:64, :64] - 31.5
        offset = (j + 1j * i) * np.exp(-1j * np.deg2rad(turns.angle_deg[number]))
        offset /= turns.scale[number]
        y = top + 31.5 + turns.flip_y[number] * offset.imag
        x = left + 31.5 + turns.flip_x[number] * offset.real
        got_y, got_x = rows_and_columns(patches[number])
        inside = (y > 0) & (y < height - 1) & (x > 0) & (x < width - 1)
        most = 0.5 if method == "nearest" else 0.07
        assert np.abs(got_y - y)[inside].max() <= most + 1e-9
        assert np.abs(got_x - x)[inside].max() <= most + 1e-9
        far = (y < -0.5) | (y >= height - 0.5) | (x < -0.5) | (x >= width - 0.5)
        np.testing.assert_array_equal(np.isnan(got_y), far)


def test_flips_and_quarter_turns_are_exact(store: Store) -> None:
    still = sampler(store)
    for changes, moved in (
        ({"flip_x": 1}, lambda a: a[:, ::-1]),
        ({"flip_y": 1}, lambda a: a[::-1]),
        ({"rotation": 1, "rotation_range_deg": (90, 90)}, lambda a: np.rot90(a, -1)),
        ({"rotation": 1, "rotation_range_deg": (-90, -90)}, np.rot90),
        ({"flip_y": 1, "rotation": 1, "rotation_range_deg": (90, 90)},
         lambda a: np.rot90(a[::-1], -1)),
    ):  # fmt: skip
        for size in (64, 63):
            patches = sampler(store, size, **changes)
            still = sampler(store, size)
            for number in range(4):
                for name in ("inputs", "charts"):
                    np.testing.assert_array_equal(
                        patches[number][name], moved(still[number][name])
                    )


def test_the_scene_goes_on_beyond_the_window(store: Store) -> None:
    turned = {"rotation": 1, "rotation_range_deg": (45, 45)}
    ours, theirs = sampler(store, **turned), sampler(store, beyond="fill", **turned)
    shares = []
    for number in range(40):
        _, top, left = ours.place(number)
        fill = np.isnan(ours[number]["inputs"][..., 0])
        if 15 <= top <= 71 and 15 <= left <= 71:  # 64 (sqrt 2 - 1) / 2 = 13.3
            assert not fill.any()
        shares.append(np.isnan(theirs[number]["inputs"][..., 0]).mean())
    # A square in a square turned by 45 degrees: four corners of (sqrt 2 - 1)^2 / 4 each.
    np.testing.assert_allclose(shares, (2**0.5 - 1) ** 2, atol=0.02)


def test_fill_has_no_weight_between_pixels(tmp_path: Path) -> None:
    hole = np.full((40, 60), 2, np.float32)
    hole[20, 30] = np.nan
    write_coded(tmp_path / "raw", 40, 60, A, nersc_sar_primary=hole)
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), Recipe(ratio=1))
    store = Store.open(str(tmp_path / "store.zarr"))
    patches = PatchSampler(
        store,
        scenes=[A],
        size=40,
        augmentation=Augmentation(**{**STILL, "scale": 1}),  # type: ignore[arg-type]
    )
    found = False
    for number in range(20):
        hh = patches[number]["inputs"][..., 0]
        inside = hh[~np.isnan(patches[number]["inputs"][..., 1])]
        assert (inside[~np.isnan(inside)] == 2).all()
        found |= bool(np.isnan(inside).any())
    assert found


@pytest.mark.parametrize("name", ["default", "paper", "official"])
@pytest.mark.parametrize("size", [64, 256])
def test_every_profile_keeps_charts_and_inputs_together(
    store: Store, name: str, size: int
) -> None:
    patches = PatchSampler(
        store, scenes=[A, TINY], size=size, augmentation=AUGMENTATIONS[name]
    )
    for number in range(32):
        assert_charts_fit(patches[number])


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_small_scenes_stay_in_the_patch(store: Store, method: str) -> None:
    augmentation = Augmentation(cutmix=0, scale=0, method=method)  # type: ignore[arg-type]
    patches = PatchSampler(store, scenes=[TINY], size=64, augmentation=augmentation)
    for number in range(30):
        # Of 30 x 50 pixels: in the middle even the diagonal, 58, fits.
        n_seen = (~np.isnan(patches[number]["inputs"][..., 0])).sum()
        assert abs(n_seen - 30 * 50) < 60


# ---- wind


def wind_in_m_s(patch: Patch, patches: PatchSampler) -> np.ndarray:
    """Return u and v of a patch, ``(y, x, component)``."""
    values = []
    for name in ("u10m", "v10m"):
        channel = find_channel(name)
        stored = patch["inputs"][..., patches.channels.index(name)].astype(np.float64)
        values.append(stored * channel.std + channel.mean)
    return np.stack(values, axis=-1)


@pytest.fixture(scope="module")
def windy(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Write a scene in which the wind blows away from its middle, 1 m/s for 10 pixels."""
    folder = tmp_path_factory.mktemp("windy")
    cells_y, cells_x = np.mgrid[:20, :20] * 25.0 + 12 - 249.5
    u, v = (
        ((cells / 10 - find_channel(name).mean) / find_channel(name).std).astype(np.float32)
        for cells, name in ((cells_x, "u10m"), (cells_y, "v10m"))
    )
    write_coded(folder / "raw", 500, 500, A, u10m_rotated=u, v10m_rotated=v)
    prepare(folder / "raw", str(folder / "store.zarr"), Recipe(ratio=1, dtype="float32"))
    return Store.open(str(folder / "store.zarr"))


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("channels", [None, ("v10m", "hh", "u10m", "hv")])
def test_the_wind_turns_with_the_patch(
    windy: Store, method: str, channels: tuple[str, ...] | None
) -> None:
    augmentation = Augmentation(cutmix=0, method=method, wind_axes=AXES)  # type: ignore[arg-type]
    patches = PatchSampler(
        windy, scenes=[A], size=101, channels=channels, augmentation=augmentation
    )
    turns = sample_turns(augmentation, 0, range(40))
    for number in range(40):
        _, top, left = patches.place(number)
        patch = patches[number]
        # Position of the middle of the scene in the patch, after the scene was moved.
        middle = np.array([249.5 - top - 50, 249.5 - left - 50])
        back = turns.to_scene()[number]
        middle = np.linalg.solve(back, middle) + 50
        i, j = np.mgrid[:101, :101]
        away = np.stack([j - middle[1], i - middle[0]], axis=-1)
        away /= 10 * turns.scale[number]
        got = wind_in_m_s(patch, patches)
        valid = ~np.isnan(got[..., 0]) & ~np.isnan(got[..., 1])
        assert valid.any()
        # The last cells have their centres 12 pixels before the scene ends.
        valid &= np.hypot(away[..., 0], away[..., 1]) < 23.7
        assert np.abs(got - away)[valid].max() < (0.1 if method == "nearest" else 0.01)


def test_one_component_is_turned_as_both_are(windy: Store) -> None:
    turned = Augmentation(wind_axes=AXES)
    both = PatchSampler(windy, scenes=[A], size=64, augmentation=turned)
    one = PatchSampler(windy, scenes=[A], size=64, augmentation=turned, channels=["v10m"])
    column = both.channels.index("v10m")
    for number in range(8):
        np.testing.assert_array_equal(
            one[number]["inputs"][..., 0], both[number]["inputs"][..., column]
        )


@pytest.mark.parametrize("axes", [(), ("lines", "samples"), ("-lines", "samples")])
def test_a_mirrored_wind_is_that_of_its_axes(
    windy: Store, axes: tuple[Direction, ...]
) -> None:
    mirrored = Augmentation(wind_axes=axes, **{**STILL, "flip_x": 1})  # type: ignore[arg-type]
    patches = PatchSampler(windy, scenes=[A], size=64, augmentation=mirrored)
    plain = PatchSampler(windy, scenes=[A], size=64)
    found, before = wind_in_m_s(patches[3], patches), wind_in_m_s(plain[3], plain)[:, ::-1]
    # Left and right are swapped, so only the component along the samples changes its sign.
    np.testing.assert_allclose(found, before * ([1, -1] if axes else [1, 1]), atol=1e-5)


def test_the_wind_of_every_profile_stays_as_it_is(windy: Store) -> None:
    for profile in AUGMENTATIONS.values():
        assert not len(PatchSampler(windy, scenes=[A], augmentation=profile).wind)


def test_half_a_wind_in_the_store_is_refused(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 60, 60, A)
    recipe = Recipe(ratio=1, channels=("hh", "u10m"))
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), recipe)
    store = Store.open(str(tmp_path / "store.zarr"))
    turned = Augmentation(wind_axes=AXES)
    with pytest.raises(StoreError, match="'u10m' cannot be turned") as caught:
        PatchSampler(store, scenes=[A], size=32, augmentation=turned)
    assert "wind_axes" in str(caught.value.hint)
    PatchSampler(store, scenes=[A], size=32, augmentation=Augmentation())


# ---- cutmix


def test_a_box_is_that_of_the_partner(store: Store) -> None:
    mixing = sampler(store, flip_x=0.5, rotation=0.5, cutmix=1)
    alone = sampler(store, flip_x=0.5, rotation=0.5)
    plan = mixing.plan(range(16, 32))
    assert len(plan.mixed) == 16
    for k in range(16):
        top, bottom, left, right = plan.box[k]
        number = sample_mixing(mixing.augmentation, 3, [16 + k], 64).partner[0]
        partner = alone[int(number)]
        for name in ("inputs", "charts"):
            expected = alone[16 + k][name].copy()
            expected[top:bottom, left:right] = partner[name][top:bottom, left:right]
            np.testing.assert_array_equal(mixing[16 + k][name], expected)


def test_patches_do_not_depend_on_their_batch(store: Store) -> None:
    patches = PatchSampler(store, scenes=[A, B], size=64, augmentation=Augmentation())
    batch = patches.batch(range(48))
    for numbers in ([5], [47, 3, 20], range(7, 30)):
        other = patches.batch(numbers)
        for k, number in enumerate(numbers):
            for name in ("inputs", "charts", "scene"):
                np.testing.assert_array_equal(other[name][k], batch[name][number])
