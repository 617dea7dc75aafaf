"""Write synthetic scenes in the file format of the AI4Arctic dataset, both versions.

- ``plan_scenes`` and ``ScenePlan`` say what to write;
- ``write_scene`` writes one scene, ready-to-train or raw.

A scene is drawn once, in rows of 40 m pixels. The raw file keeps them; the ready-to-train
file takes the steps of the dataset's authors from there: charts from polygons, blocks of
2 x 2 pixels, aligned masks, standardised values, fill. So the two versions of a plan are
twins. Files are complete or absent.
"""

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import h5netcdf
import h5py
import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.channels import CHANNELS
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.errors import SceneError
from seaice_data.grid import CELL_PIXELS, row_bands
from seaice_data.synthetic.fields import Float32, interpolate, label_rows
from seaice_data.synthetic.ice import make_surface
from seaice_data.synthetic.plan import ScenePlan, plan_scenes, tie_points
from seaice_data.synthetic.sensors import (
    RADIOMETER_VARIABLES,
    Cover,
    Radar,
    brightness,
    make_weather,
)
from seaice_data.system.staging import staged

__all__ = ["ScenePlan", "plan_scenes", "write_scene"]

# Lines of 80 m drawn at a time: whole 2 km cells, and whole distances between nodes.
_BAND = 8 * CELL_PIXELS

_SAR_DIMS = ("sar_lines", "sar_samples")
_CELL_DIMS = ("2km_grid_lines", "2km_grid_samples")
_TIE_DIMS = ("sar_sample_2dgrid_points", "sar_line_2dgrid_points")

# Upper bounds of the distance zones in km; zone 0 is land.
_ZONE_BOUNDS_KM = np.concatenate(
    [
        [0, 0.5],
        np.arange(1, 20),
        np.arange(20, 50, 5),
        np.arange(50, 100, 10),
        np.arange(100, 301, 25),
    ]
)
_WEATHER_ATTRIBUTES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "u10m_rotated": ("m/s", "10 metre wind along the SAR samples"),
        "v10m_rotated": ("m/s", "10 metre wind along the SAR lines"),
        "t2m": ("K", "2 metre air temperature"),
        "skt": ("K", "skin temperature"),
        "tcwv": ("kg/m2", "total column water vapour"),
        "tclw": ("kg/m2", "total column cloud liquid water"),
    }
)


def write_scene(
    folder: Path, plan: ScenePlan, version: Literal["ready", "raw"] = "ready"
) -> tuple[Path, ...]:
    """Write one scene; equal plans give equal files.

    Parameters
    ----------
    folder
        Where to write; it must exist.
    plan
        The scene.
    version
        ``"ready"`` for ``<id>_prep.nc``, where a test scene has its charts apart in
        ``<id>_prep_reference.nc``; ``"raw"`` for 40 m pixels with polygons and egg codes.

    Returns
    -------
    tuple of Path
        The files, whole.

    Raises
    ------
    SceneError
        If one of them exists already.

    Notes
    -----
    Of 5000 x 5200 pixels the ready version has 490 MB, the raw one 1.7 GB.
    """
    paths = scene_paths(folder, plan, version)
    for path in paths:
        if path.exists():
            raise SceneError(
                f"scene {plan.id} is there already: {str(path)!r}",
                hint="move it away, or choose another folder",
            )
    scene = _Scene(plan)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(_whole_file(path)) for path in paths]
        if version == "raw":
            _write_raw(files[0], scene)
        else:
            _write_ready(files, scene)
    return paths


def scene_paths(folder: Path, plan: ScenePlan, version: str) -> tuple[Path, ...]:
    """Return the files of a scene: one, or two for a test scene that is ready to train."""
    if version == "raw":
        return (folder / plan.raw_name,)
    path = folder / f"{plan.id}_prep.nc"
    return (path, folder / f"{plan.id}_prep_reference.nc") if plan.is_test else (path,)


