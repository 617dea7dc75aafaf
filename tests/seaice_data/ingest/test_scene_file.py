"""Files of own scenes: they contain what they are given, and are complete or absent."""

import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from support.compliance import check_cf, faults_in
from support.own_scenes import (
    CHARTED_ID,
    NO_CHART_ID,
    ROWS,
    SHAPE,
    backscatter,
    cells,
    chart,
    write_own,
    zones,
)

from seaice_data.channels import Group
from seaice_data.errors import SceneError
from seaice_data.ingest.scene_file import scene_id_of, write_scene_file


def test_the_file_contains_what_it_is_given(tmp_path: Path) -> None:
    hv = np.linspace(-0.01, 0.03, 60 * 75).reshape(SHAPE)
    hv[3] = np.nan
    sar = backscatter(hv=hv)
    with xr.open_dataset(write_own(tmp_path, sar, n_land=2, burnt=chart())) as file:
        np.testing.assert_array_equal(file["sigma0_hv"], sar.sigma0["hv"])
        np.testing.assert_array_equal(file["distance_map"], zones(n_land=2).zones)
        ids = file["polygon_icechart"].fillna(-1)
        np.testing.assert_array_equal(ids, chart().polygon_ids)
        assert file["polygon_codes"].values.tolist() == [*ROWS]
        assert file["sar_grid_incidenceangle"].values[0].round(3).tolist()[::3] == [19, 46]
        assert file["btemp_6_9h"].shape == (2, 3)
        assert file["btemp_6_9h"].attrs["swaths"] == "a, b"
        assert file["polygon_codes"].attrs["SIC_codes_without_class"] == (
            "12: 3.2 km2; 99: 1.0 km2"
        )
        about = file.attrs
        assert file.time.item() == np.datetime64("2022-11-30T01:43:42", "ns").astype(int)
    assert about["scene_id"] == CHARTED_ID
    assert (about["denoising_hh"], about["denoising_hv"]) == ("esa", "nersc")
    assert about["denoising_note"] == "coefficients of IPF 3.3"
    assert about["share_not_positive_hh"] == 0
    assert about["share_not_positive_hv"] == pytest.approx(sar.not_positive["hv"])
    assert (about["floor_db"], about["pixel_spacing"]) == (-45, 80)
    assert about["acquisition_start"] == "2022-11-30T01:43:42.500000Z"
    assert (about["absent"], about["orbit_direction"]) == ("nothing", "descending")


def test_what_is_not_given_is_absent(tmp_path: Path) -> None:
    path = write_own(tmp_path, backscatter(has_hv=False), has_cells=False)
    with xr.open_dataset(path) as file:
        assert file.attrs["absent"] == "HV, AMSR2, ERA5, ice chart"
        assert "denoising_hv" not in file.attrs
        assert not {"sigma0_hv", "t2m", "btemp_6_9h", "polygon_icechart"} & {*file}


def test_backscatter_is_contiguous_and_labels_are_small(tmp_path: Path) -> None:
    shape = (500, 600)
    path = write_own(tmp_path, backscatter(shape), burnt=chart(shape))
    assert path.stat().st_size < 2 * 4 * 500 * 600 + 150_000
    with xr.open_dataset(path) as file:
        assert file["sigma0_hh"].encoding["contiguous"]
        assert file["distance_map"].encoding["chunksizes"] == (100, 600)
        assert file["polygon_icechart"].encoding["zlib"]


def test_the_id_names_the_service_or_the_satellite() -> None:
    assert scene_id_of(backscatter()) == NO_CHART_ID
    assert scene_id_of(backscatter(), chart()) == CHARTED_ID
    with pytest.raises(SceneError, match="'N I C' cannot be the ice service") as caught:
        scene_id_of(backscatter(), chart(service="N I C"))
    assert "small letters" in str(caught.value.hint)
    with pytest.raises(SceneError, match="it stands for scenes without a chart"):
        scene_id_of(backscatter(), chart(service="s1a"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_compliance_checker_finds_no_fault_but_two_names(tmp_path: Path) -> None:
    found = check_cf(write_own(tmp_path, burnt=chart()))
    assert found["high_count"] == 0
    faults = faults_in(found)
    # The names that AI4Arctic gives its 2 km grid begin with a digit.
    assert len(faults) == 2
    assert all("dimension 2km_grid_" in fault for fault in faults)


# ---- parts that do not fit


def test_parts_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scene.nc"
    era5 = cells(Group.ERA5)
    lacking = replace(era5, fields={k: v for k, v in era5.fields.items() if k != "skt"})
    no_hh = replace(backscatter(), sigma0={"hv": np.ones(SHAPE, np.float32)})
    with pytest.raises(
        SceneError, match=r"the distance zones: shape \(60, 74\), where the"
    ):
        write_scene_file(path, backscatter(), zones((60, 74)))
    with pytest.raises(SceneError, match="the ice chart: shape"):
        write_scene_file(path, backscatter(), zones(), chart=chart((9, 9)))
    with pytest.raises(SceneError, match=r"'u10m_rotated': shape \(3, 3\)"):
        write_scene_file(path, backscatter(), zones(), era5=cells(Group.ERA5, (3, 3)))
    with pytest.raises(SceneError, match="the ERA5 fields lack 'skt'"):
        write_scene_file(path, backscatter(), zones(), era5=lacking)
    with pytest.raises(SceneError, match="has no HH"):
        write_scene_file(path, no_hh, zones())
    assert [*tmp_path.iterdir()] == []


# ---- complete or absent


@pytest.mark.parametrize("n_bytes", [0, 5_000, 30_000, 80_000])
def test_a_full_disk_leaves_the_old_file_or_none(tmp_path: Path, n_bytes: int) -> None:
    path = write_own(tmp_path / "old", burnt=chart())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        for folder in ("old", "new"):
            with pytest.raises(SceneError) as caught:
                write_own(tmp_path / folder, burnt=chart())
            expected = f"cannot write {str(tmp_path / folder)!r}: File too large"
            assert str(caught.value) == expected
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [*(tmp_path / "old").iterdir()] == [path]
    assert path.read_bytes() == before
    assert [*(tmp_path / "new").iterdir()] == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"cannot write '.*gone': No such file"):
        write_scene_file(tmp_path / "gone" / "scene.nc", backscatter(), zones())


_HALF = """\
import sys
from pathlib import Path
from seaice_data.system.netcdf_files import define_dimensions, whole_file
with whole_file(Path(sys.argv[1])) as file:
    define_dimensions(file, {"sar_lines": 5})
    file.sync()
    print("half", flush=True)
    sys.stdin.read()
"""


def test_a_killed_process_leaves_no_scene_and_the_next_one_tidies_up(
    tmp_path: Path,
) -> None:
    path = tmp_path / f"{NO_CHART_ID}.nc"
    process = subprocess.Popen(
        [sys.executable, "-c", _HALF, os.fspath(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".seaice.")
    assert write_own(tmp_path) == path
    assert [*tmp_path.iterdir()] == [path]


def test_times_are_written_in_utc(tmp_path: Path) -> None:
    burnt = replace(chart(), valid=datetime(2022, 11, 30, 12, tzinfo=UTC))
    with xr.open_dataset(write_own(tmp_path, burnt=burnt)) as file:
        assert file["polygon_icechart"].attrs["valid_time"] == "2022-11-30T12:00:00Z"
    with xr.open_dataset(write_own(tmp_path, burnt=replace(chart(), valid=None))) as file:
        assert "valid_time" not in file["polygon_icechart"].attrs
