from datetime import timedelta
from pathlib import Path

import geopandas
import numpy as np
import pytest

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.ingest.chart import read_chart
from seaice_data.ingest.frame import Frame
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan, plan_scenes
from seaice_data.synthetic.products.chart import write_chart

PLANS = plan_scenes(4, 300, seed=3)
SIGRID = ["AREA", "PERIMETER"]
SIGRID += ["CT", "CA", "SA", "FA", "CB", "SB", "FB", "CC", "SC", "FC", "CN", "CD", "CF"]
SIGRID += ["POLY_TYPE"]


def raw_ids(scene: Observation) -> FloatArray:
    """Return the polygon ids of the raw version: that of the first of four 40 m pixels."""
    ids = np.concatenate([band.polygon_id for band in scene.bands()])
    height, width = scene.plan.height, scene.plan.width
    return np.nan_to_num(ids[: 2 * height : 2, : 2 * width : 2], nan=-1)


def frame_of(scene: Observation) -> Frame:
    plan, ties = scene.plan, scene.ties
    positions = ((ties.lines - 0.5) / 2, (ties.samples - 0.5) / 2)
    points = TiePoints(ties.latitude, ties.longitude, *positions)
    stop = plan.acquired + timedelta(seconds=60)
    return Frame(Grid(plan.height, plan.width, 80.0), points, plan.acquired, stop)


def next_to_borders(ids: FloatArray) -> np.ndarray:
    """Return the pixels that have a neighbour of another polygon."""
    found = np.zeros(ids.shape, bool)
    for axis in (0, 1):
        differs = np.diff(ids, axis=axis) != 0
        before, after = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
        before[axis], after[axis] = (0, 1), (1, 0)
        found |= np.pad(differs, before) | np.pad(differs, after)
    return found


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.id)
def test_the_chart_read_again_is_that_of_the_raw_version(
    tmp_path: Path, plan: ScenePlan
) -> None:
    scene = Observation(plan)
    expected = raw_ids(scene)
    for path in write_chart(tmp_path, scene):
        found = read_chart(path, frame_of(scene))
        differs = found.polygon_ids != expected
        assert differs.mean() < 1e-3
        assert not (differs & ~next_to_borders(expected)).any()
        rows = {int(row.split(";")[0]): row for row in scene.surface.rows[1:]}
        numbers = np.unique(found.polygon_ids[found.polygon_ids >= 0]).tolist()
        assert [int(row.split(";")[0]) for row in found.rows[1:]] == numbers
        for number, row in zip(numbers, found.rows[1:], strict=True):
            assert row.split(";")[1:] == rows[number].split(";")[1:]
        assert (found.service, found.name) == (plan.service, plan.chart_name)
        assert found.valid is not None
        assert timedelta() < found.valid - plan.acquired <= timedelta(minutes=10)


def test_both_files_have_the_fields_of_sigrid_and_land(tmp_path: Path) -> None:
    scene = Observation(PLANS[2])
    gpkg, zipped = write_chart(tmp_path, scene)
    assert gpkg.name == f"{PLANS[2].chart_name}.gpkg"
    tables = [geopandas.read_file(path, engine="pyogrio") for path in (gpkg, zipped)]
    for table in tables:
        assert table.columns.tolist() == [*SIGRID, "POLY_ID", "geometry"]
        land = table[table.POLY_TYPE == "L"]
        assert len(land) == 1
        assert land[SIGRID[2:-1]].isna().all(axis=None)
        assert not table[table.POLY_TYPE != "L"][SIGRID].isna().any(axis=None)
        assert table.is_valid.all()
        np.testing.assert_allclose(table.AREA, table.area, rtol=1e-6)
        np.testing.assert_allclose(table.PERIMETER, table.length, rtol=1e-6)
        overlap = sum(table.area) - table.union_all().area
        assert overlap == pytest.approx(0, abs=1)  # square metres
    assert tables[0].crs.equals(tables[1].crs, ignore_axis_order=True)


def test_equal_plans_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_chart(tmp_path / name, Observation(PLANS[0]))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SceneError, match=r"cannot write a chart to .*absent.: No such file"
    ):
        write_chart(tmp_path / "absent", Observation(PLANS[0]))
