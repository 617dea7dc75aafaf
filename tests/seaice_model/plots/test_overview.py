"""The overview says where a scene is."""

import numpy as np
import pytest
from matplotlib.patches import Circle, Polygon
from pyproj import Transformer

from seaice_data.system.figures import drawing
from seaice_model.plots.framing import Nodes
from seaice_model.plots.overview import PLACES, plot_overview
from seaice_model.plots.sheet import Sheet

from .test_framing import GRID, scene


@pytest.mark.parametrize(("latitude", "crs"), [(72.0, 3413), (-70.0, 3976)])
def test_the_outline_is_where_the_projection_puts_it(latitude: float, crs: int) -> None:
    nodes = Nodes(scene(latitude, 30.0, 190), GRID)
    with drawing():
        sheet = Sheet(500, 500, 100)
        plot_overview(sheet, nodes, 250, 250, 200)
    (outline,) = (p for p in sheet.axes.patches if isinstance(p, Polygon))
    middle = outline.get_xy().mean(axis=0) - 250
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(30.0, latitude)
    edge = np.hypot(*Transformer.from_crs(4326, crs, always_xy=True).transform(
        0.0, np.copysign(55.0, latitude)
    ))  # fmt: skip
    assert middle == pytest.approx(np.array([x, -y]) / edge * 200, abs=3)
    disc = next(p for p in sheet.axes.patches if isinstance(p, Circle))
    assert disc.radius == 200
    words = {text.get_text() for text in sheet.axes.texts}
    for name, (north, _) in PLACES.items():
        assert (name in words) == (np.sign(north) == np.sign(latitude))
