"""Random fields that synthetic scenes are made of, and their interpolation to finer grids.

- ``fractal`` makes a field with detail at all scales (coasts, weather), ``texture`` one
  with a single length scale (floes);
- ``interpolate`` interpolates a coarse field to any rows and columns, bilinearly;
- ``blur`` averages with a Gaussian, as an antenna does;
- ``signed_distance`` measures how far each node is from the border of a region;
- ``label_rows`` labels pixels by the highest score, with borders as smooth as the scores.

A field depends on its arguments alone; randomness is one of them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, Mask

Float32 = NDArray[np.float32]
"""Fields are float32 throughout: half the memory, and noise hides the lost digits."""

Labels = NDArray[np.uint8]
"""Positions of polygons in their table."""


def fractal(
    rng: np.random.Generator, shape: tuple[int, int], wavelength: float, slope: float = 3.0
) -> Float32:
    """Return a field of mean 0 and deviation 1 with detail at all scales.

    Mean and deviation are those of a large field; a field that is small compared with the
    wavelength varies less around a mean of its own.

    Parameters
    ----------
    rng
        Source of randomness.
    shape
        Shape of the field.
    wavelength
        Longest wavelength in nodes; longer waves have no more power.
    slope
        How fast spectral density falls with the wave number: 2.5 is rugged, 5 smooth.
    """
    # The transform is periodic: a larger field is made, so that opposite borders differ,
    # and so that a small field is a section of long waves.
    height, width = (max(n + int(0.6 * wavelength) + 1, int(2 * wavelength)) for n in shape)
    whole = _filtered(
        rng, (height, width), lambda k: (wavelength**-2 + k**2) ** (-slope / 4)
    )
    return standard(whole)[: shape[0], : shape[1]]


def texture(rng: np.random.Generator, shape: tuple[int, int], wavelength: float) -> Float32:
    """Return a periodic field of mean 0 and deviation 1 with spots of about one size.

    Parameters are those of `fractal`.
    """
    return standard(
        _filtered(
            rng,
            shape,
            lambda k: np.exp(-(np.log(k * wavelength + 1e-9) ** 2) / 0.6) / (k + 1e-9),
        )
    )


def standard(field: Float32) -> Float32:
    """Return the field with mean 0 and deviation 1; a constant field becomes 0."""
    centred = field - field.mean(dtype=np.float64).astype(np.float32)
    deviation = centred.std(dtype=np.float64)
    scaled: Float32 = centred / np.float32(deviation if deviation > 0 else 1)
    return scaled


def interpolate(field: Float32, rows: FloatArray, columns: FloatArray) -> Float32:
    """Interpolate a field to `rows` x `columns`, bilinearly.

    Positions are in nodes of the field. Beyond the last node, the slope before it
    continues.
    """
    above, down = _split(rows, field.shape[0])
    below = np.minimum(above + 1, field.shape[0] - 1)
    left, right_by = _split(columns, field.shape[1])
    right = np.minimum(left + 1, field.shape[1] - 1)
    # Columns first: there are few rows so far, and rows are contiguous afterwards.
    top = int(above.min())
    coarse = field[top : int(below.max()) + 1]
    wide = coarse[:, left]
    wide += (coarse[:, right] - wide) * right_by
    start = wide[above - top]
    fine: Float32 = wide[below - top]
    fine -= start
    fine *= down[:, None]
    fine += start
    return fine


def blur(field: FloatArray, sigma: float) -> FloatArray:
    """Average a field with a Gaussian of deviation `sigma` nodes."""
    height, width = field.shape
    return _bell(height, sigma) @ field @ _bell(width, sigma).T


def signed_distance(potential: Float32, reach: int) -> Float32:
    """Return the distance to where `potential` is 0, in nodes; negative where above 0.

    Infinite where it is more than `reach`.
    """
    inside = potential > 0
    outer, inner = _distance_to(inside, reach), _distance_to(~inside, reach)
    distance = np.where(inside, 0.5 - inner, outer - 0.5)
    # Whole nodes would make the border a staircase; close to it, use the potential instead.
    slope = np.hypot(*np.gradient(potential))
    close = np.clip(-potential / np.maximum(slope, 1e-6), -1.5, 1.5)
    return np.where(np.abs(distance) < 1, close, distance).astype(np.float32)


def label_rows(
    scores: Float32, labels: Labels, rows: slice, width: int, factor: int
) -> Labels:
    """Return the label of the highest score for rows of a finer grid.

    Parameters
    ----------
    scores
        Shape ``(label, y, x)``, at nodes; between nodes it is bilinear.
    labels
        The label of the highest score at each node.
    rows
        Rows of the fine grid; starts at a multiple of `factor`.
    width
        Columns of the fine grid.
    factor
        Fine pixels from node to node.
    """
    first, height = rows.start // factor, rows.stop - rows.start
    n_y, n_x = -(-height // factor), -(-width // factor)
    corners = np.stack(
        [labels[first + i : first + i + n_y, j : j + n_x] for i in (0, 1) for j in (0, 1)]
    )
    fine: Labels = corners[0].repeat(factor, axis=0).repeat(factor, axis=1)
    # Only cells with different corners need a look at the scores between nodes.
    y, x = np.nonzero((corners != corners[0]).any(axis=0))
    candidates = corners[:, y, x].T  # (cell, candidate)
    at_corners = np.stack(
        [
            scores[candidates, first + y[:, None] + i, x[:, None] + j]
            for i in (0, 1)
            for j in (0, 1)
        ],
        axis=-1,
    )  # (cell, candidate, corner)
    best = (at_corners @ _corner_weights(factor)).argmax(axis=1)  # (cell, pixel)
    found = np.take_along_axis(candidates, best, axis=1)
    blocks = fine.reshape(n_y, factor, n_x, factor)
    blocks[y, :, x, :] = found.reshape(-1, factor, factor)
    return fine[:height, :width]


def _filtered(
    rng: np.random.Generator,
    shape: tuple[int, int],
    response: Callable[[Float32], Float32],
) -> Float32:
    """Shape white noise by an amplitude for each wave number, in cycles per node."""
    spectrum = np.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    k_y, k_x = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    amplitude = response(np.hypot(k_y[:, None], k_x).astype(np.float32))
    amplitude[0, 0] = 0
    field: Float32 = np.fft.irfft2(spectrum * amplitude, s=shape).astype(np.float32)
    return field


def _split(positions: FloatArray, n_nodes: int) -> tuple[NDArray[np.intp], Float32]:
    """Return the node before each position, and how far after it the position is."""
    front = np.clip(np.floor(positions).astype(np.intp), 0, max(n_nodes - 2, 0))
    return front, (positions - front).astype(np.float32)


def _bell(n: int, sigma: float) -> FloatArray:
    """Return the matrix that blurs along an axis of `n` nodes."""
    offset = np.arange(n)[:, None] - np.arange(n)
    weight = np.exp(-0.5 * (offset / max(sigma, 1e-3)) ** 2)
    bell: FloatArray = weight / weight.sum(axis=1, keepdims=True)
    return bell


def _distance_to(region: Mask, reach: int) -> Float32:
    """Return the exact distance of each node to the nearest node of `region`."""
    row = np.arange(region.shape[0], dtype=np.float32)[:, None]
    before = np.maximum.accumulate(np.where(region, row, -np.inf), axis=0)
    after = np.minimum.accumulate(np.where(region, row, np.inf)[::-1], axis=0)[::-1]
    in_column = np.minimum(row - before, after - row).astype(np.float32) ** 2
    nearest = in_column.copy()
    for shift in range(1, min(region.shape[1], reach + 1)):
        if shift**2 > nearest.max():
            break
        for here, there in (
            (nearest[:, shift:], in_column[:, :-shift]),
            (nearest[:, :-shift], in_column[:, shift:]),
        ):
            np.minimum(here, there + np.float32(shift**2), out=here)
    nearest[nearest > reach**2] = np.inf
    return np.sqrt(nearest)


def _corner_weights(factor: int) -> Float32:
    """Return the bilinear weight of four corners for each pixel, ``(corner, pixel)``."""
    t = np.arange(factor, dtype=np.float32) / factor
    along = np.stack([1 - t, t])
    weights = along[:, None, :, None] * along[None, :, None, :]  # (i, j, y, x)
    return weights.reshape(4, factor * factor).astype(np.float32)
