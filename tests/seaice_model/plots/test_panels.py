"""Panels do not overlap, and the overview has a place among them."""

import pytest

from seaice_data.system.figures import drawing
from seaice_model.plots.framing import frame
from seaice_model.plots.panels import Panels

from .test_framing import GRID, scene


@pytest.mark.parametrize(("n_sar", "n_rows"), [(0, 1), (2, 1), (1, 2), (2, 2), (2, 3)])
def test_panels_do_not_overlap(n_sar: int, n_rows: int) -> None:
    framing = frame(scene(75.0, 10.0, 190), GRID, "swath")
    with drawing():
        panels = Panels(framing, n_sar, n_rows, 50, 3)
    boxes = [*panels.sar, *(box for row in panels.charts for box in row), *panels.legends]
    assert len(boxes) == n_sar + 3 * n_rows + 3
    for k, one in enumerate(boxes):
        assert 0 < one.left < one.right < panels.sheet.width
        assert 0 < one.top < one.bottom < panels.sheet.height
        for other in boxes[:k]:
            beside = one.left >= other.right or other.left >= one.right
            assert beside or one.top >= other.bottom or other.top >= one.bottom
    assert panels.charts[0][0].width > 500
    # With three rows, two channels leave a cell for the overview.
    assert (panels.notes_left == 92) == (n_sar < n_rows * max(-(-n_sar // n_rows), 1))
