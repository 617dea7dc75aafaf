"""Weather in GRIB, editions 1 and 2, read with ecCodes.

ecCodes identifies a field by one number in both editions. GDAL, which reads GRIB as well,
calls the same field by different names in the two, has no name for cloud water in edition
1, and takes grids with a number of points for each row for regular ones.

Its own errors are not enough: it passes over a message that the file ends in.
"""

import mmap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.ingest.weather.grid import EarthGrid, Reading
from seaice_data.ingest.weather.layers import PARAMETERS, Layer
from seaice_data.system.extras import extra
from seaice_data.system.files import file_errors
from seaice_data.texts import printable

_OF_ENSEMBLES = frozenset(
    {"pf", "em", "es", "ep", "cd", "fcmean", "fcmin", "fcmax", "fcstdev"}
)
"""Types of data that have the same number as the field itself: members of an ensemble,
their mean, their spread."""

_GAP = 1e30  # what ecCodes is asked to return where there is no value
_MOST_VALUES = 50_000_000  # a global field of 0.1 degrees has 6.5 million
_END = b"7777"

_GRID_KEYS = (
    "Ni",
    "Nj",
    "latitudeOfFirstGridPointInDegrees",
    "latitudeOfLastGridPointInDegrees",
    "longitudeOfFirstGridPointInDegrees",
    "longitudeOfLastGridPointInDegrees",
    "iScansNegatively",
    "jPointsAreConsecutive",
    "alternativeRowScanning",
)


