import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from support.coded_scenes import write_coded
from support.learnable_scenes import TEST_SCENE, TINY

from seaice_data.charts import CHARTS, SIC
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.augmentation import Augmentation, Direction
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.sources.charts import charts_of
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_model.config.run_config import ModelConfig
from seaice_model.errors import MapError
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.networks.unet import MultiTaskUNet, Prediction
from seaice_model.pages.index import write_index
from seaice_model.prediction.flips import MIRRORS, Flips, Mirror, warn_of_flips
from seaice_model.prediction.parts import TileView, tile_views
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.prediction.predictor import Predictor
from seaice_model.runs.checkpoint import load_best, save
from seaice_model.scores.score import score_maps
from seaice_model.training.train import train

CPU = torch.device("cpu")
DATA_ONLY = PredictSettings(plots=False)
FLIPPED = replace(DATA_ONLY, flips=True)
STILL = Augmentation(flip_x=0, flip_y=0, rotation=0, scale=0, cutmix=0)


def whole(shape: tuple[int, int]) -> TileView:
    everything = slice(0, shape[0]), slice(0, shape[1])
    return TileView(everything, everything, shape)


def flips(
    channels: Sequence[str] = ("hh",), augmentation: Augmentation = STILL, margin: int = 1
) -> Flips:
    return Flips(augmentation=augmentation, channels=channels, stride=4, margin=margin)


def sure_of(sic: torch.Tensor) -> Prediction:
    """Predict SIC, and nothing about the other charts."""
    others = (torch.zeros(1, chart.n_classes, *sic.shape) for chart in CHARTS[1:])
    return Prediction(sic[None], *others)


def test_a_tile_keeps_its_pixels_in_the_mirrored_plane() -> None:
    tile = slice(0, 16), slice(32, 48)
    view = TileView(tile, tile, (40, 100))
    mirrored = Mirror(x=True, y=True).view(view, stride=16, margin=1)
    assert mirrored.tile == (slice(24, 40), slice(52, 68))
    # From row 16 - 16 to the end; columns 48 to 80 hold the tile, 16 more on each side.
    assert mirrored.seen == (slice(0, 40), slice(32, 96))
    assert Mirror(x=True).view(view, 16, 1).tile[0] == tile[0]


def test_a_network_that_looks_to_the_left_then_looks_to_both_sides() -> None:
    def forward(part: np.ndarray, view: TileView) -> Prediction:
        left = np.pad(part[..., 0], ((0, 0), (1, 0)))[:, :-1]
        return sure_of(view.crop(torch.from_numpy(left)))

    planes = np.array([[[0.0], [2], [4], [8]]])
    sic = flips().predict(forward, planes, whole((1, 4))).sic[0]
    # (0 + 2) / 2, (0 + 4) / 2, (2 + 8) / 2, (4 + 0) / 2
    np.testing.assert_array_equal(sic, [[1, 2, 5, 2]])


def test_probabilities_are_averaged_and_numbers_are_clamped_first() -> None:
    def forward(part: np.ndarray, view: TileView) -> Prediction:
        number = view.crop(torch.from_numpy(part[..., 0]))
        sod = torch.zeros(1, 6, 1, 2)
        sod[0, 1, 0, 0] = 99  # the left pixel of each view is sure of class 1
        return Prediction(number[None], sod, torch.zeros(1, 7, 1, 2))

    found = flips().predict(forward, np.array([[[12.0], [-4]]]), whole((1, 2)))
    np.testing.assert_array_equal(found.sic[0], [[10, 0]])
    shares = found.sod.softmax(dim=1)[0, :, 0]
    half = [1 / 12, 1 / 12 + 1 / 2, *[1 / 12] * 4]
    np.testing.assert_allclose(shares, np.transpose([half, half]), atol=1e-6)


