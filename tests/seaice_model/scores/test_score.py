import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
from support.learnable_scenes import (
    RECIPE,
    SCENES,
    TEST_SCENE,
    UNCHARTED,
    StoreMaker,
    prepared_scene,
)

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.grid import Grid
from seaice_data.scene_id import SceneId
from seaice_data.sources.charts import charts_of
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.writer import StoreWriter
from seaice_model.errors import MapError
from seaice_model.formats.submission import variable_name
from seaice_model.maps.alignment import align
from seaice_model.maps.netcdf import read_netcdf, write_netcdf
from seaice_model.metrics import ChartScorer
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.scores.score import ScoreReport, score_maps


def test_scenes_are_pooled_pixel_by_pixel(
    report: ScoreReport, maps: Path, store: Store
) -> None:
    scorer = ChartScorer()
    for scene in (TEST_SCENE, SCENES[0]):
        charts = store.scene(scene).full_charts()
        scorer.add(charts, read_netcdf(maps / f"{scene}.nc").charts)
    assert report.pooled == scorer.scores()
    assert set(report.scenes) == {TEST_SCENE, SCENES[0]}
    n_pixels = sum(s.charts["SIC"].n_pixels for s in report.scenes.values())
    assert n_pixels == report.pooled.charts["SIC"].n_pixels


def test_scenes_without_charts_are_listed(report: ScoreReport) -> None:
    assert report.without_charts == (UNCHARTED,)


def test_scenes_that_are_not_new_to_the_network_are_named(
    report: ScoreReport, maps: Path
) -> None:
    assert report.seen == (SCENES[0],)
    uses = {p.stem: read_netcdf(p).provenance.scene_use for p in maps.glob("*.nc")}
    assert uses[TEST_SCENE] == uses[UNCHARTED] == "unseen"
    assert uses[SCENES[0]] in ("trained", "validated")


def test_the_confusion_counts_every_pixel_once(report: ScoreReport) -> None:
    for name, matrix in report.grids["original"].confusion.items():
        assert np.sum(matrix) == report.pooled.charts[name].n_pixels


def test_a_report_is_ready_for_json(report: ScoreReport) -> None:
    assert json.loads(json.dumps(asdict(report)))["grids"]["original"]["pooled"]


def test_official_scores_are_reproduced_pixel_by_pixel(
    report: ScoreReport, maps: Path, store: Store
) -> None:
    enlarged, downscaled = ChartScorer(), ChartScorer()
    for scene in (TEST_SCENE, SCENES[0]):
        charts = store.scene(scene).full_charts()
        shown = read_netcdf(maps / f"{scene}.nc").charts
        # 81 x 90 pixels at ratio 2: pixel 2 i is picked, 81 rows are made from 40.
        small = charts[:, :80:2, ::2]
        rows, columns = np.arange(81) * 40 // 81, np.arange(90) // 2
        enlarged.add(small[:, rows][:, :, columns], shown)
        looked_at = [int(np.flatnonzero(rows == i)[0]) for i in range(40)]
        downscaled.add(small, shown[:, looked_at][:, :, ::2])
    assert report.ratio == 2
    assert report.grids["enlarged"].pooled == enlarged.scores()
    assert report.grids["downscaled"].pooled == downscaled.scores()


def test_groups_contain_their_scenes(report: ScoreReport) -> None:
    scored = report.grids["original"]
    assert set(scored.months) == {"01"}  # both scenes
    assert scored.months["01"] == report.pooled
    assert set(scored.services) == {"dmi"}
    assert set(scored.regions) == {"unknown"}


def test_a_submission_scores_like_the_maps_in_it(
    report: ScoreReport, maps: Path, store: Store, tmp_path: Path
) -> None:
    scenes = [TEST_SCENE, SCENES[0]]
    with h5netcdf.File(tmp_path / "upload.nc", "w") as file:
        for scene in scenes:
            for chart, plane in zip(
                CHARTS, read_netcdf(maps / f"{scene}.nc").charts, strict=True
            ):
                name = variable_name(scene, chart.name)
                dimensions = (f"{name}_dim0", f"{name}_dim1")
                file.dimensions.update(zip(dimensions, plane.shape, strict=True))
                file.create_variable(name, dimensions, data=plane)
    scored = score_maps(tmp_path / "upload.nc", charts_of(store))
    assert scored.pooled == report.pooled
    assert scored.edge == report.edge
    assert scored.run == ""


