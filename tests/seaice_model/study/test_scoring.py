import json
import shutil
from pathlib import Path

import pytest
from support.learnable_scenes import ERA5, SCENES, TEST_SCENE, StoreMaker
from support.small_studies import VIEWS, WEATHER, seen

from seaice_data.scene_id import SceneId
from seaice_data.sources.charts import charts_of
from seaice_data.store.division import split_store
from seaice_data.store.origin import Origin
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store
from seaice_model.errors import StudyError
from seaice_model.metrics import ChartScorer
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.scores.score import score_maps
from seaice_model.study.candidates import View
from seaice_model.study.plan import StudyPlan, plan_study
from seaice_model.study.records import load_record
from seaice_model.study.scoring import score_run, twin_checksums
from seaice_model.study.study import StudyProgress, run_study
from seaice_model.study.summary import summarise
from seaice_model.study.table import as_mapping


def test_a_run_is_never_scored_on_scenes_that_it_was_trained_on(
    tmp_path: Path, store: Store, run: Path
) -> None:
    shutil.copytree(store.path, tmp_path / "store.zarr")
    divided = Store.open(tmp_path / "store.zarr")
    split_store(divided, SplitSettings(test=tuple(map(SceneId, SCENES[:2]))))
    with pytest.raises(StudyError, match="on 2 of the 2 test scenes") as caught:
        score_run(Store.open(divided.path), run, "cpu")
    assert "divide the store as it was" in str(caught.value.hint)


def test_the_matrices_are_those_of_maps_that_are_predicted_and_scored(
    plan: StudyPlan, store: Store, tmp_path: Path
) -> None:
    run = plan.runs[0]
    settings = PredictSettings(plots=False)
    predict_store(store, run.path, tmp_path, settings, scenes=[TEST_SCENE])
    expected = score_maps(tmp_path, charts_of(store)).pooled
    scorer = ChartScorer()
    for name, matrix in load_record(run.record).confusion["test"][TEST_SCENE].items():
        scorer.confusion[name] += matrix
    assert scorer.scores() == expected


def test_candidates_that_share_a_run_train_it_once(
    tmp_path: Path, store: Store, make_store: StoreMaker
) -> None:
    plan = plan_study(tmp_path / "study", [store], VIEWS, n_runs=2)
    assert (len(plan.runs), plan.n_trained) == (6, 2)
    steps: list[StudyProgress] = []
    report = run_study(plan, devices=["cpu"], progress=steps.append)
    assert (report.n_finished, report.failed) == (6, ())
    assert [s.step.candidate for s in steps if not s.step.is_finished] == ["weather"] * 6
    folders = [path for path in plan.out.glob("runs/*/*") if path.is_dir()]
    assert sorted(p.relative_to(plan.out).as_posix() for p in folders) == [
        "runs/weather/seed-0", "runs/weather/seed-1",
    ]  # fmt: skip
    usual, without, flips = (load_record(run.record) for run in plan.runs[::2])
    assert (usual.view, without.view) == (View(), View(without=("era5",)))
    test = "test", TEST_SCENE
    counts = [one.confusion[test[0]][test[1]]["SIC"] for one in (usual, without, flips)]
    assert len({int(one.sum()) for one in counts}) == 1
    assert all((counts[0] != other).any() for other in counts[1:])
    # The same as from a scene whose file has no weather.
    absent = Origin(version="ingested", absent_channels=ERA5)
    bare = make_store(tmp_path / "bare.zarr", origins={TEST_SCENE: absent})
    found = score_run(bare, plan.runs[0].path, "cpu").record.confusion["test"][TEST_SCENE]
    assert (found["SIC"] == counts[1]).all()
    rows = summarise(plan).candidates
    assert [row.n_runs for row in rows] == [2, 2, 2]
    assert rows[1].splits["test"].effects is not None


def test_a_missing_view_of_a_run_is_scored_but_not_trained(
    tmp_path: Path, store: Store
) -> None:
    run_study(plan_study(tmp_path, [store], VIEWS[:1], n_runs=1), devices=["cpu"])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("seed-0/*")}
    steps: list[StudyProgress] = []
    # Its own row need not be in the study.
    plan = plan_study(tmp_path, [store], VIEWS[1:], n_runs=1)
    assert run_study(plan, devices=["cpu"], progress=steps.append).n_finished == 2
    assert sorted((s.step.candidate, s.step.is_finished) for s in steps) == [
        ("weather-flips", True), ("weather-without-era5", True),
    ]  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_twins_are_scored_against_the_charts_of_the_test_scenes(
    tmp_path: Path, store: Store, make_store: StoreMaker
) -> None:
    on_twins = seen("weather-on-twins", View(twins=True))
    candidates = (WEATHER, on_twins)
    with pytest.raises(StudyError, match=r"no store has the twins .*: 'weather-on-twins'"):
        plan_study(tmp_path / "study", [store], candidates, n_runs=1)
    none = make_store(tmp_path / "none.zarr", scenes=SCENES[:2])
    with pytest.raises(StudyError, match=f"has no twin of the test scene {TEST_SCENE}"):
        plan_study(tmp_path / "study", [store], candidates, n_runs=1, twins=[none])
    origin = Origin(version="ingested", denoising="esa")
    twins = make_store(
        tmp_path / "twins.zarr",
        scenes=(*SCENES[:2], TEST_SCENE),
        origins={TEST_SCENE: origin},
    )
    plan = plan_study(tmp_path / "study", [store], candidates, n_runs=1, twins=[twins])
    assert run_study(plan, devices=["cpu"]).n_finished == 2
    usual, other = (load_record(run.record).confusion for run in plan.runs)
    assert other["validation"] == {}
    for name, counts in usual["test"][TEST_SCENE].items():  # their pixels are the same
        assert (counts == other["test"][TEST_SCENE][name]).all()
    table = summarise(plan)
    assert [row["twins"] for row in as_mapping(table)["rows"]] == [None, twins.path]
    result = table.candidates[1].splits
    assert result["validation"].mean("SIC") is None
    assert result["test"].n_scenes == 1
    # Those of the same path may become others.
    record = plan.runs[1].record
    mapping = json.loads(record.read_text())
    assert mapping["twins"] == twin_checksums(twins, [TEST_SCENE])
    record.write_text(json.dumps(mapping | {"twins": {TEST_SCENE: "other"}}))
    with pytest.raises(StudyError, match=r"on-twins.* another twin of 1 scene") as caught:
        plan_study(tmp_path / "study", [store], candidates, n_runs=1, twins=[twins])
    assert "choose another folder" in str(caught.value.hint)
    del mapping["twins"]  # as versions wrote it that did not say
    record.write_text(json.dumps(mapping))
    plan_study(tmp_path / "study", [store], candidates, n_runs=1, twins=[twins])
