"""Own scenes: files that `seaice ingest` writes from a satellite product.

80 m, physical units, backscatter as linear power, a polygon map with a table of egg codes
if there is a chart; whole groups of channels may be absent. docs/scene-file.md has it all.
"""

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, Mask
from seaice_data.channels import CHANNELS, Channel, find_channels
from seaice_data.charts import CHART_FILL
from seaice_data.conventions import DENOISINGS
from seaice_data.grid import SPACING_M, Grid
from seaice_data.scene_id import SceneId
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.scenes.physical import PhysicalScene
from seaice_data.scenes.scene import (
    CELL_GRID,
    FLOOR_DB,
    KEPT_BESIDE_CHARTS_BYTES,
    NO_POLYGON,
    SAR_GRID,
    Band,
    VariablesAtOnce,
    region_in,
)

HH, HV = "sigma0_hh", "sigma0_hv"
"""Variables of the backscatter."""

_SAR = find_channels(("hh", "hv"))
_VARIABLES: Mapping[str, str] = MappingProxyType({"hh": HH, "hv": HV})
_FLOOR = np.float32(10 ** (FLOOR_DB / 10))
_DECIBELS = np.float32(10 / np.log(10))  # of the natural logarithm


def find_id(file: NetcdfFile) -> SceneId:
    """Return the id of a scene, from the attribute ``scene_id``.

    Raises
    ------
    SceneError
        If it is not an id.
    """
    given = file.text("scene_id")
    if not SceneId.is_one(given):
        raise file.error(
            f"attribute 'scene_id' is {given!r}, not like '20221130T014342_cis'"
        )
    return SceneId(given)


class IngestedScene(PhysicalScene):
    """An own scene, brought to the form of a ready file.

    Backscatter becomes decibels, at least `FLOOR_DB`: where more noise was subtracted than
    there was signal, there is SAR. SAR is masked on land without a polygon, as it is in the
    files from which networks learn; elsewhere outside the chart it is valid. Charts are
    masked where there is no SAR. Values are standardised with the published constants.
    """

    version = "ingested"
    fills = (np.nan, np.nan, np.nan)

    @cached_property
    def id(self) -> SceneId:
        """Acquisition time, and ice service or satellite, from ``scene_id``."""
        return find_id(self._file)

    @cached_property
    def original_name(self) -> str:
        """Name of the satellite product."""
        return self._file.text("source_product")

    @cached_property
    def region(self) -> str:
        """Chart region in the name of the chart; empty if unknown."""
        return region_in(f"_icechart_{self._file.text('icechart_id')}_")

    @cached_property
    def grid(self) -> Grid:
        """Shape of the SAR planes."""
        height, width = self._file.variable(HH).shape
        return Grid(height, width, SPACING_M)

    @cached_property
    def denoising(self) -> str:
        """How noise was removed from HV, or from HH if there is no HV."""
        name = f"denoising_{'hh' if 'hv' in self.absent_channels else 'hv'}"
        found = self._file.text(name)
        if found not in DENOISINGS:
            raise self._error(
                f"attribute {name!r} is {found!r}, not one of {', '.join(DENOISINGS)}"
            )
        return found

    @cached_property
    def absent_channels(self) -> tuple[str, ...]:
        """HV, AMSR2 and ERA5 channels whose variables are absent."""
        absent = [c for c in (*_SAR[1:], *CELL_GRID) if self._name_of(c) not in self._file]
        present = {c.group for c in CELL_GRID if c not in absent}
        for channel in absent:
            if channel.group in present:
                raise self._error(
                    f"variable {self._name_of(channel)!r} is missing",
                    hint=f"other {channel.group.upper()} fields are there; a scene has all "
                    "or none",
                )
        return tuple(channel.name for channel in CHANNELS if channel in absent)

    def read_band(self, rows: slice, charts: ChartArray) -> Band:
        """Read a band; a pixel is valid if it has SAR and is not land without a chart."""
        shape = (rows.stop - rows.start, self.grid.width)
        planes = np.empty((len(SAR_GRID), *shape), np.float32)
        power = np.full((2, *shape), np.nan, np.float32)
        invalid = np.zeros(shape, bool)
        for plane, channel in zip(power, _SAR, strict=True):
            if channel.name not in self.absent_channels:
                self._variable_of(channel).read_rows(rows, plane)
                if self._refuse_infinite(plane, self._name_of(channel)):
                    invalid |= np.isnan(plane)
        zone = SAR_GRID[3]
        self._variable_of(zone).read_rows(rows, planes[3])
        self._refuse_infinite(planes[3], self._name_of(zone))
        is_land = planes[3] < 0.5
        ids = self._paint(rows, charts, 1) if self.polygons else None
        if ids is None:
            charts[...] = CHART_FILL
            invalid |= is_land
        else:
            invalid |= is_land & (ids == NO_POLYGON)
            ids[invalid] = NO_POLYGON
            charts[:, invalid] = CHART_FILL
        np.copyto(power, np.nan, where=invalid)
        for plane, values, channel in zip(planes[:2], power, _SAR, strict=True):
            np.log(np.maximum(values, _FLOOR), out=plane)
            plane *= np.float32(_DECIBELS / channel.std)
            plane -= np.float32(channel.mean / channel.std)
        self._read_angles(rows, planes[2])
        planes[2][invalid] = np.nan
        planes[3] = self._standardise(planes[3], zone)
        is_below: Mask = np.any(power <= _FLOOR, axis=0)
        return Band(planes, ids, power, is_below)

    @cached_property
    def _tie_positions(self) -> tuple[FloatArray, FloatArray]:
        lines, samples = (
            self._file.variable(f"sar_grid_{axis}", n_axes=1).read().astype(np.float64)
            for axis in ("line", "sample")
        )
        shape = self._tie_plane("sar_grid_latitude").shape
        if shape != (lines.size, samples.size):
            raise self._error(
                f"tie points have shape {shape}, their positions "
                f"{(lines.size, samples.size)}"
            )
        return lines, samples

    def _tie_plane(self, name: str) -> FloatArray:
        plane: FloatArray = self._file.variable(name).read().astype(np.float64)
        if not np.isfinite(plane).all():
            raise self._error(f"{name!r} contains values that are not finite")
        return plane

    def _name_of(self, channel: Channel) -> str:
        return _VARIABLES.get(channel.name, str(channel.variable))

    def _sar_variables(self) -> tuple[VariablesAtOnce, ...]:
        names = [HH, "distance_map"]
        if "hv" not in self.absent_channels:
            names.append(HV)
        if self.has_charts:
            names.append("polygon_icechart")
        variables = tuple(self._file.variable(name) for name in names)
        return ((variables, KEPT_BESIDE_CHARTS_BYTES),)

    def _check(self) -> None:
        super()._check()
        _ = self.denoising
