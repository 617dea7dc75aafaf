"""GeoTIFFs: stored values, in place to a fraction of a pixel."""

from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from rasterio.transform import GCPTransformer
from support.export_stores import HELD_OUT, SMALL

from seaice_data.channels import find_channels
from seaice_data.exports.export import export_patches
from seaice_data.exports.settings import ExportSettings
from seaice_data.store.store import Store

NAME = f"{HELD_OUT}_y00018_x00028"


@pytest.fixture(scope="module")
def out(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("geotiff")
    export_patches(store, folder, ExportSettings(to="geotiff", size=32))
    return folder


def test_bands_are_channels_with_units_scale_and_offset(out: Path, store: Store) -> None:
    with rasterio.open(out / "validation" / "inputs" / f"{NAME}.tif") as file:
        stored = store.scene(HELD_OUT).inputs[18:, 28:]
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, -1), stored)
        assert file.descriptions == ("hh", "hv", "t2m")
        assert file.units == ("dB", "dB", "K")
        channels = find_channels(store.channels)
        assert file.scales == tuple(channel.std for channel in channels)
        assert file.offsets == tuple(channel.mean for channel in channels)
        assert np.isnan(file.nodata)
        assert file.tags()["SCENE"] == HELD_OUT


@pytest.mark.parametrize(("chart", "k"), [("SIC", 0), ("SOD", 1), ("FLOE", 2)])
def test_a_chart_is_a_band_of_classes(out: Path, store: Store, chart: str, k: int) -> None:
    with rasterio.open(out / "validation" / chart / f"{NAME}.tif") as file:
        np.testing.assert_array_equal(
            file.read(1), store.scene(HELD_OUT).charts[18:, 28:, k]
        )
        assert (file.count, file.dtypes, file.nodata) == (1, ("uint8",), 255)
    with rasterio.open(out / "train" / chart / f"{SMALL}_y00000_x00000.tif") as file:
        assert (file.read(1)[26:] == 255).all()


def test_pixels_are_where_the_store_says(out: Path, store: Store) -> None:
    scene = store.scene(HELD_OUT).to_xarray().isel(y=slice(18, None), x=slice(28, None))
    project = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3413", always_xy=True)
    with rasterio.open(out / "validation" / "SIC" / f"{NAME}.tif") as file:
        points, crs = file.gcps
    assert (len(points), crs.to_epsg()) == (25, 3413)
    assert (points[0].row, points[0].col) == (0.5, 0.5)
    with GCPTransformer(points, tps=True) as transformer:
        for row, column in [(0, 0), (31, 31), (11, 23)]:
            at = scene.isel(y=row, x=column)
            x, y = project.transform(float(at.longitude), float(at.latitude))
            found = transformer.rowcol(x, y, op=float)
            np.testing.assert_allclose(found, (row + 0.5, column + 0.5), atol=0.02)
