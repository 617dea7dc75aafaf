"""Commands on a store with one damaged scene report it and process the others."""

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seaice.main import app
from seaice_data.store.store import Store


@pytest.fixture
def store(store_path: str, tmp_path: Path) -> Path:
    """Make a store whose first scene is damaged, with a folder that is not a scene."""
    store = Path(shutil.copytree(store_path, tmp_path / "store.zarr"))
    first, second = Store.open(store).scenes[:2]
    document = store / "scenes" / first / "zarr.json"
    content = json.loads(document.read_text())
    content["attributes"]["grid"] = []
    document.write_text(json.dumps(content))
    shutil.copytree(store / "scenes" / second, store / "scenes" / "backup")
    return store


def seaice(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done
    return done


def test_info_names_the_damaged_scene_and_the_foreign_folder(store: Path) -> None:
    done = seaice("info", store, "--json")
    summary = json.loads(done.stdout)
    first = Store.open(store).scenes[0]
    assert (done.exit_code, summary["scenes"]) == (0, 6)
    assert f"scene '{first}'" in summary["odd"][0]
    assert "grid must be a table, got a list" in summary["odd"][0]
    assert summary["odd"][1] == "'scenes/backup' is not part of a store"


def test_split_leaves_out_the_damaged_scene_with_a_message(store: Path) -> None:
    done = seaice("split", store)
    assert (done.exit_code, "left out: the metadata" in done.stderr) == (0, True)
    assert sum(map(len, Store.open(store).splits.values())) == 5


def test_verify_removes_only_the_damaged_scene(store: Path) -> None:
    first, *others = Store.open(store).scenes
    done = seaice("verify", store, "--jobs", "1", "--remove", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["removed"]) == (1, [first])
    assert report["strangers"] == {"scenes/backup": "not part of a store"}
    assert f"removed: {first}" in done.stderr
    assert "'scenes/backup' is not part of a store; it is left alone" in done.stderr
    left = sorted(os.listdir(store / "scenes"))  # noqa: PTH208 - names alone
    assert left == sorted([*others, "backup", "zarr.json"])


def test_prepare_does_not_overwrite_a_store_with_a_foreign_folder(
    store: Path, raw_folder: Path
) -> None:
    done = seaice("prepare", raw_folder, store, "--ratio", "5", "--overwrite")
    assert done.exit_code == 1
    assert "contains 'scenes/backup', which is not part of a store" in done.stderr
