"""Weights of classes and statistics of channels, against what pixels and judges say."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from seaice_data.channels import find_channels
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import SettingsError, StoreError
from seaice_data.store.balance import class_weights, normalisation
from seaice_data.store.store import Store


@pytest.fixture(scope="module")
def store(store_path: str) -> Store:
    return Store.open(store_path)


def labels(store: Store, chart: int) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    planes = [store.scene(i).charts[..., chart].ravel() for i in store.splits["train"]]
    pixels = np.concatenate(planes)
    return pixels[pixels != CHART_FILL]


@pytest.mark.parametrize("chart", range(len(CHARTS)))
def test_weights_are_the_balanced_ones_of_scikit_learn(store: Store, chart: int) -> None:
    pixels = labels(store, chart)
    present = np.unique(pixels)
    expected = np.zeros(CHARTS[chart].n_classes)
    expected[present] = compute_class_weight("balanced", classes=present, y=pixels)
    found = class_weights(store, CHARTS[chart].name)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_the_mean_weight_of_a_pixel_is_one(store_path: str, power: float) -> None:
    weights = class_weights(store_path, "SOD", power=power)  # a path will do
    pixels = labels(Store.open(store_path), 1)
    assert weights[pixels].mean() == pytest.approx(1, rel=1e-5)
    n = np.bincount(pixels, minlength=len(weights))
    rarest, commonest = weights[n == n[n > 0].min()][0], weights[n.argmax()]
    assert rarest / commonest == pytest.approx((n.max() / n[n > 0].min()) ** power)


def test_only_the_scenes_named_are_counted(store: Store) -> None:
    first, second = store.splits["train"][:2]
    alone = [class_weights(store, "SIC", scenes=[name]) for name in (first, second)]
    assert not np.array_equal(*alone)


def test_statistics_are_those_of_the_pixels(store: Store) -> None:
    found = normalisation(store, channels=["t2m", "hh"])
    columns = [store.channels.index(name) for name in ("t2m", "hh")]
    planes = [store.scene(i).inputs[..., columns] for i in store.splits["train"]]
    pixels = np.concatenate([plane.reshape(-1, 2) for plane in planes]).astype(np.float64)
    np.testing.assert_allclose(found.mean, np.nanmean(pixels, axis=0), atol=1e-3)
    np.testing.assert_allclose(found.std, np.nanstd(pixels, axis=0), rtol=1e-3)
    t2m, hh = find_channels(["t2m", "hh"])
    physical = pixels * [t2m.std, hh.std] + [t2m.mean, hh.mean]
    np.testing.assert_allclose(found.physical_mean, np.nanmean(physical, axis=0), rtol=1e-4)
    np.testing.assert_allclose(found.physical_std, np.nanstd(physical, axis=0), rtol=1e-3)


def test_a_group_is_its_channels_in_the_store(store: Store) -> None:
    found = normalisation(store, channels="era5, sar")
    expected = normalisation(store, channels=found.channels)
    assert found.channels[-2:] == ("hh", "hv")
    assert {find_channels([name])[0].group for name in found.channels[:-2]} == {"era5"}
    np.testing.assert_array_equal(found.mean, expected.mean)


def test_the_month_of_one_scene_is_only_shifted(store: Store) -> None:
    scene = store.splits["train"][0]
    found = normalisation(store, channels=["month"], scenes=[scene])
    month = np.nanmax(store.scene(scene).inputs[..., store.channels.index("month")])
    assert found.std.tolist() == [1]  # the same everywhere
    np.testing.assert_allclose(found.mean, [month], rtol=1e-3)


def test_what_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no chart 'SDO'") as of_chart:
        class_weights(store, "SDO")
    assert of_chart.value.hint == "did you mean 'SOD'?"
    with pytest.raises(SettingsError, match=r"power must be in 0\.\.1, got 2"):
        class_weights(store, "SOD", power=2)
    with pytest.raises(StoreError, match="has no channel 'hx'"):
        normalisation(store, channels=["hx"])
    with pytest.raises(StoreError, match="no scene '20990101T000000_dmi'"):
        normalisation(store, scenes=["20990101T000000_dmi"])
    with pytest.raises(StoreError, match="no scene is named"):
        class_weights(store, "SOD", scenes=[])
    scene = store.scenes[0]
    with pytest.raises(SettingsError, match="ids of scenes, got the text") as of_text:
        normalisation(store, scenes=scene)
    assert of_text.value.hint == f"write scenes=['{scene}']"
    with pytest.raises(StoreError):
        class_weights(tmp_path / "absent.zarr", "SOD")
