"""Look-up tables of a product, brought to the samples of its lines.

Noise differs from sub-swath to sub-swath by up to a factor of four, and the borders between
them move from block to block of lines. So noise is interpolated within a sub-swath only:
values of a vector belong to the sub-swath in which their sample is at the vector's line.
Zeros are missing values (the outer sub-swaths start later, and the last samples have none):
they are left out, and what is left is continued.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.errors import SceneError
from seaice_data.ingest.sentinel.annotation import (
    AzimuthNoise,
    MakeError,
    Noise,
    SwathBlock,
    Vectors,
)

_SLOPE_SAMPLES = 20  # values nearer to each other than this say little about a slope
_CONTINUED_SAMPLES = 80  # two intervals of ESA's tables

# Noise calibration factors of EW in S1A_AUX_CAL_V20150722T120000_G20151125T104733.
_EARLY_FACTORS = {
    "EW1": 56065.87, "EW2": 56559.76, "EW3": 44956.39, "EW4": 46324.29, "EW5": 43505.68,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """Vectors of equal length at some lines, between which lines are interpolated."""

    rows: FloatArray
    """float32, shape ``(vector, sample)``; at least two vectors."""

    lines: FloatArray
    """Line of each vector, increasing."""

    def between(self, lines: IntArray) -> tuple[IntArray, FloatArray]:
        """Return the vector before each line, and the weight (float32) of the next one.

        Examples
        --------
        >>> table = Table(np.zeros((2, 5), np.float32), np.array([0.0, 10.0]))
        >>> table.between(np.array([-3, 5, 12]))
        (array([0, 0, 0]), array([0. , 0.5, 1. ], dtype=float32))
        """
        last = len(self.lines) - 2
        lower = np.clip(np.searchsorted(self.lines, lines, side="right") - 1, 0, last)
        step = self.lines[lower + 1] - self.lines[lower]
        weight = np.clip((lines - self.lines[lower]) / step, 0, 1)
        return lower.astype(np.int64), weight.astype(np.float32)


@dataclass(frozen=True, slots=True)
class BlockNoise:
    """Noise power in one block of lines and samples of a sub-swath."""

    block: SwathBlock
    table: Table
    """Along range, for the samples of the block."""

    factors: FloatArray
    """Along azimuth: float32, one for each line of the block."""


def full_table(vectors: Vectors, n_samples: int) -> Table:
    """Interpolate vectors linearly to all samples.

    Examples
    --------
    >>> vectors = Vectors(np.array([0.0]), (np.array([0, 2]),), (np.array([4.0, 8.0]),))
    >>> full_table(vectors, 4).rows[0]
    array([4., 6., 8., 8.], dtype=float32)
    """
    samples = np.arange(n_samples)
    rows = [
        np.interp(samples, at, values)
        for at, values in zip(vectors.samples, vectors.values, strict=True)
    ]
    return _table(vectors.lines, rows)


def clipped_blocks(
    blocks: Sequence[SwathBlock], n_lines: int, n_samples: int
) -> tuple[SwathBlock, ...]:
    """Return the parts of blocks that are inside of the image."""
    inside = (
        SwathBlock(
            block.swath,
            max(block.first_line, 0),
            min(block.last_line, n_lines - 1),
            max(block.first_sample, 0),
            min(block.last_sample, n_samples - 1),
        )
        for block in blocks
    )
    return tuple(
        block
        for block in inside
        if block.first_line <= block.last_line and block.first_sample <= block.last_sample
    )


def block_noise(
    noise: Noise,
    blocks: Sequence[SwathBlock],
    error: MakeError,
    units: Mapping[str, float] | None = None,
) -> tuple[BlockNoise, ...]:
    """Return the noise of each block, in the unit of squared pixel values.

    Parameters
    ----------
    noise
        As it is annotated.
    blocks
        Where sub-swaths are in the image.
    error
        Makes an error that names the file.
    units
        Factors of the sub-swaths, if noise is annotated in another unit.

    Raises
    ------
    SceneError
        If a sub-swath has no noise.
    """
    units = units or {}
    by_swath = {
        swath: _swath_vectors(noise.along_range, blocks, swath, error)
        for swath in {block.swath for block in blocks}
    }
    return tuple(
        BlockNoise(
            block=block,
            table=_block_table(by_swath[block.swath], block, units.get(block.swath, 1.0)),
            factors=_azimuth_factors(noise.along_azimuth, block, error),
        )
        for block in blocks
    )  # fmt: skip


def early_units(noise: Noise, dn: float) -> dict[str, float] | None:
    """Return what brings noise of versions before 2.5 to squared pixel values.

    They annotate it without the calibration factors of the sub-swaths, as numbers far
    below 1 (MPC-0392); later noise is 100 or more, and needs none.

    Parameters
    ----------
    noise
        As it is annotated.
    dn
        First value of the table ``dn`` of the calibration.
    """
    if max(float(values.max()) for values in noise.along_range.values) >= 1:
        return None
    return {swath: factor * dn**2 for swath, factor in _EARLY_FACTORS.items()}


def _swath_vectors(
    vectors: Vectors, blocks: Sequence[SwathBlock], swath: str, error: MakeError
) -> Vectors:
    """Return the values that belong to one sub-swath, without those that are missing.

    At a line where the sub-swath has not begun, values belong to it where it will be, as
    far as no other sub-swath is there: borders are elsewhere then.
    """
    ours = [block for block in blocks if block.swath == swath]
    first, last = min(b.first_line for b in blocks), max(b.last_line for b in blocks)
    lines, samples_of, values_of = [], [], []
    for line, samples, values in zip(
        vectors.lines, vectors.samples, vectors.values, strict=True
    ):
        at = min(max(line, first), last)
        block = min(ours, key=lambda block: _lines_apart(block, at))
        belongs = _is_within(samples, block) & (values > 0)
        for other in blocks:
            if other.swath != swath and _lines_apart(other, at) == 0:
                belongs &= ~_is_within(samples, other)
        if belongs.any():
            lines.append(line)
            samples_of.append(samples[belongs])
            values_of.append(values[belongs])
    if not lines:
        raise _no_noise(swath, error)
    return Vectors(np.array(lines), tuple(samples_of), tuple(values_of))


def _is_within(samples: IntArray, block: SwathBlock) -> Mask:
    return (samples >= block.first_sample) & (samples <= block.last_sample)


def _no_noise(swath: str, error: MakeError) -> SceneError:
    return error(
        f"has no noise for sub-swath {swath}", hint="`--denoise none` needs no noise"
    )


def _lines_apart(block: SwathBlock, line: float) -> float:
    """Return how far a line is from those of a block; 0 if it is one of them."""
    return max(block.first_line - line, line - block.last_line, 0)


def _block_table(vectors: Vectors, block: SwathBlock, unit: float) -> Table:
    samples = np.arange(block.first_sample, block.last_sample + 1)
    rows = [
        unit * _continued(samples, at, values)
        for at, values in zip(vectors.samples, vectors.values, strict=True)
    ]
    return _table(vectors.lines, rows)


def _table(lines: FloatArray, rows: Sequence[FloatArray]) -> Table:
    if len(rows) == 1:  # the same in all lines
        lines, rows = np.array([lines[0], lines[0] + 1]), [rows[0], rows[0]]
    return Table(np.array(rows, np.float32), np.asarray(lines))


def _continued(samples: IntArray, at: IntArray, values: FloatArray) -> FloatArray:
    """Interpolate linearly; beyond the ends, continue the slope for two intervals.

    The result is at least half of the last value, so that no slope makes it negative.

    Examples
    --------
    >>> _continued(np.array([0, 30, 60, 500]), np.array([30, 60]), np.array([4.0, 7.0]))
    array([ 2.,  4.,  7., 15.])
    """
    row = np.interp(samples, at, values)
    for end, inward in ((0, at - at[0]), (-1, at[-1] - at)):
        far = np.flatnonzero(inward >= _SLOPE_SAMPLES)
        if not len(far):
            continue
        other = far[0] if end == 0 else far[-1]
        slope = (values[end] - values[other]) / (at[end] - at[other])
        beyond = samples < at[0] if end == 0 else samples > at[-1]
        away = np.clip(samples[beyond] - at[end], -_CONTINUED_SAMPLES, _CONTINUED_SAMPLES)
        row[beyond] = np.maximum(values[end] + slope * away, values[end] / 2)
    return np.asarray(row)


def _azimuth_factors(
    azimuth: Sequence[AzimuthNoise], block: SwathBlock, error: MakeError
) -> FloatArray:
    """Return the factors of the lines of a block; 1 if the version has none.

    Each line takes the vector that is for it, or else for the lines nearest to it.
    """
    lines = np.arange(block.first_line, block.last_line + 1)
    if not azimuth:
        return np.ones(len(lines), np.float32)
    ours = [
        vector
        for vector in azimuth
        if vector.block.swath == block.swath and (vector.factors > 0).any()
    ]
    if not ours:
        raise _no_noise(block.swath, error)
    # Of two vectors for the same lines, the first one with most samples in common.
    ours.sort(key=lambda vector: _shared_samples(vector.block, block), reverse=True)
    apart, factors = [], []
    for vector in ours:
        bounds, known = vector.block, vector.factors > 0
        beyond = np.maximum(bounds.first_line - lines, lines - bounds.last_line)
        apart.append(beyond.clip(0))
        factors.append(np.interp(lines, vector.lines[known], vector.factors[known]))
    nearest = np.argmin(apart, axis=0)
    of_lines: FloatArray = np.array(factors, np.float32)[nearest, np.arange(len(lines))]
    return of_lines


def _shared_samples(one: SwathBlock, other: SwathBlock) -> int:
    """Return how many samples two blocks have in common; negative if they are apart."""
    first = max(one.first_sample, other.first_sample)
    return min(one.last_sample, other.last_sample) - first + 1
