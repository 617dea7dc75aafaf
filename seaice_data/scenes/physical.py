"""What files in physical units have in common: tie points with angles, and polygons."""

from abc import abstractmethod
from functools import cached_property

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray, Mask
from seaice_data.channels import Channel, find_channel
from seaice_data.egg_codes import PolygonTable, unlisted
from seaice_data.errors import SceneError
from seaice_data.geolocation import TiePoints, tie_point_plane
from seaice_data.scenes.band_loops import (
    in_known_type,
    interpolate_angles,
    paint_polygons,
)
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.scenes.scene import Scene


class PhysicalScene(Scene):
    """A file whose values are standardised, and whose charts are painted, by seaice.

    Parameters
    ----------
    file
        The open file.
    dominance_threshold
        Share of the ice in a polygon at which a type becomes its class.
    midpoints
        Whether codes for intervals of concentration stand for their mid-points.
    """

    def __init__(
        self, file: NetcdfFile, dominance_threshold: float, *, midpoints: bool = False
    ) -> None:
        super().__init__(file)
        self._threshold = dominance_threshold
        self._midpoints = midpoints
        self._check()

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
            raise self._error(f"cannot read 'polygon_codes': {error}") from None

    def read_charts(self, rows: slice, charts: ChartArray) -> None:
        """Do nothing: `read_band` has painted them to find the valid pixels."""

    def _paint(self, rows: slice, charts: ChartArray, ratio: int) -> IntArray:
        """Paint the polygons of rows of the file; return the ids at 80 m.

        Each pixel of `charts` is `ratio` x `ratio` pixels of the file: it has the highest
        of their classes, and the upper left id.
        """
        ids = in_known_type(self._file.variable("polygon_icechart").rows(rows))
        first = np.empty(charts.shape[1:], np.int32)
        unknown = paint_polygons(ids, ratio, *self._classes_by_id, charts, first)
        if unknown >= 0:
            error = unlisted(ids.flat[unknown])
            raise self._error(f"'polygon_icechart': {error}", error.hint)
        return first

    @cached_property
    def _classes_by_id(self) -> tuple[ChartArray, Mask]:
        assert self.polygons is not None  # noqa: S101 - the caller asked
        return self.polygons.by_id(self._threshold, midpoints=self._midpoints)

    @property
    @abstractmethod
    def _tie_positions(self) -> tuple[FloatArray, FloatArray]:
        """Positions of the tie points along y and x, in 80 m pixels."""

    @abstractmethod
    def _tie_plane(self, name: str) -> FloatArray:
        """Read tie points as a plane, lines first; reject what is not finite."""

    @cached_property
    def _tie_angles(self) -> FloatArray:
        """Incidence angles of the tie points."""
        angles = self._tie_plane("sar_grid_incidenceangle")
        if angles.shape != self.tie_points.latitude.shape:
            raise self._error("'sar_grid_incidenceangle' differs in size from other points")
        if not ((angles >= 0) & (angles <= 90)).all():
            raise self._error("'sar_grid_incidenceangle' contains angles outside 0..90")
        return angles

    def _read_angles(self, rows: slice, plane: FloatArray) -> None:
        """Interpolate the tie points' angles to the centres of 80 m pixels; standardise."""
        points = self.tie_points
        along_y = tie_point_plane(
            self._tie_angles,
            points.lines,
            points.samples,
            np.arange(rows.start, rows.stop, dtype=np.float64),
            points.samples,
        )
        channel = find_channel("incidence_angle")
        interpolate_angles(along_y, *self._intervals, channel.mean, channel.std, plane)

    @cached_property
    def _intervals(self) -> tuple[IntArray, FloatArray]:
        """First column of each interval between tie points and the end; weights."""
        samples, columns = self.tie_points.samples, np.arange(self.grid.width)
        inner = np.searchsorted(columns, samples[1:-1])
        starts = np.concatenate([[0], inner, [self.grid.width]])
        interval = np.repeat(np.arange(len(samples) - 1), np.diff(starts))
        lengths = np.diff(samples)[interval]
        return starts, (columns - samples[interval]) / lengths

    def _standardise(self, values: FloatArray, channel: Channel) -> FloatArray:
        return np.asarray((values - channel.mean) / channel.std)
