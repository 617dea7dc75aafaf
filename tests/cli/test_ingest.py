"""What `seaice ingest` says, in particular of faults: one line, and no half file."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import shapely
import xarray as xr
from support.command_results import Result
from support.ingest_twins import Twin, write_twins
from support.other_systems import Moment, OtherSystem, resume
from support.tiny_inputs import ELSEWHERE, write_chart, write_coast
from support.tiny_product import NAME, edit, write_product, write_tiff, zipped

SEAICE = Path(sys.executable).with_name("seaice")
TIME = "20221130T014342"

Seaice = Callable[..., Result]


@pytest.fixture(scope="module")
def coast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coast(tmp_path_factory.mktemp("coast") / "coast.gpkg")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    return write_twins(tmp_path_factory.mktemp("twin"), 1, 100)[0]


def names(folder: Path) -> list[str]:
    """Return the names in a folder, hidden ones too."""
    return sorted(os.listdir(folder))  # noqa: PTH208 - names alone


def truncate(path: Path, share: float = 0.6) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def cut_off_zip(product: Path) -> None:
    truncate(zipped(product))
    shutil.rmtree(product)


def lose(pattern: str) -> Callable[[Path], None]:
    def change(product: Path) -> None:
        (path,) = product.rglob(pattern)
        path.unlink()

    return change


def replace(pattern: str, old: str, new: str) -> Callable[[Path], None]:
    def change(product: Path) -> None:
        for path in product.rglob(pattern):
            edit(product, path.name, old, new)

    return change


def resize_tiff(product: Path) -> None:
    (path,) = product.rglob("*hv*.tiff")
    write_tiff(path, np.full((11, 20), 7, np.uint16))


def cut_off_tiff(product: Path) -> None:
    (path,) = product.rglob("*hh*.tiff")
    truncate(path)


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (cut_off_zip, "the zip is cut off or damaged"),
    (lose("*hv*.tiff"), "no measurement of HV"),
    (cut_off_tiff, "cannot be read"),
    (resize_tiff, "has 11 x 20 pixels, but the annotation says 12 x 20"),
    (lose("noise-*hv*.xml"), "no noise annotation of HV ("),
    (lose("calibration-*hh*.xml"), "calibration"),
    (replace("s1*hv*.xml", ">361801<", ">361802<"), "361802"),
    (replace("*.xml", "<mode>EW", "<mode>IW"), "IW"),
    (replace("*.xml", ">GRD<", ">SLC<"), "SLC"),
    (replace("s1*.xml", "4.0e+01", "2.5e+01"), "of 25 m, not of 40 m (GRDM)"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGES)
def test_a_broken_product_is_named_in_one_line_and_the_others_are_made(
    damage: Callable[[Path], None], words: str, coast: Path, tmp_path: Path, seaice: Seaice
) -> None:
    products, raw = tmp_path / "products", tmp_path / "raw"
    damage(write_product(products / "bad"))
    write_product(products / "good", satellite="B")
    done = seaice("ingest", products, "--coast", coast, "--out", raw)
    found = [line for line in done.err.splitlines() if line.startswith("left out: ")]
    (line,) = found
    assert words in line
    assert str(products / "bad") in line
    assert "1 scene file written" in done.out
    assert "1 product left out" in done.out
    assert (done.code, done.err.count("\n")) == (1, 2)  # the other is what the good one has
    assert names(raw) == [f"{TIME}_s1b.nc"]


def test_without_noise_annotation_noise_can_be_left_in(
    coast: Path, tmp_path: Path, seaice: Seaice
) -> None:
    product = write_product(tmp_path)
    for path in product.rglob("noise-*.xml"):
        path.unlink()
    command = ("ingest", product, "--coast", coast, "--out", tmp_path / "raw")
    assert "`--denoise none` leaves the noise in" in seaice(*command).err
    assert seaice(*command, "--denoise", "none").code == 0


def test_hh_only_is_written_and_said(coast: Path, tmp_path: Path, seaice: Seaice) -> None:
    product = write_product(tmp_path, {"HH": np.full((12, 20), 20, np.uint16)})
    done = seaice("ingest", product, "--coast", coast, "--out", tmp_path / "raw", "--json")
    (scene,) = json.loads(done.out)["scenes"]
    assert scene["absent"] == ["HV", "AMSR2", "ERA5", "ice chart"]
    assert done.err == f"{TIME}_s1a: the product has no HV; without AMSR2 and ERA5\n"
    assert done.code == 0
    with netCDF4.Dataset(scene["path"]) as file:
        assert "sigma0_hv" not in file.variables


def test_the_result_for_machines(coast: Path, tmp_path: Path, seaice: Seaice) -> None:
    good, raw = write_product(tmp_path), tmp_path / "raw"
    (tmp_path / "bad.zip").write_text("not a product")
    command = ("ingest", good, tmp_path / "bad.zip", "--coast", coast, "--out", raw)
    done = seaice(*command, "--json")
    found = json.loads(done.out)
    elapsed_s = found.pop("elapsed_s")
    assert elapsed_s > 0
    assert found == {
        "out": str(raw),
        "scenes": [
            {
                "id": f"{TIME}_s1a",
                "product": NAME,
                "path": str(raw / f"{TIME}_s1a.nc"),
                "is_new": True,
                "absent": ["AMSR2", "ERA5", "ice chart"],
                "notes": ["without AMSR2 and ERA5"],
            }
        ],
        "written": 1,
        "kept": 0,
        "failed": [
            {
                "product": str(tmp_path / "bad.zip"),
                "reason": f"'{tmp_path}/bad.zip' is not a Sentinel-1 product",
            }
        ],
    }
    assert done.code == 1


Source = tuple[str, Path]


def another_day(twin: Twin, tmp_path: Path) -> Source:
    folder = Path(shutil.copytree(twin.amsr2, tmp_path / "amsr2"))
    for path in folder.iterdir():
        with h5py.File(path, "r+") as file:
            file["Scan Time"][...] += 2 * 86400
    return "--amsr2", folder


def test_a_swath_of_another_day_is_not_taken(
    twin: Twin, tmp_path: Path, seaice: Seaice
) -> None:
    option, swaths = another_day(twin, tmp_path)
    raw = tmp_path / "raw"
    command = ("ingest", twin.sentinel1, "--coast", twin.coast, "--out", raw, option)
    done = seaice(*command, swaths, "--era5", twin.era5, "--json")
    assert done.code == 0
    assert done.err.count("\n") == 1
    (scene,) = json.loads(done.out)["scenes"]
    assert scene["absent"] == ["AMSR2", "ice chart"]
    note = scene["notes"][0]
    assert note.startswith("without AMSR2: none of 2 AMSR2 swaths sees the scene of 2019")
    assert note.endswith(" h after it")
    # Nothing is better now: the file is kept, and the reason said again.
    again = seaice(*command, swaths, "--era5", twin.era5)
    assert "0 scene files written to" in again.out
    assert note in again.err
    # The right swaths have come.
    better = seaice(*command, twin.amsr2, "--era5", twin.era5, "--json")
    assert better.code == 0
    (scene,) = json.loads(better.out)["scenes"]
    assert (scene["is_new"], scene["absent"]) == (True, ["ice chart"])
    assert names(raw) == [f"{scene['id']}.nc"]


def damaged_swath(twin: Twin, tmp_path: Path) -> Source:
    folder = Path(shutil.copytree(twin.amsr2, tmp_path / "amsr2"))
    truncate(next(folder.iterdir()))
    return "--amsr2", folder


def no_swath(_twin: Twin, tmp_path: Path) -> Source:
    (tmp_path / "empty").mkdir()
    return "--amsr2", tmp_path / "empty"


def weather_of_another_day(twin: Twin, tmp_path: Path) -> Source:
    path = Path(shutil.copy(twin.era5, tmp_path / "era5.nc"))
    with netCDF4.Dataset(path, "r+") as file:
        name = "valid_time" if "valid_time" in file.variables else "time"
        times = file[name]
        times[:] = times[:] + (48 if "hours" in times.units else 48 * 3600)
    return "--era5", path


def weather_elsewhere(twin: Twin, tmp_path: Path) -> Source:
    path = Path(shutil.copy(twin.era5, tmp_path / "era5.nc"))
    with netCDF4.Dataset(path, "r+") as file:
        file["latitude"][:] = file["latitude"][:] - 40
    return "--era5", path


def weather_without_wind(twin: Twin, tmp_path: Path) -> Source:
    with xr.open_dataset(twin.era5) as weather:
        weather.drop_vars("u10").to_netcdf(tmp_path / "era5.nc")
    return "--era5", tmp_path / "era5.nc"


def weather_cut_off(twin: Twin, tmp_path: Path) -> Source:
    path = Path(shutil.copy(twin.era5, tmp_path / "era5.nc"))
    truncate(path)
    return "--era5", path


def chart_elsewhere(_twin: Twin, tmp_path: Path) -> Source:
    return "--chart", write_chart(tmp_path / "nic_20190902.gpkg", ELSEWHERE)


def chart_cut_off(twin: Twin, tmp_path: Path) -> Source:
    path = Path(shutil.copy(twin.chart, tmp_path / twin.chart.name))
    truncate(path, 0.3)
    return "--chart", path


def chart_zip_cut_off(twin: Twin, tmp_path: Path) -> Source:
    path = Path(shutil.copy(twin.chart_zip, tmp_path / twin.chart_zip.name))
    truncate(path)
    return "--chart", path


def coast_of_points(_twin: Twin, tmp_path: Path) -> Source:
    return "--coast", write_coast(tmp_path / "points.gpkg", shapely.Point(0, 80))


def coast_far_away(_twin: Twin, tmp_path: Path) -> Source:
    path = tmp_path / "south.gpkg"
    return "--coast", write_coast(path, shapely.box(-60.5, -70, -60, -69.5))


def coast_of_text(_twin: Twin, tmp_path: Path) -> Source:
    (tmp_path / "coast.gpkg").write_text("land")
    return "--coast", tmp_path / "coast.gpkg"


BROKEN: list[tuple[Callable[[Twin, Path], Source], str]] = [
    (damaged_swath, "amsr2/GW1AM2"),
    (no_swath, "no AMSR2 swath in '"),
    (weather_of_another_day, "the scene was acquired at 2019-"),
    (weather_elsewhere, "the scene is at "),
    (weather_without_wind, "the weather files lack u10, v10 ("),
    (weather_cut_off, "era5.nc'"),
    (chart_elsewhere, "the chart shows no ice and no water in the scene, which is at "),
    (chart_cut_off, ".gpkg'"),
    (chart_zip_cut_off, ".zip'"),
    (coast_of_points, "points.gpkg"),
    (coast_far_away, "south.gpkg"),
    (coast_of_text, "coast.gpkg"),
]


@pytest.mark.parametrize(("make", "words"), BROKEN)
def test_what_does_not_fit_a_product_is_named_with_it_and_nothing_is_written(
    make: Callable[[Twin, Path], Source],
    words: str,
    twin: Twin,
    tmp_path: Path,
    seaice: Seaice,
) -> None:
    options = {"--coast": twin.coast} | dict([make(twin, tmp_path)])
    given = [word for option in options.items() for word in option]
    done = seaice("ingest", twin.sentinel1, *given, "--out", tmp_path / "raw")
    assert done.err.startswith(f"left out: '{twin.sentinel1}': ")
    assert words in done.err
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert names(tmp_path / "raw") == []


@pytest.mark.parametrize("option", ["", "--amsr2", "--era5", "--chart", "--coast"])
def test_a_pipe_is_not_waited_for(
    option: str, twin: Twin, tmp_path: Path, seaice: Seaice
) -> None:
    pipe, product = tmp_path / "pipe", twin.sentinel1
    os.mkfifo(pipe)
    given = {"--coast": twin.coast} | ({option: pipe} if option else {})
    words = [word for pair in given.items() for word in pair]
    done = seaice("ingest", product if option else pipe, *words, "--out", tmp_path / "raw")
    (line,) = (x for x in done.err.splitlines() if not x.startswith("hint: "))
    assert f"'{pipe}'" in line
    assert done.code == 1
    assert [*(tmp_path / "raw").glob("*")] == []


def test_a_coast_without_land_nearby_is_accepted(tmp_path: Path, seaice: Seaice) -> None:
    product = write_product(tmp_path)
    coast = write_coast(tmp_path / "coast.gpkg", shapely.box(99, 75, 101, 75.5))
    done = seaice("ingest", product, "--coast", coast, "--out", tmp_path / "raw")
    assert done.code == 0
    with netCDF4.Dataset(tmp_path / "raw" / f"{TIME}_s1a.nc") as file:
        assert (file["distance_map"][:] == 41).all()


def test_notes_of_a_chart_name_its_age_and_codes_without_a_class(
    coast: Path, tmp_path: Path, seaice: Seaice
) -> None:
    chart = write_chart(tmp_path / "nic_20221129T18.gpkg", CT="99", SA="77")
    product = write_product(tmp_path)
    command = ("--coast", coast, "--chart", chart, "--out", tmp_path / "raw")
    done = seaice("ingest", product, *command)
    assert done.err == (
        f"{TIME}_nic: without AMSR2 and ERA5; chart nic_20221129T18, 7.7 h before the "
        "scene; no SIC class for code 99 (1 km2); no SOD class for code 77 (1 km2)\n"
    )
    assert done.code == 0


def test_dark_pixels_and_nearest_coefficients_are_said(
    coast: Path, tmp_path: Path, seaice: Seaice
) -> None:
    dark = np.full((12, 20), 20, np.uint16)
    dark[:6, :10] = 1
    product = write_product(tmp_path, {"HH": np.full((12, 20), 20, np.uint16), "HV": dark})
    command = ("--coast", coast, "--out", tmp_path / "raw", "--denoise", "nersc")
    done = seaice("ingest", product, *command)
    assert "for S1A and IPF 3.3, the nearest to 003.52" in done.err
    assert " % of the HV pixels are not above the noise\n" in done.err
    assert "HH pixels" not in done.err
    assert done.err.count("\n") == 1


def test_nersc_has_no_coefficients_for_s1c(
    coast: Path, tmp_path: Path, seaice: Seaice
) -> None:
    product = write_product(tmp_path, satellite="C")
    command = ("--coast", coast, "--out", tmp_path / "raw", "--denoise", "nersc")
    done = seaice("ingest", product, *command)
    assert "NERSC has no coefficients for S1C: HV as annotated by ESA" in done.err
    assert done.code == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--max-delay-hours", "0"], 2, "0 is not finite and above 0"),
        (["--max-delay-hours", "nan"], 2, "nan is not finite and above 0"),
        (["--service", "cis"], 1, "service 'cis' is given without a chart"),
        (["--service", "../x", "--chart", "."], 1, "'../x' cannot be the ice service"),
        (["--service", "s1a", "--chart", "."], 1, "'s1a' cannot be the ice service"),
        (["--service", "prep", "--chart", "."], 1, "'prep' cannot be the ice service"),
        (["--amsr2", "no/such"], 1, "amsr2: no file or folder at 'no/such'"),
        (["--era5", "no\x1b[31m"], 1, r"era5: no file or folder at 'no\x1b[31m'"),
        (["--chart", "no\nsuch"], 1, r"chart: no file or folder at 'no\nsuch'"),
        (["--coast", "no/such"], 1, "coast: no file or folder at 'no/such'"),
        (["--denoise", "best"], 2, "best"),
    ],
)
def test_options_that_fit_no_product_are_refused_once_before_anything_is_made(
    options: list[str], code: int, words: str, tmp_path: Path, seaice: Seaice
) -> None:
    write_product(tmp_path)
    write_product(tmp_path, satellite="B")
    done = seaice("ingest", tmp_path, *options, "--out", tmp_path / "raw")
    assert done.code == code
    assert words in done.err
    assert done.err.count("error: ") + done.err.count("Error: ") == 1
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("name", ["no such", "no\nsuch\x1b[31m", "\u202eevil"])
def test_a_path_without_product_is_one_line(
    name: str, tmp_path: Path, seaice: Seaice
) -> None:
    done = seaice("ingest", tmp_path / name, "--out", tmp_path / "raw")
    assert done.code == 1
    assert done.err.startswith("error: no folder and no product at ")
    assert done.err.count("\n") == 1
    assert done.err.strip().isprintable()


def test_a_folder_without_products_is_refused(tmp_path: Path, seaice: Seaice) -> None:
    (tmp_path / "photos").mkdir()
    done = seaice("ingest", tmp_path / "photos", "--out", tmp_path / "raw")
    assert (done.code, done.err) == (
        1,
        f"error: no Sentinel-1 product in '{tmp_path}/photos'\n"
        "hint: products are SAFE folders, or zips of them\n",
    )
    assert not (tmp_path / "raw").exists()


def test_names_with_any_letters_are_read_and_shown_with_escapes(
    coast: Path, tmp_path: Path, seaice: Seaice
) -> None:
    odd = tmp_path / "a b \u00e5\u4e2d \x1b[31m\n"
    good = write_product(odd / "good")
    bad = write_product(odd / "bad", satellite="B")
    lose("*hv*.tiff")(bad)
    done = seaice("ingest", odd, "--coast", coast, "--out", odd / "raw")
    assert done.code == 1
    assert done.err.count("\n") == 2
    assert "\x1b" not in done.err + done.out
    assert "no measurement of HV" in done.err
    assert names(odd / "raw") == [f"{TIME}_s1a.nc"]
    assert good.exists()


def test_a_file_in_place_of_the_folder_is_refused(
    coast: Path, tmp_path: Path, seaice: Seaice
) -> None:
    product, raw = write_product(tmp_path), tmp_path / "raw"
    raw.write_text("mine")
    done = seaice("ingest", product, "--coast", coast, "--out", raw)
    assert (done.code, done.err) == (1, f"error: '{raw}' is not a folder\n")
    assert raw.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_refused_at_once(
    coast: Path, tmp_path: Path, seaice: Seaice
) -> None:
    products = tmp_path / "products"
    write_product(products)
    write_product(products, satellite="B")
    out = Path("/proc/self/fdinfo")  # nobody can write there, not even root
    done = seaice("ingest", products, "--coast", coast, "--out", out)
    assert done.code == 1
    assert done.err.startswith("error: '/proc/self/fdinfo': ")
    assert done.err.count("\n") == 1


def test_a_full_disk_leaves_only_complete_files(coast: Path, tmp_path: Path) -> None:
    products, raw = tmp_path / "products", tmp_path / "raw"
    write_product(products / "1")
    large = write_product(products / "2", satellite="B")
    write_product(products / "3", satellite="C")
    # The limit is 100 kB per file: enough for 12 x 20 pixels, not for 4000 x 20.
    for path in large.rglob("s1*.xml"):
        edit(large, path.name, "<numberOfLines>12<", "<numberOfLines>4000<")
    for path in large.rglob("*.tiff"):
        write_tiff(path, np.full((4000, 20), 20, np.uint16))
    limited = 'ulimit -f 100; exec "$0" ingest "$1" --coast "$2" --out "$3" --jobs 1'
    done = subprocess.run(
        ["bash", "-c", limited, SEAICE, products, coast, raw],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (line,) = (x for x in done.stderr.splitlines() if x.startswith("left out: "))
    assert line.startswith(f"left out: '{large}': cannot write '{raw}': File too large (")
    assert done.stdout.startswith("2 scene files written")
    assert names(raw) == [f"{TIME}_s1a.nc", f"{TIME}_s1c.nc"]


def _four(folder: Path) -> Path:
    for satellite in "ABCD":
        write_product(folder, satellite=satellite)
    return folder


IDS = [f"{TIME}_s1{letter}.nc" for letter in "abcd"]


@pytest.mark.parametrize("at", [1, 3, 7, 11])
def test_after_a_kill_the_same_command_completes_what_is_missing(
    at: int, coast: Path, tmp_path: Path, other_system: OtherSystem, seaice: Seaice
) -> None:
    products, raw = _four(tmp_path / "products"), tmp_path / "raw"
    command = ("ingest", products, "--coast", coast, "--out", raw)
    process = other_system.start(Moment(signal.SIGKILL, at, raw), SEAICE, *command)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for path in raw.glob("*.nc"):
        with netCDF4.Dataset(path) as file:
            assert file["sigma0_hv"].shape == (6, 10)
    done = seaice(*command)
    assert done.code == 0
    assert names(raw) == IDS


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_it_with_a_hint_and_without_half_files(
    number: signal.Signals,
    code: int,
    word: str,
    coast: Path,
    tmp_path: Path,
    other_system: OtherSystem,
) -> None:
    products, raw = _four(tmp_path / "products"), tmp_path / "raw"
    raw.mkdir()
    command = ("ingest", products, "--coast", coast, "--out", raw, "--jobs", 2)
    process = other_system.start_to_stop(7, raw, SEAICE, *command)
    os.killpg(process.pid, number)
    resume(process)
    err = process.communicate()[1]
    assert process.returncode == code
    assert [line for line in err.splitlines() if line.startswith(("error", "hint"))] == [
        f"error: {word}",
        "hint: nothing is lost: run the same command again to continue",
    ]
    assert [name for name in names(raw) if not name.endswith(".nc")] == []


def test_several_processes_make_all_scenes(
    coast: Path, tmp_path: Path, seaice: Seaice
) -> None:
    products, raw = _four(tmp_path / "products"), tmp_path / "raw"
    done = seaice("ingest", products, "--coast", coast, "--out", raw, "--jobs", 2)
    assert done.out.startswith("4 scene files written to ")
    assert names(raw) == IDS
    assert done.err.splitlines() == [
        f"{name.removesuffix('.nc')}: without AMSR2 and ERA5" for name in IDS
    ]


@pytest.mark.parametrize("module", ["rasterio", "pyogrio", "roaring_landmask"])
def test_without_the_extra_one_line_says_how_to_install_it(
    module: str, tmp_path: Path
) -> None:
    write_product(tmp_path)
    write_product(tmp_path, satellite="B")
    code = f"import sys; sys.modules[{module!r}] = None\nfrom seaice.main import run\nrun()"
    command = [sys.executable, "-c", code, "ingest", tmp_path, "--out", tmp_path / "raw"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: own scenes need packages that are not installed: {module}\n"
        "hint: install them with `pip install 'seaice[ingest]'`\n",
    )
