"""What servers may list."""

import pytest

from seaice_data.download.remote_file import RemoteFile
from seaice_data.errors import DownloadError


@pytest.mark.parametrize(
    "name",
    [
        *("", "/etc/passwd", "../x", "a/../x", "a//b", ".ssh/key", "a\\b", "a\nb", "c:x"),
        *("a./b", "a ", "con", "a/NUL.nc", "a/lpt1"),  # some systems cannot write these
        *("a.nc.part", "A.PART"),  # what is not complete has such a name
    ],
)
def test_names_stay_in_the_folder(name: str) -> None:
    with pytest.raises(DownloadError, match="cannot be the name"):
        RemoteFile(name, "http://x", 1)


@pytest.mark.parametrize("name", ["a", "a/b", "a b", "part", "console.nc", "com", "a..b"])
def test_other_names_are_taken(name: str) -> None:
    assert RemoteFile(name, "http://x", 1).name == name


@pytest.mark.parametrize(
    "checksum", ["sha256:12", "md5:" + 32 * "Z", "crc32:12345678", "x"]
)
def test_checksums_are_ones_that_we_can_compute(checksum: str) -> None:
    with pytest.raises(DownloadError, match="listed with the checksum"):
        RemoteFile("a.nc", "http://x", 1, checksum)


def test_a_size_is_not_negative() -> None:
    with pytest.raises(DownloadError, match="-1 bytes"):
        RemoteFile("a.nc", "http://x", -1)


def test_the_hash_of_git_is_that_of_a_blob() -> None:
    # `printf hello | git hash-object --stdin`
    digits = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"
    found = RemoteFile("a", "http://x", 5, f"git:{digits}").new_hash()
    assert found is not None
    found.update(b"hello")
    assert found.hexdigest() == digits


def test_without_a_checksum_there_is_no_hash() -> None:
    assert RemoteFile("a", "http://x", 5).new_hash() is None
