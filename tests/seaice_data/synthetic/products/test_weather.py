import resource
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import eccodes
import netCDF4
import numpy as np
import pytest
import xarray as xr

from seaice_data.errors import SceneError
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.ingest.era5 import read_era5
from seaice_data.ingest.frame import Frame
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import earth_position, plan_scenes, swath_position
from seaice_data.synthetic.products.weather import write_weather
from seaice_data.synthetic.weather import analyse

PLANS = plan_scenes(4, 250, seed=5)


@pytest.fixture(scope="module", params=PLANS, ids=lambda plan: plan.id)
def scene(request: pytest.FixtureRequest) -> Observation:
    return Observation(request.param)


@pytest.fixture(scope="module")
def paths(scene: Observation, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write_weather(tmp_path_factory.mktemp("weather"), scene)


def frame_of(scene: Observation) -> Frame:
    plan, ties = scene.plan, scene.ties
    lines, samples = ((positions - 0.5) / 2 for positions in (ties.lines, ties.samples))
    return Frame(
        Grid(plan.height, plan.width, 80.0),
        TiePoints(ties.latitude, ties.longitude, lines, samples),
        plan.acquired,
        plan.acquired + timedelta(seconds=max(1, round(plan.height / 85))),
    )


def test_reading_gives_the_weather_of_the_scene(
    scene: Observation, paths: tuple[Path, ...]
) -> None:
    assert [path.name for path in paths] == ["era5.nc", "era5.grib"]
    for path in paths:
        found = read_era5(path, frame_of(scene))
        assert "missing_fields" not in found.attributes
        for name, truth in asdict(scene.weather).items():
            error = np.abs(found.fields[name] - truth).max()
            rounding = 1e-6 * np.abs(truth).max()  # of single precision
            assert error <= 5e-4 * np.ptp(truth) + rounding, (path.name, name)


def test_scenes_fly_north_and_south() -> None:
    assert {plan.ascending for plan in PLANS} == {True, False}


def test_the_files_say_the_same(paths: tuple[Path, ...]) -> None:
    with xr.open_dataset(paths[0]) as netcdf, paths[1].open("rb") as stream:
        assert dict(netcdf.sizes)["valid_time"] == 4
        assert netcdf["t2m"].dims == ("valid_time", "latitude", "longitude")
        while (message := eccodes.codes_grib_new_from_file(stream)) is not None:
            name = eccodes.codes_get(message, "cfVarName")
            day, clock = (
                eccodes.codes_get(message, key, int)
                for key in ("validityDate", "validityTime")
            )
            time = datetime.strptime(f"{day}{clock:04d}", "%Y%m%d%H%M")
            expected = netcdf[name].sel(valid_time=time)
            values = eccodes.codes_get_values(message).reshape(expected.shape)
            step = float(expected.max() - expected.min()) / 2**16
            np.testing.assert_allclose(values, expected, atol=2 * step + 1e-6)
            eccodes.codes_release(message)


def test_the_weather_changes_from_hour_to_hour(paths: tuple[Path, ...]) -> None:
    with netCDF4.Dataset(paths[0]) as file:
        for name in ("u10", "v10", "t2m", "skt", "tcwv"):
            mean = np.abs(file[name][:]).mean(axis=(1, 2))
            steps = np.diff(mean)
            assert (steps > 0).all() or (steps < 0).all()
            np.testing.assert_allclose(steps, steps[0], rtol=0.02)


def test_speed_is_kept_when_the_wind_is_turned_to_the_earth(
    scene: Observation, paths: tuple[Path, ...]
) -> None:
    weather = analyse(scene.plan, scene.surface, margin=4).weather
    speed = np.hypot(weather.u10m_rotated, weather.v10m_rotated)
    with netCDF4.Dataset(paths[0]) as file:
        east, north = (file[name][:] for name in ("u10", "v10"))
    share = (scene.plan.acquired.minute * 60 + scene.plan.acquired.second) / 3600
    middle = [part[1] + (part[2] - part[1]) * share for part in (east, north)]
    np.testing.assert_allclose(np.hypot(*middle)[::-1], speed, rtol=5e-4)


def test_equal_scenes_give_equal_files(
    scene: Observation, paths: tuple[Path, ...], tmp_path: Path
) -> None:
    again = write_weather(tmp_path, Observation(scene.plan))
    for one, other in zip(paths, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_positions_on_the_earth_and_in_the_swath_are_inverse() -> None:
    for plan in PLANS:
        lines, samples = np.linspace(-500, 10_900, 4), np.linspace(-500, 10_900, 5)
        found = swath_position(plan, *earth_position(plan, lines, samples))
        np.testing.assert_allclose(found[0], np.tile(lines[:, None], 5), atol=1e-3)
        np.testing.assert_allclose(found[1], np.tile(samples, (4, 1)), atol=1e-3)


def test_weather_beyond_the_swath_is_that_at_its_border() -> None:
    plan = PLANS[0]
    surface = Observation(plan).surface
    narrow, wide = (analyse(plan, surface, margin=margin) for margin in (0, 40))
    for name, field in asdict(wide.weather).items():
        np.testing.assert_array_equal(field[40:-40, 40:-40], getattr(narrow.weather, name))
        assert np.isfinite(field).all()
    assert wide.weather.tclw.min() >= 0


@pytest.mark.parametrize("n_bytes", [0, 5_000, 20_000])
def test_a_full_disk_leaves_no_file(
    n_bytes: int, scene: Observation, tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        with pytest.raises(SceneError, match="File too large"):
            write_weather(tmp_path, scene)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [*tmp_path.iterdir()] == []
