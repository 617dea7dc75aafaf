"""Reduce bands of the SAR grid to blocks of pixels, in one pass over memory.

`resample` works plane by plane. Here all planes of a band are processed together, and each
pixel is visited once, as it comes out of the file.

- ``average_blocks`` masks a band, averages its planes and flags its pixels;
- ``vote_blocks`` finds the most frequent class of each block and counts all pixels;
- ``has_class_at`` looks for classes at pixels with a flag;
- ``blend_cells`` brings cells to a finer grid, all channels of a pixel together;
- ``interleave`` puts planes into the channels of pixels;
- ``add_up`` adds pixels to the sums of `store.statistics`;
- ``store_numbers`` rounds float32 to the type of a store.

Nothing is checked here: arrays must have the shapes documented, and blocks start at row 0.
"""

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.system.compiled import compiled
from seaice_data.system.instructions import narrowed


@compiled
def average_blocks(
    planes: FloatArray,
    fills: FloatArray,
    ratio: int,
    land_below: np.float32,
    means: FloatArray,
    flags: ChartArray,
    sums: FloatArray,
) -> bool:
    """Average blocks of a band over their valid pixels, and flag each pixel.

    A pixel is not valid if the first three planes are all fill or NaN. A NaN in any
    plane is left out of its mean. In the last plane, pixels that are not valid count too.

    Parameters
    ----------
    planes
        float32, shape ``(4, y, x)``.
    fills
        Fill values of the first three planes, float32.
    ratio
        Pixels along one side of a block.
    land_below
        Value of the last plane below which a pixel is land.
    means
        Result, float32, shape ``(4, y // ratio, x // ratio)``; NaN where nothing is valid.
    flags
        Result, shape ``(y, x)``: 1 not valid, 2 land.
    sums
        Scratch space, float32, shape ``(8, x)``.

    Returns
    -------
    bool
        False if a value, or the sum of a block, is infinite.
    """
    _, height, width = planes.shape
    zero, one = np.float32(0), np.float32(1)
    hh, hv, angle, zone = planes[0], planes[1], planes[2], planes[3]
    hh_sum, hv_sum, angle_sum, zone_sum = sums[0], sums[1], sums[2], sums[3]
    hh_n, hv_n, angle_n, zone_n = sums[4], sums[5], sums[6], sums[7]
    hh_fill, hv_fill, angle_fill = fills[0], fills[1], fills[2]
    found = np.uint8(0)
    for block in range(-(-height // ratio)):
        sums[:] = zero
        for row in range(block * ratio, min(height, (block + 1) * ratio)):
            for x in range(width):
                a, b, c, d = hh[row, x], hv[row, x], angle[row, x], zone[row, x]
                has_a, has_b, has_c, has_d = a == a, b == b, c == c, d == d
                is_valid = (
                    (has_a & (a != hh_fill))
                    | (has_b & (b != hv_fill))
                    | (has_c & (c != angle_fill))
                )
                has_a &= is_valid
                has_b &= is_valid
                has_c &= is_valid
                hh_sum[x] += a if has_a else zero
                hv_sum[x] += b if has_b else zero
                angle_sum[x] += c if has_c else zero
                zone_sum[x] += d if has_d else zero
                hh_n[x] += one if has_a else zero
                hv_n[x] += one if has_b else zero
                angle_n[x] += one if has_c else zero
                zone_n[x] += one if has_d else zero
                flags[row, x] = (np.uint8(0) if is_valid else np.uint8(1)) | (
                    np.uint8(2) if d < land_below else np.uint8(0)
                )
        for k in range(4):
            for x in range(width):
                difference = sums[k, x] - sums[k, x]  # NaN if the sum is infinite
                found |= np.uint8(0) if difference == zero else np.uint8(1)
        if block < height // ratio:
            for k in range(4):
                _close_blocks(sums[k], sums[k + 4], ratio, means[k, block])
    return bool(found == 0)


@compiled
def _close_blocks(
    sums: FloatArray, counts: FloatArray, ratio: int, means: FloatArray
) -> None:
    """Divide the sums of blocks, whose rows are added up, by their counts."""
    for x in range(len(means)):
        total, count = np.float32(0), np.float32(0)
        for column in range(x * ratio, (x + 1) * ratio):
            total += sums[column]
            count += counts[column]
        means[x] = total / count if count > 0 else np.float32(np.nan)


@compiled
def vote_blocks(
    chart: ChartArray,
    ratio: int,
    n_classes: int,
    fill: int,
    votes: ChartArray,
    counts: IntArray,
    differs: ChartArray,
) -> None:
    """Find the most frequent class of each block, and count the pixels of a band.

    Parameters
    ----------
    chart
        Classes, shape ``(y, x)``.
    ratio
        Pixels along one side of a block.
    n_classes
        Classes 0 to ``n_classes - 1`` are valid.
    fill
        Marks pixels that do not count.
    votes
        Result, shape ``(y // ratio, x // ratio)``: the lowest of the most frequent
        classes; fill where fewer than half of the pixels are valid.
    counts
        Result, shape ``(256,)``: the pixels of each value are added to it, including those
        after the last block.
    differs
        Scratch space, uint8, shape ``(x,)``.
    """
    height, width = chart.shape
    n_y, n_x = height // ratio, width // ratio
    n_pixels = ratio * ratio
    even, odd = np.zeros(256, np.int64), np.zeros(256, np.int64)
    last, n_last = np.uint8(0), 0
    for block in range(n_y):
        top = block * ratio
        first = chart[top]
        differs[:] = 0
        for row in range(top + 1, top + ratio):
            for x in range(width):
                differs[x] |= chart[row, x] ^ first[x]
        for x in range(n_x):
            label = first[x * ratio]
            is_mixed = np.uint8(0)
            for column in range(x * ratio, (x + 1) * ratio):
                is_mixed |= differs[column] | (first[column] ^ label)
            if is_mixed == 0:
                votes[block, x] = label
                # Neighbours are mostly equal: the last count is kept in a register.
                if label != last:
                    counts[last] += n_last
                    last, n_last = label, 0
                n_last += n_pixels
                continue
            # Two tallies, so that no addition has to wait for the one before.
            for row in range(top, top + ratio):
                for column in range(x * ratio, (x + 1) * ratio - 1, 2):
                    even[chart[row, column]] += 1
                    odd[chart[row, column + 1]] += 1
                if ratio % 2:
                    even[chart[row, (x + 1) * ratio - 1]] += 1
            winner, n_winner, n_valid = 0, 0, 0
            for value in range(n_classes):
                n = even[value] + odd[value]
                even[value] = odd[value] = 0
                counts[value] += n
                n_valid += n
                if n > n_winner:
                    winner, n_winner = value, n
            n_fill = even[fill] + odd[fill]
            even[fill] = odd[fill] = 0
            counts[fill] += n_fill
            votes[block, x] = fill if 2 * n_fill > n_pixels else winner
            if n_valid + n_fill < n_pixels:  # not a class: counted, but without a vote
                for value in range(256):
                    counts[value] += even[value] + odd[value]
                    even[value] = odd[value] = 0
        for row in range(top, top + ratio):
            for x in range(n_x * ratio, width):
                counts[chart[row, x]] += 1
    counts[last] += n_last
    for row in range(n_y * ratio, height):
        for x in range(width):
            counts[chart[row, x]] += 1


@compiled
def has_class_at(charts: ChartArray, fill: int, flags: ChartArray, flag: int) -> bool:
    """Return whether a pixel with a flag has a class in one of the charts.

    Parameters
    ----------
    charts
        Classes, shape ``(3, y, x)``.
    fill
        Marks pixels without a class; above all classes.
    flags
        Flags of pixels, shape ``(y, x)``.
    flag
        The flag in question.
    """
    _, height, width = charts.shape
    no_class, found = np.uint8(fill), np.uint8(0)
    for y in range(height):
        first, second, third, of_row = charts[0, y], charts[1, y], charts[2, y], flags[y]
        for x in range(width):
            is_fill = min(first[x], second[x], third[x]) == no_class
            found |= of_row[x] & (np.uint8(0) if is_fill else np.uint8(255))
    return bool(found & flag)


@compiled
def blend_cells(
    cells: FloatArray,
    upper_y: IntArray,
    weight_y: FloatArray,
    upper_x: IntArray,
    weight_x: FloatArray,
    at: IntArray,
    inputs: FloatArray,
    mixed: FloatArray,
) -> None:
    """Interpolate cells bilinearly into the channels of pixels.

    Parameters
    ----------
    cells
        float32 without NaN, shape ``(cell y, cell x, k)``: channels last.
    upper_y, upper_x
        Cell after each row and column; its other neighbour is the cell before that.
    weight_y, weight_x
        Weight of that cell, float32.
    at
        Positions of the k channels on the channel axis of `inputs`.
    inputs
        Result, float32, shape ``(y, x, channel)``; other channels are unchanged.
    mixed
        Scratch space, float32, shape ``(cell x, k)``.
    """
    one = np.float32(1)
    n_cells, n_channels = mixed.shape
    for y in range(len(upper_y)):
        above, below, weight = upper_y[y] - 1, upper_y[y], weight_y[y]
        for x in range(n_cells):
            for k in range(n_channels):
                mixed[x, k] = (
                    cells[above, x, k] * (one - weight) + cells[below, x, k] * weight
                )
        for x in range(len(upper_x)):
            left, right, weight = upper_x[x] - 1, upper_x[x], weight_x[x]
            for k in range(n_channels):
                inputs[y, x, at[k]] = (
                    mixed[left, k] * (one - weight) + mixed[right, k] * weight
                )


@compiled
def interleave(planes: FloatArray, at: IntArray, inputs: FloatArray) -> None:
    """Put planes into the channels of pixels.

    Parameters
    ----------
    planes
        float32, shape ``(k, y, x)``.
    at
        Positions of the k planes on the channel axis of `inputs`.
    inputs
        Result, float32, shape ``(y, x, channel)``; other channels are unchanged.
    """
    n_planes, height, width = planes.shape
    for y in range(height):
        for x in range(width):
            for k in range(n_planes):
                inputs[y, x, at[k]] = planes[k, y, x]


@compiled
def add_up(inputs: FloatArray, sums: FloatArray) -> None:
    """Add pixels to count, sum, sum of squares, lowest and highest of each channel.

    Parameters
    ----------
    inputs
        float32, shape ``(y, x, channel)``; NaN is left out.
    sums
        float64, shape ``(5, channel)``; changed in place.
    """
    height, width, n_channels = inputs.shape
    count, total, squares, lowest, highest = sums[0], sums[1], sums[2], sums[3], sums[4]
    for y in range(height):
        for x in range(width):
            for k in range(n_channels):
                value = np.float64(inputs[y, x, k])
                is_number = value == value
                known = value if is_number else 0.0
                count[k] += 1.0 if is_number else 0.0
                total[k] += known
                squares[k] += known * known
                lowest[k] = min(lowest[k], value) if is_number else lowest[k]
                highest[k] = max(highest[k], value) if is_number else highest[k]


@compiled
def store_numbers(pixels: FloatArray, stored: FloatArray | IntArray) -> None:
    """Copy numbers along one axis into the type in which they are stored.

    Parameters
    ----------
    pixels
        float32.
    stored
        Result, float32, or float16 viewed as uint16.
    """
    for k in range(len(pixels)):
        stored[k] = narrowed(pixels[k], stored[k])