def n_bytes(plan: ScenePlan, version: str) -> int:
    """Return what the files of a scene need on the disk, or a little more."""
    # SAR, angle or polygons, and zones are float32; charts are bytes, cells 25 x 25 pixels.
    bytes_a_pixel = 4 * 4 * 4 if version == "raw" else 4 * 4 + 3
    cells = 20 * 8 / CELL_PIXELS**2
    return int(plan.height * plan.width * (bytes_a_pixel + cells) * 1.01) + 200_000


def distance_zones(km: Float32) -> Float32:
    """Return the zones of distances to land, 0 to 41.

    Examples
    --------
    >>> distance_zones(np.array([-2, 0.3, 0.5, 0.6, 1.5, 20, 21, 300, 301], np.float32))
    array([ 0.,  1.,  1.,  2.,  3., 21., 22., 40., 41.], dtype=float32)
    """
    # All bounds are whole halves of a kilometre, so a look-up replaces the search.
    halves = np.arange(2 * int(_ZONE_BOUNDS_KM[-1]) + 2)
    zone = np.searchsorted(_ZONE_BOUNDS_KM, halves / 2).astype(np.float32)
    return zone.take(np.ceil(2 * km).clip(0, halves[-1]).astype(np.intp))


class _Band(NamedTuple):
    """Rows of 40 m pixels."""

    rows: slice
    hh: Float32
    hv: Float32
    polygon_id: Float32
    zone: Float32


