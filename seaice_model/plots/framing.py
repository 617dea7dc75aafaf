"""How a panel shows a scene: in rows and columns turned north up, or on a polar grid.

``frame`` returns a `Framing`, which samples planes of any grid of the scene for the pixels
of a panel, and says where places on the earth are in it. Panels have coordinates from 0 to
1, from their upper left corner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray, Mask, Values
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.store.views.polar import PolarPlane, plane_of

Float64 = NDArray[np.float64]

Geometry = Literal["swath", "polar"]
"""Of a figure: rows and columns of the scene, or polar stereographic."""

_N_NODES = 65  # along each axis of a scene; between them, places are interpolated
_N_COARSE = 81  # along each axis of a polar panel
_N_STEPS = 8  # of Newton's method, which needs three inside a scene
_ROOM = 0.02  # around a scene on the polar grid
_OUTERMOST = 1.5  # how far outside a scene places are looked for, in its sides


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the pixels of a panel are in a scene, both axes from 0 to 1."""

    y: Float64
    """Along the rows of the scene; broadcasts with `x` to the shape of the panel."""

    x: Float64
    """Along the columns of the scene."""

    outside: Mask | None
    """Pixels of the panel that are not in the scene; None if all are."""

    def pixels(
        self, shape: tuple[int, int], sides: tuple[float, float] | None = None
    ) -> tuple[IntArray, IntArray]:
        """Return row and column of the pixels that a plane of this shape shows.

        `sides` are height and width of the scene in pixels of the plane, if they are not
        its shape: a store drops the rows and columns after the last whole block.
        """
        y, x = (
            np.clip((at * side).astype(np.int64), 0, n - 1)
            for at, side, n in zip((self.y, self.x), sides or shape, shape, strict=True)
        )
        return y, x

    def of(self, plane: Values) -> Values:
        """Return the nearest pixels of a plane, whatever its grid; shape of the panel."""
        sampled: Values = _picked(plane, *self.pixels(plane.shape))
        return sampled

    def between(
        self, plane: FloatArray, sides: tuple[float, float] | None = None
    ) -> FloatArray:
        """Interpolate a plane bilinearly; next to NaN, return the nearest pixels.

        For `sides` see `pixels`.
        """
        (y, v), (x, u) = (
            _split(at * side - 0.5, n)
            for at, side, n in zip(
                (self.y, self.x), sides or plane.shape, plane.shape, strict=True
            )
        )
        mixed: FloatArray = _bilinear(plane, (y, x), (v, u))
        is_lost = np.isnan(mixed)
        mixed[is_lost] = _picked(plane, *self.pixels(plane.shape, sides))[is_lost]
        return mixed


