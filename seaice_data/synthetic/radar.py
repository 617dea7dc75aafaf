"""What the radar sees of a synthetic scene: backscatter of 40 m pixels.

The constants are typical values, rounded. They aim at scenes that teach what real ones
teach: windy water looks like ice, in HH more than in HV; where stages of development look
alike, place and season decide.
"""

import itertools
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, Mask
from seaice_data.grid import Window
from seaice_data.synthetic.fields import Float32, interpolate, label_rows, texture
from seaice_data.synthetic.nodes import SPACING, Nodes
from seaice_data.synthetic.plan import RawTiePoints, ScenePlan
from seaice_data.synthetic.polygons import FAST_ICE, LEVEL_ICE, Polygon
from seaice_data.synthetic.surface import Cover, Surface
from seaice_data.synthetic.weather import RAW_CELL, Weather

N_SUB_SWATHS = 5
"""Sub-swaths of the extra wide mode, side by side; each has its own noise."""

# Backscatter at 30 degrees in dB, HH and HV: cold, and what melting adds.
_STAGES = {
    1: ((-19.5, -30.5), (0.0, 0.0)),
    2: ((-14.5, -26.5), (0.0, 0.0)),
    3: ((-14.0, -25.5), (-0.5, -0.5)),
    4: ((-12.8, -23.5), (-1.5, -2.5)),
    5: ((-9.5, -17.5), (-4.0, -6.5)),
}

_BERGS = (-5.0, -13.0)

# What floes add in dB, and how strongly each texture shows: 0.6, 1.6, 4 and 10 km.
_FLOES = {
    1: (2.5, (0.95, 0.3, 0.0, 0.0)),
    2: (1.5, (0.7, 0.7, 0.0, 0.0)),
    3: (0.7, (0.3, 0.9, 0.3, 0.0)),
    4: (0.3, (0.1, 0.3, 0.95, 0.0)),
    5: (0.0, (0.0, 0.1, 0.35, 0.93)),
    6: (0.0, (1.0, 0.0, 0.0, 0.0)),
    FAST_ICE: (-2.5, (0.0, 0.4, 0.5, 0.77)),
    LEVEL_ICE: (-1.0, (0.0, 0.2, 0.6, 0.77)),
}

_SHARPNESS = (1.2, 3.0, 7.0, 10.0)  # of floe borders, by texture

_WAVELENGTHS = (8, 20, 50, 125)  # of the textures, in pixels of 80 m

_TILE = 1024  # pixels after which the two finer textures repeat at the latest

_ICE_PER_DEGREE = (-0.24, -0.16)

# Incidence angle over water: HH falls steeply, HV hardly.
_WATER_PER_DEGREE = (np.float32(-0.72), np.float32(-0.12))

_WATER_PER_DEGREE2 = (np.float32(0.009), np.float32(0.0))

_SPECKLE_DB = (1.25, 1.6)  # of a 40 m pixel, HH and HV

_PER_DB = np.float32(np.log2(10) / 10)


class RadarRows(NamedTuple):
    """Rows of a scene as the radar sees them, and what it looks at."""

    hh: Float32
    """Backscatter of raw pixels in dB; NaN outside the swath."""

    hv: Float32
    """As `hh`."""

    cover: Cover
    """What is in each 80 m pixel."""

    hidden: "Hidden"
    """The hidden truth of each 80 m pixel."""


class Hidden(NamedTuple):
    """The truth that no instrument or chart shows, in 80 m pixels."""

    label: NDArray[np.intp]
    """Region with its real, ragged border."""

    ice: Float32
    """Share of ice; 0 on land."""

    is_first: Mask
    """Whether the ice is of the main type of its region, rather than of the second."""

    is_land: Mask


