import logging
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from support.shared_data import SHARED, needs_shared
from support.weather_files import NOON, UNITS, Analysis, frame_of, write_grib, write_netcdf

from seaice_data.errors import SceneError
from seaice_data.ingest.era5 import WIND_CONVENTION, read_era5

HOUR = timedelta(hours=1)
SCALARS = ("t2m", "skt", "tcwv", "tclw")
NAMES = ("u10m_rotated", "v10m_rotated", *SCALARS)
SOUTHWARDS = ((71.0, 11.0), (71.0, 10.0), (70.0, 11.0), (70.0, 10.0))  # descending


def kelvin(values: object, **changes: object) -> Analysis:
    return replace(Analysis(fields={"t2m": values}), **changes)  # type: ignore[arg-type]


def middle_of(path: Path | list[Path], name: str = "t2m") -> float:
    return float(read_era5(path, frame_of()).fields[name][1, 1])


def test_all_fields_are_on_the_cells_with_what_they_are_from(tmp_path: Path) -> None:
    found = read_era5(write_netcdf(tmp_path / "era5.nc", Analysis()), frame_of())
    assert tuple(found.fields) == NAMES
    for plane in found.fields.values():
        assert plane.shape == (3, 3)
        assert plane.dtype == np.float32
    for name in SCALARS:
        np.testing.assert_allclose(found.fields[name], 1, rtol=1e-6)
    assert found.attributes == {
        "weather_files": "era5.nc",
        "weather_times": "2020-03-01T12:00:00Z",
        "weather_interpolation": "bilinear in space, linear in time, "
        "to 2020-03-01T12:00:00Z",
        "wind_convention": WIND_CONVENTION,
    }


def test_cells_are_where_the_frame_places_them(tmp_path: Path) -> None:
    north = kelvin([[72.0] * 2, [69.0] * 2])
    east = replace(north, fields={"t2m": [[9.0, 12.0]] * 2})
    for analysis, number in ((north, 0), (east, 1)):
        path = write_netcdf(tmp_path / "era5.nc", analysis)
        found = read_era5(path, frame_of()).fields["t2m"]
        np.testing.assert_allclose(found, frame_of().cell_places[number], atol=1e-5)
        assert found[0, 0] == pytest.approx((70, 10)[number])


@pytest.mark.parametrize(
    ("minutes", "expected"), [(0, 260.0), (15, 261.0), (45, 263.0), (60, 264.0)]
)
def test_time_is_linear_between_two_hours(
    minutes: int, expected: float, tmp_path: Path
) -> None:
    hours = [NOON - HOUR, NOON, NOON + HOUR, NOON + 2 * HOUR]
    values = np.array([0.0, 260.0, 264.0, 0.0])[:, None, None]
    path = write_netcdf(tmp_path / "era5.nc", kelvin(values, times=hours))
    frame = frame_of(middle=NOON + timedelta(minutes=minutes))
    np.testing.assert_allclose(read_era5(path, frame).fields["t2m"], expected, rtol=1e-6)


