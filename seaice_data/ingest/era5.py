"""Bring the weather of ERA5, or of any analysis with the same fields, to a scene.

A field is interpolated bilinearly on the sphere to the 2 km cells, at the two times around
the acquisition, and linearly between them. The wind is interpolated as a vector in space,
and then turned to the axes of the scene. Only the part of a file that the scene needs is
read.
"""

import logging
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.geolocation import unit_vectors, wrapped
from seaice_data.grid import CELL_PIXELS, cell_centres
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.parts import CellFields
from seaice_data.ingest.weather.grib import WeatherGrib
from seaice_data.ingest.weather.grid import Corners, EarthGrid
from seaice_data.ingest.weather.layers import FIELDS, Layer
from seaice_data.ingest.weather.netcdf import WeatherNetcdf
from seaice_data.scenes.listing import as_paths, list_files
from seaice_data.system.files import file_errors

log = logging.getLogger(__name__)

WIND_CONVENTION = (
    "u10m_rotated is positive towards later samples, v10m_rotated, at right angles to it, "
    "towards later lines; turned from east and north by the direction of the samples in "
    "each cell. AI4Arctic is taken to mean the same by its rotation to the flight "
    "direction; its authors do not say"
)
"""What the components of the wind mean, as files say it."""

_SCALARS = ("t2m", "skt", "tcwv", "tclw")
_WIND = {"u10": "u10m_rotated", "v10": "v10m_rotated"}
_LONGEST_GAP_S = 6 * 3600.0
_SAME_S = 0.5
_SUFFIXES = (".nc", ".nc4", ".netcdf", ".grib", ".grb", ".grib1", ".grib2", ".grb2", ".zip")
_NONE_HINT = (
    "these are needed: 10 metre wind (u10, v10), 2 metre temperature (t2m), skin "
    "temperature (skt), total column water vapour (tcwv) and cloud liquid water (tclw)"
)


def read_era5(paths: str | Path | Iterable[str | Path], frame: Frame) -> CellFields:
    """Interpolate the weather of an analysis to the cells of a scene.

    Parameters
    ----------
    paths
        Files, or folders that are searched with all below them: netCDF of any format, GRIB
        1 or 2, and zips that contain such files, recognised by their content. One file a
        day, or one a variable, go together. If several have the same field at the same
        time, the first one is taken, but ERA5 before its preliminary version.
    frame
        The pixels, places and times of the scene.

    Returns
    -------
    CellFields
        ``u10m_rotated`` and ``v10m_rotated`` in m/s, ``t2m`` and ``skt`` in kelvin,
        ``tcwv`` and ``tclw`` in kg/m2, at `Frame.middle`; those that the files do not have
        are absent, and named in the attribute ``missing_fields``. NaN where the analysis
        has no value at one of the points around a cell that count.

    Raises
    ------
    SceneError
        If a file cannot be read or contains none of the fields, if the files do not cover
        the scene, or the time before and after its middle within 6 hours, or if a field is
        not on a regular grid of latitudes and longitudes. Also if ``eccodes`` is not
        installed and there is GRIB to read.

    Notes
    -----
    The components of the wind are those that AI4Arctic is taken to have: `WIND_CONVENTION`.
    """
    with ExitStack() as opened:
        layers = _find_layers(as_paths(paths), _seconds(frame.middle), opened)
        reader = _Reader(frame)
        fields: dict[str, FloatArray] = {}
        if all(layers[name] for name in _WIND):
            fields |= _rotated_wind(reader, layers)
        fields |= {name: reader.read(layers[name]) for name in _SCALARS if layers[name]}
    names = (*_WIND.values(), *_SCALARS)
    missing = [name for name in names if name not in fields]
    if not fields:
        raise SceneError("the weather files have only one component of the wind")
    attributes = {
        "weather_files": ", ".join(dict.fromkeys(map(_short_name, reader.files))),
        "weather_times": ", ".join(map(_stamp, sorted(reader.times))),
        "weather_interpolation": "bilinear in space, linear in time, to "
        + _stamp(_seconds(frame.middle)),
        "wind_convention": WIND_CONVENTION,
    }
    if reader.versions:
        attributes["expver"] = ", ".join(f"{n:04d}" for n in sorted(reader.versions))
    if missing:
        attributes["missing_fields"] = ", ".join(missing)
        log.info("the weather files have no %s", ", ".join(missing))
    planes = {n: fields[n].astype(np.float32) for n in names if n in fields}
    return CellFields(planes, attributes)


