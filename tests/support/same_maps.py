"""Compare what two maps contain."""

from dataclasses import fields

import numpy as np

from seaice_model.maps.chart_map import ChartMap


def assert_same(found: ChartMap, expected: ChartMap) -> None:
    """Fail unless two maps have equal planes, places, texts and decisions."""
    for name in ("charts", "flags"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in ("scene", "acquired", "grid", "grid_name", "provenance"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("latitude", "longitude", "lines", "samples"):
        ours, theirs = (getattr(m.tie_points, name) for m in (found, expected))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert (found.decision is None) == (expected.decision is None)
    if found.decision is not None:
        for field in fields(found.decision):
            np.testing.assert_equal(
                getattr(found.decision, field.name), getattr(expected.decision, field.name)
            )