def test_files_of_other_days_do_not_stay_open(tmp_path: Path) -> None:
    """Systems allow 256 or 1024 open files; there may be one for each day of years."""
    pytest.importorskip("resource")  # not on Windows
    (tmp_path / "era5").mkdir()
    for day in range(40):
        time = NOON + timedelta(days=day - 20)
        write_netcdf(tmp_path / "era5" / f"{day:02d}.nc", kelvin(250.0 + day, times=[time]))
        write_grib(tmp_path / "era5" / f"{day:02d}.grib", kelvin(250.0, times=[time]))
    code = (
        "import resource\n"
        "from support.weather_files import frame_of\n"
        "from seaice_data.ingest.era5 import read_era5\n"
        "read = read_era5('era5/20.nc', frame_of())  # libraries are loaded\n"
        "_, most = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (30, most))\n"
        "print(read_era5('era5', frame_of()).fields['t2m'][1, 1])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert found.stdout == "250.0\n", found.stderr


def test_the_night_between_two_files_of_a_day_is_bridged(tmp_path: Path) -> None:
    midnight = NOON.replace(hour=0)
    paths = [
        write_netcdf(
            tmp_path / name,
            kelvin(value, times=[midnight + hour * HOUR for hour in hours]),
        )
        for name, value, hours in (
            ("29.nc", 250.0, range(-3, 0)),
            ("01.nc", 270.0, range(3)),
        )
    ]
    frame = frame_of(middle=midnight - HOUR / 4)
    for order in (paths, paths[::-1]):
        found = read_era5(order, frame)
        np.testing.assert_allclose(found.fields["t2m"], 265, rtol=1e-6)
        assert found.attributes["weather_files"] == "29.nc, 01.nc"
        assert found.attributes["weather_times"] == (
            "2020-02-29T23:00:00Z, 2020-03-01T00:00:00Z"
        )
    with pytest.raises(SceneError, match=r"29\.nc': 't2m' is there from .*T21:00:00Z to "):
        read_era5(paths[0], frame)


def test_one_file_for_each_variable(tmp_path: Path) -> None:
    whole = read_era5(write_netcdf(tmp_path / "era5.nc", Analysis()), frame_of())
    folder = tmp_path / "2020" / "03"
    folder.mkdir(parents=True)
    for name in UNITS:
        write_netcdf(folder / f"{name}.nc", Analysis(fields={name: 1.0}))
    (folder / ".hidden.nc").write_bytes(b"nothing")
    (folder / "notes.txt").write_text("nothing")
    found = read_era5(tmp_path / "2020", frame_of())
    for name in NAMES:
        np.testing.assert_array_equal(found.fields[name], whole.fields[name])


def test_a_zip_of_the_data_store(tmp_path: Path) -> None:
    inside = write_netcdf(tmp_path / "instant.nc", Analysis())
    other = write_netcdf(
        tmp_path / "accum.nc", kelvin(1.0), names={"t2m": "tp"}, attributes={}
    )
    path = tmp_path / "download.nc"  # as some call it
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inside, "data_stream-oper_stepType-instant.nc")
        archive.write(other, "data_stream-oper_stepType-accum.nc")
        archive.writestr("__MACOSX/._data.nc", b"of another system")
        archive.writestr("readme.txt", b"words")
    assert middle_of(path) == 1
    attributes = read_era5(path, frame_of()).attributes
    assert attributes["weather_files"] == (
        "download.nc/data_stream-oper_stepType-instant.nc"
    )


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        (((70.0, 10.0), (70.0, 10.1), (70.03, 10.0), (70.03, 10.1)), (3, 1)),
        (((70.03, 10.1), (70.03, 10.0), (70.0, 10.1), (70.0, 10.0)), (-3, -1)),
        # Samples to the north, lines to the west.
        (((70.0, 10.1), (70.03, 10.1), (70.0, 10.0), (70.03, 10.0)), (1, -3)),
    ],
    ids=["ascending", "descending", "turned"],
)
def test_the_wind_is_along_samples_and_lines(
    corners: tuple[tuple[float, float], ...], expected: tuple[float, float], tmp_path: Path
) -> None:
    # Three to the east, one to the north.
    path = write_netcdf(tmp_path / "era5.nc", Analysis(fields={"u10": 3.0, "v10": 1.0}))
    found = read_era5(path, frame_of(corners)).fields
    wind = np.stack([found[name] for name in NAMES[:2]], axis=-1)
    np.testing.assert_allclose(wind, np.broadcast_to(expected, (3, 3, 2)), atol=0.01)


def test_tie_points_on_mountains_do_not_turn_the_wind(tmp_path: Path) -> None:
    path = write_netcdf(tmp_path / "era5.nc", Analysis(fields={"u10": 3.0, "v10": 1.0}))
    flat = frame_of(((70.0, 10.0), (70.0, 10.1), (70.03, 10.0), (70.03, 10.1)))
    high = frame_of(((70.0, 10.0), (70.0, 10.1), (70.03, 10.02), (70.03, 10.12)))
    for name in NAMES[:2]:
        planes = [read_era5(path, frame).fields[name] for frame in (flat, high)]
        np.testing.assert_allclose(*planes, atol=0.002)


def test_a_scene_at_the_pole_has_one_wind(tmp_path: Path) -> None:
    longitude = np.arange(0.0, 360, 5)
    east = np.radians(longitude)
    path = write_netcdf(
        tmp_path / "era5.nc",
        Analysis(
            latitude=[90.0, 89.0],
            longitude=longitude,
            # Towards longitude 90, everywhere.
            fields={"u10": 5 * np.cos(east), "v10": -5 * np.sin(east)},
        ),
    )
    # Lines go along the meridians -90 and 90, over the pole; samples towards longitude 0.
    frame = frame_of(((89.9, -100.0), (89.9, -80.0), (89.9, 100.0), (89.9, 80.0)))
    found = read_era5(path, frame).fields
    np.testing.assert_allclose(found["u10m_rotated"], 0, atol=0.02)
    np.testing.assert_allclose(found["v10m_rotated"], 5, atol=0.02)


