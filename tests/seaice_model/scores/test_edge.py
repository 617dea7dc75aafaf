import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from seaice_data.arrays import ChartArray, Mask
from seaice_model.scores.edge import EdgeScore, EdgeScorer


def straight(first_ice_column: int, shape: tuple[int, int] = (50, 60)) -> ChartArray:
    """Return a chart whose ice begins at a column."""
    chart = np.zeros(shape, np.uint8)
    chart[:, first_ice_column:] = 8
    return chart


def score(chart: ChartArray, predicted: ChartArray) -> EdgeScore:
    scorer = EdgeScorer()
    scorer.add(chart, predicted, pixel_spacing_m=80.0)
    return scorer.score()


def test_the_displacement_is_how_far_an_edge_was_moved() -> None:
    result = score(straight(20), straight(30))
    assert result.mean_km == pytest.approx(0.8)
    assert (result.median_km, result.p95_km) == (0.8, 0.8)
    assert result.underestimate_km2 == pytest.approx(50 * 10 * 0.08**2)
    assert result.overestimate_km2 == 0
    assert score(straight(30), straight(20)).overestimate_km2 == result.underestimate_km2
    assert (result.n_chart_pixels, result.n_map_pixels) == (50, 50)


def test_equal_edges_have_no_displacement() -> None:
    result = score(straight(7), straight(7))
    assert (result.mean_km, result.p95_km, result.error_km2) == (0, 0, 0)


def test_the_edge_runs_between_10_and_20_percent() -> None:
    chart = np.array([[1, 2, 2]], np.uint8)
    assert score(chart, chart).n_chart_pixels == 1
    assert score(chart // 2, chart // 2).n_chart_pixels == 0  # 0 and 10 %: no ice edge


def test_false_ice_far_away_counts_from_the_map_alone() -> None:
    # 21 map pixels: 20 on the edge, one false floe of a pixel 10 columns away.
    chart = straight(30, (20, 40))
    shown = chart.copy()
    shown[10, 19] = 9
    # The floe's distance to the edge in column 30 is 11 pixels; nothing else is off.
    assert score(chart, shown).mean_km == pytest.approx((11 * 0.08 / 21 + 0) / 2)


def test_coasts_and_borders_are_not_edges() -> None:
    chart = straight(20)
    chart[:, 18:22] = 255
    assert score(chart, straight(20)).n_chart_pixels == 0
    assert score(straight(20), chart).n_map_pixels == 0
    assert score(straight(0), straight(0)).n_chart_pixels == 0


def test_a_scene_without_an_edge_is_counted_and_so_is_its_area() -> None:
    scorer = EdgeScorer()
    water = np.zeros((50, 60), np.uint8)
    scorer.add(water, straight(50), pixel_spacing_m=80.0)
    result = scorer.score()
    assert (result.n_scenes, result.n_without_chart_edge) == (0, 1)
    assert (result.mean_km, result.median_km, result.p95_km) == (None, None, None)
    assert result.overestimate_km2 == pytest.approx(500 * 0.08**2)
    scorer.add(straight(50), water, pixel_spacing_m=80.0)
    scorer.add(straight(50), straight(51), pixel_spacing_m=80.0)
    result = scorer.score()
    counts = (result.n_scenes, result.n_without_chart_edge, result.n_without_map_edge)
    assert counts == (1, 1, 1)
    assert result.mean_km == pytest.approx(0.08)


def test_planes_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        score(straight(5), straight(5, (20, 20)))


def edge_by_shifting(ice: Mask, valid: Mask) -> Mask:
    """Find edge pixels in another way: by moving the open water over the ice."""
    water = np.pad(valid & ~ice, 1)
    near = water[:-2, 1:-1] | water[2:, 1:-1] | water[1:-1, :-2] | water[1:-1, 2:]
    return valid & ice & near


@given(seed=st.integers(0, 10_000))
def test_distances_are_those_of_a_distance_transform(seed: int) -> None:
    rng = np.random.default_rng(seed)
    planes = []
    for _ in range(2):
        plane = rng.integers(0, 11, (25, 31), np.uint8) // rng.integers(1, 6)
        plane[rng.random(plane.shape) < rng.choice([0, 0.1])] = 255
        planes.append(plane.astype(np.uint8))
    valid = (planes[0] != 255) & (planes[1] != 255)
    edges = [edge_by_shifting(plane >= 2, valid) for plane in planes]
    ours = score(planes[0], planes[1])
    assert [ours.n_chart_pixels, ours.n_map_pixels] == [e.sum() for e in edges]
    if not all(edge.any() for edge in edges):
        assert ours.mean_km is None
        return
    ways = [
        0.08 * distance_transform_edt(~edges[to])[edges[of]] for of, to in ((0, 1), (1, 0))
    ]
    assert ours.mean_km == pytest.approx(np.mean([way.mean() for way in ways]))
    assert ours.p95_km is not None
    beyond = [np.mean(way > ours.p95_km + 0.04) for way in ways]  # half a step of 80 m
    assert np.mean(beyond) <= 0.05 + 1e-9


def test_scorers_merge_to_the_same() -> None:
    first, second, both = EdgeScorer(), EdgeScorer(), EdgeScorer()
    for scorer, columns in ((first, (10, 14)), (second, (30, 33))):
        for target in (scorer, both):
            target.add(*map(straight, columns), pixel_spacing_m=80.0)
    first.merge(second)
    assert first.score() == both.score()


def test_long_edges_are_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seaice_model.scores.edge._MOST_PIXELS", 7)
    assert score(straight(20), straight(30)).mean_km == pytest.approx(0.8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 3), (9, 12)])
def test_an_edge_is_ice_beside_known_water(shape: tuple[int, int]) -> None:
    """Pixel by pixel, as the module says it."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        chart, shown = rng.choice([0, 1, 2, 10, 255], (2, *shape)).astype(np.uint8)
        is_known = (chart != 255) & (shown != 255)
        n_edges = {"chart": 0, "map": 0}
        for y, x in np.argwhere(is_known).tolist():
            near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            near = [p for p in near if 0 <= p[0] < shape[0] and 0 <= p[1] < shape[1]]
            near = [p for p in near if is_known[p]]
            for name, plane in (("chart", chart), ("map", shown)):
                n_edges[name] += plane[y, x] >= 2 and any(plane[p] < 2 for p in near)
        scorer = EdgeScorer()
        scorer.add(chart, shown, pixel_spacing_m=1000)
        score = scorer.score()
        assert score.n_chart_pixels == n_edges["chart"]
        assert score.n_map_pixels == n_edges["map"]
        assert score.overestimate_km2 == (is_known & (shown >= 2) & (chart < 2)).sum()
        assert score.underestimate_km2 == (is_known & (chart >= 2) & (shown < 2)).sum()
