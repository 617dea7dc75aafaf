"""Stores made or edited by others end in one clear error, and never run code."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.coded_scenes import write_coded

from seaice_data.errors import DamageError, StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.settings import from_mapping
from seaice_data.sources.charts import charts_of
from seaice_data.store.recipe import Recipe
from seaice_data.store.selection import select
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.verify import remove_damaged, verify

IDS = ("20190114T101830_dmi", "20190214T101830_dmi")
DEEP, LONG = "[" * 100_000, '{"attributes": ' + "9" * 5000 + "}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Make a store of two scenes in each zarr format."""
    folder = tmp_path_factory.mktemp("foreign")
    for scene_id in IDS:
        write_coded(folder / "raw", 203, 251, scene_id)
    for zarr_format, codec in ((2, "zstd"), (3, "none")):
        recipe = from_mapping(Recipe, {"zarr_format": zarr_format, "codec": codec})
        prepare(folder / "raw", folder / f"{zarr_format}.zarr", recipe)
    return {zarr_format: folder / f"{zarr_format}.zarr" for zarr_format in (2, 3)}


@pytest.fixture
def store(made: dict[int, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[3], tmp_path / "store.zarr"))


@pytest.fixture
def store_2(made: dict[int, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[2], tmp_path / "store.zarr"))


