"""The loops that cut patches, on planes of numbers to check by eye."""

import numpy as np
import pytest

from seaice_data.sampling.cut import cut_bilinear, cut_nearest

NAN = np.nan
NO_WIND = np.zeros((0, 3), np.int64), np.zeros((0, 3), np.float32)


def cut(
    planes: np.ndarray, affine: list[list[float]], n: int = 1, *, bilinear: bool = True,
    bounds: tuple[int, ...] | None = None, origin: tuple[int, int] = (0, 0),
) -> np.ndarray:  # fmt: skip
    """Cut a patch of `n` x `n` pixels out of planes ``(y, x)`` or ``(y, x, channel)``."""
    planes = planes if planes.ndim == 3 else planes[..., None]
    height, width, n_channels = planes.shape
    bits = np.uint16 if planes.dtype == np.float16 else planes.dtype
    out = np.zeros((n, n, n_channels), planes.dtype)
    (cut_bilinear if bilinear else cut_nearest)(
        planes.view(bits), np.zeros((height, width, 3), np.uint8), np.array(origin),
        np.array(bounds or (0, height, 0, width)), np.array(affine, np.float64),
        np.array([[0, 0, n_channels]]), *NO_WIND, np.array([0, n, 0, n]),
        np.array(NAN, planes.dtype).view(bits)[()], out.view(bits),
        np.zeros((n, n, 3), np.uint8),
    )  # fmt: skip
    return out


def at(y: float, x: float) -> list[list[float]]:
    return [[1, 0, y], [0, 1, x]]


PLANE = np.array([[1, 2, 4], [3, 8, NAN], [5, 5, 5]], np.float32)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(
    ("y", "x", "value"),
    [
        (0, 0, 1),
        (0, 0.25, 1.25),
        (0.5, 0, 2),
        (0.5, 0.5, 3.5),  # (1 + 2 + 3 + 8) / 4
        (0.25, 1.75, 0.75 * (0.25 * 2 + 0.75 * 4) + 0.25 * 0.25 * 8),  # over 1 - 3/16
        (0.75, 1.75, NAN),  # the nearest is fill
        (1, 1.25, 8),  # fill has no weight
        (-0.25, 0, 1),  # nor has what is beyond
        (-0.75, 0, NAN),
        (0, 2.5, NAN),
        (2.25, 2, 5),
    ],
)
def test_four_pixels_are_weighed_without_fill(
    dtype: type, y: float, x: float, value: float
) -> None:
    if (y, x) == (0.25, 1.75):
        value /= 1 - 0.25 * 0.75
    got = cut(PLANE.astype(dtype), at(y, x))[0, 0, 0]
    np.testing.assert_allclose(got, value, rtol=1e-3 if dtype == np.float16 else 1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("n_channels", [1, 3, 7, 8, 9, 15, 16, 17, 31])
def test_channels_do_not_depend_on_how_many_there_are(dtype: type, n_channels: int) -> None:
    rng = np.random.default_rng(0)
    planes = rng.normal(size=(9, 8, 31)).astype(dtype)
    planes[rng.random(planes.shape) < 0.1] = NAN
    turn = [[0.8, -0.6, 2.3], [0.6, 0.8, 0.2]]
    for bilinear in (True, False):
        few = cut(
            np.ascontiguousarray(planes[..., :n_channels]), turn, 6, bilinear=bilinear
        )
        each = [
            cut(np.ascontiguousarray(planes[..., k]), turn, 6, bilinear=bilinear)
            for k in range(n_channels)
        ]
        np.testing.assert_array_equal(few, np.concatenate(each, axis=-1))


def test_every_half_survives() -> None:
    bits = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    planes = bits.view(np.float16)
    np.testing.assert_array_equal(
        cut(planes, at(0, 0), 256, bilinear=False)[..., 0].view(np.uint16), bits
    )
    # Infinity times the weight 0 is NaN; no store contains infinity.
    planes = np.where(np.isinf(planes), np.float16(0), planes)
    np.testing.assert_array_equal(cut(planes, at(0, 0), 256)[..., 0], planes)


def test_a_part_of_a_scene_gives_what_the_scene_gives() -> None:
    planes = np.random.default_rng(0).normal(size=(20, 20, 2)).astype(np.float32)
    turn = [[0.8, -0.6, 9.3], [0.6, 0.8, 7.2]]
    for bilinear in (True, False):
        whole = cut(planes, turn, 4, bilinear=bilinear)
        part = np.ascontiguousarray(planes[5:15, 6:14])
        got = cut(part, turn, 4, bilinear=bilinear, bounds=(0, 20, 0, 20), origin=(5, 6))
        np.testing.assert_array_equal(got, whole)
        assert np.isfinite(got).all()


def test_pixels_beyond_the_bounds_are_fill() -> None:
    planes = np.ones((6, 6), np.float32)
    for bilinear in (True, False):
        got = cut(planes, at(0, 0), 6, bilinear=bilinear, bounds=(1, 4, 2, 6))[..., 0]
        assert np.isfinite(got[1:4, 2:]).all()
        assert np.isnan(got).sum() == 36 - 12
