"""Loops over the pixels of a Sentinel-1 product: calibrate, look for borders, average.

Nothing is checked here: arrays must have the shapes documented.
"""

import numpy as np

from seaice_data.arrays import FloatArray, IntArray, Values
from seaice_data.system.compiled import compiled


@compiled
def calibrate(
    numbers: Values,
    gain: FloatArray,
    gain_before: IntArray,
    gain_weight: FloatArray,
    noise: FloatArray,
    noise_before: IntArray,
    noise_weight: FloatArray,
    factor: FloatArray,
    offset: np.float32,
    sigma0: FloatArray,
) -> None:
    """Turn pixel values into sigma nought: ``(DN^2 - noise) / gain^2 - offset``.

    Parameters
    ----------
    numbers
        uint16, shape ``(y, x)``; 0 marks pixels without SAR.
    gain
        Table of sigma nought, float32, shape ``(vector, x)``.
    gain_before, gain_weight
        Vector before each row, and the weight of the next one, float32.
    noise, noise_before, noise_weight
        The same of the noise power.
    factor
        Factor of the noise in each row, float32.
    offset
        Sigma nought to subtract besides.
    sigma0
        Result, float32, shape ``(y, x)``; NaN where there is no SAR.
    """
    height, width = numbers.shape
    missing = np.float32(np.nan)
    for y in range(height):
        gain_0, gain_1 = gain[gain_before[y]], gain[gain_before[y] + 1]
        noise_0, noise_1 = noise[noise_before[y]], noise[noise_before[y] + 1]
        weight_g, weight_n, scale = gain_weight[y], noise_weight[y], factor[y]
        for x in range(width):
            number = np.float32(numbers[y, x])
            g = gain_0[x] + (gain_1[x] - gain_0[x]) * weight_g
            n = (noise_0[x] + (noise_1[x] - noise_0[x]) * weight_n) * scale
            value = (number * number - n) / (g * g) - offset
            sigma0[y, x] = value if number > 0 else missing


@compiled
def find_signal(
    numbers: Values,
    noise: FloatArray,
    noise_before: IntArray,
    noise_weight: FloatArray,
    factor: FloatArray,
    top: int,
    left: int,
    of_rows: IntArray,
    of_columns: IntArray,
) -> None:
    """Widen the first and last pixel of rows and columns that has half of the noise power.

    Parameters
    ----------
    numbers, noise, noise_before, noise_weight, factor
        As in `calibrate`.
    top, left
        Position in the image of the first pixel.
    of_rows, of_columns
        First and last pixel of each row and column of the image, shape ``(2, n)``; changed
        in place.
    """
    height, width = numbers.shape
    half = np.float32(0.5)
    for y in range(height):
        noise_0, noise_1 = noise[noise_before[y]], noise[noise_before[y] + 1]
        weight, scale, row = noise_weight[y], factor[y] * half, top + y
        for x in range(width):
            number, column = np.float32(numbers[y, x]), left + x
            n = (noise_0[x] + (noise_1[x] - noise_0[x]) * weight) * scale
            if number > 0 and number * number >= n:
                of_rows[0, row] = min(of_rows[0, row], column)
                of_rows[1, row] = max(of_rows[1, row], column)
                of_columns[0, column] = min(of_columns[0, column], row)
                of_columns[1, column] = max(of_columns[1, column], row)


@compiled
def average_fours(fine: FloatArray, coarse: FloatArray) -> None:
    """Average 2 x 2 pixels; NaN if one of them is. A last odd row or column is left out.

    Parameters
    ----------
    fine
        float32, shape ``(2 y or more, 2 x or more)``.
    coarse
        Result, float32, shape ``(y, x)``.
    """
    height, width = coarse.shape
    quarter = np.float32(0.25)
    for y in range(height):
        upper, lower = fine[2 * y], fine[2 * y + 1]
        for x in range(width):
            total = upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1]
            coarse[y, x] = total * quarter


@compiled
def share_missing(one: FloatArray, other: FloatArray) -> None:
    """Make pixels NaN in both planes (float32, shape ``(y, x)``) that are NaN in one."""
    height, width = one.shape
    missing = np.float32(np.nan)
    for y in range(height):
        for x in range(width):
            a, b = one[y, x], other[y, x]
            is_known = (a == a) & (b == b)
            one[y, x] = a if is_known else missing
            other[y, x] = b if is_known else missing


@compiled
def mask_borders(of_rows: IntArray, of_columns: IntArray, plane: FloatArray) -> None:
    """Make pixels NaN that reach beyond the signal which `find_signal` has found.

    Parameters
    ----------
    of_rows, of_columns
        First and last pixel with signal of the rows and columns of the fine grid.
    plane
        float32, shape ``(y, x)``, pixels of 2 x 2 fine ones; changed in place.
    """
    height, width = plane.shape
    for y in range(height):
        left = max(of_rows[0, 2 * y], of_rows[0, 2 * y + 1])
        right = min(of_rows[1, 2 * y], of_rows[1, 2 * y + 1])
        for x in range(width):
            top = max(of_columns[0, 2 * x], of_columns[0, 2 * x + 1])
            bottom = min(of_columns[1, 2 * x], of_columns[1, 2 * x + 1])
            is_inside = (
                (2 * x >= left) & (2 * x + 1 <= right)
                & (2 * y >= top) & (2 * y + 1 <= bottom)
            )  # fmt: skip
            if not is_inside:
                plane[y, x] = np.float32(np.nan)
