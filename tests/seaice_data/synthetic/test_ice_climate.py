"""Charts of many scenes are like those of the dataset; tolerances are stated here.

`python -m support.synthetic_statistics` compares more scenes, and the variables too.
"""

import numpy as np
import pytest
from support.synthetic_statistics import GROUPS, class_shares, published_shares

from seaice_data.arrays import FloatArray
from seaice_data.synthetic.plan import plan_scenes

Shares = dict[str, dict[str, FloatArray]]


@pytest.fixture(scope="module")
def shares() -> Shares:
    return class_shares(plan_scenes(300, 500, seed=0))


@pytest.mark.parametrize("chart", ["SIC", "SOD", "FLOE"])
def test_classes_are_as_frequent_as_published(shares: Shares, chart: str) -> None:
    # Percentage points of the valid pixels, for 300 scenes of 40 km.
    difference = shares["all"][chart] - published_shares()["all"][chart]
    assert np.abs(difference).max() < 4
    assert np.abs(difference[1:]).mean() < 1.5


@pytest.mark.parametrize("service", ["cis", "dmi"])
@pytest.mark.parametrize("chart", ["SIC", "SOD", "FLOE"])
def test_services_differ_as_published(shares: Shares, service: str, chart: str) -> None:
    difference = shares[service][chart] - published_shares()[service][chart]
    assert np.abs(difference).max() < 8


def test_months_have_the_stages_that_they_have_in_the_dataset(shares: Shares) -> None:
    for group in GROUPS[3:]:
        ours, theirs = (table[group]["SOD"] for table in (shares, published_shares()))
        # 25 scenes a month have too little ice for more.
        assert np.abs(ours - theirs).max() < 25
        assert (ours[1:][theirs[1:] == 0] == 0).all()
