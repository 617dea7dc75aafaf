import logging
from datetime import timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.amsr2_files import ACQUIRED, frame_at, frame_of, write_swath
from support.swaths import vectors

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.ingest.amsr2 import read_amsr2
from seaice_data.ingest.swaths.files import VARIABLES
from seaice_data.synthetic.ai4arctic.netcdf import passes
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.products.swaths import write_swaths

FRAME = frame_at()


def minutes(number: float) -> timedelta:
    """Return a delay after the middle of the scene."""
    return timedelta(minutes=number, seconds=10)


@pytest.mark.parametrize("level", ["L1R", "L1B"])
def test_a_constant_swath_gives_constant_fields(tmp_path: Path, level: str) -> None:
    path = write_swath(tmp_path / "a.h5", 251.5, level=level)
    part = read_amsr2(path, FRAME)
    assert tuple(part.fields) == VARIABLES
    for plane in part.fields.values():
        assert plane.shape == (20, 20)
        assert plane.dtype == np.float32
        np.testing.assert_allclose(plane, 251.5, rtol=1e-6)


@pytest.mark.parametrize("level", ["L1R", "L1B"])
@pytest.mark.parametrize(
    ("latitude", "longitude"), [(75, -60), (89.95, 20), (72, 180), (-80, 0)]
)
def test_a_slope_is_where_it_was_seen(
    tmp_path: Path, level: str, latitude: float, longitude: float
) -> None:
    """1 K in 10 km to the north, 2 K to the east; also at the pole and the date line."""

    def field(y: FloatArray, x: FloatArray) -> FloatArray:
        return 230 + 0.1 * y + 0.2 * x

    path = tmp_path / "a.h5"
    write_swath(path, field, latitude=latitude, longitude=longitude, level=level)
    frame = frame_at(latitude, longitude)
    here = vectors(latitude, longitude)
    east = np.array([-np.sin(np.radians(longitude)), np.cos(np.radians(longitude)), 0])
    cells = vectors(*frame.cell_places) * 6371
    expected = field(cells @ np.cross(here, east), cells @ east)
    for name, plane in read_amsr2(path, frame).fields.items():
        np.testing.assert_allclose(plane, expected, atol=0.05, err_msg=name)


def test_each_frequency_is_taken_from_its_own_group(tmp_path: Path) -> None:
    path = write_swath(tmp_path / "a.h5", 200.0, others_k=100.0)
    part = read_amsr2(path, FRAME)
    assert {float(plane.min()) for plane in part.fields.values()} == {200}
    assert part.attributes["AMSR2_product"].startswith("L1R, footprints res06 (6.9 and")


@pytest.mark.parametrize("delay", [-300.0, 0.0, 45.5])
def test_the_delay_is_that_of_the_scans_that_see_the_scene(
    tmp_path: Path, delay: float
) -> None:
    write_swath(tmp_path / "a.h5", seen=ACQUIRED + minutes(delay))
    part = read_amsr2(tmp_path, FRAME)
    assert part.attributes["AMSR2_swaths"] == "GW1AM2_201904081215_123D"
    # Scans see 10 km in 1.5 s; the scene is 40 km long.
    assert part.attributes["AMSR2_S1_delays"] == pytest.approx(60 * delay, abs=1.5)
    assert part.attributes["AMSR2_note"] == ""


def test_each_cell_is_of_the_swath_nearest_in_time(tmp_path: Path) -> None:
    """The nearer swath ends 2.5 km beside the middle of the scene."""
    near, far = tmp_path / "near.h5", tmp_path / "far.h5"
    write_swath(far, 200.0, seen=ACQUIRED + minutes(-40), granule="FAR")
    # The last point of 89 GHz is 202.5 km from the middle of the swath, of others 197.5.
    write_swath(near, 250.0, seen=ACQUIRED + minutes(30), east_km=-205, granule="NEAR")
    part = read_amsr2([far, near], FRAME)
    assert part.attributes["AMSR2_swaths"] == "['NEAR', 'FAR']"
    np.testing.assert_allclose(part.attributes["AMSR2_S1_delays"], [1800, -2400], atol=2)
    latitude, longitude = FRAME.cell_places
    east = (longitude + 60) * np.cos(np.radians(latitude)) * 111.19
    low, high = part.fields["btemp_6_9h"], part.fields["btemp_89_0h"]
    for plane, last in ((low, -7.5), (high, -2.5)):
        np.testing.assert_allclose(plane[east < last], 250, rtol=1e-6)
        np.testing.assert_allclose(plane[east > last + 2.6], 200, rtol=1e-6)
    assert {*np.unique(low.round()), *np.unique(high.round())} == {200, 250}


