import shutil
from dataclasses import replace
from pathlib import Path

import netCDF4
import pytest
from support.learnable_scenes import (
    ERA5,
    RECIPE,
    SCENES,
    TEST_SCENE,
    UNCHARTED,
    StoreMaker,
    prepared_scene,
)
from support.small_studies import CANDIDATES, VIEWS, WEATHER, candidate, seen, with_train

from seaice_data.grid import Grid
from seaice_data.store.origin import Origin
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.writer import StoreWriter
from seaice_data.synthetic.scene_set import write_scenes
from seaice_model.errors import StudyError
from seaice_model.study.candidates import View, quick
from seaice_model.study.plan import StudyPlan, plan_study, read_comparison


def test_every_run_is_in_exactly_one_part(store: Store, tmp_path: Path) -> None:
    plan = plan_study(tmp_path, [store], CANDIDATES, n_runs=4)
    dealt = [run for number in (1, 2, 3) for run in plan.part(number, 3)]
    assert sorted(dealt, key=lambda r: r.path) == sorted(plan.runs, key=lambda r: r.path)
    assert [(r.candidate.name, r.seed) for r in plan.part(1, 3)] == [
        ("model1", 0), ("hh", 2), ("model1", 3),
    ]  # fmt: skip
    with pytest.raises(StudyError, match="no part 4 of 3"):
        plan.part(4, 3)


def test_candidates_that_share_a_run_are_in_one_part(tmp_path: Path, store: Store) -> None:
    plan = plan_study(tmp_path, [store], (*VIEWS, CANDIDATES[1]), n_runs=2)
    parts = [plan.part(number, 3) for number in (1, 2, 3)]
    assert [[(r.candidate.name, r.seed) for r in part] for part in parts] == [
        [(one.name, 0) for one in VIEWS] + [("hh", 1)],
        [(one.name, 1) for one in VIEWS],
        [("hh", 0)],
    ]


def test_candidates_without_a_store_are_refused_or_left_out(
    tmp_path: Path, store: Store
) -> None:
    candidates = (*CANDIDATES, candidate("model2", ratio=1))
    with pytest.raises(
        StudyError, match=r"these candidates need: 'model2' \(ratio=1\)"
    ) as caught:
        plan_study(tmp_path, [store], candidates)
    assert "--ratio 1" in str(caught.value.hint)
    plan = plan_study(tmp_path, [store], candidates, skip_missing=True)
    assert [r.name for r in plan.candidates] == ["model1", "hh"]
    assert [r.name for r in plan.left_out] == ["model2"]
    with pytest.raises(StudyError, match="no store has"):
        plan_study(tmp_path, [store], candidates[2:], skip_missing=True)


def test_a_candidate_takes_the_first_store_that_will_do(
    tmp_path: Path, store: Store, make_store: StoreMaker
) -> None:
    recipe = replace(RECIPE, ratio=3)
    other = make_store(tmp_path / "3.zarr", recipe=recipe, uncharted=(UNCHARTED,))
    candidates = (candidate("model1"), candidate("ratio3", ratio=3))
    plan = plan_study(tmp_path / "study", [other, store], candidates)
    assert plan.stores == (store.path, other.path)


def test_a_quick_study_scales_its_candidates_down(tmp_path: Path, store: Store) -> None:
    plan = plan_study(tmp_path, [store], CANDIDATES, is_quick=True)
    assert plan.candidates == tuple(quick(one) for one in CANDIDATES)
    assert plan.is_quick


def test_stores_of_other_scenes_are_refused(
    tmp_path: Path, store: Store, make_store: StoreMaker
) -> None:
    recipe = replace(RECIPE, ratio=3)
    other = make_store(
        tmp_path / "3.zarr", scenes=(*SCENES[:-1], TEST_SCENE), recipe=recipe
    )
    with pytest.raises(StudyError, match=f"different train scenes: {SCENES[-1]}"):
        plan_study(
            tmp_path / "study", [store, other], (candidate("a"), candidate("b", ratio=3))
        )


