"""From pixels of a scene to places on the Earth, and back.

Places are vectors: no pole and no date line is special.

- ``pixel_vectors`` and ``pixel_positions`` lead from pixels to vectors, as
  `TiePoints.places` does, and back;
- ``TangentPlane`` is a plane around a scene, in which polygons can be cut.
"""

from typing import NamedTuple

import numpy as np

from seaice_data.errors import SceneError
from seaice_data.geolocation import TiePoints, unit_vectors
from seaice_data.ingest.places.ellipsoid import Float64
from seaice_data.system.compiled import compiled

_STEPS = 40
"""Newton steps; three are usual, more where a point is next to a tie point on terrain."""

_SAME, _TOLERANCE = 1e-6, 1e-3
"""Pixels: where Newton's method stops, and what must be reached about a kink."""


class TieVectors(NamedTuple):
    """Tie points as unit vectors."""

    lines: Float64
    samples: Float64
    vectors: Float64
    """Shape ``(line, sample, 3)``."""

    @classmethod
    def of(cls, points: TiePoints) -> "TieVectors":
        """Return the vectors of tie points."""
        return cls(
            np.asarray(points.lines, dtype=np.float64),
            np.asarray(points.samples, dtype=np.float64),
            unit_vectors(points.latitude, points.longitude),
        )

    @property
    def middle(self) -> Float64:
        """Unit vector of the middle of the scene."""
        mean = self.vectors.mean(axis=(0, 1))
        return np.asarray(mean / np.linalg.norm(mean))

    @property
    def axes(self) -> Float64:
        """Three perpendicular unit vectors, shape ``(3, 3)``; the last is `middle`."""
        middle = self.middle
        beside = np.cross(np.eye(3)[np.abs(middle).argmin()], middle)
        beside /= np.linalg.norm(beside)
        return np.stack([beside, np.cross(middle, beside), middle])


class TangentPlane:
    """A plane that touches the Earth in the middle of a scene (stereographic).

    Its unit is the radius of the Earth. Far away from the scene it is still in order, but
    pixel positions are not.

    Parameters
    ----------
    ties
        Tie points of the scene.
    """

    def __init__(self, ties: TieVectors) -> None:
        self._axes = ties.axes

    def project(self, vectors: Float64) -> Float64:
        """Return the coordinates of unit vectors in the plane, shape ``(..., 2)``."""
        local = vectors @ self._axes.T
        # The place opposite to the scene is at infinity; here it is very far away.
        return np.asarray(2 * local[..., :2] / np.maximum(1 + local[..., 2:], 1e-9))

    def vectors(self, plane: Float64) -> Float64:
        """Return the unit vectors of points of the plane, shape ``(..., 3)``."""
        square = (plane**2).sum(axis=-1, keepdims=True)
        local = np.concatenate([4 * plane, 4 - square], axis=-1) / (4 + square)
        return np.asarray(local @ self._axes)


def pixel_vectors(ties: TieVectors, rows: Float64, columns: Float64) -> Float64:
    """Return vectors of pixel positions ``(n,)`` x ``(n,)``, shape ``(n, 3)``.

    Their directions are those that `TiePoints.places` has; their lengths are about 1.
    """
    out = np.empty((len(rows), 3))
    _interpolate(*ties, rows, columns, out)
    return out


def pixel_positions(ties: TieVectors, vectors: Float64) -> Float64:
    """Return the row and column of each unit vector, shape ``(n, 2)``.

    The inverse of `pixel_vectors`; beyond the outermost tie points, the slope before them
    continues. NaN on the far half of the Earth.

    Raises
    ------
    SceneError
        If the tie points are in disorder: they do not say where a place is.
    """
    axes = ties.axes
    out = np.empty((len(vectors), 2))
    local = np.ascontiguousarray(ties.vectors @ axes.T)
    if not _invert(ties.lines, ties.samples, local, vectors @ axes.T, out):
        raise SceneError(
            "the tie points of the scene do not say where a polygon is: they are disordered"
        )
    return out


@compiled
def _interpolate(
    lines: Float64,
    samples: Float64,
    vectors: Float64,
    rows: Float64,
    columns: Float64,
    out: Float64,
) -> None:
    for i in range(len(rows)):
        y = min(max(np.searchsorted(lines, rows[i], side="right"), 1), len(lines) - 1) - 1
        x = np.searchsorted(samples, columns[i], side="right")
        x = min(max(x, 1), len(samples) - 1) - 1
        t = (rows[i] - lines[y]) / (lines[y + 1] - lines[y])
        u = (columns[i] - samples[x]) / (samples[x + 1] - samples[x])
        for k in range(3):
            left = vectors[y, x, k] * (1 - t) + vectors[y + 1, x, k] * t
            right = vectors[y, x + 1, k] * (1 - t) + vectors[y + 1, x + 1, k] * t
            out[i, k] = left * (1 - u) + right * u


@compiled
def _invert(
    lines: Float64, samples: Float64, ties: Float64, places: Float64, out: Float64
) -> bool:
    """Find where the interpolated vector is parallel to each place, by Newton's method.

    The last component of vectors is towards the middle of the scene. Return whether all
    are found.
    """
    all_found = True
    n_y, n_x = len(lines), len(samples)
    row, column = lines[n_y // 2], samples[n_x // 2]
    for i in range(len(places)):
        if places[i, 2] < 0.1:
            out[i, 0] = out[i, 1] = np.nan
            continue
        east, north = places[i, 0] / places[i, 2], places[i, 1] / places[i, 2]
        size = np.inf
        for step in range(_STEPS):
            y = min(max(np.searchsorted(lines, row, side="right"), 1), n_y - 1) - 1
            x = min(max(np.searchsorted(samples, column, side="right"), 1), n_x - 1) - 1
            height, width = lines[y + 1] - lines[y], samples[x + 1] - samples[x]
            t, u = (row - lines[y]) / height, (column - samples[x]) / width
            # Both components of the vector beside the place, and how they change.
            a, b = ties[y, x], ties[y, x + 1]
            c, d = ties[y + 1, x], ties[y + 1, x + 1]
            a0, a1 = a[0] - east * a[2], a[1] - north * a[2]
            b0, b1 = b[0] - east * b[2], b[1] - north * b[2]
            c0, c1 = c[0] - east * c[2], c[1] - north * c[2]
            d0, d1 = d[0] - east * d[2], d[1] - north * d[2]
            off0 = (a0 * (1 - u) + b0 * u) * (1 - t) + (c0 * (1 - u) + d0 * u) * t
            off1 = (a1 * (1 - u) + b1 * u) * (1 - t) + (c1 * (1 - u) + d1 * u) * t
            t0, t1 = (
                (c0 - a0) * (1 - u) + (d0 - b0) * u,
                (c1 - a1) * (1 - u) + (d1 - b1) * u,
            )
            u0, u1 = (
                (b0 - a0) * (1 - t) + (d0 - c0) * t,
                (b1 - a1) * (1 - t) + (d1 - c1) * t,
            )
            determinant = t0 * u1 - t1 * u0
            by_t = (off0 * u1 - off1 * u0) / determinant * height
            by_u = (t0 * off1 - t1 * off0) / determinant * width
            share = 1.0 if step < _STEPS // 4 else 0.5  # damped if it jumps about a kink
            row -= share * by_t
            column -= share * by_u
            size = abs(by_t) + abs(by_u)
            if size < _SAME:
                break
        out[i, 0], out[i, 1] = row, column
        all_found &= size < _TOLERANCE
        if not (abs(row) < 1e6 and abs(column) < 1e6):
            row, column = lines[n_y // 2], samples[n_x // 2]
    return all_found
