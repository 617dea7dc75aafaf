"""Data of other installations do not matter, and errors of the libraries are ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rasterio")

import pyogrio.errors
import pyproj.exceptions
import rasterio._err
import rasterio.errors
import shapely.errors
from support.chart_maps import chart_map

from seaice_model.errors import MapError
from seaice_model.formats.convert import convert_maps
from seaice_model.formats.gdal import geo_libraries
from seaice_model.maps.netcdf import write_netcdf

SEAICE = Path(sys.executable).with_name("seaice")


@pytest.mark.parametrize(
    "error",
    [
        rasterio.errors.CRSError("no such place"),
        rasterio.errors.DriverRegistrationError("no such place"),
        rasterio.errors.RasterioIOError("no such place"),
        rasterio._err.CPLE_OpenFailedError(1, 4, "no such place"),
        pyogrio.errors.DataSourceError("no such place"),
        pyogrio.errors.FeatureError("no such\nplace"),
        pyproj.exceptions.ProjError("no such place"),
        shapely.errors.GEOSException("no such place"),
    ],
)
def test_each_error_of_the_libraries_becomes_ours(error: Exception) -> None:
    with pytest.raises(MapError, match=r"^GDAL says: .*no such place"), geo_libraries():
        raise error


def test_variables_of_the_caller_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJ_LIB", "elsewhere")
    with geo_libraries():
        assert "PROJ_LIB" not in os.environ
    assert os.environ["PROJ_LIB"] == "elsewhere"


def test_data_of_another_installation_do_not_stop_a_format(
    tmp_path: Path,
) -> None:
    (tmp_path / "maps").mkdir()
    write_netcdf(chart_map(), tmp_path / "maps" / "map.nc")
    convert_maps(tmp_path / "maps", tmp_path / "here", ["tif", "gpkg"])
    (tmp_path / "empty").mkdir()
    names = ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH")
    command = [SEAICE, "convert", "maps", "--to", "tif", "--to", "gpkg", "--out", "there"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **dict.fromkeys(names, str(tmp_path / "empty"))},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for path in (tmp_path / "here").glob("*.tif"):
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes()
    assert len([*(tmp_path / "there").iterdir()]) == 4


def test_a_format_without_a_driver_does_not_stop_the_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "maps").mkdir()
    write_netcdf(chart_map(), tmp_path / "maps" / "map.nc")
    command = [SEAICE, "convert", "maps", "--out", "charts"]
    done = subprocess.run(
        [*command, "--to", "tif", "--to", "shp", "--to", "submission"],
        cwd=tmp_path,
        env={**os.environ, "GDAL_SKIP": "COG"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "left out: map as tif: GDAL says: " in done.stderr
    assert "COG" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "charts" / "submission.nc").is_file()
    assert not [*(tmp_path / "charts").glob("*.tif")]
    assert len([*(tmp_path / "charts").iterdir()]) == 1 + 5
