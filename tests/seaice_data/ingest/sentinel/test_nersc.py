"""Coefficients of NERSC for versions of the processor."""

import json
from datetime import UTC, datetime
from importlib import resources

import pytest
from support.shared_data import SHARED, needs_shared

from seaice_data.ingest.sentinel.nersc import nersc_noise

LATE = datetime(2018, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("satellite", "ipf", "version", "is_exact"),
    [
        ("S1A", "002.91", "2.9", True),
        ("S1A", "002.84", "2.8", True),
        ("S1A", "002.36", "2.4", True),
        ("S1A", "002.31", "2.4", False),
        ("S1A", "003.52", "3.3", False),
        ("S1B", "002.60", "2.7", False),
        ("S1B", "003.31", "3.3", True),
    ],
)
def test_nearest_version_of_the_same_satellite(
    satellite: str, ipf: str, version: str, is_exact: bool
) -> None:
    found = nersc_noise(satellite, ipf, LATE)
    assert found is not None
    assert (found.version, found.is_exact) == (version, is_exact)
    assert set(found.scale) == set(found.offset) == {f"EW{k}" for k in range(1, 6)}


def test_noise_of_sentinel_1b_changed_within_a_version() -> None:
    before = nersc_noise("S1B", "002.72", datetime(2017, 1, 16, 13, 42, 33, tzinfo=UTC))
    after = nersc_noise("S1B", "002.72", datetime(2017, 1, 16, 13, 42, 34, tzinfo=UTC))
    assert before is not None
    assert after is not None
    assert (before.version, after.version) == ("2.7", "2.8")


@needs_shared
def test_numbers_are_shipped_unchanged_with_their_source() -> None:
    shipped = resources.files("seaice_data.ingest.sentinel").joinpath("nersc-noise-hv.json")
    ours = json.loads(shipped.read_bytes())
    assert ours == json.loads(SHARED.joinpath("nersc-noise-hv.json").read_bytes())
    assert "nansencenter/sentinel1denoised" in ours["source"]
