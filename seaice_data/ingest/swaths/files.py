"""Open AMSR2 swaths: which channels a file has, where and when their samples were taken.

The names follow JAXA's format specification of AMSR2 level 1 products. Three kinds of files
are told apart by their content:

- *L1R* (HDF5), resampled to common footprints. Each frequency is taken from the group whose
  footprint is its own: 6.9 and 7.3 GHz from ``res06``, 10.7 from ``res10``, 18.7 and 23.8
  from ``res23``, 36.5 from ``res36``; 89 GHz is not resampled ("original"), from the horns
  A and B together. Samples of the low frequencies are at every second point of horn A.
- *L1B* (HDF5), not resampled. Points of the low frequencies are near the same points of
  horn A; the parameters A1 and A2 of each frequency say where (`coregistered`).
- *AMSR3 L1R* (netCDF): experimental. No file could be checked; the names are those that
  public programs read. 89 GHz is taken from the footprint of 36.5 GHz, at whose points it
  is given.
"""

import re
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import unit_vectors
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.texts import printable, shortened

_MISSING = 65534
"""Stored numbers from here on are not brightness: missing, or damaged on the way."""

_EPOCH = datetime(1993, 1, 1, tzinfo=UTC)

_LEAP_SECONDS = (
    (datetime(2012, 7, 1, tzinfo=UTC), 8),
    (datetime(2015, 7, 1, tzinfo=UTC), 9),
    (datetime(2017, 1, 1, tzinfo=UTC), 10),
)
"""Leap seconds since 1993, which scan times count; AMSR2 began in 2012."""

_PARAMETER = re.compile(r"(\d+)G-(-?\d+(?:\.\d*)?)")


class Frequency(NamedTuple):
    """A frequency: both polarisations, at the same places."""

    variable: str
    """Of a scene, without polarisation: ``btemp_36_5``."""

    datasets: tuple[str, ...]
    """One, or one a horn; ``{}`` stands for H or V."""

    footprint_km: float
    """Width at half of its height: geometric mean of both axes, from the specification."""

    coregistration: str = ""
    """Name of its co-registration parameters, if it has any."""

    reach_km: float = 7.5
    """Cells without a sample within this distance are not covered. Between samples the
    nearest is at most 6.8 km away, 3.5 km for two horns."""


class Layout(NamedTuple):
    """A kind of file."""

    level: str
    description: str
    time: str
    places: str
    """Names of latitudes and longitudes; ``{0}`` is that word, ``{1}`` the horn."""
    frequencies: tuple[Frequency, ...]
    point_step: int
    """Points of horn A from one low-frequency sample to the next."""


_PLACES = "{0} of Observation Point for 89{1}"
_TB = "Brightness Temperature "


def _horns(dataset: str) -> tuple[str, str]:
    return dataset.replace("#", "A"), dataset.replace("#", "B")


_L1R = Layout(
    "L1R",
    "L1R, footprints res06 (6.9 and 7.3 GHz), res10 (10.7), res23 (18.7 and 23.8), res36 "
    "(36.5), original (89, horns A and B)",
    "Scan Time",
    _PLACES,
    (
        Frequency("btemp_6_9", (_TB + "(res06,6.9GHz,{})",), 47),
        Frequency("btemp_7_3", (_TB + "(res06,7.3GHz,{})",), 47),
        Frequency("btemp_10_7", (_TB + "(res10,10.7GHz,{})",), 32),
        Frequency("btemp_18_7", (_TB + "(res23,18.7GHz,{})",), 20),
        Frequency("btemp_23_8", (_TB + "(res23,23.8GHz,{})",), 20),
        Frequency("btemp_36_5", (_TB + "(res36,36.5GHz,{})",), 9.2),
        Frequency("btemp_89_0", _horns(_TB + "(original,89GHz-#,{})"), 5, reach_km=6),
    ),
    2,
)

