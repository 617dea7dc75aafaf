"""The table of scenes: one row each, with pandas alone or with places."""

import importlib.util
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest

from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.writer import StoreWriter


def test_a_row_says_what_the_scene_is(store_path: str) -> None:
    store = Store(store_path)
    table = store.index()
    assert list(table.index) == list(store.scenes)
    scene = store[store.splits["test"][0]]
    row = table.loc[scene.id]
    assert row["time"] == pd.Timestamp(scene.acquired)
    assert row["month"] == scene.acquired.month
    assert row["split"] == "test"
    assert (row["height"], row["width"]) == scene.grid.shape
    assert row["service"] == scene.service
    counts = scene.full_class_counts["SOD"]
    assert row["SOD_old_ice"] == counts[5] / sum(counts[:6])
    shares = table.filter(regex="^SIC_").sum(axis=1)
    np.testing.assert_allclose(shares[table.has_charts], 1)


def test_footprints_contain_the_middle_of_their_scenes(store_path: str) -> None:
    store = Store(store_path)
    table = store.index()
    assert isinstance(table, geopandas.GeoDataFrame)
    assert table.crs == "EPSG:4326"
    for scene_id, outline in table.geometry.items():
        dataset = store[str(scene_id)].to_xarray()
        y, x = (n // 2 for n in store[str(scene_id)].grid.shape)
        middle = geopandas.points_from_xy(
            [dataset.longitude[y, x]], [dataset.latitude[y, x]]
        )
        assert outline.contains(middle[0])


def test_it_is_written_as_a_layer(store_path: str, tmp_path: Path) -> None:
    table = Store(store_path).index()
    table.to_file(tmp_path / "scenes.gpkg")
    again = geopandas.read_file(tmp_path / "scenes.gpkg")
    assert list(again["id"]) == list(table.index)
    assert list(again["time"]) == list(table["time"])


def test_without_geopandas_footprints_are_text(
    store_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find: Callable[..., Any] = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "geopandas" else find(name, *rest),
    )
    table = Store(store_path).index()
    assert type(table) is pd.DataFrame
    assert table["footprint"].str.startswith("POLYGON ((").all()


@pytest.mark.parametrize("damage", ["group", "missing chunk", "short chunk"])
def test_damaged_scenes_are_left_out_and_named(
    store_path: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    shutil.copytree(store_path, tmp_path / "store.zarr")
    store = Store(tmp_path / "store.zarr")
    first, *others = store.scenes
    scene = Path(store.path, "scenes", first)
    chunk = scene / "tie_latitude" / "c" / "0" / "0"
    if damage == "group":
        (scene / "zarr.json").write_text(json.dumps({}))
    elif damage == "missing chunk":
        chunk.unlink()
    else:
        chunk.write_bytes(chunk.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        assert list(Store(store.path).index().index) == others
    assert f"{first} left out" in caplog.text


def test_an_empty_store_has_an_empty_table(tmp_path: Path) -> None:
    table = StoreWriter.create(str(tmp_path / "store.zarr"), Recipe()).index()
    assert table.empty
    assert table.index.name == "id"
    assert "SOD_old_ice" in table.columns
