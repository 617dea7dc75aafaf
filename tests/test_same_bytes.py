"""``same_bytes.py`` finds every difference between two folders."""

import json
import shutil
from pathlib import Path

import pytest
import xarray as xr
from support.same_bytes import compare


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Make two folders that differ only in when, and by which version, they were made."""
    a, b = tmp_path / "a", tmp_path / "b"
    (a / "store.zarr/c").mkdir(parents=True)
    (a / "store.zarr/c/0").write_bytes(b"\0\1\2")
    (a / "score.json").write_text(json.dumps({"SIC": [90.5, None], "elapsed_s": 1}))
    (a / "page.html").write_text("ice chart\nwritten in 1.5 s\n")
    shutil.copytree(a, b)
    (b / "score.json").write_text(json.dumps({"elapsed_s": 2, "SIC": [90.5, None]}))
    (b / "page.html").write_text("ice chart\nwritten in 2.5 s\n")
    write_map(a, "2026-01-01T00:00:00Z")
    write_map(b, "2026-01-02T00:00:00Z")
    return a, b


def write_map(folder: Path, when: str, *, unit: str = "%", first: int = 0) -> None:
    sic = xr.Variable(("y", "x"), [[first, 10], [20, 30]], {"units": unit})
    attributes = {"history": f"{when} predicted", "software": f"seaice {when}"}
    data = xr.Dataset({"sic": sic}, attrs=attributes)
    data.to_netcdf(folder / "map.nc", engine="h5netcdf")


def test_folders_with_the_same_content_are_equal(folders: tuple[Path, Path]) -> None:
    assert compare(*folders, strict=True)


def test_a_flipped_byte_is_found(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[1] / "store.zarr/c/0").write_bytes(b"\0\1\3")
    assert not compare(*folders, strict=False)
    printed = capsys.readouterr().out
    assert "stores: 0 of 1 files are equal\n" in printed
    assert "    store.zarr/c/0: byte 2 differs (3 and 3 bytes)\n" in printed


def test_a_changed_attribute_and_value_are_found(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_map(folders[1], "2026-01-02T00:00:00Z", unit="1", first=1)
    assert not compare(*folders, strict=False)
    printed = capsys.readouterr().out
    assert (
        "    map.nc: /sic/units: '%' and '1'\n    map.nc: /sic: values differ\n" in printed
    )


def test_a_changed_score_is_found(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[1] / "score.json").write_text(json.dumps({"SIC": [90.6, None]}))
    assert not compare(*folders, strict=False)
    assert "    score.json: /0/SIC/0: '90.5' and '90.6'\n" in capsys.readouterr().out


@pytest.mark.parametrize("side", [0, 1])
def test_a_missing_file_is_found(
    folders: tuple[Path, Path], side: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[side] / "store.zarr/c/0").unlink()
    assert not compare(*folders, strict=False)
    assert f"not in {folders[side]}" in capsys.readouterr().out


def test_differences_in_wording_count_only_if_strict(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[1] / "page.html").write_text("map of the ice\nwritten in 2.5 s\n")
    assert compare(*folders, strict=False)
    assert "page.html: 1 of 2 lines are gone, 1 are new\n" in capsys.readouterr().out
    assert not compare(*folders, strict=True)
