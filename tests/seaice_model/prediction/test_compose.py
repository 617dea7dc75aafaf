"""Maps of networks that are not ours are masked, placed and described like ours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from support.learnable_scenes import SCENES, TEST_SCENE
from torch import Tensor

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHARTS
from seaice_data.errors import StoreError
from seaice_data.sources.charts import charts_of
from seaice_data.sources.inputs import StoreSource
from seaice_data.store.store import Store
from seaice_model.errors import MapError
from seaice_model.formats.convert import convert_maps
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.decision import UNKNOWN
from seaice_model.maps.netcdf import read_netcdf, write_netcdf
from seaice_model.networks.unet import Prediction
from seaice_model.prediction.ballot import Ballot
from seaice_model.prediction.compose import compose_chart_map
from seaice_model.prediction.predict import predict_scene, provenance_of
from seaice_model.prediction.predictor import Predictor
from seaice_model.scores.score import score_maps

SHAPE = (40, 45)


def logits() -> list[Tensor]:
    """Return random logits of each chart, ``(class, y, x)``."""
    random = torch.Generator().manual_seed(0)
    return [3 * torch.randn(c.n_classes, *SHAPE, generator=random) for c in CHARTS]


def shares() -> dict[str, np.ndarray]:
    return {
        chart.name: planes.softmax(dim=0).numpy()
        for chart, planes in zip(CHARTS, logits(), strict=True)
    }


def classes() -> ChartArray:
    return np.stack([plane.argmax(axis=0) for plane in shares().values()])


def composed(store: Store, scene_id: str = TEST_SCENE) -> ChartMap:
    return compose_chart_map(
        store, scene_id, classes(), network="my CNN", probabilities=shares()
    )


def test_the_classes_of_one_of_our_networks_give_its_map(store: Store, run: Path) -> None:
    source = StoreSource(store, [TEST_SCENE])
    predictor = Predictor.load([run], torch.device("cpu"))
    scene = source.read(TEST_SCENE, charts=False)
    ours = predict_scene(predictor, scene, provenance_of(source, predictor))
    assert ours.decision is not None
    theirs = compose_chart_map(store, TEST_SCENE, ours.decision.classes, network="my CNN")
    assert theirs.decision is not None
    for one, two in (
        (theirs.charts, ours.charts),
        (theirs.flags, ours.flags),
        (theirs.decision.classes, ours.decision.classes),
        (theirs.decision.rows, ours.decision.rows),
    ):
        np.testing.assert_array_equal(one, two)
    known = (theirs.acquired, theirs.grid, theirs.grid_name, theirs.provenance.file_hash)
    assert known == (ours.acquired, ours.grid, ours.grid_name, ours.provenance.file_hash)


def test_probabilities_give_the_same_uncertainty_as_those_of_our_networks(
    store: Store,
) -> None:
    ballot = Ballot()
    ballot.add(Prediction(*(planes[None] for planes in logits())))
    decision = composed(store).decision
    assert decision is not None
    assert decision.spread is not None
    assert decision.probabilities is not None
    shown = decision.concentration != UNKNOWN
    assert 0 < shown.sum() < shown.size
    expected = ballot.entropy(), ballot.concentration(), ballot.spread()
    found = decision.entropy, decision.concentration, decision.spread
    for one, two in zip(found, expected, strict=True):
        assert two is not None
        np.testing.assert_array_equal(one[..., shown], two[..., shown])
    for name, planes in ballot.probabilities().items():
        np.testing.assert_array_equal(
            decision.probabilities[name][:, shown], planes[:, shown]
        )


def test_without_probabilities_a_map_does_not_say_how_sure_it_is(store: Store) -> None:
    decision = compose_chart_map(store, TEST_SCENE, classes(), network="my CNN").decision
    assert decision is not None
    assert (decision.entropy == UNKNOWN).all()
    assert decision.spread is None
    assert decision.probabilities is None
    percent = decision.concentration_percent()
    shown = ~np.isnan(percent)
    np.testing.assert_array_equal(percent[shown], 10 * classes()[0][shown])


def test_probabilities_may_be_known_of_one_chart_alone(store: Store) -> None:
    sod = {"SOD": shares()["SOD"]}
    chart_map = compose_chart_map(
        store, TEST_SCENE, classes(), network="my CNN", probabilities=sod
    )
    assert chart_map.decision is not None
    assert (chart_map.decision.entropy != UNKNOWN).any(axis=(1, 2)).tolist() == [0, 1, 0]
    assert chart_map.decision.spread is None


def test_a_map_names_its_network(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "map.nc"
    write_netcdf(composed(store), path)
    with xr.open_dataset(path) as dataset:
        assert dataset.attrs["source"].startswith("my CNN on a Sentinel-1 EW scene")
        assert dataset.attrs["history"].endswith(": predicted by my CNN")
        assert "references" not in dataset.attrs
    assert read_netcdf(path).provenance == composed(store).provenance


def test_maps_are_scored_and_converted(store: Store, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    for scene_id in (TEST_SCENE, SCENES[0]):
        write_netcdf(composed(store, scene_id), maps / f"{scene_id}.nc")
    report = score_maps(maps, charts_of(store))
    assert set(report.scenes) == {TEST_SCENE, SCENES[0]}
    assert report.run == "my CNN"
    written = convert_maps(maps, tmp_path / "out", ["submission"]).written
    assert all(path.is_file() for path in written)


def test_the_users_arrays_stay_as_they_are(store: Store) -> None:
    planes, probabilities = classes(), shares()
    for array in (planes, *probabilities.values()):
        array.flags.writeable = False
    compose_chart_map(
        store, TEST_SCENE, planes, network="my CNN", probabilities=probabilities
    )


def test_invalid_classes_are_refused(store: Store) -> None:
    def compose(planes: np.ndarray) -> None:
        compose_chart_map(store, TEST_SCENE, planes, network="my CNN")

    last = np.moveaxis(classes(), 0, -1)
    shapes = r"must have shape \(3, 40, 45\), got \(40, 45, 3\)"
    with pytest.raises(MapError, match=shapes) as caught:
        compose(last)
    assert "pass np.moveaxis(planes, -1, 0)" in str(caught.value.hint)
    with pytest.raises(MapError, match="must be whole numbers, got float64") as caught:
        compose(classes().astype(float))
    assert "take the argmax" in str(caught.value.hint)
    for chart, wrong in ((0, 100), (1, 255), (2, -1)):
        planes = classes()
        planes[chart, 3, 4] = wrong
        with pytest.raises(MapError, match=f"has no class {wrong}") as caught:
            compose(planes)
        assert "give every pixel a class" in str(caught.value.hint)


def test_invalid_probabilities_are_refused(store: Store) -> None:
    def compose(name: str, planes: np.ndarray) -> None:
        given = {name: planes}
        compose_chart_map(
            store, TEST_SCENE, classes(), network="my CNN", probabilities=given
        )

    with pytest.raises(MapError, match="no chart 'sod'") as caught:
        compose("sod", shares()["SOD"])
    assert "SIC, SOD, FLOE" in str(caught.value.hint)
    with pytest.raises(MapError, match=r"SOD must have shape \(6, 40, 45\)"):
        compose("SOD", shares()["FLOE"])
    hole = shares()["SOD"]
    hole[2, 3, 4] = np.nan
    for planes in (logits()[1].numpy(), hole, shares()["SOD"] / 2):
        with pytest.raises(MapError, match=r"SOD must be from 0 to 1") as caught:
            compose("SOD", planes)
        assert "softmax" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["grid", "scene_use"])
def test_an_unknown_option_names_the_known_ones(store: Store, name: str) -> None:
    choice: dict[str, Any] = {name: "Store"}
    with pytest.raises(MapError, match=f"unknown {name} 'Store'") as caught:
        compose_chart_map(store, TEST_SCENE, classes(), network="my CNN", **choice)
    assert ("store" if name == "grid" else "validated") in str(caught.value.hint)


def test_a_scene_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        composed(store, "20200101T000000_dmi")
