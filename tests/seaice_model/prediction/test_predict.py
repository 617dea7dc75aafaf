import errno
import resource
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.learnable_scenes import RECIPE, SCENES, TEST_SCENE, TINY, UNCHARTED, StoreMaker

from seaice_data import errors
from seaice_data.charts import CHART_FILL
from seaice_data.store.store import Store
from seaice_model.errors import MapError, RunError
from seaice_model.maps.netcdf import read_netcdf, write_netcdf
from seaice_model.networks.unet import MultiTaskUNet
from seaice_model.prediction import predict
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.prediction.predictor import predict_classes
from seaice_model.runs.checkpoint import load_best, save, weights_fingerprint
from seaice_model.training.train import train

DATA_ONLY = PredictSettings(plots=False)


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory, run: Path, store: Store) -> Path:
    path = tmp_path_factory.mktemp("maps")
    predict_store(store, run, path, device="cpu")
    return path


@pytest.fixture(scope="module")
def other_run(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Path:
    """Return a run that differs from `run` in its seed."""
    path = tmp_path_factory.mktemp("other") / "run"
    settings = replace(TINY.train, n_epochs=1, seed=5)
    train(store, path, replace(TINY, train=settings), device="cpu")
    return path


def test_the_scenes_that_the_run_has_not_seen_are_predicted(maps: Path) -> None:
    assert {path.name for path in maps.iterdir()} == {
        *(f"{scene}.{kind}" for scene in (TEST_SCENE, UNCHARTED) for kind in ("nc", "png")),
        "index",
        "index.html",
    }


def test_scenes_left_out_by_a_condition_are_not_predicted(
    tmp_path: Path, store: Store
) -> None:
    train_ids = store.splits["train"]
    where = f"id in ['{train_ids[0]}', '{train_ids[1]}']"
    config = replace(TINY, train=replace(TINY.train, n_epochs=1, where=where))
    train(store, tmp_path / "run", config, device="cpu")
    report = predict_store(store, tmp_path / "run", tmp_path / "maps", DATA_ONLY)
    assert {path.stem for path in report.maps} == {TEST_SCENE, UNCHARTED}


def test_paths_may_be_text(tmp_path: Path, maps: Path, store: Store, run: Path) -> None:
    again = Store.open(Path(store.path))
    folder = str(tmp_path / "maps")
    predict_store(again, str(run), folder, DATA_ONLY, scenes=[TEST_SCENE], device="cpu")
    name = f"{TEST_SCENE}.nc"
    one, two = read_netcdf(f"{folder}/{name}"), read_netcdf(maps / name)
    np.testing.assert_array_equal(one.charts, two.charts)
    assert load_best(str(run)).state == load_best(run).state


def test_a_map_has_the_shape_of_its_scene(maps: Path, store: Store) -> None:
    chart_map = read_netcdf(maps / f"{TEST_SCENE}.nc")
    scene = store.scene(TEST_SCENE)
    assert chart_map.grid == scene.source_grid
    assert chart_map.charts.shape == (3, 81, 90)
    assert chart_map.acquired == scene.acquired


def test_each_pixel_takes_the_class_of_its_block(
    maps: Path, store: Store, run: Path
) -> None:
    chart_map, scene = read_netcdf(maps / f"{TEST_SCENE}.nc"), store.scene(TEST_SCENE)
    # Channels of the store are t2m, hh, hv; the run takes hh, hv.
    inputs = np.asarray(scene.inputs)[..., 1:]
    coarse = predict_classes(load_best(run).network(), inputs)
    assert coarse.shape == (3, 40, 45)
    expected = np.repeat(np.repeat(coarse, 2, axis=1), 2, axis=2)
    expected = np.concatenate([expected, expected[:, -1:]], axis=1)  # 81st row
    shown = chart_map.charts != CHART_FILL
    np.testing.assert_array_equal(chart_map.charts[shown], expected[shown])


def test_land_and_pixels_without_sar_have_no_class(maps: Path, store: Store) -> None:
    chart_map, flags = (
        read_netcdf(maps / f"{TEST_SCENE}.nc"),
        store.scene(TEST_SCENE).full_flags(),
    )
    np.testing.assert_array_equal(chart_map.flags, flags)
    is_masked = flags & 3 != 0
    assert is_masked.any()
    assert (chart_map.charts[:, is_masked] == CHART_FILL).all()
    assert (chart_map.charts[:, ~is_masked] != CHART_FILL).all()


def test_a_map_says_what_it_was_made_from(maps: Path, store: Store, run: Path) -> None:
    provenance = read_netcdf(maps / f"{TEST_SCENE}.nc").provenance
    checkpoint = load_best(run)
    assert provenance.weights == weights_fingerprint(checkpoint)
    assert provenance.epochs == (checkpoint.state.best_epoch,)
    assert provenance.run == str(run)
    assert provenance.store_fingerprint == store.fingerprint


def test_existing_maps_are_kept(maps: Path, store: Store, run: Path) -> None:
    path = maps / f"{TEST_SCENE}.nc"
    before = path.stat().st_mtime_ns
    steps: list[tuple[int, int, str]] = []
    report = predict_store(
        store, run, maps, device="cpu", progress=lambda *step: steps.append(step)
    )
    assert (report.n_written, report.n_kept) == (0, 2)
    assert path.stat().st_mtime_ns == before
    assert [step[:2] for step in steps] == [(1, 2), (2, 2)]
    assert TEST_SCENE in [scene for *_, scene in steps]


def test_maps_of_other_weights_are_in_the_way(
    tmp_path: Path, store: Store, run: Path
) -> None:
    checkpoint = load_best(run)
    checkpoint.weights["heads.0.bias"].add_(1)
    (tmp_path / "other").mkdir()
    save(checkpoint, tmp_path / "other" / "best.safetensors")
    maps = tmp_path / "maps"
    predict_store(store, run, maps, DATA_ONLY, scenes=[TEST_SCENE])
    with pytest.raises(MapError, match="from other weights or another store") as caught:
        predict_store(store, tmp_path / "other", maps, scenes=[TEST_SCENE])
    assert "--overwrite" in str(caught.value.hint)
    report = predict_store(
        store,
        tmp_path / "other",
        maps,
        PredictSettings(plots=False, overwrite=True),
        scenes=[TEST_SCENE],
    )
    assert report.n_written == 1


def test_a_missing_figure_of_a_kept_map_is_plotted(
    tmp_path: Path, store: Store, run: Path
) -> None:
    predict_store(store, run, tmp_path, DATA_ONLY, scenes=[TEST_SCENE])
    before = (tmp_path / f"{TEST_SCENE}.nc").stat().st_mtime_ns
    report = predict_store(store, run, tmp_path, scenes=[TEST_SCENE])
    assert (report.n_written, report.n_kept) == (0, 1)
    assert (tmp_path / f"{TEST_SCENE}.png").exists()
    assert (tmp_path / f"{TEST_SCENE}.nc").stat().st_mtime_ns == before


def test_a_map_of_another_scene_is_in_the_way(
    tmp_path: Path, maps: Path, store: Store, run: Path
) -> None:
    shutil.copy(maps / f"{UNCHARTED}.nc", tmp_path / f"{TEST_SCENE}.nc")
    scenes = [TEST_SCENE, SCENES[0]]
    report = predict_store(store, run, tmp_path, DATA_ONLY, scenes=scenes)
    assert [path.stem for path in report.maps] == [SCENES[0]]
    (failure,) = report.failed
    assert failure.name == TEST_SCENE
    assert f"shows another scene, '{UNCHARTED}'" in failure.reason
    assert read_netcdf(tmp_path / f"{TEST_SCENE}.nc").scene == UNCHARTED


def test_a_damaged_map_in_the_way_does_not_stop_the_others(
    tmp_path: Path, store: Store, run: Path
) -> None:
    (tmp_path / f"{TEST_SCENE}.nc").write_bytes(b"cut")
    scenes = [TEST_SCENE, SCENES[0]]
    report = predict_store(store, run, tmp_path, DATA_ONLY, scenes=scenes)
    assert [path.stem for path in report.maps] == [SCENES[0]]
    assert [failure.name for failure in report.failed] == [TEST_SCENE]
    assert (tmp_path / f"{TEST_SCENE}.nc").read_bytes() == b"cut"
    again = replace(DATA_ONLY, overwrite=True)
    assert not predict_store(store, run, tmp_path, again, scenes=scenes).failed


def test_replacing_is_not_advised_where_the_cause_is_unknown(
    tmp_path: Path, store: Store, run: Path
) -> None:
    (tmp_path / f"{TEST_SCENE}.nc").mkdir()
    report = predict_store(store, run, tmp_path, DATA_ONLY, scenes=[TEST_SCENE])
    (failure,) = report.failed
    assert failure.reason.endswith("Is a directory")
    assert failure.hint is None


def test_a_scene_that_is_named_twice_is_predicted_once(
    tmp_path: Path, store: Store, run: Path
) -> None:
    scenes = [TEST_SCENE, TEST_SCENE]
    report = predict_store(store, run, tmp_path, DATA_ONLY, scenes=scenes)
    assert (report.n_written, len(report.maps)) == (1, 1)


def test_nothing_to_predict_is_an_error(
    tmp_path: Path, store: Store, run: Path, make_store: StoreMaker
) -> None:
    with pytest.raises(RunError, match="no scene to predict"):
        predict_store(store, run, tmp_path, scenes=[])
    empty = make_store(tmp_path / "empty.zarr", scenes=())
    with pytest.raises(RunError, match=r"store '.*empty\.zarr' has no scenes"):
        predict_store(empty, run, tmp_path)


def test_any_scene_can_be_named(tmp_path: Path, store: Store, run: Path) -> None:
    report = predict_store(store, run, tmp_path, DATA_ONLY, scenes=SCENES[:2])
    assert [path.name for path in report.maps] == [f"{scene}.nc" for scene in SCENES[:2]]


def test_a_run_that_has_seen_every_scene_says_so(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    store = make_store(tmp_path / "store.zarr", scenes=SCENES)
    config = replace(TINY, train=replace(TINY.train, n_epochs=1))
    train(store, tmp_path / "run", config)
    with pytest.raises(RunError, match=r"no scene that the run .* has not seen") as caught:
        predict_store(store, tmp_path / "run", tmp_path / "maps")
    assert "--scene" in str(caught.value.hint)


def test_a_store_without_the_channels_of_the_run_is_refused(
    tmp_path: Path, run: Path, make_store: StoreMaker
) -> None:
    recipe = replace(RECIPE, channels=("hh", "t2m"))
    store = make_store(tmp_path / "store.zarr", recipe=recipe)
    with pytest.raises(RunError, match="lacks channels of the run: hv"):
        predict_store(store, run, tmp_path / "maps")


def test_a_store_of_another_ratio_is_refused(
    tmp_path: Path, run: Path, make_store: StoreMaker
) -> None:
    store = make_store(tmp_path / "store.zarr", recipe=replace(RECIPE, ratio=3))
    with pytest.raises(RunError, match="has ratio 3, the run was trained on ratio 2"):
        predict_store(store, run, tmp_path / "maps")


def test_channels_may_be_in_another_order(
    tmp_path: Path, run: Path, make_store: StoreMaker
) -> None:
    recipe = replace(RECIPE, channels=("hv", "hh", "skt", "t2m"), dtype="float32")
    store = make_store(tmp_path / "store.zarr", recipe=recipe)
    predict_store(store, run, tmp_path, DATA_ONLY, scenes=[TEST_SCENE])
    assert read_netcdf(tmp_path / f"{TEST_SCENE}.nc").charts.shape == (3, 81, 90)


def test_a_file_in_the_way_is_named(tmp_path: Path, store: Store, run: Path) -> None:
    (tmp_path / "maps").write_text("mine")
    with pytest.raises(MapError, match=r"cannot write maps to '.*maps': File exists"):
        predict_store(store, run, tmp_path / "maps")


@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (40, 45)])
def test_any_plane_is_predicted(run: Path, shape: tuple[int, int]) -> None:
    inputs = np.full((*shape, 2), np.nan, np.float16)
    assert predict_classes(load_best(run).network(), inputs).shape == (3, *shape)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_predicts_what_the_cpu_predicts(run: Path, store: Store) -> None:
    network = load_best(run).network()
    inputs = np.asarray(store.scene(TEST_SCENE).inputs)[..., 1:]
    expected = predict_classes(network, inputs)
    assert (predict_classes(network.cuda(), inputs) == expected).mean() > 0.999


