"""Open and check one AI4Arctic netCDF file, of either version.

``open_scene`` looks into the file to tell them apart:

- *ready* ("ready to train"): 80 m, standardised, fill 0, charts painted as classes; test
  files have no charts, which then come from the ``_reference`` file beside them;
- *raw*: 40 m, physical units, NaN as fill, a polygon map with a table of egg codes. It is
  brought to the form of a ready file by the dataset authors' own steps.

Both give the same: standardised planes on the 80 m grid with NaN as fill, charts with 255.
SAR planes are read in bands of rows, so memory does not grow with the scene.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.channels import CHANNELS, Channel, Group, find_channel
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.encode import TiePoints, tie_point_plane
from seaice_data.errors import SceneError
from seaice_data.grid import CELL_PIXELS, Grid, tie_point_positions
from seaice_data.icecodes import PolygonTable, paint_charts

SAR_GRID = tuple(find_channel(n) for n in ("hh", "hv", "incidence_angle", "distance_map"))
"""Channels on the SAR grid, in the order in which `Scene.read_band` stacks them."""

CELL_GRID = tuple(c for c in CHANNELS if c.group in (Group.AMSR2, Group.ERA5))
"""Channels on the 2 km grid."""

NO_POLYGON = -1
"""Stands in planes of polygon ids where there is no polygon."""

SPACING_M = 80.0
"""Pixel spacing of ready files, and of every scene as this module gives it."""

_ID = re.compile(r"(\d{8}T\d{6})_(cis|dmi)")
_RAW_NAME = re.compile(r"_(\d{8}T\d{6})_\d{8}T\d{6}_.*_icechart_(cis|dmi)_")
_REGION = re.compile(r"_icechart_(?:cis_([A-Z]+)_|dmi_\d+_([A-Za-z]+)_)")
_CACHE_BYTES = 64 * 2**20  # one row of chunks per dataset, so that no chunk inflates twice


@dataclass(frozen=True, slots=True)
class Band:
    """A band of rows of a scene at 80 m."""

    planes: FloatArray
    """The channels `SAR_GRID`, shape ``(4, rows, x)``: standardised, float32, NaN where
    there is no SAR; the distance map has no fill."""

    charts: ChartArray
    """Shape ``(chart, rows, x)``; 255 is fill, everywhere if the scene has no chart."""

    polygon_ids: IntArray | None
    """Shape ``(rows, x)``; `NO_POLYGON` where there is none. Raw files only."""


class Scene(ABC):
    """One open netCDF file; a context manager. Made by `open_scene`."""

    version: str
    """``ready`` or ``raw``."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        # An open dataset keeps its chunks: without it every band inflates them again.
        self._opened: dict[tuple[str | None, int], h5py.Dataset] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._opened.clear()
        self._file.close()

    @property
    @abstractmethod
    def id(self) -> str:
        """Acquisition time and ice service, as ``20180607T184326_dmi``."""

    @property
    @abstractmethod
    def original_name(self) -> str:
        """Name of the raw file; empty if unknown."""

    @property
    @abstractmethod
    def grid(self) -> Grid:
        """Shape at 80 m."""

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
        """Whether the file itself holds no chart, as test files of the challenge."""

    @property
    @abstractmethod
    def polygons(self) -> PolygonTable | None:
        """Egg codes of the polygons of the chart. Raw files only."""

    @abstractmethod
    def read_band(self, rows: slice) -> Band:
        """Read a band of rows at 80 m."""

    @property
    def service(self) -> str:
        """Ice service that drew the chart: ``cis`` or ``dmi``."""
        return self.id[-3:]

    @property
    def acquired(self) -> datetime:
        """Start of the acquisition, UTC."""
        return datetime.strptime(self.id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)

    @property
    def region(self) -> str:
        """Chart region of the ice service; empty if unknown."""
        match = _REGION.search(self.original_name)
        return (match[1] or match[2]) if match else ""

    @property
    def cell_shape(self) -> tuple[int, int]:
        """Shape of the 2 km grid."""
        height, width = self._dataset(CELL_GRID[0].variable).shape
        return height, width

    def read_cells(self, channel: Channel) -> FloatArray:
        """Read a channel of `CELL_GRID`: standardised, float32, NaN is fill."""
        values = self._read(self._dataset(channel.variable))
        return self._standardise(values, channel).astype(np.float32)

    @abstractmethod
    def _standardise(self, values: FloatArray, channel: Channel) -> FloatArray:
        """Bring values as the file holds them to mean 0 and deviation 1."""

    def _check(self) -> None:
        """Refuse a file that lacks a variable or whose shapes do not fit together."""
        for channel in (*SAR_GRID, *CELL_GRID):
            if channel.variable != "sar_incidenceangle" or self.version == "ready":
                self._dataset(channel.variable)
        sar = self._dataset(SAR_GRID[0].variable).shape
        self._check_shapes(sar)
        expected = (self.grid.height // CELL_PIXELS, self.grid.width // CELL_PIXELS)
        for channel in CELL_GRID:
            shape = self._dataset(channel.variable).shape
            if any(abs(n - e) > 1 for n, e in zip(shape, expected, strict=True)):
                raise self._error(
                    f"{channel.variable!r} has {shape[0]} x {shape[1]} cells, which does "
                    f"not fit {sar[0]} x {sar[1]} SAR pixels"
                )
            if shape != self.cell_shape:
                raise self._error(f"{channel.variable!r} differs in shape from other cells")

    def _check_shapes(self, sar: tuple[int, int]) -> None:
        """Refuse planes on the SAR grid that differ in shape."""
        for name in self._sar_variables():
            shape = self._dataset(name).shape
            if shape != sar:
                raise self._error(f"{name!r} has shape {shape}, the SAR {sar}")

    def _no_charts(self, rows: slice) -> ChartArray:
        """Return a band without a chart."""
        shape = (len(CHARTS), rows.stop - rows.start, self.grid.width)
        return np.full(shape, CHART_FILL, np.uint8)

    @abstractmethod
    def _sar_variables(self) -> tuple[str, ...]:
        """Names of the variables on the SAR grid of this file."""

    def _dataset(self, name: str | None, n_axes: int = 2) -> h5py.Dataset:
        """Return a variable, or say that it is missing or has the wrong form."""
        if (name, n_axes) in self._opened:
            return self._opened[name, n_axes]
        dataset = self._file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            raise self._error(f"variable {name!r} is missing")
        if len(dataset.shape) != n_axes or 0 in dataset.shape:
            raise self._error(f"{name!r} has shape {dataset.shape}, not {n_axes} axes")
        if dataset.dtype.kind not in "fiu":
            raise self._error(f"{name!r} holds {dataset.dtype}, not numbers")
        self._opened[name, n_axes] = dataset
        return dataset

    def _read(self, dataset: h5py.Dataset, index: Any = ()) -> Any:
        """Read values; undo packing and turn a declared fill value into NaN."""
        name = dataset.name.lstrip("/")
        try:
            values = dataset[index]
        except (OSError, RuntimeError) as error:
            raise self._error(f"cannot read {name!r}: {error}") from error
        attributes = dataset.attrs
        if "scale_factor" not in attributes and "add_offset" not in attributes:
            fill = attributes.get("_FillValue")
            if fill is None or values.dtype.kind != "f" or np.isnan(fill).all():
                return values
        fill = attributes.get("_FillValue")
        scaled = values * attributes.get("scale_factor", 1.0) + attributes.get(
            "add_offset", 0.0
        )
        return scaled if fill is None else np.where(values == fill, np.nan, scaled)

    def _text(self, name: str) -> str:
        """Return a global attribute as text; empty if absent."""
        value = self._file.attrs.get(name, "")
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if isinstance(value, str) else ""

    def _error(self, message: str, hint: str | None = None) -> SceneError:
        return SceneError(f"{str(self.path)!r}: {message}", hint=hint)


class ReadyScene(Scene):
    """A ready-to-train file: 80 m, standardised, charts painted."""

    version = "ready"

    def __init__(self, path: Path, file: h5py.File) -> None:
        super().__init__(path, file)
        self._charts = file
        reference = reference_of(path)
        if "SIC" not in file and reference is not None:
            self._charts = _open_file(reference)
        self._check()

    def close(self) -> None:
        """Close the file, and its reference file."""
        super().close()
        self._charts.close()

    @cached_property
    def id(self) -> str:
        """Acquisition time and ice service, from the attribute ``scene_id``."""
        for text in (self._text("scene_id"), self.path.name):
            if match := _ID.match(text):
                return match[0]
        raise self._error(
            f"attribute 'scene_id' is {self._text('scene_id')!r}, not like "
            "'20180607T184326_dmi_prep.nc'"
        )

    @property
    def original_name(self) -> str:
        """Name of the raw file, from the attribute ``original_id``."""
        return self._text("original_id")

    @cached_property
    def grid(self) -> Grid:
        """Shape of the SAR planes."""
        height, width = self._dataset(SAR_GRID[0].variable).shape
        return Grid(height, width, SPACING_M)

    @cached_property
    def tie_points(self) -> TiePoints:
        """Geolocation grid; the file does not hold the positions, so they are rebuilt."""
        latitude = self._read(self._dataset("sar_grid2d_latitude")).astype(np.float64)
        longitude = self._read(self._dataset("sar_grid2d_longitude")).astype(np.float64)
        return _checked_tie_points(
            self,
            latitude,
            longitude,
            tie_point_positions(self.grid.height, latitude.shape[0]),
            tie_point_positions(self.grid.width, latitude.shape[1]),
        )

    @property
    def has_charts(self) -> bool:
        """Whether this file or its reference file holds the charts."""
        return "SIC" in self._charts

    @property
    def is_test_file(self) -> bool:
        """Whether the charts are missing, or in a reference file."""
        return "SIC" not in self._file

    @property
    def polygons(self) -> None:
        """None: the charts come painted."""
        return

    def read_band(self, rows: slice) -> Band:
        """Read a band; pixels where HH, HV and incidence angle are all fill become NaN."""
        planes = np.empty(
            (len(SAR_GRID), rows.stop - rows.start, self.grid.width), np.float32
        )
        invalid = np.ones(planes.shape[1:], bool)
        for plane, channel in zip(planes, SAR_GRID, strict=True):
            dataset = self._dataset(channel.variable)
            plane[:] = self._read(dataset, rows)
            if channel.name != "distance_map":
                fill = np.float32(dataset.attrs.get("variable_fill_value", 0))
                invalid &= (plane == fill) | np.isnan(plane)
        # A valid pixel may be 0 in one plane by rounding, never in all three at once.
        planes[:3, invalid] = np.nan
        return Band(planes, self._read_charts(rows), None)

    def _read_charts(self, rows: slice) -> ChartArray:
        """Read a band of the painted charts; all fill if the scene has none."""
        charts = self._no_charts(rows)
        if self.has_charts:
            for plane, chart in zip(charts, CHARTS, strict=True):
                values = self._read(self._opened_charts[chart.name], rows)
                plane[:] = _checked_classes(self, chart.name, values, chart.n_classes)
        return charts

    @cached_property
    def _opened_charts(self) -> dict[str, h5py.Dataset]:
        return {chart.name: self._charts[chart.name] for chart in CHARTS}

    def _standardise(self, values: FloatArray, channel: Channel) -> FloatArray:  # noqa: ARG002
        return values  # the file is standardised, with the constants of `channels`

    def _check(self) -> None:
        super()._check()
        if not self.has_charts:
            return
        for chart in CHARTS:
            dataset = self._charts.get(chart.name)
            if not isinstance(dataset, h5py.Dataset):
                raise self._error(f"chart {chart.name!r} is missing")
            if dataset.shape != self.grid.shape:
                raise self._error(
                    f"chart {chart.name!r} has shape {dataset.shape}, "
                    f"the SAR {self.grid.shape}"
                )

    def _sar_variables(self) -> tuple[str, ...]:
        return tuple(str(channel.variable) for channel in SAR_GRID)


class RawScene(Scene):
    """A raw file: 40 m, physical units, polygons with egg codes.

    Brought to 80 m by the dataset authors' steps: mean of 2 x 2 SAR pixels, NaN if any is;
    highest of 2 x 2 classes, fill above all; charts masked where there is no SAR and SAR
    where there is no chart; standardised with the published constants.
    """

    version = "raw"

    def __init__(self, path: Path, file: h5py.File, dominance_threshold: float) -> None:
        super().__init__(path, file)
        self._threshold = dominance_threshold
        self._check()

    @cached_property
    def id(self) -> str:
        """Acquisition time and ice service; only the file's name tells them."""
        match = _RAW_NAME.search(self.path.name)
        if match is None:
            raise self._error(
                "cannot tell acquisition time and ice service from the file's name",
                hint="raw files end in _<start>_<stop>_..._icechart_<cis or dmi>_....nc",
            )
        return f"{match[1]}_{match[2]}"

    @property
    def original_name(self) -> str:
        """Name of the file."""
        return self.path.name

    @cached_property
    def grid(self) -> Grid:
        """Half the shape of the SAR planes, rounded down."""
        height, width = self._dataset(SAR_GRID[0].variable).shape
        return Grid(height // 2, width // 2, SPACING_M)

    @cached_property
    def tie_points(self) -> TiePoints:
        """Geolocation grid at its recorded positions."""
        lines, samples = self._tie_positions
        return _checked_tie_points(
            self,
            self._tie_plane("sar_grid_latitude"),
            self._tie_plane("sar_grid_longitude"),
            (lines - 0.5) / 2,
            (samples - 0.5) / 2,
        )

    @property
    def has_charts(self) -> bool:
        """Whether the file holds polygons and their codes."""
        return "polygon_icechart" in self._file and "polygon_codes" in self._file

    @property
    def is_test_file(self) -> bool:
        """Whether there are no polygons."""
        return not self.has_charts

    @cached_property
    def polygons(self) -> PolygonTable | None:
        """Egg codes of the polygons; none without a chart."""
        if not self.has_charts:
            return None
        try:
            rows = self._file["polygon_codes"].asstr()[()]
            return PolygonTable.parse([str(row) for row in rows])
        except (OSError, TypeError, UnicodeDecodeError, SceneError) as error:
            raise self._error(f"cannot read 'polygon_codes': {error}") from error

    def read_band(self, rows: slice) -> Band:
        """Read a band; NaN where any of the four 40 m pixels is, or where no chart is."""
        height = rows.stop - rows.start
        planes = np.empty((len(SAR_GRID), height, self.grid.width), np.float32)
        for plane, channel in zip(planes, SAR_GRID, strict=True):
            if channel.name == "incidence_angle":
                values = self._incidence_angle(rows)
            else:
                values = self._mean_of_four(self._raw_band(str(channel.variable), rows))
            plane[:] = self._standardise(values, channel)
        invalid = np.isnan(planes[0]) | np.isnan(planes[1])
        charts, ids = self._paint(rows) if self.polygons else (self._no_charts(rows), None)
        if ids is not None:
            invalid |= charts[0] == CHART_FILL
            ids[invalid] = NO_POLYGON
        planes[:3, invalid] = np.nan
        charts[:, invalid] = CHART_FILL
        return Band(planes, charts, ids)

    def _paint(self, rows: slice) -> tuple[ChartArray, IntArray]:
        """Paint polygons at 40 m; keep the highest of 2 x 2 classes, and the first id."""
        assert self.polygons is not None  # noqa: S101 - the caller asked
        ids = self._raw_band("polygon_icechart", rows)
        painted = np.moveaxis(paint_charts(ids, self.polygons, self._threshold), -1, 0)
        n, height, width = painted.shape
        blocks = painted.reshape(n, height // 2, 2, width // 2, 2)
        first = np.nan_to_num(ids[0::2, 0::2], nan=NO_POLYGON).astype(np.int32)
        return blocks.max(axis=2).max(axis=-1), first

    def _raw_band(self, name: str, rows: slice) -> FloatArray:
        """Read the 40 m pixels under a band of 80 m rows."""
        dataset = self._dataset(name)
        index = (slice(2 * rows.start, 2 * rows.stop), slice(0, 2 * self.grid.width))
        return np.asarray(self._read(dataset, index))

    @staticmethod
    def _mean_of_four(values: FloatArray) -> FloatArray:
        rows = values[0::2] + values[1::2]
        mean: FloatArray = (rows[:, 0::2] + rows[:, 1::2]) / 4
        return mean

    @cached_property
    def _tie_positions(self) -> tuple[FloatArray, FloatArray]:
        """Positions of the tie points along y and x, in 40 m pixels."""
        lines = self._tie_plane("sar_grid_line")
        samples = self._tie_plane("sar_grid_sample")
        return lines[:, 0], samples[0]

    def _tie_plane(self, name: str) -> FloatArray:
        """Read tie points as a plane, lines first."""
        values = self._read(self._dataset(name, n_axes=1)).astype(np.float64)
        side = round(values.size**0.5)
        if side < 2 or side * side != values.size:
            raise self._error(f"{name!r} has {values.size} points, which is no square grid")
        plane: FloatArray = values.reshape(side, side)
        return plane

    def _incidence_angle(self, rows: slice) -> FloatArray:
        """Interpolate the tie points' angles to the centres of 80 m pixels."""
        lines, samples = self._tie_positions
        return tie_point_plane(
            self._tie_plane("sar_grid_incidenceangle"),
            (lines - 0.5) / 2,
            (samples - 0.5) / 2,
            np.arange(rows.start, rows.stop, dtype=np.float64),
            np.arange(self.grid.width, dtype=np.float64),
        )

    def _standardise(self, values: FloatArray, channel: Channel) -> FloatArray:
        return np.asarray((values - channel.mean) / channel.std)

    def _sar_variables(self) -> tuple[str, ...]:
        names = ("nersc_sar_primary", "nersc_sar_secondary", "distance_map")
        return (*names, "polygon_icechart") if self.has_charts else names


def open_scene(path: Path, dominance_threshold: float = 0.65) -> Scene:
    """Open an AI4Arctic file of either version.

    Parameters
    ----------
    path
        A netCDF-4 file.
    dominance_threshold
        Share of the ice in a polygon from which a type is its class; raw files only.

    Raises
    ------
    SceneError
        If the file cannot be read, is not a scene, or lacks something.
    """
    file = _open_file(path)
    try:
        if "sar_grid2d_latitude" in file:
            return ReadyScene(path, file)
        if "sar_grid_latitude" in file:
            return RawScene(path, file, dominance_threshold)
    except BaseException:
        file.close()
        raise
    file.close()
    raise SceneError(
        f"{str(path)!r}: not an AI4Arctic scene",
        hint="it has neither 'sar_grid2d_latitude' (ready to train) nor "
        "'sar_grid_latitude' (raw)",
    )


def find_scenes(folder: Path) -> tuple[Path, ...]:
    """Return the netCDF files in a folder and below it, reference files left out.

    Raises
    ------
    SceneError
        If there is no such folder or no netCDF file in it.
    """
    if folder.is_file():
        return (folder,)
    if not folder.is_dir():
        raise SceneError(f"no folder at {str(folder)!r}")
    paths = tuple(p for p in sorted(folder.rglob("*.nc")) if not _is_reference(p))
    if not paths:
        raise SceneError(
            f"no netCDF file in {str(folder)!r}",
            hint="AI4Arctic scenes end in .nc; `seaice synth` writes some to try",
        )
    return paths


def reference_of(path: Path) -> Path | None:
    """Return the ``_reference`` file with the charts of a test scene, if it exists."""
    reference = path.with_name(path.stem + "_reference.nc")
    return reference if reference.is_file() else None


def _is_reference(path: Path) -> bool:
    """Whether a file only brings the charts of the scene beside it."""
    stem = path.stem.removesuffix("_reference")
    return stem != path.stem and path.with_name(stem + ".nc").is_file()


def _open_file(path: Path) -> h5py.File:
    """Open a netCDF-4 file, or say what it is instead."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(8)
        if magic[:3] == b"CDF":
            raise SceneError(
                f"{str(path)!r}: netCDF classic format, not netCDF-4",
                hint="convert it with `nccopy -k nc4`",
            )
        return h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES)
    except OSError as error:
        reason = str(error).strip().removeprefix("Unable to synchronously open file ")
        raise SceneError(
            f"{str(path)!r}: cannot read it as netCDF-4: {reason.strip('()')}",
            hint="the file may be truncated; fetch it again",
        ) from error


def _checked_tie_points(
    scene: Scene,
    latitude: FloatArray,
    longitude: FloatArray,
    lines: FloatArray,
    samples: FloatArray,
) -> TiePoints:
    """Refuse tie points that cannot place a pixel."""
    if latitude.shape != longitude.shape or min(latitude.shape) < 2:
        raise scene._error(f"tie points have shapes {latitude.shape} and {longitude.shape}")
    if not (np.isfinite(latitude).all() and np.isfinite(longitude).all()):
        raise scene._error("tie points hold values that are not finite")
    if np.abs(latitude).max() > 90 or np.abs(longitude).max() > 360:
        raise scene._error("tie points lie outside -90..90 degrees north or -360..360 east")
    if (np.diff(lines) <= 0).any() or (np.diff(samples) <= 0).any():
        raise scene._error("positions of the tie points do not increase")
    return TiePoints(latitude, longitude, lines, samples)


def _checked_classes(scene: Scene, name: str, values: Any, n_classes: int) -> ChartArray:
    """Return classes as uint8, or say which value is none."""
    values = (
        np.where(np.isnan(values), CHART_FILL, values)
        if values.dtype.kind == "f"
        else values
    )
    wrong = (values != CHART_FILL) & ((values < 0) | (values >= n_classes))
    if wrong.any():
        raise scene._error(
            f"{name} holds {values[wrong].flat[0]}, "
            f"which is no class (0-{n_classes - 1} or 255)"
        )
    return np.asarray(values, np.uint8)