class _Scene:
    """Everything that both versions of a file are made from."""

    def __init__(self, plan: ScenePlan) -> None:
        self.plan = plan
        self.ties = tie_points(plan)
        self.surface = make_surface(plan)
        self.weather = make_weather(plan, self.surface)
        self.n_cells = tuple(n // (2 * CELL_PIXELS) for n in plan.raw_shape)
        self.sar_range = np.array([[np.inf, -np.inf], [np.inf, -np.inf]])
        self._cover: list[Cover] = []

    def bands(self) -> Iterator[_Band]:
        """Draw the scene from top to bottom, once."""
        radar = Radar(self.plan, self.surface, self.weather, self.ties)
        n_lines = self.plan.raw_shape[0]
        for half in row_bands(-(-n_lines // 2), _BAND):
            seen = radar.look(half)
            self._note(seen.hh, seen.hv, seen.cover)
            rows = slice(2 * half.start, 2 * half.start + len(seen.hh))
            yield _Band(rows, seen.hh, seen.hv, *self._draw_map(rows))

    def cells(self) -> dict[str, FloatArray]:
        """Return the 2 km fields, float64; after all bands."""
        cover = Cover(*map(np.concatenate, zip(*self._cover, strict=True)))
        weather = {name: getattr(self.weather, name) for name in _WEATHER_ATTRIBUTES}
        return brightness(self.plan, cover, self.weather) | weather

    def _draw_map(self, rows: slice) -> tuple[Float32, Float32]:
        """Return polygon ids, NaN where there is none, and distance zones."""
        surface, width = self.surface, self.plan.raw_shape[1]
        y = np.arange(rows.start, rows.stop) / surface.spacing
        x = np.arange(width) / surface.spacing
        chart = surface.chart
        labels = label_rows(chart.scores, chart.labels, rows, width, surface.spacing)
        polygon_id = surface.ids.astype(np.float32)[labels]
        polygon_id[interpolate(surface.extent, y, x) <= 0] = np.nan
        return polygon_id, distance_zones(interpolate(surface.land_km, y, x))

    def _note(self, hh: Float32, hv: Float32, cover: Cover) -> None:
        """Remember the range of the backscatter and the mean cover of cells."""
        for known, plane in zip(self.sar_range, (hh, hv), strict=True):
            known[0] = np.fmin(known[0], np.fmin.reduce(plane, axis=None))
            known[1] = np.fmax(known[1], np.fmax.reduce(plane, axis=None))
        done = sum(len(part.ice) for part in self._cover)
        n_rows = min(len(cover.ice) // CELL_PIXELS, self.n_cells[0] - done)
        self._cover.append(
            Cover(*(_cell_means(p, (n_rows, self.n_cells[1])) for p in cover))
        )


def _cell_means(plane: FloatArray, n_cells: tuple[int, int]) -> FloatArray:
    """Return the means of whole cells."""
    n_y, n_x = n_cells
    whole = plane[: n_y * CELL_PIXELS, : n_x * CELL_PIXELS]
    # A last band may be too short for a cell; then there are no rows to reshape.
    columns = whole.reshape(n_y, CELL_PIXELS, whole.shape[1]).sum(axis=1, dtype=np.float64)
    means: FloatArray = columns.reshape(n_y, n_x, CELL_PIXELS).mean(axis=2) / CELL_PIXELS
    return means


def _write_ready(files: list[h5netcdf.File], scene: _Scene) -> None:
    """Write the ready-to-train version; the charts go to the last of the files."""
    plan = scene.plan
    main, reference = files[0], files[-1]
    for file in files:
        file.attrs.update(
            {
                "scene_id": f"{plan.id}_prep.nc",
                "original_id": plan.raw_name,
                "ice_service": plan.service,
                "flip": 0,
                "pixel_spacing": 80,
            }
        )
    sizes = dict(zip(_SAR_DIMS, (plan.height, plan.width), strict=True))
    grids = dict.fromkeys(_TIE_DIMS, len(scene.ties.lines)) | _cell_sizes(scene)
    main.dimensions = sizes | grids
    if reference is not main:
        reference.dimensions = sizes
    for chart in CHARTS:
        attributes = {"polygon": f"{chart.long_name} by polygon", "chart_fill_value": 255}
        _create(reference, chart.name, _SAR_DIMS, np.uint8, attributes)
    for name in ("latitude", "longitude"):
        grid = _create(main, f"sar_grid2d_{name}", _TIE_DIMS, np.float64, {})
        grid[:] = getattr(scene.ties, name)
    for name, attributes in _sar_attributes(scene).items():
        fill = {} if name == "distance_map" else {"variable_fill_value": 0}
        _create(main, name, _SAR_DIMS, np.float32, attributes | fill)

    for band in scene.bands():
        rows, planes = _ready_planes(scene, band)
        for name, plane in planes.items():
            (reference if plane.dtype == np.uint8 else main)[name][rows] = plane
    _write_range(main, scene)
    _write_cells(main, scene, np.float32)


def _ready_planes(
    scene: _Scene, band: _Band
) -> tuple[slice, dict[str, NDArray[np.uint8] | Float32]]:
    """Take the authors' steps from raw rows to ready-to-train ones."""
    plan, table = scene.plan, PolygonTable.parse(scene.surface.rows)
    rows = slice(band.rows.start // 2, band.rows.stop // 2)
    charts = _block_maxima(paint_charts(band.polygon_id, table))[:, : plan.width]
    planes = {
        name: _block_means(plane)[:, : plan.width]
        for name, plane in (
            ("nersc_sar_primary", band.hh),
            ("nersc_sar_secondary", band.hv),
            ("sar_incidenceangle", _incidence(scene, band.rows)),
            ("distance_map", band.zone),
        )
    }
    is_valid = (charts[..., 0] != CHART_FILL) & ~np.isnan(planes["nersc_sar_primary"])
    for name, plane in planes.items():
        mean, std = _STANDARD[name]
        plane -= np.float32(mean)
        plane /= np.float32(std)
        if name != "distance_map":
            plane[~is_valid] = 0
    charts[~is_valid] = CHART_FILL
    return rows, {c.name: charts[..., i] for i, c in enumerate(CHARTS)} | planes


_STANDARD = {c.variable: (c.mean, c.std) for c in CHANNELS if c.variable}


def _incidence(scene: _Scene, rows: slice) -> Float32:
    """Interpolate the tie points to raw rows; lines and samples add up."""
    ties = scene.ties
    across = np.interp(np.arange(scene.plan.raw_shape[1]), ties.samples, ties.incidence[0])
    lines = np.arange(rows.start, rows.stop)
    along = np.interp(lines, ties.lines, ties.incidence[:, 0] - ties.incidence[0, 0])
    angle: Float32 = (along[:, None] + across).astype(np.float32)
    return angle


def _block_means(plane: Float32) -> Float32:
    """Return the means of 2 x 2 pixels; NaN in one of them makes NaN."""
    height, width = (n // 2 * 2 for n in plane.shape)
    pairs = plane[0:height:2, :width] + plane[1:height:2, :width]
    means: Float32 = pairs[:, 0::2] + pairs[:, 1::2]
    means *= np.float32(0.25)
    return means


def _block_maxima(charts: ChartArray) -> ChartArray:
    """Return the maxima of 2 x 2 pixels: the higher class wins, and 255 over all."""
    height, width = (n // 2 * 2 for n in charts.shape[:2])
    pairs = np.maximum(charts[0:height:2, :width], charts[1:height:2, :width])
    return np.maximum(pairs[:, 0::2], pairs[:, 1::2])


def _write_raw(file: h5netcdf.File, scene: _Scene) -> None:
    """Write the raw version."""
    plan, surface, ties = scene.plan, scene.surface, scene.ties
    n_ties = ties.incidence.size
    file.dimensions = {
        **dict(zip(_SAR_DIMS, plan.raw_shape, strict=True)),
        "sar_grid_points": n_ties,
        "polygon_codes": len(surface.rows),
        **_cell_sizes(scene),
    }
    file.attrs.update(
        {
            "title": "Synthetic scene in the format of the AI4Arctic Sea Ice Dataset, raw",
            "geometric_info": "Sentinel-1 EW swath, 40 m pixels, not projected",
            "sar_denoise_by_nersc_documentation": "none: noise is part of the synthesis",
        }
    )
    sar = _sar_attributes(scene)
    for name in ("nersc_sar_primary", "nersc_sar_secondary"):
        _create(file, name, _SAR_DIMS, np.float32, sar[name])
    chart_id = {"icechart_id": plan.chart_name}
    about = {"description": "id of the polygon in the ice chart, see polygon_codes"}
    _create(file, "polygon_icechart", _SAR_DIMS, np.float32, about | chart_id)
    _create(file, "distance_map", _SAR_DIMS, np.float32, sar["distance_map"])
    line, sample = np.meshgrid(ties.lines, ties.samples, indexing="ij")
    points = {
        "line": line,
        "sample": sample,
        "latitude": ties.latitude,
        "longitude": ties.longitude,
        "incidenceangle": ties.incidence,
        "height": np.zeros_like(line),
    }
    for name, values in points.items():
        grid = _create(file, f"sar_grid_{name}", ("sar_grid_points",), np.float64, {})
        grid[:] = values.ravel()
    text = h5py.string_dtype()
    codes = _create(file, "polygon_codes", ("polygon_codes",), text, chart_id)
    codes[:] = np.array(surface.rows, dtype=object)

    for band in scene.bands():
        for name, plane in (
            ("nersc_sar_primary", band.hh),
            ("nersc_sar_secondary", band.hv),
            ("polygon_icechart", band.polygon_id),
            ("distance_map", band.zone),
        ):
            file[name][band.rows] = plane
    _write_range(file, scene)
    _write_cells(file, scene, np.float64)
    _write_swaths(file, scene)


def _write_swaths(file: h5netcdf.File, scene: _Scene) -> None:
    """Write which radiometer swath each cell comes from."""
    n_swaths = len(_swaths(scene.plan)[1])
    column = np.arange(scene.n_cells[1]) * n_swaths // scene.n_cells[1]
    swath = np.broadcast_to(column.astype(np.uint8), scene.n_cells)
    for name in ("amsr2_swath_map", "swath_segmentation"):
        _create(file, name, _CELL_DIMS, np.uint8, {})[:] = swath


def _sar_attributes(scene: _Scene) -> dict[str, dict[str, Any]]:
    """Return the attributes of the planes on the SAR grid."""
    upstream = {"upstream_id": scene.plan.upstream_id, "description": "Sigma0 in dB"}
    return {
        "nersc_sar_primary": {"polarisation": "HH"} | upstream,
        "nersc_sar_secondary": {"polarisation": "HV"} | upstream,
        "sar_incidenceangle": {},
        "distance_map": {
            "long_name": "distance to land in zones",
            "zonal_range_description": _zone_description(),
        },
    }


def _zone_description() -> str:
    bounds = [f"{bound:g}" for bound in _ZONE_BOUNDS_KM]
    zones = [f"{i}: {bounds[i - 1]}-{bounds[i]} km" for i in range(1, len(bounds))]
    return "; ".join(["0: land", *zones, f"{len(bounds)}: beyond {bounds[-1]} km"])


def _write_range(file: h5netcdf.File, scene: _Scene) -> None:
    """Note the range of the raw backscatter, in dB."""
    names = ("nersc_sar_primary", "nersc_sar_secondary")
    for name, (low, high) in zip(names, scene.sar_range, strict=True):
        file[name].attrs.update({"min": low, "max": high})


def _write_cells(file: h5netcdf.File, scene: _Scene, dtype: type[np.floating[Any]]) -> None:
    """Write the 2 km fields: kelvin in float64, or standardised in float32."""
    swaths, delays = _swaths(scene.plan)
    for name, field in scene.cells().items():
        attributes: dict[str, Any]
        if name in RADIOMETER_VARIABLES:
            attributes = {
                "AMSR2_swaths": swaths,
                "AMSR2_S1_delays": delays[0] if len(delays) == 1 else np.array(delays),
                "min": field.min(),
                "max": field.max(),
                "description": "AMSR2 brightness temperature in K",
            }
        else:
            units, long_name = _WEATHER_ATTRIBUTES[name]
            attributes = {"units": units, "long_name": long_name}
        mean, std = _STANDARD[name] if dtype is np.float32 else (0.0, 1.0)
        _create(file, name, _CELL_DIMS, dtype, attributes)[:] = (field - mean) / std


def _swaths(plan: ScenePlan) -> tuple[str, list[float]]:
    """Return the names of one or two AMSR2 swaths, and their delays in seconds."""
    rng = plan.rng(70)
    delays = rng.uniform(-7000, 7000, size=rng.integers(1, 3)).round().tolist()
    names = [
        f"GW1AM2_{plan.acquired:%Y%m%d}_{number:03d}D" for number in range(len(delays))
    ]
    return (names[0] if len(names) == 1 else str(names)), delays


def _cell_sizes(scene: _Scene) -> dict[str, int]:
    return dict(zip(_CELL_DIMS, scene.n_cells, strict=True))


def _create(
    file: h5netcdf.File,
    name: str,
    dims: tuple[str, ...],
    dtype: Any,
    attributes: Mapping[str, Any],
) -> Any:
    """Create a contiguous variable; floats say that NaN is their fill."""
    options: dict[str, Any] = {}
    if np.dtype(dtype).kind == "f":
        # Every value is written, so the file need not be filled with NaN before.
        options = {"fillvalue": np.dtype(dtype).type(np.nan), "fill_time": "never"}
    variable = file.create_variable(name, dims, dtype, **options)
    variable.attrs.update(attributes)
    return variable


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[h5netcdf.File]:
    """Open a file that gets its name when it is complete, and goes away otherwise."""
    with staged(path.parent) as place:
        part = place / path.name
        with _Disk(part, "x+") as disk:
            try:
                with h5netcdf.File(disk, "w") as file:
                    yield file
            finally:
                disk.raise_refused(path.parent)
        part.replace(path)


class _Disk(io.FileIO):
    """A new file that keeps to itself what it could not write, until it is asked.

    HDF5 writes again when it closes a file, and crashes when the disk is still full.
    """

    _refused: OSError | None = None

    def write(self, content: Any) -> int:
        """Write all of `content`, or nothing any more."""
        view = memoryview(content).cast("B")
        n_written = 0
        try:
            while self._refused is None and n_written < len(view):
                n_written += super().write(view[n_written:]) or 0
        except OSError as error:
            self._refused = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Give the file its size, unless the disk refused something."""
        if self._refused is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self._refused = error
        return size or 0

    def raise_refused(self, folder: Path) -> None:
        """Raise an error about what could not be written to a folder."""
        if self._refused is not None:
            reason = self._refused.strerror
            raise SceneError(
                f"cannot write {str(folder)!r}: {reason}",
                hint="fix this, then run the same command again to continue",
            ) from self._refused
