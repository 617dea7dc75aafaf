"""What scenes of all versions have in common; they are read in bands of rows.

``ReadyScene``, ``RawScene`` and ``IngestedScene`` fill in the rest; `files.open_scene`
chooses between them.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray, Mask
from seaice_data.channels import CHANNELS, Channel, Group, find_channels
from seaice_data.charts import CHART_FILL, CHARTS, Chart
from seaice_data.egg_codes import PolygonTable
from seaice_data.errors import SceneError
from seaice_data.geolocation import TiePoints
from seaice_data.grid import CELL_PIXELS, Grid
from seaice_data.scene_id import SceneId
from seaice_data.scenes.netcdf import NetcdfFile, Variable

SAR_GRID = find_channels(("hh", "hv", "incidence_angle", "distance_map"))
"""Channels on the SAR grid, in the order in which `Scene.read_band` stacks them."""

CELL_GRID = tuple(c for c in CHANNELS if c.group in (Group.AMSR2, Group.ERA5))
"""Channels on the 2 km grid."""

NO_POLYGON = -1
"""Marks pixels without a polygon in planes of polygon ids."""

FLOOR_DB = -45.0
"""Decibels of backscatter that is 0, negative or below this value after noise removal; own
scenes only (docs/scene-file.md says why)."""

KEPT_BYTES = 148 * 2**20
"""Bytes of compressed planes that a scene keeps inflated until charts are read: a third of
the four planes of a ready file, because the chunks that the netCDF library chooses are that
tall. Taller chunks are inflated several times, so that a process stays below 400 MB."""

KEPT_BESIDE_CHARTS_BYTES = 44 * 2**20
"""The same while the charts of the whole scene are in memory, too."""

VariablesAtOnce = tuple[tuple[Variable, ...], int]
"""Variables that are read together, band by band, and how many bytes of them to keep."""

_MOST_PIXELS = 64_000_000  # of 80 m; the largest scene of the dataset has 32 million
_REGION = re.compile(r"_icechart_(?:cis_([A-Z]+)_|dmi_\d+_([A-Za-z]+)_)")


def region_in(original_name: str) -> str:
    """Return the chart region in the name of a raw file; empty if there is none.

    Examples
    --------
    >>> region_in("S1A_EW_GRDM_1SDH_icechart_dmi_201806071840_NorthEast_RIC.nc")
    'NorthEast'
    """
    match = _REGION.search(original_name)
    return (match[1] or match[2]) if match else ""


def id_in(file: NetcdfFile, text: str) -> SceneId | None:
    """Return the id in an attribute or name of `file`; reject one without a valid time."""
    try:
        return SceneId.find_in(text)
    except ValueError as error:
        raise file.error(str(error)) from None


def not_a_class(file: NetcdfFile, chart: Chart, value: float) -> SceneError:
    """Return the error for a file whose chart contains a value that is not a class."""
    return file.error(
        f"{chart.name} contains {value:g}, "
        f"which is not a class (0-{chart.n_classes - 1} or {CHART_FILL})"
    )


@dataclass(frozen=True, slots=True)
class Band:
    """A band of rows of a scene at 80 m, as a ready file contains it."""

    planes: FloatArray
    """The channels `SAR_GRID`, shape ``(4, rows, x)``: standardised, float32. Pixels where
    the first three are all fill or NaN are not valid."""

    polygon_ids: IntArray | None
    """Shape ``(rows, x)``; `NO_POLYGON` where there is none. None if the file has classes
    instead, or no chart."""

    power: FloatArray | None = None
    """Backscatter of HH and HV as linear power, without a floor, shape ``(2, rows, x)``;
    NaN where a pixel is not valid. None if the file has decibels."""

    is_below_noise: Mask | None = None
    """Pixels that `FLAG_BELOW_NOISE` marks, shape ``(rows, x)``; None if there are none."""


class Scene(ABC):
    """One open netCDF file; a context manager. Made by `open_scene`."""

    version: str
    """``ready``, ``raw`` or ``ingested``."""

    fills: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Fill values of the channels before the distance map in `Band.planes`."""

    def __init__(self, file: NetcdfFile) -> None:
        self._file = file
        self.path = file.path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    @abstractmethod
    def id(self) -> SceneId:
        """Acquisition time and ice service, as ``20180607T184326_dmi``."""

    @property
    @abstractmethod
    def original_name(self) -> str:
        """Name of the raw file, or of the satellite product; empty if unknown."""

    @property
    @abstractmethod
    def grid(self) -> Grid:
        """Shape at 80 m."""

    @property
    def original_grid(self) -> Grid:
        """Grid of the SAR planes in the file."""
        return self.grid

    @property
    @abstractmethod
    def tie_points(self) -> TiePoints:
        """Geolocation grid, positions in 80 m pixels."""

    @property
    @abstractmethod
    def has_charts(self) -> bool:
        """Whether an ice chart belongs to the scene."""

    @property
    @abstractmethod
    def is_test_file(self) -> bool:
        """Whether the file itself lacks charts, as test files of the challenge do."""

    @property
    @abstractmethod
    def polygons(self) -> PolygonTable | None:
        """Egg codes of the polygons of the chart; None if it is painted, or missing."""

    @abstractmethod
    def read_band(self, rows: slice, charts: ChartArray) -> Band:
        """Read a band of rows at 80 m. Compressed files are read fastest in order.

        Parameters
        ----------
        rows
            The rows of the band. What is returned is valid until the next band is read.
        charts
            Where to write the charts, shape ``(chart, rows, x)``. Files with polygons need
            them to find the valid pixels, and fill them in; others leave them to
            `read_charts`.
        """

    @abstractmethod
    def read_charts(self, rows: slice, charts: ChartArray) -> None:
        """Read the charts of a band that was read, if `read_band` has left them out.

        Best called after all bands are read and `let_go` has released their memory, so that
        inflated planes and the charts of a whole scene are not in memory together.

        Parameters
        ----------
        rows
            The rows of the band.
        charts
            As for `read_band`; 255 is fill, everywhere if the scene has no chart. Values
            that are not classes are found by `check_classes`.
        """

    def let_go(self) -> None:
        """Release the memory for reading bands; the next band allocates it again."""
        for variables, _ in self._sar_variables():
            for variable in variables:
                variable.let_go()

    def check_planes(self, band: Band) -> None:
        """Reject a band that contains infinite values."""
        for channel, plane in zip(SAR_GRID, band.planes, strict=True):
            self._refuse_infinite(plane, self._name_of(channel))

    def check_classes(self, counts: IntArray) -> None:
        """Reject charts with values that are not classes, given the counts of all values.

        Parameters
        ----------
        counts
            Shape ``(chart, 256)``.
        """
        for chart, pixels in zip(CHARTS, counts, strict=True):
            wrong = np.flatnonzero(pixels[chart.n_classes : CHART_FILL])
            if wrong.size:
                raise not_a_class(self._file, chart, chart.n_classes + int(wrong[0]))

    @property
    def absent_channels(self) -> tuple[str, ...]:
        """Channels that the file lacks, in catalogue order; they are read as NaN."""
        return ()

    @property
    def denoising(self) -> str:
        """How noise was removed: ``nersc``, ``esa`` or ``none``.

        It is about HV, or HH if there is no HV. The files of AI4Arctic were denoised by
        NERSC.
        """
        return "nersc"

    @property
    def service(self) -> str:
        """Ice service that made the chart, such as ``dmi``; empty if there is no chart."""
        return self.id.service

    @property
    def acquired(self) -> datetime:
        """Start of the acquisition, UTC."""
        return self.id.acquired

    @property
    def region(self) -> str:
        """Chart region of the ice service; empty if unknown."""
        return region_in(self.original_name)

    @property
    def cell_shape(self) -> tuple[int, int]:
        """Shape of the 2 km grid."""
        for channel in CELL_GRID:
            if channel.name not in self.absent_channels:
                height, width = self._variable_of(channel).shape
                return height, width
        return self.grid.height // CELL_PIXELS, self.grid.width // CELL_PIXELS

    def read_cells(self, channel: Channel) -> FloatArray:
        """Read a channel of `CELL_GRID`: standardised, float32, NaN is fill."""
        if channel.name in self.absent_channels:
            return np.full(self.cell_shape, np.nan, np.float32)
        values = self._standardise(self._variable_of(channel).read(), channel)
        with np.errstate(over="ignore"):
            cells: FloatArray = values.astype(np.float32)
        self._refuse_infinite(cells, self._name_of(channel))
        return cells

    @abstractmethod
    def _standardise(self, values: FloatArray, channel: Channel) -> FloatArray:
        """Bring values as the file contains them to mean 0 and deviation 1."""

    @abstractmethod
    def _sar_variables(self) -> tuple[VariablesAtOnce, ...]:
        """Return the variables on the SAR grid; reject a scene that lacks one."""

    def _check(self) -> None:
        """Reject a file that lacks a variable or whose shapes do not fit together."""
        sar = self._variable_of(SAR_GRID[0]).shape
        if self.grid.height * self.grid.width > _MOST_PIXELS:
            raise self._error(
                f"{self._name_of(SAR_GRID[0])!r} has shape {sar}, too large for SAR"
            )
        for variables, kept_bytes in self._sar_variables():
            row_bytes = sum(variable.row_bytes for variable in variables)
            for variable in variables:
                if variable.shape != sar:
                    raise self._error(
                        f"{variable.name!r} has shape {variable.shape}, the SAR {sar}"
                    )
                variable.keep_rows(kept_bytes // row_bytes)
        self._check_cells(sar)

    def _check_cells(self, sar: tuple[int, ...]) -> None:
        """Reject planes on the 2 km grid that are missing or differ in shape."""
        expected = (self.grid.height // CELL_PIXELS, self.grid.width // CELL_PIXELS)
        for channel in CELL_GRID:
            if channel.name in self.absent_channels:
                continue
            shape = self._variable_of(channel).shape
            if any(abs(n - e) > 1 for n, e in zip(shape, expected, strict=True)):
                raise self._error(
                    f"{channel.variable!r} has {shape[0]} x {shape[1]} cells, which does "
                    f"not fit {sar[0]} x {sar[1]} SAR pixels"
                )
            if shape != self.cell_shape:
                raise self._error(f"{channel.variable!r} differs in shape from other cells")

    def _name_of(self, channel: Channel) -> str:
        """Return the name of the variable that contains a channel."""
        return str(channel.variable)

    def _variable_of(self, channel: Channel) -> Variable:
        return self._file.variable(self._name_of(channel))

    def _refuse_infinite(self, values: FloatArray, name: str) -> bool:
        """Reject infinite values; return whether there is a NaN."""
        # Highest and lowest value are NaN if any is, and are found quickly.
        if np.isfinite(values.max()) and np.isfinite(values.min()):
            return False
        if np.isinf(values).any():
            raise self._error(
                f"{name!r} contains values that are infinite or beyond float32"
            )
        return True

    def _checked_tie_points(
        self,
        latitude: FloatArray,
        longitude: FloatArray,
        lines: FloatArray,
        samples: FloatArray,
    ) -> TiePoints:
        """Reject tie points that cannot place a pixel."""
        if latitude.shape != longitude.shape or min(latitude.shape) < 2:
            raise self._error(
                f"tie points have shapes {latitude.shape} and {longitude.shape}"
            )
        if not (np.isfinite(latitude).all() and np.isfinite(longitude).all()):
            raise self._error("tie points contain values that are not finite")
        if np.abs(latitude).max() > 90 or np.abs(longitude).max() > 360:
            raise self._error(
                "tie points are outside -90..90 degrees north or -360..360 east"
            )
        # A NaN does not increase either.
        if not ((np.diff(lines) > 0).all() and (np.diff(samples) > 0).all()):
            raise self._error("positions of the tie points do not increase")
        return TiePoints(latitude, longitude, lines, samples)

    def _error(self, message: str, hint: str | None = None) -> SceneError:
        return self._file.error(message, hint)
