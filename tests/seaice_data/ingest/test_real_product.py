"""A real product, with pixels written from a known field.

HH has no noise in its pixels, HV has; so each is read as it was written. Judges are
xarray-sentinel and satpy, which read the same folder.
"""

import shutil
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import rasterio
from support.shared_data import SHARED, needs_shared

from seaice_data.arrays import FloatArray, Mask
from seaice_data.geolocation import TiePoints
from seaice_data.ingest.sentinel.annotation import SwathBlock
from seaice_data.ingest.sentinel1 import (
    Sentinel1Product,
    open_sentinel1,
    read_product,
    read_sentinel1,
)

pytestmark = needs_shared

N_LINES, N_SAMPLES = 10708, 10487
DARK, BRIGHT = 0.002, 1.0
"""Sigma nought of HV: dark at the beginning of the slice, then bright."""
FIRST_BRIGHT = 3000
EARTH_M = 6371e3


def vectors(
    path: Path, tag: str, name: str, pixel: str = "pixel"
) -> list[tuple[str, FloatArray, FloatArray]]:
    """Read a table in the plainest way: line or sub-swath, positions, values."""
    return [
        (
            vector.findtext("swath") or vector.findtext("line", ""),
            np.array(vector.findtext(pixel, "").split(), np.float64),
            np.array(vector.findtext(name, "").split(), np.float64),
        )
        for vector in ET.parse(path).iter(tag)  # noqa: S314 - we wrote it
    ]


def rows_at(table: list[tuple[float, FloatArray]], lines: FloatArray) -> FloatArray:
    """Interpolate rows of a table linearly to lines; the outermost ones continue."""
    at = np.array([line for line, _ in table])
    k = np.clip(np.searchsorted(at, lines, side="right") - 1, 0, max(len(at) - 2, 0))
    upper = np.minimum(k + 1, len(at) - 1)
    step = np.where(upper > k, at[upper] - at[k], 1)
    weight = np.clip((lines - at[k]) / step, 0, 1).astype(np.float32)[:, np.newaxis]
    rows = np.array([row for _, row in table], np.float32)
    return rows[k] * (1 - weight) + rows[upper] * weight


def true_hh(lines: FloatArray) -> FloatArray:
    """Return sigma nought of HH: waves along both axes."""
    samples = np.arange(N_SAMPLES, dtype=np.float32)
    along = 3 + np.sin(lines / 400).astype(np.float32)[:, np.newaxis]
    return np.float32(4) * along * (2 + np.cos(samples / 700))


def continued(samples: FloatArray, pixel: FloatArray, noise: FloatArray) -> FloatArray:
    """Interpolate a vector; go on with its first and last two values."""
    row = np.interp(samples, pixel, noise)
    for ends, beyond in (
        (slice(0, 2), samples < pixel[0]),
        (slice(-2, None), samples > pixel[-1]),
    ):
        line = np.polyfit(pixel[ends], noise[ends], 1)
        row[beyond] = np.polyval(line, samples[beyond])
    return np.asarray(row)


