"""A 3 x 3 convolution for GPUs, in Triton: channels-last bfloat16, sums in float32.

It is a product of matrices, pixels times channels. A program walks down a strip of a plane:
each step reads one row of tiles and multiplies it with the weights of the three rows of
taps, for the rows above, at and below it, whose three sums rotate in registers. So each row
is read once instead of three times, and the weights stay in shared memory.

The taps of a row are applied in one of two ways. In *pairs*: the four pixels that two
results need (x - 1 to x + 2) are one row of ``4 in`` values, and a step is
``[pairs, 4 in]`` times ``[4 in, 2 out]`` for each row of taps. Six of the eight blocks of
weights are taps, two are zero: a third more arithmetic, but planes are read twice instead
of three times, and products are wider. Or one by one: three products, ``[pixels, in]``
times ``[in, out]``, for many channels, because their weights take less shared memory.

The gradient of the planes is the convolution with the weights rotated by 180 degrees.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from seaice_model.networks.triton_device import IS_INTERPRETED, n_processors

_N_PACKED = 1024
"""Number of weights that a program of `_pack` writes."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the work is divided; results differ by rounding only.

    The shared memory of a multiprocessor contains, for each of its programs, the weights of
    a block, `stages` tiles, and a tile of results.
    """

    n_side: int
    """Results side by side: 2 if taps are applied in pairs, 1 if one by one."""

    n_in: int
    """Channels of the planes in a tile."""

    n_out: int
    """Channels of the result in a block."""

    n_rows: int = 64
    """Rows of a product: the pairs or pixels of a step."""

    warps: int = 4
    stages: int = 4
    """Tiles that are being loaded from memory."""

    per_processor: int = 2
    """Programs for each multiprocessor."""

    by_registers: bool = True
    """Whether a tile is loaded into registers once for its three rows of taps; otherwise
    each product reads it again from the shared memory."""


TILINGS = {
    (16, 32): Tiling(2, 16, 32, per_processor=3, by_registers=False),
    (32, 32): Tiling(2, 32, 32),
    (32, 64): Tiling(1, 32, 64),
    (64, 32): Tiling(1, 64, 32),
    (96, 32): Tiling(2, 32, 16, stages=3, per_processor=1),
}
"""The fastest tilings measured on an H200, by channels of planes and result. Other channels
are left to the library."""


def convolve(planes: Tensor, weights: Tensor, how: Tiling | None = None) -> Tensor:
    """Convolve planes with padding 1.

    Parameters
    ----------
    planes
        Shape ``(batch, in, y, x)``, bfloat16, fewer than 2**31 values.
    weights
        Shape ``(out, in, 3, 3)``, bfloat16.
    how
        Tiling; that of `TILINGS` if not given.

    Returns
    -------
    Tensor
        Shape ``(batch, out, y, x)``, bfloat16 in channels-last memory.
    """
    return _run(planes, weights, how, is_turned=False)


def input_gradient(gradient: Tensor, weights: Tensor, how: Tiling | None = None) -> Tensor:
    """Return the gradient of the planes that `convolve` took.

    `gradient` is that of the result, of shape ``(batch, out, y, x)``. The channels of `how`
    are those of the convolution that runs, from ``out`` to ``in``.
    """
    return _run(gradient, weights.transpose(0, 1), how, is_turned=True)


def _run(planes: Tensor, weights: Tensor, how: Tiling | None, *, is_turned: bool) -> Tensor:
    planes = planes.contiguous(memory_format=torch.channels_last)
    n, n_in, height, width = planes.shape
    n_out = weights.shape[0]
    how = how or TILINGS[n_in, n_out]
    n_groups = triton.cdiv(width, how.n_side)
    # Narrow planes fill a product with several lanes.
    across = min(how.n_rows, triton.next_power_of_2(n_groups))
    n_lanes = how.n_rows // across
    n_strips = triton.cdiv(n_groups, across)
    n_places = n * n_strips * (height + 1)
    n_blocks = n_out // how.n_out
    n_programs = max(1, how.per_processor * n_processors(planes.device) // n_blocks)
    per_lane = triton.cdiv(n_places, n_programs * n_lanes)
    packed = planes.new_empty(3 * (how.n_side + 2) * n_in * how.n_side * n_out)
    result = torch.empty(
        (n, n_out, height, width), dtype=planes.dtype, device=planes.device,
        memory_format=torch.channels_last,
    )  # fmt: skip
    _pack[(triton.cdiv(packed.numel(), _N_PACKED),)](
        weights, packed, *weights.stride(),
        N_IN=n_in, N_OUT=n_out, N_SIDE=how.n_side, IS_TURNED=is_turned,
        N_VALUES=_N_PACKED, num_warps=4,
    )  # fmt: skip
    _convolve[(triton.cdiv(n_places, per_lane * n_lanes) * n_blocks,)](
        planes, packed, result, height, width, n_strips, n_places, per_lane,
        N_IN=n_in, N_OUT=n_out, TILE_IN=how.n_in, BLOCK_OUT=how.n_out,
        N_SIDE=how.n_side, N_ROWS=how.n_rows, ACROSS=across,
        BY_REGISTERS=how.by_registers, IS_INTERPRETED=IS_INTERPRETED,
        num_warps=how.warps, num_stages=how.stages,
    )  # fmt: skip
    return result


@triton.jit(do_not_specialize=["step_out", "step_in", "step_y", "step_x"])
def _pack(
    weights, packed, step_out, step_in, step_y, step_x,
    N_IN: tl.constexpr, N_OUT: tl.constexpr, N_SIDE: tl.constexpr,
    IS_TURNED: tl.constexpr, N_VALUES: tl.constexpr,
):  # fmt: skip
    """Lay weights out as products take them.

    ``packed[r, i, in, j, out]`` is ``weights[out, in, r, i - j]``, 0 where that is no tap.
    """
    value = tl.program_id(0) * N_VALUES + tl.arange(0, N_VALUES)
    channel_out = value % N_OUT
    j = (value // N_OUT) % N_SIDE
    channel_in = (value // (N_OUT * N_SIDE)) % N_IN
    i = (value // (N_OUT * N_SIDE * N_IN)) % (N_SIDE + 2)
    y = value // (N_OUT * N_SIDE * N_IN * (N_SIDE + 2))
    x = i - j
    is_tap = (y < 3) & (x >= 0) & (x < 3)
    place = channel_out * step_out + channel_in * step_in
    if IS_TURNED:
        place += (2 - y) * step_y + (2 - x) * step_x
    else:
        place += y * step_y + x * step_x
    tl.store(packed + value, tl.load(weights + place, mask=is_tap, other=0.0), mask=y < 3)


# Not specialised for the sizes of planes: one compilation serves all.
@triton.jit(do_not_specialize=["height", "width", "n_strips", "n_places", "per_lane"])
def _convolve(
    planes, packed, result, height, width, n_strips, n_places, per_lane,
    N_IN: tl.constexpr, N_OUT: tl.constexpr,
    TILE_IN: tl.constexpr, BLOCK_OUT: tl.constexpr,
    N_SIDE: tl.constexpr, N_ROWS: tl.constexpr, ACROSS: tl.constexpr,
    BY_REGISTERS: tl.constexpr, IS_INTERPRETED: tl.constexpr,
):  # fmt: skip
    """Convolve the strips of a program, for one block of results.

    Strips lie below each other in one list of places, with an empty row after each that
    pads both its neighbours: place = strip * (height + 1) + y. A lane sums `per_lane`
    places that follow each other. Wide planes have one lane a program; narrow ones fill the
    rows of the product with several.
    """
    n_lanes: tl.constexpr = N_ROWS // ACROSS
    n_beside: tl.constexpr = 4 if N_SIDE == 2 else 1  # pixels side by side in a tile
    n_taps: tl.constexpr = 1 if N_SIDE == 2 else 3  # tiles for the taps of a row
    n_parts: tl.constexpr = N_IN // TILE_IN
    n_blocks: tl.constexpr = N_OUT // BLOCK_OUT
    # Blocks of the same pixels run side by side, so that planes come from the cache.
    first_out = (tl.program_id(0) % n_blocks) * BLOCK_OUT
    program = tl.program_id(0) // n_blocks
    lane_and_x = tl.arange(0, N_ROWS)
    x_in_strip = (lane_and_x % ACROSS) * N_SIDE
    if n_lanes == 1:
        start = program * per_lane  # a scalar: to divide vectors takes longer than products
    else:
        start = (program * n_lanes + lane_and_x // ACROSS) * per_lane
    value_in = tl.arange(0, n_beside * TILE_IN)
    value_out = tl.arange(0, N_SIDE * BLOCK_OUT)
    j = value_out // BLOCK_OUT
    at_out = j * N_OUT + first_out + value_out % BLOCK_OUT

    weights = ()
    for y_tap in tl.static_range(3):
        for x_tap in tl.static_range(n_taps):
            for part in tl.static_range(n_parts):
                pixel = y_tap * (N_SIDE + 2) + x_tap + value_in // TILE_IN
                channel = pixel * N_IN + part * TILE_IN + value_in % TILE_IN
                at_weights = channel[:, None] * (N_SIDE * N_OUT) + at_out[None, :]
                weights = weights + (tl.load(packed + at_weights),)  # noqa: RUF005

    above = tl.zeros((N_ROWS, N_SIDE * BLOCK_OUT), tl.float32)
    here = tl.zeros((N_ROWS, N_SIDE * BLOCK_OUT), tl.float32)
    for step in range(per_lane + 2):
        place = start + step - 1
        row, y, x = _found(place, x_in_strip, height, width, n_strips, ACROSS * N_SIDE)
        is_inside = (place >= 0) & (place < n_places) & (y < height)
        tiles = ()
        for x_tap in tl.static_range(n_taps):
            for part in tl.static_range(n_parts):
                x_in = x[:, None] + (x_tap - 1) + (value_in // TILE_IN)[None, :]
                if n_lanes == 1:
                    mask = is_inside & (x_in >= 0) & (x_in < width)
                else:
                    mask = is_inside[:, None] & (x_in >= 0) & (x_in < width)
                at_in = (row + x + (x_tap - 1))[:, None] * N_IN
                if n_parts == 1:
                    at_in += value_in[None, :]
                else:
                    at_in += (
                        (value_in // TILE_IN) * N_IN + part * TILE_IN + value_in % TILE_IN
                    )[None, :]
                tile = tl.load(planes + at_in, mask=mask, other=0.0)
                tiles = tiles + (tile,)  # noqa: RUF005 - Triton knows sums of tuples

        # `above` last: its result is needed now, and to wait for it is to wait for all.
        # Sums in flight across the end of a step would make the assembler serialise them.
        below = tl.zeros((N_ROWS, N_SIDE * BLOCK_OUT), tl.float32)
        for k in tl.static_range(n_taps * n_parts):
            tile = tiles[k]
            if BY_REGISTERS and not IS_INTERPRETED:
                tile = _in_registers(tile)
            below = _product(tile, weights[k], below, IS_INTERPRETED)
            here = _product(tile, weights[n_taps * n_parts + k], here, IS_INTERPRETED)
            above = _product(tile, weights[2 * n_taps * n_parts + k], above, IS_INTERPRETED)
        if n_taps * n_parts > 1 and not IS_INTERPRETED:
            # Where products follow each other, a use that is none forces the wait.
            below = _used(below)
            here = _used(here)

        # The sums of the place above are complete.
        done = place - 1
        row, y, x = _found(done, x_in_strip, height, width, n_strips, ACROSS * N_SIDE)
        is_done = (step >= 2) & (done < n_places) & (y < height)
        if n_lanes == 1:
            mask = is_done & (x[:, None] + j[None, :] < width)
        else:
            mask = is_done[:, None] & (x[:, None] + j[None, :] < width)
        to = result + (row + x)[:, None] * N_OUT + at_out[None, :]
        tl.store(to, above.to(result.dtype.element_ty), mask=mask)
        above = here
        here = below


@triton.jit
def _found(place, x_in_strip, height, width, n_strips, WIDTH_OF_STRIP: tl.constexpr):
    """Return where a place lies: the first pixel of its row, the row, and its columns."""
    strip = place // (height + 1)
    y = place - strip * (height + 1)
    plane = strip // n_strips
    x = (strip - plane * n_strips) * WIDTH_OF_STRIP + x_in_strip
    return (plane * height + y) * width, y, x


@triton.jit
def _product(tile, weights, total, IS_INTERPRETED: tl.constexpr):
    """Add the product of a tile and weights to `total`."""
    if IS_INTERPRETED:  # numpy has no bfloat16
        tile = tile.to(tl.float32)
        weights = weights.to(tl.float32)
    return tl.dot(tile, weights, total)


@triton.jit
def _used(total):
    """Return `total` through an instruction that needs it."""
    return tl.inline_asm_elementwise(
        "mov.b32 $0, $1;", "=r,r", [total], tl.float32, is_pure=True, pack=1
    )


@triton.jit
def _in_registers(tile):
    """Return a tile through an instruction that works on registers."""
    return tl.inline_asm_elementwise(
        "mov.b32 $0, $1;", "=r,r", [tile], tl.bfloat16, is_pure=True, pack=2
    )
