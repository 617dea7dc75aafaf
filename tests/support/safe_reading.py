"""Read a Sentinel-1 product with numpy and rasterio alone, to judge what others make of it.

Noise is subtracted from the square of DN, and what remains is divided by the square of the
gain; the noise is that by range times that by azimuth, block by block.
"""

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
import rasterio

from seaice_data.arrays import FloatArray, IntArray


class Vector(NamedTuple):
    line: int
    samples: IntArray
    values: FloatArray


class Block(NamedTuple):
    """A rectangle of the noise by azimuth, inclusive."""

    swath: str
    lines: tuple[int, int]
    samples: tuple[int, int]
    knots: IntArray
    values: FloatArray

    @property
    def window(self) -> tuple[slice, slice]:
        return slice(self.lines[0], self.lines[1] + 1), slice(
            self.samples[0], self.samples[1] + 1
        )


class Image(NamedTuple):
    dn: FloatArray
    gain: FloatArray
    noise: FloatArray
    blocks: list[Block]
    range_vectors: list[Vector]

    @property
    def sigma0(self) -> FloatArray:
        """Linear, NaN where there is no data."""
        with np.errstate(invalid="ignore"):
            return np.where(self.dn > 0, (self.dn**2 - self.noise) / self.gain**2, np.nan)


def read_image(safe: Path, polarisation: str) -> Image:
    """Read one image with its look-up tables."""
    (tiff,) = safe.glob(f"measurement/*-{polarisation}-*.tiff")
    with rasterio.open(tiff) as file:
        dn = file.read(1).astype(np.float64)
    gains = read_vectors(
        safe, "calibration", polarisation, "calibrationVector", "sigmaNought"
    )
    gain = _over_lines(
        [v.line for v in gains],
        [np.interp(np.arange(dn.shape[1]), v.samples, v.values) for v in gains],
        np.arange(dn.shape[0]),
    )
    ranges = read_vectors(safe, "noise", polarisation, "noiseRangeVector", "noiseRangeLut")
    blocks = read_blocks(safe, polarisation)
    noise = np.full(dn.shape, np.nan)
    for block in blocks:
        noise[block.window] = _noise(block, blocks, ranges)
    return Image(dn, gain, noise, blocks, ranges)


def read_vectors(
    safe: Path, kind: str, polarisation: str, element: str, values: str
) -> list[Vector]:
    return [
        Vector(int(_text(e, "line")), _numbers(e, "pixel").astype(int), _numbers(e, values))
        for e in read_xml(safe, kind, polarisation).iter(element)
    ]


def read_blocks(safe: Path, polarisation: str) -> list[Block]:
    return [
        Block(
            _text(e, "swath"),
            (int(_text(e, "firstAzimuthLine")), int(_text(e, "lastAzimuthLine"))),
            (int(_text(e, "firstRangeSample")), int(_text(e, "lastRangeSample"))),
            _numbers(e, "line").astype(int),
            _numbers(e, "noiseAzimuthLut"),
        )
        for e in read_xml(safe, "noise", polarisation).iter("noiseAzimuthVector")
    ]


def read_xml(safe: Path, kind: str, polarisation: str) -> ET.Element:
    folder = {"product": "annotation", "rfi": "annotation/rfi"}.get(
        kind, "annotation/calibration"
    )
    prefix = "s1" if kind == "product" else f"{kind}-s1"
    (path,) = safe.glob(f"{folder}/{prefix}*-{polarisation}-*.xml")
    return ET.parse(path).getroot()  # noqa: S314 - files of tests


def _noise(block: Block, blocks: list[Block], ranges: list[Vector]) -> FloatArray:
    """Return the noise of a block, from the vectors of its sub-swath."""
    (rows, columns), found = block.window, []
    for vector in ranges:
        for other in blocks:
            is_there = other.lines[0] <= vector.line <= other.lines[1]
            if other.swath != block.swath or not is_there:
                continue
            first, last = other.samples
            inside = (
                (vector.samples >= first) & (vector.samples <= last) & (vector.values > 0)
            )
            if inside.any():
                samples, values = vector.samples[inside], vector.values[inside]
                row = np.interp(np.arange(columns.start, columns.stop), samples, values)
                found.append((vector.line, row))
    lines = np.arange(rows.start, rows.stop)
    scallops = np.interp(lines, block.knots, block.values)
    return (
        _over_lines([line for line, _ in found], [row for _, row in found], lines)
        * (scallops[:, None])
    )


def _over_lines(known: list[int], rows: list[FloatArray], lines: IntArray) -> FloatArray:
    """Interpolate rows of known lines to others, beyond them constant."""
    place = np.interp(lines, known, np.arange(len(known)))
    above = np.floor(place).astype(int)
    below = np.minimum(above + 1, len(known) - 1)
    weight = (place - above)[:, None]
    stack = np.array(rows)
    return stack[above] * (1 - weight) + stack[below] * weight


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(name) or ""


def _numbers(element: ET.Element, name: str) -> FloatArray:
    return np.array(_text(element, name).split(), dtype=np.float64)
