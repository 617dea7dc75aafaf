"""The dataset, from servers on loopback."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.download_server import PIECE, Served
from support.packing import contents, packed

from seaice_data.download import fetch
from seaice_data.download.fetch import (
    ARTICLES,
    FetchReport,
    Source,
    fetch_ai4arctic,
    list_ai4arctic,
)
from seaice_data.download.record import RECORD
from seaice_data.download.remote_file import UNFINISHED, RemoteFile
from seaice_data.errors import DownloadError, ForeignFileError
from seaice_data.system.files import alone_in

TRAIN = {f"train/{k}_prep.nc": bytes([k]) * 5 * PIECE for k in range(3)}
TEST = {"test/9_prep.nc": b"9", "test/9_prep_reference.nc": b"99"}


@pytest.fixture
def server(server: Served) -> Served:
    """Return a server with both sources."""
    train = packed(TRAIN)
    server.data_set = {
        "README.md": b"About",
        "train.tar.gzaa": train[:100],
        "train.tar.gzab": train[100:],
        "test.tar.gz": packed(TEST),
    }
    server.articles = {
        ARTICLES["ready", "train"]: {n.split("/")[1]: c for n, c in TRAIN.items()},
        ARTICLES["ready", "test"]: {n.split("/")[1]: c for n, c in TEST.items()},
        ARTICLES["raw", "train"]: {"S1A_raw.nc": b"raw"},
        ARTICLES["raw", "test"]: {"S1B_raw.nc": b"raw"},
    }
    return server


def fetched(server: Served, folder: Path, source: Source | None = None) -> FetchReport:
    return fetch_ai4arctic(folder, source, endpoint=server.url, waits_s=(0, 0))


def scenes(folder: Path) -> dict[str, bytes]:
    return {name: c for name, c in contents(folder).items() if name.endswith(".nc")}


def test_the_mirror_is_unpacked(server: Served, tmp_path: Path) -> None:
    report = fetched(server, tmp_path)
    assert (report.n_fetched, report.n_unpacked, report.failed) == (3, 5, ())
    assert scenes(tmp_path) == TRAIN | TEST
    # No archive is left, and the mirror's README.md is not taken.
    assert set(contents(tmp_path)) == {*TRAIN, *TEST, RECORD}
    assert json.loads((tmp_path / RECORD).read_text())["doi"].startswith("10.11583/")


def test_what_is_unpacked_is_not_fetched_again(server: Served, tmp_path: Path) -> None:
    fetched(server, tmp_path)
    server.asked.clear()
    report = fetched(server, tmp_path)
    assert (report.n_fetched, report.n_kept, report.n_bytes) == (0, 3, 0)
    assert server.asked == []


def test_a_scene_that_is_gone_is_fetched_again(server: Served, tmp_path: Path) -> None:
    fetched(server, tmp_path)
    (tmp_path / "test" / "9_prep.nc").unlink()
    report = fetched(server, tmp_path)
    assert (report.n_fetched, report.n_unpacked) == (1, 2)
    assert scenes(tmp_path) == TRAIN | TEST


def test_archives_may_be_kept(server: Served, tmp_path: Path) -> None:
    fetch_ai4arctic(tmp_path, split="test", keep_archives=True, endpoint=server.url)
    assert (tmp_path / "test.tar.gz").read_bytes() == server.data_set["test.tar.gz"]
    assert scenes(tmp_path) == TEST


def test_dtu_has_a_file_for_each_scene(server: Served, tmp_path: Path) -> None:
    server.breaks = 4
    report = fetched(server, tmp_path, "dtu")
    assert (report.n_fetched, report.n_unpacked, report.failed) == (5, 0, ())
    assert contents(tmp_path) == TRAIN | TEST
    assert report.n_bytes == sum(map(len, (TRAIN | TEST).values()))
    assert fetched(server, tmp_path, "dtu").n_kept == 5


def test_raw_files_are_at_dtu(server: Served, tmp_path: Path) -> None:
    fetch_ai4arctic(tmp_path, version="raw", endpoint=server.url)
    assert contents(tmp_path) == {"train/S1A_raw.nc": b"raw", "test/S1B_raw.nc": b"raw"}
    with pytest.raises(DownloadError, match="has no raw files"):
        list_ai4arctic("hugging-face", version="raw", endpoint=server.url)


def test_single_scenes(server: Served) -> None:
    files = list_ai4arctic("dtu", only="1_prep*", endpoint=server.url)
    assert [file.name for file in files] == ["train/1_prep.nc"]
    with pytest.raises(DownloadError, match="no file that matches '1_prep") as caught:
        list_ai4arctic(only="1_prep*", endpoint=server.url)
    assert "--source dtu" in str(caught.value.hint)


def test_a_date_is_not_a_time(server: Served) -> None:
    names = ["20180325T194759_dmi_prep.nc", "20190101T201803_dmi_prep.nc"]
    server.articles = {ARTICLES["ready", "test"]: dict.fromkeys(names, b"x")}
    for only in ("201803*", "20180325T??????_*", f"test/{names[0]}", "*19475*"):
        files = list_ai4arctic("dtu", split="test", only=only, endpoint=server.url)
        assert [file.name for file in files] == [f"test/{names[0]}"]
    files = list_ai4arctic("dtu", split="test", only="*prep.nc", endpoint=server.url)
    assert len(files) == 2


def test_a_file_that_is_listed_twice_is_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = RemoteFile("a.nc", "http://127.0.0.1:9/1", 1, f"md5:{32 * '0'}")
    again = replace(first, url="http://127.0.0.1:9/2")
    other = replace(first, n_bytes=2)
    monkeypatch.setattr(fetch, "files_at_figshare", lambda *_, **__: (first, again))
    assert list_ai4arctic("dtu", split="test") == (first,)
    monkeypatch.setattr(fetch, "files_at_figshare", lambda *_, **__: (first, other))
    with pytest.raises(DownloadError, match=r"two different files are listed as 'a\.nc'"):
        fetch_ai4arctic(tmp_path / "raw", "dtu", split="test")
    assert not (tmp_path / "raw").exists()


def test_a_file_that_fails_does_not_stop_others(server: Served, tmp_path: Path) -> None:
    server.corrupt = "1_prep.nc"
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "9_prep.nc").write_bytes(b"mine")
    report = fetched(server, tmp_path, "dtu")
    assert {failure.name for failure in report.failed} == {
        "train/1_prep.nc",
        "test/9_prep.nc",
    }
    assert (report.n_fetched, report.n_kept) == (3, 0)
    assert (tmp_path / "test" / "9_prep.nc").read_bytes() == b"mine"
    server.corrupt = ""
    fetch_ai4arctic(tmp_path, "dtu", endpoint=server.url, overwrite=True)
    assert scenes(tmp_path) == TRAIN | TEST


def test_an_archive_that_fails_is_not_unpacked(server: Served, tmp_path: Path) -> None:
    server.corrupt = "train.tar.gzab"
    report = fetched(server, tmp_path)
    assert [failure.name for failure in report.failed] == ["train.tar.gzab"]
    assert scenes(tmp_path) == TEST
    server.corrupt = ""
    assert fetched(server, tmp_path).n_fetched == 1
    assert scenes(tmp_path) == TRAIN | TEST


def test_a_readme_of_mine_stays(server: Served, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    report = fetch_ai4arctic(tmp_path, endpoint=server.url, overwrite=True)
    assert report.failed == ()
    assert (tmp_path / "README.md").read_text() == "mine"


def test_some_parts_of_an_archive_are_refused(server: Served, tmp_path: Path) -> None:
    with pytest.raises(
        DownloadError, match=r"1 of the 2 parts of 'train\.tar\.gz'"
    ) as caught:
        fetch_ai4arctic(tmp_path / "out", only="*gzaa", endpoint=server.url)
    assert "--only 'train.tar.gz*'" in str(caught.value.hint)
    assert not (tmp_path / "out").exists()
    found = list_ai4arctic(only="train.tar.gz*", endpoint=server.url)
    assert [file.name for file in found] == ["train.tar.gzaa", "train.tar.gzab"]


@pytest.mark.parametrize("name", [RECORD, "test.tar.gz", "train.tar.gzab"])
def test_an_archive_may_not_replace_what_is_beside_it(
    server: Served, tmp_path: Path, name: str
) -> None:
    server.data_set = {**server.data_set, "test.tar.gz": packed({**TEST, name: b"x"})}
    report = fetch_ai4arctic(tmp_path, endpoint=server.url, overwrite=True)
    ((failed, reason),) = ((each.name, each.reason) for each in report.failed)
    assert failed == "test.tar.gz"
    assert reason == f"a file in the archive is called {name!r}, as one beside it"
    assert (tmp_path / "test.tar.gz").exists()
    assert scenes(tmp_path) == TRAIN | TEST


def test_a_record_that_is_listed_is_refused(server: Served) -> None:
    server.articles = {ARTICLES["ready", "test"]: {"a.nc": b"a"}}
    assert list_ai4arctic("dtu", split="test", endpoint=server.url)
    files = [RemoteFile(RECORD, "http://127.0.0.1:9/1", 1)]
    with pytest.raises(DownloadError, match="which seaice writes"):
        fetch._check_whole(files, files)


def test_an_archive_with_a_link_is_kept_and_named(server: Served, tmp_path: Path) -> None:
    linked = packed({"a.nc": b"a"}, links={"b.nc": ("a.nc", tarfile.SYMTYPE)})
    server.data_set = {"test.tar.gz": linked}
    report = fetch_ai4arctic(tmp_path, endpoint=server.url)
    ((_, reason),) = ((each.name, each.reason) for each in report.failed)
    assert reason.endswith("cannot be unpacked: 'b.nc' is neither a file nor a folder")
    assert {path.name for path in tmp_path.iterdir()} >= {"test.tar.gz", "a.nc"}


def test_a_record_of_others_is_not_replaced(server: Served, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text("{}")
    with pytest.raises(ForeignFileError, match="not a record"):
        fetched(server, tmp_path)
    fetch_ai4arctic(tmp_path, endpoint=server.url, overwrite=True)
    assert scenes(tmp_path) == TRAIN | TEST


def test_a_small_disk_is_refused_at_once(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(DownloadError, match="are needed at"):
        fetched(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_one_process_works_in_a_folder(server: Served, tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(DownloadError, match="another process"):
        fetched(server, tmp_path)


def test_an_interrupted_call_continues(server: Served, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    big = {"a.nc": bytes(3_000_000), "b.nc": bytes(3_000_000)}
    server.articles = {ARTICLES["ready", "train"]: big}
    arguments = {"split": "train", "endpoint": server.url, "connections": 1}
    with pytest.raises(KeyboardInterrupt):
        fetch_ai4arctic(tmp_path, "dtu", progress=interrupt, **arguments)  # type: ignore[arg-type]
    assert [path.name for path in (tmp_path / "train").iterdir()] == [f"a.nc{UNFINISHED}"]
    report = fetch_ai4arctic(tmp_path, "dtu", **arguments)  # type: ignore[arg-type]
    assert 3_000_000 < report.n_bytes < 6_000_000
    assert contents(tmp_path) == {f"train/{name}": content for name, content in big.items()}


def test_progress_counts_megabytes(server: Served, tmp_path: Path) -> None:
    server.articles = {ARTICLES["ready", "train"]: {"a.nc": bytes(2_500_000)}}
    calls: list[tuple[int, int]] = []
    fetch_ai4arctic(
        tmp_path,
        "dtu",
        split="train",
        endpoint=server.url,
        progress=lambda done, total, _: calls.append((done, total)),
    )
    # How many bytes come at once is up to the network: megabytes may be skipped.
    assert calls == sorted(set(calls))
    assert set(calls) <= {(1, 3), (2, 3), (3, 3)}
    assert calls[-1] == (3, 3)
