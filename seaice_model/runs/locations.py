"""Where a run is: a folder on a disk, or a URL that fsspec can open.

Of a run at a URL only its best checkpoint is read::

    hf://owner/name@revision/folder    a repository at Hugging Face; needs the extra hub
    zip://folder::runs.zip             a folder in an archive
    zip://::https://host/run.zip       the root of an archive on a server
    s3://bucket/run, https://host/run  a bucket, a server; needs the extra cloud
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from seaice_data.errors import StoreError
from seaice_data.storage.local_folder import LocalFolder
from seaice_data.storage.storage import Storage, open_storage
from seaice_data.texts import printable, shortened, without_secrets
from seaice_model.errors import RunError
from seaice_model.runs.folder import RunFolder

BEST = RunFolder(Path()).best.name
_SETTINGS = RunFolder(Path()).settings.name
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_MOST_NAMES = 20
_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]*://.*|.*::.*", re.DOTALL)


def is_url(path: str | Path) -> bool:
    """Return whether a run is named by a URL.

    Examples
    --------
    >>> is_url("hf://owner/name"), is_url("runs/seed-0"), is_url(Path("run"))
    (True, False, False)
    """
    return isinstance(path, str) and _URL.fullmatch(path) is not None


def shown(path: str | Path) -> str:
    """Return the path or URL of a run to show: without secrets, and printable.

    Examples
    --------
    >>> shown("zip://run::https://user:word@host/a.zip")
    'zip://run::https://host/a.zip'
    """
    return without_secrets(path) if isinstance(path, str) and is_url(path) else str(path)


def runs_at(path: str | Path) -> tuple[str | Path, ...]:
    """Return the runs of seeds in a folder, or the folder itself if it has none.

    A server that does not list what is at a URL is taken to have one run there: reading it
    says what is wrong, if anything is.

    Raises
    ------
    RunError
        If a URL cannot be opened.
    """
    if isinstance(path, str) and is_url(path):
        storage = _opened(path)
        if isinstance(storage, LocalFolder):
            return runs_at(Path(storage.location))
        names: list[str] = []
        with suppress(StoreError):
            names = storage.names()
        seeds = {
            int(named[1]): name
            for name in names
            if (named := re.fullmatch("seed-([0-9]{1,9})", name))
        }
        return tuple(_below(path, seeds[k]) for k in sorted(seeds)) or (path,)
    folder = RunFolder(Path(path))
    return tuple(run.path for run in folder.seeds()) or (folder.path,)


def read_best(url: str) -> bytes | Path:
    """Return the best checkpoint at a URL, or its path if the URL leads to this disk.

    Raises
    ------
    RunError
        If there is none, or the URL cannot be reached.
    """
    storage = _opened(url)
    if isinstance(storage, LocalFolder):
        return Path(storage.location) / BEST
    try:
        found = storage.read_many([BEST]).get(BEST)
    except StoreError as error:
        raise RunError(str(error), hint=error.hint) from error
    if isinstance(found, bytes):
        return found
    if found is not None:
        raise RunError(f"cannot read {BEST!r} at {shown(url)!r}: {found}")
    names = _names(storage)
    if _SETTINGS in names:
        raise RunError(f"the run at {shown(url)!r} has no finished epoch")
    listed = shortened(", ".join(printable(name) for name in names[:_MOST_NAMES]))
    raise RunError(
        f"no run at {shown(url)!r}: there is "
        + (f"no {BEST!r} among {listed}" if names else "nothing"),
        hint=_inner_run(url, storage, names),
    )


def archive_hint(path: Path) -> str | None:
    """Return how to name a run in an archive, if there is one at a path."""
    if not path.is_file() or not path.name.endswith(_ARCHIVES):
        return None
    protocol = "zip" if path.name.endswith(".zip") else "tar"
    return f"read a run in an archive with --run {protocol}://FOLDER::{path}"


def _opened(url: str) -> Storage:
    try:
        return open_storage(url)
    except StoreError as error:
        hint = error.hint
        if url.startswith(("zip://", "tar://")) and "::" not in url:
            name = url.partition("://")[2]
            hint = (
                f"write {url.partition('://')[0]}://FOLDER::{name} for a run in an archive"
            )
        raise RunError(str(error), hint=hint) from error


def _names(storage: Storage) -> list[str]:
    try:
        return storage.names()
    except StoreError as error:
        raise RunError(str(error), hint=error.hint) from error


def _inner_run(url: str, storage: Storage, names: Sequence[str]) -> str | None:
    """Return which folder to name instead, if a run is in one of those at a URL."""
    with suppress(StoreError):  # this is only a hint
        for name in names[:_MOST_NAMES]:
            if BEST in storage.names(name):
                return f"name its folder: {printable(shown(_below(url, name)))}"
    return None


def _below(url: str, name: str) -> str:
    """Return the URL of a folder below another; in a chain, below the first."""
    first, chain, rest = url.partition("::")
    slash = "" if first.endswith("/") else "/"
    return f"{first}{slash}{name}{chain}{rest}"
