"""Distances to the coast of synthetic scenes."""

import numpy as np
import pytest

from seaice_data.synthetic.coastline import LAND_SPACING, land_distances
from seaice_data.synthetic.nodes import SPACING
from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.surface import make_surface


@pytest.mark.parametrize("number", [0, 1, 2, 6])
def test_distances_are_distances(number: int) -> None:
    surface = make_surface(plan_scenes(8, 200, seed=1)[number])
    km = land_distances(surface)
    factor = SPACING // LAND_SPACING
    assert km.shape == tuple((n - 1) * factor + 1 for n in surface.land_km.shape)
    # From node to node, 160 m on a sphere whose kilometres are short by half a percent,
    # no distance changes by more; at sea and across the coast.
    is_sea = km > 0
    for steps, sea in (
        (np.diff(km, axis=0), is_sea[1:] & is_sea[:-1]),
        (np.diff(km, axis=1), is_sea[:, 1:] & is_sea[:, :-1]),
    ):
        assert np.abs(steps[sea]).max() < 0.16 * 1.005 + 0.02
    # Land is where the surface has it.
    np.testing.assert_array_equal(km[::factor, ::factor] <= 0, surface.land_km <= 0)


def test_a_coast_outside_the_swath_is_a_straight_line() -> None:
    surface = make_surface(plan_scenes(8, 200, seed=1)[6])
    assert surface.swath.coast is None
    km = land_distances(surface)
    bend = np.abs(np.diff(km, n=2, axis=0)).max()
    assert bend < 1e-3
    assert km.mean() / surface.land_km.mean() == pytest.approx(1.003, abs=0.003)
