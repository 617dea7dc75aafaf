"""Kernels for GPUs, in Triton: the gradient of the weights of a 3 x 3 convolution.

    dw[o, i, r, s] = sum over n, y, x of dy[n, o, y, x] * planes[n, i, y + r - 1, x + s - 1]

is a product of matrices with short sides (``out`` times ``9 in``) and a very long inner one
(all pixels). Each program goes over many tiles of pixels and keeps its sums in registers; a
second kernel adds up the programs, in a fixed order, so that results are reproducible.

The inner side runs over *pairs* of adjacent pixels. In channels-last memory a pair of
gradients is one row of ``2 out`` values, and the four pixels of the planes that the pair
needs (x - 1 to x + 2) are one row of ``4 in`` values. Their product has eight blocks, one
for each gradient j and pixel i, of which six are taps, s = i - j. This costs a third more
arithmetic, but reads planes twice instead of four times, and gives the tensor cores wider
tiles. The three rows of taps share one tile of planes, against three rows of gradients; a
tile has ``rows`` rows of planes and ``rows + 2`` of gradients.

Triton is installed with PyTorch for CUDA; nothing else needs it.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from seaice_model.networks.triton_device import IS_INTERPRETED, n_processors


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the work is divided; results differ by rounding only."""

    n_in: int = 32
    """Channels of the planes in a block."""

    n_out: int = 32
    """Channels of the gradient in a block."""

    n_pairs: int = 32
    """Pairs of pixels in a product, along its inner side."""

    rows: int = 2
    """Rows of planes that share rows of gradients."""

    warps: int = 4
    stages: int = 3
    """Tiles that are being loaded from memory."""

    per_processor: int = 2
    """Programs for each multiprocessor."""

    is_swapped: bool = False
    """Whether the channels of the planes are the rows of the product."""


def tiling(n_in: int) -> Tiling:
    """Return the fastest tiling measured on an H200 for planes of `n_in` channels."""
    if n_in == 16:
        return Tiling(n_in=16, n_pairs=16, rows=4, per_processor=3)
    return Tiling()