def change(document: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(document.read_text())
    edit(content)
    document.write_text(json.dumps(content))


class Payload:
    """Something that writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def put_payload(array: Path, mark: Path, **chain: object) -> None:
    change(array / ".zarray", lambda document: document.update(chain))
    for chunk in array.iterdir():
        if chunk.name[0].isdigit():
            chunk.write_bytes(pickle.dumps(Payload(mark)))


@pytest.mark.parametrize("array", ["tie_latitude", "channel", "full_charts"])
@pytest.mark.parametrize(
    "chain",
    [
        {"filters": [{"id": "vlen-utf8"}, {"id": "pickle"}], "compressor": None}
        | {"dtype": "|O", "fill_value": ""},
        {"filters": [{"id": "pickle"}], "compressor": None},
        {"compressor": {"id": "pickle"}},
    ],
    ids=["old", "filter", "compressor"],
)
def test_no_codec_runs_code(
    store_2: Path, tmp_path: Path, array: str, chain: dict[str, object]
) -> None:
    mark = tmp_path / "mark"
    put_payload(store_2 / "scenes" / IDS[1] / array, mark, **chain)
    scene = Store.open(store_2).scene(IDS[1])
    with pytest.raises(DamageError, match=r"seaice does not write .*pickle"):
        scene.whole_array(array)
    damages = verify(store_2).damages
    assert {(damage.scene, damage.array) for damage in damages} == {(IDS[1], array)}
    assert not mark.exists()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda d: d["codecs"].append({"name": "numcodecs.pickle"}), "numcodecs.pickle"),
        (lambda d: d["codecs"].append({"name": "gzip"}), "does not write the codec 'gzip'"),
        (lambda d: d.update(codecs=3), "codecs must be a list, got 3"),
        (lambda d: d.update(storage_transformers=["a"]), "storage transformers"),
        (lambda d: d.update(data_type="object"), "its type is 'object', not 'uint8'"),
        (lambda d: d.update(data_type={"name": "struct"}), "data_type must be str"),
        (
            lambda d: d.update(shape=[3, 10**6, 10**6]),
            "its shape .* does not fit the scene",
        ),
        (lambda d: d.update(shape=[3, -203, 251]), "its shape .* does not fit the scene"),
        (lambda d: d.update(shape=[3, "203", 251]), r"shape\[1\] must be int, got '203'"),
        (
            lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[10**6] * 3),
            "its chunks .* are too many or too large",
        ),
        (
            lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[1, 0, 251]),
            "its chunks .* do not fit its shape",
        ),
        (lambda d: d.update(fill_value=[]), "fill_value must be str, got a list"),
        (lambda d: d.update(node_type="group"), "node_type must be one of array"),
    ],
)
def test_an_array_is_refused_before_it_is_read(
    store: Path, edit: Callable[[dict[str, Any]], object], words: str
) -> None:
    change(store / "scenes" / IDS[1] / "full_charts" / "zarr.json", edit)
    with pytest.raises(DamageError, match=f"'full_charts' cannot be read: .*{words}"):
        Store.open(store).scene(IDS[1]).full_charts()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", DEEP.encode(), LONG.encode()])
@pytest.mark.parametrize(
    "name", ["zarr.json", f"scenes/{IDS[1]}/zarr.json", f"scenes/{IDS[1]}/charts/zarr.json"]
)
def test_a_document_that_is_not_one_is_damage(
    store: Path, name: str, content: bytes
) -> None:
    (store / name).write_bytes(content)
    if name == "zarr.json":
        with pytest.raises(StoreError, match="is not a seaice store: "):
            Store.open(store)
        return
    assert [damage.scene for damage in verify(store).damages] == [IDS[1]]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda a: a.update(grid=[]), "grid must be a table, got a list"),
        (lambda a: a["grid"].update(height="20"), "grid.height must be int, got '20'"),
        (lambda a: a["grid"].update(height=21), r"grid has the shape \(21, 25\)"),
        (lambda a: a["source_grid"].update(height=10**9), "source_grid has 1000000000 x"),
        (lambda a: a["source_grid"].update(width=-1), "source_grid has 203 x -1"),
        (lambda a: a.update(stats=3), "stats must be a table, got 3"),
        (lambda a: a["stats"].update(count=[1]), "stats must have"),
        (lambda a: a.update(class_counts={}), "class_counts.SIC must have 12 counts"),
        (lambda a: a["full_class_counts"].update(SIC="x"), "must be a list, got 'x'"),
        (lambda a: a.update(valid_share="much"), "valid_share must be float, got 'much'"),
        (lambda a: a.update(has_charts="no"), "has_charts must be bool, got 'no'"),
        (lambda a: a.update(source_files={}), "source_files must be a list, got a table"),
        (lambda a: a.update(source_files=[{"name": 3}]), r"source_files\[0\].name must be"),
        (lambda a: a.update(id="../../etc"), "'../../etc' is not a scene id"),
        (lambda a: a.update(id=IDS[0]), f"it belongs to scene '{IDS[0]}'"),
        (lambda a: a.update(service="cis"), "its service is 'cis'"),
        (lambda a: a.update(checksums=[]), "checksums must be a table"),
        (lambda a: a.pop("region"), "'region' is missing"),
        (lambda a: a.update(fingerprint="0" * 16), "has another recipe"),
    ],
)
def test_a_bad_scene_is_named_and_does_not_stop_the_rest(
    store: Path,
    edit: Callable[[dict[str, Any]], object],
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    change(store / "scenes" / IDS[1] / "zarr.json", lambda d: edit(d["attributes"]))
    opened = Store.open(store)
    assert opened.scenes == IDS
    with pytest.raises(DamageError, match=words):
        opened.scene(IDS[1])
    scenes, (failure,) = opened.open_scenes()
    assert ([scene.id for scene in scenes], failure.name) == ([IDS[0]], IDS[1])
    assert [damage.scene for damage in verify(store).damages] == [IDS[1]]
    assert select(opened, "month in 1..2") == (IDS[0],)
    assert f"{IDS[1]} left out" in caplog.text
    charted = charts_of(opened)
    assert ([*charted.scenes], charted.failed) == ([IDS[0]], (failure,))
    assert finish(opened) == [failure]
    assert {*sum(Store.open(store).splits.values(), ())} == {IDS[0]}


@pytest.mark.parametrize("name", ["../inputs", "/etc", "a" * 5000])
def test_names_of_arrays_are_not_paths(store: Path, name: str) -> None:
    change(
        store / "scenes" / IDS[1] / "zarr.json",
        lambda d: d["attributes"]["checksums"].update({name: "00000000"}),
    )
    (damage,) = verify(store).damages
    assert (damage.array, "is not an array of a scene" in damage.reason) == (name, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("splits", {"train": ["../../etc"]}),
        ("splits", {"train": [3]}),
        ("splits_leak", [["a"]]),
        ("class_counts", {"SIC": [1]}),
        ("full_class_counts", 3),
        ("stats", {"count": "many"}),
    ],
)
def test_damaged_root_attributes_are_named_when_they_are_asked_for(
    store: Path, name: str, value: object
) -> None:
    change(store / "zarr.json", lambda d: d["attributes"].update({name: value}))
    opened = Store.open(store)
    with pytest.raises(StoreError, match=f"the {name} of the store .* are damaged: {name}"):
        getattr(opened, name)
    np.testing.assert_array_equal(opened.scene(IDS[0]).charts.shape, (20, 25, 3))


def test_what_is_not_a_scene_is_reported_and_left_alone(
    made: dict[int, Path], store: Path
) -> None:
    shutil.copytree(store / "scenes" / IDS[0], store / "scenes" / "backup")
    shutil.copytree(store / "scenes" / IDS[0], store / "scenes" / f"{IDS[0]}_old")
    (store / "scenes" / "20190314T101830_dmi").mkdir()
    (store / "scenes" / ".zmetadata").write_text("{}")  # of the other format of zarr
    assert Store.open(store).scenes == IDS
    report = verify(store)
    assert report.damages == ()
    assert report.foreign_entries == {
        f"scenes/{IDS[0]}_old": "not part of a store",
        "scenes/.zmetadata": "not part of a store",
        "scenes/backup": "not part of a store",
        "scenes/20190314T101830_dmi": "not a scene: it has no zarr.json",
    }
    assert remove_damaged(store, report) == ()
    assert (store / "scenes" / "backup" / "zarr.json").is_file()
    with pytest.raises(StoreError, match=r"contains .* which is not part of a store"):
        prepare(made[3].parent / "raw", store, overwrite=True)


def test_a_scene_under_the_name_of_another_is_damage(store: Path) -> None:
    other = "20190215T101830_dmi"
    shutil.copytree(store / "scenes" / IDS[1], store / "scenes" / other)
    report = verify(store)
    assert report.damaged_scenes == (other,)
    assert f"it belongs to scene '{IDS[1]}'" in report.damages[0].reason
