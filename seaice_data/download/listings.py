"""What servers list: the files of an article at figshare, of a data set at Hugging Face.

DTU publishes its data through figshare.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import NotRequired, TypedDict, TypeVar
from urllib.parse import quote

from seaice_data.download.connections import read_json
from seaice_data.download.remote_file import RemoteFile
from seaice_data.errors import DownloadError
from seaice_data.system.documents import DocumentError, typed
from seaice_data.texts import printable, shortened, without_secrets

FIGSHARE = "https://api.figshare.com/v2"
"""Address of the interface of figshare."""

HUGGING_FACE = "https://huggingface.co"
"""Address of Hugging Face."""

_PAGE = 100
_MOST_PAGES = 1000
_Value = TypeVar("_Value")


class _FigshareFile(TypedDict):
    """A file of an article; the interface lists more about it."""

    id: int
    name: str
    size: int
    download_url: str
    computed_md5: NotRequired[str | None]
    is_link_only: NotRequired[bool]


class _Large(TypedDict):
    """What is listed of large files at Hugging Face: their SHA-256."""

    oid: str


class _HubEntry(TypedDict):
    """A file or folder of a data set at Hugging Face."""

    type: str
    path: str
    oid: str
    size: int
    lfs: NotRequired[_Large | None]


def files_at_figshare(
    article: int, folder: str = "", *, endpoint: str = ""
) -> tuple[RemoteFile, ...]:
    """List the files of the last version of an article.

    Parameters
    ----------
    article
        Its number.
    folder
        Folder that the files go to.
    endpoint
        Another address than `FIGSHARE`.

    Raises
    ------
    DownloadError
        If the server cannot be reached, or its answer is not such a list.
    """
    url = f"{endpoint or FIGSHARE}/articles/{article}/files"
    found: dict[int, RemoteFile] = {}
    for number in count(1):
        page = _listed(f"{url}?page={number}&page_size={_PAGE}", list[_FigshareFile])
        # A server that does not know pages would send the same files for ever.
        new = [file for file in page if file["id"] not in found]
        if not new:
            return tuple(found.values())
        if number > _MOST_PAGES:
            raise _endless(url)
        found |= {file["id"]: _figshare_file(file, folder) for file in new}
    raise AssertionError("there is always a last page")


def files_at_hugging_face(
    data_set: str, *, revision: str = "main", endpoint: str = ""
) -> tuple[RemoteFile, ...]:
    """List the files of a data set; hidden ones are left out.

    Parameters
    ----------
    data_set
        Owner and name.
    revision
        Branch, tag or commit.
    endpoint
        Another address than ``HF_ENDPOINT``, an environment variable that other programs
        follow, too; the default is `HUGGING_FACE`.

    Raises
    ------
    DownloadError
        If the server cannot be reached, or its answer is not such a list.
    """
    server = (endpoint or os.environ.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/")
    url = f"{server}/api/datasets/{data_set}/tree/{quote(revision, safe='')}?recursive=true"
    root = f"{server}/datasets/{data_set}/resolve/{quote(revision, safe='')}"
    return tuple(
        RemoteFile(
            entry["path"],
            f"{root}/{quote(entry['path'])}",
            entry["size"],
            f"sha256:{large['oid']}"
            if (large := entry.get("lfs"))
            else f"git:{entry['oid']}",
        )
        for entry in _hub_entries(url)
        if entry["type"] == "file" and not _is_hidden(entry["path"])
    )


def _hub_entries(url: str) -> Iterator[_HubEntry]:
    for _ in range(_MOST_PAGES):
        value, url = _page(url, list[_HubEntry])
        yield from value
        if not url:
            return
    raise _endless(url)


def _endless(url: str) -> DownloadError:
    shown = without_secrets(url)
    return DownloadError(f"the list at {shown!r} has more than {_MOST_PAGES} pages")


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") and part.strip(".") for part in path.split("/"))


def _figshare_file(file: _FigshareFile, folder: str) -> RemoteFile:
    name = f"{folder}/{file['name']}" if folder else file["name"]
    if file.get("is_link_only"):
        raise DownloadError(
            f"{name!r} is only a link: {without_secrets(file['download_url'])}"
        )
    listed = RemoteFile(name, file["download_url"], file["size"])
    md5 = file.get("computed_md5")
    return replace(listed, checksum=f"md5:{md5}") if md5 else listed


def _listed(url: str, kind: type[_Value]) -> _Value:
    return _page(url, kind)[0]


def _page(url: str, kind: type[_Value]) -> tuple[_Value, str]:
    """Return a page of a list, and the URL of the next one."""
    value, following = read_json(url)
    try:
        return typed(value, kind, "the list"), following
    except DocumentError as error:
        said = (
            value.get("message") or value.get("error") if isinstance(value, Mapping) else ""
        )
        reason = printable(shortened(str(said or error)))
        raise DownloadError(
            f"{without_secrets(url)!r} does not list files: {reason}"
        ) from error