def test_sic_as_a_number_and_as_classes_is_averaged_as_both() -> None:
    def forward(part: np.ndarray, view: TileView) -> Prediction:
        number = view.crop(torch.from_numpy(part[..., 0])).float()
        logits = torch.zeros(11, 1, 2)
        logits[4, 0, 0] = 99  # the left pixel of each view is sure of class 4
        others = sure_of(number)[1:]
        return Prediction(torch.cat([number[None], logits])[None], *others)

    sic = flips().predict(forward, np.array([[[12.0], [-4]]]), whole((1, 2))).sic[0]
    np.testing.assert_array_equal(sic[0, 0], [10, 0])
    shares = sic[1:].softmax(dim=0)[:, 0]
    np.testing.assert_allclose(shares[4], [1 / 2 + 1 / 22] * 2, rtol=1e-6)
    np.testing.assert_allclose(shares.sum(dim=0), 1, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize(
    "axes", [(), ("samples", "lines"), ("-lines", "samples"), ("samples", "-lines")]
)
def test_a_mirrored_scene_is_a_mirrored_patch_bit_for_bit(
    tmp_path: Path, axes: tuple[Direction, ...], dtype: str
) -> None:
    rng = np.random.default_rng(0)
    wind = (rng.normal(size=(4, 4)).astype(np.float32) for _ in range(2))
    fields = dict(zip(("u10m_rotated", "v10m_rotated"), wind, strict=True))
    write_coded(tmp_path / "raw", 100, 100, **fields)
    channels = ("hh", "v10m", "incidence_angle", "u10m")
    recipe = Recipe(ratio=1, dtype=dtype, channels=channels)  # type: ignore[arg-type]
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), recipe)
    store = Store.open(str(tmp_path / "store.zarr"))
    planes = np.asarray(store.scene(store.scenes[0]).inputs)
    parts: list[np.ndarray] = []

    def forward(part: np.ndarray, view: TileView) -> Prediction:
        parts.append(part)
        return sure_of(torch.zeros(view.shape))

    flips(channels, replace(STILL, wind_axes=axes)).predict(
        forward, planes, whole((100, 100))
    )
    for part, mirror in zip(parts, MIRRORS, strict=True):
        trained = replace(STILL, flip_x=mirror.x, flip_y=mirror.y, wind_axes=axes)
        patches = PatchSampler(
            store,
            scenes=store.scenes,
            channels=channels,
            size=100,
            augmentation=trained,
        )
        assert part.dtype == patches[0]["inputs"].dtype == dtype
        np.testing.assert_array_equal(part, patches[0]["inputs"])
    along = [a.endswith("samples") for a in axes]
    is_turned = (parts[1] != planes[:, ::-1]).any(axis=(0, 1))
    assert is_turned.tolist() == (
        [False, along[1], False, along[0]] if axes else [False] * 4
    )


def test_one_component_of_the_wind_turns_alone() -> None:
    axes: tuple[Direction, ...] = ("samples", "lines")
    turned = Mirror(x=True).wind(replace(STILL, wind_axes=axes), ["hh", "u10m"])
    assert {channel: factor for channel, (factor, _) in turned.items()} == {1: -1}


@pytest.mark.parametrize("shape", [(97, 131), (122, 20)])
def test_tiles_are_those_of_the_mirrored_planes(shape: tuple[int, int]) -> None:
    config = ModelConfig(channels=("hh",), filters=(4, 8), sic="classes")
    network = MultiTaskUNet(config, seed=1).eval()
    planes = np.random.default_rng(0).normal(size=(*shape, 1)).astype(np.float32)

    def forward(part: np.ndarray, view: TileView) -> Prediction:
        batch = torch.from_numpy(part).permute(2, 0, 1)[None]
        with torch.no_grad():
            return Prediction(*map(view.crop, network(batch, view.place)))

    expected = 0
    for axes in ((), (0,), (1,), (0, 1)):
        view = forward(np.flip(planes, axes).copy(), whole(shape))
        shares = np.concatenate([plane[0].softmax(dim=0) for plane in view])
        expected = expected + np.flip(shares, [axis + 1 for axis in axes]) / 4
    views = [*tile_views(shape, 4, tile=16, margin=8)]
    assert len(views) > 1
    for view in views:
        found = flips(margin=8).predict(forward, planes, view)
        shares = np.concatenate([plane[0].softmax(dim=0) for plane in found])
        np.testing.assert_allclose(shares, expected[:, *view.tile], atol=2e-6)


def symmetric_run(run: Path, path: Path) -> Path:
    """Write the run with convolutions that are equal to their mirror images."""
    checkpoint = load_best(run)
    weights = {
        name: (w + w.flip(-1) + w.flip(-2) + w.flip((-1, -2))) / 4 if w.ndim == 4 else w
        for name, w in checkpoint.weights.items()
    }
    path.mkdir()
    save(replace(checkpoint, weights=weights, momentum={}), path / "best.safetensors")
    return path