def weight_gradient(planes: Tensor, gradient: Tensor, how: Tiling | None = None) -> Tensor:
    """Return the gradient of the weights of a 3 x 3 convolution with padding 1.

    Parameters
    ----------
    planes
        What was convolved, shape ``(batch, in, y, x)``, bfloat16.
    gradient
        The gradient of the result, shape ``(batch, out, y, x)``, bfloat16. Both have fewer
        than 2**31 values, and their channels are multiples of the blocks of `how`.
    how
        Tiling; that of `tiling` if not given.

    Returns
    -------
    Tensor
        Shape ``(out, in, 3, 3)``, float32.
    """
    planes = planes.contiguous(memory_format=torch.channels_last)
    gradient = gradient.contiguous(memory_format=torch.channels_last)
    n, n_in, height, width = planes.shape
    n_out = gradient.shape[1]
    how = how or tiling(n_in)
    # Narrow planes fill a product with several rows.
    pairs_across = min(how.n_pairs, triton.next_power_of_2((width + 1) // 2))
    n_row_tiles = triton.cdiv(height, how.rows * (how.n_pairs // pairs_across))
    n_column_tiles = triton.cdiv((width + 1) // 2, pairs_across)
    n_tiles = n * n_row_tiles * n_column_tiles
    n_blocks = (n_in // how.n_in) * (n_out // how.n_out)
    n_programs = how.per_processor * n_processors(planes.device) // n_blocks
    n_programs = max(1, min(n_tiles, n_programs))
    size = 9 * how.n_in * how.n_out
    sums = planes.new_empty(n_programs * n_blocks * size, dtype=torch.float32)
    result = planes.new_empty((n_out, n_in, 3, 3), dtype=torch.float32)
    _sum_tiles[(n_programs, n_blocks)](
        planes, gradient, sums, height, width, n_row_tiles, n_column_tiles, n_tiles,
        N_IN=n_in, N_OUT=n_out, BLOCK_IN=how.n_in, BLOCK_OUT=how.n_out,
        N_PAIRS=how.n_pairs, PAIRS_ACROSS=pairs_across, ROWS=how.rows,
        IS_SWAPPED=how.is_swapped, IS_INTERPRETED=IS_INTERPRETED,
        num_warps=how.warps, num_stages=how.stages,
    )  # fmt: skip
    _sum_programs[(size // _N_SUMMED, n_blocks)](
        sums, result, n_programs, n_blocks,
        N_IN=n_in, BLOCK_IN=how.n_in, BLOCK_OUT=how.n_out, IS_SWAPPED=how.is_swapped,
        N_PROGRAMS=64, N_VALUES=_N_SUMMED, num_warps=4,
    )  # fmt: skip
    return result


_N_SUMMED = 32
"""Values that a program of `_sum_programs` adds up; a divisor of the size of a block."""


# Not specialised for the sizes of planes: one compilation serves all.
@triton.jit(
    do_not_specialize=["height", "width", "n_row_tiles", "n_column_tiles", "n_tiles"]
)
def _sum_tiles(
    planes, gradient, sums, height, width, n_row_tiles, n_column_tiles, n_tiles,
    N_IN: tl.constexpr, N_OUT: tl.constexpr,
    BLOCK_IN: tl.constexpr, BLOCK_OUT: tl.constexpr,
    N_PAIRS: tl.constexpr, PAIRS_ACROSS: tl.constexpr, ROWS: tl.constexpr,
    IS_SWAPPED: tl.constexpr, IS_INTERPRETED: tl.constexpr,
):  # fmt: skip
    """Sum the tiles of a program, for one block of channels."""
    program = tl.program_id(0)
    n_programs = tl.num_programs(0)
    block = tl.program_id(1)
    # Rows of one product are ROWS apart, so that rows of planes that follow each other
    # still share rows of gradients.
    pair = tl.arange(0, N_PAIRS)
    row_of_pair = (pair // PAIRS_ACROSS) * ROWS
    column_of_pair = (pair % PAIRS_ACROSS) * 2
    value = tl.arange(0, 4 * BLOCK_IN)
    i = value // BLOCK_IN
    channel_in = (block % (N_IN // BLOCK_IN)) * BLOCK_IN + value % BLOCK_IN
    value = tl.arange(0, 2 * BLOCK_OUT)
    j = value // BLOCK_OUT
    channel_out = (block // (N_IN // BLOCK_IN)) * BLOCK_OUT + value % BLOCK_OUT

    n_rows: tl.constexpr = 4 * BLOCK_IN if IS_SWAPPED else 2 * BLOCK_OUT
    n_columns: tl.constexpr = 2 * BLOCK_OUT if IS_SWAPPED else 4 * BLOCK_IN
    upper = tl.zeros((n_rows, n_columns), tl.float32)
    middle = tl.zeros((n_rows, n_columns), tl.float32)
    lower = tl.zeros((n_rows, n_columns), tl.float32)

    for tile in range(program, n_tiles, n_programs):
        column_tile = tile % n_column_tiles
        row_tile = (tile // n_column_tiles) % n_row_tiles
        plane = tile // n_column_tiles // n_row_tiles
        y = row_tile * (ROWS * (N_PAIRS // PAIRS_ACROSS)) + row_of_pair
        x = column_tile * (2 * PAIRS_ACROSS) + column_of_pair
        row = plane * height + y
        x_out = x[:, None] + j[None, :]
        is_out = x_out < width
        at_out = x_out * N_OUT + channel_out[None, :]
        before = tl.load(
            gradient + ((row - 1) * width)[:, None] * N_OUT + at_out,
            mask=((y >= 1) & (y <= height))[:, None] & is_out, other=0.0,
        )  # fmt: skip
        here = tl.load(
            gradient + (row * width)[:, None] * N_OUT + at_out,
            mask=(y < height)[:, None] & is_out, other=0.0,
        )  # fmt: skip
        for k in tl.static_range(ROWS):
            behind = tl.load(
                gradient + ((row + (k + 1)) * width)[:, None] * N_OUT + at_out,
                mask=(y + (k + 1) < height)[:, None] & is_out, other=0.0,
            )  # fmt: skip
            x_in = x[:, None] + i[None, :] - 1
            four = tl.load(
                planes + ((row + k) * width)[:, None] * N_IN + x_in * N_IN
                + channel_in[None, :],
                mask=(y + k < height)[:, None] & (x_in >= 0) & (x_in < width), other=0.0,
            )  # fmt: skip
            upper = _product(behind, four, upper, IS_SWAPPED, IS_INTERPRETED)
            middle = _product(here, four, middle, IS_SWAPPED, IS_INTERPRETED)
            lower = _product(before, four, lower, IS_SWAPPED, IS_INTERPRETED)
            before = here
            here = behind

    # Row of taps, column of taps, and then as the product lies.
    size: tl.constexpr = 3 * BLOCK_IN * BLOCK_OUT
    own = sums + (program * tl.num_programs(1) + block) * (3 * size)
    _store_taps(upper, own, BLOCK_IN, BLOCK_OUT, IS_SWAPPED)
    _store_taps(middle, own + size, BLOCK_IN, BLOCK_OUT, IS_SWAPPED)
    _store_taps(lower, own + 2 * size, BLOCK_IN, BLOCK_OUT, IS_SWAPPED)


@triton.jit
def _product(two, four, total, IS_SWAPPED: tl.constexpr, IS_INTERPRETED: tl.constexpr):
    """Add the product of pairs of gradients and fours of pixels to `total`."""
    if IS_INTERPRETED:  # numpy has no bfloat16
        two = two.to(tl.float32)
        four = four.to(tl.float32)
    if IS_SWAPPED:
        total = tl.dot(tl.trans(four), two, total)
    else:
        total = tl.dot(tl.trans(two), four, total)
    return total


@triton.jit
def _store_taps(
    total, to, BLOCK_IN: tl.constexpr, BLOCK_OUT: tl.constexpr, IS_SWAPPED: tl.constexpr
):
    """Store the three taps of a row: tap s is the sum of the blocks with s = i - j."""
    if IS_SWAPPED:
        blocks = tl.reshape(total, (4, BLOCK_IN, 2, BLOCK_OUT))
        i = tl.arange(0, 4)[:, None, None, None]
        j = tl.arange(0, 2)[None, None, :, None]
        place = tl.arange(0, BLOCK_IN)[:, None] * BLOCK_OUT + tl.arange(0, BLOCK_OUT)[None]
    else:
        blocks = tl.reshape(total, (2, BLOCK_OUT, 4, BLOCK_IN))
        i = tl.arange(0, 4)[None, None, :, None]
        j = tl.arange(0, 2)[:, None, None, None]
        place = tl.arange(0, BLOCK_OUT)[:, None] * BLOCK_IN + tl.arange(0, BLOCK_IN)[None]
    for tap in tl.static_range(3):
        of_tap = tl.sum(tl.sum(tl.where(i - j == tap, blocks, 0.0), 2), 0)
        tl.store(to + tap * (BLOCK_IN * BLOCK_OUT) + place, of_tap)


@triton.jit(do_not_specialize=["n_programs", "n_blocks"])
def _sum_programs(
    sums, result, n_programs, n_blocks,
    N_IN: tl.constexpr, BLOCK_IN: tl.constexpr, BLOCK_OUT: tl.constexpr,
    IS_SWAPPED: tl.constexpr, N_PROGRAMS: tl.constexpr, N_VALUES: tl.constexpr,
):  # fmt: skip
    """Add up what the programs have summed, some values of one block."""
    block = tl.program_id(1)
    size: tl.constexpr = 9 * BLOCK_IN * BLOCK_OUT
    value = tl.program_id(0) * N_VALUES + tl.arange(0, N_VALUES)
    total = tl.zeros((N_PROGRAMS, N_VALUES), tl.float32)
    for first in range(0, n_programs, N_PROGRAMS):
        program = first + tl.arange(0, N_PROGRAMS)
        place = ((program * n_blocks + block) * size)[:, None] + value[None, :]
        total += tl.load(sums + place, mask=(program < n_programs)[:, None], other=0.0)
    tap = value // (BLOCK_IN * BLOCK_OUT)
    within = value % (BLOCK_IN * BLOCK_OUT)
    if IS_SWAPPED:
        channel_out = within % BLOCK_OUT
        channel_in = within // BLOCK_OUT
    else:
        channel_out = within // BLOCK_IN
        channel_in = within % BLOCK_IN
    channel_out += (block // (N_IN // BLOCK_IN)) * BLOCK_OUT
    channel_in += (block % (N_IN // BLOCK_IN)) * BLOCK_IN
    tl.store(result + (channel_out * N_IN + channel_in) * 9 + tap, tl.sum(total, 0))
