"""Folders and zips in which products are found."""

import os
import zipfile
from pathlib import Path

import pytest
from support.tiny_product import write_product, zipped

from seaice_data.errors import SceneError
from seaice_data.ingest.sentinel.safe import FolderFiles, find_products, open_files


def test_products_in_a_folder_and_below_it(tmp_path: Path) -> None:
    folder = write_product(tmp_path / "a")
    strange = zipped(write_product(tmp_path / "b" / "c")).rename(
        tmp_path / "b" / "today.bin"
    )
    inner = zipped(write_product(tmp_path / "d"), top=False)
    for unpacked in tmp_path.glob("[bd]/**/*.SAFE"):
        unpacked.rename(tmp_path / f".{unpacked.parent.name}")
    with zipfile.ZipFile(tmp_path / "era5.zip", "w") as archive:
        archive.writestr("data.nc", b"")
    (tmp_path / "notes.txt").write_text("PK")
    assert find_products(tmp_path) == (folder, strange, inner)


def test_links_are_followed_once(tmp_path: Path) -> None:
    folder = write_product(tmp_path / "disk")
    inside = tmp_path / "scenes"
    inside.mkdir()
    (inside / "link").symlink_to(folder)
    (inside / "loop").symlink_to(inside)
    assert find_products(inside) == (inside / "link",)


def test_zip_that_is_cut_off_is_found_and_refused(tmp_path: Path) -> None:
    path = zipped(write_product(tmp_path))
    cut = tmp_path / "downloads" / "product.zip"
    cut.parent.mkdir()
    cut.write_bytes(path.read_bytes()[:-500])
    assert find_products(cut.parent) == (cut,)
    with pytest.raises(SceneError, match="the zip is cut off or damaged") as caught:
        open_files(cut)
    assert caught.value.hint == "copy or download it again"


def test_encrypted_zip(tmp_path: Path) -> None:
    path = zipped(write_product(tmp_path))
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        content[at + 8] |= 1
        at = content.find(b"PK\x01\x02", at + 1)
    path.write_bytes(content)
    with pytest.raises(SceneError, match="is encrypted"):
        open_files(path)


def test_single_product_is_found_by_its_path(tmp_path: Path) -> None:
    folder = write_product(tmp_path)
    path = zipped(folder)
    assert find_products(folder) == (folder,)
    assert find_products(path) == (path,)


def test_folder_without_products(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="no Sentinel-1 product in"):
        find_products(tmp_path)
    with pytest.raises(SceneError, match="no folder and no product at"):
        find_products(tmp_path / "absent")


def test_what_is_not_a_product(tmp_path: Path) -> None:
    (tmp_path / "scene.nc").write_bytes(b"CDF")
    with pytest.raises(SceneError, match="is not a Sentinel-1 product"):
        open_files(tmp_path / "scene.nc")
    with pytest.raises(SceneError, match="no product at"):
        open_files(tmp_path / "absent.zip")


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SceneError, match="is not a Sentinel-1 product"):
        open_files(tmp_path / "pipe")


def test_several_products_in_one_zip(tmp_path: Path) -> None:
    write_product(tmp_path)
    write_product(tmp_path, satellite="B")
    with pytest.raises(SceneError, match="contains 2 products"):
        open_files(tmp_path)


def test_long_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "big.xml").write_bytes(bytes(11))
    files = FolderFiles(tmp_path)
    assert len(files.read("big.xml", most=11)) == 11
    with pytest.raises(SceneError, match=r"'big\.xml' is longer than"):
        files.read("big.xml", most=10)