_L1B = Layout(
    "L1B",
    "L1B, each frequency with its own footprint, placed by co-registration; 89 GHz from "
    "horns A and B",
    "Scan Time",
    _PLACES,
    (
        Frequency("btemp_6_9", (_TB + "(6.9GHz,{})",), 47, "6"),
        Frequency("btemp_7_3", (_TB + "(7.3GHz,{})",), 44, "7"),
        Frequency("btemp_10_7", (_TB + "(10.7GHz,{})",), 32, "10"),
        Frequency("btemp_18_7", (_TB + "(18.7GHz,{})",), 18, "18"),
        Frequency("btemp_23_8", (_TB + "(23.8GHz,{})",), 20, "23"),
        Frequency("btemp_36_5", (_TB + "(36.5GHz,{})",), 9.2, "36"),
        Frequency("btemp_89_0", _horns(_TB + "(89.0GHz-#,{})"), 5, reach_km=6),
    ),
    2,
)

_AMSR3 = Layout(
    "AMSR3 L1R",
    "AMSR3 L1R, experimental: no file could be checked; footprints FOV06 (6.9 and 7.3 "
    "GHz), FOV10 (10.7), FOV23 (18.7 and 23.8), FOV36 (36.5 and 89)",
    "ScanTimeTAI93",
    "{0}_P89o",
    (
        Frequency("btemp_6_9", ("Tb_FOV06Ch06{}_P89o",), 47),
        Frequency("btemp_7_3", ("Tb_FOV06Ch07{}_P89o",), 47),
        Frequency("btemp_10_7", ("Tb_FOV10Ch10{}_P89o",), 32),
        Frequency("btemp_18_7", ("Tb_FOV23Ch18{}_P89o",), 20),
        Frequency("btemp_23_8", ("Tb_FOV23Ch23{}_P89o",), 20),
        Frequency("btemp_36_5", ("Tb_FOV36Ch36{}_P89o",), 9.2),
        Frequency("btemp_89_0", ("Tb_FOV36Ch89{}_P89o",), 9.2),
    ),
    1,
)

LAYOUTS = (_L1R, _L1B, _AMSR3)
"""The best first: a granule that is there in two levels is read once."""

VARIABLES = tuple(
    frequency.variable + polarisation
    for frequency in _L1R.frequencies
    for polarisation in "hv"
)
"""Brightness temperatures of a scene, in the order of its files."""


