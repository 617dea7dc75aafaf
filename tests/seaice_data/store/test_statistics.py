import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.preparation.blocks import add_up
from seaice_data.store.statistics import ChannelStats, add_counts, count_classes


def counted(planes: FloatArray) -> ChannelStats:
    """Return the statistics of planes, shape ``(channel, y, x)``."""
    sums = ChannelStats.empty_sums(len(planes))
    add_up(np.moveaxis(planes, 0, -1), sums)
    return ChannelStats.from_sums(sums)


def test_merged_statistics_are_those_of_all_pixels() -> None:
    rng = np.random.default_rng(0)
    scenes = [rng.normal(3, 2, (2, n, 5)) for n in (4, 9)]  # (channel, y, x)
    scenes[0][0, 1, 2] = np.nan
    merged = ChannelStats.merge(map(counted, scenes))
    together = np.concatenate(scenes, axis=1)
    np.testing.assert_allclose(merged.mean, np.nanmean(together, axis=(1, 2)))
    np.testing.assert_allclose(merged.std, np.nanstd(together, axis=(1, 2)))
    np.testing.assert_array_equal(merged.lowest, np.nanmin(together, axis=(1, 2)))
    np.testing.assert_array_equal(merged.count, [64, 65])


def test_statistics_survive_a_round_trip_through_json() -> None:
    stats = counted(np.array([[[1.5]], [[np.nan]]]))
    again = ChannelStats.from_mapping(stats.to_mapping())
    assert again.to_mapping() == stats.to_mapping()
    assert np.isnan(again.mean[1])


def test_counting_equals_bincount() -> None:
    rng = np.random.default_rng(0)
    for n_pixels in (1, 7, 8, 1003):
        plane = np.repeat(rng.choice(np.array([0, 3, 10, 255], np.uint8), n_pixels), 5)
        counts = count_classes(np.stack([plane.reshape(5, -1)] * 3))["SIC"]
        expected = np.bincount(plane, minlength=256)
        assert counts == [*expected[:11], expected[255]]


def test_counts_of_scenes_add_up() -> None:
    charts = np.array([[[0, 10]], [[5, 255]], [[255, 255]]], np.uint8)
    total = add_counts([count_classes(charts), count_classes(charts)])
    assert total["SIC"] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]
    assert total["SOD"] == [0, 0, 0, 0, 0, 2, 2]
    assert total["FLOE"] == [0, 0, 0, 0, 0, 0, 0, 4]