class HvNoise:
    """The noise of HV as the product means it: zeros are missing, also between vectors."""

    def __init__(self, product: Path, blocks: tuple[SwathBlock, ...]) -> None:
        path = next(product.rglob("noise-*-hv-*.xml"))
        table = vectors(path, "noiseRangeVector", "noiseRangeLut")
        along = vectors(path, "noiseAzimuthVector", "noiseAzimuthLut", pixel="line")
        self._along = {(swath, lines[0]): (lines, factor) for swath, lines, factor in along}
        samples = np.arange(N_SAMPLES)
        self._rows: dict[str, list[tuple[float, FloatArray]]] = {}
        for line, pixel, noise in table:
            for block in blocks:
                if block.first_line <= float(line) <= block.last_line:
                    ours = (pixel >= block.first_sample) & (pixel <= block.last_sample)
                    ours &= noise > 0
                    row = continued(samples, pixel[ours], noise[ours])
                    self._rows.setdefault(block.swath, []).append((float(line), row))

    def of(self, block: SwathBlock, lines: FloatArray) -> FloatArray:
        """Return the noise of some lines of a block."""
        at, factor = self._along[block.swath, block.first_line]
        columns = slice(block.first_sample, block.last_sample + 1)
        rows = [(line, row[columns]) for line, row in self._rows[block.swath]]
        return rows_at(rows, lines) * np.interp(lines, at, factor)[:, np.newaxis]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Unzip the product; its TIFFs are empty."""
    target = tmp_path_factory.mktemp("real")
    with zipfile.ZipFile(next(SHARED.glob("S1A_*.SAFE.zip"))) as archive:
        archive.extractall(target)
    (product,) = target.iterdir()
    product.joinpath("measurement").mkdir()
    for path in product.joinpath("annotation").glob("*.xml"):
        (product / "measurement" / f"{path.stem}.tiff").touch()
    yield product
    shutil.rmtree(target)  # half a gigabyte


@pytest.fixture(scope="module")
def product(folder: Path) -> Sentinel1Product:
    """Open the product."""
    return open_sentinel1(folder)


@pytest.fixture(scope="module")
def written(folder: Path, product: Sentinel1Product) -> Sentinel1Product:
    """Write its TIFFs."""
    write_pixels(folder, product)
    return product


def write_pixels(folder: Path, product: Sentinel1Product) -> None:
    """Write HH without noise and HV with noise, band by band."""
    blocks = product.annotation.blocks
    noise = HvNoise(folder, blocks)
    gain = {
        name: [
            (float(line), np.interp(np.arange(N_SAMPLES), pixel, value))
            for line, pixel, value in vectors(
                next(folder.rglob(f"calibration-*-{name}-*.xml")),
                "calibrationVector",
                "sigmaNought",
            )
        ]
        for name in ("hh", "hv")
    }
    with ExitStack() as opened:
        tiffs = {
            name: opened.enter_context(new_tiff(folder, product, name))
            for name in ("hh", "hv")
        }
        for start in range(0, N_LINES, 500):
            lines = np.arange(start, min(start + 500, N_LINES), dtype=np.float64)
            window = ((start, start + len(lines)), (0, N_SAMPLES))
            power = true_hh(lines) * rows_at(gain["hh"], lines) ** 2
            power[(lines >= 5000) & (lines < 6000), :7] = 0
            tiffs["hh"].write(np.sqrt(power).round().astype(np.uint16), 1, window=window)
            bright = np.where(lines < FIRST_BRIGHT, DARK, BRIGHT)[:, np.newaxis]
            power = np.float32(bright) * rows_at(gain["hv"], lines) ** 2
            for block in blocks:
                inside = (lines >= block.first_line) & (lines <= block.last_line)
                if inside.any():
                    columns = slice(block.first_sample, block.last_sample + 1)
                    power[inside, columns] += noise.of(block, lines[inside])
            power[lines >= N_LINES - 3] = 0
            tiffs["hv"].write(np.sqrt(power).round().astype(np.uint16), 1, window=window)


def new_tiff(folder: Path, product: Sentinel1Product, name: str) -> Any:
    """Open a TIFF to write, with the ground control points that ESA puts there."""
    (path,) = folder.glob(f"measurement/*-{name}-*.tiff")
    grid = product.annotation.points
    points = [
        rasterio.control.GroundControlPoint(
            line, sample, grid.longitude[i, j], grid.latitude[i, j], grid.height_m[i, j]
        )
        for i, line in enumerate(grid.lines)
        for j, sample in enumerate(grid.samples)
    ]
    return rasterio.open(
        path, "w", driver="GTiff", height=N_LINES, width=N_SAMPLES, count=1,
        dtype="uint16", gcps=points, crs="EPSG:4326", BLOCKYSIZE=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def hh(written: Sentinel1Product) -> FloatArray:
    """Read HH, which was written without noise."""
    return read_product(written, "none").sigma0["hh"]


@pytest.fixture(scope="module")
def hv(written: Sentinel1Product) -> FloatArray:
    """Read HV, which was written with noise."""
    return read_product(written, "esa").sigma0["hv"]


def in_db(ratio: FloatArray | float) -> FloatArray:
    return np.asarray(10 * np.log10(ratio))


def fours(plane: FloatArray | Mask) -> FloatArray:
    """Average 2 x 2 pixels."""
    whole = plane[: N_LINES // 2 * 2, : N_SAMPLES // 2 * 2]
    return whole.reshape(N_LINES // 2, 2, N_SAMPLES // 2, 2).mean(axis=(1, 3))


@pytest.mark.slow
def test_field_without_noise_is_recovered(hh: FloatArray) -> None:
    rows = np.arange(0, len(hh), 7)
    lines = (2 * rows[:, np.newaxis] + [0, 1]).ravel().astype(np.float64)
    fine = true_hh(lines)[:, : N_SAMPLES // 2 * 2]
    truth = fine.reshape(len(rows), 2, N_SAMPLES // 2, 2).mean(axis=(1, 3))
    error = in_db(hh[rows] / truth)
    assert np.nanmax(np.abs(error)) < 0.01


@pytest.mark.slow
def test_field_below_noise_is_recovered(hv: FloatArray) -> None:
    bright = hv[FIRST_BRIGHT // 2 :]
    assert np.nanmax(np.abs(in_db(bright / BRIGHT))) < 0.01


@pytest.mark.slow
def test_zeros_in_the_noise_table_leave_no_strips(hv: FloatArray) -> None:
    """The outer sub-swaths start later, and the last samples have no noise."""
    error = in_db(np.clip(hv[: FIRST_BRIGHT // 2], 1e-5, None) / DARK)
    assert np.abs(np.nanmean(error, axis=0)).max() < 0.05  # columns
    assert np.abs(np.nanmean(error, axis=1)).max() < 0.05  # rows
    assert np.nanmax(np.abs(error)) < 0.2  # pixels: their values are whole numbers


@pytest.mark.slow
def test_borders_and_slice_ends_are_masked(
    product: Sentinel1Product, hh: FloatArray, hv: FloatArray
) -> None:
    has_sar = np.zeros((N_LINES, N_SAMPLES), bool)
    for block in product.annotation.blocks:
        has_sar[
            block.first_line : block.last_line + 1,
            block.first_sample : block.last_sample + 1,
        ] = True
    has_sar[-3:] = False  # zeros in HV
    has_sar[5000:6000, :7] = False  # zeros in HH
    expected = fours(has_sar) == 1
    assert expected[:211].mean() < 0.9
    np.testing.assert_array_equal(~np.isnan(hh), expected)
    np.testing.assert_array_equal(~np.isnan(hv), expected)


@pytest.mark.slow
def test_zip_gives_the_same_pixels(folder: Path, hh: FloatArray, tmp_path: Path) -> None:
    path = tmp_path / "renamed"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in folder.rglob("*-hh-*"):
            archive.write(file, f"renamed/{file.name}")
    plane = read_sentinel1(path, "none").sigma0["hh"]
    path.unlink()
    plane[-2:] = np.nan  # where HV has no SAR
    np.testing.assert_array_equal(plane, hh)


def test_name_is_that_of_esa(folder: Path, tmp_path: Path) -> None:
    """The last four digits are a checksum of the manifest."""
    link = tmp_path / "renamed"
    link.symlink_to(folder)
    assert open_sentinel1(link).name == folder.name.removesuffix(".SAFE")


def test_facts_of_the_product(product: Sentinel1Product) -> None:
    assert product.frame.grid.shape == (5354, 5243)
    assert product.incidence_angle.shape == (23, 21)
    assert product.incidence_angle.min() == pytest.approx(18.88, abs=0.01)
    assert product.incidence_angle.max() == pytest.approx(46.42, abs=0.01)
    assert product.frame.tie_points.lines[-2:].tolist() == [5249.75, 5353.25]
    assert len(product.annotation.blocks) == 17
    assert not product.is_ascending


def test_positions_are_exact_at_the_points(product: Sentinel1Product) -> None:
    points, grid = product.frame.tie_points, product.annotation.points
    latitude, longitude = points.places(points.lines, points.samples)
    np.testing.assert_allclose(latitude, grid.latitude, atol=1e-9)
    np.testing.assert_allclose(longitude, grid.longitude, atol=1e-9)


def test_positions_between_the_points(product: Sentinel1Product) -> None:
    """Every second point is left out: 6 m over sea; land lifts points by up to 730 m."""
    points, height = product.frame.tie_points, product.height_m
    rows, columns = (
        np.append(np.arange(0, n - 1, 2), n - 1) for n in points.latitude.shape
    )
    half = TiePoints(
        points.latitude[np.ix_(rows, columns)],
        points.longitude[np.ix_(rows, columns)],
        points.lines[rows],
        points.samples[columns],
    )
    latitude, longitude = half.places(points.lines, points.samples)
    apart = metres(latitude, longitude, points.latitude, points.longitude)
    left_out = np.ones(apart.shape, bool)
    left_out[np.ix_(rows, columns)] = False
    sea = left_out & (np.abs(height) < 1)
    near_land = left_out & ~sea
    assert np.median(apart[sea]) <= 10
    assert 100 < np.median(apart[near_land]) < apart[near_land].max() < 800


def metres(
    lat: FloatArray, lon: FloatArray, other_lat: FloatArray, other_lon: FloatArray
) -> FloatArray:
    """Return distances on the sphere."""
    a, b, c, d = (np.radians(x) for x in (lat, lon, other_lat, other_lon))
    half = np.sin((a - c) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((b - d) / 2) ** 2
    return np.asarray(2 * EARTH_M * np.arcsin(np.sqrt(half)))


def test_xarray_sentinel_has_the_same_positions(
    folder: Path, product: Sentinel1Product
) -> None:
    judge = pytest.importorskip("xarray_sentinel")
    gcp = judge.open_sentinel1_dataset(folder, group="EW/HH/gcp")
    points = product.frame.tie_points
    np.testing.assert_array_equal(gcp.latitude, points.latitude)
    np.testing.assert_allclose(gcp.longitude, points.longitude, atol=1e-12)
    np.testing.assert_array_equal(gcp.incidenceAngle, product.incidence_angle)
    np.testing.assert_array_equal((gcp.line - 0.5) / 2, points.lines)
    np.testing.assert_array_equal((gcp.pixel - 0.5) / 2, points.samples)


@pytest.mark.slow
def test_xarray_sentinel_calibrates_equally(folder: Path, hh: FloatArray) -> None:
    judge = pytest.importorskip("xarray_sentinel")
    image = judge.open_sentinel1_dataset(folder, group="EW/HH")
    table = judge.open_sentinel1_dataset(folder, group="EW/HH/calibration")
    numbers = image.measurement[4000:4010, 1000:1020].astype(np.float64)
    theirs = np.asarray(judge.calibrate_intensity(numbers, table.sigmaNought))
    expected = theirs.reshape(5, 2, 10, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(hh[2000:2005, 500:510], expected, rtol=1e-5)


@pytest.mark.slow
def test_satpy_agrees(folder: Path, product: Sentinel1Product, hv: FloatArray) -> None:
    """Satpy removes noise, too, calibrates, and interpolates positions."""
    satpy = pytest.importorskip("satpy")
    pytest.importorskip("geotiepoints")
    from satpy.dataset import DataQuery

    files = [str(p) for p in folder.rglob("*-hv-*") if "rfi" not in p.name]
    scene = satpy.Scene(filenames=files, reader="sar-c_safe")
    names = ("latitude", "longitude")
    measurement = DataQuery(
        name="measurement", polarization="hv", calibration="sigma_nought",
        quantity="natural",
    )  # fmt: skip
    scene.load([measurement, *(DataQuery(name=n, polarization="hv") for n in names)])
    window = (slice(6000, 6010), slice(5500, 5520))
    planes = (scene[name][window].data for name in ("measurement", *names))
    theirs, latitude, longitude = dask.compute(*planes)
    theirs = theirs.reshape(5, 2, 10, 2)
    np.testing.assert_allclose(
        hv[3000:3005, 2750:2760], theirs.mean(axis=(1, 3)), rtol=1e-3
    )
    rows, columns = np.arange(6000, 6010), np.arange(5500, 5520)
    places = product.frame.tie_points.places((rows - 0.5) / 2, (columns - 0.5) / 2)
    assert metres(*places, latitude, longitude).max() < 40
