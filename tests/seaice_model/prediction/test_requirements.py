"""Scenes that lack what a network needs, or whose SAR was denoised in another way."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import xarray as xr
from support.bare_scenes import PRODUCT
from support.command_results import Result
from support.learnable_scenes import (
    ERA5,
    SCENES,
    TEST_SCENE,
    TINY,
    UNCHARTED,
    StoreMaker,
)
from support.own_scenes import CHARTED_ID, NO_CHART_ID, backscatter, chart, write_own
from support.own_scenes import PRODUCT as FILE_PRODUCT

from seaice_data.errors import SceneError
from seaice_data.preparation.prepare import prepare
from seaice_data.sources.inputs import StoreSource
from seaice_data.store.description import describe_store
from seaice_data.store.origin import Origin
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_model.config.run_config import ModelConfig
from seaice_model.formats.convert import convert_maps
from seaice_model.maps.chart_map import ADDED_TEXTS
from seaice_model.maps.dataset import open_map
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.networks.device import find_device
from seaice_model.plots.maps import plot_map
from seaice_model.prediction.compose import compose_chart_map
from seaice_model.prediction.predict import (
    PredictSettings,
    predict_files,
    predict_scene,
    predict_store,
    provenance_of,
)
from seaice_model.prediction.predictor import Predictor
from seaice_model.runs.checkpoint import load_best
from seaice_model.training.train import train

DATA_ONLY = PredictSettings(plots=False)
OWN = SCENES[0]
OWN_ORIGIN = Origin(
    version="ingested", original_name=PRODUCT, absent_channels=ERA5, denoising="esa"
)
BARE_ORIGIN = Origin(version="ingested", absent_channels=("hv",), denoising="esa")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, make_store: StoreMaker) -> Store:
    """Return a store of a scene of AI4Arctic, and of two own ones: no ERA5, no HV."""
    path = tmp_path_factory.mktemp("mixed") / "store.zarr"
    origins = {OWN: OWN_ORIGIN, UNCHARTED: BARE_ORIGIN}
    return make_store(path, (OWN, TEST_SCENE), uncharted=(UNCHARTED,), origins=origins)


@pytest.fixture(scope="module")
def own_maps(tmp_path_factory: pytest.TempPathFactory, mixed: Store, run: Path) -> Path:
    path = tmp_path_factory.mktemp("own")
    predict_store(mixed, run, path, scenes=[OWN, TEST_SCENE], device="cpu")
    return path


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, make_store: StoreMaker) -> Path:
    """Return a run on scenes of either denoising."""
    folder = tmp_path_factory.mktemp("both")
    esa = Origin(version="ingested", denoising="esa")
    store = make_store(folder / "store.zarr", origins=dict.fromkeys(SCENES[::2], esa))
    config = replace(TINY, train=replace(TINY.train, n_epochs=1))
    train(store, folder / "run", config, device="cpu")
    return folder / "run"


def test_a_scene_without_a_channel_of_the_network_is_left_out(
    tmp_path: Path, mixed: Store, run: Path
) -> None:
    report = predict_store(mixed, run, tmp_path, DATA_ONLY, scenes=mixed.scenes)
    assert {path.stem for path in report.maps} == {OWN, TEST_SCENE}
    (failure,) = report.failed
    assert failure.name == UNCHARTED
    assert failure.reason == f"scene {UNCHARTED} has no hv, which the run reads"
    assert failure.hint == "use a run whose network does not read them"


def test_the_hint_names_what_adds_the_channels(
    tmp_path: Path, mixed: Store, store: Store
) -> None:
    model = ModelConfig(channels=("hh", "t2m"), filters=(4, 8))
    config = replace(TINY, model=model, train=replace(TINY.train, n_epochs=1))
    train(store, tmp_path / "run", config, device="cpu")
    scenes = [OWN, UNCHARTED]
    report = predict_store(mixed, tmp_path / "run", tmp_path, DATA_ONLY, scenes=scenes)
    assert [path.stem for path in report.maps] == [UNCHARTED]  # it needs no HV
    (failure,) = report.failed
    assert failure.reason == f"scene {OWN} has no era5, which the run reads"
    assert str(failure.hint).startswith(
        "add them with `seaice ingest --era5`, or use a run"
    )


def test_a_single_scene_is_refused_too(mixed: Store, run: Path) -> None:
    predictor = Predictor.load([run], find_device("cpu"))
    source = StoreSource(mixed, [UNCHARTED])
    scene = source.read(UNCHARTED, charts=False)
    with pytest.raises(SceneError, match="has no hv"):
        predict_scene(predictor, scene, provenance_of(source, predictor))


def test_one_warning_counts_the_scenes_denoised_in_another_way(
    tmp_path: Path, mixed: Store, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for again in ("written", "kept"):
        caplog.clear()
        report = predict_store(mixed, run, tmp_path, DATA_ONLY, scenes=[OWN, TEST_SCENE])
        assert report.denoised_otherwise == {OWN: "esa"}, again
        (said,) = [r.message for r in caplog.records if r.levelno == logging.WARNING]
        assert said == (
            "noise was removed from 1 of 2 scenes in another way (esa) than from those "
            "that the run was trained on (nersc): maps may be worse"
        )
    assert report.n_kept == 2


def test_a_run_on_scenes_of_either_denoising_knows_both(
    tmp_path: Path, mixed: Store, both: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_best(both).settings.denoisings == ("esa", "nersc")
    scenes = [OWN, TEST_SCENE]
    report = predict_store(mixed, both, tmp_path, DATA_ONLY, scenes=scenes)
    assert report.denoised_otherwise == {}
    assert not [r for r in caplog.records if r.levelno == logging.WARNING]
    provenance = read_netcdf(tmp_path / f"{OWN}.nc").provenance
    assert provenance.trained_on_denoising == "esa, nersc"
    assert provenance.remarks == "without era5"


def test_every_network_of_several_must_know_the_denoising(
    tmp_path: Path, mixed: Store, run: Path, both: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report = predict_store(mixed, [both, run], tmp_path, DATA_ONLY, scenes=[OWN])
    assert report.denoised_otherwise == {OWN: "esa"}
    (said,) = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert said == (
        "noise was removed from 1 of 1 scenes in another way (esa) than from those that "
        "1 of 2 runs were trained on (nersc): maps may be worse"
    )
    report = predict_store(
        mixed, [both, run], tmp_path / "2", DATA_ONLY, scenes=[UNCHARTED, OWN]
    )
    assert [failure.name for failure in report.failed] == [UNCHARTED]
    assert report.denoised_otherwise == {OWN: "esa"}  # what has no map does not count


def test_a_map_says_how_its_scene_was_made(own_maps: Path) -> None:
    own, whole = (read_netcdf(own_maps / f"{scene}.nc") for scene in (OWN, TEST_SCENE))
    assert own.provenance.denoising == "esa"
    assert own.provenance.trained_on_denoising == "nersc"
    assert own.provenance.drawn_without == "era5"
    assert own.provenance.original_name == PRODUCT
    assert own.provenance.remarks == "without era5; denoising esa, trained on nersc"
    assert (whole.provenance.denoising, whole.provenance.drawn_without) == ("nersc", "")
    assert whole.provenance.remarks == ""


def test_the_source_is_ai4arctic_only_if_it_is(own_maps: Path, tmp_path: Path) -> None:
    own, whole = (open_map(own_maps / f"{scene}.nc") for scene in (OWN, TEST_SCENE))
    assert own.attrs["source"] == (
        f"multi-task U-Net on the Sentinel-1 EW product {PRODUCT} with AMSR2"
    )
    assert own.attrs["drawn_without"] == "era5"
    assert "(AI4Arctic)" in whole.attrs["source"]
    convert_maps(own_maps, tmp_path, ["nc"])
    with_places = tmp_path / f"{OWN}_pixels.nc"
    with xr.open_dataset(with_places) as opened:
        assert opened.attrs["source"] == own.attrs["source"]
        assert opened.attrs["denoising"] == "esa"


def test_geotiff_and_geopackage_say_the_same(own_maps: Path, tmp_path: Path) -> None:
    convert_maps(own_maps, tmp_path, ["tif", "gpkg"])
    with rasterio.open(tmp_path / f"{OWN}_SIC.tif") as file:
        tags = file.tags()
    said = pyogrio.read_info(tmp_path / f"{OWN}.gpkg")["layer_metadata"]
    for found in (tags, {name.upper(): text for name, text in said.items()}):
        assert found["DENOISING"] == "esa"
        assert found["TRAINED_ON_DENOISING"] == "nersc"
        assert found["DRAWN_WITHOUT"] == "era5"
        assert found["ORIGINAL_NAME"] == PRODUCT
        assert found["SOURCE"].endswith("with AMSR2")
    with rasterio.open(tmp_path / f"{TEST_SCENE}_SIC.tif") as file:
        assert "DRAWN_WITHOUT" not in file.tags()
        assert file.tags()["SOURCE"].endswith("(AI4Arctic)")


def test_the_page_says_it(own_maps: Path) -> None:
    page = (own_maps / "index.html").read_text()
    assert page.count("without era5; denoising esa, trained on nersc") == 1


def test_the_title_of_a_figure_says_it(own_maps: Path) -> None:
    own, whole = (
        plot_map(read_netcdf(own_maps / f"{scene}.nc")).get_suptitle()
        for scene in (OWN, TEST_SCENE)
    )
    assert own.endswith("   without era5; denoising esa, trained on nersc")
    assert whole == f"{TEST_SCENE}   2018-01-24 19:47 UTC"


def test_maps_of_own_scenes_are_scored(own_maps: Path, mixed: Store) -> None:
    scored = Result("score", own_maps, "--truth", mixed.path, "--json")
    assert scored.code == 0, scored.err
    assert {*json.loads(scored.out)["scene_edges"]} == {OWN, TEST_SCENE}


def test_nothing_is_said_of_the_training_of_other_networks(mixed: Store) -> None:
    classes = np.zeros((3, *mixed.scene(OWN).grid.shape), np.int64)
    chart_map = compose_chart_map(mixed, OWN, classes, network="my CNN")
    assert chart_map.provenance.trained_on_denoising == ""
    assert chart_map.provenance.remarks == "without era5"
    assert chart_map.provenance.denoising == "esa"


@pytest.fixture(scope="module")
def own_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write own scenes: one without HV, one without AMSR2 and ERA5, a whole one."""
    folder = tmp_path_factory.mktemp("files") / "raw"
    write_own(folder, backscatter(has_hv=False), burnt=chart(service="aari"))
    write_own(folder, has_cells=False, burnt=chart())
    write_own(folder)
    return folder