def test_a_store_without_test_charts_is_refused(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    other = make_store(tmp_path / "store.zarr", scenes=SCENES)
    with pytest.raises(StudyError, match="no test scenes with charts"):
        plan_study(tmp_path / "study", [other], CANDIDATES)


def test_a_folder_with_runs_of_other_settings_is_refused(
    plan: StudyPlan, store: Store, tmp_path: Path
) -> None:
    candidates = (candidate("model1", config=with_train(batch_size=8)),)
    message = "'model1' is already in the study with other settings: batch_size: 8 instead"
    with pytest.raises(StudyError, match=message):
        plan_study(plan.out, [store], candidates)
    shutil.copytree(plan.out, tmp_path / "study")
    for record in (tmp_path / "study").glob("runs/*/*.json"):
        record.unlink()
    with pytest.raises(StudyError, match=message):
        plan_study(tmp_path / "study", [store], candidates)


def test_test_scenes_that_lack_channels_are_found_before_training(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    bare = Origin(version="ingested", absent_channels=("hv",))
    store = make_store(tmp_path / "store.zarr", origins={TEST_SCENE: bare})
    match = f"the test scene {TEST_SCENE} of '.*' has no hv, which the network of 'model1'"
    with pytest.raises(StudyError, match=match):
        plan_study(tmp_path / "study", [store], CANDIDATES, n_runs=1)
    plan = plan_study(tmp_path / "study", [store], CANDIDATES[1:], n_runs=1)
    assert len(plan.runs) == 1


def other_grid(path: Path) -> str:
    """Write a store whose test scene has another grid, and return its path."""
    other = StoreWriter.create(str(path), RECIPE)
    other.write(prepared_scene(TEST_SCENE, source=Grid(81, 92, 80.0)), {})
    finish(other)
    return other.path


def test_twins_that_cannot_be_scored_are_found_before_training(
    tmp_path: Path, store: Store, make_store: StoreMaker
) -> None:
    on_twins = (WEATHER, seen("weather-on-twins", View(twins=True)))
    bare = Origin(version="ingested", absent_channels=ERA5, denoising="esa")
    lacking = make_store(
        tmp_path / "lacking.zarr", scenes=(TEST_SCENE,), origins={TEST_SCENE: bare}
    )
    match = f"scene {TEST_SCENE} of '.*lacking.zarr' has no era5, .* 'weather-on-twins'"
    with pytest.raises(StudyError, match=match):
        plan_study(tmp_path / "study", [store], on_twins, twins=[lacking])
    other = other_grid(tmp_path / "other.zarr")
    match = f"the twin of scene {TEST_SCENE} has 81x92 pixels, its chart 81x90"
    with pytest.raises(StudyError, match=match):
        plan_study(tmp_path / "study", [store], on_twins, twins=[Store.open(other)])


def test_candidates_that_share_a_run_agree_on_its_training(
    tmp_path: Path, store: Store
) -> None:
    other = seen("hh-flips", View(flips=True), of=CANDIDATES[1])
    other = replace(other, of="weather")
    match = "'weather' and 'hh-flips' share the runs of 'weather', but differ"
    with pytest.raises(StudyError, match=match):
        plan_study(tmp_path, [store], (WEATHER, other), n_runs=1)


def test_comparisons_are_of_known_candidates_and_made_once(
    tmp_path: Path, store: Store
) -> None:
    with pytest.raises(StudyError, match="no candidate 'model2' to compare") as caught:
        plan_study(tmp_path, [store], CANDIDATES, comparisons=[("hh", "model2")])
    assert "did you mean 'model1'?" in str(caught.value.hint)
    twice = [("hh", "model1")] * 2
    plan = plan_study(tmp_path, [store], CANDIDATES, comparisons=twice)
    assert plan.comparisons == (("hh", "model1"),)
    for text in ("hh", "hh,hh", "hh,", "a,b,c"):
        with pytest.raises(StudyError, match=f"'{text}' is not a comparison"):
            read_comparison(text)


def test_a_record_of_another_view_is_refused(plan: StudyPlan, store: Store) -> None:
    with_flips = seen("model1", View(flips=True), of=CANDIDATES[0])
    with pytest.raises(StudyError, match="with other settings: flips: true instead of fal"):
        plan_study(plan.out, [store], (with_flips,))


def test_twins_and_hidden_truth_on_other_grids_are_found_before_training(
    tmp_path: Path, store: Store, make_store: StoreMaker
) -> None:
    on_twins = seen("weather-on-twins", View(twins=True))
    twins = make_store(tmp_path / "twins.zarr", recipe=RECIPE, source=Grid(61, 90, 80.0))
    match = f"the twin of scene {TEST_SCENE} has 61x90 pixels, its chart 81x90"
    with pytest.raises(StudyError, match=match):
        plan_study(tmp_path / "study", [store], (WEATHER, on_twins), twins=[twins])
    write_scenes(tmp_path / "raw", 1, 100, truth=tmp_path / "truth")
    (path,) = (tmp_path / "truth").iterdir()
    with netCDF4.Dataset(path, "a") as file:
        file.scene_id = f"{TEST_SCENE}_prep.nc"
        file.original_id = file.original_id.replace(path.name[:15], TEST_SCENE[:15])
    path.rename(path.with_name(f"{TEST_SCENE}_truth.nc"))
    match = f"hidden truth of scene {TEST_SCENE} has [0-9x]* pixels, its chart 81x90"
    with pytest.raises(StudyError, match=match):
        plan_study(tmp_path / "study", [store], CANDIDATES, truth=tmp_path / "truth")


def test_charts_are_not_taken_for_the_hidden_truth(tmp_path: Path, store: Store) -> None:
    match = "has no hidden truth of 1 test scenes"
    with pytest.raises(StudyError, match=match):  # its charts are no hidden truth
        plan_study(tmp_path, [store], CANDIDATES, truth=store.path)
    with pytest.raises(StudyError, match=r"no folder with hidden truth at '.*absent'"):
        plan_study(tmp_path, [store], CANDIDATES, truth=tmp_path / "absent")


def test_a_loss_of_regions_without_polygons_is_found_before_training(
    tmp_path: Path, store: Store
) -> None:
    regions = candidate("regions", config=with_train(region_loss=1.0))
    match = "'regions' has a loss of regions: scene .* ready-to-train file, which has no"
    with pytest.raises(StudyError, match=match):
        plan_study(tmp_path, [store], (*CANDIDATES, regions))
