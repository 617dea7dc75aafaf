from dataclasses import replace
from pathlib import Path

import pytest
from support.chart_maps import chart_map

from seaice_model.errors import MapError
from seaice_model.maps.listing import find_maps
from seaice_model.maps.netcdf import write_netcdf


def test_maps_are_found_in_order_and_half_written_ones_are_not(tmp_path: Path) -> None:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    write_netcdf(replace(chart_map(), scene="20180608T184326_dmi"), tmp_path / "a.nc")
    (tmp_path / ".b.123.nc").write_text("half")
    assert [found.name for found in find_maps(tmp_path)] == ["a.nc", "map.nc"]
    for name in ("a_grid.nc", "a_pixels.nc", "submission.nc"):  # as `convert` names them
        (tmp_path / name).write_text("another form")
    assert [found.name for found in find_maps(tmp_path)] == ["a.nc", "map.nc"]
    with pytest.raises(MapError, match="no maps in") as caught:
        find_maps(tmp_path / "empty")
    assert "seaice predict" in str(caught.value.hint)


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "map.nc").write_text("x")
    with pytest.raises(MapError, match="is a file, not a folder of maps") as caught:
        find_maps(tmp_path / "map.nc")
    assert str(tmp_path) in str(caught.value.hint)
