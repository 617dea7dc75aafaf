"""Tables of noise and gain, brought to all samples."""

import numpy as np
import pytest

from seaice_data.errors import SceneError
from seaice_data.ingest.sentinel.annotation import AzimuthNoise, Noise, SwathBlock, Vectors
from seaice_data.ingest.sentinel.lookup_tables import (
    block_noise,
    clipped_blocks,
    early_units,
)

WHOLE = SwathBlock("EW1", 0, 11, 0, 99)


def error(message: str, /, *, hint: str | None = None) -> SceneError:
    return SceneError(message, hint=hint)


def vectors(*rows: tuple[float, list[int], list[float]]) -> Vectors:
    return Vectors(
        np.array([line for line, _, _ in rows]),
        tuple(np.array(samples) for _, samples, _ in rows),
        tuple(np.array(values, np.float64) for _, _, values in rows),
    )


def along(first: int, last: int, lines: list[int], factors: list[float]) -> AzimuthNoise:
    block = SwathBlock("EW1", first, last, 0, 99)
    return AzimuthNoise(block, np.array(lines), np.array(factors))


def test_missing_values_within_a_vector_are_interpolated() -> None:
    table = vectors((0, [0, 40, 80, 99], [10, 0, 30, 30]))
    (noise,) = block_noise(Noise(table, ()), [WHOLE], error)
    np.testing.assert_allclose(noise.table.rows[0][[0, 40, 80]], [10, 20, 30])


def test_slope_continues_beyond_the_last_value() -> None:
    table = vectors((0, [0, 50, 70, 99], [10, 10, 20, 0]))
    (noise,) = block_noise(Noise(table, ()), [WHOLE], error)
    np.testing.assert_allclose(noise.table.rows[0][[70, 90, 99]], [20, 30, 34.5])


def test_noise_never_falls_below_half_of_its_last_value() -> None:
    table = vectors((0, [0, 50, 70, 99], [90, 50, 10, 0]))
    (noise,) = block_noise(Noise(table, ()), [WHOLE], error)
    assert noise.table.rows[0][99] == 5


def test_vectors_without_values_are_left_out() -> None:
    table = vectors((0, [0, 99], [10, 10]), (5, [0, 99], [0, 0]), (10, [0, 99], [20, 20]))
    (noise,) = block_noise(Noise(table, ()), [WHOLE], error)
    np.testing.assert_array_equal(noise.table.lines, [0, 10])
    before, weight = noise.table.between(np.array([0, 5, 11]))
    np.testing.assert_array_equal(before, [0, 0, 0])
    np.testing.assert_array_equal(weight, [0, 0.5, 1])


def test_vectors_beyond_the_image_count() -> None:
    """Slices of old versions have vectors from before their first line."""
    table = vectors((-10, [0, 99], [10, 10]), (10, [0, 99], [30, 30]))
    (noise,) = block_noise(Noise(table, ()), [WHOLE], error)
    before, weight = noise.table.between(np.array([0]))
    assert (before[0], weight[0]) == (0, 0.5)


def test_factors_of_lines_without_a_vector_are_those_of_the_nearest() -> None:
    table = vectors((0, [0, 99], [10, 10]))
    first, second = along(0, 3, [0, 3], [1, 1]), along(4, 7, [4, 7], [2, 2])
    for order in ((first, second), (second, first)):
        (noise,) = block_noise(Noise(table, order), [WHOLE], error)
        np.testing.assert_array_equal(noise.factors, [1] * 4 + [2] * 8)
    later = SwathBlock("EW1", 8, 11, 0, 99)
    (noise,) = block_noise(Noise(table, (first, second)), [later], error)
    np.testing.assert_array_equal(noise.factors, [2] * 4)


def test_zero_factors_are_missing() -> None:
    table = vectors((0, [0, 99], [10, 10]))
    factors = along(0, 11, [0, 5, 10], [1, 0, 3])
    (noise,) = block_noise(Noise(table, (factors,)), [WHOLE], error)
    np.testing.assert_allclose(noise.factors[[0, 5, 10, 11]], [1, 2, 3, 3])


def test_sub_swath_without_factors_is_refused() -> None:
    table = vectors((0, [0, 99], [10, 10]))
    other = AzimuthNoise(SwathBlock("EW2", 0, 11, 0, 99), np.array([0]), np.array([1.0]))
    with pytest.raises(SceneError, match="no noise for sub-swath EW1") as caught:
        block_noise(Noise(table, (other,)), [WHOLE], error)
    assert "--denoise none" in str(caught.value.hint)


def test_blocks_are_clipped_to_the_image() -> None:
    blocks = [SwathBlock("EW1", -5, 20, 3, 200), SwathBlock("EW2", 12, 20, 0, 9)]
    assert clipped_blocks(blocks, 12, 100) == (SwathBlock("EW1", 0, 11, 3, 99),)


def test_noise_in_squared_pixel_values_has_no_unit() -> None:
    assert early_units(Noise(vectors((0, [0], [670])), ()), dn=1087) is None
    units = early_units(Noise(vectors((0, [0], [1e-8])), ()), dn=1087)
    assert units is not None
    assert units["EW1"] == 56065.87 * 1087**2