def test_uncertainty_in_the_maps_is_judged_on_every_pixel_of_the_charts(
    tmp_path: Path, run: Path, store: Store
) -> None:
    settings = PredictSettings(plots=False, probabilities=True)
    predict_store(store, run, tmp_path, settings, scenes=[TEST_SCENE])
    calibration = score_maps(tmp_path, charts_of(store)).calibration
    assert calibration is not None
    ours = calibration.reliability["SOD"]
    # The same pixel by pixel: probabilities brought to the grid of the map.
    decision = read_netcdf(tmp_path / f"{TEST_SCENE}.nc").decision
    assert decision is not None
    shares = decision.probabilities_of("SOD")
    assert shares is not None
    shares = shares[:, decision.rows][:, :, decision.columns]
    truth = store.scene(TEST_SCENE).full_charts()[1]
    valid = (truth != 255) & ~np.isnan(shares[0])
    assert ours.n_pixels == valid.sum()
    right = shares.argmax(axis=0) == truth
    assert ours.accuracy == pytest.approx(right[valid].mean())
    mean = shares.max(axis=0)[valid].mean()
    assert ours.mean_probability == pytest.approx(mean, abs=1e-5)


def test_maps_without_probabilities_have_no_reliability(report: ScoreReport) -> None:
    assert report.calibration is None


def test_maps_of_several_runs_are_not_mixed(
    tmp_path: Path, maps: Path, store: Store
) -> None:
    shutil.copytree(maps, tmp_path / "maps")
    path = tmp_path / "maps" / f"{TEST_SCENE}.nc"
    ours = read_netcdf(path)
    write_netcdf(
        replace(ours, provenance=replace(ours.provenance, run="other", weights="b")), path
    )
    with pytest.raises(MapError, match=r"come from 2 runs: .*other"):
        score_maps(tmp_path / "maps", charts_of(store))


def test_maps_of_scenes_that_are_not_in_the_truth_are_named(
    tmp_path: Path, maps: Path, make_store: StoreMaker
) -> None:
    other = make_store(tmp_path / "other.zarr", scenes=SCENES[1:3])
    message = f"map .* shows scene '{TEST_SCENE}', which .*other.zarr' does not contain"
    with pytest.raises(MapError, match=message):
        score_maps(maps, charts_of(other))


def test_a_chart_of_the_same_acquisition_is_pointed_out(
    tmp_path: Path, maps: Path, store: Store
) -> None:
    shutil.copytree(maps, tmp_path / "maps")
    path = tmp_path / "maps" / f"{TEST_SCENE}.nc"
    bare = SceneId(f"{TEST_SCENE.partition('_')[0]}_s1a")
    write_netcdf(replace(read_netcdf(path), scene=bare), path)
    with pytest.raises(MapError, match=f"map .* shows scene '{bare}'") as caught:
        score_maps(tmp_path / "maps", charts_of(store))
    assert f"has the same acquisition as '{TEST_SCENE}', with a chart" in str(
        caught.value.hint
    )


def test_a_scene_denoised_in_another_way_than_in_training_is_named(
    tmp_path: Path, maps: Path, store: Store
) -> None:
    shutil.copytree(maps, tmp_path / "maps")
    path = tmp_path / "maps" / f"{TEST_SCENE}.nc"
    ours = read_netcdf(path)
    other = replace(ours.provenance, denoising="esa", trained_on_denoising="nersc")
    write_netcdf(replace(ours, provenance=other), path)
    report = score_maps(tmp_path / "maps", charts_of(store))
    assert report.denoised_otherwise == {TEST_SCENE: "denoising esa, trained on nersc"}