def test_a_scene_across_the_date_line(tmp_path: Path) -> None:
    frame = frame_of(((70.0, 179.0), (70.0, -179.0), (71.0, 179.0), (71.0, -179.0)))
    for longitude in (np.arange(0.0, 360, 1), np.arange(-180.0, 180, 1)):
        analysis = kelvin(longitude % 360, latitude=[72.0, 70.0], longitude=longitude)
        found = read_era5(write_netcdf(tmp_path / "era5.nc", analysis), frame)
        np.testing.assert_allclose(found.fields["t2m"][0], [179, 180, 181], rtol=1e-6)


def test_missing_fields_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fields = {"u10": 1.0, "t2m": 1.0, "tclw": 1.0}  # the wind needs both components
    path = write_netcdf(tmp_path / "era5.nc", Analysis(fields=fields))
    with caplog.at_level(logging.INFO):
        found = read_era5(path, frame_of())
    assert tuple(found.fields) == ("t2m", "tclw")
    missing = "u10m_rotated, v10m_rotated, skt, tcwv"
    assert found.attributes["missing_fields"] == missing
    assert missing in caplog.text


def test_missing_values_are_not_guessed(tmp_path: Path) -> None:
    values = np.full((3, 3), 280.0)
    values[0, 0] = np.nan  # the north west
    analysis = kelvin(values, latitude=[71.5, 70.5, 69.5], longitude=[9.5, 10.5, 11.5])
    for path in (
        write_netcdf(tmp_path / "era5.nc", analysis),
        write_grib(tmp_path / "era5.grib", analysis),
    ):
        is_gap = np.isnan(read_era5(path, frame_of()).fields["t2m"])
        # Lines go north, samples east.
        np.testing.assert_array_equal(is_gap, [[0, 0, 0], [0, 0, 0], [1, 0, 0]])


def test_the_final_version_comes_before_the_preliminary_one(tmp_path: Path) -> None:
    paths = []
    for version, value in (("0005", 5.0), ("0001", 1.0)):
        path = write_grib(
            tmp_path / f"{version}.grib", kelvin(value), keys={"expver": version}
        )
        paths.append(path)
    for order in (paths, paths[::-1]):
        found = read_era5(order, frame_of())
        assert found.fields["t2m"][1, 1] == 1
        assert found.attributes["expver"] == "0001"
        assert found.attributes["weather_files"] == "0001.grib"


def test_of_two_files_with_the_same_the_first_is_taken(tmp_path: Path) -> None:
    one = write_netcdf(tmp_path / "one.nc", kelvin(1.0))
    two = write_netcdf(tmp_path / "two.nc", kelvin(2.0))
    away = write_netcdf(tmp_path / "away.nc", kelvin(3.0, latitude=[10.0, 20.0]))
    assert middle_of([one, two]) == 1
    assert middle_of([two, one]) == 2
    assert middle_of([away, two, one]) == 2


def test_a_place_that_is_not_covered(tmp_path: Path) -> None:
    path = write_netcdf(tmp_path / "era5.nc", kelvin(1.0, longitude=[-30.0, 10.5]))
    with pytest.raises(SceneError) as caught:
        read_era5(path, frame_of())
    assert str(caught.value) == (
        f"{str(path)!r} has 't2m' for 69 to 72 north, -30 to 10.5 east; the scene is at "
        "70.00 to 71.00 north, 10.00 to 11.00 east"
    )


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_time_that_is_not_covered(hours: int, tmp_path: Path) -> None:
    path = write_netcdf(tmp_path / "era5.nc", kelvin(1.0, times=[NOON + hours * HOUR]))
    with pytest.raises(SceneError, match="'t2m' is there from ") as caught:
        read_era5(path, frame_of(middle=NOON + timedelta(minutes=20)))
    assert repr(str(path)) in str(caught.value)
    assert str(caught.value).endswith("; the scene was acquired at 2020-03-01T12:20:00Z")
    assert caught.value.hint == (
        "add the files with 2020-03-01T12:00:00Z and 2020-03-01T13:00:00Z"
    )


