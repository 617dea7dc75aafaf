"""Lists of figshare and Hugging Face, page by page."""

import hashlib
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.download_server import Served

from seaice_data.download import listings
from seaice_data.download.listings import files_at_figshare, files_at_hugging_face
from seaice_data.errors import DownloadError

FILES = {f"{k}.nc": b"%d" % k for k in range(5)}


def test_figshare_lists_pages(server: Served) -> None:
    server.articles = {7: FILES}
    files = files_at_figshare(7, "train", endpoint=server.url)
    assert [file.name for file in files] == [f"train/{k}.nc" for k in range(5)]
    assert files[3].n_bytes == 1
    assert files[3].checksum == f"md5:{hashlib.md5(b'3').hexdigest()}"  # noqa: S324
    assert files[3].url == f"{server.url}/ndownloader/7/3.nc"


def test_hugging_face_lists_pages_without_hidden_files(server: Served) -> None:
    server.data_set = {"a.tar.gz": b"x", **FILES}
    files = files_at_hugging_face("me/data", endpoint=server.url)
    assert [file.name for file in files] == ["a.tar.gz", *FILES]
    assert [file.kind for file in files] == ["sha256", *["git"] * 5]
    assert files[1].url == f"{server.url}/datasets/me/data/resolve/main/0.nc"


def test_the_environment_names_a_mirror(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.data_set = FILES
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    assert len(files_at_hugging_face("me/data")) == 5


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"message": "Entity not found"}, "Entity not found"),
        ({"message": "\x1b[2Jgone"}, r"files: .x1b\[2Jgone"),
        ([{"name": "a"}], r"the list\[0\]"),
        ("<html>", "the list must be a list"),
        (
            [{"id": 1, "name": "../a", "size": 1, "download_url": "http://x"}],
            "cannot be the",
        ),
        (
            [{"id": 1, "name": "a", "size": 1, "download_url": "", "is_link_only": True}],
            "is only a link",
        ),
    ],
)
def test_other_answers_are_refused(
    answer: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "read_json", lambda _: (answer, ""))
    with pytest.raises(DownloadError, match=reason):
        files_at_figshare(7)


def test_a_page_that_is_not_json_is_named(server: Served) -> None:
    server.data_set = {"x": b"<html>"}
    with pytest.raises(DownloadError, match="does not answer what it should") as caught:
        listings.read_json(f"{server.url}/datasets/a/b/resolve/main/x")
    assert "proxy" in str(caught.value.hint)


def test_a_busy_server_is_asked_again_for_a_list(server: Served) -> None:
    server.data_set, server.busy = {"x": b"[]"}, 2
    url = f"{server.url}/datasets/a/b/resolve/main/x"
    assert listings.read_json(url, waits_s=(0, 0)) == ([], "")
    server.busy = 2
    with pytest.raises(DownloadError, match="answers 503"):
        listings.read_json(url, waits_s=(0,))


@pytest.mark.parametrize(
    ("link", "following"),
    [
        ("", ""),
        ('<http://x/1>; rel="prev"', ""),
        ('</2?a=b,c>; rel="next"', "http://127.0.0.1:{port}/2?a=b,c"),
        ('<http://x/1>; rel="prev", <http://x/3>; rel="next"', "http://x/3"),
    ],
)
def test_the_next_page_is_the_one_that_is_called_so(
    server: Served, link: str, following: str
) -> None:
    server.data_set, server.link = {"x": b"[]"}, link
    url = f"{server.url}/datasets/a/b/resolve/main/x"
    port = urlsplit(url).port
    assert listings.read_json(url)[1] == following.format(port=port)


def test_a_list_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "read_json", lambda url: ([], url))
    with pytest.raises(DownloadError, match="has more than 1000 pages"):
        files_at_hugging_face("me/data", endpoint="http://x")