def test_a_map_on_a_finer_grid_is_scored_on_that_of_the_chart(
    maps: Path, store: Store
) -> None:
    ours = read_netcdf(maps / f"{TEST_SCENE}.nc")
    fine = replace(
        ours,
        grid=Grid(2 * 81 + 1, 2 * 90, 40.0),
        charts=np.pad(
            ours.charts.repeat(2, axis=1).repeat(2, axis=2), [(0, 0), (0, 1), (0, 0)]
        ),
        flags=np.pad(ours.flags.repeat(2, axis=0).repeat(2, axis=1), [(0, 1), (0, 0)]),
    )
    grid = store.scene(TEST_SCENE).source_grid
    np.testing.assert_array_equal(align(fine, grid).charts, ours.charts)
    coarse = replace(ours, grid=Grid(40, 45, 160.0))
    with pytest.raises(MapError, match=r"40 x 45 pixels of 160 m, its scene has 81 x 90"):
        align(coarse, grid)


def test_a_damaged_map_is_named(tmp_path: Path, maps: Path, store: Store) -> None:
    shutil.copytree(maps, tmp_path / "maps")
    path = tmp_path / "maps" / f"{TEST_SCENE}.nc"
    path.write_bytes(path.read_bytes()[:3000])
    with h5py.File(tmp_path / "maps" / f"{SCENES[0]}.nc", "a") as file:
        del file["floe_size"]  # found when it is scored
    with pytest.raises(MapError, match=r"none of the maps in .* can be scored: .*damaged"):
        score_maps(tmp_path / "maps", charts_of(store))


def test_a_bad_map_does_not_stop_the_others(
    tmp_path: Path, maps: Path, store: Store
) -> None:
    shutil.copytree(maps, tmp_path / "maps")
    (tmp_path / "maps" / "text.nc").write_text("no map")
    os.mkfifo(tmp_path / "maps" / "pipe.nc")
    with h5py.File(tmp_path / "maps" / f"{SCENES[0]}.nc", "a") as file:
        del file["floe_size"]
    report = score_maps(tmp_path / "maps", charts_of(store))
    assert {*report.scenes} == {TEST_SCENE}
    assert (
        report.scenes[TEST_SCENE] == score_maps(maps, charts_of(store)).scenes[TEST_SCENE]
    )
    assert [
        (f.name.rpartition("/")[2], f.reason.rpartition(": ")[2]) for f in report.failed
    ] == [
        ("pipe.nc", f"'{tmp_path}/maps/pipe.nc' is not a regular file"),
        ("text.nc", "not a netCDF-4 file"),
        (SCENES[0], "'floe_size' is missing"),
    ]


def test_charts_that_cannot_be_read_do_not_stop_the_others(
    tmp_path: Path, maps: Path, store: Store, report: ScoreReport
) -> None:
    path = Path(shutil.copytree(store.path, tmp_path / "store.zarr"))
    damaged = next(i for i in store.splits["train"] if i != SCENES[0])
    document = path / "scenes" / damaged / "zarr.json"
    document.write_bytes(document.read_bytes()[:100])
    chunks = (path / "scenes" / TEST_SCENE / "full_charts" / "c").rglob("*")
    min(chunk for chunk in chunks if chunk.is_file()).write_bytes(b"cut")
    scored = score_maps(maps, charts_of(Store.open(path)))
    assert scored.pooled == report.scenes[SCENES[0]]
    assert [failure.name for failure in scored.failed] == [TEST_SCENE, damaged]
    document = path / "scenes" / SCENES[0] / "zarr.json"
    document.write_bytes(document.read_bytes()[:100])
    with pytest.raises(MapError, match=f"none .* can be scored: the chart .*{SCENES[0]}"):
        score_maps(maps, charts_of(Store.open(path)))


