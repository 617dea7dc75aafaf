import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import html5lib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from support.learnable_scenes import SCENES, TEST_SCENE, UNCHARTED
from support.webpages import check_page

from seaice_data.colours import LAND_COLOUR, WMO_COLOURS
from seaice_data.flags import FLAG_LAND
from seaice_data.sources.charts import charts_of
from seaice_data.store.store import Store
from seaice_model.errors import MapError
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.pages.index import add_entry, scores_of, write_index
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.scores.score import score_maps
from seaice_model.style import COLOURS

DATA_ONLY = PredictSettings(plots=False)


@pytest.fixture
def maps(tmp_path: Path, run: Path, store: Store) -> Path:
    path = tmp_path / "maps"
    predict_store(store, run, path, DATA_ONLY, scenes=[TEST_SCENE, UNCHARTED, SCENES[0]])
    return path


def test_the_page_shows_all_scenes_with_chart_and_map(maps: Path, store: Store) -> None:
    page = write_index(maps, charts_of(store))
    images = check_page(page)
    # Three charts: of the map, and of the ice service where there is one.
    assert len(images) == len(set(images)) == 3 * (2 + 1 + 2)
    text = page.read_text()
    for scene in (TEST_SCENE, UNCHARTED, SCENES[0]):
        assert f'<section id="{scene}"' in text
        assert f'href="{scene}.nc"' in text
    assert text.count('type="range"') == 2
    assert "thick first-year ice" in text


def test_the_scores_on_the_page_are_those_of_score_maps(maps: Path, store: Store) -> None:
    text = write_index(maps, charts_of(store)).read_text()
    combined = score_maps(maps, charts_of(store)).scenes[TEST_SCENE].combined
    assert f"combined score {combined:.1f} %" in text


def test_the_hidden_truth_is_not_shown_as_a_chart(maps: Path, store: Store) -> None:
    charts = charts_of(store)
    hidden = {id_: replace(scene, is_hidden=True) for id_, scene in charts.scenes.items()}
    page = write_index(maps, replace(charts, scenes=hidden))
    assert 'type="range"' not in page.read_text()
    entry = json.loads((maps / "index" / f"{TEST_SCENE}.json").read_text())
    assert (entry["has_charts"], entry["scores"]) == (False, {})


def test_thumbnails_have_the_colours_of_the_classes(maps: Path, store: Store) -> None:
    write_index(maps, charts_of(store))
    with Image.open(maps / "index" / f"{TEST_SCENE}_SOD_map.png") as thumbnail:
        pixels = np.asarray(thumbnail.convert("RGB"))
    chart_map = read_netcdf(maps / f"{TEST_SCENE}.nc")
    shown = chart_map.charts[1]
    assert pixels.shape[:2] == shown.shape  # a small scene is not thinned, and is north up
    for value in set(np.unique(shown)) - {255}:
        colour = WMO_COLOURS["SOD"][value]
        assert np.abs(pixels[shown == value] / 255 - to_rgb(colour)).max() < 0.01
    assert chart_map.flags[0, -1] & FLAG_LAND
    assert np.abs(pixels[0, -1] / 255 - to_rgb(LAND_COLOUR)).max() < 0.01


def test_thumbnails_of_earlier_versions_are_kept_with_their_legend(maps: Path) -> None:
    former = "in the colours of earlier versions"
    assert former not in write_index(maps).read_text()
    entry = maps / "index" / f"{TEST_SCENE}.json"
    known = json.loads(entry.read_text())
    entry.write_text(json.dumps({k: v for k, v in known.items() if k != "look"}))
    thumbnail = maps / "index" / f"{TEST_SCENE}_SOD_map.png"
    before = thumbnail.read_bytes(), entry.read_bytes()
    text = write_index(maps).read_text()
    assert (thumbnail.read_bytes(), entry.read_bytes()) == before
    assert text.count(former) == 1 + 3  # the scene, and three legends
    assert COLOURS["SOD"][3] in text


def test_tables_are_scrolled_and_nothing_is_wider_than_a_phone(maps: Path) -> None:
    """Read from the page itself: no browser is here to show it."""
    text = write_index(maps).read_text()
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert text.count('<div class="wide">') == text.count("<table>")
    # Nothing else has a least width that a phone does not have: 20rem.
    assert all(float(n) < 18 for n in re.findall(r"(?<!max-)width: ([\d.]+)rem", text))


def test_entries_are_kept_until_weights_or_charts_change(maps: Path, store: Store) -> None:
    write_index(maps)
    entry = maps / "index" / f"{TEST_SCENE}.json"
    assert json.loads(entry.read_text())["scores"] == {}
    write_index(maps, charts_of(store))
    made = entry.stat().st_mtime_ns
    expected = score_maps(maps, charts_of(store)).scenes[TEST_SCENE].by_name
    assert json.loads(entry.read_text())["scores"] == expected
    write_index(maps)
    write_index(maps, charts_of(store))
    assert entry.stat().st_mtime_ns == made
    known = json.loads(entry.read_text())
    entry.write_text(json.dumps({**known, "weights": "others"}))
    write_index(maps)
    assert json.loads(entry.read_text())["weights"] == known["weights"]
    entry.write_text("damaged")
    write_index(maps)
    assert json.loads(entry.read_text())["weights"] == known["weights"]