class _Reader:
    """Interpolates fields to a scene; notes what they were made from."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.files: list[str] = []
        self.times: set[float] = set()
        self.versions: set[int] = set()
        self._middle_s = _seconds(frame.middle)
        self._corners: dict[EarthGrid, Corners] = {}
        self._elsewhere: set[EarthGrid] = set()

    def read(self, layers: Sequence[Layer]) -> FloatArray:
        """Return a field in the middle of the acquisition.

        Components of the wind are vectors in space, with an axis for x, y, z.
        """
        near = [
            layer
            for layer in layers
            if abs(layer.time_s - self._middle_s) <= _LONGEST_GAP_S
        ]
        covering = [layer for layer in near if self._covers(layer.grid)]
        if near and not covering:
            raise self._not_there(near[0])
        before, after = self._around(covering, layers)
        values = self._at(covering, before)
        if after > before:
            share = (self._middle_s - before) / (after - before)
            values = values * (1 - share) + self._at(covering, after) * share
        return values

    def _around(
        self, covering: Sequence[Layer], layers: Sequence[Layer]
    ) -> tuple[float, float]:
        """Return the times before and after the middle, or twice the one that it is.

        They are among those that cover the scene; errors name all.
        """
        before, after = self._neighbours(covering)
        if after - before > _LONGEST_GAP_S:
            raise self._not_then(layers, *self._neighbours(layers))
        return before, after

    def _neighbours(self, layers: Sequence[Layer]) -> tuple[float, float]:
        """Return the last time before the middle and the first after it, or infinity."""
        times = np.array([layer.time_s for layer in layers])
        same = times[np.abs(times - self._middle_s) <= _SAME_S]
        if same.size:
            return float(same[0]), float(same[0])
        return (
            float(times.max(initial=-np.inf, where=times < self._middle_s)),
            float(times.min(initial=np.inf, where=times > self._middle_s)),
        )

    def _at(self, layers: Sequence[Layer], time_s: float) -> FloatArray:
        """Return a field at a time; a gap in ERA5 is filled by its preliminary version."""
        # The sort is stable: the first file comes first.
        found = sorted(
            (layer for layer in layers if layer.time_s == time_s),
            key=lambda layer: layer.version or 1,
        )
        values = self._interpolate(found[0])
        for layer in found[1:]:
            is_gap = np.isnan(values)
            if layer.file != found[0].file or layer.version == found[0].version:
                continue
            if is_gap.any():
                values = np.where(is_gap, self._interpolate(layer), values)
        return values

    def _interpolate(self, layer: Layer) -> FloatArray:
        corners = self._corners[layer.grid]
        if layer.field == "u10":
            values = corners.interpolate_vector(layer.read, "east")
        elif layer.field == "v10":
            values = corners.interpolate_vector(layer.read, "north")
        else:
            values = corners.interpolate(layer.read)
        if not np.isnan(values).all():
            self.files.append(layer.file)
            self.times.add(layer.time_s)
            if layer.version is not None:
                self.versions.add(layer.version)
        return values

    def _covers(self, grid: EarthGrid) -> bool:
        """Return whether a grid covers the cells; find the points around them if so."""
        if grid not in self._corners and grid not in self._elsewhere:
            places = self.frame.cell_places
            if grid.covers(*places):
                self._corners[grid] = grid.corners(*places)
            else:
                self._elsewhere.add(grid)
        return grid in self._corners

    def _not_there(self, layer: Layer) -> SceneError:
        latitude, longitude = self.frame.cell_places
        # From the middle of the scene, so that the date line is not in between.
        middle = longitude[longitude.shape[0] // 2, longitude.shape[1] // 2]
        apart = wrapped(longitude - middle)
        west, east = (wrapped(middle + end) for end in (apart.min(), apart.max()))
        return SceneError(
            f"{layer.file!r} has {layer.field!r} for {layer.grid.extent}; the scene is at "
            f"{latitude.min():.2f} to {latitude.max():.2f} north, {west:.2f} to "
            f"{east:.2f} east"
        )

    def _not_then(self, layers: Sequence[Layer], before: float, after: float) -> SceneError:
        field, needed = layers[0].field, _stamp(self._middle_s)
        if np.isfinite(after - before):
            gap = (after - before) / 3600
            return SceneError(
                f"{layers[0].file!r}: the times of {field!r} around {needed} are {gap:.3g} "
                f"hours apart, {_LONGEST_GAP_S / 3600:.0f} at most can be interpolated"
            )
        first = min(layers, key=lambda layer: layer.time_s)
        last = max(layers, key=lambda layer: layer.time_s)
        files = " and ".join(dict.fromkeys((repr(first.file), repr(last.file))))
        whole = self._middle_s // 3600 * 3600
        return SceneError(
            f"{files}: {field!r} is there from {_stamp(first.time_s)} to "
            f"{_stamp(last.time_s)}; the scene was acquired at {needed}",
            hint=f"add the files with {_stamp(whole)} and {_stamp(whole + 3600)}",
        )


def _rotated_wind(reader: _Reader, layers: dict[str, list[Layer]]) -> dict[str, FloatArray]:
    """Return the wind along the samples, and at right angles to them."""
    wind = reader.read(layers["u10"]) + reader.read(layers["v10"])
    samples, lines = _scene_axes(reader.frame)
    components = ((wind * axis).sum(axis=-1) for axis in (samples, lines))
    return dict(zip(_WIND.values(), components, strict=True))


def _scene_axes(frame: Frame) -> tuple[FloatArray, FloatArray]:
    """Return unit vectors along samples and lines in each cell, with an axis for x, y, z.

    The direction of the samples decides both. Tie points on mountains are off along the
    samples, by up to 700 m, which turns lines by two degrees and leaves samples alone.
    """
    rows, columns = (cell_centres(n) for n in frame.cell_shape)
    half = CELL_PIXELS / 2
    up = _vectors(frame, rows, columns)
    samples = _vectors(frame, rows, columns + half) - _vectors(frame, rows, columns - half)
    samples -= (samples * up).sum(axis=-1, keepdims=True) * up
    samples /= np.linalg.norm(samples, axis=-1, keepdims=True)
    lines = np.cross(up, samples)
    later = _vectors(frame, rows + half, columns) - _vectors(frame, rows - half, columns)
    # Negative if the radar looks to the left.
    return samples, lines * np.sign((lines * later).sum())


def _vectors(frame: Frame, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Return the unit vectors of pixel positions."""
    return unit_vectors(*frame.tie_points.places(rows, columns))


