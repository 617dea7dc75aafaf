"""Ready-to-train files: 80 m, standardised, fill 0, charts painted as classes."""

from functools import cached_property

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.channels import Channel
from seaice_data.charts import CHART_FILL, CHARTS, Chart
from seaice_data.geolocation import TiePoints, tie_point_positions
from seaice_data.grid import SPACING_M, Grid, row_bands
from seaice_data.scene_id import SceneId
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.scenes.scene import (
    KEPT_BESIDE_CHARTS_BYTES,
    KEPT_BYTES,
    SAR_GRID,
    Band,
    Scene,
    VariablesAtOnce,
    id_in,
    not_a_class,
)

_BAND_ROWS = 500


def contains_charts(file: NetcdfFile) -> bool:
    """Return whether a file contains a chart; if so, the others must be there too."""
    return any(chart.name in file for chart in CHARTS)


def contains_classes(file: NetcdfFile) -> bool:
    """Return whether a file contains a chart with a class anywhere."""
    charts = [file.variable(chart.name) for chart in CHARTS if chart.name in file]
    if any(len(chart.shape) != 2 for chart in charts):
        return True  # refused with a message when they are read
    return any(
        not (np.isnan(values) | (values == CHART_FILL)).all()
        for chart in charts
        for rows in row_bands(chart.shape[0], _BAND_ROWS)
        for values in [chart.rows(rows)]
    )


def find_id(file: NetcdfFile) -> SceneId:
    """Return the id of a scene, from the attribute ``scene_id`` or the name of the file.

    Raises
    ------
    SceneError
        If neither has one like ``20180607T184326_dmi``, or the digits are not a time.
    """
    given = file.text("scene_id")
    for text in (given, file.path.name):
        if scene_id := id_in(file, text):
            return scene_id
    raise file.error(
        f"attribute 'scene_id' is {given!r}, not like '20180607T184326_dmi_prep.nc'"
    )


def read_charts(file: NetcdfFile, rows: slice, charts: ChartArray) -> None:
    """Read a band of the painted charts into `charts`, shape ``(chart, rows, x)``.

    Raises
    ------
    SceneError
        If a chart is missing, or contains a value that is not a class.
    """
    for plane, chart in zip(charts, CHARTS, strict=True):
        _read_classes(file, chart, rows, plane)
        # Classes wrap around to large bytes: one comparison finds all wrong values.
        wrong = (plane - np.uint8(chart.n_classes)) < CHART_FILL - chart.n_classes
        if wrong.any():
            raise not_a_class(file, chart, plane[wrong][0])


class ReadyScene(Scene):
    """A ready-to-train file, and the file with its charts if that is a separate one."""

    version = "ready"

    def __init__(self, file: NetcdfFile, reference: NetcdfFile | None) -> None:
        super().__init__(file)
        self._reference = reference
        self._charts = file if reference is None else reference
        self._check()
        masked = [self._variable_of(channel) for channel in SAR_GRID[:3]]
        fills = [variable.number("variable_fill_value") for variable in masked]
        self.fills = tuple(0.0 if fill is None else fill for fill in fills)
        self._roundings = [variable.rounding for variable in masked]
        self._planes: FloatArray | None = None

    def close(self) -> None:
        """Close the file, and its reference file."""
        super().close()
        if self._reference is not None:
            self._reference.close()

    @cached_property
    def id(self) -> SceneId:
        """Acquisition time and ice service, from the attribute ``scene_id``."""
        return find_id(self._file)

    @cached_property
    def original_name(self) -> str:
        """Name of the raw file, from the attribute ``original_id``."""
        return self._file.text("original_id")

    @cached_property
    def grid(self) -> Grid:
        """Shape of the SAR planes."""
        height, width = self._variable_of(SAR_GRID[0]).shape
        return Grid(height, width, SPACING_M)

    @cached_property
    def tie_points(self) -> TiePoints:
        """Geolocation grid; its positions are not in the file, so they are rebuilt."""
        latitude, longitude = (
            self._file.variable(f"sar_grid2d_{name}").read().astype(np.float64)
            for name in ("latitude", "longitude")
        )
        if min(latitude.shape) < 2:
            raise self._error(f"tie points have shape {latitude.shape}")
        return self._checked_tie_points(
            latitude,
            longitude,
            tie_point_positions(self.grid.height, latitude.shape[0]),
            tie_point_positions(self.grid.width, latitude.shape[1]),
        )

    @cached_property
    def has_charts(self) -> bool:
        """Whether this file or its reference file contains the charts."""
        return self._reference is not None or contains_charts(self._file)

    @cached_property
    def is_test_file(self) -> bool:
        """Whether the charts are missing, or in a reference file."""
        return self._reference is not None or not contains_charts(self._file)

    @property
    def polygons(self) -> None:
        """None, because the charts are already painted."""
        return

    def read_band(self, rows: slice, charts: ChartArray) -> Band:  # noqa: ARG002
        """Read a band; pixels where HH, HV and incidence angle are all fill are not valid.

        A valid pixel may be 0 in one plane by rounding, but never in all three at once.
        """
        n_rows = rows.stop - rows.start
        if self._planes is None or self._planes.shape[1] < n_rows:
            shape = (len(SAR_GRID), n_rows, self.grid.width)
            self._planes = np.empty(shape, np.float32)
        planes = self._planes[:, :n_rows]
        for plane, channel in zip(planes, SAR_GRID, strict=True):
            self._variable_of(channel).read_rows(rows, plane)
        for plane, fill, rounding in zip(
            planes[:3], self.fills, self._roundings, strict=True
        ):
            if rounding:  # packing has also moved the fill value
                plane[np.abs(plane - np.float32(fill)) <= rounding] = fill
        return Band(planes, None)

    def read_charts(self, rows: slice, charts: ChartArray) -> None:
        """Read the painted charts of a band."""
        if not self.has_charts:
            charts[...] = CHART_FILL
            return
        for plane, chart in zip(charts, CHARTS, strict=True):
            _read_classes(self._charts, chart, rows, plane)

    def _standardise(self, values: FloatArray, channel: Channel) -> FloatArray:  # noqa: ARG002
        return values  # the file is standardised, with the constants of `channels`

    def _sar_variables(self) -> tuple[VariablesAtOnce, ...]:
        planes = tuple(self._variable_of(channel) for channel in SAR_GRID), KEPT_BYTES
        if not self.has_charts:
            return (planes,)
        for chart in CHARTS:
            if chart.name not in self._charts:
                raise self._charts.error(f"chart {chart.name!r} is missing")
        charts = tuple(self._charts.variable(chart.name) for chart in CHARTS)
        return planes, (charts, KEPT_BESIDE_CHARTS_BYTES)


def _read_classes(file: NetcdfFile, chart: Chart, rows: slice, plane: ChartArray) -> None:
    """Read a band of a painted chart, with fill in gaps; reject what is not a byte."""
    variable = file.variable(chart.name)
    if variable.dtype == np.uint8 and not variable.is_packed:
        variable.read_rows(rows, plane, CHART_FILL)
        return
    values = variable.rows(rows)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), CHART_FILL, values)
    wrong = (values < 0) | (values > CHART_FILL) | (values != np.floor(values))
    if wrong.any():
        raise not_a_class(file, chart, values[wrong].flat[0])
    plane[...] = values
