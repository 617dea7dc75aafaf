"""Raw files: 40 m, physical units, NaN as fill, a polygon map with a table of egg codes."""

from functools import cached_property

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray, Values
from seaice_data.channels import Channel
from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.errors import SceneError
from seaice_data.geolocation import TiePoints, tie_point_plane
from seaice_data.grid import SPACING_M, Grid
from seaice_data.scene_id import SceneId
from seaice_data.scenes.netcdf import NetcdfFile, Variable
from seaice_data.scenes.scene import (
    KEPT_BESIDE_CHARTS_BYTES,
    NO_POLYGON,
    SAR_GRID,
    Band,
    Scene,
    VariablesAtOnce,
    id_in,
)
from seaice_data.texts import printable


def find_id(file: NetcdfFile) -> SceneId:
    """Return the id of a scene, from the name of its file.

    Raises
    ------
    SceneError
        If the name does not contain acquisition time and ice service.
    """
    scene_id = id_in(file, file.path.name)
    if scene_id is None:
        raise file.error(
            "its name does not contain acquisition time and ice service",
            hint="raw files end in _<start>_<stop>_..._icechart_<cis or dmi>_....nc",
        )
    return scene_id


class RawScene(Scene):
    """A raw file, brought to the form of a ready one as the dataset's authors describe.

    SAR is the mean of 2 x 2 pixels, NaN if any of them is; charts are the highest of 2 x 2
    classes, and fill counts as the highest. Charts are masked where there is no SAR, and
    SAR where there is no chart. Values are standardised with the published constants.
    """

    version = "raw"

    def __init__(
        self, file: NetcdfFile, dominance_threshold: float, *, midpoints: bool = False
    ) -> None:
        super().__init__(file)
        self._threshold = dominance_threshold
        self._midpoints = midpoints
        self._check()

    @cached_property
    def id(self) -> SceneId:
        """Acquisition time and ice service; they are only in the name of the file."""
        return find_id(self._file)

    @property
    def original_name(self) -> str:
        """Name of the file."""
        return printable(self.path.name)

    @cached_property
    def grid(self) -> Grid:
        """Half the shape of the SAR planes, rounded down."""
        height, width = self._variable_of(SAR_GRID[0]).shape
        return Grid(height // 2, width // 2, SPACING_M)

    @property
    def original_grid(self) -> Grid:
        """Grid of the SAR planes, 40 m."""
        height, width = self._variable_of(SAR_GRID[0]).shape
        return Grid(height, width, SPACING_M / 2)

    @cached_property
    def tie_points(self) -> TiePoints:
        """Geolocation grid at its recorded positions."""
        lines, samples = self._tie_positions
        return self._checked_tie_points(
            self._tie_plane("sar_grid_latitude"),
            self._tie_plane("sar_grid_longitude"),
            lines,
            samples,
        )

    @cached_property
    def has_charts(self) -> bool:
        """Whether the file contains polygons and their codes; only one of them fails."""
        names = ("polygon_icechart", "polygon_codes")
        absent = [name for name in names if name not in self._file]
        if len(absent) == 1:
            raise self._error(f"variable {absent[0]!r} is missing")
        return not absent

    @property
    def is_test_file(self) -> bool:
        """Whether there are no polygons."""
        return not self.has_charts

    @cached_property
    def polygons(self) -> PolygonTable | None:
        """Egg codes of the polygons; None without a chart."""
        if not self.has_charts:
            return None
        rows = self._file.strings("polygon_codes")
        try:
            return PolygonTable.parse(rows)
        except SceneError as error:
            raise self._error(f"cannot read 'polygon_codes': {error}") from error

    def read_band(self, rows: slice, charts: ChartArray) -> Band:
        """Read a band; a pixel is valid if its four 40 m pixels are and it has a chart."""
        shape = (rows.stop - rows.start, self.grid.width)
        planes = np.empty((len(SAR_GRID), *shape), np.float32)
        invalid = np.zeros(shape, bool)
        for plane, channel in zip(planes, SAR_GRID, strict=True):
            if channel.name == "incidence_angle":
                plane[:] = self._standardise(self._incidence_angles(rows), channel)
                continue
            with np.errstate(over="ignore", invalid="ignore"):
                self._mean_of_four(self._raw_band(self._variable_of(channel), rows), plane)
                plane[:] = self._standardise(plane, channel)
            has_nan = self._refuse_infinite(plane, str(channel.variable))
            if has_nan and channel.name != "distance_map":
                invalid |= np.isnan(plane)
        ids = self._paint(rows, charts) if self.polygons else None
        if ids is None:
            charts[...] = CHART_FILL
        else:
            invalid |= charts[0] == CHART_FILL
            ids[invalid] = NO_POLYGON
        if invalid.any():
            planes[:3, invalid] = 0
            charts[:, invalid] = CHART_FILL
        return Band(planes, ids)

    def read_charts(self, rows: slice, charts: ChartArray) -> None:
        """Do nothing: `read_band` has painted them to find the valid pixels."""

    def _paint(self, rows: slice, charts: ChartArray) -> IntArray:
        """Paint polygons; keep the highest of 2 x 2 classes, and the first id."""
        ids = self._raw_band(self._file.variable("polygon_icechart"), rows)
        first = np.ascontiguousarray(ids[0::2, 0::2])
        # Nearly all pixels have four equal ids: only the others are painted at 40 m.
        differs = np.zeros(first.shape, bool)
        for y, x in ((0, 1), (1, 0), (1, 1)):
            other = ids[y::2, x::2]
            differs |= (first != other) & ~(np.isnan(first) & np.isnan(other))
        mixed_y, mixed_x = np.nonzero(differs)
        four = ids.reshape(len(ids) // 2, 2, -1, 2)[mixed_y, :, mixed_x, :]
        charts[...] = np.moveaxis(self._classes_of(first), -1, 0)
        highest = self._classes_of(four.reshape(-1, 4)).max(axis=1)
        charts[:, mixed_y, mixed_x] = highest.T
        ids_of_band: IntArray = np.where(np.isnan(first), NO_POLYGON, first).astype(
            np.int32
        )
        return ids_of_band

    def _classes_of(self, ids: FloatArray) -> ChartArray:
        """Return the classes of polygon ids, the charts along the last axis."""
        assert self.polygons is not None  # noqa: S101 - the caller asked
        try:
            return paint_charts(
                ids, self.polygons, self._threshold, midpoints=self._midpoints
            )
        except SceneError as error:
            raise self._error(f"'polygon_icechart': {error}", error.hint) from error

    def _raw_band(self, variable: Variable, rows: slice) -> Values:
        """Read the 40 m pixels under a band of 80 m rows."""
        values = variable.rows(slice(2 * rows.start, 2 * rows.stop))
        return values[:, : 2 * self.grid.width]

    @staticmethod
    def _mean_of_four(values: Values, mean: FloatArray) -> None:
        rows = values[0::2] + values[1::2]
        np.add(rows[:, 0::2], rows[:, 1::2], out=mean, casting="same_kind")
        mean /= 4

    @cached_property
    def _tie_positions(self) -> tuple[FloatArray, FloatArray]:
        """Positions of the tie points along y and x, in 80 m pixels."""
        lines = self._tie_plane("sar_grid_line")
        samples = self._tie_plane("sar_grid_sample")
        return (lines[:, 0] - 0.5) / 2, (samples[0] - 0.5) / 2

    def _tie_plane(self, name: str) -> FloatArray:
        """Read tie points as a plane, lines first."""
        values = self._file.variable(name, n_axes=1).read().astype(np.float64)
        side = round(values.size**0.5)
        if side < 2 or side * side != values.size:
            raise self._error(
                f"{name!r} has {values.size} points, which is not a square grid"
            )
        if not np.isfinite(values).all():
            raise self._error(f"{name!r} contains values that are not finite")
        plane: FloatArray = values.reshape(side, side)
        return plane

    @cached_property
    def _tie_angles(self) -> FloatArray:
        """Incidence angles of the tie points."""
        angles = self._tie_plane("sar_grid_incidenceangle")
        if angles.size != self.tie_points.latitude.size:
            raise self._error("'sar_grid_incidenceangle' differs in size from other points")
        if not ((angles >= 0) & (angles <= 90)).all():
            raise self._error("'sar_grid_incidenceangle' contains angles outside 0..90")
        return angles

    def _incidence_angles(self, rows: slice) -> FloatArray:
        """Interpolate the tie points' angles to the centres of 80 m pixels."""
        return tie_point_plane(
            self._tie_angles,
            self.tie_points.lines,
            self.tie_points.samples,
            np.arange(rows.start, rows.stop, dtype=np.float64),
            np.arange(self.grid.width, dtype=np.float64),
        )

    def _standardise(self, values: FloatArray, channel: Channel) -> FloatArray:
        return np.asarray((values - channel.mean) / channel.std)

    def _sar_variables(self) -> tuple[VariablesAtOnce, ...]:
        if min(self.grid.shape) < 1:
            raise self._error(f"the SAR has {self.grid.height} x {self.grid.width} pixels")
        names = ["nersc_sar_primary", "nersc_sar_secondary", "distance_map"]
        if self.has_charts:
            names.append("polygon_icechart")
        variables = tuple(self._file.variable(name) for name in names)
        return ((variables, KEPT_BESIDE_CHARTS_BYTES),)
