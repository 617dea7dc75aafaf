import numpy as np

from seaice_data.stats import ChannelStats, add_counts, count_classes


def test_merged_statistics_are_those_of_all_pixels() -> None:
    rng = np.random.default_rng(0)
    planes = [rng.normal(3, 2, (n, 5, 2)) for n in (4, 9)]
    planes[0][1, 2, 0] = np.nan
    merged = ChannelStats.merge(map(ChannelStats.of, planes))
    together = np.concatenate([plane.reshape(-1, 2) for plane in planes])
    np.testing.assert_allclose(merged.mean, np.nanmean(together, axis=0))
    np.testing.assert_allclose(merged.std, np.nanstd(together, axis=0))
    np.testing.assert_array_equal(merged.lowest, np.nanmin(together, axis=0))


def test_statistics_survive_the_way_through_json() -> None:
    stats = ChannelStats.of(np.array([[[1.5, np.nan]]]))
    again = ChannelStats.from_mapping(stats.to_mapping())
    assert again.to_mapping() == stats.to_mapping()
    assert np.isnan(again.mean[1])


def test_counts_of_scenes_add_up() -> None:
    charts = np.array([[[0, 10]], [[5, 255]], [[255, 255]]], np.uint8)
    total = add_counts([count_classes(charts), count_classes(charts)])
    assert total["SIC"] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]
    assert total["SOD"] == [0, 0, 0, 0, 0, 2, 2]
    assert total["FLOE"] == [0, 0, 0, 0, 0, 0, 0, 4]
