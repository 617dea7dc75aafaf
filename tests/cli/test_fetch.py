"""`seaice fetch`, from a server on loopback."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.command_results import Result
from support.download_server import Served, serving
from support.packing import packed


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with serving() as served:
        served.data_set = {"test.tar.gz": packed({"test/9_prep.nc": b"9"})}
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def test_a_dataset_is_fetched(
    seaice: Callable[..., Result], server: Served, tmp_path: Path
) -> None:
    listed = seaice("fetch", tmp_path / "raw", "--list")
    assert listed.code == 0
    assert listed.out.splitlines()[0].endswith(" MB  test.tar.gz")
    assert not (tmp_path / "raw").exists()
    done = seaice("fetch", tmp_path / "raw", "--split", "test")
    assert done.code == 0
    assert done.out.startswith("1 file fetched to ")
    assert "1 unpacked, 0 failed" in done.out
    assert "https://doi.org/10.11583/DTU.c.6244065.v2" in done.err
    again = json.loads(seaice("fetch", tmp_path / "raw", "--json").out)
    assert (again["fetched"], again["kept"]) == (0, 1)
    server.corrupt = "test.tar.gz"
    failed = seaice("fetch", tmp_path / "other")
    assert failed.code == 1
    assert "not fetched: test.tar.gz: what was downloaded" in failed.err


def test_a_server_that_cannot_be_reached_is_named(
    seaice: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    failed = seaice("fetch", tmp_path / "raw")
    assert failed.code == 1
    assert "cannot reach 'http://127.0.0.1:9" in failed.err
    assert not (tmp_path / "raw").exists()
