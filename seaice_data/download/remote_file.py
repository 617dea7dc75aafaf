"""A file on a server, as its listing describes it."""

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

from seaice_data.errors import DownloadError
from seaice_data.texts import printable, shortened

UNFINISHED = ".part"
"""End of the names of files that are not complete."""

_PART = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.+@() -]*[A-Za-z0-9_+@()-])?")
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\..*)?", re.IGNORECASE)
_DIGESTS = {"sha256": 64, "md5": 32, "git": 40}
"""Kinds of checksums, and how many digits they have."""


class Hash(Protocol):
    """A checksum that is being computed."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """Return the digits of the checksum of all bytes added."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that can be downloaded."""

    name: str
    """Path below the folder that it goes to; parts are separated by ``/``."""

    url: str
    """Where it is: http or https."""

    n_bytes: int
    """Its size."""

    checksum: str = ""
    """Kind and digits, as ``sha256:...``, ``md5:...`` or ``git:...`` (SHA-1 of a git blob);
    empty if the server lists none."""

    def __post_init__(self) -> None:
        """Refuse what no honest server lists: names lead to places on this disk."""
        check_name(self.name)
        kind, _, digits = self.checksum.partition(":")
        if self.n_bytes < 0:
            raise DownloadError(f"{self.name!r} is listed with {self.n_bytes} bytes")
        is_known = len(digits) == _DIGESTS.get(kind) and re.fullmatch("[0-9a-f]+", digits)
        if self.checksum and not is_known:
            shown = shortened(printable(self.checksum))
            raise DownloadError(f"{self.name!r} is listed with the checksum {shown!r}")

    @property
    def kind(self) -> str:
        """Kind of the checksum; empty if there is none."""
        return self.checksum.partition(":")[0]

    def new_hash(self) -> Hash | None:
        """Return a hash of the kind of the checksum; None if there is none."""
        match self.kind:
            case "sha256":
                return hashlib.sha256()
            case "md5":
                return hashlib.md5(usedforsecurity=False)
            case "git":
                blob = hashlib.sha1(usedforsecurity=False)
                blob.update(b"blob %d\0" % self.n_bytes)
                return blob
        return None


def check_name(name: str) -> None:
    """Refuse a name that may lead out of a folder, or that some system cannot write.

    Raises
    ------
    DownloadError
        If a part of it is empty, begins or ends with a dot or a blank, is the name of a
        device in Windows, or has other characters than letters and digits of ASCII, blanks
        and ``_.+@()-``; or if it ends in `UNFINISHED`, as what is not complete does.

    Examples
    --------
    >>> check_name("train/20180607T184326_dmi_prep.nc")
    >>> check_name("../.bashrc")
    Traceback (most recent call last):
    seaice_data.errors.DownloadError: '../.bashrc' cannot be the name of a file to download
    """
    is_usable = not name.lower().endswith(UNFINISHED) and all(
        _PART.fullmatch(part) and not _DEVICE.fullmatch(part) for part in name.split("/")
    )
    if not is_usable:
        shown = shortened(printable(name))
        raise DownloadError(f"{shown!r} cannot be the name of a file to download")
