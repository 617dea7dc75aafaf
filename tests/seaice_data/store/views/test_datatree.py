"""The tree has what plain xarray finds, and checks all that it reads."""

import logging
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seaice_data.errors import DamageError
from seaice_data.store.store import Store


@pytest.fixture
def store(store_path: str, tmp_path: Path) -> Store:
    shutil.copytree(store_path, tmp_path / "store.zarr")
    return Store(tmp_path / "store.zarr")


def test_it_is_what_plain_xarray_finds(store_path: str) -> None:
    store = Store(store_path)
    tree = store.to_datatree()
    assert (
        tree.attrs["splits"] == xr.open_zarr(store_path, consolidated=False).attrs["splits"]
    )
    assert sorted(tree["scenes"].children) == list(store.scenes)
    scene_id = store.scenes[2]
    plain = xr.open_zarr(store_path, group=f"scenes/{scene_id}", consolidated=False)
    ours = tree[f"scenes/{scene_id}"].to_dataset()
    xr.testing.assert_equal(ours.load(), plain.drop_indexes(["tie_line", "tie_sample"]))
    assert ours.attrs == plain.attrs
    for name, variable in plain.variables.items():
        assert ours[name].attrs == variable.attrs, name
        assert ours[name].dims == variable.dims
        if name not in ("channel", "chart", "polygon_column"):
            assert ours[name].dtype == variable.dtype


def test_parts_are_read_by_name_and_by_number(store_path: str) -> None:
    store = Store(store_path)
    scene = store[store.scenes[0]]
    node = store.to_datatree()[f"scenes/{scene.id}"]
    hv = node.inputs.sel(channel="hv")[5:-5, ::-3]
    position = store.channels.index("hv")
    np.testing.assert_array_equal(hv, scene.inputs[5:-5, ::-3, position])
    sod = node.charts.sel(chart=["FLOE", "SOD"])[[7, 2, 2]]
    np.testing.assert_array_equal(sod, np.asarray(scene.charts)[[7, 2, 2]][..., [2, 1]])


def test_it_travels_to_other_processes(store_path: str) -> None:
    store = Store(store_path)
    node = store.to_datatree()[f"scenes/{store.scenes[0]}"]
    again = pickle.loads(pickle.dumps(node.charts))  # noqa: S301
    np.testing.assert_array_equal(again, store[store.scenes[0]].charts)


def test_a_missing_chunk_is_an_error_not_fill(store: Store) -> None:
    scene_id = store.scenes[0]
    shutil.rmtree(Path(store.path, "scenes", scene_id, "charts", "c"))
    node = store.to_datatree()[f"scenes/{scene_id}"]
    with pytest.raises(DamageError, match="'charts' lacks 1 of 1 chunks"):
        node.charts.load()


def test_a_damaged_scene_is_left_out(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, *others = store.scenes
    Path(store.path, "scenes", first, "zarr.json").write_text("{")
    Path(store.path, "scenes", second, "charts", "zarr.json").unlink()
    with caplog.at_level(logging.WARNING):
        Path(store.path, "scenes", "zarr.json").write_text("{}")
        tree = Store(store.path).to_datatree()
    assert list(tree["scenes"].children) == others
    assert f"{first} left out" in caplog.text
    assert f"{second} left out" in caplog.text
    assert "it is missing" in caplog.text
