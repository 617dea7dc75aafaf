"""Turn a scene into a prepared scene by a recipe, band by band.

Only one band of the SAR grid is in memory at a time, so a scene of 5000 x 5000 pixels
needs little more memory than its charts.
"""

import logging

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.channels import Group, find_channel, find_channels
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import SceneError
from seaice_data.flags import FLAG_BELOW_NOISE, FLAG_LAND, FLAG_NO_SAR, FLAG_REMAINDER
from seaice_data.grid import Grid, cell_centres, nearest_indices, row_bands
from seaice_data.preparation.blocks import (
    add_up,
    average_blocks,
    blend_cells,
    has_class_at,
    interleave,
    store_numbers,
    vote_blocks,
)
from seaice_data.preparation.encodings import encoding_planes
from seaice_data.preparation.resample import (
    brackets,
    downscale_chart,
    interpolate,
    interpolate_nearest,
    pick,
    to_decibel,
    to_power,
)
from seaice_data.scenes.scene import FLOOR_DB, NO_POLYGON, SAR_GRID, Band, Scene
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe
from seaice_data.store.statistics import ChannelStats, count_classes
from seaice_data.system.memory import give_back, large_array

log = logging.getLogger(__name__)

_BAND_ROWS = 50  # a band of one plane, 1 MB, stays in the processor's cache
_STORE_ROWS = 8  # of all channels: half a MB

# Zone 0 is land. Zones are means of four pixels: 0.5 must not depend on rounding.
_LAND_BELOW = 0.49

# Largest share of labelled pixels without SAR. Charts of ready files are masked where there
# is no SAR. This is inferred from figures, not seen in a file, so a few are accepted.
_MOST_UNSEEN = 0.01


