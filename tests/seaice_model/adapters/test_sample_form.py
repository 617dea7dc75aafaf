"""A sample has the names, axes, types and fill that torchgeo and terratorch expect."""

import math

import numpy as np
import pytest
import torch

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.errors import SettingsError
from seaice_data.store.balance import Normalisation
from seaice_model.adapters.sample_form import SampleForm


@pytest.fixture
def planes() -> tuple[FloatArray, ChartArray]:
    inputs = np.arange(12, dtype=np.float16).reshape(2, 3, 2)  # (y, x, channel)
    inputs[0, 1, 1] = np.nan
    charts = np.array([[[10, 5, 6]] * 3, [[0, 0, 255]] * 3], np.uint8)
    return inputs, charts


def test_one_chart_is_the_mask(planes: tuple[FloatArray, ChartArray]) -> None:
    sample = SampleForm(charts="SOD").sample(*planes)
    assert list(sample) == ["image", "mask"]
    assert sample["image"].dtype == torch.float32
    assert sample["image"].is_contiguous()
    assert sample["image"].tolist() == [
        [[0, 2, 4], [6, 8, 10]],
        [[1, 0, 5], [7, 9, 11]],  # NaN became the mean, 0
    ]
    assert sample["mask"].dtype == torch.int64
    assert sample["mask"].tolist() == [[5, 5, 5], [0, 0, 0]]


def test_several_charts_have_masks_of_their_own(
    planes: tuple[FloatArray, ChartArray],
) -> None:
    sample = SampleForm().sample(*planes)
    assert list(sample) == ["image", "mask_SIC", "mask_SOD", "mask_FLOE"]
    assert sample["mask_SIC"].unique().tolist() == [0, 10]
    assert sample["mask_FLOE"].unique().tolist() == [6, 255]
    assert list(SampleForm(charts=()).sample(*planes)) == ["image"]
    assert list(SampleForm(charts=["SIC"]).sample(*planes)) == ["image", "mask_SIC"]


def test_an_image_is_normalised_before_it_is_filled(
    planes: tuple[FloatArray, ChartArray],
) -> None:
    statistics = Normalisation(
        channels=("hh", "hv"),
        mean=np.array([4, 1], np.float32),
        std=np.array([2, 10], np.float32),
    )
    form = SampleForm(normalisation=statistics, fill=-1)
    image = form.sample(*planes)["image"]
    np.testing.assert_allclose(image[0], [[-2, -1, 0], [1, 2, 3]])
    np.testing.assert_allclose(image[1], [[0, -1, 0.4], [0.6, 0.8, 1]], rtol=1e-6)
    form.check_channels(["hh", "hv"])
    with pytest.raises(
        SettingsError, match="is of the channels hh, hv, images have hv, hh"
    ):
        form.check_channels(["hv", "hh"])


def test_nan_may_stay_and_a_transform_comes_last(
    planes: tuple[FloatArray, ChartArray],
) -> None:
    form = SampleForm(fill=math.nan, transforms=lambda s: {**s, "image": s["image"] + 1})
    image = form.sample(*planes)["image"]
    assert torch.isnan(image).nonzero().tolist() == [[1, 0, 1]]
    assert image[0, 0, 1] == 3


def test_the_planes_of_the_store_stay_as_they_are(
    planes: tuple[FloatArray, ChartArray],
) -> None:
    before = [plane.copy() for plane in planes]
    sample = SampleForm().sample(*planes)
    sample["image"].zero_()
    sample["mask_SIC"].zero_()
    for plane, copy in zip(planes, before, strict=True):
        np.testing.assert_array_equal(plane, copy)


@pytest.mark.parametrize("charts", ["SDO", ("SIC", "SDO")])
def test_a_chart_that_does_not_exist_is_refused(charts: str | tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match="no chart 'SDO'") as error:
        SampleForm(charts=charts)
    assert error.value.hint == "did you mean 'SOD'?"
