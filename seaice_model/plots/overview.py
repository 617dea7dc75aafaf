"""Where a scene is: a small polar map with its outline.

There is no coast on it, because none comes with this package. A few settlements and
stations, whose places are certain, say where it is.
"""

from typing import Any

import numpy as np

from seaice_data.store.views.polar import PolarPlane, degrees_in_words
from seaice_model.plots.framing import Nodes
from seaice_model.plots.sheet import INK, SOFT, Sheet

PLACES = {
    "Nuuk": (64.18, -51.72),
    "Alert": (82.50, -62.35),
    "Resolute": (74.70, -94.83),
    "Iqaluit": (63.75, -68.52),
    "Utqiaġvik": (71.29, -156.79),
    "Reykjavik": (64.15, -21.94),
    "Longyearbyen": (78.22, 15.65),
    "Arkhangelsk": (64.54, 40.54),
    "Dikson": (73.51, 80.55),
    "Tiksi": (71.64, 128.87),
    "Pevek": (69.70, 170.31),
    "McMurdo": (-77.85, 166.67),
    "Rothera": (-67.57, -68.12),
    "Neumayer": (-70.67, -8.27),
    "Casey": (-66.28, 110.53),
}
"""Latitude and longitude of settlements in the Arctic and stations in the Antarctic."""

_FARTHEST = 55.0  # degrees of latitude at the edge, unless the scene is farther away
_SEA, _GRID, _SCENE = "#f2f6fa", "#9fb0c0", "#c8102e"
_SMALL = 24.0  # an outline that is not larger gets a ring around it
_LEAST_RADIUS = 150.0  # the smallest at which places are named


def plot_overview(sheet: Sheet, nodes: Nodes, x: float, y: float, radius: float) -> None:
    """Plot a polar map with the outline of a scene.

    Parameters
    ----------
    sheet
        Where it is plotted.
    nodes
        Places of the scene.
    x, y, radius
        Its middle, and how large it is.
    """
    from matplotlib.collections import LineCollection  # late: see `system.figures`
    from matplotlib.patches import Circle, Polygon

    plane = nodes.plane
    side = float(np.sign(plane.true_latitude))
    lowest = float(np.abs(nodes.latitude).min())
    edge = min(_FARTHEST, 5 * np.floor((lowest - 2) / 5))
    reach = float(np.hypot(*plane.project(np.array(side * edge), np.array(0.0))))
    scale = radius / reach
    disc = Circle(
        (x, y), radius, facecolor=_SEA, edgecolor="#667788", linewidth=1, zorder=1
    )
    sheet.axes.add_artist(disc)
    grid = LineCollection(
        [*_grid(plane, edge, x, y, scale)], colors=_GRID, linewidths=0.6, zorder=2
    )
    sheet.axes.add_collection(grid, autolim=False)
    _label_grid(sheet, plane, edge, x, y, scale)
    if radius >= _LEAST_RADIUS:
        _plot_places(sheet, plane, edge, x, y, scale)
    outline = np.stack(nodes.outline, axis=1) * [scale, -scale] + [x, y]
    sheet.axes.add_artist(
        Polygon(outline, facecolor=_SCENE + "55", edgecolor=_SCENE, linewidth=1.6, zorder=5)
    )
    if np.ptp(outline, axis=0).max() < _SMALL:
        middle = outline.mean(axis=0)
        ring = Circle(middle, _SMALL, facecolor="none", edgecolor=_SCENE, linewidth=1.2)
        ring.set_zorder(5)
        sheet.axes.add_artist(ring)


def _grid(plane: PolarPlane, edge: float, x: float, y: float, scale: float) -> Any:
    """Yield parallels and meridians on the sheet."""
    side = np.sign(plane.true_latitude)
    around = np.linspace(-180, 180, 145)
    for latitude in np.arange(10 * np.ceil(edge / 10), 90, 10):
        yield _on_sheet(plane, side * latitude + 0 * around, around, x, y, scale)
    for longitude in np.arange(-180, 180, 30):
        ends = np.array([edge, 90.0 if longitude % 90 == 0 else 85.0])
        yield _on_sheet(plane, side * ends, np.full(2, longitude), x, y, scale)


def _label_grid(
    sheet: Sheet, plane: PolarPlane, edge: float, x: float, y: float, scale: float
) -> None:
    side = np.sign(plane.true_latitude)
    for longitude in range(-180, 180, 30):
        at = _on_sheet(
            plane, np.array([side * edge]), np.array([float(longitude)]), x, y, scale
        )[0]
        out = (at - [x, y]) / np.hypot(*(at - [x, y]))
        right, down = at + 17 * out * [1.35, 1]
        sheet.write(
            right, down, degrees_in_words(longitude, "EW"), 8.5,
            ha="center", va="center", color=SOFT,
        )  # fmt: skip
    for latitude in np.arange(10 * np.ceil(edge / 10), 90, 10):
        at = _on_sheet(plane, np.array([side * latitude]), np.array([105.0]), x, y, scale)[
            0
        ]
        name = degrees_in_words(side * latitude, "NS")
        sheet.write(
            at[0], at[1], name, 8, ha="center", va="center", color=SOFT, halo=True, zorder=3
        )


def _plot_places(
    sheet: Sheet, plane: PolarPlane, edge: float, x: float, y: float, scale: float
) -> None:
    side = np.sign(plane.true_latitude)
    for name, (latitude, longitude) in PLACES.items():
        if side * latitude < edge + 1:
            continue
        at = _on_sheet(plane, np.array([latitude]), np.array([longitude]), x, y, scale)[0]
        sheet.axes.plot(*at, marker="o", markersize=2.5, color=INK, zorder=3)
        sheet.write(at[0] + 5, at[1], name, 8.5, va="center", color=INK, zorder=3)


def _on_sheet(
    plane: PolarPlane, latitude: Any, longitude: Any, x: float, y: float, scale: float
) -> Any:
    """Return places in degrees as points on the sheet, shape ``(place, 2)``."""
    east, north = plane.project(latitude, longitude)
    return np.stack([x + scale * east, y - scale * north], axis=-1)
