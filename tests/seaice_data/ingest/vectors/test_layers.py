"""Charts and coasts are read by the data of the libraries' own wheels."""

import os
import subprocess
import sys
from pathlib import Path

import geopandas
import pytest
import shapely
from support.placed_frames import write_polygons

from seaice_data.errors import SceneError
from seaice_data.ingest.vectors.layers import read_layer, vector_errors

SQUARE = shapely.box(-2500000, -1500000, 2500000, 1500000)

CODE = """
from pathlib import Path
from support.placed_frames import frame_at
from seaice_data.ingest.chart import read_chart
from seaice_data.ingest.land import read_land
frame = frame_at(76.0, -20.0, (30, 30))
print(read_chart("chart.gpkg", frame).polygon_ids.sum())
print(read_land(frame, Path("coast.gpkg")).zones.sum())
"""


def test_data_of_another_installation_do_not_matter(tmp_path: Path) -> None:
    chart = geopandas.GeoDataFrame(
        {"CT": ["90"], "POLY_TYPE": ["I"]}, geometry=[SQUARE], crs="EPSG:3413"
    )
    chart.to_file(tmp_path / "chart.gpkg", engine="pyogrio")
    write_polygons(tmp_path / "coast.gpkg", [SQUARE], "EPSG:3413")
    (tmp_path / "empty").mkdir()
    names = ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH")
    found = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=tmp_path,
        env={
            **os.environ,
            **dict.fromkeys(names, str(tmp_path / "empty")),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
    )
    assert (found.stderr, found.stdout.split()) == ("", ["900", "0"])


def test_a_shapefile_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_polygons(tmp_path / "coast.shp", [SQUARE], "EPSG:3413")
    (tmp_path / "coast.shx").unlink()
    with (
        pytest.raises(SceneError, match=r"^the coast has no \.shx file"),
        vector_errors("cannot read it"),
    ):
        read_layer(path, None, "the coast")