def test_several_runs_decide_together(
    tmp_path: Path, store: Store, run: Path, other_run: Path
) -> None:
    settings = PredictSettings(plots=False, probabilities=True)
    predict_store(store, [run, other_run], tmp_path, settings, scenes=[TEST_SCENE])
    chart_map = read_netcdf(tmp_path / f"{TEST_SCENE}.nc")
    decision = chart_map.decision
    assert decision is not None
    assert (decision.n_networks, decision.sic_basis) == (2, "votes")
    inputs = np.asarray(store.scene(TEST_SCENE).inputs)[..., 1:]
    networks = [load_best(path).network() for path in (run, other_run)]
    sic = [sic_of(network, inputs).clip(0, 10) for network in networks]
    expected = np.mean(sic, axis=0)
    np.testing.assert_array_equal(decision.classes[0], np.rint(expected))
    spread = decision.spread_percent()
    assert spread is not None
    shown = ~np.isnan(spread)  # not what is masked
    percent = decision.concentration_percent()
    np.testing.assert_array_equal(~np.isnan(percent), shown)
    np.testing.assert_allclose(percent[shown], 10 * expected[shown], atol=0.26)
    np.testing.assert_allclose(spread[shown], 10 * np.std(sic, axis=0)[shown], atol=0.11)
    assert chart_map.provenance.run == f"{run}, {other_run}"
    assert chart_map.provenance.epochs == tuple(
        load_best(path).state.n_epochs for path in (run, other_run)
    )


