import os
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from support.chart_maps import chart_map

from seaice_data.charts import CHARTS
from seaice_model.errors import MapError
from seaice_model.formats.submission import (
    Submission,
    variable_name,
    write_submission,
)
from seaice_model.maps.netcdf import write_netcdf

SCENES = ("20180124T194759_dmi", "20180623T114935_cis")
SHAPE = (30, 40)


def planes(seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return {
        variable_name(scene, chart.name): rng.integers(0, chart.n_classes, SHAPE, np.uint8)
        for scene in SCENES
        for chart in CHARTS
    }


def write(path: Path, variables: dict[str, NDArray[np.uint8]]) -> Path:
    """Write a file as participants did: by xarray, each variable on its own dimensions."""
    dataset = xr.Dataset(
        {
            name: ((f"{name}_dim0", f"{name}_dim1"), plane)
            for name, plane in variables.items()
        }
    )
    encoding = {name: {"zlib": True, "complevel": 1} for name in variables}
    dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)
    return path


def test_a_file_that_xarray_wrote_is_read(tmp_path: Path) -> None:
    written = planes()
    with Submission(write(tmp_path / "upload.nc", written)) as submission:
        assert submission.scenes == SCENES
        submission.check_scenes(SCENES, SCENES)
        for scene in SCENES:
            charts = submission.read(scene, SHAPE)
            for chart, plane in zip(CHARTS, charts, strict=True):
                np.testing.assert_array_equal(plane, written[f"{scene}_{chart.name}"])


def test_names_with_the_ending_of_the_file_are_recognised(tmp_path: Path) -> None:
    renamed = {n[:19] + "_prep.nc" + n[19:]: v for n, v in planes().items()}
    with Submission(write(tmp_path / "upload.nc", renamed)) as submission:
        assert submission.scenes == SCENES


def test_missing_and_unknown_scenes_are_named(tmp_path: Path) -> None:
    with Submission(write(tmp_path / "upload.nc", planes())) as submission:
        absent = [f"201901{day}T000000_cis" for day in range(10, 17)]
        with pytest.raises(
            MapError, match=r"lacks 7 of the 9 scenes: 20190110T0.* and 2 m"
        ):
            submission.check_scenes([*SCENES, *absent], [*SCENES, *absent])
        with pytest.raises(MapError, match=f"contains 1 scene without a .*: {SCENES[1]}"):
            submission.check_scenes(SCENES[:1], SCENES[:1])


def test_another_shape_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "upload.nc", planes())
    message = r"_SIC' of .* has 30 x 40 pixels, its chart has 300 x 400"
    with Submission(path) as submission, pytest.raises(MapError, match=message):
        submission.read(SCENES[0], (300, 400))


def test_values_that_are_not_classes_are_named_and_255_is_accepted(tmp_path: Path) -> None:
    changed = planes()
    changed[f"{SCENES[0]}_SOD"][3, :5] = 6
    changed[f"{SCENES[1]}_FLOE"][:] = 255
    with Submission(write(tmp_path / "upload.nc", changed)) as submission:
        with pytest.raises(
            MapError, match=r"_SOD' of .* contains 6 in 5 pixels.*\(0-5, or"
        ):
            submission.read(SCENES[0], SHAPE)
        assert (submission.read(SCENES[1], SHAPE)[2] == 255).all()


def test_files_that_are_not_submissions_are_refused(tmp_path: Path) -> None:
    def refused(message: str, variables: dict[str, NDArray[np.uint8]]) -> None:
        with pytest.raises(MapError, match=message):
            Submission(write(tmp_path / "upload.nc", variables))

    whole = planes()
    refused("contains no charts", {})
    refused("not a submission file: it contains 'ice'", {"ice": np.zeros(SHAPE, np.uint8)})
    refused("contains '20180124T194759_dmi_ICE'", {f"{SCENES[0]}_ICE": np.zeros(SHAPE)})
    arabic = SCENES[0].replace("8", "\N{ARABIC-INDIC DIGIT EIGHT}")
    refused("contains '20", {f"{arabic}_SIC": np.zeros(SHAPE, np.uint8)})
    lacking = {n: v for n, v in whole.items() if n != f"{SCENES[1]}_SOD"}
    refused(f"lacks SOD of scene '{SCENES[1]}'", lacking)
    floats = {n: v.astype(np.float32) for n, v in whole.items()}
    refused(r"must be whole numbers, got float32", floats)
    twice = {**whole, f"{SCENES[0]}_prep_SIC": whole[f"{SCENES[0]}_SIC"]}
    refused(f"contains SIC of {SCENES[0]} twice", twice)


def test_a_file_that_is_not_netcdf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="no submission file at"):
        Submission(tmp_path / "absent.nc")
    (tmp_path / "text.nc").write_text("no netCDF")
    with pytest.raises(MapError, match=r"cannot read submission file .*: not a netCDF-4"):
        Submission(tmp_path / "text.nc")


def test_damaged_planes_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "upload.nc", planes())
    content = bytearray(path.read_bytes())
    with netCDF4.Dataset(path) as file:
        assert file.data_model == "NETCDF4"
    # Deflated planes begin with the header of zlib; bytes after each are changed.
    for place in [k for k in range(len(content)) if content[k : k + 2] == b"\x78\x01"]:
        content[place + 20 : place + 60] = bytes(40)
    path.write_bytes(content)
    with (
        Submission(path) as submission,
        pytest.raises(MapError, match=r"_SIC' of .* is damaged"),
    ):
        submission.read(SCENES[0], SHAPE)


def test_errors_while_progress_is_shown_are_not_about_the_file(tmp_path: Path) -> None:
    broken = BrokenPipeError(32, "Broken pipe")

    def show(*_: object) -> None:
        raise broken

    write_netcdf(chart_map(), tmp_path / "map.nc")
    with pytest.raises(BrokenPipeError) as caught:
        write_submission([tmp_path / "map.nc"], tmp_path / "upload.nc", show)
    assert caught.value is broken
    assert [path.name for path in tmp_path.iterdir()] == ["map.nc"]


READ = """
import sys
from pathlib import Path
from seaice_model.formats.submission import Submission
Submission(Path(sys.argv[1])).close()
print("read")
"""


@pytest.mark.skipif(not netCDF4.__has_zstandard_support__, reason="netCDF4 has no filters")
def test_files_packed_with_filters_of_the_netcdf_library_are_read(tmp_path: Path) -> None:
    path = tmp_path / "upload.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", SHAPE[0])
        file.createDimension("x", SHAPE[1])
        for name, plane in planes().items():
            file.createVariable(name, "u1", ("y", "x"), compression="zstd")[:] = plane
    # netCDF4 sets this variable when it is imported.
    inherited = {k: v for k, v in os.environ.items() if k != "HDF5_PLUGIN_PATH"}
    command = [sys.executable, "-c", READ, path]
    done = subprocess.run(command, env=inherited, capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "read\n")
