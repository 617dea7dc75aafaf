"""Data of other installations do not matter, and errors of the libraries are ours."""

import os

import pytest

pytest.importorskip("rasterio")

import pyogrio.errors
import pyproj.exceptions
import rasterio._err
import rasterio.errors
import shapely.errors

from seaice_data.errors import SceneError
from seaice_data.system.geo_libraries import geo_libraries


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
    with (
        pytest.raises(SceneError, match=r"^GDAL says: .*no such place"),
        geo_libraries(SceneError, "ingest"),
    ):
        raise error


def test_variables_of_the_caller_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJ_LIB", "elsewhere")
    with geo_libraries(SceneError, "ingest"):
        assert "PROJ_LIB" not in os.environ
    assert os.environ["PROJ_LIB"] == "elsewhere"
