"""A channel or a chart of a scene as a figure, as it lies around the pole."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.channels import find_channel
from seaice_data.charts import CHART_FILL, CHARTS, Chart
from seaice_data.colours import (
    HATCH_COLOUR,
    HATCH_PX,
    LAND_COLOUR,
    NO_SAR_COLOUR,
    UNKNOWN_COLOUR,
    WMO_COLOURS,
    stretch,
)
from seaice_data.errors import SettingsError, StoreError
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR
from seaice_data.settings import nearest
from seaice_data.store.stored_scene import StoredScene
from seaice_data.store.views.polar import (
    PolarPlane,
    degrees_in_words,
    plane_of,
    round_length,
    round_step,
)
from seaice_data.system.figures import as_png, drawing, new_figure, plot_errors
from seaice_data.texts import time_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Float64 = NDArray[np.float64]

_LONGEST_SIDE = 700  # pixels that a figure shows
_LAND, _UNKNOWN, _HATCH = 254, 253, 252  # beside the classes in a plane to plot
_LATITUDE_STEPS = (0.5, 1, 2, 5, 10)
_LONGITUDE_STEPS = (1, 2, 5, 10, 30)
_MOST_LINES = 5


def plot_scene(
    scene: StoredScene, channel: str | None, chart: str | None, axes: "Axes | None"
) -> "Figure":
    """Plot a channel or a chart of a scene; see `StoredScene.plot`."""
    if (channel is None) == (chart is None):
        raise SettingsError(
            "plot one plane: a channel or a chart",
            hint="scene.plot('hh') or scene.plot(chart='SOD')",
        )
    if axes is not None:
        with plot_errors():
            _plot(scene, channel, chart, axes)
            return axes.figure  # type: ignore[return-value]
    with drawing():
        figure = new_figure(7.2, 6.4)
        figure.__class__ = _shown_figure()
        _plot(scene, channel, chart, figure.add_subplot())
        return figure


def _plot(scene: StoredScene, channel: str | None, chart: str | None, axes: "Axes") -> None:
    scene = scene.closed()  # what is read for a figure is not kept with the scene
    step = -(-max(scene.grid.shape) // _LONGEST_SIDE)
    rows, columns = (np.arange(step // 2, n, step) for n in scene.grid.shape)
    points = scene.tie_points
    polar = plane_of(points.latitude)
    recipe, (height, width) = scene.store.recipe, scene.source_grid.shape
    edges = (
        _edges(recipe.positions(height)[rows]),
        _edges(recipe.positions(width)[columns]),
    )
    x, y = polar.project(*points.places(*edges))
    if channel is not None:
        what = _plot_channel(axes, scene, channel, (x, y), (rows, columns))
    else:
        what = _plot_chart(axes, _chart(str(chart)), scene, (x, y), (rows, columns))
    _frame(axes, x, y)
    _plot_graticule(axes, polar, points.latitude)
    _plot_scale_bar(axes, polar.enlargement(float(np.mean(points.latitude))))
    _plot_north_arrow(axes, polar)
    place = " ".join(filter(None, [scene.service.upper(), scene.region]))
    lines = [what, f"{scene.id}   {time_in_words(scene.acquired)}", place]
    title = "   ".join(filter(None, lines[1:]))
    axes.set_title(f"{what}\n{title}", fontsize=9, loc="left", parse_math=False)
    axes.set_xlabel(f"polar stereographic, {polar.crs}", fontsize=7, color="#555555")


def _chart(name: str) -> Chart:
    for chart in CHARTS:
        if chart.name == name.upper():
            return chart
    names = [chart.name for chart in CHARTS]
    raise SettingsError(
        f"there is no chart {name!r:.40}", hint=nearest(name.upper(), names)
    )


def _plot_channel(
    axes: "Axes",
    scene: StoredScene,
    name: str,
    corners: tuple[Float64, Float64],
    pixels: tuple[IntArray, IntArray],
) -> str:
    """Plot a channel in its unit; return what it is."""
    channels = scene.store.channels
    if name not in channels:
        hint = nearest(str(name), channels)
        if isinstance(name, str) and name.upper() in WMO_COLOURS:
            hint = f"write scene.plot(chart={name.upper()!r})"
        raise StoreError(f"the store has no channel {name!r:.40}", hint=hint)
    channel = find_channel(name)
    standardised = scene.inputs[..., channels.index(name)][np.ix_(*pixels)]
    values = np.asarray(standardised, np.float32) * channel.std + channel.mean
    is_land = np.isnan(values) & (_flags(scene, pixels) & FLAG_LAND != 0)
    _plot_land(axes, is_land, corners)
    low, high = stretch(values)
    is_sar = name in ("hh", "hv")
    mesh = axes.pcolormesh(
        *corners, np.ma.masked_invalid(values), cmap="gray" if is_sar else "viridis",
        vmin=low, vmax=max(high, low + 1e-6), rasterized=True,
    )  # fmt: skip
    unit = "" if channel.unit == "1" else f" [{channel.unit}]"
    bar = axes.figure.colorbar(mesh, ax=axes, shrink=0.75, pad=0.02, extend="both")
    bar.ax.tick_params(labelsize=7)
    bar.set_label(f"{name}{unit}", fontsize=8)
    return str(channel.long_name)


def _plot_chart(
    axes: "Axes",
    chart: Chart,
    scene: StoredScene,
    corners: tuple[Float64, Float64],
    pixels: tuple[IntArray, IntArray],
) -> str:
    """Plot a chart with its legend; return what it is."""
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Patch

    classes = _classes(scene, chart, pixels)
    known = [*WMO_COLOURS[chart.name], UNKNOWN_COLOUR, LAND_COLOUR]
    names = [*chart.class_names, chart.fill_name, "land"]
    colours = [*WMO_COLOURS[chart.name], HATCH_COLOUR, UNKNOWN_COLOUR, LAND_COLOUR]
    shown = [*range(chart.n_classes), _HATCH, _UNKNOWN, _LAND]
    borders = np.arange(len(shown) + 1) - 0.5
    plane = np.searchsorted(shown, np.minimum(classes, _LAND))
    axes.pcolormesh(
        *corners, np.ma.masked_where(classes == CHART_FILL, plane), rasterized=True,
        cmap=ListedColormap(colours), norm=BoundaryNorm(borders, len(shown)),
    )  # fmt: skip
    swatches = [
        Patch(facecolor=colour, edgecolor="#999999", linewidth=0.4, label=name)
        for colour, name in zip(known, names, strict=True)
    ]
    swatches.append(
        Patch(facecolor=NO_SAR_COLOUR, edgecolor="#999999", hatch="////", label="no SAR")
    )
    axes.legend(
        handles=swatches, loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=7,
        frameon=False, handlelength=1.2, labelspacing=0.35, borderaxespad=0,
        title=chart.name, title_fontsize=8, alignment="left",
    )  # fmt: skip
    return f"{chart.long_name}, ice chart" if scene.has_charts else chart.long_name


def _classes(
    scene: StoredScene, chart: Chart, pixels: tuple[IntArray, IntArray]
) -> NDArray[np.int64]:
    """Return classes, `_LAND` and `_UNKNOWN`; fill, with a hatch, without SAR."""
    classes = np.asarray(scene.charts[..., CHARTS.index(chart)])[np.ix_(*pixels)]
    flags = _flags(scene, pixels)
    blank = classes == CHART_FILL
    found: NDArray[np.int64] = classes.astype(np.int64)
    rows, columns = (np.arange(n) for n in found.shape)
    found[blank & ((rows[:, np.newaxis] + columns) % HATCH_PX == 0)] = _HATCH
    found[blank & (flags & FLAG_NO_SAR == 0)] = _UNKNOWN
    found[blank & (flags & FLAG_LAND != 0)] = _LAND
    return found


def _flags(scene: StoredScene, pixels: tuple[IntArray, IntArray]) -> NDArray[np.uint8]:
    """Return the flags of the 80 m pixels in the middle of stored ones."""
    lines, samples = (
        np.clip(np.rint(scene.store.recipe.positions(n)[at]), 0, n - 1).astype(np.int64)
        for n, at in zip(scene.source_grid.shape, pixels, strict=True)
    )
    return np.asarray(scene.full_flags()[np.ix_(lines, samples)])


def _plot_land(
    axes: "Axes", is_land: NDArray[np.bool_], corners: tuple[Float64, Float64]
) -> None:
    from matplotlib.colors import ListedColormap

    land = np.ma.masked_where(~is_land, is_land)
    axes.pcolormesh(*corners, land, cmap=ListedColormap([LAND_COLOUR]), rasterized=True)


def _edges(centres: FloatArray) -> Float64:
    """Return the borders between positions, and those of the first and the last.

    Examples
    --------
    >>> _edges(np.array([1.0, 3.0, 5.0]))
    array([0., 2., 4., 6.])
    """
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    between = (centres[:-1] + centres[1:]) / 2
    first, last = 2 * centres[0] - between[0], 2 * centres[-1] - between[-1]
    return np.concatenate([[first], between, [last]])


def _frame(axes: "Axes", x: Float64, y: Float64) -> None:
    """Show all of a scene in equal scales, with a little room around it."""
    axes.set_aspect("equal")
    for set_limits, values in ((axes.set_xlim, x), (axes.set_ylim, y)):
        room = 0.03 * np.ptp(values)
        set_limits(values.min() - room, values.max() + room)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="#888888", linewidth=0.6)


def _plot_graticule(axes: "Axes", polar: PolarPlane, latitude: FloatArray) -> None:
    """Plot meridians and parallels, labelled where they enter the panel."""
    from matplotlib.patheffects import withStroke

    for text, x, y in _lines(axes, polar, latitude):
        axes.plot(x, y, color="#303030", linewidth=0.4, alpha=0.6, zorder=3)
        left, right = axes.get_xlim()
        bottom, top = axes.get_ylim()
        inside = np.flatnonzero((x > left) & (x < right) & (y > bottom) & (y < top))
        if len(inside):
            at = inside[np.argmin((x - left)[inside] + (y - bottom)[inside])]
            axes.text(
                x[at], y[at], text, fontsize=6, color="#303030", clip_on=True, zorder=4,
                path_effects=[withStroke(linewidth=1.5, foreground="white")],
            )  # fmt: skip


def _lines(
    axes: "Axes", polar: PolarPlane, latitude: FloatArray
) -> Iterator[tuple[str, Float64, Float64]]:
    """Yield label and course of meridians and parallels that may cross the panel."""
    side = int(np.sign(polar.true_latitude))
    lowest, highest = np.abs(latitude).min(), np.abs(latitude).max()
    step = round_step(highest - lowest, _LATITUDE_STEPS, _MOST_LINES)
    around = np.linspace(-180, 180, 1441)
    for degrees in np.arange(0, 90, step):
        if lowest - step <= degrees <= highest + step:
            at = np.full_like(around, side * degrees)
            yield degrees_in_words(side * degrees, "NS"), *polar.project(at, around)
    width = np.ptp(axes.get_xlim()) / 111.2
    across = width / max(np.cos(np.radians((lowest + highest) / 2)), 0.02)
    along = side * np.linspace(max(lowest - 5, 0), min(highest + 5, 89.5), 400)
    for degrees in np.arange(
        -180, 180, round_step(min(across, 360), _LONGITUDE_STEPS, _MOST_LINES)
    ):
        name = degrees_in_words(degrees, "EW")
        yield name, *polar.project(along, np.full_like(along, degrees))


def _plot_scale_bar(axes: "Axes", enlargement: float) -> None:
    """Plot a bar of a round length on the ground, in the lower right corner."""
    from matplotlib.patheffects import withStroke

    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    length_km = round_length((right - left) / 4 / enlargement)
    length = length_km * enlargement
    end, at = right - 0.04 * (right - left), bottom + 0.04 * (top - bottom)
    halo = [withStroke(linewidth=3, foreground="white")]
    axes.plot(
        [end - length, end],
        [at, at],
        color="black",
        linewidth=2,
        zorder=5,
        path_effects=halo,
    )
    axes.text(
        end - length / 2, at + 0.012 * (top - bottom), f"{length_km:g} km", fontsize=7,
        ha="center", va="bottom", zorder=5, path_effects=halo,
    )  # fmt: skip


def _plot_north_arrow(axes: "Axes", polar: PolarPlane) -> None:
    """Plot an arrow to north, for the middle of the panel, in its upper right corner."""
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import ScaledTranslation

    middle = float(np.mean(axes.get_xlim())), float(np.mean(axes.get_ylim()))
    along = 13 * polar.north(*middle)  # points
    halo = [withStroke(linewidth=3, foreground="white")]
    start = np.array([-24.0, -24.0])  # from the corner
    right, up = (start + 1.7 * along).tolist()
    axes.annotate(
        "N", xy=(1, 1), xycoords="axes fraction", xytext=(right, up),
        textcoords="offset points", fontsize=8, ha="center", va="center", zorder=5,
        path_effects=halo, annotation_clip=False,
    )  # fmt: skip
    corners = axes.transAxes
    scale = axes.figure.dpi_scale_trans
    tip, tail = (
        corners + ScaledTranslation(at[0] / 72, at[1] / 72, scale)
        for at in (start + along, start - along)
    )
    axes.annotate(
        "", xy=(1, 1), xycoords=tip, xytext=(1, 1), textcoords=tail, zorder=5,
        annotation_clip=False,
        arrowprops={
            "arrowstyle": "-|>", "color": "black", "linewidth": 1.3, "shrinkA": 0,
            "shrinkB": 0, "mutation_scale": 9, "path_effects": halo,
        },
    )  # fmt: skip


@cache
def _shown_figure() -> Any:
    """Return a class of figures that notebooks show without pyplot."""
    from matplotlib.figure import Figure  # late: few ask for it

    class ShownFigure(Figure):
        def _repr_png_(self) -> bytes:
            return as_png(self, dpi=110)

    ShownFigure.__qualname__ = ShownFigure.__name__
    return ShownFigure


def __getattr__(name: str) -> Any:
    """Return the class of figures, by which they are pickled."""
    if name == "ShownFigure":
        return _shown_figure()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
