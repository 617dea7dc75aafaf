"""Archives in parts."""

import gzip
import tarfile
from pathlib import Path

import pytest
from support.packing import contents, packed

from seaice_data.download.archives import unpack
from seaice_data.errors import DownloadError, ForeignFileError

FILES = {"train/a.nc": b"a" * 3000, "train/b.nc": b"b", "c.csv": b""}


def in_parts(content: bytes, folder: Path, n: int) -> list[Path]:
    size = -(-len(content) // n)
    paths = [folder / f"x.tar.gza{chr(ord('a') + k)}" for k in range(n)]
    for k, path in enumerate(paths):
        path.write_bytes(content[k * size : (k + 1) * size])
    return paths


@pytest.mark.parametrize("n_parts", [1, 2, 5])
@pytest.mark.parametrize("kind", ["w", "w:gz"])
def test_an_archive_is_unpacked(tmp_path: Path, n_parts: int, kind: str) -> None:
    out = tmp_path / "out"
    paths = in_parts(packed(FILES, kind), tmp_path, n_parts)
    assert list(unpack(paths, out)) == [(n, len(content)) for n, content in FILES.items()]
    assert contents(out) == FILES


def test_files_that_exist_are_kept(tmp_path: Path) -> None:
    paths = in_parts(packed(FILES), tmp_path, 1)
    (tmp_path / "out" / "train").mkdir(parents=True)
    (tmp_path / "out" / "train" / "b.nc").write_bytes(b"B")  # of the same size
    list(unpack(paths, tmp_path / "out"))
    assert contents(tmp_path / "out") == FILES | {"train/b.nc": b"B"}


def test_files_of_another_size_are_replaced_only_if_asked(tmp_path: Path) -> None:
    paths, out = in_parts(packed(FILES), tmp_path, 1), tmp_path / "out"
    (out / "train").mkdir(parents=True)
    (out / "train" / "b.nc").write_bytes(b"something of mine")
    with pytest.raises(ForeignFileError, match=r"train/b\.nc' is not the file") as caught:
        list(unpack(paths, out))
    assert caught.value.hint == "move it away, or replace it with --overwrite"
    assert contents(out)["train/b.nc"] == b"something of mine"
    list(unpack(paths, out, overwrite=True))
    assert contents(out) == FILES


@pytest.mark.parametrize("name", ["../x.nc", "train/../../x.nc", ".bashrc"])
def test_nothing_is_written_elsewhere(tmp_path: Path, name: str) -> None:
    paths = in_parts(packed({name: b"x"}), tmp_path, 1)
    with pytest.raises(DownloadError, match="cannot be the name"):
        list(unpack(paths, tmp_path / "out" / "inner"))
    assert not (tmp_path / "out").exists()


def test_an_archive_that_ends_early_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(packed(FILES)[:60])
    with pytest.raises(DownloadError, match=r"x\.tar\.gz' cannot be unpacked"):
        list(unpack([path], tmp_path / "out"))
    assert set(contents(tmp_path)) <= {"x.tar.gz", *(f"out/{name}" for name in FILES)}


def test_what_is_not_an_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"x" * 2000)
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        list(unpack([tmp_path / "x.tar"], tmp_path / "out"))


@pytest.mark.parametrize("kind", ["w", "w:gz"])
@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_an_archive_that_is_cut_between_files_is_refused(
    tmp_path: Path, kind: str, shift: int
) -> None:
    whole = packed(FILES, "w")
    # A block for the folder, one for a name, six for 3000 bytes: the second file is next.
    content = whole[: (8 + shift) * tarfile.BLOCKSIZE]
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(content) if kind == "w:gz" else content)
    with pytest.raises(DownloadError, match=r"x\.tar\.gz' cannot be unpacked"):
        list(unpack([path], tmp_path / "out"))


def test_a_part_that_is_missing_in_the_middle_is_noticed(tmp_path: Path) -> None:
    files = {f"{k}.nc": bytes([65 + k]) * 5000 for k in range(4)}
    whole = packed(files, "w")
    start = whole.index(b"B" * 5000)
    # Three blocks of the second file are gone: the third one begins where data are.
    path = tmp_path / "x.tar"
    path.write_bytes(whole[:start] + whole[start + 3 * tarfile.BLOCKSIZE :])
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        list(unpack([path], tmp_path / "out"))


def test_bytes_that_changed_in_compressed_archives_are_noticed(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(packed(FILES, "w"), 0))  # stored, not compressed
    content[content.index(b"a" * 3000) + 7] = ord("b")
    (first, last) = in_parts(bytes(content), tmp_path, 2)
    with pytest.raises(
        DownloadError, match=r"gzaa' to 'x\.tar\.gzab' cannot.*CRC"
    ) as caught:
        list(unpack([first, last], tmp_path / "out"))
    assert caught.value.hint == "remove them, and run the same command again"


def test_a_hard_link_is_a_copy(tmp_path: Path) -> None:
    links = {"test/c.nc": ("train/a.nc", tarfile.LNKTYPE)}
    paths, out = in_parts(packed(FILES, links=links), tmp_path, 1), tmp_path / "out"
    assert ("test/c.nc", 3000) in list(unpack(paths, out))
    assert contents(out) == FILES | {"test/c.nc": FILES["train/a.nc"]}
    assert (out / "test" / "c.nc").stat().st_nlink == 1


@pytest.mark.parametrize(
    ("target", "kind", "reason"),
    [
        ("nowhere.nc", tarfile.LNKTYPE, "'b.nc' is a link to a file that is not there"),
        ("../secret", tarfile.LNKTYPE, "cannot be the name"),
        ("/etc/passwd", tarfile.SYMTYPE, "'b.nc' is neither a file nor a folder"),
        ("", tarfile.FIFOTYPE, "'b.nc' is neither a file nor a folder"),
    ],
)
def test_other_entries_are_refused(
    tmp_path: Path, target: str, kind: bytes, reason: str
) -> None:
    content = packed({"a.nc": b"a"}, links={"b.nc": (target, kind)})
    with pytest.raises(DownloadError, match=reason):
        list(unpack(in_parts(content, tmp_path, 1), tmp_path / "out"))
    assert contents(tmp_path / "out") == {"a.nc": b"a"}
