"""Own scenes are read in the form of ready files; what they lack is absent, not guessed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.own_scenes import (
    CHARTED_ID,
    NO_CHART_ID,
    PRODUCT,
    ROWS,
    SHAPE,
    backscatter,
    chart,
    frame,
    write_own,
)
from support.rewriting import Model, rewrite

from seaice_data.channels import CHANNELS, Group, find_channel
from seaice_data.errors import SceneError
from seaice_data.preparation.assemble import assemble
from seaice_data.scenes.files import find_scene_files, open_scene
from seaice_data.scenes.ingested import IngestedScene
from seaice_data.scenes.scene import CELL_GRID, FLOOR_DB, SAR_GRID, Band, Scene
from seaice_data.store.recipe import Recipe

ROWS_80M = slice(0, SHAPE[0])


def read(scene: Scene) -> tuple[Band, np.ndarray]:
    charts = np.zeros((3, *SHAPE), np.uint8)
    return scene.read_band(ROWS_80M, charts), charts


def in_unit(band: Band, name: str) -> np.ndarray:
    channel = find_channel(name)
    plane = band.planes[[c.name for c in SAR_GRID].index(name)]
    return np.asarray(plane.astype(np.float64) * channel.std + channel.mean)


def test_an_own_scene_says_what_it_is(tmp_path: Path) -> None:
    path = write_own(tmp_path)
    assert path.name == f"{NO_CHART_ID}.nc"
    with open_scene(path) as scene:
        assert isinstance(scene, IngestedScene)
        assert (scene.id, scene.version) == (NO_CHART_ID, "ingested")
        assert (scene.service, scene.region, scene.original_name) == ("", "", PRODUCT)
        assert scene.acquired.isoformat() == "2022-11-30T01:43:42+00:00"
        assert scene.grid.shape == scene.original_grid.shape == SHAPE
        assert scene.denoising == "nersc"
        assert scene.absent_channels == ()
        assert scene.polygons is None
        assert not scene.has_charts
        assert scene.is_test_file


def test_a_scene_with_a_chart_has_its_service_and_region(tmp_path: Path) -> None:
    burnt = replace(chart(service="cis"), name="cis_SGRDREA_20221130T0000Z_pl_a")
    with open_scene(write_own(tmp_path, burnt=burnt)) as scene:
        assert (scene.id, scene.service) == ("20221130T014342_cis", "cis")
        assert scene.region == "SGRDREA"
        assert scene.has_charts
        assert not scene.is_test_file
        assert scene.polygons is not None
        assert scene.polygons.ids.tolist() == [3, 700]


def test_own_scenes_are_found_by_content_beside_others(tmp_path: Path) -> None:
    path = write_own(tmp_path).rename(tmp_path / "any.nc")
    assert find_scene_files(tmp_path).files == {NO_CHART_ID: path}


# ---- backscatter


def test_backscatter_at_or_below_0_gets_the_floor_and_a_flag(tmp_path: Path) -> None:
    hh, hv = np.full(SHAPE, 0.1), np.full(SHAPE, 0.01)
    hv[0, :6] = [0, -0.5, 1e-9, 10 ** (FLOOR_DB / 10) * 0.999, 1e-4, 0.01]
    hh[0, 5] = -1e-3
    with open_scene(write_own(tmp_path, backscatter(hh=hh, hv=hv))) as scene:
        band, _ = read(scene)
    floor = [-45.0] * 4
    np.testing.assert_allclose(in_unit(band, "hv")[0, :7], [*floor, -40, -20, -20], 1e-5)
    np.testing.assert_allclose(in_unit(band, "hh")[0, 4:7], [-10, -45, -10], 1e-5)
    assert band.is_below_noise is not None
    assert np.argwhere(band.is_below_noise).tolist() == [[0, x] for x in (0, 1, 2, 3, 5)]
    assert band.power is not None
    np.testing.assert_array_equal(band.power[1], hv.astype(np.float32))  # as it was


def test_only_pixels_without_sar_are_fill(tmp_path: Path) -> None:
    hh = np.full(SHAPE, 0.1)
    hh[:, 70:] = np.nan
    hv = np.where(np.isnan(hh), np.nan, -1.0)  # nothing but noise: SAR all the same
    sar = backscatter(hh=hh, hv=hv)
    with open_scene(write_own(tmp_path, sar, burnt=chart())) as scene:
        band, charts = read(scene)
        prepared = assemble(scene, Recipe(ratio=5))
    assert np.isnan(band.planes[:3, :, 70:]).all()
    assert np.isfinite(band.planes[:, :, :70]).all()
    assert (charts[:, :, 70:] == 255).all()
    assert band.polygon_ids is not None
    assert (band.polygon_ids[:, 70:] == -1).all()
    assert (prepared.full_flags[:, 70:] == 1).all()  # no SAR
    assert (prepared.full_flags[:, :70] == 8).all()  # below the noise


def test_sar_is_masked_on_land_unless_a_chart_has_ice_there(tmp_path: Path) -> None:
    with open_scene(write_own(tmp_path, n_land=5, burnt=chart())) as scene:
        band, charts = read(scene)
    is_masked = np.isnan(band.planes[0])
    expected = np.zeros(SHAPE, bool)
    expected[40:, :5] = True  # land below the polygons, which reach to row 40
    np.testing.assert_array_equal(is_masked, expected)
    assert (charts[0, :20] == 9).all()
    assert (charts[0, 20:40] == 0).all()
    assert (charts[:, 40:] == 255).all()  # sea outside the chart: SAR, but no class
    assert (in_unit(band, "distance_map")[:, :5].round(4) == 0).all()
    with open_scene(write_own(tmp_path, n_land=5)) as scene:
        band, charts = read(scene)
    assert np.isnan(band.planes[:3, :, :5]).all()
    assert np.isfinite(band.planes[:3, :, 5:]).all()
    assert (charts == 255).all()


def test_charts_are_painted_from_polygons(tmp_path: Path) -> None:
    with open_scene(write_own(tmp_path, burnt=chart())) as scene:
        band, charts = read(scene)
    assert [np.unique(charts[:, :20]).tolist(), *charts[:, 0, 0].tolist()] == [
        [4, 5, 9], 9, 5, 4,
    ]  # fmt: skip
    assert (charts[:, 20:40] == 0).all()
    assert band.polygon_ids is not None
    assert band.polygon_ids[[0, 20, 40], 0].tolist() == [3, 700, -1]


def test_geometry_comes_from_uneven_tie_points(tmp_path: Path) -> None:
    with open_scene(write_own(tmp_path)) as scene:
        band, _ = read(scene)
        points = scene.tie_points
    # 19 degrees half a pixel before the first column, 46 half a pixel after the last one.
    expected = 19 + 27 * (np.arange(75) + 0.25) / 74.5
    np.testing.assert_allclose(in_unit(band, "incidence_angle")[7], expected, atol=1e-5)
    for name in ("latitude", "longitude", "lines", "samples"):
        expected = getattr(frame().tie_points, name)
        np.testing.assert_array_equal(getattr(points, name), expected)


# ---- what is absent


def test_absent_groups_are_nan_and_named(tmp_path: Path) -> None:
    path = write_own(tmp_path, backscatter(has_hv=False), has_cells=False)
    absent = ["hv", *(c.name for c in CELL_GRID)]
    with open_scene(path) as scene:
        assert scene.absent_channels == tuple(c.name for c in CHANNELS if c.name in absent)
        assert scene.denoising == "esa"  # that of HH
        assert scene.cell_shape == (2, 3)
        assert np.isnan(scene.read_cells(find_channel("t2m"))).all()
        band, _ = read(scene)
        prepared = assemble(scene, Recipe(ratio=5, channels=("hh", "hv", "t2m")))
    assert np.isnan(band.planes[1]).all()
    assert np.isfinite(band.planes[0]).all()
    assert np.isfinite(prepared.inputs[..., 0]).all()
    assert np.isnan(prepared.inputs[..., 1:]).all()
    assert (prepared.full_flags == 0).all()


@pytest.mark.parametrize("group", [Group.AMSR2, Group.ERA5])
def test_one_group_may_be_absent(tmp_path: Path, group: Group) -> None:
    names = [c.name for c in CELL_GRID if c.group == group]
    path = write_own(tmp_path)
    with h5py.File(path, "a") as file:
        for name in names:
            del file[str(find_channel(name).variable)]
    with open_scene(path) as scene:
        assert scene.absent_channels == tuple(names)
        for channel in CELL_GRID:
            cells = scene.read_cells(channel)
            assert cells.shape == (2, 3)
            assert np.isnan(cells).all() == (channel.group == group)
        np.testing.assert_allclose(
            scene.read_cells(next(c for c in CELL_GRID if c.group != group)),
            np.arange(6).reshape(2, 3) / 1024,
            atol=1e-5,
        )


@pytest.mark.parametrize("name", ["btemp_89_0v", "tclw"])
def test_half_a_group_is_refused(tmp_path: Path, name: str) -> None:
    path = write_own(tmp_path)
    with h5py.File(path, "a") as file:
        del file[name]
    with pytest.raises(SceneError, match=f"variable '{name}' is missing") as caught:
        open_scene(path)
    assert "all or none" in str(caught.value.hint)


# ---- broken and rewritten files


def put(name: str, values: np.ndarray | list[str]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return change


def attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    return lambda file: file.attrs.__setitem__(name, value)


def delete(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (delete("distance_map"), "variable 'distance_map' is missing"),
        (delete("polygon_codes"), "variable 'polygon_codes' is missing"),
        (delete("polygon_icechart"), "variable 'polygon_icechart' is missing"),
        (delete("sar_grid_line"), "variable 'sar_grid_line' is missing"),
        (put("sigma0_hh", np.zeros(5)), "'sigma0_hh' has shape"),
        (put("sigma0_hv", np.zeros((60, 74), "f4")), "'sigma0_hv' has shape"),
        (put("sigma0_hh", np.full(SHAPE, np.inf, "f4")), "'sigma0_hh' contains values"),
        (put("sigma0_hv", np.full(SHAPE, -1e99)), "'sigma0_hv' contains values that"),
        (put("sigma0_hh", np.full(SHAPE, np.nan, "f4")), "no pixel has"),
        (put("distance_map", np.zeros((60, 74), "u1")), "'distance_map' has shape"),
        (put("t2m", np.zeros((9, 3), "f4")), "'t2m' has 9 x 3 cells"),
        (put("polygon_icechart", np.zeros(SHAPE, "i4")), "has id 0, but the polygon codes"),
        (put("polygon_codes", [ROWS[0]]), "contain no polygon"),
        (put("sar_grid_line", np.zeros(3)), "positions of the tie points do not increase"),
        (put("sar_grid_sample", np.arange(3.0)), r"\(3, 4\), their positions \(3, 3\)"),
        (put("sar_grid_latitude", np.full((3, 4), np.nan)), "that are not finite"),
        (put("sar_grid_incidenceangle", np.full((3, 4), 99.0)), "outside 0..90"),
        (put("sar_grid_incidenceangle", np.zeros((3, 3))), "differs in size"),
        (put("sar_grid_incidenceangle", np.full((4, 3), 30.0)), "differs in size"),
        (attribute("scene_id", "today"), "attribute 'scene_id' is 'today'"),
        (attribute("scene_id", f"{NO_CHART_ID}_old"), "attribute 'scene_id' is"),
        (attribute("denoising_hv", "maybe"), "attribute 'denoising_hv' is 'maybe', not"),
        (attribute("denoising_hv", 7), "attribute 'denoising_hv' is ''"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_what_is_wrong(
    tmp_path: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    path = write_own(tmp_path, burnt=chart())
    with h5py.File(path, "a") as file:
        change(file)
    with (
        pytest.raises(SceneError, match=message) as caught,
        open_scene(path) as scene,
    ):
        assemble(scene, Recipe(ratio=5))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = write_own(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(SceneError, match=str(path)):
        open_scene(path)


@pytest.mark.parametrize("model", ["NETCDF4", "NETCDF3_64BIT_OFFSET"])
def test_files_that_other_programs_have_rewritten_are_read(
    tmp_path: Path, model: Model
) -> None:
    hv = np.where(np.arange(75) < 9, -1.0, 0.01) * np.ones(SHAPE)
    path = write_own(tmp_path, backscatter(hv=hv), n_land=3)
    with h5py.File(path, "a") as file:
        file["sigma0_hh"][:, 60:] = np.nan
    again = tmp_path / "again.nc"
    rewrite(path, again, model)
    with open_scene(path) as ours, open_scene(again) as theirs:
        assert (theirs.id, theirs.denoising) == (ours.id, ours.denoising)
        for mine, other in zip(read(ours)[0].planes, read(theirs)[0].planes, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_a_chart_of_another_scene_of_the_same_time_is_another_scene(tmp_path: Path) -> None:
    write_own(tmp_path)
    write_own(tmp_path, burnt=chart())
    assert [*find_scene_files(tmp_path).files] == [CHARTED_ID, NO_CHART_ID]
