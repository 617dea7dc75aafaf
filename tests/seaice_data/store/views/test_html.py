"""What notebooks show of stores and scenes: short, escaped, and never an exception."""

import shutil
from pathlib import Path

import html5lib
import pytest
from support.coded_scenes import SCENE_ID, write_coded

from seaice_data.preparation.prepare import prepare
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.writer import StoreWriter


def words(page: str) -> list[str]:
    """Return the texts of a valid piece of HTML."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return list(parser.parseFragment(page).itertext())


def test_a_store_says_what_it_is(store_path: str) -> None:
    store = Store(store_path)
    shown = words(store._repr_html_())
    assert "6" in shown
    assert "train 4, validation 1, test 1" in shown
    assert any("hh, hv" in text for text in shown)
    assert len(store._repr_html_()) < 2000


def test_a_scene_has_a_table_and_two_thumbnails(store_path: str) -> None:
    store = Store(store_path)
    scene = store[store.splits["train"][0]]
    page = scene._repr_html_()
    shown = words(page)
    assert f"Scene {scene.id}" in shown
    assert page.count("data:image/png;base64,") == 2
    assert "HH" in shown
    assert "SOD" in shown
    assert len(page) < 100_000


def test_compressed_inputs_are_not_read_for_a_table(
    store_path: str, tmp_path: Path
) -> None:
    store = Store(store_path)
    scene = store[store.scenes[0]]
    scene._repr_html_()
    assert {"inputs", "charts"}.isdisjoint(vars(scene))  # nothing is kept
    write_coded(tmp_path / "raw", 26, 27)
    recipe = Recipe(ratio=1, channels=("hh", "hv"), codec="zstd")
    prepare(tmp_path / "raw", tmp_path / "store.zarr", recipe)
    packed = Store(tmp_path / "store.zarr")
    shutil.rmtree(Path(packed.path, "scenes", SCENE_ID, "inputs", "c"))
    shown = words(packed[SCENE_ID]._repr_html_())
    assert "SOD" in shown
    assert "HH" not in shown


def test_a_store_without_scenes_is_shown(tmp_path: Path) -> None:
    made = StoreWriter.create(str(tmp_path / "a & b.zarr"), Recipe())
    shown = words(made._repr_html_())
    assert f"Store {tmp_path}/a & b.zarr" in shown
    assert "not divided yet" in shown


def test_damage_is_a_line_not_an_exception(store_path: str, tmp_path: Path) -> None:
    shutil.copytree(store_path, tmp_path / "store.zarr")
    store = Store(tmp_path / "store.zarr")
    scene = store[store.scenes[0]]
    shutil.rmtree(Path(store.path, "scenes", scene.id, "inputs"))
    (line,) = [text for text in words(scene._repr_html_()) if "missing or has" in text]
    assert "inputs" in line


def test_a_store_is_a_collection_of_scenes_by_id(store_path: str) -> None:
    store = Store(store_path)
    assert len(store) == 6
    assert list(store) == list(store.scenes)
    first = store.scenes[0]
    assert first in store
    assert "20990101T000000_dmi" not in store
    assert 3 not in store
    assert store[first].id == first
    with pytest.raises(Exception, match="scenes are found by their ids, not by 0"):
        store[0]  # type: ignore[index]
