"""The panels of a sheet: SAR at the left, charts at the right, legends below them."""

from collections.abc import Sequence

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHART_FILL, Chart
from seaice_data.colours import WMO_COLOURS
from seaice_data.flags import FLAG_LAND
from seaice_model.plots.framing import Framing, Positions
from seaice_model.plots.graticule import Line, graticule
from seaice_model.plots.overview import plot_overview
from seaice_model.plots.painting import (
    LAND,
    NO_SAR,
    OUTSIDE,
    RAMP,
    Pixels,
    paint_classes,
    paint_values,
    stretch_db,
    toned,
)
from seaice_model.plots.sheet import Box, Sheet

MARGIN = 30.0
"""Around a sheet, in hundredths of an inch, as all lengths."""

_SIDE = 640.0
"""Of a square panel; others have the same area."""
_LONGEST, _SHORTEST = 1000.0, 500.0
_GUTTER, _BETWEEN = 62.0, 26.0
_HEADER, _TITLE, _BELOW, _FOOTER = 92.0, 34.0, 26.0, 62.0
_LEGEND, _LEGEND_WITH_OVERVIEW = 172.0, 250.0
_RADIUS = 92.0


class Panels:
    """A sheet with its panels: SAR at the left, charts at the right, legends below.

    Columns of SAR are filled from top to bottom, and the overview is after the last
    channel, if there is room.
    """

    def __init__(
        self, framing: Framing, n_sar: int, n_rows: int, dpi: float, n_charts: int,
        *, has_overview: bool = True,
    ) -> None:  # fmt: skip
        self.framing = framing
        n_left = max(-(-n_sar // n_rows), int(has_overview))
        width = float(np.clip(_SIDE / np.sqrt(framing.aspect), _SHORTEST, _LONGEST))
        height = float(np.clip(width * framing.aspect, _SHORTEST / 4, 2 * _LONGEST))
        is_below = has_overview and n_sar == n_left * n_rows
        legend = _LEGEND_WITH_OVERVIEW if is_below else _LEGEND
        n_columns = n_left + n_charts
        row_height = _TITLE + height + _BELOW
        self.sheet = Sheet(
            2 * MARGIN + _GUTTER + n_columns * width + (n_columns - 1) * _BETWEEN,
            _HEADER + n_rows * row_height + legend + _FOOTER,
            dpi,
        )
        boxes = [
            [
                Box(
                    MARGIN + _GUTTER + column * (width + _BETWEEN),
                    _HEADER + row * row_height + _TITLE,
                    width,
                    height,
                )
                for column in range(n_columns)
            ]
            for row in range(n_rows)
        ]
        left = [boxes[row][column] for column in range(n_left) for row in range(n_rows)]
        self.sar = left[:n_sar]
        self.charts = [row[n_left:] for row in boxes]
        below = _HEADER + n_rows * row_height + 12
        self.legends = [Box(box.left, below, width, legend) for box in self.charts[0]]
        self.notes = Box(MARGIN + _GUTTER, below, width, legend) if has_overview else None
        self._overview = left[n_sar] if n_sar < len(left) else None
        self._shown: list[Box] = []
        positions = framing.sample(*self.sheet.size_of(self.charts[0][0]))
        self.positions: Positions = positions

    def show_sar(
        self,
        box: Box,
        name: str,
        plane: FloatArray,
        flags: ChartArray,
        sides: tuple[float, float] | None = None,
    ) -> None:
        """Show backscatter, dark to light between its extreme percentiles over the sea.

        `sides` are height and width of the scene in pixels of the plane, if they are not
        its shape.
        """
        values = self.positions.between(plane.astype(np.float32), sides)
        is_land = self.positions.of(flags) & FLAG_LAND != 0
        tones = np.where(np.isnan(values), np.uint8(NO_SAR), np.uint8(0))
        tones[is_land] = LAND
        self._leave_out(tones)
        span = stretch_db(values[tones == 0])
        self.show(box, paint_values(values, tones, span, scale=self.sheet.scale))
        self.title(box, f"{name.upper()}, {span[0]:.1f} to {span[1]:.1f} dB")

    def show_classes(
        self, box: Box, chart: Chart, plane: ChartArray, flags: ChartArray | None
    ) -> None:
        """Show a chart in the colours of its classes."""
        tones = toned(
            self.positions.of(plane), None if flags is None else self.positions.of(flags)
        )
        tones = self._leave_out(np.array(tones))
        scale = self.sheet.scale
        self.show(box, paint_classes(tones, WMO_COLOURS[chart.name], scale))

    def show_uncertainty(
        self, box: Box, values: FloatArray, flags: ChartArray, most: float
    ) -> None:
        """Show how sure a network is; `values` have the shape of the panel."""
        blank = np.full(values.shape, CHART_FILL, np.uint8)
        tones = self._leave_out(toned(blank, self.positions.of(flags)))
        scale = self.sheet.scale
        self.show(box, paint_values(values, tones, (0.0, most), RAMP, scale))

    def show(self, box: Box, pixels: Pixels) -> None:
        """Show pixels as a panel, which gets a graticule later."""
        self.sheet.show(box, pixels)
        self._shown.append(box)

    def title(self, box: Box, text: str) -> None:
        """Write the title of a panel."""
        self.sheet.write(box.left, box.top - 9, text, 12.5)

    def finish(self, first: Box) -> None:
        """Add graticule and frames to all panels; scale and north to the first."""
        lines: Sequence[Line] = graticule(self.framing)
        nodes, border = self.framing.nodes, None
        if self.framing.geometry == "polar" and nodes is not None:
            border = np.stack(self.framing.locate(*nodes.outline), axis=1)
        leftmost = min(box.left for box in self._shown)
        for box in self._shown:
            is_lowest = box.bottom == max(
                other.bottom for other in self._shown if other.left == box.left
            )
            self.sheet.graticule(box, lines, left=box.left == leftmost, below=is_lowest)
            if border is not None:
                self.sheet.border(box, border)
            self.sheet.outline(box)
        self.sheet.scale_bar(first, self.framing)
        if nodes is not None:
            self.sheet.north_arrow(first, self.framing)

    def place_overview(self) -> None:
        """Plot where the scene is, in a free cell or beside the notes."""
        if (nodes := self.framing.nodes) is None:
            return
        if (box := self._overview) is not None:
            room = min(box.width - 60, box.height - 20) / 2
            x, y = box.left + box.width / 2, box.top + box.height / 2
            plot_overview(self.sheet, nodes, x, y, room - 20)
        elif self.notes is not None:
            x, y = self.notes.left + _RADIUS + 20, self.notes.top + _RADIUS + 24
            plot_overview(self.sheet, nodes, x, y, _RADIUS)

    @property
    def notes_left(self) -> float:
        """Where notes begin: at the right of an overview beside them."""
        if self.notes is None or self._overview is not None or self.framing.nodes is None:
            return MARGIN + _GUTTER
        return self.notes.left + 2 * _RADIUS + 76

    def _leave_out(self, tones: ChartArray) -> ChartArray:
        if self.positions.outside is not None:
            tones[self.positions.outside] = OUTSIDE
        return tones