class Radar:
    """Looks at a surface, some rows at a time.

    Parameters
    ----------
    plan, surface, weather, ties
        The scene.
    """

    def __init__(
        self, plan: ScenePlan, surface: Surface, weather: Weather, ties: RawTiePoints
    ) -> None:
        self._plan = plan
        self._surface = surface
        self._n_columns = -(-plan.raw_shape[1] // 2)
        self._looks = _looks(plan, surface.polygons, float(weather.t2m.mean()))
        column = 2.0 * np.arange(self._n_columns) + 0.5
        self._angle = np.interp(column, ties.samples, ties.incidence[0]).astype(np.float32)
        self._water = _water_fields(surface, weather)
        tile = min(_TILE, 128 * -(-plan.width // 128))
        self._tiles = [
            texture(plan.rng(50, i), (tile, tile), _WAVELENGTHS[i]) for i in (0, 1)
        ]
        self._textures = [_coarse_texture(surface.nodes, i) for i in (2, 3)]
        self._patches = surface.nodes.fractal(51, 0.12, 3.0)
        self._noise_floor = _noise_floor(plan, surface.nodes.start[1], self._n_columns)
        self._borders = swath_borders(plan, surface.nodes.start)

    def look(self, rows: slice) -> RadarRows:
        """Return what the radar sees in rows of 80 m, which start at a multiple of 8."""
        surface, n_columns = self._surface, self._n_columns
        line = np.arange(rows.start, rows.stop)
        labels = label_rows(
            surface.truth.scores,
            surface.truth.labels,
            rows,
            n_columns,
            SPACING // 2,
        ).astype(np.intp)
        is_land = self._at_nodes(surface.land_km, line) <= 0
        grains = self._grains(line)
        ice, first = self._floes(labels, line, grains)
        ice[is_land] = 0
        hh, hv = self._means(labels, line, grains, ice, first)
        self._paint_land(hh, hv, is_land, grains)
        self._add_noise_floor(hv, line)
        looks = self._looks
        old = ice * (looks.old_b.take(labels) + first * looks.old.take(labels))
        thin = ice * (looks.thin_b.take(labels) + first * looks.thin.take(labels))
        cover = Cover(ice, old, thin, is_land.astype(np.float32))
        hidden = Hidden(labels, ice, first >= 0.5, is_land)
        hh, hv = (self._speckled(plane, i, rows) for i, plane in enumerate((hh, hv)))
        return RadarRows(hh, hv, cover, hidden)

    def _at_nodes(self, field: Float32, line: NDArray[np.integer]) -> Float32:
        """Bring a field of nodes to 80 m pixels."""
        columns = np.arange(self._n_columns)
        return interpolate(field, 2.0 * line / SPACING, 2.0 * columns / SPACING)

    def _grains(self, line: NDArray[np.integer]) -> list[Float32]:
        """Return the four textures."""
        columns = np.arange(self._n_columns)
        tiles = [tile[line % len(tile)][:, columns % len(tile)] for tile in self._tiles]
        return tiles + [self._at_nodes(field, line) for field in self._textures]

    def _floes(
        self, labels: NDArray[np.intp], line: NDArray[np.integer], grains: list[Float32]
    ) -> tuple[Float32, Float32]:
        """Return the share of ice, and the share that the first ice type has in it.

        Loose ice is spots of a texture in water. Close ice is broken by leads, which run
        where the texture crosses its mean.
        """
        looks = self._looks
        grain = looks.grains[0].take(labels) * grains[0]
        for weight, field in zip(looks.grains[1:], grains[1:], strict=True):
            grain += weight.take(labels) * field
        height = np.where(looks.is_close.take(labels), np.abs(grain), -grain)
        height += looks.level.take(labels)
        height *= looks.sharpness.take(labels)
        height += 0.5
        first = looks.first.take(labels) - self._at_nodes(self._patches, line)
        first *= 2.5
        first += 0.5
        return np.clip(height, 0, 1, out=height), np.clip(first, 0, 1, out=first)

    def _means(
        self,
        labels: NDArray[np.intp],
        line: NDArray[np.integer],
        grains: list[Float32],
        ice: Float32,
        first: Float32,
    ) -> tuple[Float32, Float32]:
        """Return HH and HV in dB without noise, over ice and water."""
        looks, angle = self._looks, self._angle - 30
        rough = 0.7 * grains[0] + 0.7 * grains[1]
        rough *= looks.rough.take(labels)
        planes = []
        for i in range(2):
            from_ice = first * looks.step[i].take(labels)
            from_ice += looks.base[i].take(labels)
            from_ice += rough
            from_ice += np.float32(_ICE_PER_DEGREE[i]) * angle
            water = self._at_nodes(self._water[i], line)
            water += _WATER_PER_DEGREE[i] * angle + _WATER_PER_DEGREE2[i] * angle**2
            # Mixed in decibel, although powers add up: it matters at borders of floes only.
            from_ice -= water
            from_ice *= ice
            planes.append(from_ice + water)
        return planes[0], planes[1]

    def _paint_land(
        self, hh: Float32, hv: Float32, is_land: Mask, grains: list[Float32]
    ) -> None:
        """Overwrite land with hills and snow."""
        hills = sum(
            g[is_land] * w for g, w in zip(grains, (1.5, 2.0, 2.0, 1.0), strict=True)
        )
        hh[is_land] = -10.0 + hills
        hv[is_land] = -18.7 + 0.9 * hills

    def _add_noise_floor(self, hv: Float32, line: NDArray[np.integer]) -> None:
        """Add the noise of the receiver in place; along lines it is scalloped."""
        scallops = 1 + 0.08 * np.sin(2 * np.pi * line / 62.0)
        np.multiply(hv, _PER_DB, out=hv)
        np.exp2(hv, out=hv)
        hv += scallops.astype(np.float32)[:, None] * self._noise_floor
        np.log2(hv, out=hv)
        hv /= _PER_DB

    def _speckled(self, mean: Float32, polarisation: int, rows: slice) -> Float32:
        """Return raw pixels: speckle on the mean, NaN outside the swath."""
        n_lines, n_samples = self._plan.raw_shape
        rng = self._plan.rng(52, polarisation, rows.start)
        raw = rng.standard_normal((2 * mean.shape[0], 2 * mean.shape[1]), dtype=np.float32)
        raw *= np.float32(_SPECKLE_DB[polarisation])
        pairs = raw.reshape(mean.shape[0], 2, -1)  # (80 m row, raw row in it, raw column)
        pairs += mean.repeat(2, axis=1)[:, None, :]
        start = 2 * rows.start
        raw = raw[: n_lines - start, :n_samples]
        for top, left in self._borders:
            inside = slice(max(top.start - start, 0), max(top.stop - start, 0))
            raw[inside, left] = np.nan
        return raw


class _Looks(NamedTuple):
    """How polygons look to the radar; look-up tables by label."""

    grains: list[Float32]
    is_close: Mask
    level: Float32
    sharpness: Float32
    first: Float32
    base: list[Float32]
    step: list[Float32]
    rough: Float32
    old: Float32
    old_b: Float32
    thin: Float32
    thin_b: Float32


def _looks(plan: ScenePlan, polygons: tuple[Polygon, ...], t2m: float) -> _Looks:
    """Decide how each polygon looks."""
    rng = plan.rng(53)
    melt = float(np.clip((t2m - 269.0) / 4.0, 0, 1))
    rows = [_look(rng, polygon, melt) for polygon in polygons]
    table = np.array(rows, dtype=np.float32).T.copy()
    (*grains, close, level, sharpness, first, hh, hv, hh_b, hv_b, rough) = table[:13]
    old, old_b, thin, thin_b = table[13:]
    return _Looks(
        grains,
        close > 0,
        level,
        sharpness,
        first,
        [hh_b, hv_b],
        [hh - hh_b, hv - hv_b],
        rough,
        old - old_b,
        old_b,
        thin - thin_b,
        thin_b,
    )


def _look(rng: np.random.Generator, polygon: Polygon, melt: float) -> list[float]:
    """Return the numbers of one polygon, in the order of the look-up tables."""
    if polygon.tenths == 0:
        return [0.0] * 4 + [0.0, -9.0, 1.0] + [0.0] * 10
    total = sum(polygon.parts)
    main, second = polygon.main_types
    floe = polygon.floes[main]
    weights = np.array(_FLOES[floe][1])
    weights /= np.hypot.reduce(weights)
    cover = polygon.tenths / 10
    if polygon.tenths == 10:
        cover = 1.0 if floe == FAST_ICE else 0.98
    is_close = cover >= 0.8
    normal = NormalDist()
    level = -normal.inv_cdf(1 - cover / 2) if is_close else normal.inv_cdf(cover)
    share = polygon.parts[main] / total
    first = normal.inv_cdf(min(max(share, 0.01), 0.99))
    shift = rng.normal(0, (1.5, 1.3))
    # Snow, melt and refreezing partly hide the type of the ice from the radiometer.
    old, thin = rng.uniform(0.35, 1.05, size=2)
    signs = [
        level_db
        for i in (main, second)
        for level_db in _backscatter(polygon.stages[i], polygon.floes[i], melt) + shift
    ]
    rough = {1: 0.5, 2: 0.8, 3: 0.9, 4: 1.1, 5: 1.3}[polygon.stages[main]]
    return [
        *weights,
        float(is_close),
        level,
        float(weights @ _SHARPNESS),
        first,
        *signs,
        rough,
        *(old * (polygon.stages[i] == 5) for i in (main, second)),
        *(thin * (polygon.stages[i] <= 2) for i in (main, second)),
    ]


def _backscatter(stage: int, floe: int, melt: float) -> FloatArray:
    """Return HH and HV of an ice type at 30 degrees, in dB."""
    if floe == 6:
        return np.array(_BERGS)
    cold, melting = _STAGES[stage]
    return np.array(cold) + melt * np.array(melting) + _FLOES[floe][0]


def _coarse_texture(nodes: Nodes, number: int) -> Float32:
    """Return one of the coarser textures at nodes."""
    wavelength = 2 * _WAVELENGTHS[number] / SPACING
    # A small scene shows a part of the texture, not a texture of its own.
    height, width = (max(n, int(4 * wavelength)) for n in nodes.shape)
    whole = texture(nodes.plan.rng(50, number), (height, width), wavelength)
    return whole[: nodes.shape[0], : nodes.shape[1]]


def _water_fields(surface: Surface, weather: Weather) -> tuple[Float32, Float32]:
    """Return HH and HV of water at 30 degrees, at nodes; gusts are finer than ERA5."""
    shape = surface.land_km.shape
    rows, columns = (
        (np.arange(n) * SPACING - (RAW_CELL - 1) / 2) / RAW_CELL for n in shape
    )
    at_nodes = [
        interpolate(
            wind.astype(np.float32),
            rows.clip(0, wind.shape[0] - 1),
            columns.clip(0, wind.shape[1] - 1),
        )
        for wind in (weather.u10m_rotated, weather.v10m_rotated)
    ]
    speed = np.hypot(*at_nodes)
    across = np.square(at_nodes[0] / np.maximum(speed, 0.5))
    gusts = surface.nodes.fractal(54, 0.15, 2.6)
    speed = np.maximum(speed * (1 + 0.12 * gusts), 1.2)
    hh = -15.5 + 15.0 * np.log10(speed / 7) + 1.5 * across
    hv = -35.0 + 0.6 * speed
    return hh.astype(np.float32), hv.astype(np.float32)


def _noise_floor(plan: ScenePlan, start: int, n_columns: int) -> Float32:
    """Return the power of the noise that denoising leaves, by column of 80 m."""
    sample = (start + 2 * np.arange(n_columns)).clip(max=plan.swath_shape[1] - 1)
    position = sample / plan.swath_shape[1] * N_SUB_SWATHS
    step = plan.rng(55).normal((-29.0, -31.5, -31.0, -31.5, -31.0), 0.5)
    floor_db = step[position.astype(int)] + 5.0 * (position % 1 - 0.5) ** 2
    power: Float32 = np.power(10, floor_db / 10).astype(np.float32)
    return power


def swath_borders(plan: ScenePlan, start: tuple[int, int]) -> list[Window]:
    """Return the windows of raw pixels without backscatter.

    A strip at near range, a thinner one at far range, and the ends of the sub-swaths,
    which begin and end at lines of their own. A scene that begins at line and sample
    `start` of the swath has those that it contains, up to a quarter of its length.
    """
    height, width = plan.swath_shape
    quarter = [n // 4 for n in plan.raw_shape]
    rng = plan.rng(56)
    windows: list[Window] = []
    for top, bottom in itertools.pairwise(np.linspace(0, height, 5).astype(int).tolist()):
        near, far = np.ceil(rng.uniform((30, 4), (140, 40))).clip(max=quarter[1])
        lines = slice(top, bottom)
        windows += [(lines, slice(0, int(near))), (lines, slice(width - int(far), width))]
    edges = np.linspace(0, width, N_SUB_SWATHS + 1).astype(int).tolist()
    ends = np.ceil(rng.uniform(2, 110, size=(N_SUB_SWATHS, 2))).clip(max=quarter[0])
    for (left, right), (first, last) in zip(itertools.pairwise(edges), ends, strict=True):
        samples = slice(left, right)
        windows += [(slice(0, int(first)), samples)]
        windows += [(slice(height - int(last), height), samples)]
    return [(_moved(y, start[0]), _moved(x, start[1])) for y, x in windows]


def _moved(window: slice, start: int) -> slice:
    """Return a slice of the swath as one of a scene that begins at `start`."""
    return slice(max(window.start - start, 0), max(window.stop - start, 0))