class Nodes:
    """A coarse grid over a scene, on the polar plane of its hemisphere.

    Parameters
    ----------
    tie_points
        Geolocation of the scene.
    grid
        Grid that the positions of its tie points count.
    """

    def __init__(self, tie_points: TiePoints, grid: Grid) -> None:
        self.plane: PolarPlane = plane_of(tie_points.latitude)
        self.grid = grid
        rows, columns = (np.linspace(-0.5, n - 0.5, _N_NODES) for n in grid.shape)
        self.latitude, longitude = tie_points.places(rows, columns)
        self.km = self.plane.project(self.latitude, longitude)  # easting and northing
        self._jacobian = np.array(
            [[np.mean(np.diff(p, axis=1)), np.mean(np.diff(p, axis=0))] for p in self.km]
        ) * (_N_NODES - 1)
        if not abs(np.linalg.det(self._jacobian)) > 1e-9:  # NaN, too
            raise ValueError("its tie points do not span a surface")

    @property
    def outline(self) -> tuple[Float64, Float64]:
        """Easting and northing of the border of the scene, closed."""
        x, y = (
            np.concatenate([p[0], p[1:, -1], p[-1, -2::-1], p[-2::-1, 0]]) for p in self.km
        )
        return x, y

    def north(self) -> tuple[Float64, Float64]:
        """Return unit vectors to north and to east at the middle, as (x, y) of the scene.

        The y axis of a scene points along its rows, downwards if they are shown as they
        are.
        """
        middle = _N_NODES // 2
        at = slice(middle - 1, middle + 2)
        x, y = (p[at, at] for p in self.km)
        local = np.array(
            [[np.diff(p, axis=1).mean(), np.diff(p, axis=0).mean()] for p in (x, y)]
        )
        north = self.plane.north(float(x[1, 1]), float(y[1, 1]))
        sides = np.array([self.grid.width, self.grid.height])
        to_north = np.linalg.solve(local, north) * sides
        to_east = np.linalg.solve(local, np.array([north[1], -north[0]])) * sides
        return _unit(to_north), _unit(to_east)

    def find(self, x: Float64, y: Float64) -> tuple[Float64, Float64]:
        """Return where places are in the scene, as fractions along its columns and rows.

        Outside the scene, its outermost nodes are continued; places that are too far away
        are NaN.
        """
        inverse = np.linalg.inv(self._jacobian)
        origin = np.array([np.mean(p) for p in self.km])
        at = 0.5 + np.einsum(
            "ij,j...->i...", inverse, np.stack([x - origin[0], y - origin[1]])
        )
        for _ in range(_N_STEPS):
            missing = np.stack([x, y]) - self._interpolated(at)
            at = at + np.einsum("ij,j...->i...", inverse, missing)
            at = np.clip(at, -_OUTERMOST, 1 + _OUTERMOST)
        lost = np.hypot(*missing) > 1.0  # km
        at[:, lost] = np.nan
        return at[0], at[1]

    def _interpolated(self, at: Float64) -> Float64:
        """Return the kilometres at fractions ``(x, y)`` of the scene."""
        scaled = at * (_N_NODES - 1)
        first = np.clip(scaled.astype(np.int64), 0, _N_NODES - 2)
        (u, v), (column, row) = scaled - first, first
        return np.asarray(_bilinear(np.stack(self.km), (row, column), (v, u)))


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How panels of a figure show a scene."""

    geometry: Geometry
    """Of the figure."""

    aspect: float
    """Height of a panel as a share of its width."""

    width_km: float
    """What the width of a panel measures on the ground, in its middle."""

    north: tuple[float, float]
    """Unit vector to north in the middle of the panel: to the right, and down."""

    nodes: Nodes | None
    """Places of the scene; None if its tie points do not say where it is."""

    sample: Callable[[int, int], Positions]
    """Return the positions of the pixels of a panel, from its height and width."""

    locate: Callable[[Float64, Float64], tuple[Float64, Float64]]
    """Return where kilometres on the polar plane are in a panel: to the right, and down."""


def frame(tie_points: TiePoints | None, grid: Grid, geometry: Geometry) -> Framing:
    """Return how panels show a scene.

    Parameters
    ----------
    tie_points
        Its geolocation; without it, or if it does not span a surface, rows and columns are
        shown as they are.
    grid
        Grid that the positions of the tie points count.
    geometry
        ``swath``: rows and columns, turned and mirrored so that north is up as far as
        possible and east is to the right; ``polar``: on NSIDC's polar stereographic plane,
        EPSG:3413 in the north.

    Raises
    ------
    ValueError
        If the geometry is polar and there is no geolocation.
    """
    try:
        nodes = None if tie_points is None else Nodes(tie_points, grid)
    except ValueError:
        nodes = None
    if geometry == "swath":
        return _swath(nodes, grid)
    if nodes is None:
        raise ValueError("its tie points do not say where it is")
    return _polar(nodes)


def _swath(nodes: Nodes | None, grid: Grid) -> Framing:
    """Show rows and columns, north up."""
    is_turned, flip_y, flip_x = _turn(nodes)
    height, width = grid.shape[::-1] if is_turned else grid.shape

    def shown(x: Any, y: Any) -> tuple[Any, Any]:
        x, y = (y, x) if is_turned else (x, y)
        return (1 - x if flip_x else x), (1 - y if flip_y else y)

    def sample(n_rows: int, n_columns: int) -> Positions:
        y = (np.arange(n_rows)[:, np.newaxis] + 0.5) / n_rows
        x = (np.arange(n_columns)[np.newaxis] + 0.5) / n_columns
        y, x = (1 - y if flip_y else y), (1 - x if flip_x else x)
        return Positions(x, y, None) if is_turned else Positions(y, x, None)

    def locate(x: Float64, y: Float64) -> tuple[Float64, Float64]:
        right, down = shown(*_placed(nodes).find(x, y))
        return right, down

    right, down = (0.0, -1.0) if nodes is None else shown(*nodes.north()[0])
    # `shown` moves places; of a direction only its sign changes.
    north = (right - flip_x, down - flip_y)
    return Framing(
        geometry="swath",
        aspect=height / width,
        width_km=width * grid.pixel_spacing_m / 1000,
        north=(float(north[0]), float(north[1])),
        nodes=nodes,
        sample=sample,
        locate=locate,
    )


def _turn(nodes: Nodes | None) -> tuple[bool, bool, bool]:
    """Return whether axes are exchanged, and which are then reversed."""
    if nodes is None:
        return False, False, False
    north, east = nodes.north()

    def suits(turn: tuple[bool, ...]) -> float:
        is_turned, flip_y, flip_x = turn
        up, right = (north[0], east[1]) if is_turned else (north[1], east[0])
        return float((up if flip_y else -up) + (-right if flip_x else right))

    # Rounded, so that of equally good ones the first is taken: the scene as it is.
    turns = [*product((False, True), repeat=3)]
    is_turned, flip_y, flip_x = max(turns, key=lambda turn: round(suits(turn), 6))
    return is_turned, flip_y, flip_x


def _polar(nodes: Nodes) -> Framing:
    """Show the polar plane around a scene."""
    x, y = nodes.km
    middle = np.array([(x.min() + x.max()) / 2, (y.min() + y.max()) / 2])
    width, height = (float(np.ptp(p)) * (1 + 2 * _ROOM) for p in (x, y))
    left, top = middle[0] - width / 2, middle[1] + height / 2
    to_north = nodes.plane.north(*middle)

    def locate(x: Float64, y: Float64) -> tuple[Float64, Float64]:
        return (x - left) / width, (top - y) / height

    def sample(n_rows: int, n_columns: int) -> Positions:
        # Found for few pixels, because they change smoothly, and interpolated.
        down, right = (np.linspace(0, 1, _N_COARSE) for _ in range(2))
        found = nodes.find(
            *np.broadcast_arrays(left + right * width, (top - down * height)[:, np.newaxis])
        )
        rows, columns = (
            (np.arange(n) + 0.5) / n * (_N_COARSE - 1) for n in (n_rows, n_columns)
        )
        at_x, at_y = (_enlarged(plane, rows, columns) for plane in found)
        inside = (at_x >= 0) & (at_x < 1) & (at_y >= 0) & (at_y < 1)  # not NaN
        at_x, at_y = (np.where(inside, at, 0.0) for at in (at_x, at_y))
        return Positions(at_y, at_x, ~inside)

    return Framing(
        geometry="polar",
        aspect=height / width,
        width_km=width / _enlargement(nodes, middle),
        north=(float(to_north[0]), float(-to_north[1])),
        nodes=nodes,
        sample=sample,
        locate=locate,
    )


def _enlargement(nodes: Nodes, at: Float64) -> float:
    """Return how many kilometres on the polar plane one on the ground is."""
    latitude = nodes.latitude.ravel()[
        np.argmin(np.hypot(nodes.km[0] - at[0], nodes.km[1] - at[1]).ravel())
    ]
    return nodes.plane.enlargement(float(latitude))


def _enlarged(plane: Float64, rows: Float64, columns: Float64) -> Float64:
    """Interpolate a plane bilinearly."""
    y, x = (
        np.clip(at.astype(np.int64), 0, n - 2)
        for at, n in zip((rows, columns), plane.shape, strict=True)
    )
    y, v = y[:, np.newaxis], (rows - y)[:, np.newaxis]
    return np.asarray(_bilinear(plane, (y, x), (v, columns - x)))


def _bilinear(planes: Any, at: tuple[IntArray, IntArray], shares: tuple[Any, Any]) -> Any:
    """Mix each pixel with the ones below and at the right of it; axes are y and x."""
    (y, x), (v, u) = at, shares
    below, right = (
        np.minimum(p + 1, n - 1) for p, n in zip((y, x), planes.shape[-2:], strict=True)
    )
    upper = _picked(planes, y, x) * (1 - u) + _picked(planes, y, right) * u
    lower = _picked(planes, below, x) * (1 - u) + _picked(planes, below, right) * u
    return upper * (1 - v) + lower * v


def _picked(planes: Any, y: IntArray, x: IntArray) -> Any:
    """Return ``planes[..., y, x]``: whole rows first if all pixels of a row are of one."""
    if y.ndim == x.ndim == 2 and y.shape[1] == x.shape[0] == 1:
        return planes[..., y[:, 0], :][..., x[0]]
    return planes[..., y, x]


def _split(at: Float64, n: int) -> tuple[IntArray, FloatArray]:
    """Return the pixel before each position, and the share of the next."""
    at = np.clip(at, 0, n - 1)
    first = np.minimum(at.astype(np.int64), max(n - 2, 0))
    return first, (at - first).astype(np.float32)


def _placed(nodes: Nodes | None) -> Nodes:
    if nodes is None:
        raise ValueError("its tie points do not say where it is")
    return nodes


def _unit(vector: Float64) -> Float64:
    return vector / (np.hypot(*vector) or 1.0)
