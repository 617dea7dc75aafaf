"""Own scenes from a user's products to maps, beside their synthetic twins.

A twin is the same scene as `synth` writes it in the formats of AI4Arctic, from the same
pixels, but not through products. Own scenes are made from L1R, netCDF and GeoPackage, and
again from L1B, GRIB and a zipped shapefile.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from support.command_results import Result
from support.ingest_twins import Twin, write_twins

from seaice_data.arrays import FloatArray
from seaice_data.channels import CHANNELS, Group, find_channels
from seaice_data.ingest import ingest_scene
from seaice_data.scenes.files import open_scene
from seaice_data.store.store import Store
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.products.look_up_tables import make_calibration, make_noise
from seaice_data.synthetic.products.sub_swaths import find_sub_swaths
from seaice_data.synthetic.radar import N_SUB_SWATHS
from seaice_model.maps.netcdf import read_netcdf

AMSR2, ERA5 = (
    [str(c.variable) for c in CHANNELS if c.group is group]
    for group in (Group.AMSR2, Group.ERA5)
)
RAW_SAR = {"hh": "nersc_sar_primary", "hv": "nersc_sar_secondary"}


@dataclass(frozen=True)
class Made:
    """A scene in both forms."""

    twin: Twin
    ingested: Path
    own: xr.Dataset
    raw: xr.Dataset

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.own.sigma0_hh.shape
        return height, width

    def fours(self, name: str) -> FloatArray:
        """Return the 40 m pixels of each pixel of the own scene, shape ``(y, x, 4)``."""
        return in_fours(self.raw[name].values, self.shape)

    def power(self, polarisation: str) -> tuple[FloatArray, FloatArray]:
        """Return sigma nought of the own scene, and of the twin."""
        decibels = self.fours(RAW_SAR[polarisation]).astype(np.float64)
        own = self.own[f"sigma0_{polarisation}"].values.astype(np.float64)
        return own, (10 ** (decibels / 10)).mean(axis=2)

    def sub_swaths(self, scene: Observation) -> Iterator[slice]:
        """Yield the columns of those with at least 2 km in the scene."""
        edges = np.linspace(0, self.twin.plan.swath_shape[1], N_SUB_SWATHS + 1).astype(int)
        inside = (edges - scene.surface.nodes.start[1]).clip(0, 2 * self.shape[1]) // 2
        for left, right in pairwise(inside.tolist()):
            if right - left >= 25:
                yield slice(left, right)


def in_fours(plane: FloatArray, shape: tuple[int, int]) -> FloatArray:
    height, width = shape
    blocks = plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return blocks.transpose(0, 2, 1, 3).reshape(height, width, 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twins")


@pytest.fixture(scope="module")
def twins(folder: Path) -> tuple[Twin, ...]:
    """Scenes of 24 km: `cis` in a zip, `dmi` in a folder, and a test scene."""
    return write_twins(folder, 3, 300)


@pytest.fixture(scope="module")
def observed(twins: tuple[Twin, ...]) -> tuple[Observation, ...]:
    return tuple(Observation(twin.plan) for twin in twins)


@pytest.fixture(scope="module")
def own_folder(folder: Path, twins: tuple[Twin, ...]) -> Path:
    for twin in twins:
        ingest_scene(
            twin.sentinel1,
            folder / "own",
            amsr2=twin.amsr2,
            era5=twin.era5,
            chart=twin.chart,
            coast=twin.coast,
        )
    return folder / "own"


@pytest.fixture(scope="module")
def other_folder(folder: Path, twins: tuple[Twin, ...]) -> Path:
    """Ingest the same from files of the other forms, by the command."""
    for twin in twins:
        options = ["--amsr2", twin.amsr2_l1b, "--era5", twin.era5_grib]
        options += ["--chart", twin.chart_zip, "--coast", twin.coast]
        done = Result("ingest", twin.products, *options, "--out", folder / "other")
        assert done.code == 0, done.err
    return folder / "other"


@pytest.fixture(scope="module", params=["own_folder", "other_folder"])
def scenes(
    request: pytest.FixtureRequest, twins: tuple[Twin, ...]
) -> Iterator[tuple[Made, ...]]:
    ingested = request.getfixturevalue(request.param)
    with ExitStack() as stack:
        made = []
        for twin in twins:
            path = ingested / f"{twin.plan.id}.nc"
            own, raw = (stack.enter_context(xr.open_dataset(p)) for p in (path, twin.raw))
            made.append(Made(twin, path, own, raw))
        yield tuple(made)


def test_sar_is_where_the_twin_has_it(scenes: tuple[Made, ...]) -> None:
    for made in scenes:
        for polarisation in RAW_SAR:
            own, twin = made.power(polarisation)
            np.testing.assert_array_equal(np.isnan(own), np.isnan(twin))
    assert np.isnan(scenes[0].own.sigma0_hv).mean() > 0.1


def test_power_of_each_sub_swath_is_that_of_the_twin(
    scenes: tuple[Made, ...], observed: tuple[Observation, ...]
) -> None:
    n_sub_swaths = 0
    for made, scene in zip(scenes, observed, strict=True):
        for columns in made.sub_swaths(scene):
            n_sub_swaths += 1
            for polarisation in RAW_SAR:
                own, twin = (plane[:, columns] for plane in made.power(polarisation))
                shift_db = 10 * np.log10(np.nanmean(own) / np.nanmean(twin))
                assert abs(shift_db) < 0.02
    assert n_sub_swaths == 5


def test_no_noise_is_left_on_average_where_it_is_dark(
    scenes: tuple[Made, ...], observed: tuple[Observation, ...]
) -> None:
    """Speckle of the noise is independent in pixels of 80 m."""
    for made, scene in zip(scenes, observed, strict=True):
        hv = made.power("hv")[1]
        for columns in made.sub_swaths(scene):
            is_dark = hv[:, columns] < np.nanquantile(hv[:, columns], 0.2)
            for polarisation in RAW_SAR:
                own, twin = (plane[:, columns] for plane in made.power(polarisation))
                left = (own - twin)[is_dark]
                assert abs(left.mean()) < 4 * left.std() / np.sqrt(left.size)
    dark = made.power("hv")[0][hv < np.nanquantile(hv, 0.2)]
    assert (dark <= 0).mean() > 0.05


def test_the_noise_removed_is_that_of_the_image(
    tmp_path: Path,
    twins: tuple[Twin, ...],
    observed: tuple[Observation, ...],
    own_folder: Path,
) -> None:
    """Also in the last samples, where the tables have zeros."""
    for twin, scene in zip(twins, observed, strict=True):
        noisy = ingest_scene(
            twin.sentinel1, tmp_path, denoise="none", chart=twin.chart, coast=twin.coast
        )
        swaths, calibration = find_sub_swaths(scene), make_calibration(scene)
        clean = own_folder / noisy.name
        with xr.open_dataset(noisy) as before, xr.open_dataset(clean) as after:
            for number, name in enumerate(("sigma0_hh", "sigma0_hv")):
                height, width = before[name].shape
                lines = np.arange(2 * height)
                noise = make_noise(scene, swaths, number).mean(slice(0, 2 * height))
                gains = calibration.table.at(lines)
                noise = in_fours(noise / np.square(gains), (height, width)).mean(axis=2)
                removed = (before[name] - after[name]).values
                is_seen = np.isfinite(removed)
                np.testing.assert_allclose(removed[is_seen], noise[is_seen], rtol=2e-3)


def test_brightness_is_that_of_the_twin(scenes: tuple[Made, ...]) -> None:
    for made in scenes:
        for name in AMSR2:
            error = made.own[name].values - made.raw[name].values
            assert not np.isnan(error).any(), name
            assert np.abs(error).mean() <= 0.5, name
            assert abs(error.mean()) < 0.3, name


def test_weather_is_that_of_the_twin(scenes: tuple[Made, ...]) -> None:
    for made in scenes:
        for name in ERA5:
            twin = made.raw[name].values
            error = np.abs(made.own[name].values - twin).max()
            assert error <= 1e-3 * np.ptp(twin), name


def test_zones_are_those_of_the_twin_but_at_borders(scenes: tuple[Made, ...]) -> None:
    for made in scenes:
        own, twin = made.own.distance_map.values, made.fours("distance_map")
        low, high = twin.min(axis=2), twin.max(axis=2)
        is_inside = low == high
        assert 0.9 < is_inside.mean() < 1
        assert (own != low)[is_inside].mean() < 0.001
        assert ((own >= low) & (own <= high)).mean() > 0.999
        assert np.abs(own - twin.mean(axis=2)).max() <= 1


def test_polygons_are_those_of_the_twin_but_at_borders(scenes: tuple[Made, ...]) -> None:
    for made in scenes:
        own = made.own.polygon_icechart.fillna(-1).values
        twin = np.nan_to_num(made.fours("polygon_icechart"), nan=-1)
        is_inside = (twin == twin[..., :1]).all(axis=2)
        assert is_inside.mean() > 0.98
        assert (own != twin[..., 0])[is_inside].mean() < 0.001
        assert (own[..., None] == twin).any(axis=2).mean() > 0.999
        header, *rows = made.own.polygon_codes.values.tolist()
        assert header == made.raw.polygon_codes.values[0]
        ids = {int(row.split(";")[0]) for row in rows}
        assert ids == {*np.unique(own).astype(int)} - {-1}
        assert {*rows} <= {*made.raw.polygon_codes.values.tolist()}


def test_classes_are_those_of_the_twin_but_at_borders(scenes: tuple[Made, ...]) -> None:
    for made in scenes:
        with open_scene(made.ingested) as own, open_scene(made.twin.ready[0]) as ready:
            assert own.id == ready.id
            charts = np.empty((2, 3, *made.shape), np.uint8)
            for scene, planes in zip((own, ready), charts, strict=True):
                rows = slice(0, made.shape[0])
                scene.read_band(rows, planes)
                scene.read_charts(rows, planes)
        assert (charts[0] != 255).mean() > 0.2
        assert (charts[0] == charts[1]).mean(axis=(1, 2)).min() > 0.985


def test_tie_points_are_those_of_the_twin(scenes: tuple[Made, ...]) -> None:
    for made in scenes:
        with open_scene(made.ingested) as own, open_scene(made.twin.raw) as raw:
            for name in ("lines", "samples", "latitude", "longitude"):
                found, expected = (getattr(s.tie_points, name) for s in (own, raw))
                np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=name)
            assert own.acquired == raw.acquired
        found = made.own.sar_grid_incidenceangle.values.ravel()
        np.testing.assert_allclose(found, made.raw.sar_grid_incidenceangle, atol=1e-9)


def stores_of(folder: Path, twins: tuple[Twin, ...], sar: str) -> tuple[Store, Store]:
    """Prepare own scenes and ready ones, by the command."""
    recipe = folder / f"{sar}.toml"
    recipe.write_text(f'ratio = 5\nsar = "{sar}"\n')
    stores = []
    for name in ("own", "ready"):
        path = folder / f"{name}-{sar}.zarr"
        done = Result("prepare", folder / name, path, "--recipe", recipe, "--jobs", 1)
        assert done.code == 0, done.err
        stores.append(Store.open(str(path)))
        assert {*stores[-1].scenes} == {twin.plan.id for twin in twins}
    return stores[0], stores[1]


@pytest.fixture(scope="module")
def stores(folder: Path, twins: tuple[Twin, ...], own_folder: Path) -> tuple[Store, Store]:
    """Own scenes, and ready ones, both with averages of power."""
    assert own_folder.parent == folder
    return stores_of(folder, twins, "power")


# Means of differences between stores, in deviations of the channel.
_SAR_BOUND = 0.06
_OTHER_BOUNDS = {Group.AMSR2: 0.02, Group.ERA5: 2e-4, Group.GEOMETRY: 2e-3}


def test_stores_of_own_scenes_are_those_of_twins(
    twins: tuple[Twin, ...], stores: tuple[Store, Store]
) -> None:
    for twin in twins:
        own, ready = (store.scene(twin.plan.id) for store in stores)
        assert (own.denoising, ready.denoising) == ("esa", "nersc")
        assert own.absent_channels == ready.absent_channels == ()
        difference = own.inputs[:] - ready.inputs[:]
        is_masked = np.isnan(difference[..., 0])
        # Own scenes have SAR beside the chart, too.
        np.testing.assert_array_equal(is_masked, np.isnan(ready.inputs[..., 0]))
        assert np.isnan(own.inputs[..., 0]).mean() <= is_masked.mean() < 0.5
        channels = find_channels(stores[0].channels)
        for channel, values in zip(channels, np.moveaxis(difference, -1, 0), strict=True):
            error = np.abs(values[~is_masked])
            if channel.group is Group.SAR:
                assert abs(values[~is_masked].mean()) < _SAR_BOUND, channel.name
            else:
                bound = _OTHER_BOUNDS.get(channel.group, 1e-3)
                assert error.mean() < bound, channel.name
        assert (own.charts[:] == ready.charts[:]).mean() > 0.98


def test_decibels_of_dark_pixels_pull_their_mean_down(
    folder: Path, twins: tuple[Twin, ...], stores: tuple[Store, Store], own_folder: Path
) -> None:
    """What docs/ingest.md says of networks that know averages of decibels."""
    assert own_folder.parent == folder
    hv = stores[0].channels.index("hv")
    shifts = {"power": stores, "mean": stores_of(folder, twins, "mean")}
    scene = twins[0].plan.id
    ready = shifts["mean"][1].scene(scene).inputs[..., hv]
    power, mean = (
        np.nanmean(shifts[how][0].scene(scene).inputs[..., hv] - ready)
        for how in ("power", "mean")
    )
    assert mean < -0.3 < 0 < power < 0.15


@pytest.fixture(scope="module")
def run(folder: Path, stores: tuple[Store, Store], config_path: Path) -> Path:
    path = folder / "run"
    done = Result("train", stores[1].path, "--run", path, "--config", config_path)
    assert done.code == 0, done.err
    return path


def test_maps_of_own_scenes_are_those_of_twins(
    tmp_path: Path,
    twins: tuple[Twin, ...],
    own_folder: Path,
    run: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    maps = {}
    for name in ("own", "ready"):
        out = tmp_path / name
        scenes = own_folder.with_name(name)
        done = Result("predict", scenes, "--run", run, "--out", out, "--no-plots")
        assert done.code == 0, done.err
        is_warned = "3 of 3 scenes in another way (esa) than" in caplog.text
        assert is_warned == (name == "own")
        caplog.clear()
        maps[name] = out
    for twin in twins:
        paths = (maps[name] / f"{twin.plan.id}.nc" for name in ("own", "ready"))
        own, ready = (read_netcdf(path).charts for path in paths)
        is_mapped = (ready != 255).all(axis=0)
        assert is_mapped.mean() > 0.5
        # The network has hardly learned: its concentrations are close to halves of classes.
        difference = own[:, is_mapped].astype(int) - ready[:, is_mapped]
        assert (np.abs(difference) <= 1).mean(axis=1).min() > 0.9
        with xr.open_dataset(maps["own"] / f"{twin.plan.id}.nc") as opened:
            assert opened.attrs["denoising"] == "esa"
            assert opened.attrs["trained_on_denoising"] == "nersc"

    scores = {}
    for truth in (own_folder, own_folder.with_name("ready")):
        done = Result("score", maps["own"], "--truth", truth, "--json")
        assert done.code == 0, done.err
        scores[truth.name] = json.loads(done.out)["pooled"]
    assert scores["own"] == pytest.approx(scores["ready"], abs=3)