def test_the_output_for_fill_changes_no_map(
    tmp_path: Path, store: Store, run: Path, other_run: Path
) -> None:
    checkpoint = load_best(run)
    weights = dict(checkpoint.weights)
    for head in (1, 2):  # the largest of all outputs is for fill
        weight, bias = (weights[f"heads.{head}.{kind}"] for kind in ("weight", "bias"))
        weights[f"heads.{head}.weight"] = torch.cat([weight, weight[:1]])
        weights[f"heads.{head}.bias"] = torch.cat([bias, torch.full((1,), 99.0)])
    config = checkpoint.settings.config
    config = replace(config, model=replace(config.model, fill_class=True))
    (tmp_path / "run").mkdir()
    settings = replace(checkpoint.settings, config=config)
    save(
        replace(checkpoint, settings=settings, weights=weights, momentum={}),
        tmp_path / "run" / "best.safetensors",
    )
    maps = []
    for name, path in (("with", tmp_path / "run"), ("without", run)):
        wanted = PredictSettings(plots=False, probabilities=True)
        out = tmp_path / name
        predict_store(store, [path, other_run], out, wanted, scenes=[TEST_SCENE])
        maps.append(read_netcdf(out / f"{TEST_SCENE}.nc"))
    ours, theirs = maps
    np.testing.assert_array_equal(ours.charts, theirs.charts)
    assert ours.decision is not None
    assert theirs.decision is not None
    np.testing.assert_array_equal(ours.decision.entropy, theirs.decision.entropy)
    assert ours.decision.probabilities is not None
    assert theirs.decision.probabilities is not None
    for chart, shares in theirs.decision.probabilities.items():
        np.testing.assert_array_equal(ours.decision.probabilities[chart], shares)


