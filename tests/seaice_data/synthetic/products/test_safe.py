"""Synthetic products have the form of ESA's, and contain what they were made from."""

import dataclasses
import hashlib
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
import xarray as xr
import xmlschema
from rasterio.enums import Compression
from support.safe_reading import Block, Image, read_image, read_xml
from support.shared_data import SHARED, needs_shared

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.synthetic.observation import Band, Observation
from seaice_data.synthetic.plan import ScenePlan, plan_scenes
from seaice_data.synthetic.products.annotation import make_clock
from seaice_data.synthetic.products.look_up_tables import make_noise
from seaice_data.synthetic.products.safe import write_safe
from seaice_data.synthetic.products.sub_swaths import find_sub_swaths
from seaice_data.synthetic.radar import swath_borders
from seaice_data.synthetic.scene import write_scene

REAL = "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549_BB15.SAFE"

# Two scenes as wide as a swath: in one, borders move; in the other, sub-swaths begin.
MOVED, BEGINNING = (plan_scenes(1, (220, 4980), seed=5, first=n)[0] for n in (6, 8))


SMALL = plan_scenes(1, 150, seed=4)[0]


class Twin(NamedTuple):
    plan: ScenePlan
    safe: Path
    raw: xr.Dataset
    images: dict[str, Image]
    power: dict[str, FloatArray]
    """What the images were made from: linear sigma nought."""


@pytest.fixture(scope="module", params=[MOVED, BEGINNING], ids=["moved", "beginning"])
def twin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twin:
    plan: ScenePlan = request.param
    folder = tmp_path_factory.mktemp("products")
    safe = write_safe(folder, Observation(plan), zipped=False)
    raw = xr.load_dataset(write_scene(folder, plan, "raw")[0])
    images = {pol: read_image(safe, pol) for pol in ("hh", "hv")}
    names = {"hh": "nersc_sar_primary", "hv": "nersc_sar_secondary"}
    power = {
        pol: 10 ** (raw[name].to_numpy().astype(np.float64) / 10)
        for pol, name in names.items()
    }
    return Twin(plan, safe, raw, images, power)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_safe(tmp_path_factory.mktemp("small"), Observation(SMALL), zipped=False)


def paths(element: ET.Element, path: str = "") -> set[str]:
    """Return the paths of all elements."""
    found = {path}
    for child in element:
        found |= paths(child, f"{path}/{child.tag}")
    return found


def test_every_file_is_named_as_a_real_one(twin: Twin) -> None:
    names = [path.relative_to(twin.safe).as_posix() for path in twin.safe.rglob("*.*")]
    times = (
        f"{twin.plan.product.start:%Y%m%dt%H%M%S}-{twin.plan.product.stop:%Y%m%dt%H%M%S}"
    )
    orbit = f"{twin.plan.product.orbit:06d}-{twin.plan.product.data_take:06x}"
    sat = twin.plan.product.satellite.lower()
    expected = {"manifest.safe"}
    for pol, number in (("hh", "001"), ("hv", "002")):
        stem = f"{sat}-ew-grd-{pol}-{times}-{orbit}-{number}"
        expected |= {
            f"measurement/{stem}.tiff",
            f"annotation/{stem}.xml",
            f"annotation/calibration/calibration-{stem}.xml",
            f"annotation/calibration/noise-{stem}.xml",
            f"annotation/rfi/rfi-{stem}.xml",
        }
    assert set(names) == expected
    assert twin.safe.name == f"{twin.plan.upstream_id}.SAFE"


@pytest.mark.parametrize("kind", ["product", "calibration", "noise", "rfi"])
def test_files_follow_the_schemas_of_esa(twin: Twin, kind: str) -> None:
    import xarray_sentinel

    resources = Path(xarray_sentinel.__file__).parent / "resources/sentinel1"
    schema = xmlschema.XMLSchema(str(resources / f"s1-level-1-{kind}.xsd"))
    for polarisation in ("hh", "hv"):
        schema.validate(read_xml(twin.safe, kind, polarisation))


@needs_shared
@pytest.mark.parametrize("kind", ["product", "calibration", "noise", "rfi"])
def test_files_have_no_element_that_real_ones_lack(twin: Twin, kind: str) -> None:
    with zipfile.ZipFile(SHARED / f"{REAL}.zip") as archive:
        folder = zipfile.Path(archive, f"{REAL}/")
        place = {"product": "annotation", "rfi": "annotation/rfi"}.get(
            kind, "annotation/calibration"
        )
        start = "s1a" if kind == "product" else kind
        (path,) = (
            p
            for p in (folder / place).iterdir()
            if p.name.startswith(start) and "-hv-" in p.name
        )
        real = ET.fromstring(path.read_text())  # noqa: S314 - a known file
    ours = read_xml(twin.safe, kind, "hv")
    assert paths(ours) <= paths(real)
    if kind != "product":
        assert paths(ours) == paths(real)