def test_a_symmetric_network_predicts_the_same_with_flips(
    tmp_path: Path, run: Path
) -> None:
    predictor = Predictor.load([symmetric_run(run, tmp_path / "run")], CPU)
    planes = np.random.default_rng(0).normal(size=(64, 96, 2)).astype(np.float32)
    plain, flipped = (
        predictor.decide(planes, ["hh", "hv"], probabilities=True, flips=f)
        for f in (False, True)
    )
    assert (plain.classes != flipped.classes).mean() < 1e-3
    for ours, theirs in (
        (plain.entropy, flipped.entropy),
        (plain.concentration, flipped.concentration),
    ):
        assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_views_are_one_network(run: Path) -> None:
    predictor = Predictor.load([run], CPU)
    planes = np.random.default_rng(0).normal(size=(20, 33, 2)).astype(np.float32)
    decision = predictor.decide(planes, ["hh", "hv"], probabilities=True, flips=True)
    assert (decision.n_networks, decision.sic_basis, decision.spread) == (1, None, None)
    assert decision.probabilities is not None
    assert SIC.name not in decision.probabilities
    # The class is that of the mean of the views; 20 steps of 0.5 % are one class.
    away = decision.concentration.astype(int) - 20 * decision.classes[0].astype(int)
    assert np.abs(away).max() <= 10
    other = predictor.decide(planes, ["hh", "hv"])
    assert (decision.concentration != other.concentration).any()


def test_maps_say_that_they_were_made_with_flips(
    tmp_path: Path, store: Store, run: Path
) -> None:
    predict_store(store, run, tmp_path, replace(FLIPPED, plots=True), scenes=[TEST_SCENE])
    chart_map = read_netcdf(tmp_path / f"{TEST_SCENE}.nc")
    assert chart_map.provenance.flips == "x, y, xy"
    assert chart_map.provenance.remarks == "with flips (x, y, xy)"
    assert chart_map.provenance.run_in_words.endswith(", with flips")
    assert "· with flips (x, y, xy)" in (tmp_path / "index.html").read_text()
    with h5py.File(tmp_path / f"{TEST_SCENE}.nc") as file:
        assert file.attrs["history"].endswith(b", with flips")
    predict_store(store, run, tmp_path / "plain", DATA_ONLY, scenes=[TEST_SCENE])
    with h5py.File(tmp_path / "plain" / f"{TEST_SCENE}.nc") as file:
        assert "flips" not in file.attrs


def test_maps_with_and_without_flips_are_not_mixed(
    tmp_path: Path, store: Store, run: Path
) -> None:
    maps = tmp_path / "maps"
    predict_store(store, run, maps, DATA_ONLY, scenes=[TEST_SCENE])
    with pytest.raises(MapError, match="was predicted without flips") as caught:
        predict_store(store, run, maps, FLIPPED, scenes=[TEST_SCENE])
    assert "--overwrite" in str(caught.value.hint)
    write_index(maps, charts_of(store))
    entry = maps / "index" / f"{TEST_SCENE}.json"
    before = json.loads(entry.read_text())["scores"]
    again = replace(FLIPPED, overwrite=True)
    assert predict_store(store, run, maps, again, scenes=[TEST_SCENE]).n_written == 1
    assert predict_store(store, run, maps, FLIPPED, scenes=[TEST_SCENE]).n_kept == 1
    with pytest.raises(MapError, match="was predicted with flips"):
        predict_store(store, run, maps, DATA_ONLY, scenes=[TEST_SCENE])
    # The entry of the index belongs to the map without flips, so it is made again.
    write_index(maps, charts_of(store))
    scores = json.loads(entry.read_text())["scores"]
    assert scores != before
    assert scores == score_maps(maps, charts_of(store)).scenes[TEST_SCENE].by_name


def test_maps_with_and_without_flips_are_not_scored_together(
    tmp_path: Path, store: Store, run: Path
) -> None:
    scenes = store.splits["train"][:2]
    for settings, scene in zip((DATA_ONLY, FLIPPED), scenes, strict=True):
        predict_store(store, run, tmp_path / scene, settings, scenes=[scene])
        shutil.copy(tmp_path / scene / f"{scene}.nc", tmp_path)
    with pytest.raises(MapError, match=r"come from 2 runs: .*epoch \d+, with flips"):
        score_maps(tmp_path, charts_of(store))


def test_a_network_that_never_saw_a_mirrored_patch_is_named(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_flips([Augmentation()])
    assert not caplog.records
    config = replace(TINY, train=replace(TINY.train, n_epochs=1), augmentation=STILL)
    train(store, tmp_path / "run", config, device="cpu")
    with caplog.at_level(logging.WARNING):
        predict_store(store, tmp_path / "run", tmp_path, FLIPPED, scenes=[TEST_SCENE])
    assert "mirrored patches (flip_x = 0 and flip_y = 0)" in caplog.text
