"""Polar stereographic coordinates without PROJ, which is an extra.

EPSG:3413 in the north and EPSG:3976 in the south, on the ellipsoid of WGS84 (Snyder 1987,
Map Projections, a Working Manual, equations 14-15, 15-9 and 21-33 to 21-35).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray

_A_KM = 6378.137
_E = 0.0818191908426215
"""Large semi-axis and eccentricity of WGS84."""


@dataclass(frozen=True, slots=True)
class PolarPlane:
    """A polar stereographic plane of NSIDC."""

    crs: str
    """Its name, as PROJ knows it."""

    true_latitude: float
    """Degrees north where lengths are true; its sign says which pole is in the middle."""

    central_meridian: float
    """Degrees east: the meridian that leads straight down in the north, up in the south."""

    def project(
        self, latitude: FloatArray, longitude: FloatArray
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return easting and northing in kilometres, of the shape of the places.

        Examples
        --------
        >>> x, y = NORTH.project(np.array([90.0, 70.0]), np.array([0.0, 45.0]))
        >>> np.round(x, 1) + 0.0, np.round(y, 1) + 0.0
        (array([   0. , 2187.9]), array([0., 0.]))
        """
        side = np.sign(self.true_latitude)
        phi = np.radians(side * np.asarray(latitude, np.float64))
        angle = np.radians(np.asarray(longitude, np.float64) - self.central_meridian)
        true = np.radians(abs(self.true_latitude))
        scale = np.cos(true) / np.sqrt(1 - (_E * np.sin(true)) ** 2) / _shrunk(true)
        radius = _A_KM * scale * _shrunk(phi)
        return radius * np.sin(angle), -side * radius * np.cos(angle)

    def enlargement(self, latitude: float) -> float:
        """Return what a kilometre on the ground measures on the plane (Snyder, 21-32).

        Examples
        --------
        >>> round(NORTH.enlargement(70.0), 6), round(NORTH.enlargement(60.0), 4)
        (1.0, 1.0394)
        """
        phi = np.radians(min(abs(latitude), 89.999))  # the ratio has a limit at the pole
        true = np.radians(abs(self.true_latitude))
        return float(_shrunk(phi) * _around(true) / (_shrunk(true) * _around(phi)))

    def north(self, x: float, y: float) -> NDArray[np.float64]:
        """Return the unit vector to north at a place of the plane; zeros at the pole.

        Examples
        --------
        >>> NORTH.north(0.0, -2000.0) + 0.0, SOUTH.north(0.0, -2000.0) + 0.0
        (array([0., 1.]), array([ 0., -1.]))
        """
        outwards = np.array([x, y], np.float64)
        to_north: NDArray[np.float64] = -np.sign(self.true_latitude) * outwards
        return to_north / (np.hypot(x, y) or 1.0)


def _around(phi: float) -> float:
    """Return the radius of a parallel, in large semi-axes (Snyder, 14-15)."""
    return float(np.cos(phi) / np.sqrt(1 - (_E * np.sin(phi)) ** 2))


def _shrunk(phi: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return what is proportional to the distance from the pole (Snyder, 15-9)."""
    sine = _E * np.sin(phi)
    return np.asarray(
        np.tan(np.pi / 4 - phi / 2) * ((1 + sine) / (1 - sine)) ** (_E / 2), np.float64
    )


NORTH = PolarPlane("EPSG:3413", 70.0, -45.0)
"""NSIDC's plane of the Arctic."""

SOUTH = PolarPlane("EPSG:3976", -70.0, 0.0)
"""NSIDC's plane of the Antarctic."""


def plane_of(latitude: FloatArray) -> PolarPlane:
    """Return the plane of the hemisphere in which most places are."""
    return NORTH if np.mean(latitude) >= 0 else SOUTH


def degrees_in_words(degrees: float, letters: str) -> str:
    """Return degrees with the letter of their side, the first of two if positive.

    Examples
    --------
    >>> degrees_in_words(-30, "EW"), degrees_in_words(72.5, "NS")
    ('30°W', '72.5°N')
    >>> degrees_in_words(180, "EW")
    '180°'
    """
    if letters == "EW" and degrees % 180 == 0:
        return f"{abs(degrees):g}°"
    return f"{abs(degrees):g}°{letters[int(degrees < 0)]}"


def round_length(length_km: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that does not exceed it.

    Examples
    --------
    >>> round_length(104)
    100.0
    """
    power = 10.0 ** np.floor(np.log10(length_km))
    return float(max(step * power for step in (1, 2, 5) if step * power <= length_km))


def round_step(length: float, steps: Sequence[float], most: int) -> float:
    """Return the smallest step that divides a length into at most so many parts.

    If none does, it is the last one.

    Examples
    --------
    >>> round_step(8.0, (1, 2, 5, 10), 5)
    2
    """
    return next((step for step in steps if length / step <= most), steps[-1])