def test_manifest_knows_size_and_checksum_of_every_file(twin: Twin) -> None:
    manifest = ET.parse(twin.safe / "manifest.safe").getroot()  # noqa: S314 - our own
    objects = manifest.findall("./dataObjectSection/dataObject")
    assert len(objects) == 10
    for item in objects:
        stream = item.find("byteStream")
        assert stream is not None
        location = stream.find("fileLocation")
        assert location is not None
        content = (twin.safe / location.attrib["href"]).read_bytes()
        assert int(stream.attrib["size"]) == len(content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert stream.findtext("checksum") == md5
    (software,) = manifest.iter("{http://www.esa.int/safe/sentinel-1.0}software")
    assert software.attrib == {"name": "Sentinel-1 IPF", "version": "003.52"}


def test_images_are_plain_tiffs_with_control_points(twin: Twin) -> None:
    (path,) = twin.safe.glob("measurement/*-hv-*.tiff")
    with rasterio.open(path) as file:
        assert file.shape == twin.plan.raw_shape
        assert file.dtypes == ("uint16",)
        assert file.compression is None or file.compression == Compression.none
        assert file.block_shapes == [(1, file.width)]
        points, crs = file.gcps
        assert crs.to_epsg() == 4326
    known = [(p.row, p.col, p.y, p.x, p.z) for p in points]
    ties = [twin.raw[f"sar_grid_{name}"] for name in ("line", "sample", "latitude")]
    np.testing.assert_array_equal(np.array(known)[:, :3], np.transpose(ties))


def test_pixels_without_sar_are_0_and_no_others(twin: Twin) -> None:
    for polarisation, image in twin.images.items():
        is_missing = np.isnan(twin.power[polarisation])
        assert is_missing.any()
        np.testing.assert_array_equal(image.dn == 0, is_missing)


def test_sub_swaths_cover_what_was_seen_once(twin: Twin) -> None:
    covered = np.zeros(twin.plan.raw_shape, dtype=int)
    annotation = read_xml(twin.safe, "product", "hh")
    for bounds in annotation.iter("swathBounds"):
        first_line, first, last_line, last = (
            int(bounds.findtext(name) or "")
            for name in (
                "firstAzimuthLine",
                "firstRangeSample",
                "lastAzimuthLine",
                "lastRangeSample",
            )
        )
        covered[first_line : last_line + 1, first : last + 1] += 1
    np.testing.assert_array_equal(covered, twin.images["hh"].dn > 0)


@pytest.mark.parametrize("polarisation", ["hh", "hv"])
def test_power_of_every_sub_swath_is_that_of_the_raw_version(
    twin: Twin, polarisation: str
) -> None:
    image, power = twin.images[polarisation], twin.power[polarisation]
    assert {block.swath for block in image.blocks} == {f"EW{n}" for n in range(1, 6)}
    for swath in {block.swath for block in image.blocks}:
        windows = [block.window for block in image.blocks if block.swath == swath]
        read, made, noise = (
            np.concatenate([plane[window].ravel() for window in windows]).mean()
            for plane in (image.sigma0, power, image.noise / image.gain**2)
        )
        assert abs(10 * np.log10(read / made)) < 0.02
        assert abs(read - made) < 0.002 * noise


def test_noise_varies_about_its_mean_as_speckle_of_ten_looks_does(twin: Twin) -> None:
    image, power = twin.images["hv"], twin.power["hv"]
    seen = image.dn > 0
    speckle = (image.dn**2 - power * image.gain**2)[seen] / image.noise[seen]
    assert speckle.mean() == pytest.approx(1, abs=0.002)
    assert speckle.var() == pytest.approx(1 / 10.7, rel=0.03)
    assert speckle.min() > 0


def test_noise_steps_between_sub_swaths_and_is_scalloped_along_them(twin: Twin) -> None:
    image = twin.images["hv"]
    noise_db = 10 * np.log10(image.noise / image.gain**2)
    middle = noise_db[len(noise_db) // 2]
    steps = np.abs(np.diff(middle))
    (border,) = {
        b.samples[1] for b in image.blocks if b.swath == "EW1" and _crosses(b, twin)
    }
    assert steps[border] > 0.5
    inner = np.delete(
        steps, [b.samples[1] for b in image.blocks if b.samples[1] < steps.size]
    )
    assert np.nanmax(inner) < 0.05
    along = noise_db[:, noise_db.shape[1] // 2]
    assert np.nanmax(along) - np.nanmin(along) > 0.5


def _crosses(block: Block, twin: Twin) -> bool:
    """Return whether a block has pixels of the middle line."""
    return block.lines[0] <= twin.plan.raw_shape[0] // 2 <= block.lines[1]


def test_noise_is_0_where_it_is_missing(twin: Twin) -> None:
    vectors = twin.images["hv"].range_vectors
    last = twin.plan.raw_shape[1] - 1
    for vector in vectors:
        assert (vector.samples[0], vector.samples[-1]) == (0, last)
        np.testing.assert_array_equal(vector.values[vector.samples > last - 8], 0)
    n_zeros = [int((v.values == 0).sum()) for v in vectors]
    assert all(n > 0 for n in n_zeros)
    # Where sub-swaths begin, the first vector knows only that which begins first.
    assert (n_zeros[0] > 100) == (twin.plan is BEGINNING)


def test_zeros_taken_as_numbers_leave_bright_strips() -> None:
    plan = BEGINNING
    scene = Observation(plan)
    swaths = find_sub_swaths(scene)
    noise = make_noise(scene, swaths, 1)
    lines = slice(0, noise.vectors[1].line)
    first, second = (
        np.interp(np.arange(plan.raw_shape[1]), v.samples, v.values)
        for v in noise.vectors[:2]
    )
    weight = np.linspace(0, 1, lines.stop, endpoint=False)[:, None]
    naive = first * (1 - weight) + second * weight
    true = noise.mean(lines)
    assert (naive[true > 0] < 0.7 * true[true > 0]).mean() > 0.3


def test_borders_between_sub_swaths_move(twin: Twin) -> None:
    ends = {
        swath: {b.samples[1] for b in twin.images["hv"].blocks if b.swath == swath}
        for swath in ("EW1", "EW2", "EW3", "EW4")
    }
    is_moved = [len(samples) > 1 for samples in ends.values()]
    assert all(is_moved) if twin.plan is MOVED else any(is_moved)


def small_plans() -> list[ScenePlan]:
    plans = [*plan_scenes(10, 150, seed=2), *plan_scenes(6, (100, 2500), seed=7)]
    return plans + [dataclasses.replace(plan, height=25) for plan in plans[:4]]


@pytest.mark.parametrize("plan", small_plans(), ids=lambda plan: f"{plan.seed}")
def test_noise_is_known_where_there_is_sar_in_scenes_of_any_size(plan: ScenePlan) -> None:
    scene = Observation(plan)
    swaths = find_sub_swaths(scene)
    is_seen = np.ones(plan.raw_shape, dtype=bool)
    for window in swath_borders(plan, scene.surface.nodes.start):
        is_seen[window] = False
    noise = make_noise(scene, swaths, 0)
    np.testing.assert_array_equal(noise.mean(slice(0, plan.raw_shape[0])) > 0, is_seen)
    assert sum(
        (b.last_line - b.first_line + 1) * (b.last_sample - b.first_sample + 1)
        for b in swaths.bounds()
    ) == np.count_nonzero(is_seen)


def test_rounding_to_whole_numbers_is_negligible(twin: Twin) -> None:
    image = twin.images["hv"]
    darkest = float(np.nanmin(image.noise))
    # The square of a rounded number is 1/12 too large in the mean.
    assert 10 * np.log10(1 + 1 / 12 / darkest) < 0.001


def test_hv_is_often_below_zero_over_water_once_noise_is_removed(tmp_path: Path) -> None:
    shares = []
    for plan in plan_scenes(12, 200, seed=1):
        image = read_image(write_safe(tmp_path, Observation(plan), zipped=False), "hv")
        shares.append(float((image.sigma0 <= 0).sum() / (image.dn > 0).sum()))
    assert max(shares) > 0.15
    assert np.mean(shares) > 0.05


def test_clock_agrees_with_the_name() -> None:
    for size in (100, 300, 1000, 5000, 9000):
        for plan in plan_scenes(30, size, seed=3):
            name, (height, _) = plan.product, plan.raw_shape
            clock = make_clock(name, height)
            for line, time in ((0, name.start), (height - 1, name.stop)):
                assert (
                    datetime.fromisoformat(f"{clock.at(line)}+00:00").replace(microsecond=0)
                    == time
                )


def test_zip_contains_the_folder_and_equal_plans_give_equal_products(
    small: Path, tmp_path: Path
) -> None:
    path = write_safe(tmp_path, Observation(SMALL), zipped=True)
    assert path.name == f"{SMALL.upstream_id}.SAFE.zip"
    with zipfile.ZipFile(path) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    assert packed == {
        file.relative_to(small.parent).as_posix(): file.read_bytes()
        for file in small.rglob("*.*")
        if file.is_file()
    }
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("zipped", [True, False])
def test_interrupted_product_leaves_nothing(tmp_path: Path, zipped: bool) -> None:
    scene = Observation(SMALL)

    def broken() -> Iterator[Band]:
        yield next(scene.bands())
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_safe(tmp_path, scene, zipped=zipped, bands=broken())
    assert not list(tmp_path.iterdir())


def test_existing_product_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{SMALL.upstream_id}.SAFE").mkdir()
    with pytest.raises(SceneError, match="already exists"):
        write_safe(tmp_path, Observation(SMALL), zipped=False)
