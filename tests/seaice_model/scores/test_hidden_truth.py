"""Maps against the hidden truth, by what charts say."""

import numpy as np
import pytest

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHARTS
from seaice_data.sources.charts import find_charts
from seaice_data.synthetic.scene_set import write_scenes
from seaice_model.metrics import weighted_f1
from seaice_model.scores.hidden_truth import PARTS, count_parts

# Four pixels: in a mixed polygon ice and a lead, then a polygon of old ice, then no chart.
TRUTH = [[10, 0, 10, 10], [2, 0, 5, 5], [4, 0, 4, 4]]
CHART = [[9, 9, 9, 255], [255, 255, 5, 255], [255, 255, 4, 255]]
MAP = [[9, 9, 9, 9], [4, 4, 5, 5], [4, 4, 4, 4]]


def planes(rows: list[list[int]]) -> ChartArray:
    return np.array(rows, np.uint8)[:, None, :]


def test_a_pixel_counts_where_the_chart_says_it_belongs() -> None:
    counts = count_parts(planes(TRUTH), planes(CHART), planes(MAP))
    pixels = {part: np.argwhere(matrices["SOD"]) for part, matrices in counts.items()}
    assert pixels["mixed"].tolist() == [[0, 4], [2, 4]]
    assert pixels["mixed ice"].tolist() == [[2, 4]]
    assert pixels["labelled"].tolist() == [[5, 5]]
    assert pixels["all"].tolist() == [[0, 4], [2, 4], [5, 5]]


def test_ice_without_a_class_in_the_truth_does_not_count() -> None:
    truth = planes([[10, 0, 10, 10], [255, 0, 5, 5], [6, 0, 4, 4]])
    counts = count_parts(truth, planes(CHART), planes(MAP))
    assert counts["mixed ice"]["SOD"].sum() == 0
    assert counts["mixed ice"]["FLOE"].sum() == 1


def test_open_water_of_the_chart_is_labelled() -> None:
    truth, chart = planes([[0], [0], [0]]), planes([[0], [0], [0]])
    counts = count_parts(truth, chart, truth)
    assert [int(counts[part]["SIC"].sum()) for part in PARTS] == [0, 0, 1, 1]


def test_floe_sizes_are_divided_by_their_own_chart() -> None:
    chart = planes([[9, 9, 9, 255], [255, 255, 5, 255], [3, 3, 255, 255]])
    counts = count_parts(planes(TRUTH), chart, planes(MAP))
    assert [int(counts[part]["FLOE"].sum()) for part in PARTS] == [1, 1, 2, 3]
    assert [int(counts[part]["SIC"].sum()) for part in PARTS] == [2, 1, 1, 3]


def test_a_pixel_without_a_class_in_the_map_is_missed() -> None:
    nothing = np.full_like(planes(MAP), 255)
    counts = count_parts(planes(TRUTH), planes(CHART), nothing)
    assert counts["all"]["SOD"][:, -1].sum() == counts["all"]["SOD"].sum() == 3


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        count_parts(planes(TRUTH), planes(CHART)[..., :2], planes(MAP))


def test_parts_of_a_synthetic_scene_add_up(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("hidden")
    write_scenes(folder / "raw", 1, 320, truth=folder / "truth")
    (charted,) = find_charts(str(folder / "raw")).scenes.values()
    truth = find_charts(str(folder / "truth")).scenes[charted.id].read()
    counts = count_parts(truth, charted.read(), truth)
    for chart in CHARTS:
        whole = counts["mixed"][chart.name] + counts["labelled"][chart.name]
        np.testing.assert_array_equal(whole, counts["all"][chart.name])
        assert counts["all"][chart.name].sum() > 0
    assert weighted_f1(counts["all"]["SOD"]) == 1
