"""Panels show scenes north up, or where EPSG:3413 puts them."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import Geod, Transformer

from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_model.plots.framing import Nodes, frame

GRID = Grid(500, 400, 800.0)  # 400 km x 320 km
WGS84 = Geod(ellps="WGS84")


def scene(
    latitude: float, longitude: float, heading: float, *, mirrored: bool = False
) -> TiePoints:
    """Return a scene around a place; its rows follow each other at a heading in degrees.

    Columns are at the right of the heading, as the radar looks.
    """
    lines, samples = np.linspace(0, GRID.height - 1, 21), np.linspace(0, GRID.width - 1, 21)
    ahead = 0.8 * (lines[:, np.newaxis] - lines.mean()) + 0 * samples
    aside = 0.8 * (samples - samples.mean()) + 0 * lines[:, np.newaxis]
    azimuth = heading + np.degrees(np.arctan2(-aside if mirrored else aside, ahead))
    start = np.full(ahead.size, longitude), np.full(ahead.size, latitude)
    east, north, _ = WGS84.fwd(
        *start, azimuth.ravel(), 1000 * np.hypot(ahead, aside).ravel()
    )
    return TiePoints(
        np.reshape(north, ahead.shape), np.reshape(east, ahead.shape), lines, samples
    )


def shown(points: TiePoints, size: tuple[int, int]) -> tuple[NDArray[np.float64], ...]:
    """Return latitude and longitude of the pixels of a swath panel."""
    positions = frame(points, GRID, "swath").sample(*size)
    planes = points.places(np.arange(GRID.height), np.arange(GRID.width))
    latitude, longitude = (np.asarray(positions.of(plane)) for plane in planes)
    return latitude, longitude


@pytest.mark.parametrize("heading", [-15, 15, 165, 195, -60, 80, 100, 255])
@pytest.mark.parametrize("longitude", [-40.0, 179.9])
def test_north_is_up_and_east_is_right(heading: float, longitude: float) -> None:
    latitude, east = shown(scene(72.0, longitude, heading), (50, 60))
    east = (east - longitude + 180) % 360 - 180
    assert latitude[0].mean() > latitude[-1].mean()
    assert east[:, -1].mean() > east[:, 0].mean()


def test_a_scene_that_is_north_up_is_shown_as_it_is() -> None:
    points = scene(72.0, -40.0, 180, mirrored=True)
    positions = frame(points, GRID, "swath").sample(500, 400)
    plane = np.arange(500 * 400).reshape(500, 400)
    assert (positions.of(plane) == plane).all()
    nowhere = frame(None, GRID, "swath")
    assert (nowhere.sample(500, 400).of(plane) == plane).all()
    assert nowhere.nodes is None


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(72.0, -40.0), (75.0, 179.5), (88.8, 100.0), (60.0, 20.0)]
)
def test_polar_panels_put_pixels_where_epsg_3413_does(
    latitude: float, longitude: float
) -> None:
    points = scene(latitude, longitude, 200)
    framing = frame(points, GRID, "polar")
    size = round(600 * framing.aspect), 600
    positions = framing.sample(*size)
    assert positions.outside is not None
    to_plane = Transformer.from_crs(4326, 3413, always_xy=True)
    corners = to_plane.transform(points.longitude, points.latitude)
    left, bottom = (values.min() - 0.02 * np.ptp(values) for values in corners)
    width, height = (1.04 * np.ptp(values) for values in corners)
    for row, column in ((10, 20), (250, 200), (480, 390)):
        north, east = points.places(np.array([row]), np.array([column]))
        x, y = to_plane.transform(east.item(), north.item())
        right, up = (x - left) / width, (y - bottom) / height
        at = np.abs(positions.y * 500 - row - 0.5) + np.abs(
            positions.x * 400 - column - 0.5
        )
        at[positions.outside] = np.inf
        found = np.unravel_index(np.argmin(at), at.shape)
        assert at.min() < 1.5  # the pixel is on the panel
        assert (found[1] + 0.5) / size[1] == pytest.approx(right, abs=0.004)
        assert (found[0] + 0.5) / size[0] == pytest.approx(1 - up, abs=0.004)


@pytest.mark.parametrize("latitude", [60.0, 75.0, 84.0])
@pytest.mark.parametrize("geometry", ["swath", "polar"])
def test_the_scale_is_that_of_geodesics(latitude: float, geometry: str) -> None:
    points = scene(latitude, 10.0, 190)
    framing = frame(points, GRID, geometry)  # type: ignore[arg-type]
    height, width = round(400 * framing.aspect), 400
    positions = framing.sample(height, width)
    row = height // 2
    ends = []
    for column in (150, 250):  # a quarter of the panel, around its middle
        y, x = (
            np.broadcast_to(p, (height, width))[row, column]
            for p in (positions.y, positions.x)
        )
        places = points.places(np.array([y * 500 - 0.5]), np.array([x * 400 - 0.5]))
        ends.append([place.item() for place in places])
    _, _, metres = WGS84.inv(ends[0][1], ends[0][0], ends[1][1], ends[1][0])
    assert metres / 1000 == pytest.approx(framing.width_km / 4, rel=0.01)


def test_places_outside_the_scene_are_found_or_not_known() -> None:
    nodes = Nodes(scene(72.0, -40.0, 200), GRID)
    x, y = nodes.find(*(plane[[0, 32, 64], 32] for plane in nodes.km))
    assert x == pytest.approx([0.5, 0.5, 0.5], abs=1e-3)
    assert y == pytest.approx([0.0, 0.5, 1.0], abs=1e-3)
    far, _ = nodes.find(np.array([9e3]), np.array([9e3]))
    assert np.isnan(far).all()


def test_a_polar_panel_needs_a_place() -> None:
    with pytest.raises(ValueError, match="do not say where it is"):
        frame(None, GRID, "polar")


def test_planes_are_interpolated_between_the_middles_of_their_pixels() -> None:
    plane = np.arange(3, dtype=np.float32)[:, np.newaxis] * 10 + np.zeros(
        (1, 2), np.float32
    )
    shown = frame(None, GRID, "swath").sample(6, 2).between(plane)
    np.testing.assert_allclose(shown[:, 0], [0, 2.5, 7.5, 12.5, 17.5, 20])
    # The scene is half a pixel higher than the plane, which ends before the last row.
    shown = frame(None, GRID, "swath").sample(7, 2).between(plane, (3.5, 2.0))
    np.testing.assert_allclose(shown[:, 0], [0, 2.5, 7.5, 12.5, 17.5, 20, 20], atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1)])
def test_a_plane_of_one_row_or_column_is_interpolated(shape: tuple[int, int]) -> None:
    plane = (
        np.arange(3, dtype=np.float32).reshape(shape) if max(shape) > 1 else np.ones((1, 1))
    )
    shown = frame(None, GRID, "swath").sample(6, 6).between(plane)
    assert (shown.min(), shown.max()) == (plane.min(), plane.max())
    hole = np.full(shape, np.nan, np.float32)
    assert np.isnan(frame(None, GRID, "swath").sample(6, 6).between(hole)).all()