def test_a_chart_that_is_not_there_is_not_called_unreadable(
    tmp_path: Path, maps: Path, make_store: StoreMaker
) -> None:
    other = make_store(tmp_path / "other.zarr", scenes=[SCENES[0], SCENES[1]])
    document = Path(other.path, "scenes", SCENES[1], "zarr.json")
    document.write_bytes(document.read_bytes()[:100])
    scored = score_maps(maps, charts_of(Store.open(other.path)))
    reasons = {Path(failure.name).stem: failure.reason for failure in scored.failed}
    assert f"no chart of scene '{TEST_SCENE}' is in '{other.path}'" in reasons[TEST_SCENE]


def test_a_scene_for_which_memory_is_too_small_does_not_stop_the_others(
    maps: Path, store: Store, report: ScoreReport
) -> None:
    charts = charts_of(store)

    def read() -> ChartArray:
        return np.empty((3, 2**30, 2**30), np.uint8)

    large = replace(charts.scenes[TEST_SCENE], read=read)
    charts = replace(charts, scenes={**charts.scenes, TEST_SCENE: large})
    scored = score_maps(maps, charts)
    assert scored.pooled == report.scenes[SCENES[0]]
    (failure,) = scored.failed
    assert failure.reason.startswith(
        f"scene {TEST_SCENE}: not enough memory: Unable to allocate 3.00 EiB"
    )


def test_progress_is_reported_for_every_map(maps: Path, store: Store) -> None:
    steps: list[tuple[int, int, str]] = []
    score_maps(maps, charts_of(store), progress=lambda *step: steps.append(step))
    assert [step[:2] for step in steps] == [(1, 3), (2, 3), (3, 3)]
    assert {step[2] for step in steps} == {TEST_SCENE, UNCHARTED, SCENES[0]}


def test_an_empty_folder_is_named(tmp_path: Path, store: Store) -> None:
    with pytest.raises(MapError, match="no maps in"):
        score_maps(tmp_path, charts_of(store))


def test_maps_without_any_chart_cannot_be_scored(
    tmp_path: Path, store: Store, run: Path
) -> None:
    predict_store(store, run, tmp_path, PredictSettings(plots=False), scenes=[UNCHARTED])
    with pytest.raises(MapError, match=r"none of 1 map in .* has charts"):
        score_maps(tmp_path, charts_of(store))


def test_charts_without_any_class_count_as_missing(tmp_path: Path, maps: Path) -> None:
    other = StoreWriter.create(str(tmp_path / "other.zarr"), RECIPE)
    for scene in (TEST_SCENE, UNCHARTED, SCENES[0]):
        prepared = prepared_scene(scene)
        empty = np.full_like(prepared.full_charts, CHART_FILL)
        other.write(replace(prepared, full_charts=empty), {})
    finish(other)
    with pytest.raises(MapError, match=r"none of 3 maps in .* has charts"):
        score_maps(maps, charts_of(Store.open(other.path)))


def test_a_map_of_another_size_is_refused(tmp_path: Path, maps: Path) -> None:
    other = StoreWriter.create(str(tmp_path / "other.zarr"), RECIPE)
    for scene in (TEST_SCENE, UNCHARTED, SCENES[0]):
        other.write(prepared_scene(scene, source=Grid(60, 90, 80.0)), {})
    finish(other)
    with pytest.raises(
        MapError, match=r"has 81 x 90 pixels of 80 m, its scene has 60 x 90"
    ):
        score_maps(maps, charts_of(Store.open(other.path)))


def test_a_scene_is_not_scored_twice(tmp_path: Path, maps: Path, store: Store) -> None:
    shutil.copytree(maps, tmp_path / "maps")
    shutil.copy(maps / f"{TEST_SCENE}.nc", tmp_path / "maps" / "copy.nc")
    with pytest.raises(MapError, match=f"'{TEST_SCENE}' has two maps: .* and 'copy.nc'"):
        score_maps(tmp_path / "maps", charts_of(store))


def test_a_report_contains_no_password(maps: Path, store: Store) -> None:
    named = replace(charts_of(store), path="https://me:word@host/store.zarr")
    assert score_maps(maps, named).truth == "https://host/store.zarr"