class WeatherGrib:
    """An open GRIB file.

    Parameters
    ----------
    path
        The file.
    name
        What messages call it.

    Raises
    ------
    SceneError
        If it cannot be read, or ``eccodes`` is not installed.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._eccodes = _eccodes()
        self._path = path
        self._grids: dict[tuple[Any, ...], EarthGrid] = {}
        with ExitStack() as opened, file_errors(Path(name)):
            stream = opened.enter_context(path.open("rb"))
            self._content = opened.enter_context(
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            )
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def layers(self) -> tuple[Layer, ...]:
        """Return the six fields at all their times, as far as the file has them.

        Raises
        ------
        SceneError
            If a message is damaged or incomplete, or one of these fields is not on a
            regular grid.
        """
        found, end = [], 0
        for message in self._messages():
            with self._reading():
                start, n_bytes = (
                    self._get(message, key, int) for key in ("offset", "totalLength")
                )
                end = start + n_bytes
                if self._content[end - len(_END) : end] != _END:
                    raise self._error("a message does not end where it should")
                layer = self._layer(message, slice(start, end))
            if layer is not None:
                found.append(layer)
        if self._content.find(b"GRIB", end) >= 0:
            raise self._incomplete()
        return tuple(found)

    def _messages(self) -> Iterator[Any]:
        """Yield the headers of all messages."""
        with self._path.open("rb") as stream:
            while True:
                with self._reading():
                    message = self._eccodes.codes_grib_new_from_file(
                        stream, headers_only=True
                    )
                if message is None:
                    return
                try:
                    yield message
                finally:
                    self._eccodes.codes_release(message)

    def _layer(self, message: Any, where: slice) -> Layer | None:
        field = PARAMETERS.get(self._get(message, "paramId", int))
        if field is None or self._is_of_ensemble(message):
            return None
        day, clock = (
            self._get(message, key, int) for key in ("validityDate", "validityTime")
        )
        try:
            time = datetime.strptime(f"{day:08d}{clock:04d}", "%Y%m%d%H%M")
        except ValueError as error:
            raise self._error(f"{field!r} is for {day} {clock:04d}, not a time") from error
        version = None
        if self._eccodes.codes_is_defined(message, "expver"):
            text = self._get(message, "expver", str)
            version = int(text) if text.isdecimal() else None
        grid, reading = self._grid(message, field, where)
        seconds = time.replace(tzinfo=UTC).timestamp()
        return Layer(field, seconds, version, self._name, grid, reading)

    def _is_of_ensemble(self, message: Any) -> bool:
        """Return whether a message is a member other than the control, or made from all."""
        if self._eccodes.codes_is_defined(message, "derivedForecast"):
            return True
        if self._get(message, "dataType", str) in _OF_ENSEMBLES:
            return True
        if not self._eccodes.codes_is_defined(message, "number"):
            return False
        return bool(self._get(message, "number", int))

    def _grid(self, message: Any, field: str, where: slice) -> tuple[EarthGrid, Reading]:
        """Return the grid of a message, and a function that reads a part of its field."""
        kind = self._get(message, "gridType", str)
        if kind not in ("regular_ll", "regular_gg"):
            raise SceneError(
                f"{self._name!r}: {field!r} is on a grid of type {kind!r}, not on a "
                "regular grid of latitudes and longitudes",
                hint="fetch it on a regular grid, such as 0.25 x 0.25 degrees",
            )
        keys = {key: self._get(message, key, float) for key in _GRID_KEYS}
        n_x, n_y = int(keys["Ni"]), int(keys["Nj"])
        if keys["alternativeRowScanning"]:
            raise self._error(f"{field!r} has rows in alternating order")
        if n_x * n_y > _MOST_VALUES:
            raise self._error(f"{field!r} has {n_y} x {n_x} points")
        identity = (kind, *keys.values())
        if identity not in self._grids:
            first, last = (keys[k] for k in _GRID_KEYS[2:4])
            latitude = np.linspace(first, last, n_y)
            if kind == "regular_gg":  # rows are not evenly spaced
                with self._whole(where) as whole:
                    latitude = self._eccodes.codes_get_array(whole, "distinctLatitudes")
                if (latitude[0] < latitude[-1]) != (first < last):
                    latitude = latitude[::-1]
            west, east = (keys[k] for k in _GRID_KEYS[4:6])
            if keys["iScansNegatively"]:
                east -= 360.0 * (east > west)
            else:
                east += 360.0 * (east < west)
            try:
                grid = EarthGrid(latitude, np.linspace(west, east, n_x))
            except ValueError as error:
                raise self._error(f"{field!r}: {error}") from error
            self._grids[identity] = grid

        def read(rows: slice, columns: slice) -> FloatArray:
            with self._reading(), self._whole(where) as whole:
                self._eccodes.codes_set(whole, "missingValue", _GAP)
                values = np.asarray(self._eccodes.codes_get_values(whole), np.float64)
            if values.size != n_x * n_y:
                raise self._error(f"{field!r} has {values.size} of {n_y} x {n_x} values")
            values[values == _GAP] = np.nan
            if keys["jPointsAreConsecutive"]:
                return values.reshape(n_x, n_y).T[rows, columns]
            return values.reshape(n_y, n_x)[rows, columns]

        return self._grids[identity], read

    @contextmanager
    def _whole(self, where: slice) -> Iterator[Any]:
        """Open a message with its values."""
        message = self._eccodes.codes_new_from_message(self._content[where])
        try:
            yield message
        finally:
            self._eccodes.codes_release(message)

    def _get(self, message: Any, key: str, kind: type[Any]) -> Any:
        return kind(self._eccodes.codes_get(message, key, kind))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn errors of ecCodes into a `SceneError`."""
        try:
            yield
        except self._eccodes.PrematureEndOfFileError as error:
            raise self._incomplete() from error
        except self._eccodes.CodesInternalError as error:
            raise SceneError(
                f"{self._name!r}: cannot read it as GRIB: {printable(str(error))}",
                hint="the file may be damaged; fetch it again",
            ) from error

    def _incomplete(self) -> SceneError:
        return SceneError(
            f"{self._name!r}: the last message is incomplete",
            hint="the file is truncated; fetch it again",
        )

    def _error(self, message: str) -> SceneError:
        return SceneError(f"{self._name!r}: {message}")


def _eccodes() -> ModuleType:
    with extra("ingest", SceneError):
        import eccodes  # late: an extra
    module: ModuleType = eccodes
    return module