def assemble(scene: Scene, recipe: Recipe, *, accept_masks: bool = False) -> PreparedScene:
    """Bring a scene to the grid of a store.

    Rows and columns after the last whole block (fewer than the ratio) have no pixel in
    the inputs; they stay in `full_charts` and `full_flags`.

    Parameters
    ----------
    scene
        An open scene. Channels that its file lacks become NaN throughout.
    recipe
        How to prepare it.
    accept_masks
        Whether to accept a scene whose charts have classes where SAR is missing. Charts of
        the dataset are masked there, so such classes suggest that the mask was lost.

    Raises
    ------
    SceneError
        If the file turns out to be broken while it is read, has no valid pixel, contains
        values that do not fit into the type of the store, or, unless `accept_masks`, has
        no SAR at more than one in a hundred of the pixels with a class.
    RecipeError
        If the ratio does not fit the scene.
    """
    give_back()
    sar = _SarGrid(scene, recipe)
    band_rows = recipe.ratio * max(_BAND_ROWS // recipe.ratio, 1)
    bands = list(row_bands(scene.grid.height, band_rows))
    for rows in bands:
        sar.add(rows)
    scene.let_go()
    for rows in bands:
        sar.add_charts(rows)
    scene.let_go()
    sar.finish()
    _check_masks(scene, sar.n_labelled, sar.n_unseen, accept=accept_masks)
    inputs, stats = _stack(sar.planes, scene, recipe)
    _check_range(scene, stats, recipe)
    return PreparedScene(
        id=scene.id,
        version=scene.version,
        region=scene.region,
        original_name=scene.original_name,
        has_charts=scene.has_charts,
        is_test_file=scene.is_test_file,
        grid=sar.grid,
        source_grid=scene.grid,
        inputs=inputs,
        charts=sar.charts,
        full_charts=sar.full_charts,
        full_flags=sar.full_flags,
        polygons=scene.polygons,
        polygon_ids=sar.ids if scene.polygons else None,
        tie_points=scene.tie_points,
        stats=stats,
        class_counts=count_classes(np.moveaxis(sar.charts, -1, 0)),
        full_class_counts=sar.full_class_counts,
        n_unseen=sar.n_unseen,
        absent_channels=scene.absent_channels,
        denoising=scene.denoising,
    )


class _SarGrid:
    """The planes and charts on the SAR grid of a scene, filled band by band."""

    def __init__(self, scene: Scene, recipe: Recipe) -> None:
        self._scene, self._recipe = scene, recipe
        self.grid = scene.grid.downscaled(recipe.ratio)
        self.planes = np.empty((len(SAR_GRID), *self.grid.shape), np.float32)
        self.full_charts = large_array((len(CHARTS), *scene.grid.shape), np.uint8)
        self.full_flags = large_array(scene.grid.shape, np.uint8)
        self.charts = np.empty((*self.grid.shape, len(CHARTS)), np.uint8)
        self.ids = np.full(self.grid.shape, NO_POLYGON, np.int32)
        self.n_labelled = self.n_unseen = 0
        """Pixels with a class, and how many of them have no SAR; 0 if all have it."""
        self._is_unseen = False
        self._counts = np.zeros((len(CHARTS), 256), np.int64)
        distance = find_channel("distance_map")
        self._land_below = np.float32((_LAND_BELOW - distance.mean) / distance.std)
        self._fills = np.array(scene.fills, np.float32)
        sar = find_channels(("hh", "hv"))
        self._stds = np.array([channel.std for channel in sar])
        means = np.array([channel.mean for channel in sar])[:, None, None]
        self._means = (10 ** (means / 10)).astype(np.float32)
        self._floors = (10 ** ((FLOOR_DB - means) / 10)).astype(np.float32)
        self._sums = np.empty((2 * len(SAR_GRID), scene.grid.width), np.float32)
        self._differs = np.empty(scene.grid.width, np.uint8)

    def add(self, rows: slice) -> None:
        """Read the planes of a band and bring them to the grid of the store."""
        ratio = self._recipe.ratio
        band = self._scene.read_band(rows, self.full_charts[:, rows])
        blocks = slice(rows.start // ratio, rows.stop // ratio)
        means = self.planes[:, blocks]
        flags = self.full_flags[rows]
        fills = self._to_power(band) if self._recipe.sar == "power" else self._fills
        is_finite = average_blocks(
            band.planes, fills, ratio, self._land_below, means, flags, self._sums
        )
        if not is_finite:
            self._scene.check_planes(band)
        if band.is_below_noise is not None:
            flags[band.is_below_noise] |= FLAG_BELOW_NOISE
        if self._recipe.sar == "power":
            if band.power is not None:
                np.maximum(means[:2], self._floors, out=means[:2])
            to_decibel(means[:2], self._stds)
        if band.polygon_ids is not None and len(means[0]):
            self.ids[blocks] = downscale_chart(band.polygon_ids, ratio, NO_POLYGON)
        self._pick(band, rows)

    def _to_power(self, band: Band) -> FloatArray:
        """Turn a band into backscatter relative to its mean; return the fills."""
        masked, fills = band.planes[:3], self._fills.copy()
        if band.power is None:
            is_fill = (masked == fills[:, None, None]) | np.isnan(masked)
            to_power(masked[:2], self._stds, is_fill.all(axis=0))
            fills[:2] = 0
        else:  # not from decibels: below the floor, they know nothing of the power
            np.divide(band.power, self._means, out=masked[:2])
        return fills

    def add_charts(self, rows: slice) -> None:
        """Read the charts of a band, and bring them to the grid of the store."""
        ratio = self._recipe.ratio
        charts = self.full_charts[:, rows]
        self._scene.read_charts(rows, charts)
        self._is_unseen |= has_class_at(
            charts, CHART_FILL, self.full_flags[rows], FLAG_NO_SAR
        )
        blocks = slice(rows.start // ratio, rows.stop // ratio)
        votes = np.empty((len(CHARTS), *self.charts[blocks].shape[:2]), np.uint8)
        for k, chart in enumerate(CHARTS):
            vote_blocks(
                charts[k],
                ratio,
                chart.n_classes,
                CHART_FILL,
                votes[k],
                self._counts[k],
                self._differs,
            )
        self.charts[blocks] = np.moveaxis(votes, 0, -1)
        if self._recipe.charts == "nearest":
            target, picked, columns = _picks(rows, self._scene.grid, ratio)
            self.charts[target] = np.moveaxis(pick(charts, picked, columns), 0, -1)

    def _pick(self, band: Band, rows: slice) -> None:
        """Take single pixels instead of blocks, if the recipe asks for it."""
        if "nearest" not in (self._recipe.sar, self._recipe.charts):
            return
        target, picked, columns = _picks(rows, self._scene.grid, self._recipe.ratio)
        if self._recipe.sar == "nearest":
            values = pick(band.planes, picked, columns)
            has_no_sar = (self.full_flags[rows] & FLAG_NO_SAR) > 0
            values[:3, pick(has_no_sar, picked, columns)] = np.nan
            self.planes[:, target] = values
        if self._recipe.charts == "nearest" and band.polygon_ids is not None:
            self.ids[target] = pick(band.polygon_ids, picked, columns)

    def finish(self) -> None:
        """Check the whole scene; mark the rows and columns after the last whole block."""
        self._scene.check_classes(self._counts)
        if all((row & FLAG_NO_SAR).all() for row in self.full_flags):  # ends early
            raise SceneError(f"{str(self._scene.path)!r}: {self._why_empty()}")
        if self._is_unseen:
            is_labelled = self.full_charts.min(axis=0) != CHART_FILL
            self.n_labelled = int(np.count_nonzero(is_labelled))
            is_labelled &= (self.full_flags & FLAG_NO_SAR) > 0
            self.n_unseen = int(np.count_nonzero(is_labelled))
        if self._recipe.sar != "nearest":
            height, width = self.full_flags.shape
            self.full_flags[height - height % self._recipe.ratio :] |= FLAG_REMAINDER
            self.full_flags[:, width - width % self._recipe.ratio :] |= FLAG_REMAINDER

    def _why_empty(self) -> str:
        if self._scene.has_charts:
            return "no pixel has both SAR and a chart"
        if (self.full_flags & FLAG_LAND).all():
            return "the whole scene is land by its distance map"
        return "no pixel at sea has SAR"

    @property
    def full_class_counts(self) -> dict[str, list[int]]:
        """Pixels of each class on the 80 m grid, fill last, by chart."""
        return {
            chart.name: [*pixels[: chart.n_classes].tolist(), int(pixels[CHART_FILL])]
            for chart, pixels in zip(CHARTS, self._counts, strict=True)
        }


def _picks(rows: slice, full: Grid, ratio: int) -> tuple[slice, IntArray, IntArray]:
    """Return store rows, rows within the band, and columns that nearest picks."""
    picked = nearest_indices(full.height, ratio)
    start, stop = np.searchsorted(picked, [rows.start, rows.stop])
    return (
        slice(int(start), int(stop)),
        picked[start:stop] - rows.start,
        nearest_indices(full.width, ratio),
    )


def _stack(
    sar: FloatArray, scene: Scene, recipe: Recipe
) -> tuple[FloatArray, ChannelStats]:
    """Interleave all channels, as patches need them, and add up their statistics."""
    planes = {c.name: plane for c, plane in zip(SAR_GRID, sar, strict=True)}
    to = recipe.positions(scene.grid.height), recipe.positions(scene.grid.width)
    cells = _Cells(scene, recipe, to)
    wanted = [name for name in recipe.channels if name not in cells.names]
    planes |= cells.planes
    planes |= encoding_planes(
        wanted, scene.tie_points, scene.acquired, to, recipe.tie_points
    )
    stacked = np.stack([planes[name] for name in wanted]) if wanted else sar[:0]
    at = _positions(recipe, wanted)
    inputs = large_array((*sar.shape[1:], len(recipe.channels)), recipe.dtype)
    # Numba has no half precision on CPUs, so it gets the bits.
    bits = inputs.view(np.uint16) if recipe.dtype == "float16" else inputs
    sums = ChannelStats.empty_sums(len(recipe.channels))
    for rows in row_bands(len(inputs), _STORE_ROWS):
        pixels = np.empty((rows.stop - rows.start, *inputs.shape[1:]), np.float32)
        interleave(stacked[:, rows], at, pixels)
        cells.blend(rows, pixels)
        add_up(pixels, sums)
        store_numbers(pixels.reshape(-1), bits[rows].reshape(-1))
    return inputs, ChannelStats.from_sums(sums)


class _Cells:
    """The 2 km channels of a scene, placed by the centres of their cells."""

    def __init__(
        self, scene: Scene, recipe: Recipe, to: tuple[FloatArray, FloatArray]
    ) -> None:
        at = (cell_centres(scene.cell_shape[0]), cell_centres(scene.cell_shape[1]))
        is_bilinear = recipe.ancillary == "bilinear" and min(scene.cell_shape) > 1
        self.planes: dict[str, FloatArray] = {}
        """Channels that cannot be blended, interpolated one by one."""
        blended: dict[str, FloatArray] = {}
        for name in recipe.channels:
            channel = find_channel(name)
            if channel.group not in (Group.AMSR2, Group.ERA5):
                continue
            values = scene.read_cells(channel)
            if is_bilinear and not np.isnan(values).any():
                blended[name] = values
            else:
                method = (
                    interpolate if recipe.ancillary == "bilinear" else interpolate_nearest
                )
                self.planes[name] = method(values, at, to)
        self.names = [*blended]
        """Channels that `blend` fills in."""
        self._cells = np.stack([*blended.values()], axis=-1) if blended else None
        self._at = _positions(recipe, self.names)
        self._y, self._x = (brackets(a, t) for a, t in zip(at, to, strict=True))

    def blend(self, rows: slice, pixels: FloatArray) -> None:
        """Fill in the channels `names` of a band of pixels."""
        if self._cells is None:
            return
        _, upper_y, weight_y = self._y
        _, upper_x, weight_x = self._x
        blend_cells(
            self._cells,
            upper_y[rows],
            weight_y[rows].astype(np.float32),
            upper_x,
            weight_x.astype(np.float32),
            self._at,
            pixels,
            np.empty(self._cells.shape[1:], np.float32),
        )


def _positions(recipe: Recipe, names: list[str]) -> IntArray:
    """Return the positions of channels on the channel axis."""
    return np.array([recipe.channels.index(name) for name in names], np.int64)


def _check_masks(scene: Scene, n_labelled: int, n_unseen: int, *, accept: bool) -> None:
    """Reject a scene in which many pixels have a class but no SAR; report a few."""
    if n_unseen > _MOST_UNSEEN * n_labelled and not accept:
        raise SceneError(
            f"{str(scene.path)!r}: {n_unseen} of {n_labelled} labelled pixels "
            f"({n_unseen / n_labelled:.1%}) have no SAR",
            hint="the SAR or the charts may be wrong; pass --accept-masks to use the "
            "scene as it is",
        )
    if n_unseen:
        log.info("%s: %d labelled pixels have no SAR", scene.id, n_unseen)


def _check_range(scene: Scene, stats: ChannelStats, recipe: Recipe) -> None:
    """Reject values that do not fit into the type of the store."""
    largest = float(np.finfo(recipe.dtype).max)
    for name, low, high in zip(recipe.channels, stats.lowest, stats.highest, strict=True):
        # A channel without a valid value has its lowest above its highest.
        if low <= high and not (-largest <= low and high <= largest):
            value = low if abs(low) > abs(high) else high
            raise SceneError(
                f"{str(scene.path)!r}: channel {name!r} has a value {value:g} deviations "
                f"from its mean, which does not fit into {recipe.dtype}",
                hint="the file may be damaged, or may not be standardised",
            )
