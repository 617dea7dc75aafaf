"""One scene and a recipe to one prepared scene, band of rows by band of rows.

Only a band of the SAR grid is in memory at a time, so a scene of 5000 x 5000 pixels needs
little more than its charts.
"""

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.channels import Channel, Group, find_channel
from seaice_data.charts import CHARTS
from seaice_data.encode import encode_time
from seaice_data.errors import SceneError
from seaice_data.grid import Grid, block_centres, cell_centres, nearest_indices, row_bands
from seaice_data.memory import give_back, large_array
from seaice_data.prepared import FLAG_LAND, FLAG_NO_SAR, FLAG_REMAINDER, PreparedScene
from seaice_data.recipe import Recipe
from seaice_data.resample import (
    downscale,
    downscale_chart,
    interpolate,
    interpolate_nearest,
    pick,
)
from seaice_data.scene import NO_POLYGON, SAR_GRID, Band, Scene
from seaice_data.stats import ChannelStats, count_classes

_BAND_ROWS = 50  # a band of one plane, 1 MB, stays in the processor's cache

# Zone 0 is land. Zones are means of four pixels, so halves occur: rounding must not decide.
_LAND_BELOW = 0.49


def assemble(scene: Scene, recipe: Recipe) -> PreparedScene:
    """Bring a scene to the grid of a store.

    Rows and columns behind the last whole block (fewer than the ratio) have no pixel in
    the inputs; they stay in `full_charts` and `full_flags`.

    Raises
    ------
    SceneError
        If the file turns out to be broken while it is read, has no valid pixel, or holds
        values that do not fit into the type of the store.
    RecipeError
        If the ratio does not fit the scene.
    """
    give_back()
    grid = scene.grid.downscaled(recipe.ratio)
    planes = large_array((len(recipe.channels), *grid.shape), np.float32)
    full_charts = large_array((len(CHARTS), *scene.grid.shape), np.uint8)
    full_flags = large_array(scene.grid.shape, np.uint8)
    ids = np.full(grid.shape, NO_POLYGON, np.int32)
    band_rows = recipe.ratio * max(_BAND_ROWS // recipe.ratio, 1)
    for rows in row_bands(scene.grid.height, band_rows):
        band = scene.read_band(rows)
        full_charts[:, rows] = band.charts
        full_flags[rows] = _flags(band)
        _place_band(planes, band, rows, scene.grid, recipe)
        if band.polygon_ids is not None:
            _place_ids(ids, band.polygon_ids, rows, scene.grid, recipe)
    if (full_flags & FLAG_NO_SAR).all():
        raise SceneError(f"{str(scene.path)!r}: no pixel has SAR and lies on the chart")
    _flag_remainder(full_flags, recipe)
    _place_cells(planes, scene, recipe)
    _place_encodings(planes, scene, recipe)
    charts = _downscale_charts(full_charts, recipe)
    stats = ChannelStats.of(planes)
    _check_range(scene, stats, recipe)
    return PreparedScene(
        id=scene.id,
        version=scene.version,
        region=scene.region,
        original_name=scene.original_name,
        has_charts=scene.has_charts,
        is_test_file=scene.is_test_file,
        grid=grid,
        source_grid=scene.grid,
        inputs=_channels_last(planes, recipe.dtype),
        charts=charts,
        full_charts=full_charts,
        full_flags=full_flags,
        polygons=scene.polygons,
        polygon_ids=ids if scene.polygons else None,
        tie_points=scene.tie_points,
        stats=stats,
        class_counts=count_classes(np.moveaxis(charts, -1, 0)),
        full_class_counts=count_classes(full_charts),
    )


def _flags(band: Band) -> ChartArray:
    """Say of each pixel of a band whether it has SAR and whether it is land."""
    distance = find_channel("distance_map")
    is_land = band.planes[3] < np.float32((_LAND_BELOW - distance.mean) / distance.std)
    flags: ChartArray = np.multiply(is_land.view(np.uint8), np.uint8(FLAG_LAND))
    np.add(flags, FLAG_NO_SAR, out=flags, where=~band.valid)
    return flags


def _flag_remainder(flags: ChartArray, recipe: Recipe) -> None:
    """Mark the rows and columns behind the last whole block."""
    if recipe.sar == "mean":
        height, width = flags.shape
        flags[height - height % recipe.ratio :] |= FLAG_REMAINDER
        flags[:, width - width % recipe.ratio :] |= FLAG_REMAINDER


def _place_band(
    planes: FloatArray, band: Band, rows: slice, full: Grid, recipe: Recipe
) -> None:
    """Downscale a band of SAR planes into the rows of `planes` that it covers."""
    wanted = [(k, _position(recipe, channel)) for k, channel in enumerate(SAR_GRID)]
    masks = [band.valid, band.valid, band.valid, None]  # all is distance map
    if recipe.sar == "nearest":
        target, picked, columns = _picks(rows, full, recipe.ratio)
        for k, position in wanted:
            if position is not None:
                values, valid = pick(band.planes[k], picked, columns), masks[k]
                if valid is not None:
                    values[~pick(valid, picked, columns)] = np.nan
                planes[position, target] = values
    elif _whole_blocks(rows, recipe.ratio):
        blocks = slice(rows.start // recipe.ratio, rows.stop // recipe.ratio)
        for k, position in wanted:
            if position is not None:
                planes[position, blocks] = downscale(band.planes[k], recipe.ratio, masks[k])


def _place_ids(
    ids: IntArray, band: IntArray, rows: slice, full: Grid, recipe: Recipe
) -> None:
    """Downscale a band of polygon ids into the rows that it covers."""
    if recipe.charts == "nearest":
        target, picked, columns = _picks(rows, full, recipe.ratio)
        ids[target] = pick(band, picked, columns)
    elif _whole_blocks(rows, recipe.ratio):
        blocks = slice(rows.start // recipe.ratio, rows.stop // recipe.ratio)
        ids[blocks] = downscale_chart(band, recipe.ratio, NO_POLYGON)


def _downscale_charts(full: ChartArray, recipe: Recipe) -> ChartArray:
    """Downscale whole charts; the chart axis goes last."""
    height, width = full.shape[1:]
    if recipe.charts == "nearest":
        rows, columns = (nearest_indices(n, recipe.ratio) for n in (height, width))
        return np.ascontiguousarray(np.moveaxis(pick(full, rows, columns), 0, -1))
    return np.stack([downscale_chart(chart, recipe.ratio) for chart in full], axis=-1)


def _whole_blocks(rows: slice, ratio: int) -> bool:
    """Whether a band, which starts at a block, holds a whole one: the last may not."""
    return bool(rows.stop - rows.start >= ratio)


def _picks(rows: slice, full: Grid, ratio: int) -> tuple[slice, IntArray, IntArray]:
    """Return store rows, rows within the band, and columns that nearest picks."""
    picked = nearest_indices(full.height, ratio)
    start, stop = np.searchsorted(picked, [rows.start, rows.stop])
    return (
        slice(int(start), int(stop)),
        picked[start:stop] - rows.start,
        nearest_indices(full.width, ratio),
    )


def _place_cells(planes: FloatArray, scene: Scene, recipe: Recipe) -> None:
    """Bring the 2 km channels to the grid of the store, cells placed by their centres."""
    method = interpolate if recipe.ancillary == "bilinear" else interpolate_nearest
    at = (cell_centres(scene.cell_shape[0]), cell_centres(scene.cell_shape[1]))
    to = pixel_positions(scene.grid, recipe)
    for position, channel in enumerate(map(find_channel, recipe.channels)):
        if channel.group in (Group.AMSR2, Group.ERA5):
            planes[position] = method(scene.read_cells(channel), at, to)


def _place_encodings(planes: FloatArray, scene: Scene, recipe: Recipe) -> None:
    """Fill in the planes of place and time."""
    to = pixel_positions(scene.grid, recipe)
    values: dict[str, FloatArray | float] = {
        "latitude": scene.tie_points.latitudes(*to),
        "longitude": scene.tie_points.longitudes(*to),
        **encode_time(scene.acquired),
    }
    for position, channel in enumerate(map(find_channel, recipe.channels)):
        if channel.group == Group.ENCODING:
            planes[position] = (values[channel.name] - channel.mean) / channel.std


def pixel_positions(full: Grid, recipe: Recipe) -> tuple[FloatArray, FloatArray]:
    """Return where the pixels of the store lie on the 80 m grid, along y and x."""
    if recipe.sar == "nearest":
        rows = nearest_indices(full.height, recipe.ratio).astype(np.float64)
        return rows, nearest_indices(full.width, recipe.ratio).astype(np.float64)
    return block_centres(full.height, recipe.ratio), block_centres(full.width, recipe.ratio)


def _position(recipe: Recipe, channel: Channel) -> int | None:
    """Return where a channel stands on the channel axis, if it does."""
    return recipe.channels.index(channel.name) if channel.name in recipe.channels else None


def _check_range(scene: Scene, stats: ChannelStats, recipe: Recipe) -> None:
    """Refuse values that the type of the store cannot hold."""
    largest = float(np.finfo(recipe.dtype).max)
    for name, low, high in zip(recipe.channels, stats.lowest, stats.highest, strict=True):
        # A channel without a valid value has its lowest above its highest.
        if low <= high and not (-largest <= low and high <= largest):
            value = low if abs(low) > abs(high) else high
            raise SceneError(
                f"{str(scene.path)!r}: channel {name!r} holds {value:g} deviations, "
                f"which does not fit into {recipe.dtype}",
                hint="the file may be damaged, or not be standardised as it says",
            )


def _channels_last(planes: FloatArray, dtype: str) -> FloatArray:
    """Return the planes with the channels of a pixel together, as patches want them."""
    inputs = large_array((*planes.shape[1:], len(planes)), dtype)
    for rows in row_bands(planes.shape[1], 4):  # few enough for the processor's cache
        inputs[rows] = np.moveaxis(planes[:, rows].astype(dtype), 0, -1)
    return inputs
