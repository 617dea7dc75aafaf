"""Tie points: where they are in the scene, and which way the satellite flew."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.checks.finding import Finding, outcome_of
from seaice_data.geolocation import TiePoints, wrapped
from seaice_data.grid import SPACING_M, Grid
from seaice_data.scenes.scene import Scene

_EARTH_RADIUS_M = 6_371_000.0
_INCLINATION_COSINE = -0.1423  # of the Sentinel-1 orbit, 98.18 degrees
_NEAR_DEG = 20.0
_NEAR_SHARE = 0.03  # the sphere and the ellipsoid differ by half a percent
_CLEAR_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Placement:
    """The tie points of a scene."""

    version: str
    """``ready``, ``raw`` or ``ingested``."""

    misplaced_pixels: float
    """How far recorded positions are from the rebuilt ones, in 40 m pixels; 0 in
    ready-to-train files, which have no positions."""

    spacing_m: tuple[float, float]
    """Metres on the ground per 80 m pixel, along y and x."""

    last_share: tuple[float, float]
    """Metres per pixel in the last interval, relative to the others, along y and x."""

    last_pixels: tuple[float, float]
    """Pixels in the last interval, relative to the others."""

    latitude: float
    """Of the middle of the scene, degrees north; longitude likewise."""

    longitude: float

    heading_deg: float
    """Direction of later lines in the middle of the scene, clockwise from north."""

    samples_deg: float
    """Direction of later samples."""

    @property
    def is_ascending(self) -> bool:
        """Whether the satellite flies north."""
        return bool(np.cos(np.deg2rad(self.heading_deg)) > 0)

    @property
    def is_right_looking(self) -> bool:
        """Whether later samples are to the right of later lines."""
        return abs(wrapped(self.samples_deg - self.heading_deg - 90)) < _NEAR_DEG

    @property
    def is_forward(self) -> bool:
        """Whether later lines are further along the orbit of Sentinel-1."""
        cosine = np.cos(np.deg2rad(self.latitude))
        ascending = np.rad2deg(np.arcsin(np.clip(_INCLINATION_COSINE / cosine, -1, 1)))
        ways = np.array([ascending, 180 - ascending])
        ahead, back = (
            np.abs(wrapped(self.heading_deg - w)).min() for w in (ways, ways + 180)
        )
        return bool(ahead < back)


def measure_placement(scene: Scene) -> Placement:
    """Measure distances and directions between the tie points of a scene."""
    points = scene.tie_points
    spacing, share, pixels = zip(*(_along(points, axis) for axis in (0, 1)), strict=True)
    middle = tuple(n // 2 for n in points.latitude.shape)
    down, right = (_direction(points, middle, axis) for axis in (0, 1))
    return Placement(
        scene.version,
        _misplaced(points, scene.original_grid) if scene.version == "raw" else 0.0,
        spacing,
        share,
        pixels,
        float(points.latitude[middle]),
        float(points.longitude[middle]),
        down,
        right,
    )


def check_positions(raw: Sequence[Placement]) -> Finding:
    """Check that tie points of raw files are at the positions rebuilt for ready ones."""
    name = "positions of tie points"
    inferred = (
        "on the 40 m grid they are ceil(n / 20) pixels apart, the last on the last pixel"
    )
    if not raw:
        return Finding(name, inferred, "cannot tell", "no raw file has their positions")
    furthest = max(scene.misplaced_pixels for scene in raw)
    evidence = f"in {len(raw)} raw files they are at most {furthest:g} pixels off"
    return Finding(name, inferred, outcome_of(furthest <= 0.5), evidence)


def check_spacing(scenes: Sequence[Placement]) -> Finding:
    """Check that tie points span the SAR, lines first."""
    name = "span of tie points"
    inferred = "tie points are in the order of lines, then samples, and span the SAR planes"
    spacings = np.array([scene.spacing_m for scene in scenes])
    y, x = np.median(spacings, axis=0)
    wrong = (np.abs(spacings / SPACING_M - 1) > _NEAR_SHARE).any(axis=1).sum()
    evidence = (
        f"a pixel is {y:.1f} m along the lines and {x:.1f} m along the samples (medians of "
        f"{len(scenes)} scenes); {wrong} scenes differ from {SPACING_M:.0f} m by more than "
        f"{_NEAR_SHARE:.0%}"
    )
    return Finding(name, inferred, outcome_of(wrong == 0), evidence)


def check_last_interval(ready: Sequence[Placement]) -> Finding:
    """Check that the last interval of ready-to-train files is as short as we assume."""
    name = "last interval of tie points"
    inferred = "in ready-to-train files the last interval is shorter, as in raw ones"
    pairs = [
        pair
        for scene in ready
        for pair in zip(scene.last_share, scene.last_pixels, strict=True)
        if abs(pair[1] - 1) > _CLEAR_SHARE
    ]
    if not pairs:
        evidence = (
            "no ready-to-train scene has a size that shortens the last interval by 1 %"
        )
        return Finding(name, inferred, "cannot tell", evidence)
    shares, pixels = np.array(pairs).T
    rebuilt, even = np.median(np.abs(shares - 1)), np.median(np.abs(shares * pixels - 1))
    evidence = (
        f"the pixel spacing of the last interval is off by {rebuilt:.2%} with a shorter "
        f"one, by {even:.2%} with equal ones (medians of {len(pairs)} axes)"
    )
    if abs(rebuilt - even) < _CLEAR_SHARE / 2:
        return Finding(name, inferred, "cannot tell", evidence)
    return Finding(name, inferred, outcome_of(rebuilt < even), evidence)


def check_orientation(scenes: Sequence[Placement]) -> Finding:
    """Check that rows are in the order of time, and columns begin at near range."""
    n_right = sum(scene.is_right_looking for scene in scenes)
    n_forward = sum(scene.is_forward for scene in scenes)
    n_south = sum(not scene.is_ascending for scene in scenes)
    evidence = (
        f"of {len(scenes)} scenes ({n_south} descending), {n_right} have later samples to "
        f"the right of later lines, and {n_forward} later lines further along the orbit"
    )
    return Finding(
        "orientation",
        "row 0 is the first line in time and column 0 is near range, also in descending "
        "scenes",
        outcome_of(n_right == n_forward == len(scenes)),
        evidence,
    )


def _along(points: TiePoints, axis: int) -> tuple[float, float, float]:
    """Return metres per pixel, and the last interval relative to the others."""
    places = _on_sphere(points)
    gaps = np.linalg.norm(np.diff(places, axis=axis), axis=-1) * _EARTH_RADIUS_M
    metres = np.median(gaps, axis=1 - axis)
    pixels = np.diff((points.lines, points.samples)[axis])
    spacing = metres / pixels
    others = slice(max(len(spacing) - 1, 1))
    usual = float(np.median(spacing[others]))
    return usual, float(spacing[-1] / usual), float(pixels[-1] / np.median(pixels[others]))


def _on_sphere(points: TiePoints) -> FloatArray:
    """Return unit vectors of the tie points, shape ``(line, sample, 3)``."""
    latitude, longitude = np.deg2rad(points.latitude), np.deg2rad(points.longitude)
    return np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=-1,
    )


def _direction(points: TiePoints, at: tuple[int, ...], axis: int) -> float:
    """Return the direction of an axis at a tie point, degrees clockwise from north."""
    places = _on_sphere(points)
    step = [0, 0]
    step[axis] = 1
    before = places[at[0] - step[0], at[1] - step[1]]
    x, y, z = places[at]
    last = (
        min(at[0] + step[0], places.shape[0] - 1),
        min(at[1] + step[1], places.shape[1] - 1),
    )
    after = places[last]
    east = np.array([-y, x, 0]) / max(np.hypot(x, y), 1e-12)
    north = np.cross([x, y, z], east)
    ahead = after - before
    return float(np.rad2deg(np.arctan2(ahead @ east, ahead @ north)))


def _misplaced(points: TiePoints, original: Grid) -> float:
    """Return how far positions are from the rebuilt ones, in 40 m pixels."""
    furthest = 0.0
    for positions, n in ((points.lines, original.height), (points.samples, original.width)):
        last = len(positions) - 1
        rebuilt = np.minimum(np.arange(last + 1) * -(-n // last), n - 1)
        furthest = max(furthest, float(np.abs(2 * positions + 0.5 - rebuilt).max()))
    return furthest
