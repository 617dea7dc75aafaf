from pathlib import Path
from typing import get_args

import pytest
from support.chart_maps import chart_map
from support.rewriting import Model, rewrite
from support.same_maps import assert_same

from seaice_model.errors import MapError
from seaice_model.formats.convert import convert_maps
from seaice_model.formats.submission import Submission
from seaice_model.maps.netcdf import describe, read_netcdf, write_netcdf

CLASSIC = [model for model in get_args(Model) if model.startswith("NETCDF3")]


@pytest.mark.parametrize("model", CLASSIC)
def test_a_map_in_a_classic_format_is_read(tmp_path: Path, model: Model) -> None:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    again = tmp_path / "again.nc"
    rewrite(tmp_path / "map.nc", again, model)
    assert again.read_bytes().startswith(b"CDF")
    assert_same(read_netcdf(again), read_netcdf(tmp_path / "map.nc"))
    assert describe(again).has_probabilities


@pytest.mark.parametrize("model", [*CLASSIC, "NETCDF4_CLASSIC"])
def test_a_submission_file_in_a_classic_format_is_read(
    tmp_path: Path, model: Model
) -> None:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    (whole,) = convert_maps(tmp_path / "map.nc", tmp_path, ["submission"]).written
    again = tmp_path / "again.nc"
    rewrite(whole, again, model)
    with Submission(again) as found, Submission(whole) as expected:
        (scene,) = found.scenes
        shape = chart_map().grid.shape
        assert (found.read(scene, shape) == expected.read(scene, shape)).all()


def test_a_truncated_map_in_a_classic_format_is_refused(tmp_path: Path) -> None:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    again = tmp_path / "again.nc"
    rewrite(tmp_path / "map.nc", again, "NETCDF3_64BIT_DATA")
    whole = again.read_bytes()
    for n_bytes in (5, 1000, len(whole) // 2):
        again.write_bytes(whole[:n_bytes])
        with pytest.raises(MapError, match=r"again\.nc'.*(truncated|its variables need)"):
            read_netcdf(again)
