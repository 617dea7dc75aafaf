"""Bring samples of a radiometer to cells, weighted by how far their footprints overlap.

A sample is already an average over a footprint. Averaging samples again, with Gaussian
weights for instance, would blur a second time. Here the value of a cell is the best linear
estimate of what the same footprint would see there (Backus and Gilbert 1970; Stogryn 1978):
two footprints are alike as far as they overlap, so the weights solve a small system of
equations whose coefficients are the overlaps of neighbouring samples. They add up to 1, a
field with a constant slope stays as it is, and some weights are negative.

How far this is better is measured in `docs/ingest.md`.
"""

import numpy as np

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.system.compiled import compiled

N_NEIGHBOURS = 20
"""Samples that a cell is estimated from."""

NOISE_SHARE = 1e-3
"""Variance of the noise of a sample, as a share of that of the scene."""

BESIDE = 1 / 3
"""Share of the reach at the border of a swath, where nothing says how the field goes on."""

SLOPES = 1.0
"""Variance of slopes over a kilometre, as a share of that of the scene: so large that a
slope is not taken for a detail. With neighbours in one row, an exact condition would have
no solution."""

_WIDTH_PER_DEVIATION = 2 * np.sqrt(2 * np.log(2))
_EARTH_KM = 6371.0
_HALF_TURN = np.pi + 0.01  # a cell may be on the line between two samples


class Neighbours:
    """The samples nearest to each cell.

    Parameters
    ----------
    samples
        Unit vectors, shape ``(sample, 3)``.
    cells
        Unit vectors, shape ``(cell, 3)``.
    reach_km
        Cells without a sample within this distance are not covered. Beside the samples,
        where there are none on the other side, it is `BESIDE` of that distance.
    """

    def __init__(self, samples: FloatArray, cells: FloatArray, reach_km: float) -> None:
        from scipy.spatial import cKDTree  # late: takes 0.1 s

        self._samples = samples * _EARTH_KM
        self._cells = cells * _EARTH_KM
        self.nearest: IntArray = np.zeros(len(cells), np.int64)
        """The nearest sample of each cell, by number; only where it is covered."""
        self.is_covered = np.zeros(len(cells), bool)
        self._near: IntArray = np.zeros((len(cells), 1), np.int64)
        if len(samples):
            # On the unit sphere and up to some kilometres, a chord is as long as its arc.
            distance, self._near = cKDTree(self._samples).query(
                self._cells, k=np.arange(1, min(N_NEIGHBOURS, len(samples)) + 1)
            )
            self.nearest = self._near[:, 0]
            self.is_covered = distance[:, 0] <= reach_km
            self.is_covered &= (distance[:, 0] <= BESIDE * reach_km) | self._is_between()

    def _is_between(self) -> Mask:
        """Return which cells have neighbours all around, less than half a turn apart."""
        up = self._cells / _EARTH_KM
        # Any axis that is not close to the vertical gives two directions on the ground.
        axis = np.eye(3)[np.abs(up).argmin(axis=1)]
        right = np.cross(up, axis)
        right /= np.linalg.norm(right, axis=1, keepdims=True)
        away = self._samples[self._near] - self._cells[:, None]
        x = np.einsum("ijk,ik->ij", away, right)
        y = np.einsum("ijk,ik->ij", away, np.cross(up, right))
        turns = np.sort(np.arctan2(y, x), axis=1)
        gaps = np.diff(turns, axis=1, append=turns[:, :1] + 2 * np.pi)
        between: Mask = gaps.max(axis=1) < _HALF_TURN
        return between

    def estimate(self, values: FloatArray, footprint_km: float) -> FloatArray:
        """Estimate what a footprint sees at each cell.

        Parameters
        ----------
        values
            Of the samples, shape ``(channel, sample)``, without NaN.
        footprint_km
            Width of the footprints at half of their height.

        Returns
        -------
        FloatArray
            Shape ``(channel, cell)``, float64; NaN where a cell is not covered.
        """
        result = np.full((len(values), len(self._cells)), np.nan)
        covered = np.flatnonzero(self.is_covered)
        weights = np.empty((len(covered), self._near.shape[1]))
        overlap_weights(
            self._samples,
            self._cells,
            covered,
            self._near,
            footprint_km / _WIDTH_PER_DEVIATION,
            weights,
        )
        for estimate, channel in zip(result, values, strict=True):
            estimate[covered] = np.einsum("ij,ij->i", weights, channel[self._near[covered]])
        return result


@compiled
def overlap_weights(
    samples: FloatArray,
    cells: FloatArray,
    chosen: IntArray,
    near: IntArray,
    deviation: float,
    weights: FloatArray,
) -> None:
    """Compute the weights of the neighbours of cells.

    Parameters
    ----------
    samples, cells
        Places, shape ``(n, 3)``, float64.
    chosen
        Cells to compute, by number.
    near
        Neighbours of all cells, shape ``(cell, neighbour)``.
    deviation
        Standard deviation of a Gaussian footprint, in the unit of the places.
    weights
        Result, shape ``(chosen, neighbour)``.
    """
    n = near.shape[1]
    # Two equal Gaussians overlap like one that is wider by the square root of 2.
    scale = -0.25 / deviation**2
    at = np.empty((n, 3))
    lower = np.empty((n, n))
    a, b = np.empty(n), np.empty(n)
    for number in range(len(chosen)):
        cell = chosen[number]
        for i in range(n):
            for axis in range(3):
                at[i, axis] = samples[near[cell, i], axis] - cells[cell, axis]
            own = at[i, 0] ** 2 + at[i, 1] ** 2 + at[i, 2] ** 2
            a[i] = np.exp(scale * own)
            b[i] = 1.0
            lower[i, i] = 1.0 + NOISE_SHARE + SLOPES * own
            for j in range(i):
                square, product = 0.0, 0.0
                for axis in range(3):
                    square += (at[i, axis] - at[j, axis]) ** 2
                    product += at[i, axis] * at[j, axis]
                lower[i, j] = np.exp(scale * square) + SLOPES * product
        solve_both(lower, a, b)
        missing = 1.0 - a.sum()
        share = missing / b.sum()
        for i in range(n):
            weights[number, i] = a[i] + b[i] * share


@compiled
def solve_both(matrix: FloatArray, a: FloatArray, b: FloatArray) -> None:
    """Replace two right-hand sides by their solutions, and the lower half of the matrix.

    The matrix is symmetric and positive definite; only its lower half is used.
    """
    n = len(matrix)
    for i in range(n):  # Cholesky; the diagonal gets its reciprocal
        for j in range(i):
            rest = matrix[i, j]
            for k in range(j):
                rest -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = rest * matrix[j, j]
        rest, of_a, of_b = matrix[i, i], a[i], b[i]
        for k in range(i):
            rest -= matrix[i, k] * matrix[i, k]
            of_a -= matrix[i, k] * a[k]
            of_b -= matrix[i, k] * b[k]
        matrix[i, i] = 1.0 / np.sqrt(rest)
        a[i] = of_a * matrix[i, i]
        b[i] = of_b * matrix[i, i]
    for i in range(n - 1, -1, -1):
        a[i] *= matrix[i, i]
        b[i] *= matrix[i, i]
        for k in range(i):
            a[k] -= matrix[i, k] * a[i]
            b[k] -= matrix[i, k] * b[i]
