"""Windows: tiles that cover the scenes, and the random ones of the sampler."""

import numpy as np
import pytest
from support.export_stores import BARE, HELD_OUT, LARGE, SMALL, make_export_store

from seaice_data.errors import SettingsError, StoreError
from seaice_data.exports.settings import ExportSettings, RandomPatches
from seaice_data.exports.windows import WindowSource, list_windows
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.sampling.windows import Sampling
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store


def settings(**changed: object) -> ExportSettings:
    return ExportSettings(**{"to": "npz", "size": 25, **changed})  # type: ignore[arg-type]


def test_tiles_go_row_by_row_and_need_labels_where_there_is_a_chart(store: Store) -> None:
    listed = list_windows(store, settings(size=25)).windows
    tiles = [(w.split, w.scene, w.top, w.left) for w in listed]
    corners = [(y, x) for y in (0, 25) for x in (0, 18, 35)]
    assert tiles == [
        # The first tile of this scene has no label.
        *(("train", LARGE, *at) for at in corners[1:]),
        *(("train", SMALL, *at) for at in [(0, 0), (0, 2), (1, 0), (1, 2)]),
        *(("validation", HELD_OUT, *at) for at in corners),
        *(("test", BARE, *at) for at in corners),
    ]
    assert listed[0].name == f"{LARGE}_y00000_x00018"
    assert len({w.name for w in listed}) == len(listed)


def test_windows_say_what_is_valid_in_them_and_where_they_are(store: Store) -> None:
    first, *_ = list_windows(store, settings(size=25)).windows
    assert first.n_valid == (25 * (43 - 30), 25 * 25, 25 * 25)
    scene = store.scene(LARGE).to_xarray()
    centre = scene.isel(y=12, x=18 + 12)
    assert first.latitude == pytest.approx(float(centre.latitude), abs=1e-5)
    assert first.longitude == pytest.approx(float(centre.longitude), abs=1e-5)


def test_a_least_share_of_valid_pixels_holds_for_tiles(store: Store) -> None:
    sampling = Sampling(min_valid_share=(0, 0, 0.5))
    listed = list_windows(store, settings(sampling=sampling))
    assert listed.skipped == (SMALL,)
    assert SMALL not in {window.scene for window in listed.windows}


def test_random_windows_are_those_of_the_sampler(store: Store) -> None:
    asked = settings(size=32, random=RandomPatches(train=20), splits=("train",), seed=3)
    listed = list_windows(store, asked).windows
    source = WindowSource(store, store.channels, 32, [window.scene for window in listed])
    sampler = PatchSampler(store, size=32, seed=3)
    for number, window in enumerate(listed):
        inputs, charts = source.read(window)
        patch = sampler[number]
        assert window.scene == sampler.scenes[int(patch["scene"])]
        assert window.name.endswith(f"_n{number:07d}")
        np.testing.assert_array_equal(inputs, patch["inputs"])
        np.testing.assert_array_equal(charts, patch["charts"])
    assert {window.scene for window in listed} == {LARGE, SMALL}


def test_beyond_a_small_scene_there_is_fill(store: Store) -> None:
    asked = settings(size=32, where=f"id == {SMALL}")
    (window,) = list_windows(store, asked).windows
    source = WindowSource(store, ["hv", "hh"], 32, [window.scene])
    inputs, charts = source.read(window)
    scene = store.scene(SMALL)
    np.testing.assert_array_equal(inputs[:26, :27], scene.inputs[..., [1, 0]])
    assert np.isnan(inputs[26:]).all()
    assert np.isnan(inputs[:, 27:]).all()
    assert (charts[26:] == 255).all()
    assert source.extent(window) == (26, 27)
    y, x = source.places(window, np.array([3]), np.array([5]))
    exact = scene.to_xarray().isel(y=3, x=5)
    assert float(y[0, 0]) == pytest.approx(float(exact.latitude))
    assert float(x[0, 0]) == pytest.approx(float(exact.longitude))


def test_a_compressed_store_gives_the_same_windows(tmp_path, store: Store) -> None:
    recipe = Recipe(ratio=1, channels=("hh", "hv", "t2m"), codec="zstd")
    packed = make_export_store(tmp_path, recipe)
    for asked in (settings(), settings(random=RandomPatches(train=5))):
        assert list_windows(packed, asked) == list_windows(store, asked)


def test_a_split_without_scenes_cannot_be_sampled(store: Store) -> None:
    asked = settings(where="split == train", random=RandomPatches(validation=2))
    with pytest.raises(StoreError, match=r"split 'validation' .* has no scenes to sample"):
        list_windows(store, asked)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"overlap": 25}, "below the size 25, got 25"),
        ({"per_shard": 0}, "per_shard must be at least 1, got 0"),
        ({"first_id": 998}, r"first_id must be in 1..997, got 998"),
        ({"splits": ()}, "splits must be one or several of train, validation, test"),
        ({"channels": ("hh", "hh")}, "a channel is named twice"),
        (
            {"splits": ("test",), "random": RandomPatches(train=4)},
            "4 random patches of train are asked for, but train is not among",
        ),
    ],
)
def test_settings_that_cannot_work_are_rejected(changed, message) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(**changed)


def test_a_negative_number_of_patches_is_rejected() -> None:
    with pytest.raises(SettingsError, match="patches of test must be at least 0, got -1"):
        RandomPatches(test=-1)