def _find_layers(
    paths: Sequence[Path], middle_s: float, opened: ExitStack
) -> dict[str, list[Layer]]:
    """Return the layers of all files by field, in the order of the files.

    Files with layers near to a time stay open; there may be a file for each day of years.
    """
    found: dict[str, list[Layer]] = {name: [] for name in FIELDS}
    for path in paths:
        layers = [
            layer
            for file in _files_below(path)
            for layer in _layers_of(
                file, str(file), middle_s, opened, is_asked=file == path
            )
        ]
        if not layers:
            raise SceneError(
                f"{str(path)!r} has no field of the weather that is known",
                hint=_NONE_HINT,
            )
        for layer in layers:
            found[layer.field].append(layer)
    if not paths:
        raise SceneError("no files with the weather are given", hint=_NONE_HINT)
    return found


def _files_below(path: Path) -> Iterator[Path]:
    """Yield a file, or the files in a folder that may contain weather."""
    with file_errors(path):
        if not path.is_dir():
            yield path
            return
    found: set[Path] = set()
    for suffix in _SUFFIXES:
        listing = list_files(path, suffix)
        for failure in listing.failed:
            raise SceneError(failure.reason, hint=failure.hint)
        found.update(listing.paths)
    yield from sorted(found)


def _layers_of(
    path: Path, name: str, middle_s: float, opened: ExitStack, *, is_asked: bool
) -> Iterator[Layer]:
    """Yield the layers of a file; nothing for a file of another kind, unless asked for."""
    with file_errors(Path(name)):
        if path.exists() and not path.is_file():
            raise SceneError(f"{name!r} is not a regular file")
        with path.open("rb") as stream:
            start = stream.read(4)
    if start == b"GRIB":
        yield from _kept_open(WeatherGrib(path, name), middle_s, opened)
    elif start[:3] == b"CDF" or start == b"\x89HDF":
        yield from _kept_open(WeatherNetcdf(path, name), middle_s, opened)
    elif start == b"PK\x03\x04":
        yield from _layers_in_zip(path, middle_s, opened)
    elif is_asked:
        raise SceneError(f"{name!r} is neither netCDF nor GRIB nor a zip of such files")


def _kept_open(
    file: WeatherGrib | WeatherNetcdf, middle_s: float, opened: ExitStack
) -> tuple[Layer, ...]:
    """Return the layers of a file, and keep it open if one of them may be read."""
    with ExitStack() as opening:
        layers = opening.enter_context(closing(file)).layers()
        if any(abs(layer.time_s - middle_s) <= _LONGEST_GAP_S for layer in layers):
            opened.push(opening.pop_all())
    return layers


def _layers_in_zip(path: Path, middle_s: float, opened: ExitStack) -> Iterator[Layer]:
    """Unpack the members of a zip that may contain weather, and yield their layers."""
    folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="seaice.")))
    try:
        archive = opened.enter_context(zipfile.ZipFile(path))
        for number, member in enumerate(archive.infolist()):
            inside = Path(member.filename)
            if inside.suffix.lower() not in _SUFFIXES[:-1] or inside.name.startswith("."):
                continue
            unpacked = folder / str(number)
            with (
                file_errors(path),
                archive.open(member) as source,
                unpacked.open("wb") as target,
            ):
                shutil.copyfileobj(source, target, 2**20)
            shown = str(path / inside)
            yield from _layers_of(unpacked, shown, middle_s, opened, is_asked=True)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise SceneError(
            f"{str(path)!r}: cannot read it as a zip: {error}",
            hint="the file may be damaged; fetch it again",
        ) from None


def _short_name(file: str) -> str:
    """Return the name of a file without its folder; that of a zip before its member's."""
    path = Path(file)
    return f"{path.parent.name}/{path.name}" if path.parent.is_file() else path.name


def _seconds(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _stamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
