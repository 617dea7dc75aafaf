"""One file: resumed, checked, whole or absent."""

import errno
import hashlib
import http.client
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.download_server import PIECE, Served, serving

from seaice_data.download.remote_file import RemoteFile
from seaice_data.download.transfers import (
    StoppedError,
    is_complete,
    n_bytes_left,
    part_of,
    transfer,
)
from seaice_data.errors import DownloadError, ForeignFileError

CONTENT = bytes(range(256)) * 64  # 16 KiB: four pieces and a rest
NAME = "scene.nc"
AT_ONCE = (0.0, 0.0)


def listed(server: Served, content: bytes = CONTENT) -> RemoteFile:
    server.data_set = {NAME: content}
    digits = hashlib.sha256(content).hexdigest()
    url = f"{server.url}/datasets/a/b/resolve/main/{NAME}"
    return RemoteFile(NAME, url, len(content), f"sha256:{digits}")


def test_a_file_is_whole(server: Served, tmp_path: Path) -> None:
    file, came = listed(server), []
    transfer(file, tmp_path / NAME, on_bytes=came.append)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert sum(came) == len(CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_an_empty_file_is_a_file(server: Served, tmp_path: Path) -> None:
    transfer(listed(server, b""), tmp_path / NAME)
    assert (tmp_path / NAME).read_bytes() == b""


def test_connections_that_break_are_continued(server: Served, tmp_path: Path) -> None:
    file = listed(server)
    server.breaks = 3
    transfer(file, tmp_path / NAME, waits_s=AT_ONCE)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    asked = [range_ for _, range_ in server.asked]
    assert asked == ["", f"bytes={PIECE}-", f"bytes={2 * PIECE}-", f"bytes={3 * PIECE}-"]


def test_another_process_continues(server: Served, tmp_path: Path) -> None:
    file, path = listed(server), tmp_path / NAME
    part_of(path).write_bytes(CONTENT[:1000])
    assert n_bytes_left(file, path) == len(CONTENT) - 1000
    transfer(file, path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [(NAME, "bytes=1000-")]


def test_a_process_that_ended_before_the_renaming_asks_for_nothing(
    server: Served, tmp_path: Path
) -> None:
    part_of(tmp_path / NAME).write_bytes(CONTENT)
    transfer(listed(server), tmp_path / NAME)
    assert ((tmp_path / NAME).read_bytes(), server.asked) == (CONTENT, [])


def test_a_server_without_ranges_sends_the_whole(server: Served, tmp_path: Path) -> None:
    file, came = listed(server), []
    server.knows_ranges = False
    part_of(tmp_path / NAME).write_bytes(CONTENT[:1000])
    transfer(file, tmp_path / NAME, on_bytes=came.append)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert sum(came) == len(CONTENT) - 1000


def test_a_file_without_a_checksum_is_not_put_together_from_two(
    server: Served, tmp_path: Path
) -> None:
    file, came = replace(listed(server), checksum=""), []
    part_of(tmp_path / NAME).write_bytes(bytes(1000))  # of an earlier version
    server.breaks = 2
    transfer(file, tmp_path / NAME, on_bytes=came.append, waits_s=AT_ONCE)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert [range_ for _, range_ in server.asked] == ["", "", ""]
    assert sum(came) == len(CONTENT) - 1000


def test_a_server_that_always_breaks_off_a_file_without_a_checksum_is_left_alone(
    server: Served, tmp_path: Path
) -> None:
    file = replace(listed(server), checksum="")
    server.breaks = 100
    with pytest.raises(DownloadError, match="of 16384 bytes"):
        transfer(file, tmp_path / NAME, waits_s=AT_ONCE)
    assert len(server.asked) == 1 + len(AT_ONCE)


def test_a_network_that_goes_away_is_waited_for(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, read, n_reads = listed(server), http.client.HTTPResponse.read1, 0

    def lose_the_route(*arguments: Any) -> bytes:
        nonlocal n_reads
        n_reads += 1
        if n_reads == 2:
            raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
        return read(*arguments)

    monkeypatch.setattr(http.client.HTTPResponse, "read1", lose_the_route)
    transfer(file, tmp_path / NAME, waits_s=AT_ONCE)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_full_disk_is_not_an_error_of_the_network(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(http.client.HTTPResponse, "read1", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        transfer(listed(server), tmp_path / NAME, waits_s=AT_ONCE)


def test_a_busy_server_is_asked_again(server: Served, tmp_path: Path) -> None:
    file = listed(server)
    server.busy = 2
    transfer(file, tmp_path / NAME, waits_s=AT_ONCE)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_left_alone(server: Served, tmp_path: Path) -> None:
    file = listed(server)
    server.busy = 99
    with pytest.raises(DownloadError, match="answers 503") as caught:
        transfer(file, tmp_path / NAME, waits_s=AT_ONCE)
    assert caught.value.hint == "run the same command again to continue"
    assert len(server.asked) == 1 + len(AT_ONCE)


def test_a_server_that_wants_a_browser_is_named(server: Served, tmp_path: Path) -> None:
    file = listed(server)
    server.wants_browsers = True
    with pytest.raises(DownloadError, match="answers 202 instead of a file") as caught:
        transfer(file, tmp_path / NAME, waits_s=AT_ONCE)
    assert "browser" in str(caught.value.hint)
    assert len(server.asked) == 1


def test_other_bytes_get_no_name_and_leave_nothing(server: Served, tmp_path: Path) -> None:
    file = listed(server)
    server.corrupt = NAME
    with pytest.raises(DownloadError, match="has the checksum sha256:"):
        transfer(file, tmp_path / NAME)
    assert not (tmp_path / NAME).exists()
    assert list(tmp_path.iterdir()) == []
    server.corrupt = ""
    transfer(file, tmp_path / NAME)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_damage_on_the_disk_is_found(server: Served, tmp_path: Path) -> None:
    part_of(tmp_path / NAME).write_bytes(bytes(1000))
    with pytest.raises(DownloadError, match="has the checksum"):
        transfer(listed(server), tmp_path / NAME)


def test_a_longer_file_is_refused(server: Served, tmp_path: Path) -> None:
    file = listed(server)
    server.data_set = {NAME: CONTENT + b"more"}
    with pytest.raises(DownloadError, match="longer than the 16384 bytes"):
        transfer(file, tmp_path / NAME)


def test_a_missing_file_is_not_asked_for_twice(server: Served, tmp_path: Path) -> None:
    file = RemoteFile(NAME, f"{server.url}/nowhere?token=s3cr3t", 1)
    with pytest.raises(DownloadError, match="answers 404") as caught:
        transfer(file, tmp_path / NAME)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1:9/x", "x"])
def test_only_http_is_spoken(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not an address at http or https"):
        transfer(RemoteFile(NAME, url, 1), tmp_path / NAME)


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cannot reach 'http://127"):
        transfer(RemoteFile(NAME, "http://127.0.0.1:9/x", 1), tmp_path / NAME, waits_s=())


def test_a_download_that_is_stopped_keeps_what_came(server: Served, tmp_path: Path) -> None:
    file, stop = listed(server), Event()
    stop.set()
    with pytest.raises(StoppedError):
        transfer(file, tmp_path / NAME, stop=stop)
    n_came = part_of(tmp_path / NAME).stat().st_size
    assert 0 < n_came <= len(CONTENT)
    transfer(file, tmp_path / NAME)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_files_of_another_size_are_not_ours(server: Served, tmp_path: Path) -> None:
    file, path = listed(server), tmp_path / NAME
    assert not is_complete(file, path)
    path.write_bytes(b"mine")
    with pytest.raises(ForeignFileError, match="of 4 bytes"):
        is_complete(file, path)
    assert not is_complete(file, path, overwrite=True)
    path.write_bytes(CONTENT)
    assert is_complete(file, path)


@settings(max_examples=20)
@given(n_bytes=st.integers(0, 5 * PIECE), n_before=st.integers(0, 6 * PIECE))
def test_whatever_was_there_the_file_is_the_same(n_bytes: int, n_before: int) -> None:
    content = (CONTENT * 2)[:n_bytes]
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, NAME)
        file = listed(server, content)
        part_of(path).write_bytes((CONTENT * 2)[:n_before])
        server.breaks = 2
        transfer(file, path, waits_s=AT_ONCE)
        assert path.read_bytes() == content
