"""Where the sub-swaths of a synthetic product are: borders that move, ends in steps.

The radar looks at five sub-swaths in turn, and the processor merges them. Where two of them
saw the ground, the border between them moves by some samples from time to time. Where only
one did, as at the ends of a slice, it is where that one ends.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.radar import N_SUB_SWATHS, swath_borders

_SHIFT = 12
"""Samples by which a border moves at most."""

_N_EPOCHS = 4
"""Times in a whole swath during which borders stay: the radar's quarters."""


class Segment(NamedTuple):
    """Lines between which no border moves."""

    first: int
    """First line."""

    last: int
    """Last line."""

    edges: tuple[int, ...]
    """First samples of the sub-swaths in the scene, and the number of samples."""

    is_seen: tuple[bool, ...]
    """Whether each of them saw something."""

    near: int
    """First sample with backscatter."""

    far: int
    """Last sample with backscatter."""

    def samples(self, position: int) -> tuple[int, int]:
        """Return first and last sample of a sub-swath; there may be borders in them."""
        return self.edges[position], self.edges[position + 1] - 1


class Bounds(NamedTuple):
    """A rectangle of pixels that one sub-swath saw; all bounds are inclusive."""

    number: int
    """Of the sub-swath, from 1."""

    first_line: int
    last_line: int
    first_sample: int
    last_sample: int


class SubSwaths(NamedTuple):
    """The sub-swaths of a scene."""

    shape: tuple[int, int]
    """Lines and samples of 40 m."""

    numbers: tuple[int, ...]
    """Those in the scene, from 1."""

    segments: tuple[Segment, ...]
    """From the first line to the last."""

    def near(self, line: int) -> Segment:
        """Return the segment of a line, or the nearest one in which something was seen."""
        seen = [part for part in self.segments if any(part.is_seen)]
        return min(seen, key=lambda part: max(part.first - line, line - part.last, 0))

    def bounds(self) -> list[Bounds]:
        """Return the rectangles of all sub-swaths, in the order of their first lines.

        Together they cover every pixel with backscatter once, and no other.
        """
        found: list[Bounds] = []
        for position, number in enumerate(self.numbers):
            found += self._rectangles(position, number)
        return sorted(found, key=lambda bounds: (bounds.first_line, bounds.number))

    def _rectangles(self, position: int, number: int) -> Iterator[Bounds]:
        """Yield the rectangles of a sub-swath."""
        current: Bounds | None = None
        for part in self.segments:
            if not part.is_seen[position]:
                continue
            first, last = part.samples(position)
            found = Bounds(
                number, part.first, part.last, max(first, part.near), min(last, part.far)
            )
            if current is not None and _continues(current, found):
                current = current._replace(last_line=found.last_line)
                continue
            if current is not None:
                yield current
            current = found
        if current is not None:
            yield current


def find_sub_swaths(scene: Observation) -> SubSwaths:
    """Return the sub-swaths of a scene, such that what none saw has no backscatter."""
    plan, start = scene.plan, scene.surface.nodes.start
    height, width = plan.raw_shape
    whole = np.linspace(0, plan.swath_shape[1], N_SUB_SWATHS + 1).astype(int) - start[1]
    numbers = [
        i + 1
        for i, (left, right) in enumerate(pairwise(whole))
        if right > 0 and left < width
    ]
    nominal = whole[numbers[0] - 1 : numbers[-1] + 1].clip(0, width).tolist()
    epochs = np.linspace(0, plan.swath_shape[0], _N_EPOCHS + 1).astype(int)[1:-1] - start[0]
    shifts = plan.rng(110).integers(-_SHIFT, _SHIFT + 1, (_N_EPOCHS, N_SUB_SWATHS - 1))

    windows = swath_borders(plan, start)
    breaks = {0, height, *epochs.clip(0, height).tolist()}
    for lines, _ in windows:
        breaks |= {min(lines.start, height), min(lines.stop, height)}
    parts: list[Segment] = []
    for top, bottom in pairwise(sorted(breaks)):
        seen = np.ones(width, dtype=bool)
        for lines, samples in windows:
            if lines.start <= top < lines.stop:
                seen[samples] = False
        epoch = int(np.searchsorted(epochs, top, side="right"))
        moves = shifts[epoch, numbers[0] - 1 : numbers[-1] - 1].tolist()
        part = _segment(top, bottom - 1, seen, nominal, moves)
        if parts and part[2:] == parts[-1][2:]:
            part = part._replace(first=parts.pop().first)
        parts.append(part)
    return SubSwaths(plan.raw_shape, tuple(numbers), tuple(parts))


def _segment(
    first: int, last: int, seen: np.ndarray, nominal: list[int], moves: list[int]
) -> Segment:
    """Return a segment from which samples were seen, and how far borders move in it."""
    places = [left + np.flatnonzero(seen[left:right]) for left, right in pairwise(nominal)]
    edges = list(nominal)
    for i, move in enumerate(moves, start=1):
        left, right = places[i - 1], places[i]
        if left.size and right.size:
            edges[i] = min(max(edges[i] + move, int(left[0]) + 1), int(right[-1]))
    inside = np.flatnonzero(seen)
    near, far = (int(inside[0]), int(inside[-1])) if inside.size else (0, -1)
    is_seen = tuple(bool(place.size) for place in places)
    return Segment(first, last, tuple(edges), is_seen, near, far)


def _continues(upper: Bounds, lower: Bounds) -> bool:
    """Return whether a rectangle continues another one downwards."""
    return upper.last_line + 1 == lower.first_line and upper[3:] == lower[3:]
