"""The radiometer blurs over kilometres, whatever the size of the scene."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest

from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.radiometer import brightness
from seaice_data.synthetic.surface import Cover
from seaice_data.synthetic.weather import Weather

PLAN = ScenePlan(
    seed=0,
    region="NorthEast",
    acquired=datetime(2019, 3, 7, 17, 59, 30, tzinfo=UTC),
    height=1001,
    width=1041,
)


# Footprints of 18, 9 and 4 km; samples 10, 10 and 5 km apart.
@pytest.mark.parametrize(
    ("name", "width_km"), [("18_7", 23.4), ("36_5", 17.5), ("89_0", 8.5)]
)
@pytest.mark.parametrize("width", [1041, 5229])
def test_an_edge_is_blurred_over_footprint_and_samples(
    name: str, width_km: float, width: int
) -> None:
    plan = dataclasses.replace(PLAN, width=width)
    shape = (40, width // 25)
    ice = np.zeros(shape)
    ice[:, shape[1] // 2 :] = 1
    none = np.zeros(shape)
    calm = {field.name: none for field in dataclasses.fields(Weather)}
    weather = Weather(**(calm | {"t2m": none + 255.0, "skt": none + 255.0}))
    seen = brightness(plan, Cover(ice, none, none, none), weather)[f"btemp_{name}h"]
    profile = seen.mean(axis=0)
    low, high = profile[:3].mean(), profile[-3:].mean()
    # A Gaussian is half as high at half its width: 12 and 88 % of the step.
    inside = (profile > low + 0.12 * (high - low)) & (profile < low + 0.88 * (high - low))
    assert 2 * inside.sum() == pytest.approx(width_km, abs=2.1)


@pytest.mark.parametrize(
    ("name", "noise_k", "alike"),
    [("6_9", 0.35, 0.95), ("36_5", 0.7, 0.95), ("89_0", 1, 0.85)],
)
def test_noise_is_as_smooth_as_between_samples(
    name: str, noise_k: float, alike: float
) -> None:
    none = np.zeros((200, 209))
    calm = {field.name: none for field in dataclasses.fields(Weather)}
    weather = Weather(**(calm | {"t2m": none + 255.0, "skt": none + 255.0}))
    seen = brightness(PLAN, Cover(none, none, none, none), weather)[f"btemp_{name}h"]
    assert seen.std() == pytest.approx(noise_k, rel=0.1)
    neighbours = np.corrcoef(seen[1:].ravel(), seen[:-1].ravel())[0, 1]
    assert neighbours == pytest.approx(alike, abs=0.03)
