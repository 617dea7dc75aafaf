"""Settings of a run are read again as they were written, or refused with a reason."""

import json
import shutil
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest
from support.learnable_scenes import TINY

from seaice_data.store.store import Store
from seaice_model.errors import RunError
from seaice_model.runs.checkpoint import load
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.settings import load_settings, save_settings
from seaice_model.training.run_settings import new_settings, resumed_settings


def test_settings_are_readable_json(run: Path) -> None:
    folder = RunFolder(run)
    assert json.loads(folder.settings.read_text())["config"]["train"]["n_epochs"] == 3
    assert load_settings(folder.settings) == load(folder.last).settings


def test_neither_secrets_nor_half_characters_of_a_store_are_kept(
    tmp_path: Path, store: Store
) -> None:
    for path, kept in {
        "http://user:word@host/s.zarr?token=abc": "http://host/s.zarr?token=...",
        "K\udcf8benhavn.zarr": r"K\udcf8benhavn.zarr",
    }.items():
        there = copy(store)
        there.storage = copy(store.storage)
        there.storage.location = path
        settings = new_settings(there, TINY)
        assert settings.store.path == kept
        save_settings(settings, tmp_path / "settings.json")
        assert load_settings(tmp_path / "settings.json") == settings


def test_a_secret_that_an_old_run_kept_is_removed_when_it_is_resumed(
    tmp_path: Path, store: Store, run: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(run, folder.path)
    settings = load_settings(folder.settings)
    record = replace(settings.store, path="http://user:word@host/s.zarr")
    save_settings(replace(settings, store=record), folder.settings)
    assert resumed_settings(store, folder, None).store.path == "http://host/s.zarr"


def test_unknown_settings_are_refused(tmp_path: Path, run: Path) -> None:
    text = RunFolder(run).settings.read_text().replace('"patch_size"', '"patch"')
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(RunError, match="is damaged: unknown setting 'patch'"):
        load_settings(tmp_path / "settings.json")


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"5",
        b"null",
        b'"x"',
        b"{}",
        b'{"config": 5}',
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"9" * 5000,
        b"\0",
        b"",
    ],
)
def test_damaged_settings_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "settings.json").write_bytes(content)
    with pytest.raises(RunError, match=r"settings\.json' is damaged: ") as caught:
        load_settings(tmp_path / "settings.json")
    assert "--overwrite" in str(caught.value.hint)
