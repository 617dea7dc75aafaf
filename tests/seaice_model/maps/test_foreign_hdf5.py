"""Maps and submission files that anybody wrote are read, or refused with a reason."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from support.chart_maps import chart_map
from support.rewriting import Model, rewrite
from support.same_maps import assert_same

from seaice_model.errors import MapError
from seaice_model.formats.convert import convert_maps
from seaice_model.formats.submission import Submission
from seaice_model.maps.foreign_hdf5 import read_bytes, text
from seaice_model.maps.netcdf import describe, read_netcdf, write_netcdf

SCENE = chart_map().scene
SIC, SHAPE = "sea_ice_area_fraction", chart_map().grid.shape


@pytest.fixture
def a_map(tmp_path: Path) -> Path:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    return tmp_path / "map.nc"


@pytest.fixture
def submission(a_map: Path, tmp_path: Path) -> Path:
    convert_maps(a_map, tmp_path / "out", ["submission"])
    return tmp_path / "out" / "submission.nc"


def put(name: str, make: Callable[[h5py.File], Any]) -> Callable[[h5py.File], None]:
    """Return a function that replaces an array of a file."""

    def change(file: h5py.File) -> None:
        del file[name]
        if (made := make(file)) is not None:
            file[name] = made

    return change


def declared(name: str, shape: tuple[int, ...], **options: Any) -> Any:
    """Return a function that declares an array that none of our files has."""

    def make(file: h5py.File) -> None:
        file.create_dataset(name, shape, np.uint8, **options)

    return put(name, make)


def outside(name: str) -> Any:
    layout = h5py.VirtualLayout(SHAPE, np.uint8)
    layout[:] = h5py.VirtualSource("other.nc", "secret", SHAPE)
    return put(name, lambda file: file.create_virtual_dataset(name, layout) and None)


def changes(name: str) -> list[tuple[Callable[[h5py.File], None], str]]:
    """Return changes to an array, and what the error says about each."""
    raw = [("other.nc", 0, SHAPE[0] * SHAPE[1])]
    return [
        (put(name, lambda _: h5py.ExternalLink("other.nc", "secret")), "is a link"),
        (put(name, lambda _: h5py.SoftLink("/nowhere")), "is a link"),
        (put(name, lambda file: file.create_group(name) and None), "is not an array"),
        (put(name, lambda _: np.full(SHAPE, 0.4)), "must be (bytes|whole numbers).*, got"),
        (put(name, lambda _: b"text"), r"has shape \(\), not 2 axes"),
        (declared(name, SHAPE, external=raw), "has its values in other files"),
        (outside(name), "has its values in other files"),
        (declared(name, (10**6, 10**6), chunks=(1, 10**6)), "more than 20000 per side"),
        (declared(name, (19_999, 19_999), chunks=(1, 19_999)), "than a scene has pixels"),
        (
            declared(name, SHAPE, chunks=(20_000, 20_000), maxshape=(None, None)),
            r"in chunks of \(20000, 20000\)",
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), changes(SIC))
def test_an_array_of_a_map_that_is_not_ours_is_named(
    a_map: Path, change: Callable[[h5py.File], None], words: str
) -> None:
    with h5py.File(a_map, "a") as file:
        change(file)
    with pytest.raises(MapError, match=rf"map '.*map\.nc' is damaged: '{SIC}' .*{words}"):
        read_netcdf(a_map)


@pytest.mark.parametrize(("change", "words"), changes(f"{SCENE}_SIC"))
def test_an_array_of_a_submission_that_is_not_ours_is_named(
    submission: Path, change: Callable[[h5py.File], None], words: str
) -> None:
    with h5py.File(submission, "a") as file:
        change(file)
    with pytest.raises(MapError, match=rf"submission\.nc' is damaged: '{SCENE}.*{words}"):
        Submission(submission)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("n_networks", np.inf, "'n_networks' must be from 1 to 10000, got inf"),
        ("n_networks", -1, "'n_networks' must be from 1 to 10000, got -1"),
        ("n_networks", "3", "'n_networks' must be from 1 to 10000, got 3"),
        ("n_networks", [1, 2], r"'n_networks' must be from 1 to 10000, got \[1 2\]"),
        ("pixel_spacing_m", "80", "'pixel_spacing_m' must be from 1 to .*, got 80"),
        ("pixel_spacing_m", [80.0, 80.0], "'pixel_spacing_m' must be from 1 to"),
    ],
)
def test_attributes_that_are_not_valid_numbers_are_named(
    a_map: Path, name: str, value: Any, words: str
) -> None:
    with h5py.File(a_map, "a") as file:
        file.attrs[name] = value
    with pytest.raises(MapError, match=words):
        read_netcdf(a_map)


def test_too_many_tie_points_are_not_read(a_map: Path) -> None:
    with h5py.File(a_map, "a") as file:
        for name, shape in (
            ("tie_y_index", (20_000,)),
            ("tie_x_index", (20_000,)),
            ("latitude", (20_000, 20_000)),
            ("longitude", (20_000, 20_000)),
        ):
            kind = file[name].dtype
            del file[name]
            file.create_dataset(name, shape, kind, chunks=shape[:1] and (100,) * len(shape))
    with pytest.raises(MapError, match="20000 x 20000 tie points, more than 10000"):
        read_netcdf(a_map)


def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.nc")
    (tmp_path / "zero.nc").symlink_to("/dev/zero")
    for name in ("pipe.nc", "zero.nc"):
        for read in (read_netcdf, describe, Submission):
            with pytest.raises(MapError, match=f"{name}' is not a regular file"):
                read(tmp_path / name)
    (tmp_path / "folder.nc").mkdir()
    with pytest.raises(MapError, match=r"cannot read map .*folder\.nc': Is a directory"):
        read_netcdf(tmp_path / "folder.nc")


def test_a_file_without_read_permission_is_not_called_damaged(a_map: Path) -> None:
    a_map.chmod(0)
    program = (
        "import sys; from pathlib import Path; from seaice_model import read_netcdf\n"
        "try: read_netcdf(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error, error.hint)\n"
    )
    # Root may read everything, unless it gives up that right.
    unable = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    unable += ["--inh-caps", "-dac_override,-dac_read_search"]
    command = [sys.executable, "-c", program, str(a_map)]
    done = subprocess.run(
        [*(unable if os.geteuid() == 0 else ()), *command], capture_output=True, text=True
    )
    assert done.stdout == f"MapError cannot read map '{a_map}': Permission denied None\n"


def test_a_damaged_file_of_a_classic_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "classic.nc"
    path.write_bytes(b"CDF\x01" + bytes(64))
    with pytest.raises(MapError, match="is not a map of seaice"):
        read_netcdf(path)
    path.write_bytes(b"CDF\x01")
    with pytest.raises(MapError, match="the header is truncated"):
        read_netcdf(path)


def test_a_missing_filter_is_named_and_not_called_damage(a_map: Path) -> None:
    with h5py.File(a_map, "a") as file:
        shape = file[SIC].shape
        del file[SIC]
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk(shape)
        created.set_filter(32999, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple(shape)
        made = h5py.h5d.create(file.id, SIC.encode(), h5py.h5t.STD_U8LE, space, created)
        made.write_direct_chunk((0, 0), bytes(shape[0] * shape[1]))
    with pytest.raises(
        MapError, match=f"'{SIC}' is packed with HDF5 filter 32999"
    ) as caught:
        read_netcdf(a_map)
    assert "damaged" not in str(caught.value)
    assert "h5repack" in str(caught.value.hint)


def test_a_map_locked_by_another_process_is_read(a_map: Path) -> None:
    import fcntl

    with a_map.open("rb+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert describe(a_map).scene == SCENE


def test_an_attribute_of_many_texts_is_not_read(a_map: Path) -> None:
    with h5py.File(a_map, "a") as file:  # a file may repeat one long text for each
        file.attrs["run"] = ["a"] * 1000
        file.attrs["acquired"] = np.zeros(11_000, np.int32)
    with pytest.raises(MapError, match="'run' has 1000 values"):
        describe(a_map)
    with h5py.File(a_map, "a") as file:
        file.attrs["run"] = "run"
    with pytest.raises(MapError, match="'acquired' has 11000 values"):
        read_netcdf(a_map)


@pytest.mark.parametrize("strings", [False, True])
@pytest.mark.parametrize("model", ["NETCDF4", "NETCDF4_CLASSIC"])
def test_a_map_written_again_by_netcdf_tools_is_read(
    tmp_path: Path, a_map: Path, model: Model, strings: bool
) -> None:
    again = tmp_path / "again.nc"
    rewrite(a_map, again, model, strings=strings and model == "NETCDF4")
    assert_same(read_netcdf(again), read_netcdf(a_map))


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_a_map_that_xarray_unpacked_and_wrote_again_is_read(
    tmp_path: Path, a_map: Path, engine: Any
) -> None:
    plain = xr.load_dataset(a_map).drop_encoding()
    is_seen = plain.status_flag == 0
    plain["sea_ice_area_fraction"] = plain.sea_ice_area_fraction.where(is_seen)
    again = tmp_path / "again.nc"
    plain.to_netcdf(again, engine=engine)
    with h5py.File(again) as file:
        assert file[SIC].dtype == np.float32
        assert file["entropy_sod"].dtype == np.float32
    assert_same(read_netcdf(again), read_netcdf(a_map))


@pytest.mark.parametrize(
    ("name", "packing"),
    [
        (SIC, {"dtype": "uint8", "scale_factor": 10.0, "_FillValue": 255}),
        (SIC, {"dtype": "int8", "add_offset": 50.0, "_FillValue": -128}),
        ("concentration", {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -1}),
        ("concentration", {"dtype": "uint8", "scale_factor": 0.4, "_FillValue": 255}),
        (
            "entropy_sod",
            {
                "dtype": "int16",
                "scale_factor": 2e-5,
                "add_offset": 0.5,
                "_FillValue": -32768,
            },
        ),
    ],
)
def test_a_map_that_was_packed_in_another_way_is_read(
    tmp_path: Path, name: str, packing: dict[str, Any]
) -> None:
    original, again = chart_map(), tmp_path / "again.nc"
    assert original.decision is not None
    original.charts[0, original.charts[0] < 11] = 10  # bytes that look like 10 %
    original.decision.concentration[...] = np.arange(48).reshape(6, 8) * 4  # in 2 %
    write_netcdf(original, tmp_path / "map.nc")
    plain = xr.load_dataset(tmp_path / "map.nc").drop_encoding()
    plain.to_netcdf(again, encoding={name: packing})
    assert_same(read_netcdf(again), read_netcdf(tmp_path / "map.nc"))


@pytest.mark.parametrize("axis", ["y", "x", "store_y", "store_x"])
def test_a_map_whose_pixels_were_sorted_is_refused(
    tmp_path: Path, a_map: Path, axis: str
) -> None:
    again = tmp_path / "again.nc"
    ascending = not axis.endswith("y")
    xr.load_dataset(a_map).sortby(axis, ascending=not ascending).to_netcdf(again)
    with pytest.raises(
        MapError, match=f"'{axis}' must {'in' if ascending else 'de'}crease"
    ):
        read_netcdf(again)


@pytest.mark.parametrize(
    ("stored", "fill", "scale"),
    [
        (np.array([0, -1], np.int16), -1, None),
        (np.array([0, -1], np.int8), None, None),  # with _Unsigned
        (np.array([0, 9.96e36], np.float32), np.float32(9.96e36), None),
        (np.array([0, 255], np.float64), None, 0.5),
        (np.array([0, np.nan], np.float32), None, None),
    ],
)
def test_bytes_are_read_in_any_type(
    tmp_path: Path, stored: NDArray[Any], fill: float | None, scale: float | None
) -> None:
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["a"] = stored
        if fill is not None:
            file["a"].attrs["_FillValue"] = fill
        if scale is not None:
            file["a"].attrs["scale_factor"] = scale
        if stored.dtype == np.int8:
            file["a"].attrs["_Unsigned"] = "true"
        np.testing.assert_array_equal(read_bytes(file["a"], 0.5), [0, 255])


@pytest.mark.parametrize("wrong", [-1, 256, 37.5, np.inf])
def test_numbers_that_are_not_bytes_are_refused(tmp_path: Path, wrong: float) -> None:
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["a"] = [0, wrong]
        with pytest.raises(ValueError, match=r"'a' must be bytes \(uint8\), got"):
            read_bytes(file["a"])


def test_texts_of_other_programs_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.attrs["padded"] = np.bytes_("Grønland\0\0".encode())
        file.attrs["array"] = np.array(["Grønland".encode()])
        file.attrs["string"] = "Grønland"
        file.attrs["strings"] = np.array(["Grønland"], object)
        file.attrs["empty"] = np.array([b"\0"])
        names = ("padded", "array", "string", "strings")
        assert {text(file.attrs, name) for name in names} == {"Grønland"}
        assert text(file.attrs, "empty") == ""


@pytest.mark.parametrize("name", ["sic_basis", "grid_name", "acquired", "pixel_spacing_m"])
def test_a_url_in_place_of_a_value_is_quoted_without_its_secrets(
    a_map: Path, name: str
) -> None:
    with h5py.File(a_map, "r+") as file:
        file.attrs[name] = "http://user:s3cr3t@host/x?token=s3cr3t"
    with pytest.raises(MapError, match=rf"{name}.*http://host/x\?token=") as refused:
        read_netcdf(a_map)
    assert "s3cr3t" not in str(refused.value)
