from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from seaice_data.channels import find_channel
from seaice_data.geolocation import TiePoints
from seaice_data.preparation.encodings import encode_time, encoding_planes


@pytest.mark.parametrize(("month", "stored"), [(1, -1.0), (6, -1 / 11), (12, 1.0)])
def test_stored_month_is_that_of_the_official_code(month: int, stored: float) -> None:
    channel = find_channel("month")
    value = encode_time(datetime(2019, month, 28, 23, 59, 59, tzinfo=UTC))["month"]
    assert (value - channel.mean) / channel.std == pytest.approx(stored, abs=1e-12)


def test_december_is_next_to_january() -> None:
    december, january, july = (
        np.array([v[k] for k in ("month_sin", "month_cos")])
        for v in (encode_time(datetime(2020, m, 1, tzinfo=UTC)) for m in (12, 1, 7))
    )
    assert np.linalg.norm(december - january) < np.linalg.norm(july - january)


@pytest.mark.parametrize("n_rows", [259, 405, 498, 500, 518])
def test_nearest_tie_points_are_those_of_pytorch(n_rows: int) -> None:
    places = np.add.outer(np.arange(21.0), np.arange(21.0) / 32)
    points = TiePoints(places, places, np.arange(21.0), np.arange(21.0))
    to, acquired = (np.zeros(n_rows), np.zeros(523)), datetime(2020, 1, 1, tzinfo=UTC)
    names = ("latitude", "longitude")
    planes = encoding_planes(names, points, acquired, to, "nearest")
    # What the official code calls.
    shape = (n_rows, 523)
    (found,) = interpolate(torch.from_numpy(places)[None, None], shape, mode="nearest")[0]
    for name in names:
        channel = find_channel(name)
        expected = ((found.numpy() - channel.mean) / channel.std).astype(np.float32)
        np.testing.assert_allclose(planes[name], expected, atol=1e-6)
