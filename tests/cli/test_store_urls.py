"""Commands on stores at URLs: secrets are never shown, and no command hangs."""

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seaice.main import app
from seaice_data.errors import StoreError
from seaice_data.storage.storage import open_storage
from seaice_data.store.store import Store

SECRET = "s3cr3t"  # noqa: S105 - must never be shown
NOWHERE = "127.0.0.1:9"
ODD_URLS = (
    f"ftp://u:{SECRET}@{NOWHERE}/x",
    f"ssh://u:{SECRET}@{NOWHERE}/x",
    f"smb://u:{SECRET}@h/x",
    f"http://u:{SECRET}@{NOWHERE}/x?token={SECRET}",
    f"reference://::http://u:{SECRET}@{NOWHERE}/x",
    f"webhdfs://{NOWHERE}/x",
    "http://[::1",
    "s3://",
    "://",
    "::",
    "a::b::c",
    "file://",
    "data:,x",
    "nope://x",
    "zip://a::b",
    "tar://x",
    "dir::x",
    "cached://x",
    "simplecache::simplecache::x",
    "blockcache::x",
    "async_wrapper://x",
    "generic://x",
    "jupyter://x",
    "dbfs://x",
    "dask://x",
    "git://x",
    "gs://x/y",
    "abfs://x/y",
    "hf://x/y",
    "a\0b",
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(store_path: str) -> Iterator[str]:
    """Serve the store at a URL with a password."""
    folder = Path(store_path)
    handler = functools.partial(Quiet, directory=str(folder.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://user:{SECRET}@127.0.0.1:{server.server_port}/{folder.name}"
        server.shutdown()


@pytest.mark.parametrize("odd", ODD_URLS)
def test_an_odd_url_gives_an_error_of_one_line_without_its_secrets(
    odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as caught:
        Store.open(odd)
    words = f"{caught.value} {caught.value.hint}"
    assert SECRET not in words
    assert "\n" not in words


def test_a_storage_keeps_its_url_and_shows_it_without_secrets() -> None:
    storage = open_storage(f"simplecache::http://u:{SECRET}@{NOWHERE}/s.zarr")
    assert storage.path == f"simplecache::http://{NOWHERE}/s.zarr"
    assert storage.location == storage.url != storage.path


def test_secrets_of_a_url_are_neither_written_nor_shown(
    url: str, config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands: dict[int, list[list[str]]] = {
        0: [
            ["info", url],
            ["verify", url, "--jobs", "1"],
            ["train", url, "--config", str(config_path), "--device", "cpu"],
            ["train", url, "--resume", "--device", "cpu"],
            ["predict", url, "--out", "maps", "--split", "test", "--device", "cpu"],
            ["score", "maps", "--truth", url, "--report", "report.html"],
        ],
        1: [["predict", url, "--out", "m", "--scene", "20990101T000000_dmi"]],
    }
    for code, lines in commands.items():
        for line in lines:
            done = CliRunner().invoke(app, line)
            assert done.exit_code == code, (line, done.output)
            assert SECRET not in done.output, line
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"settings.json", "index.html", "report.html"} <= {path.name for path in files}
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path


def test_the_log_of_libraries_does_not_show_keys() -> None:
    environment = {
        "AWS_ENDPOINT_URL": f"http://{NOWHERE}",
        "AWS_ACCESS_KEY_ID": "AKIASOMEONE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("seaice"), "-v", "info", "s3://bucket/s.zarr"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "AKIASOMEONE" not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
