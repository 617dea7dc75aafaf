"""Look-up tables of a synthetic product: calibration, and noise by range and azimuth.

They have the form of real ones: vectors of one line each, a second apart, with a value
every 40 samples and at both ends of a sub-swath, and zeros where a sub-swath saw nothing at
that line and at the last samples of the swath. Pixels are made from the numbers as they are
written, interpolated as a reader would interpolate them. Zeros are missing values: at the
last samples, pixels have the noise that the antenna gives, which only a reader that
continues the slope removes.
"""

from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.synthetic.fields import Float32
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.products.sub_swaths import Bounds, SubSwaths

BETA_NOUGHT = 1087.0
"""Gain of amplitudes, as in real products. The noise of HV is then 70 DN or more: a step of
1 DN changes its power by up to 3 %, and rounding shifts its mean by less than 0.001 dB."""

_STEP = 40  # samples from value to value

_SECOND = 167  # lines in a second, from vector to vector

_AZIMUTH_STEP = 10  # lines from value to value of the noise by azimuth

_BURSTS = 510  # lines after which the antenna looks at a sub-swath again

_BLIND = 8  # samples at the far end of the swath where the noise is 0, that is missing

# Power of the noise in decibels of sigma nought, by sub-swath, and how much higher it is at
# the ends of a burst. Real noise is up to 9 dB weaker in the outer sub-swaths; but real
# water is darker in HV than that of synthetic scenes, and so nearer to the noise.
_FLOORS = (-21.5, -23.0, -23.5, -23.5, -23.5)

_SCALLOPS = (0.23, 0.21, 0.19, 0.17, 0.14)

_HH_GAIN = 1.2  # noise of HH, over that of HV


class Vector(NamedTuple):
    """Values at some samples of one line."""

    line: int
    samples: IntArray
    values: FloatArray


class Table(NamedTuple):
    """Vectors brought to all samples of a range, at increasing lines."""

    lines: FloatArray
    values: Float32
    """Shape ``(vector, sample)``."""

    def at(self, lines: IntArray, samples: slice = slice(None)) -> Float32:
        """Return values at lines: between vectors linear, beyond them constant."""
        place = np.interp(lines, self.lines, np.arange(len(self.lines)))
        above = place.astype(int).clip(max=max(len(self.lines) - 2, 0))
        below = np.minimum(above + 1, len(self.lines) - 1)
        weight = (place - above).astype(np.float32)[:, None]
        values = self.values[:, samples]
        between: Float32 = values[above] * (1 - weight) + values[below] * weight
        return between


class AzimuthVector(NamedTuple):
    """What the noise is multiplied with, at some lines of a rectangle."""

    bounds: Bounds
    lines: IntArray
    values: FloatArray


class Calibration(NamedTuple):
    """Gains by which amplitudes are divided."""

    vectors: tuple[Vector, ...]
    """Those of sigma nought."""

    incidence_deg: tuple[FloatArray, ...]
    """Incidence angles at the values of each."""

    table: Table
    """Gain of sigma nought for all samples."""


class Noise(NamedTuple):
    """Noise of one polarisation, as squares of DN."""

    swaths: SubSwaths
    vectors: tuple[Vector, ...]
    azimuth: tuple[AzimuthVector, ...]
    tables: dict[int, Table]
    """By number of the sub-swath."""

    def mean(self, rows: slice) -> Float32:
        """Return the mean of the noise in rows, shape ``(rows, samples)``."""
        width = self.swaths.shape[1]
        plane = np.zeros((rows.stop - rows.start, width), dtype=np.float32)
        for vector in self.azimuth:
            bounds = vector.bounds
            first, last = (
                max(bounds.first_line, rows.start),
                min(bounds.last_line + 1, rows.stop),
            )
            if first >= last:
                continue
            lines = np.arange(first, last)
            samples = slice(bounds.first_sample, bounds.last_sample + 1)
            gain = np.interp(lines, vector.lines, vector.values).astype(np.float32)
            part = plane[first - rows.start : last - rows.start, samples]
            np.multiply(
                self.tables[bounds.number].at(lines, samples), gain[:, None], out=part
            )
        return plane


def make_calibration(scene: Observation) -> Calibration:
    """Return the calibration; the last vector is beyond the last line, as in real ones."""
    height, width = scene.plan.raw_shape
    samples = _steps(0, width - 1)
    vectors, angles = [], []
    for line in range(0, height + _SECOND, _SECOND):
        angle = incidence(scene, line, samples)
        gain = _as_written(BETA_NOUGHT / np.sqrt(np.sin(np.radians(angle))))
        vectors.append(Vector(line, samples, gain))
        angles.append(angle)
    return Calibration(tuple(vectors), tuple(angles), _table(vectors, 0, width - 1))