def test_the_command_goes_on_with_other_files(
    tmp_path: Path, run: Path, own_files: Path
) -> None:
    no_hv, no_cells, whole = f"{CHARTED_ID[:15]}_aari", CHARTED_ID, NO_CHART_ID
    options = ("--run", run, "--out", tmp_path / "maps", "--no-plots", "--device", "cpu")
    found = Result("predict", own_files, *options, "--json")
    report = json.loads(found.out)
    assert (found.code, report["written"]) == (1, 2)
    assert [failure["scene"] for failure in report["failed"]] == [no_hv]
    assert report["denoised_otherwise"] == {}  # this HV was denoised as that of AI4Arctic
    assert f"left out: scene {no_hv} has no hv, which the run reads" in found.err
    provenance = read_netcdf(tmp_path / "maps" / f"{no_cells}.nc").provenance
    assert provenance.drawn_without == "amsr2, era5"
    assert provenance.original_name == FILE_PRODUCT
    assert (
        open_map(tmp_path / "maps" / f"{whole}.nc")
        .attrs["source"]
        .endswith(f"{FILE_PRODUCT} with AMSR2 and ERA5")
    )


def test_maps_of_files_and_of_their_store_say_the_same(
    tmp_path: Path, run: Path, own_files: Path
) -> None:
    prepare(own_files, str(tmp_path / "store.zarr"), Recipe(ratio=2))
    store = Store.open(tmp_path / "store.zarr")
    described = describe_store(store)
    assert described.denoising == {"esa": 1, "nersc": 2}
    assert {name: len(ids) for name, ids in described.absent.items()} == {
        "amsr2": 1, "era5": 1, "hv": 1
    }  # fmt: skip
    scenes = [CHARTED_ID, NO_CHART_ID]
    predict_store(store, run, tmp_path / "a", DATA_ONLY, scenes=scenes, device="cpu")
    predict_files(own_files, run, tmp_path / "b", DATA_ONLY, scenes=scenes, device="cpu")
    for scene in scenes:
        ours, theirs = (read_netcdf(tmp_path / f / f"{scene}.nc") for f in "ab")
        np.testing.assert_array_equal(ours.charts, theirs.charts)
        for name in ADDED_TEXTS:
            assert getattr(ours.provenance, name) == getattr(theirs.provenance, name)
    lost = Result("score", tmp_path / "b")
    assert "were made from netCDF files, not from a store" in lost.err
    assert lost.err.rstrip().endswith(f"pass --truth {own_files}")