def test_a_folder_of_seeds_means_all_of_its_runs(
    tmp_path: Path, store: Store, run: Path, other_run: Path
) -> None:
    shutil.copytree(run, tmp_path / "runs" / "seed-10")
    shutil.copytree(other_run, tmp_path / "runs" / "seed-9")
    maps = tmp_path / "maps"
    predict_store(store, tmp_path / "runs", maps, DATA_ONLY, scenes=[TEST_SCENE])
    found = read_netcdf(maps / f"{TEST_SCENE}.nc").provenance
    assert found.run == ", ".join(str(tmp_path / "runs" / f"seed-{n}") for n in (9, 10))
    # The order of the runs does not matter: the map is kept.
    report = predict_store(store, [run, other_run], maps, DATA_ONLY, scenes=[TEST_SCENE])
    assert (report.n_written, report.n_kept) == (0, 1)


def test_uncertainty_is_known_only_where_a_pixel_shows_it(maps: Path) -> None:
    chart_map = read_netcdf(maps / f"{TEST_SCENE}.nc")
    decision = chart_map.decision
    assert decision is not None
    assert decision.probabilities is None
    assert (decision.entropy[0] == 255).all()  # not known for a single number
    entropy = decision.entropy[1][decision.rows][:, decision.columns]
    is_shown = chart_map.charts[1] != CHART_FILL
    assert (entropy[is_shown] != 255).all()
    # Two columns of blocks have no SAR; classes are there all the same.
    assert (decision.entropy[1][:, :2] == 255).all()
    assert (decision.classes < 11).all()


