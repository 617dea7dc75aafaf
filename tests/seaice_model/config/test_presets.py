import re
from dataclasses import replace
from pathlib import Path

import pytest

from seaice_data.preparation.prepare import prepare
from seaice_data.settings import read_toml, to_mapping
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.synthetic.scene_set import write_scenes
from seaice_model.config.presets import PRESETS, PROFILES, find_preset, find_profile
from seaice_model.config.resolve import resolve
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import ConfigError, RunError
from seaice_model.runs.checkpoint import load_best
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import read_log
from seaice_model.training.train import train


def test_the_default_preset_has_the_defaults() -> None:
    assert find_preset("default").config == RunConfig()
    assert find_preset("model1").config == RunConfig()


@pytest.mark.parametrize(
    ("name", "n_channels"),
    [("model3", 2), ("model4", 12), ("model5", 11), ("model6", 13), ("model7", 27)],
)
def test_models_3_to_7_differ_in_their_channels_only(name: str, n_channels: int) -> None:
    config = find_preset(name).config
    assert len(config.model.channels) == n_channels
    assert config.train == RunConfig().train
    assert config.model.filters == RunConfig().model.filters


def test_models_2_8_and_9_differ_in_ratio_head_and_decoders() -> None:
    assert find_preset("model2").ratio == 1
    assert find_preset("model8").config.model.sic == "classes"
    assert find_preset("model9").config.model.decoders == "separate"


def test_the_figures_of_the_paper_agree_with_its_weights() -> None:
    # Table 4 is rounded, and for Models 1 and 7 the combined scores printed are off by 0.2.
    for name, preset in PRESETS.items():
        for scores in (preset.validation, preset.test):
            if scores is None:
                assert not name.startswith("model")
                continue
            combined = (2 * scores.sic + 2 * scores.sod + scores.floe) / 5
            assert combined == pytest.approx(scores.combined, abs=0.25), name


def test_profiles_decide_channels_validation_and_recipe() -> None:
    paper, official = find_profile("paper"), find_profile("official")
    assert len(paper.config.model.channels) == 14
    assert "distance_map" not in paper.config.model.channels
    assert paper.config.train.validation == "drawn"
    assert official.config.model == replace(RunConfig().model, fill_class=True)
    assert len(official.config.train.validation_scenes) == 17
    assert official.departures(Recipe(), 10) == [
        'ancillary: "bilinear" instead of "nearest"',
        'charts: "most-frequent" instead of "nearest"',
        'sar: "mean" instead of "nearest"',
        'tie_points: "bilinear" instead of "nearest"',
    ]
    assert find_profile("default").departures(Recipe(ratio=2), 1) == [
        "ratio: 2 instead of 1"
    ]


def page_of_profiles() -> str:
    return (Path(__file__).parents[3] / "docs" / "profiles.md").read_text()


def in_words(value: object) -> str:
    """Return a setting as the page of profiles shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(len(value)) if isinstance(value, list) else str(value)


def test_the_page_of_profiles_lists_every_setting_in_which_they_differ() -> None:
    settings: dict[str, list[str]] = {}
    for name in ("default", "paper", "official"):
        profile = find_profile(name)
        tables = {**to_mapping(profile.config), "recipe": to_mapping(profile.recipe)}
        for table, values in tables.items():
            for key, value in values.items():
                settings.setdefault(f"{table}.{key}", []).append(in_words(value))
    expected = {key: row for key, row in settings.items() if len(set(row)) > 1}
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (.*) \|$", page_of_profiles(), re.MULTILINE)
    assert {key: cells.split(" | ")[:3] for key, cells in rows} == expected


def test_the_recipes_on_the_page_of_profiles_are_those_of_the_profiles(
    tmp_path: Path,
) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", page_of_profiles(), re.DOTALL)
    for text, name in zip(blocks, ("official", "paper"), strict=True):
        (tmp_path / "recipe.toml").write_text(text)
        assert read_toml(Recipe, tmp_path / "recipe.toml") == find_profile(name).recipe


def test_presets_change_any_profile() -> None:
    paper = find_profile("paper").config
    changed = find_preset("model4").applied(paper)
    assert len(changed.model.channels) == 10
    assert changed.train == paper.train
    assert find_preset("model3").applied(paper).model.channels == ("hh", "hv")


def test_profiles_are_found_by_name() -> None:
    assert [profile.name for profile in PROFILES.values()] == list(PROFILES)
    with pytest.raises(ConfigError, match="unknown profile 'papers'") as caught:
        find_profile("papers")
    assert caught.value.hint == "did you mean 'paper'?"


def test_every_preset_is_found_by_its_name() -> None:
    assert [preset.name for preset in PRESETS.values()] == list(PRESETS)


def test_an_unknown_preset_names_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="unknown preset 'model10'") as caught:
        find_preset("model10")
    assert caught.value.hint == "did you mean 'model1'?"


SMALL = ["patch_size=32, batch_size=2, n_iterations=2, n_epochs=2, filters=[4, 4, 8, 8]"]


@pytest.fixture(scope="module")
def full_store_path(raw_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a store without downscaling, as Model 2 needs it."""
    path = str(tmp_path_factory.mktemp("full") / "store.zarr")
    prepare(raw_folder, path, Recipe(ratio=1))
    return path


@pytest.fixture(scope="module")
def polygons_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a store with polygons, as the preset `best` needs it."""
    folder = tmp_path_factory.mktemp("polygons")
    write_scenes(folder / "raw", 6, 320, "raw")
    prepare(folder / "raw", path := str(folder / "store.zarr"))
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_on_synthetic_scenes(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    fixtures = {"model2": "full_store_path", "best": "polygons_path"}
    store = Store.open(request.getfixturevalue(fixtures.get(name, "store_path")))
    of_swin = ["filters=[12, 24, 48, 96], patch_size=64"] if name == "swin" else []
    config = resolve(preset=name, changes=[*SMALL, *of_swin])
    report = train(store, tmp_path / "run", config, device="cpu")
    assert report.n_epochs == 2
    log = read_log(RunFolder(tmp_path / "run").log)
    assert report.best_score == max(entry.combined for entry in log)
    checkpoint = load_best(tmp_path / "run")
    assert checkpoint.settings.config == config
    assert checkpoint.network().config == config.model


@pytest.mark.parametrize("name", ["paper", "official"])
def test_every_profile_trains_on_synthetic_scenes(
    name: str, store_path: str, tmp_path: Path
) -> None:
    changes = [*SMALL, "validation=store, validation_scenes=[]"]
    config = resolve(profile=name, changes=changes)
    assert train(Store.open(store_path), tmp_path / "run", config).n_epochs == 2


def test_listed_scenes_that_the_store_lacks_are_reported(
    store_path: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.open(store_path)
    with pytest.raises(RunError, match="has no listed validation scenes") as caught:
        train(store, tmp_path / "run", resolve("official", changes=SMALL))
    assert caught.value.hint == "list others, or set validation to 'store' or 'drawn'"
    one = store.splits["train"][1]
    listed = f"validation=listed, validation_scenes=[{one}, 20210321T194818_dmi]"
    caplog.clear()
    train(store, tmp_path / "run", resolve(changes=[*SMALL, listed]))
    settings = load_best(tmp_path / "run").settings
    assert settings.validation_scenes == (one,)
    assert one not in settings.train_scenes
    assert set(store.splits["validation"]) <= set(settings.train_scenes)
    assert "1 of 2 listed validation scenes are not in the store" in caplog.text