def make_noise(scene: Observation, swaths: SubSwaths, polarisation: int) -> Noise:
    """Return the noise of HH (0) or HV (1)."""
    levels = scene.plan.rng(111).normal(_FLOORS, 0.4)
    if polarisation == 0:
        levels += 10 * np.log10(_HH_GAIN)
    vectors = []
    known: dict[int, list[Vector]] = {number: [] for number in swaths.numbers}
    for line in _vector_lines(swaths):
        pieces = []
        segment = swaths.near(line)
        for position, number in enumerate(swaths.numbers):
            first, last = segment.samples(position)
            samples = _steps(first, last)
            values: FloatArray = np.zeros(samples.size)
            if segment.is_seen[position]:
                values = _level(scene, line, samples, number, levels[number - 1])
                known[number].append(Vector(line, samples, values.copy()))
                # Never all of them: what no vector knows cannot be removed.
                values[(samples > swaths.shape[1] - 1 - _BLIND) & (samples > first)] = 0
            pieces.append((samples, values))
        vectors.append(Vector(line, *map(np.concatenate, zip(*pieces, strict=True))))
    bounds = swaths.bounds()
    return Noise(
        swaths,
        tuple(vectors),
        tuple(_azimuth(scene, swaths, part) for part in bounds),
        {n: _table(found, 0, swaths.shape[1] - 1) for n, found in known.items() if found},
    )


def incidence(scene: Observation, line: float, samples: IntArray) -> FloatArray:
    """Return incidence angles at samples of a line, in degrees."""
    ties = scene.ties
    rows = np.array([np.interp(samples, ties.samples, row) for row in ties.incidence])
    place = float(np.interp(line, ties.lines, np.arange(len(ties.lines))))
    above = min(int(place), len(rows) - 2)
    angles: FloatArray = rows[above] + (place - above) * (rows[above + 1] - rows[above])
    return angles


def _vector_lines(swaths: SubSwaths) -> list[int]:
    """Return the lines of noise vectors, at least one in each sub-swath.

    There is one each second, and where the last sub-swath begins and the first one ends.
    """
    height = swaths.shape[0]
    seen = [
        [part for part in swaths.segments if part.is_seen[position]]
        for position in range(len(swaths.numbers))
    ]
    seen = [parts for parts in seen if parts]
    lines = {*range(0, height, _SECOND), height - 1}
    lines |= {max(parts[0].first for parts in seen), min(parts[-1].last for parts in seen)}
    for parts in seen:
        if not any(part.first <= line <= part.last for part in parts for line in lines):
            lines.add(parts[0].first)
    return sorted(lines)


def _level(
    scene: Observation, line: int, samples: IntArray, number: int, floor_db: float
) -> FloatArray:
    """Return noise at samples of a line, as squares of DN."""
    plan, start = scene.plan, scene.surface.nodes.start
    swath = (samples + start[1]) / plan.swath_shape[1] * 5
    position = swath - (number - 1)
    # The antenna sees less at both sides of a sub-swath, and least at near range.
    level_db = floor_db + 5.0 * (position - 0.5) ** 2 + 3.0 * np.exp(-swath / 0.15)
    drift = 1 + 0.02 * np.cos((line + start[0]) / 3000 + number)
    angle = incidence(scene, line, samples)
    gain2 = BETA_NOUGHT**2 / np.sin(np.radians(angle))
    return _as_written(10 ** (level_db / 10) * drift * gain2)


def _azimuth(scene: Observation, swaths: SubSwaths, bounds: Bounds) -> AzimuthVector:
    """Return the scalloping in a rectangle: stronger at both ends of a burst."""
    first, last = bounds.first_line, bounds.last_line
    rounded = np.arange(
        -(-(first + 1) // _AZIMUTH_STEP) * _AZIMUTH_STEP, last + 1, _AZIMUTH_STEP
    )
    lines = np.concatenate([[first], rounded])
    if last == swaths.shape[0] - 1 and lines[-1] != last:
        lines = np.append(lines, last)
    # Bursts of the sub-swaths take turns.
    turn = (lines + scene.surface.nodes.start[0]) / _BURSTS + bounds.number / 5
    values = 1 + _SCALLOPS[bounds.number - 1] * (2 * (turn % 1) - 1) ** 2
    return AzimuthVector(bounds, lines, _as_written(values))


def _steps(first: int, last: int) -> IntArray:
    """Return every 40th sample and the last one."""
    return np.append(np.arange(first, last, _STEP), last)


def _table(vectors: list[Vector], first: int, last: int) -> Table:
    """Bring vectors to all samples."""
    samples = np.arange(first, last + 1)
    rows = [np.interp(samples, vector.samples, vector.values) for vector in vectors]
    lines = np.array([vector.line for vector in vectors], dtype=np.float64)
    return Table(lines, np.array(rows, dtype=np.float32))


def _as_written(values: FloatArray) -> FloatArray:
    """Round to the seven digits of the files."""
    return np.array([float(f"{value:.6e}") for value in values])
