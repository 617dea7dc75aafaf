"""Archives in parts."""

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
