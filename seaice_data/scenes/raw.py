"""Raw files: 40 m, physical units, NaN as fill, a polygon map with a table of egg codes."""

from functools import cached_property

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHART_FILL
from seaice_data.grid import SPACING_M, Grid
from seaice_data.scene_id import SceneId
from seaice_data.scenes.band_loops import in_known_type, mask_invalid, mean_of_four
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.scenes.physical import PhysicalScene
from seaice_data.scenes.scene import (
    KEPT_BESIDE_CHARTS_BYTES,
    NO_POLYGON,
    SAR_GRID,
    Band,
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


class RawScene(PhysicalScene):
    """A raw file, brought to the form of a ready one as the dataset's authors describe.

    SAR is the mean of 2 x 2 pixels, NaN if any of them is; charts are the highest of 2 x 2
    classes, and fill counts as the highest. Charts are masked where there is no SAR, and
    SAR where there is no chart. Values are standardised with the published constants.
    """

    version = "raw"

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

    def read_band(self, rows: slice, charts: ChartArray) -> Band:
        """Read a band; a pixel is valid if its four 40 m pixels are and it has a chart."""
        shape = (rows.stop - rows.start, self.grid.width)
        # The rows of 40 m pixels under them.
        four = slice(2 * rows.start, 2 * rows.stop)
        planes = np.empty((len(SAR_GRID), *shape), np.float32)
        for plane, channel in zip(planes, SAR_GRID, strict=True):
            if channel.name == "incidence_angle":
                self._read_angles(rows, plane)
                continue
            values = in_known_type(self._variable_of(channel).rows(four))
            constants = np.float32(channel.mean), np.float32(channel.std)
            if not mean_of_four(values, *constants, plane):
                self._refuse_infinite(plane, str(channel.variable))
        if self.polygons:
            ids = self._paint(four, charts, 2)
        else:
            ids = np.full(shape, NO_POLYGON, np.int32)
            charts[...] = CHART_FILL
        sic, sod, floe = charts
        mask_invalid(planes, sic, sod, floe, ids, CHART_FILL, bool(self.polygons))
        return Band(planes, ids if self.polygons else None)

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

    def _sar_variables(self) -> tuple[VariablesAtOnce, ...]:
        if min(self.grid.shape) < 1:
            raise self._error(f"the SAR has {self.grid.height} x {self.grid.width} pixels")
        names = ["nersc_sar_primary", "nersc_sar_secondary", "distance_map"]
        if self.has_charts:
            names.append("polygon_icechart")
        variables = tuple(self._file.variable(name) for name in names)
        return ((variables, KEPT_BESIDE_CHARTS_BYTES),)