def test_times_too_far_apart_are_not_interpolated(tmp_path: Path) -> None:
    frame = frame_of(middle=NOON + HOUR)
    path = tmp_path / "era5.nc"
    write_netcdf(path, kelvin(1.0, times=[NOON, NOON + 6 * HOUR]))
    assert read_era5(path, frame).fields["t2m"][0, 0] == 1
    for hours in (7, 20):
        write_netcdf(path, kelvin(1.0, times=[NOON, NOON + hours * HOUR]))
        with pytest.raises(SceneError, match=f"T13:00:00Z are {hours} hours apart, 6 at"):
            read_era5(path, frame)


def test_files_without_weather_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "era5.nc"
    text.write_text("<html>the request has expired</html>")
    with pytest.raises(SceneError, match="neither netCDF nor GRIB nor a zip"):
        read_era5(text, frame_of())
    text.write_bytes(b"")
    with pytest.raises(SceneError, match="neither netCDF nor GRIB nor a zip"):
        read_era5(text, frame_of())
    rain = write_netcdf(tmp_path / "rain.nc", kelvin(1.0), names={"t2m": "tp"})
    with pytest.raises(
        SceneError, match=r"rain\.nc' has no field of the weather"
    ) as caught:
        read_era5(rain, frame_of())
    assert "(skt)" in str(caught.value.hint)
    with pytest.raises(SceneError, match=r"absent\.nc': No such file"):
        read_era5(tmp_path / "absent.nc", frame_of())
    with pytest.raises(SceneError, match="no files with the weather are given"):
        read_era5([], frame_of())
    (tmp_path / "empty").mkdir()
    with pytest.raises(SceneError, match="empty' has no field of the weather"):
        read_era5(tmp_path / "empty", frame_of())
    one = write_netcdf(tmp_path / "u.nc", Analysis(fields={"u10": 1.0}))
    with pytest.raises(SceneError, match="only one component of the wind"):
        read_era5(one, frame_of())


@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_CLASSIC", "grib", "zip"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files_are_refused(kind: str, share: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grid = kelvin(rng.normal(270, 5, (30, 30)), latitude=np.linspace(72, 69, 30))
    grid = replace(grid, longitude=np.linspace(9, 12, 30))
    path = tmp_path / "era5"
    if kind == "grib":
        write_grib(path, grid)
    elif kind == "zip":
        inside = write_netcdf(tmp_path / "inside.nc", grid)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(inside, "inside.nc")
    else:
        write_netcdf(path, grid, format=kind)
    whole = path.read_bytes()
    read_era5(path, frame_of())
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SceneError) as caught:
        read_era5(path, frame_of())
    assert str(caught.value).startswith(repr(str(path)))
    assert "\n" not in str(caught.value)


def test_a_damaged_member_of_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "era5.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(write_netcdf(tmp_path / "era5.nc", kelvin(1.0)), "era5.nc")
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(SceneError, match=r"era5\.zip': cannot read it as a zip: Bad CRC"):
        read_era5(path, frame_of())


@needs_shared
def test_a_real_file_with_one_field() -> None:
    path = SHARED / "era5-single-level-scalar-time.grib"
    noon = NOON.replace(year=2017, month=1, day=1)
    frame = frame_of(((50.0, 5.0), (50.0, 6.0), (51.0, 5.0), (51.0, 6.0)), noon)
    found = read_era5(path, frame)
    assert tuple(found.fields) == ("t2m",)
    assert found.attributes["missing_fields"] == (
        "u10m_rotated, v10m_rotated, skt, tcwv, tclw"
    )
    assert found.attributes["weather_times"] == "2017-01-01T12:00:00Z"
    # Read off the file with ecCodes: points at 50 and 51 north, 5 and 6 east.
    corners = found.fields["t2m"][[0, 0, 2, 2], [0, 2, 0, 2]]
    np.testing.assert_allclose(corners, (269.088, 269.672, 271.336, 272.664), atol=0.001)
    with pytest.raises(SceneError, match="30 to 60 north, -10 to 40 east; the scene is at"):
        read_era5(path, frame_of(middle=noon))
    with pytest.raises(SceneError, match="from 2017-01-01T12:00:00Z to 2017-01-01T12"):
        read_era5(path, replace(frame, stopped=noon + HOUR))
