"""Meridians and parallels are where they belong."""

import numpy as np
import pytest

from seaice_model.plots.framing import frame
from seaice_model.plots.graticule import crossing, graticule

from .test_framing import GRID, scene


@pytest.mark.parametrize("geometry", ["swath", "polar"])
def test_lines_cross_a_scene_on_the_date_line(geometry: str) -> None:
    framing = frame(scene(72.0, 179.0, 200), GRID, geometry)  # type: ignore[arg-type]
    lines = {line.label: line for line in graticule(framing)}
    assert {"72°N", "180°", "175°W"} <= {*lines}
    assert lines["72°N"].is_parallel
    assert not lines["180°"].is_parallel
    # The middle of the scene is at 72 degrees north.
    away = np.hypot(*(lines["72°N"].points - 0.5).T)
    assert np.nanmin(away) < 0.05


@pytest.mark.parametrize("heading", [-15, 15, 165, 195, -60, 80, 100, 255])
@pytest.mark.parametrize("geometry", ["swath", "polar"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_places_are_located_where_their_pixels_are_shown(
    heading: float, geometry: str, *, mirrored: bool
) -> None:
    points = scene(72.0, -40.0, heading, mirrored=mirrored)
    framing = frame(points, GRID, geometry)  # type: ignore[arg-type]
    assert framing.nodes is not None
    size = round(400 * framing.aspect), 400
    shown = framing.sample(*size)
    for row, column in ((30, 40), (30, 350), (470, 40)):  # near corners
        away = np.hypot(shown.y * 500 - row - 0.5, shown.x * 400 - column - 0.5)
        if shown.outside is not None:
            away[shown.outside] = np.inf
        down, right = np.unravel_index(np.argmin(away), away.shape)
        assert away.min() < 1.5
        latitude, longitude = points.places(np.array([row]), np.array([column]))
        x, y = framing.locate(*framing.nodes.plane.project(latitude[0], longitude[0]))
        assert x * size[1] == pytest.approx(right + 0.5, abs=1.5)
        assert y * size[0] == pytest.approx(down + 0.5, abs=1.5)


def test_a_scene_around_the_pole_has_meridians_on_all_sides() -> None:
    framing = frame(scene(89.5, 0.0, 200), GRID, "polar")
    labels = [line.label for line in graticule(framing)]
    assert {"90°E", "90°W", "0°", "180°", "89°N"} <= {*labels}
    assert len(labels) == len({*labels})


def test_a_scene_without_a_place_has_no_lines() -> None:
    assert graticule(frame(None, GRID, "swath")) == []


def test_parallels_are_labelled_where_they_leave_a_panel() -> None:
    framing = frame(scene(72.0, 10.0, 185), GRID, "swath")
    (line,) = (line for line in graticule(framing) if line.label == "72°N")
    left = crossing(line, 0, 0.0)
    assert left == pytest.approx(0.5, abs=0.15)
    assert crossing(line, 1, 1.0) is None
