import csv
import io
import json
from dataclasses import replace

import numpy as np
from support.learnable_scenes import SCENES, TEST_SCENE

from seaice_model.scores.report_numbers import as_csv, as_mapping, numbers_of
from seaice_model.scores.score import ScoreReport


def test_every_score_is_among_the_numbers_once(report: ScoreReport) -> None:
    numbers = list(numbers_of(report))
    keys = [(n.grid, n.by, n.name, n.chart, n.class_name, n.measure) for n in numbers]
    assert len(keys) == len(set(keys))
    found = dict(zip(keys, numbers, strict=True))
    pooled = found["original", "all", "all", "combined", "", "score"]
    assert (pooled.value, pooled.unit) == (report.pooled.combined, "%")
    support = [
        found["original", "scene", scene, "SOD", "old ice", "support"].value
        for scene in (TEST_SCENE, SCENES[0])
    ]
    assert sum(map(int, support)) == report.pooled.charts["SOD"].class_pixels[5]
    assert ("original", "baseline", "climatology", "SIC", "", "score") in found
    assert ("original", "baseline", "climatology", "SIC", "", "mean_iou") in found
    accuracy = found["original", "scene", TEST_SCENE, "SIC", "", "pixel_accuracy"]
    assert accuracy.value == report.scenes[TEST_SCENE].charts["SIC"].pixel_accuracy
    assert ("downscaled", "all", "all", "SOD", "old ice", "iou") in found
    assert found["original", "all", "all", "SIC", "", "edge_mean"].unit == "km"
    assert np.isfinite([n.value for n in numbers if n.value is not None]).all()


def test_csv_has_every_number_as_it_is(report: ScoreReport) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(report))))
    values = ["" if n.value is None else repr(n.value) for n in numbers_of(report)]
    assert [line["value"] for line in lines] == values
    assert lines[0] == {
        "grid": "original", "by": "all", "name": "all", "chart": "combined",
        "class_name": "", "measure": "score", "value": repr(report.pooled.combined),
        "unit": "%",
    }  # fmt: skip


def test_a_region_does_not_become_a_formula(report: ScoreReport) -> None:
    original = report.grids["original"]
    named = replace(original, regions={"=HYPERLINK(1)": original.pooled})
    text = as_csv(replace(report, grids={**report.grids, "original": named}))
    assert "original,region,'=HYPERLINK(1),combined" in text
    assert ",=" not in text


def test_the_mapping_is_ready_for_json(report: ScoreReport) -> None:
    mapping = json.loads(json.dumps(as_mapping(report)))
    assert mapping["pooled"]["combined"] == report.pooled.combined
    sod = mapping["grids"]["original"]["classes"]["SOD"]
    assert sod["mean_iou"] == report.pooled.charts["SOD"].mean_iou
    assert tuple(sod["class_iou"]) == report.pooled.charts["SOD"].class_iou
    assert set(mapping["grids"]["original"]["scene"]) == {TEST_SCENE, SCENES[0]}


def test_the_frame_has_the_scores_of_each_scene(report: ScoreReport) -> None:
    frame = report.to_frame()
    assert list(frame.columns) == ["combined", "SIC", "SOD", "FLOE", "edge_km"]
    assert set(frame.index) == {TEST_SCENE, SCENES[0]}
    assert frame.loc[TEST_SCENE, "SOD"] == report.scenes[TEST_SCENE].by_name["SOD"]
    assert set(frame.dtypes) == {np.dtype(np.float64)}
