from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from support.amsr2_files import ACQUIRED, tai93, write_swath

from seaice_data.errors import SceneError
from seaice_data.geolocation import unit_vectors
from seaice_data.ingest.swaths.files import (
    LAYOUTS,
    VARIABLES,
    SwathFile,
    coregistered,
    open_swath,
)

ALL = slice(0, 41)


def opened(path: Path) -> SwathFile:
    swath = open_swath(path)
    assert swath is not None
    return swath


def edit(path: Path, change: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


@pytest.mark.parametrize(
    ("a1", "a2", "latitude", "longitude"),
    [
        (0.0, 0.0, 0.0, 0.0),  # at the odd point
        (1.0, 0.0, 0.0, 0.1),  # at the even one
        (1.25, 0.0, 0.0, 0.125),
        (-0.5, 0.0, 0.0, -0.05),
        (0.0, 0.5, 0.05, 0.0),  # to the left of the way from one to the other
        (1.0, -0.3, -0.03, 0.1),
    ],
)
def test_low_frequencies_are_turned_from_horn_a(
    a1: float, a2: float, latitude: float, longitude: float
) -> None:
    """On the equator, points 0.1 degrees apart to the east."""
    odd, even = unit_vectors(np.zeros(2), np.array([0.0, 0.1]))
    found = coregistered(odd, even, a1, a2)
    expected = unit_vectors(np.array([latitude]), np.array([longitude]))[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_missing_point_gives_a_missing_place() -> None:
    odd, even = unit_vectors(np.array([np.nan, 0.0]), np.array([0.0, 0.1]))
    assert np.isnan(coregistered(odd, even, 1.0, 0.1)).all()


def test_points_at_the_same_place_stay_there() -> None:
    odd = unit_vectors(np.array([70.0]), np.array([10.0]))[0]
    np.testing.assert_allclose(coregistered(odd, odd, 1.0, 0.1), odd)


@pytest.mark.parametrize("level", ["L1R", "L1B"])
def test_brightness_is_the_stored_number_times_its_factor(
    tmp_path: Path, level: str
) -> None:
    swath = opened(write_swath(tmp_path / "a.h5", 251.5, level=level, scale=0.02))
    assert swath.layout.level == level
    assert [f.variable for f in swath.layout.frequencies] == [
        name.removesuffix("h") for name in VARIABLES[::2]
    ]
    for frequency in swath.layout.frequencies:
        kelvin = swath.brightness(frequency, ALL)
        n_points = 2 * 82 if frequency.variable == "btemp_89_0" else 41
        assert kelvin.shape == (2, 41 * n_points)
        np.testing.assert_allclose(kelvin, 251.5, rtol=1e-6)  # the factor is in float32


@pytest.mark.parametrize("code", [65534, 65535])
def test_codes_for_missing_are_not_brightness(tmp_path: Path, code: int) -> None:
    key = "Brightness Temperature (res36,36.5GHz,H)"

    def lose(file: h5py.File) -> None:
        file[key][3, 5] = code

    swath = opened(edit(write_swath(tmp_path / "a.h5"), lose))
    frequency = next(f for f in swath.layout.frequencies if f.variable == "btemp_36_5")
    horizontal, vertical = swath.brightness(frequency, ALL).reshape(2, 41, 41)
    assert np.argwhere(np.isnan(horizontal)).tolist() == [[3, 5]]
    assert not np.isnan(vertical).any()


@pytest.mark.parametrize("word", ["Latitude", "Longitude"])
@pytest.mark.parametrize("missing", [-9999.0, np.nan, np.inf])
def test_a_missing_coordinate_is_a_missing_place(
    tmp_path: Path, word: str, missing: float
) -> None:
    def lose(file: h5py.File) -> None:
        file[f"{word} of Observation Point for 89A"][2, 4] = missing

    points = opened(edit(write_swath(tmp_path / "a.h5"), lose)).points(ALL)
    assert np.argwhere(np.isnan(points).any(axis=-1)).tolist() == [[2, 4]]


def test_low_frequencies_of_l1r_are_at_every_second_point(tmp_path: Path) -> None:
    swath = opened(write_swath(tmp_path / "a.h5"))
    places = swath.places(swath.layout.frequencies[0], slice(3, 5)).reshape(2, 41, 3)
    np.testing.assert_array_equal(places, swath.points(slice(3, 5))[:, ::2])


def test_low_frequencies_of_l1b_are_where_their_parameters_say(tmp_path: Path) -> None:
    a1 = "6G-1.00000,7G--1.00000,10G-0.50000,18G-1,23G-1.,36G-0.00000"
    a2 = "6G-0.00000,7G-0.00000,10G--0.25000,18G-0,23G-0,36G-0.00000"
    swath = opened(write_swath(tmp_path / "a.h5", level="L1B", parameters=(a1, a2)))
    points = swath.points(ALL)
    odd, even = points[:, ::2], points[:, 1::2]
    found = [swath.places(f, ALL).reshape(41, 41, 3) for f in swath.layout.frequencies[:6]]
    np.testing.assert_allclose(found[0], even, atol=1e-12)  # A1 is 1
    np.testing.assert_allclose(found[1], 2 * odd - even, atol=1e-6)  # A1 is -1
    # Points lie 5 km apart to the east; a half of that, and a quarter to the right.
    ahead, left = even - odd, np.cross(odd, even - odd)
    np.testing.assert_allclose(found[2], odd + ahead / 2 - left / 4, atol=1e-6)
    np.testing.assert_array_equal(found[5], odd)  # A1 and A2 are 0


def test_both_horns_are_read_for_89_ghz(tmp_path: Path) -> None:
    swath = opened(write_swath(tmp_path / "a.h5", lambda y, x: 200 + y / 10 + 0 * x))
    high = swath.layout.frequencies[-1]
    places, kelvin = swath.places(high, ALL), swath.brightness(high, ALL)
    assert places.shape == (2 * 41 * 82, 3)
    north_km = np.degrees(np.arcsin(places[:, 2])) * 111.19
    # Horn B sees 5 km farther north, where it is 0.5 K warmer.
    a, b = kelvin[0].reshape(2, 41, 82)[:, 7, 40]
    assert b - a == pytest.approx(0.5)
    at_a, at_b = north_km.reshape(2, 41, 82)[:, 7, 40]
    assert at_b - at_a == pytest.approx(5, abs=0.02)


@pytest.mark.parametrize(
    ("time", "leaps"),
    [
        (datetime(2012, 7, 3, tzinfo=UTC), 8),
        (datetime(2015, 6, 30, 23, 59, 59, tzinfo=UTC), 8),
        (datetime(2015, 7, 1, tzinfo=UTC), 9),
        (datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC), 9),
        (datetime(2017, 1, 1, tzinfo=UTC), 10),
        (datetime(2026, 1, 1, tzinfo=UTC), 10),
    ],
)
def test_scan_times_count_leap_seconds(tmp_path: Path, time: datetime, leaps: int) -> None:
    def set_time(file: h5py.File) -> None:
        file["Scan Time"][:2] = tai93(time) - 10 + leaps, -9999.0

    swath = opened(edit(write_swath(tmp_path / "a.h5"), set_time))
    times = swath.scan_times(since=time)
    assert times[0] == 0
    assert np.isnan(times[1])


def test_scans_are_a_second_and_a_half_apart(tmp_path: Path) -> None:
    times = opened(write_swath(tmp_path / "a.h5", seen=ACQUIRED)).scan_times(ACQUIRED)
    np.testing.assert_allclose(times, 1.5 * np.arange(-20, 21), atol=1e-6)


def test_the_granule_is_what_both_levels_have_in_common(tmp_path: Path) -> None:
    for level in ("L1SGRTBR_2220220", "L1SGBTBR_2220220"):
        granule = f"GW1AM2_201904081215_123D_{level}"
        swath = opened(write_swath(tmp_path / f"{level}.h5", granule=granule))
        assert swath.granule == "GW1AM2_201904081215_123D"


def test_without_an_id_the_granule_is_named_after_the_file(tmp_path: Path) -> None:
    path = write_swath(tmp_path / "GW1AM2_201904081215_123D_L1SGRTBR.h5", granule=None)
    assert opened(path).granule == "GW1AM2_201904081215_123D"


def test_other_files_are_not_swaths(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["Snow Depth"] = np.zeros((3, 3))
    with netCDF4.Dataset(tmp_path / "classic.nc", "w", format="NETCDF3_CLASSIC") as old:
        old.createDimension("x", 2)
    assert open_swath(tmp_path / "other.h5") is None
    assert open_swath(tmp_path / "classic.nc") is None


def read_all(swath: SwathFile) -> None:
    swath.scan_times(ACQUIRED)
    swath.places(swath.layout.frequencies[0], ALL)
    swath.brightness(swath.layout.frequencies[0], ALL)


def remove(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def replace(name: str, values: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attributes)

    return change


def without_factor(file: h5py.File) -> None:
    del file["Brightness Temperature (6.9GHz,H)"].attrs["SCALE FACTOR"]


def with_factor(value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file["Brightness Temperature (6.9GHz,H)"].attrs["SCALE FACTOR"] = value

    return change


def without_parameters(file: h5py.File) -> None:
    del file.attrs["CoRegistrationParameterA2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove("Scan Time"), "'Scan Time' is missing"),
        (remove("Longitude of Observation Point for 89A"), "89A' is missing"),
        (remove("Brightness Temperature (6.9GHz,V)"), "V\\)' is missing"),
        (replace("Scan Time", np.ones(40)), "has 41 scans, 'Scan Time' 40"),
        (replace("Scan Time", np.full(41, -9999.0)), "'Scan Time' has no time of a scan"),
        (replace("Scan Time", np.zeros((41, 2))), "not 1 axes"),
        (replace("Scan Time", [b"x"] * 41), "not numbers"),
        (
            replace("Latitude of Observation Point for 89A", np.zeros((41, 81))),
            r"latitudes of horn A have shape \(41, 81\), longitudes \(41, 82\)",
        ),
        (without_factor, "no attribute 'SCALE FACTOR' above 0"),
        (with_factor(0.0), "no attribute 'SCALE FACTOR' above 0"),
        (with_factor(np.nan), "no attribute 'SCALE FACTOR' above 0"),
        (with_factor("0.01"), "is '0.01', not a number"),
        (without_parameters, "'CoRegistrationParameterA2' has no number for '6G': ''"),
    ],
)
def test_a_swath_that_lacks_something_is_named(
    tmp_path: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    path = edit(write_swath(tmp_path / "a.h5", level="L1B"), change)
    swath = opened(path)
    with pytest.raises(SceneError, match=f"a.h5': .*{message}"):
        read_all(swath)


def test_amsr3_is_read_as_public_programs_read_it(tmp_path: Path) -> None:
    path = tmp_path / "GGWAM3_202601010000A123_L1RTBR.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", 4)
        file.createDimension("OBS_89o", 3)
        grid = ("time", "OBS_89o")
        latitude = file.createVariable("Latitude_P89o", "f4", grid)
        longitude = file.createVariable("Longitude_P89o", "f4", grid)
        latitude[:] = 75 - 0.09 * np.arange(4)[:, None]
        longitude[:] = 0.3 * np.arange(3)
        times = file.createVariable("ScanTimeTAI93", "f8", ("time",))
        times[:] = tai93(ACQUIRED) + 1.5 * np.arange(4)
        for frequency in LAYOUTS[-1].frequencies:
            for p in "HV":
                name = frequency.datasets[0].format(p)
                variable = file.createVariable(name, "u2", grid, fill_value=65535)
                variable.setncatts({"scale_factor": 0.01, "add_offset": 0.0})
                variable.set_auto_maskandscale(False)
                variable[:] = 25150
                variable[0, 0] = 65534
    swath = opened(path)
    assert "experimental" in swath.layout.description
    assert swath.scan_times(ACQUIRED + timedelta(seconds=3)).tolist() == [-3, -1.5, 0, 1.5]
    for frequency in swath.layout.frequencies:
        assert swath.places(frequency, slice(0, 4)).shape == (12, 3)
        kelvin = swath.brightness(frequency, slice(0, 4))
        assert np.isnan(kelvin[:, 0]).all()
        np.testing.assert_allclose(kelvin[:, 1:], 251.5)