def test_a_map_without_probabilities_is_predicted_again_with_them(
    tmp_path: Path, store: Store, run: Path
) -> None:
    predict_store(store, run, tmp_path, DATA_ONLY, scenes=[TEST_SCENE])
    asked = replace(DATA_ONLY, probabilities=True)
    report = predict_store(store, run, tmp_path, asked, scenes=[TEST_SCENE])
    assert (report.n_written, report.n_kept) == (1, 0)
    # The map now contains more than is requested.
    report = predict_store(store, run, tmp_path, DATA_ONLY, scenes=[TEST_SCENE])
    assert (report.n_written, report.n_kept) == (0, 1)
    decision = read_netcdf(tmp_path / f"{TEST_SCENE}.nc").decision
    assert decision is not None
    sod = decision.probabilities_of("SOD")
    assert sod is not None
    shown = ~np.isnan(sod[0])
    np.testing.assert_allclose(sod.sum(axis=0)[shown], 1, atol=6 * 0.002)
    # Rounded to steps, the second best may be as probable.
    decided = np.take_along_axis(sod, decision.classes[1][np.newaxis].astype(int), axis=0)
    np.testing.assert_array_equal(decided[0][shown], sod.max(axis=0)[shown])


def test_a_damaged_scene_does_not_stop_the_others(
    tmp_path: Path, run: Path, make_store: StoreMaker
) -> None:
    store = make_store(tmp_path / "store.zarr", scenes=(*SCENES[:2], TEST_SCENE))
    folder = tmp_path / "store.zarr/scenes"
    (folder / SCENES[0] / "inputs/c/0/0/0").write_bytes(b"cut")
    (folder / SCENES[1] / "zarr.json").write_bytes(b"{")
    store = Store.open(store.path)
    report = predict_store(store, run, tmp_path / "maps", DATA_ONLY, scenes=store.scenes)
    assert [path.stem for path in report.maps] == [TEST_SCENE]
    assert (report.n_written, report.n_kept) == (1, 0)
    assert [failure.name for failure in report.failed] == [*SCENES[:2]]
    assert "is missing or has the wrong size" in report.failed[0].reason
    assert "metadata" in report.failed[1].reason


def test_runs_that_cannot_decide_together_say_why(
    tmp_path: Path, store: Store, run: Path, make_store: StoreMaker
) -> None:
    other = make_store(tmp_path / "other.zarr", recipe=replace(RECIPE, ratio=3))
    train(other, tmp_path / "other", replace(TINY, train=replace(TINY.train, n_epochs=1)))
    with pytest.raises(RunError, match=r"differ in ratio: 2 instead of 3"):
        predict_store(store, [run, tmp_path / "other"], tmp_path / "maps")


def test_a_run_does_not_vote_twice(tmp_path: Path, store: Store, run: Path) -> None:
    with pytest.raises(RunError, match=r"the run '.*run' is named twice"):
        predict_store(store, [run, run], tmp_path)


def sic_of(network: MultiTaskUNet, inputs: np.ndarray) -> np.ndarray:
    """Return SIC as the number that a network predicts, shape ``(y, x)``."""
    batch = torch.from_numpy(inputs.astype(np.float32)).nan_to_num()
    with torch.inference_mode():
        return network(batch.permute(2, 0, 1)[None]).sic[0].numpy()


def test_a_full_disk_stops_at_the_first_scene(
    tmp_path: Path, store: Store, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*arguments: Any) -> None:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
        try:
            write_netcdf(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    monkeypatch.setattr(errors, "_DISK_ERRORS", {errno.EFBIG})  # as a full disk
    monkeypatch.setattr(predict, "write_netcdf", write)
    done: list[Any] = []
    scenes = (SCENES[0], TEST_SCENE)
    with pytest.raises(MapError, match=r"cannot write map .*: File too large"):
        predict_store(
            store, run, tmp_path, DATA_ONLY, scenes=scenes,
            progress=lambda *step: done.append(step),
        )  # fmt: skip
    assert done == []
    assert [*tmp_path.iterdir()] == []
