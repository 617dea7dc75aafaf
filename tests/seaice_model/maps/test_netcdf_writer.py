import resource
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from support.chart_maps import chart_map

from seaice_model.errors import MapError
from seaice_model.maps.netcdf import read_netcdf, write_netcdf
from seaice_model.maps.netcdf_writer import add_variable, written_whole


@pytest.mark.parametrize("n_bytes", [0, 1_000, 20_000])
def test_a_full_disk_keeps_the_old_map(tmp_path: Path, n_bytes: int) -> None:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    old = (tmp_path / "map.nc").read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        with pytest.raises(MapError, match=r"cannot write map '.*map\.nc': "):
            write_netcdf(chart_map(), tmp_path / "map.nc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["map.nc"]
    assert (tmp_path / "map.nc").read_bytes() == old
    write_netcdf(chart_map(), tmp_path / "map.nc")
    assert read_netcdf(tmp_path / "map.nc").scene == chart_map().scene


def test_numbers_are_written_as_they_are(tmp_path: Path) -> None:
    plane = np.array([[0, 250, 255]], np.uint8)
    attributes = {"scale_factor": np.float32(0.004), "units": "1", "long_name": "größe"}
    with written_whole(tmp_path / "a.nc", "map") as file:
        file.createDimension("y", 1)
        file.createDimension("x", 3)
        add_variable(file, "p", ("y", "x"), plane, attributes, level=4, fill=255)
    with netCDF4.Dataset(tmp_path / "a.nc") as dataset:
        assert dataset["p"].ncattrs() == ["_FillValue", *attributes]
        assert dataset["p"].long_name == "größe"
        assert dataset["p"].filters() == deflated(level=4)
        np.testing.assert_allclose(dataset["p"][:].filled(np.nan), [[0, 1, np.nan]])
        dataset.set_auto_maskandscale(False)
        np.testing.assert_array_equal(dataset["p"][:], plane)


def deflated(level: int) -> dict[str, object]:
    off = ("szip", "zstd", "bzip2", "blosc", "shuffle", "fletcher32")
    return {"zlib": True, "complevel": level, **dict.fromkeys(off, False)}