def test_cells_beside_a_swath_are_nan(tmp_path: Path) -> None:
    write_swath(tmp_path / "a.h5", east_km=-205)
    plane = read_amsr2(tmp_path, FRAME).fields["btemp_36_5v"]
    latitude, longitude = FRAME.cell_places
    east = (longitude + 60) * np.cos(np.radians(latitude)) * 111.19
    # The last sample of low frequencies is 7.5 km west of the middle.
    assert not np.isnan(plane[east < -7.5]).any()
    assert np.isnan(plane[east > -4.9]).all()


def test_a_missing_sample_leaves_a_small_hole(tmp_path: Path) -> None:
    path = write_swath(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["Brightness Temperature (res36,36.5GHz,H)"][20, 20] = 65535
    fields = read_amsr2(path, FRAME).fields
    # The sample was 2.5 km beside the middle: cells within 2.5 km have none within 7.5.
    holes = np.isnan(fields["btemp_36_5h"])
    assert 1 <= holes.sum() <= 9
    assert not np.isnan(fields["btemp_18_7h"]).any()
    np.testing.assert_allclose(fields["btemp_36_5h"][~holes], 250, rtol=1e-6)


def test_both_levels_of_a_granule_count_once(tmp_path: Path) -> None:
    write_swath(tmp_path / "a" / "l1b.h5", 200.0, level="L1B")
    write_swath(tmp_path / "b" / "l1r.h5", 250.0, level="L1R")
    write_swath(tmp_path / "c" / "l1b.h5", 200.0, level="L1B")
    part = read_amsr2(tmp_path, FRAME)
    assert part.attributes["AMSR2_swaths"] == "GW1AM2_201904081215_123D"
    assert part.attributes["AMSR2_product"].startswith("L1R")
    np.testing.assert_allclose(part.fields["btemp_36_5h"], 250, rtol=1e-6)


@pytest.mark.parametrize(
    ("hours", "when"), [(31.2, "31.2 h after it"), (-26, "26.0 h before it")]
)
def test_a_swath_of_another_day_leaves_the_fields_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, hours: float, when: str
) -> None:
    write_swath(tmp_path / "a.h5", seen=ACQUIRED + minutes(60 * hours))
    with caplog.at_level(logging.INFO):
        part = read_amsr2(tmp_path, FRAME)
    assert all(np.isnan(plane).all() for plane in part.fields.values())
    note = part.attributes["AMSR2_note"]
    assert note == (
        "none of 1 AMSR2 swath sees the scene of 2019-04-08 12:00 UTC within 12 h: the "
        f"nearest in time, 'GW1AM2_201904081215_123D', is {when}"
    )
    assert caplog.messages == [note]
    assert part.attributes["AMSR2_swaths"] == ""
    assert np.isnan(part.attributes["AMSR2_S1_delays"])


def test_the_longest_delay_can_be_chosen(tmp_path: Path) -> None:
    write_swath(tmp_path / "a.h5", seen=ACQUIRED + minutes(60))
    assert read_amsr2(tmp_path, FRAME, 1.1).attributes["AMSR2_note"] == ""
    assert "within 0.9 h" in read_amsr2(tmp_path, FRAME, 0.9).attributes["AMSR2_note"]


def test_a_long_swath_is_late_where_it_sees_the_scene(tmp_path: Path) -> None:
    """The first scan is 30 s before the one that sees the scene, and within the limit."""
    write_swath(tmp_path / "a.h5", seen=ACQUIRED + timedelta(seconds=3620 + 10))
    note = read_amsr2(tmp_path, FRAME, 1.0).attributes["AMSR2_note"]
    assert note.endswith("is 1.0 h after it")


def test_a_swath_that_passes_beside_the_scene_is_not_taken(tmp_path: Path) -> None:
    write_swath(tmp_path / "a.h5", latitude=60)
    note = read_amsr2(tmp_path, FRAME).attributes["AMSR2_note"]
    assert note.endswith("'GW1AM2_201904081215_123D', passes beside it, 0.0 h before it")


def test_a_swath_without_values_leaves_the_fields_empty(tmp_path: Path) -> None:
    write_swath(tmp_path / "a.h5", 655.35, others_k=655.35)
    note = read_amsr2(tmp_path, FRAME).attributes["AMSR2_note"]
    assert note == "all samples of 'GW1AM2_201904081215_123D' in the scene are missing"