def test_entries_can_be_made_one_by_one(maps: Path, store: Store) -> None:
    charts = charts_of(store)
    for path in maps.glob("*.nc"):
        chart_map = read_netcdf(path)
        charted = charts.scenes.get(chart_map.scene)
        truth = charted.read() if charted else None
        scores = scores_of(chart_map, chart_map.grid, truth)
        add_entry(maps, chart_map, chart_map.grid, truth, scores)
    before = {p: p.stat().st_mtime_ns for p in (maps / "index").iterdir()}
    write_index(maps)
    assert {p: p.stat().st_mtime_ns for p in (maps / "index").iterdir()} == before


def test_a_map_on_the_grid_of_the_store_is_shown_without_scores(
    store: Store, run: Path, tmp_path: Path
) -> None:
    coarse = PredictSettings(grid="store")
    predict_store(store, run, tmp_path, coarse, scenes=[TEST_SCENE])
    assert len(check_page(tmp_path / "index.html")) == 6
    assert "combined score -" in (tmp_path / "index.html").read_text()


def test_other_files_in_the_folder_do_not_stop_predictions(
    store: Store, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other.nc").write_text("no map")
    os.mkfifo(tmp_path / "pipe.nc")
    report = predict_store(store, run, tmp_path, scenes=[TEST_SCENE])
    assert report.n_written == 1
    assert "left out of index.html: cannot read map" in caplog.text
    assert "pipe.nc' is not a regular file" in caplog.text
    assert len(check_page(tmp_path / "index.html")) == 6


def test_a_scene_is_shown_once(maps: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copy(maps / f"{TEST_SCENE}.nc", maps / "copy.nc")
    assert len(check_page(write_index(maps))) == 3 * 3
    assert f"is a second map of '{TEST_SCENE}'" in caplog.text


def test_a_deleted_map_disappears_from_the_page(maps: Path) -> None:
    write_index(maps)
    (maps / f"{TEST_SCENE}.nc").unlink()
    assert TEST_SCENE not in write_index(maps).read_text()


def test_a_folder_without_maps_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="no maps in"):
        write_index(tmp_path)


def test_names_are_escaped(store: Store, run: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a <b> & 'c'"
    shutil.copytree(run, odd)
    predict_store(store, odd, tmp_path / "m & n", scenes=[TEST_SCENE])
    page = tmp_path / "m & n" / "index.html"
    assert len(check_page(page)) == 6
    assert "a &lt;b&gt; &amp;" in page.read_text()


EVIL = '"><script>alert(1)</script><b id="'


@pytest.mark.parametrize(
    "changes",
    [
        {"width": f"1{EVIL}"}, {"width": 10**6}, {"height": -1}, {"has_charts": EVIL},
        {"scores": {"SIC": EVIL}}, {"scores": {"SIC": float("nan")}}, {"scores": EVIL},
        {"scene": EVIL}, {"scene": UNCHARTED}, {"weights": 1}, {"weights": None},
    ],
)  # fmt: skip
def test_an_entry_that_is_not_ours_is_made_again(
    maps: Path, changes: dict[str, object]
) -> None:
    page = write_index(maps)
    before = page.read_text()
    entry = maps / "index" / f"{TEST_SCENE}.json"
    known = json.loads(entry.read_text())
    entry.write_text(json.dumps({**known, **changes}))
    assert write_index(maps).read_text() == before
    assert json.loads(entry.read_text()) == known
    # Entries of version 0.1 contained the time, too; now it comes from the id.
    entry.write_text(json.dumps({**known, "acquired": EVIL}))
    made = entry.stat().st_mtime_ns
    assert write_index(maps).read_text() == before
    assert entry.stat().st_mtime_ns == made


def test_texts_of_a_map_are_escaped_on_the_page(maps: Path) -> None:
    with h5py.File(maps / f"{TEST_SCENE}.nc", "a") as file:
        for name in ("run", "store", "software"):
            file.attrs[name] = EVIL
    (maps / f"{TEST_SCENE}.nc").rename(maps / "0.nc")  # the first, which is quoted
    page = write_index(maps)
    check_page(page)
    document = html5lib.parse(page.read_text(), namespaceHTMLElements=False)
    assert len([*document.iter("script")]) == 1
    (text,) = [p.text for p in document.iter("p") if (p.text or "").startswith("Made by")]
    assert text.startswith(f"Made by {EVIL} with {EVIL} from {EVIL}.")


@pytest.mark.parametrize(
    "name", ["a#b?c%20d", EVIL.replace("/", ""), "javascript:alert(1)", b"a\xff"]
)
def test_a_page_links_to_files_of_any_name(maps: Path, name: str | bytes) -> None:
    (maps / f"{TEST_SCENE}.nc").rename(maps / f"{os.fsdecode(name)}.nc")
    page = write_index(maps)
    check_page(page)  # all links lead to files
    assert f'<section id="{TEST_SCENE}"' in page.read_text()


@pytest.mark.parametrize("scene", [EVIL, "../../../victim/x", "x" * 240, "", ".hidden"])
def test_a_map_without_a_valid_scene_id_is_left_out_of_the_page(
    tmp_path: Path, maps: Path, scene: str
) -> None:
    (tmp_path / "victim").mkdir()
    deep = tmp_path / "a" / "b" / "maps"
    shutil.copytree(maps, deep)
    with h5py.File(deep / f"{TEST_SCENE}.nc", "a") as file:
        file.attrs["scene"] = scene
    page = write_index(deep)
    assert len(check_page(page)) == 3 * 2
    assert "alert" not in page.read_text()
    assert [*(tmp_path / "victim").iterdir()] == []
    assert {p.name[:19] for p in (deep / "index").iterdir()} == {UNCHARTED, SCENES[0]}
