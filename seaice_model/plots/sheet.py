"""A sheet of paper on which panels, words and keys are placed to the hundredth of an inch.

Everything is in one axes of matplotlib, whose coordinates start at the upper left corner:
an axes for each panel, laid out by matplotlib, would take longer than all the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.store.views.polar import round_length
from seaice_model.plots.framing import Framing
from seaice_model.plots.graticule import Line, crossing
from seaice_model.plots.painting import Pixels, hatched
from seaice_model.style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT, FRAME = "#1a1a1a", "#555555", "#444444"
_LINES = "#1d2b3a"
_LABEL_APART = 0.07
"""How far labels along an edge are apart at least, as a share of it."""
_SWATCH = (26.0, 15.0)
_LEADING = 21.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a sheet."""

    left: float
    """Hundredths of an inch, as all of them."""

    top: float
    """From the upper edge of the sheet."""

    width: float
    """To the right."""

    height: float
    """Down."""

    @property
    def right(self) -> float:
        """Right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend."""

    colour: str
    """Colour of the swatch; empty for the hatch of missing SAR."""

    name: str
    """What it means."""


class Sheet:
    """A figure of one axes.

    Parameters
    ----------
    width, height
        In hundredths of an inch.
    dpi
        Pixels an inch: with 100, one hundredth is a pixel.
    """

    def __init__(self, width: float, height: float, dpi: float) -> None:
        # Whole pixels at 100 dpi.
        width, height = float(np.ceil(width)), float(np.ceil(height))
        self.figure: Figure = new_figure(
            width / 100, height / 100, is_laid_out=True, dpi=dpi
        )
        self.width, self.height, self.scale = width, height, dpi / 100
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(height, 0)

    def size_of(self, box: Box) -> tuple[int, int]:
        """Return height and width of a box in pixels."""
        return round(box.height * self.scale), round(box.width * self.scale)

    def show(self, box: Box, pixels: Pixels) -> None:
        """Show pixels in a box."""
        self.axes.add_artist(_pasted()(pixels, box))

    def outline(self, box: Box, colour: str = FRAME, fill: str = "none") -> None:
        """Draw the border of a box."""
        from matplotlib.patches import Rectangle  # late: see `seaice_data.system.figures`

        self.axes.add_artist(  # `add_patch` would also measure it, at the cost of 0.5 ms
            Rectangle(
                (box.left, box.top), box.width, box.height, linewidth=0.8,
                edgecolor=colour, facecolor=fill, zorder=3,
            )
        )  # fmt: skip

    def write(
        self, x: float, y: float, text: str, size: float = 11, *, halo: bool = False,
        **options: Any,
    ) -> None:  # fmt: skip
        """Write a line of text, from its left end and on its base line unless said."""
        if halo:
            options["path_effects"] = [_halo()]
        chosen: dict[str, Any] = {"color": INK, "zorder": 6, "parse_math": False, **options}
        self.axes.text(x, y, text, fontsize=size, **chosen)

    def graticule(
        self, box: Box, lines: Sequence[Line], *, left: bool, below: bool
    ) -> None:
        """Draw lines across a panel, with labels outside its left and lower edges.

        Parameters
        ----------
        box
            The panel.
        lines
            Lines in coordinates of the panel.
        left, below
            Whether there is room for labels there.
        """
        from matplotlib.collections import LineCollection

        collection = LineCollection(
            [
                line.points * [box.width, box.height] + [box.left, box.top]
                for line in lines
            ],
            colors=_LINES, linewidths=0.7, alpha=0.55, zorder=2,
        )  # fmt: skip
        self.axes.add_collection(collection, autolim=False)
        collection.set_clip_box(self._clip(box))
        parallels = sorted(lines, key=lambda line: not line.is_parallel)
        for label, place in _labels(parallels, 0, 0.0) if left else ():
            y = box.top + place * box.height
            self.write(box.left - 6, y, label, 10, ha="right", va="center", color=SOFT)
        meridians = sorted(lines, key=lambda line: line.is_parallel)
        for label, (x, y) in _labels_inside(lines) if left else ():
            at = box.left + x * box.width, box.top + y * box.height
            self.write(*at, label, 10, ha="center", va="center", color=SOFT, halo=True)
        for label, place in _labels(meridians, 1, 1.0) if below else ():
            x = box.left + place * box.width
            self.write(x, box.bottom + 5, label, 10, ha="center", va="top", color=SOFT)

    def border(self, box: Box, points: "np.ndarray[Any, np.dtype[np.float64]]") -> None:
        """Draw the border of a scene in a panel; points are in its coordinates."""
        x, y = (points * [box.width, box.height] + [box.left, box.top]).T
        self.axes.plot(x, y, color=FRAME, linewidth=0.8, zorder=3)

    def scale_bar(self, box: Box, framing: Framing) -> None:
        """Draw a bar of a round length, about a quarter of a panel, in its lower left."""
        length_km = round_length(framing.width_km / 4)
        length = box.width * length_km / framing.width_km
        left, top, high = box.left + 22, box.bottom - 24, 7
        self.outline(Box(box.left + 10, top - 27, length + 24, 42), "#ffffff", "#ffffffd0")
        for k, colour in enumerate((INK, "#ffffff")):
            part = Box(left + k * length / 2, top, length / 2, high)
            self.outline(part, INK, colour)
        self.write(
            left + length / 2, top - 8, f"{length_km:g} km", 11, ha="center", zorder=7
        )

    def north_arrow(self, box: Box, framing: Framing) -> None:
        """Draw an arrow to north in the upper right corner of a panel."""
        right, down = framing.north
        x, y, half = box.right - 34, box.top + 36, 19.0
        self._disc(x, y, 28)
        self.axes.annotate(
            "", xy=(x + half * right, y + half * down),
            xytext=(x - half * right, y - half * down), zorder=7,
            arrowprops={
                "arrowstyle": "-|>", "color": INK, "linewidth": 1.8,
                "shrinkA": 0, "shrinkB": 0, "mutation_scale": 16,
            },
        )  # fmt: skip
        # Beside the shaft.
        self.write(
            x - 6 * right - 11 * down, y - 6 * down + 11 * right, "N", 10, zorder=8,
            ha="center", va="center", fontweight="bold",
        )  # fmt: skip

    def legend(
        self, x: float, y: float, title: str, keys: Sequence[Key], width: float
    ) -> None:
        """Write a legend in two columns below its title."""
        self.write(x, y, title, 12, va="top", fontweight="bold")
        n_rows = -(-len(keys) // 2)
        for k, key in enumerate(keys):
            column, row = divmod(k, n_rows)
            box = Box(x + column * width / 2, y + 26 + row * _LEADING, *_SWATCH)
            if key.colour:
                self.outline(box, "#777777", key.colour)
            else:
                self.show(box, hatched(*self.size_of(box), self.scale))
                self.outline(box, "#777777")
            middle = box.top + box.height / 2
            self.write(box.right + 8, middle, key.name, 11, va="center")

    def ramp(self, box: Box, pixels: Pixels, ends: tuple[str, str]) -> None:
        """Show the key of a ramp of colours, with what its ends mean."""
        self.show(box, pixels)
        self.outline(box, "#777777")
        middle = box.top + box.height / 2
        self.write(box.left - 6, middle, ends[0], 10, ha="right", va="center", color=SOFT)
        self.write(box.right + 6, middle, ends[1], 10, va="center", color=SOFT)

    def _disc(self, x: float, y: float, radius: float) -> None:
        from matplotlib.patches import Circle

        self.axes.add_artist(
            Circle((x, y), radius, facecolor="#ffffffd0", edgecolor="none", zorder=5)
        )

    def _clip(self, box: Box) -> Any:
        from matplotlib.transforms import Bbox, TransformedBbox

        corners = [[box.left, box.top], [box.right, box.bottom]]
        return TransformedBbox(Bbox(corners), self.axes.transData)


@cache
def _pasted() -> Any:
    """Return the class of artists that show pixels in a box.

    At the resolution that they were made for, each is one pixel of the figure; at others,
    the nearest are shown. `AxesImage` would take several times as long.
    """
    from matplotlib.artist import Artist

    class Pasted(Artist):
        zorder = 1

        def __init__(self, pixels: Pixels, box: Box) -> None:
            super().__init__()
            self.pixels, self.place = pixels, box

        def draw(self, renderer: Any) -> None:
            box, pixels = self.place, self.pixels
            corners = self.axes.transData.transform(  # type: ignore[union-attr]
                [(box.left, box.bottom), (box.right, box.top)]
            )
            (left, bottom), (right, top) = np.rint(corners).astype(int).tolist()
            shape = (top - bottom, right - left)
            if pixels.shape[:2] != shape:
                rows, columns = (
                    ((np.arange(n) + 0.5) * size / n).astype(int)
                    for n, size in zip(shape, pixels.shape, strict=False)
                )
                pixels = pixels[rows[:, np.newaxis], columns]
            # Its first row is the lowest one.
            context = renderer.new_gc()
            renderer.draw_image(context, left, bottom, np.ascontiguousarray(pixels[::-1]))
            context.restore()

    return Pasted


def _labels(lines: Sequence[Line], axis: int, edge: float) -> list[tuple[str, float]]:
    """Return labels of the lines that cross an edge, and where, none over another."""
    found = [(line.label, crossing(line, axis, edge)) for line in lines]
    kept: list[tuple[str, float]] = []
    for label, place in found:
        if place is not None and all(abs(place - p) > _LABEL_APART for _, p in kept):
            kept.append((label, place))
    return kept


def _labels_inside(lines: Sequence[Line]) -> list[tuple[str, tuple[float, float]]]:
    """Return labels of parallels that cross no edge, around a pole."""
    found = []
    for line in lines:
        edges = [crossing(line, axis, edge) for axis in (0, 1) for edge in (0.0, 1.0)]
        if not line.is_parallel or edges != [None] * 4:
            continue
        inside = line.points[((line.points > 0) & (line.points < 1)).all(axis=1)]
        if len(inside):
            right, down = inside[np.argmax(inside[:, 1])].tolist()
            found.append((line.label, (right, min(down, 0.97))))
    return found


def _halo() -> Any:
    """Return a white border around letters."""
    from matplotlib.patheffects import withStroke

    return withStroke(linewidth=3, foreground="white")
