"""Weather in netCDF: what the data store of ECMWF and others write, of any age.

- Time is ``time`` (hours since 1900) or ``valid_time`` (seconds since 1970), an axis or a
  single value.
- ``expver`` is 1 for ERA5 and 5 for its preliminary version: an axis, where each has a gap
  in the hours of the other, or a text for each time.
- Axes are found by their names or by their units; those with one value are ignored.
"""

import math
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.ingest.weather.grid import EarthGrid, Reading
from seaice_data.ingest.weather.layers import (
    FIELDS,
    PARAMETERS,
    Layer,
    find_field,
    offset_of,
)
from seaice_data.scenes.decoding import ATTRIBUTES, Decoding
from seaice_data.scenes.hdf5 import Hdf5Reader
from seaice_data.scenes.netcdf_errors import netcdf_errors

if TYPE_CHECKING:
    import netCDF4

_LATITUDES = frozenset({"latitude", "lat"})
_LONGITUDES = frozenset({"longitude", "lon"})
_LONGEST_AXIS = 100_000
_MOST_TIMES = 1_000_000
_MOST_VALUES = 50_000_000  # read at once; a global field of 0.1 degrees has 6.5 million


class WeatherNetcdf:
    """An open netCDF file, of any format.

    Parameters
    ----------
    path
        The file.
    name
        What messages call it.

    Raises
    ------
    SceneError
        If it cannot be read as netCDF.
    """

    def __init__(self, path: Path, name: str) -> None:
        # Late: takes 0.1 s.
        from seaice_data.system.netcdf_library import one_at_a_time, open_dataset

        self._name = name
        with one_at_a_time, self._reading("it as netCDF"):
            _refuse_truncated(path, name)
            try:
                self._file = open_dataset(path)
            except AttributeError:  # what names that are not text lead to
                raise ValueError("the header is damaged") from None
            self._file.set_auto_maskandscale(False)
            self._file.set_auto_chartostring(False)
        self._grids: dict[tuple[str, str], EarthGrid] = {}

    def close(self) -> None:
        """Close the file."""
        from seaice_data.system.netcdf_library import one_at_a_time

        with one_at_a_time:
            self._file.close()

    def layers(self) -> tuple[Layer, ...]:
        """Return the six fields at all their times, as far as the file has them.

        Raises
        ------
        SceneError
            If one is not on a regular grid, has no time, has a unit that does not fit, or
            has an axis of members.
        """
        from seaice_data.system.netcdf_library import one_at_a_time

        found: list[Layer] = []
        with one_at_a_time:
            for name, variable in self._file.variables.items():
                with self._reading(repr(name)):
                    field = _field_of(variable)
                    if field is not None and variable.ndim >= 2:
                        found += self._layers_of(field, variable)
        return tuple(found)

    def _layers_of(self, field: str, variable: "netCDF4.Variable[Any]") -> Iterator[Layer]:
        axes = self._axes(variable)
        offset = offset_of(field, _text(variable, "units"))
        if offset is None:
            raise self._error(
                f"{variable.name!r} is in {_text(variable, 'units')!r}, "
                f"not in {FIELDS[field].unit}"
            )
        grid = self._grid(axes.latitude, axes.longitude)
        times = self._times(variable, axes.time)
        versions = self._versions(axes, len(times))
        decoding = self._decoding(variable)
        for along_time, time_s in enumerate(times):
            for along_version, version in enumerate(versions[along_time]):
                where = {axes.time: along_time, axes.version: along_version}
                reading = self._reader(variable, axes, where, decoding, offset)
                yield Layer(field, time_s, version, self._name, grid, reading)

    def _reader(
        self,
        variable: "netCDF4.Variable[Any]",
        axes: "_Axes",
        where: dict[str | None, int],
        decoding: Decoding,
        offset: float,
    ) -> Reading:
        """Return a function that reads a part of one time of a variable."""
        from seaice_data.system.netcdf_library import one_at_a_time

        is_turned = variable.dimensions.index(axes.latitude) > variable.dimensions.index(
            axes.longitude
        )

        def read(rows: slice, columns: slice) -> FloatArray:
            parts = {axes.latitude: rows, axes.longitude: columns}
            index = tuple(parts.get(d, where.get(d, 0)) for d in variable.dimensions)
            if (rows.stop - rows.start) * (columns.stop - columns.start) > _MOST_VALUES:
                raise self._error(f"{variable.name!r} has too many points for the scene")
            with one_at_a_time, self._reading(repr(variable.name)):
                stored = np.asarray(variable[index])
            values = decoding.decode(stored).astype(np.float64) + offset
            return values.T if is_turned else values

        return read

    def _axes(self, variable: "netCDF4.Variable[Any]") -> "_Axes":
        """Return which dimension is which; those of one value need not be known."""
        kinds: dict[str, str] = {}
        for dimension in variable.dimensions:
            kind = _kind_of_axis(dimension, self._file.variables.get(dimension))
            size = self._file.dimensions[dimension].size
            if kind is not None:
                kinds.setdefault(kind, dimension)
            elif size > 1:
                raise self._error(
                    f"{variable.name!r} has an axis {dimension!r} of {size} values; one "
                    "field a time is needed"
                )
        if "latitude" not in kinds or "longitude" not in kinds:
            raise self._error(
                f"{variable.name!r} is not on a regular grid of latitudes and longitudes"
            )
        return _Axes(
            kinds["latitude"], kinds["longitude"], kinds.get("time"), kinds.get("version")
        )

    def _grid(self, latitude: str, longitude: str) -> EarthGrid:
        if (latitude, longitude) not in self._grids:
            names = latitude, longitude
            if max(self._file.dimensions[name].size for name in names) > _LONGEST_AXIS:
                raise self._error(f"{latitude!r} or {longitude!r} is too long for a grid")
            try:
                grid = EarthGrid(*(np.asarray(self._file[name][:]) for name in names))
            except ValueError as error:
                raise self._error(str(error)) from None
            self._grids[latitude, longitude] = grid
        return self._grids[latitude, longitude]

    def _times(self, variable: "netCDF4.Variable[Any]", axis: str | None) -> list[float]:
        """Return the times of a variable, in seconds since 1970."""
        n_times = 1 if axis is None else self._file.dimensions[axis].size
        # A forecast has the time at which it began as well.
        for name in ("valid_time", axis, "time"):
            found = self._file.variables.get(name) if name else None
            if found is None or found.size != n_times or n_times > _MOST_TIMES:
                continue
            if axis is not None and found.ndim and axis not in found.dimensions:
                continue
            if " since " in _text(found, "units"):
                return self._seconds(found)
        raise self._error(f"{variable.name!r} does not say for which time it is")

    def _seconds(self, axis: "netCDF4.Variable[Any]") -> list[float]:
        from netCDF4 import num2date  # late: takes 0.1 s

        units, calendar = _text(axis, "units"), _text(axis, "calendar") or "standard"
        try:
            times = num2date(
                np.ravel(axis[...]),
                units,
                calendar.lower(),
                only_use_cftime_datetimes=False,
                only_use_python_datetimes=True,
            )
        except (ValueError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise self._error(f"{axis.name!r} in {units!r}: {reason}") from None
        return [time.replace(tzinfo=UTC).timestamp() for time in np.array(times).flat]

    def _versions(self, axes: "_Axes", n_times: int) -> list[list[int | None]]:
        """Return the versions of each time: several if they are an axis."""
        found = self._file.variables.get(axes.version or "expver")
        if axes.version is not None:
            size = self._file.dimensions[axes.version].size
            numbers = _version_numbers(found) if found is not None else []
            return [numbers if len(numbers) == size else [None] * size] * n_times
        numbers = _version_numbers(found) if found is not None else []
        if len(numbers) == 1:
            return [numbers] * n_times
        if len(numbers) == n_times:
            return [[number] for number in numbers]
        return [[None]] * n_times

    def _decoding(self, variable: "netCDF4.Variable[Any]") -> Decoding:
        """Return what the stored numbers of a variable mean."""
        numbers = {}
        for name, n_values in ATTRIBUTES.items():
            value = _attribute(variable, name)
            if value is None:
                continue
            values = np.atleast_1d(np.asarray(value)).ravel()
            is_number = values.dtype.kind in "fiu" and n_values in (None, values.size)
            if is_number and name in ("scale_factor", "add_offset"):
                is_number = math.isfinite(float(values[0]))
            if not is_number:
                raise self._error(f"attribute {name!r} of {variable.name!r} is {value!r}")
            numbers[name] = values
        is_unsigned = _text(variable, "_Unsigned").lower() == "true"
        return Decoding.of(np.dtype(variable.dtype), numbers, is_unsigned=is_unsigned)

    def _reading(self, what: str) -> AbstractContextManager[None]:
        return netcdf_errors(Path(self._name), what)

    def _error(self, message: str) -> SceneError:
        return SceneError(f"{self._name!r}: {message}")


@dataclass(frozen=True, slots=True)
class _Axes:
    """Names of the dimensions of a variable."""

    latitude: str
    longitude: str
    time: str | None
    version: str | None


def _refuse_truncated(path: Path, name: str) -> None:
    """Raise an error with the reason where the netCDF library has none, or reads on."""
    from seaice_data.scenes.classic import ClassicReader  # late: loads the library

    with path.open("rb") as stream:
        is_classic = stream.read(3) == b"CDF"
    reader: type[ClassicReader] | type[Hdf5Reader]
    reader = ClassicReader if is_classic else Hdf5Reader
    try:
        reader(path).close()
    except SceneError as error:
        message = str(error).replace(repr(str(path)), repr(name))
        raise SceneError(message, hint=error.hint) from None


def _field_of(variable: "netCDF4.Variable[Any]") -> str | None:
    """Return which of the six fields a variable is."""
    if np.dtype(variable.dtype).kind not in "fiu":
        return None
    parameter = _attribute(variable, "GRIB_paramId")
    if np.size(parameter) == 1 and np.asarray(parameter).dtype.kind in "iu":
        return PARAMETERS.get(int(np.asarray(parameter).item()))
    return find_field(
        variable.name, _text(variable, "long_name"), _text(variable, "standard_name")
    )


def _kind_of_axis(name: str, axis: "netCDF4.Variable[Any] | None") -> str | None:
    """Return what a dimension is, by its name or the attributes of its coordinate."""
    if name.lower() == "expver":
        return "version"
    if axis is None or axis.dimensions != (name,):
        return None
    units, standard_name = _text(axis, "units"), _text(axis, "standard_name")
    if name.lower() in _LATITUDES or standard_name == "latitude":
        return "latitude"
    if name.lower() in _LONGITUDES or standard_name == "longitude":
        return "longitude"
    if re.match(r"degrees?_?n", units):
        return "latitude"
    if re.match(r"degrees?_?e", units):
        return "longitude"
    return "time" if " since " in units else None


def _version_numbers(variable: "netCDF4.Variable[Any]") -> list[int | None]:
    """Return the numbers of ``expver``, which may be texts; None for other texts."""
    if variable.size > _MOST_TIMES:
        return []
    values = np.asarray(variable[...])
    if (
        values.dtype == np.dtype("S1") and values.ndim
    ):  # characters have an axis of their own
        width = values.shape[-1]
        values = np.ascontiguousarray(values).view(f"S{width}").ravel()
    texts = [v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in values.flat]
    return [
        int(float(text)) if re.fullmatch(r"\d+(\.0*)?", text.strip("\0 ")) else None
        for text in texts
    ]


def _attribute(variable: "netCDF4.Variable[Any]", name: str) -> Any:
    return variable.getncattr(name) if name in variable.ncattrs() else None


def _text(variable: "netCDF4.Variable[Any]", name: str) -> str:
    value = _attribute(variable, name)
    return value.strip() if isinstance(value, str) else ""