@pytest.mark.parametrize("hours", [0.0, -1.0, np.nan])
def test_a_longest_delay_that_lets_nothing_in_is_refused(
    tmp_path: Path, hours: float
) -> None:
    with pytest.raises(SceneError, match="above 0 hours"):
        read_amsr2(tmp_path, FRAME, hours)


def test_files_of_other_kinds_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    write_swath(tmp_path / "deep" / "a.h5")
    with h5py.File(tmp_path / "snow.h5", "w") as file:
        file["Snow Depth"] = np.zeros((3, 3))
    (tmp_path / "readme.txt").write_text("not a swath")
    (tmp_path / ".hidden.h5").write_text("not a swath")
    part = read_amsr2(tmp_path, FRAME)
    assert part.attributes["AMSR2_swaths"] == "GW1AM2_201904081215_123D"


def test_a_folder_without_swaths_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "snow.h5", "w") as file:
        file["Snow Depth"] = np.zeros((3, 3))
    (tmp_path / "swath.h5.gz").write_bytes(b"")
    with pytest.raises(SceneError, match=r"no AMSR2 swath in .*; 1 file there") as caught:
        read_amsr2(tmp_path, FRAME)
    assert "unpack" in str(caught.value.hint)


def test_a_file_of_another_kind_that_was_named_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "snow.h5"
    with h5py.File(path, "w") as file:
        file["Snow Depth"] = np.zeros((3, 3))
    with pytest.raises(SceneError, match=r"snow.h5' is not an AMSR2 swath of level L1R or"):
        read_amsr2([path], FRAME)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"no file or folder at .*nowhere'"):
        read_amsr2(tmp_path / "nowhere", FRAME)


@pytest.mark.parametrize("keep", [0, 100, 4000, 100_000])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, keep: int) -> None:
    write_swath(tmp_path / "good.h5", granule="GOOD")
    broken = write_swath(tmp_path / "broken.h5", granule="BROKEN")
    broken.write_bytes(broken.read_bytes()[:keep])
    with pytest.raises(SceneError, match=r"broken.h5'") as caught:
        read_amsr2(tmp_path, FRAME)
    assert "\n" not in str(caught.value)


def test_samples_that_do_not_fit_their_places_are_named(tmp_path: Path) -> None:
    path = write_swath(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        for p in "HV":
            name = f"Brightness Temperature (res10,10.7GHz,{p})"
            attributes = dict(file[name].attrs)
            del file[name]
            file[name] = np.full((41, 40), 25000, "u2")
            file[name].attrs.update(attributes)
    message = r"\(res10,10.7GHz,H\)' has 1320 samples for 1353 places"
    with pytest.raises(SceneError, match=message):
        read_amsr2(path, FRAME)


@pytest.fixture(scope="module", params=[1, 2])
def scene(request: pytest.FixtureRequest) -> Observation:
    """A scene of 80 km with one pass, and one with two."""
    for plan in plan_scenes(8, 1000, seed=5):
        if len(passes(plan)) == request.param:
            made = Observation(plan)
            for _ in made.bands():
                pass
            return made
    raise AssertionError


@pytest.mark.parametrize("folder", ["amsr2", "amsr2-l1b"])
def test_swaths_of_a_synthetic_scene_give_its_fields(
    tmp_path: Path, scene: Observation, folder: str
) -> None:
    write_swaths(tmp_path, scene)
    part = read_amsr2(tmp_path / folder, frame_of(scene))
    twin = passes(scene.plan)
    names = part.attributes["AMSR2_swaths"].strip("[]").replace("'", "").split(", ")
    delays = np.atleast_1d(part.attributes["AMSR2_S1_delays"])
    assert dict(zip(names, delays, strict=True)) == pytest.approx(twin, abs=10)
    cells = scene.cells()
    for name, plane in part.fields.items():
        error = plane - cells[name]
        assert not np.isnan(error).any(), name
        assert abs(error.mean()) < 0.35, name
        assert np.abs(error).mean() < 0.5, name


@pytest.mark.parametrize("folder", ["amsr2", "amsr2-l1b"])
def test_what_is_wrong_at_edges_is_due_to_the_distance_of_samples(
    tmp_path: Path, scene: Observation, folder: str
) -> None:
    write_swaths(tmp_path, scene, density=2)
    fields = read_amsr2(tmp_path / folder, frame_of(scene)).fields
    for name, plane in fields.items():
        error = plane - scene.cells()[name]
        assert abs(error.mean()) < 0.1, name
        assert np.abs(error).mean() < 0.5, name
