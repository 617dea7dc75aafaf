"""Networks that have learned to do without a sensor, and scenes that lack it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command_results import Result
from support.learnable_scenes import (
    ERA5,
    RECIPE,
    SCENES,
    TEST_SCENE,
    TINY,
    StoreMaker,
)
from support.own_scenes import CHARTED_ID, NO_CHART_ID, chart, write_own

from seaice_data.channels import Group
from seaice_data.errors import SettingsError
from seaice_data.sampling.augmentation import Augmentation
from seaice_data.sources.charts import charts_of
from seaice_data.sources.inputs import StoreSource
from seaice_data.store.origin import Origin
from seaice_data.store.store import Store
from seaice_model.config.run_config import ModelConfig, RunConfig
from seaice_model.errors import MapError, RunError
from seaice_model.maps.dataset import open_map
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.networks.device import find_device
from seaice_model.pages.scores import write_report
from seaice_model.plots.maps import plot_map
from seaice_model.prediction.predict import (
    PredictSettings,
    predict_scene,
    predict_store,
    provenance_of,
)
from seaice_model.prediction.predictor import Predictor
from seaice_model.prediction.requirements import needed_channels
from seaice_model.scores.report_numbers import as_csv, as_mapping
from seaice_model.scores.score import ScoreReport, score_maps
from seaice_model.training.train import train

LACKING, PARTLY, WHOLE = SCENES[0], SCENES[1], TEST_SCENE
DATA_ONLY = PredictSettings(plots=False)
WITHOUT = PredictSettings(plots=False, without=("era5",))


def config(*channels: str, drop_era5: float) -> RunConfig:
    return replace(
        TINY,
        model=ModelConfig(channels=channels, filters=(4, 8), fill="mask"),
        train=replace(TINY.train, n_epochs=1),
        augmentation=Augmentation(drop_era5=drop_era5),
    )


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory, make_store: StoreMaker) -> Store:
    """Return a store with a scene that lacks ERA5, and one that lacks a part of it."""
    recipe = replace(RECIPE, channels=("t2m", "u10m", "hh", "hv"))
    lacking = Origin(version="ingested", absent_channels=ERA5, denoising="nersc")
    partly = replace(lacking, absent_channels=("u10m",))
    path = tmp_path_factory.mktemp("wide") / "store.zarr"
    return make_store(path, recipe=recipe, origins={LACKING: lacking, PARTLY: partly})


@pytest.fixture(scope="module")
def doing_without(
    tmp_path_factory: pytest.TempPathFactory, make_store: StoreMaker, wide: Store
) -> Path:
    """Return a run that some patches of which lacked ERA5."""
    folder = tmp_path_factory.mktemp("without")
    store = make_store(folder / "store.zarr", recipe=wide.recipe)
    train(store, folder / "run", config("hh", "t2m", "u10m", drop_era5=0.5), device="cpu")
    train(store, folder / "needs", config("hh", "t2m", drop_era5=0), device="cpu")
    return folder / "run"


def needing(run: Path) -> Path:
    """Return the run next to `run` that needs ERA5."""
    return run.with_name("needs")


@pytest.fixture(scope="module")
def maps(
    tmp_path_factory: pytest.TempPathFactory, wide: Store, doing_without: Path
) -> Path:
    path = tmp_path_factory.mktemp("maps")
    scenes = [LACKING, PARTLY, WHOLE]
    report = predict_store(wide, doing_without, path, scenes=scenes, device="cpu")
    assert report.drawn_without == {LACKING: "era5", PARTLY: "era5"}
    assert (report.n_written, report.failed) == (3, ())
    return path


def charts_in(folder: Path, scene: str) -> np.ndarray:
    return read_netcdf(folder / f"{scene}.nc").charts


def test_a_map_says_what_it_was_predicted_without(maps: Path) -> None:
    found = {scene: read_netcdf(maps / f"{scene}.nc") for scene in (LACKING, PARTLY, WHOLE)}
    assert [m.provenance.drawn_without for m in found.values()] == ["era5", "era5", ""]
    assert plot_map(found[PARTLY]).get_suptitle().endswith("   without era5")
    assert (maps / "index.html").read_text().count("without era5") == 2


def test_a_part_of_a_group_is_not_used(
    wide: Store, doing_without: Path, maps: Path
) -> None:
    predictor = Predictor.load([doing_without], find_device("cpu"))
    source = StoreSource(wide, [PARTLY])
    scene = source.read(PARTLY, charts=False)
    assert not np.isnan(scene.planes[..., 0]).all()  # t2m is there
    without = scene.without([Group.ERA5])
    assert np.isnan(without.planes[..., :2]).all()
    assert without.without([Group.ERA5]) is without
    provenance = provenance_of(source, predictor)
    alone = predict_scene(predictor, scene, provenance)
    gone = predict_scene(predictor, without, provenance)
    np.testing.assert_array_equal(alone.charts, gone.charts)
    np.testing.assert_array_equal(alone.charts, charts_in(maps, PARTLY))
    assert alone.provenance.drawn_without == "era5"


def test_a_group_can_be_left_out(
    tmp_path: Path, wide: Store, doing_without: Path, maps: Path
) -> None:
    report = predict_store(
        wide, doing_without, tmp_path, WITHOUT, scenes=[LACKING, WHOLE], device="cpu"
    )
    assert report.drawn_without == {LACKING: "era5", WHOLE: "era5"}
    opened = open_map(tmp_path / f"{WHOLE}.nc")
    assert opened.attrs["drawn_without"] == "era5"
    assert opened.attrs["source"].endswith("a Sentinel-1 EW scene with AMSR2 (AI4Arctic)")
    np.testing.assert_array_equal(charts_in(tmp_path, LACKING), charts_in(maps, LACKING))
    assert (charts_in(tmp_path, WHOLE) != charts_in(maps, WHOLE)).any()


def test_maps_with_and_without_a_group_are_not_mixed(
    tmp_path: Path, wide: Store, doing_without: Path
) -> None:
    for now, other, how in ((DATA_ONLY, WITHOUT, "with"), (WITHOUT, DATA_ONLY, "without")):
        folder = tmp_path / how
        predict_store(wide, doing_without, folder, now, scenes=[WHOLE], device="cpu")
        again = predict_store(wide, doing_without, folder, now, scenes=[WHOLE])
        assert again.n_kept == 1
        assert again.drawn_without == ({WHOLE: "era5"} if now is WITHOUT else {})
        before = (folder / f"{WHOLE}.nc").read_bytes()
        with pytest.raises(MapError, match=f"(?m)was predicted {how} era5$") as caught:
            predict_store(wide, doing_without, folder, other, scenes=[WHOLE])
        assert "--overwrite" in str(caught.value.hint)
        assert (folder / f"{WHOLE}.nc").read_bytes() == before
        replaced = predict_store(
            wide, doing_without, folder, replace(other, overwrite=True), scenes=[WHOLE]
        )
        assert replaced.n_written == 1
    # A scene that lacks the group is the same either way.
    predict_store(wide, doing_without, tmp_path, DATA_ONLY, scenes=[LACKING])
    assert predict_store(wide, doing_without, tmp_path, WITHOUT, scenes=[LACKING]).n_kept


def test_every_network_must_be_able_to_do_without(
    tmp_path: Path, wide: Store, doing_without: Path
) -> None:
    both = [doing_without, needing(doing_without)]
    predictor = Predictor.load(both, find_device("cpu"))
    assert needed_channels(predictor) == ("hh", "t2m")
    assert needed_channels(Predictor.load(both[:1], find_device("cpu"))) == ("hh",)
    report = predict_store(wide, both, tmp_path, DATA_ONLY, scenes=[LACKING, WHOLE])
    assert [failure.name for failure in report.failed] == [LACKING]
    assert report.failed[0].reason == f"scene {LACKING} has no era5, which the run reads"
    assert str(report.failed[0].hint).endswith("has learned to do without (drop_era5)")
    with pytest.raises(RunError, match=r"needs' cannot predict without era5") as caught:
        predict_store(wide, both, tmp_path / "none", WITHOUT, scenes=[WHOLE])
    assert caught.value.hint == "train one that can, with --set drop_era5=0.2"
    assert not (tmp_path / "none").exists()


def test_a_network_that_does_not_read_a_group_is_not_refused(
    tmp_path: Path, wide: Store, doing_without: Path
) -> None:
    settings = replace(WITHOUT, without=("amsr2",))
    report = predict_store(wide, needing(doing_without), tmp_path, settings, scenes=[WHOLE])
    assert (report.n_written, report.drawn_without) == (1, {})
    assert read_netcdf(tmp_path / f"{WHOLE}.nc").provenance.drawn_without == "amsr2"


def test_only_groups_that_can_be_missing_are_left_out() -> None:
    with pytest.raises(SettingsError, match="no network can predict without 'sar'"):
        PredictSettings(without=("sar",))
    with pytest.raises(SettingsError) as caught:
        PredictSettings(without=("era-5",))
    assert caught.value.hint == "did you mean 'era5'?"


@pytest.fixture(scope="module")
def report(maps: Path, wide: Store) -> ScoreReport:
    return score_maps(maps, charts_of(wide))


def test_scores_are_grouped_by_what_maps_lack(
    report: ScoreReport, wide: Store, tmp_path: Path
) -> None:
    scored = report.grids["original"]
    assert [*scored.without] == ["era5", "nothing"]
    assert scored.without["nothing"] == scored.scenes[WHOLE]
    labelled = [s.charts["SIC"].n_pixels for s in scored.without.values()]
    assert sum(labelled) == report.pooled.charts["SIC"].n_pixels
    lines = [line.split("  ")[0] for line in str(report).splitlines()]
    assert lines.index("without era5") == lines.index("without nothing") - 1
    assert [*as_mapping(report)["grids"]["original"]["without"]] == ["era5", "nothing"]
    assert "original,without,era5,combined,,score," in as_csv(report)
    write_report(report, tmp_path / "scores.html", charts_of(wide))
    page = (tmp_path / "scores.html").read_text()
    assert "By what maps were predicted without" in page


def test_maps_that_lack_nothing_have_no_such_group(
    maps: Path, wide: Store, tmp_path: Path
) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / f"{WHOLE}.nc").write_bytes((maps / f"{WHOLE}.nc").read_bytes())
    report = score_maps(tmp_path / "maps", charts_of(wide))
    assert "without" not in report.grids["original"].groups
    assert "without" not in as_mapping(report)["grids"]["original"]


def test_own_files_without_ancillary_fields_are_predicted(
    tmp_path: Path, doing_without: Path
) -> None:
    """The whole way of a scene whose AMSR2 and ERA5 have not come yet."""
    write_own(tmp_path / "raw", has_cells=False, burnt=chart())
    write_own(tmp_path / "raw")
    options = ("--run", doing_without, "--no-plots", "--device", "cpu")
    found = Result(
        "predict", tmp_path / "raw", *options, "--out", tmp_path / "maps", "--json"
    )
    assert found.code == 0, found.err
    assert json.loads(found.out)["drawn_without"] == {CHARTED_ID: "era5"}
    assert "1 of 2 maps was predicted without era5" in found.err
    without = (*options, "--without", "era5,amsr2", "--out", tmp_path / "neither")
    found = Result("predict", tmp_path / "raw", *without)
    assert found.code == 0, found.err
    assert "2 of 2 maps were predicted without era5" in found.err
    for scene in (CHARTED_ID, NO_CHART_ID):
        made = read_netcdf(tmp_path / "neither" / f"{scene}.nc").provenance
        assert made.drawn_without == "amsr2, era5"
    scored = Result("score", tmp_path / "maps", "--truth", tmp_path / "raw")
    assert scored.code == 0, scored.err
    assert "without amsr2, era5" in scored.out