class SwathFile:
    """An open file of a swath.

    Parameters
    ----------
    path
        The file.
    file
        The same, open; it belongs to this object.
    layout
        Its kind.
    """

    def __init__(self, path: Path, file: NetcdfFile, layout: Layout) -> None:
        self.path = path
        self.layout = layout
        self._file = file
        name = file.text("GranuleID").strip() or path.name.partition(".")[0]
        self.granule = shortened(printable("_".join(name.split("_")[:3])), 100)
        """Name of the half orbit, the same in all levels: ``GW1AM2_201904081215_123D``."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def scan_times(self, since: datetime) -> FloatArray:
        """Return when each scan was made, in seconds after a time; NaN if not known.

        Raises
        ------
        SceneError
            If no time is known.
        """
        times = self._file.variable(self.layout.time, n_axes=1).read().astype(np.float64)
        times[~((times > 0) & np.isfinite(times))] = np.nan
        if np.isnan(times).all():
            raise self._file.error(f"{self.layout.time!r} has no time of a scan")
        utc = times.copy()
        for begin, leaps in _LEAP_SECONDS:
            later = (begin - _EPOCH).total_seconds() + leaps
            utc[times >= later] = times[times >= later] - leaps
        return utc - (since - _EPOCH).total_seconds()

    def points(
        self, rows: slice, horn: str = "A", steps: tuple[int, int] = (1, 1)
    ) -> FloatArray:
        """Return unit vectors of points of a horn, shape ``(scan, point, 3)``.

        NaN where a place is missing. Steps of more than 1 leave out scans and points.
        """
        latitude, longitude = (
            self._rows(self.layout.places.format(word, horn), rows)[
                :: steps[0], :: steps[1]
            ].astype(np.float64)
            for word in ("Latitude", "Longitude")
        )
        if latitude.shape != longitude.shape or latitude.shape[1] < self.layout.point_step:
            raise self._file.error(
                f"latitudes of horn {horn} have shape {latitude.shape}, longitudes "
                f"{longitude.shape}"
            )
        # Some versions count from 0 to 360.
        is_place = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 360)
        latitude[~is_place] = longitude[~is_place] = np.nan
        return unit_vectors(latitude, longitude)

    def places(self, frequency: Frequency, rows: slice) -> FloatArray:
        """Return unit vectors of the samples of a frequency, shape ``(sample, 3)``."""
        if len(frequency.datasets) > 1:
            horns = [self.points(rows, horn).reshape(-1, 3) for horn in "AB"]
            return np.concatenate(horns)
        points = self.points(rows)
        step = self.layout.point_step
        if frequency.coregistration:
            a1, a2 = self._coregistration(frequency.coregistration)
            points = coregistered(points[:, 0::2], points[:, 1::2], a1, a2)
        else:
            points = points[:, ::step]
        return points.reshape(-1, 3)

    def brightness(self, frequency: Frequency, rows: slice) -> FloatArray:
        """Return H and V in kelvin, shape ``(2, sample)``; NaN where there is no value."""
        return np.stack(
            [
                np.concatenate(
                    [self._kelvin(name.format(p), rows) for name in frequency.datasets]
                )
                for p in "HV"
            ]
        )

    def _kelvin(self, name: str, rows: slice) -> FloatArray:
        stored = self._rows(name, rows)
        variable = self._file.variable(name)
        scale = variable.number("SCALE FACTOR") or variable.number("scale_factor")
        if scale is None or not np.isfinite(scale) or scale <= 0:
            raise self._file.error(f"{name!r} has no attribute 'SCALE FACTOR' above 0")
        kelvin = stored * np.float64(scale)
        kelvin[~(stored < _MISSING)] = np.nan
        return kelvin.ravel()

    def _rows(self, name: str, rows: slice) -> FloatArray:
        """Read rows of a plane as they are stored; reject another number of scans."""
        variable = self._file.variable(name)
        n_scans = self._file.variable(self.layout.time, n_axes=1).shape[0]
        if variable.shape[0] != n_scans:
            raise self._file.error(
                f"{name!r} has {variable.shape[0]} scans, {self.layout.time!r} {n_scans}"
            )
        return np.array(variable.stored_rows(rows))

    def _coregistration(self, name: str) -> tuple[float, float]:
        found = []
        for parameter in ("A1", "A2"):
            attribute = f"CoRegistrationParameter{parameter}"
            text = self._file.text(attribute)
            numbers = dict(_PARAMETER.findall(text))
            if name not in numbers:
                raise self._file.error(
                    f"attribute {attribute!r} has no number for '{name}G': "
                    f"{printable(shortened(text))!r}"
                )
            found.append(float(numbers[name]))
        return found[0], found[1]


def open_swath(path: Path) -> SwathFile | None:
    """Open a file; None if it is readable and not an AMSR swath of level 1B or 1R.

    Raises
    ------
    SceneError
        If it cannot be read, or is a swath that lacks a variable.
    """
    file = NetcdfFile(path)
    with ExitStack() as opened:
        opened.callback(file.close)
        for layout in LAYOUTS:
            if layout.frequencies[0].datasets[0].format("H") in file:
                swath = SwathFile(path, file, layout)
                opened.pop_all()
                return swath
    return None


def coregistered(odd: FloatArray, even: FloatArray, a1: float, a2: float) -> FloatArray:
    """Return where a low frequency sees, given two neighbouring points of horn A.

    The point is turned from the odd point of horn A by `a1` times the angle between both
    points, along their great circle, and then by `a2` times that angle, to the left of it
    (JAXA, AMSR2 level 1 product format specification, 4.2).

    Parameters
    ----------
    odd, even
        Unit vectors, along the last axis; points are counted from 1.
    a1, a2
        Co-registration parameters of the frequency.

    Examples
    --------
    >>> east = coregistered(np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 0.5, 0.0)
    >>> east.round(3)
    array([0.707, 0.707, 0.   ])
    """
    pole = np.cross(odd, even)
    sine = np.linalg.norm(pole, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):  # where a place is missing
        angle = np.arctan2(sine, np.sum(odd * even, axis=-1, keepdims=True))
        pole = pole / np.maximum(sine, 1e-12)
    ahead = np.cross(pole, odd)
    along: FloatArray = np.cos(a1 * angle) * odd + np.sin(a1 * angle) * ahead
    turned: FloatArray = np.cos(a2 * angle) * along + np.sin(a2 * angle) * pole
    return turned
