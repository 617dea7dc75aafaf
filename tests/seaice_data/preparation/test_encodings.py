from datetime import UTC, datetime

import numpy as np
import pytest

from seaice_data.channels import find_channel
from seaice_data.preparation.encodings import encode_time


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
