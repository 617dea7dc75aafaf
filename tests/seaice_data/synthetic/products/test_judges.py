"""Programs of others read synthetic products as they read real ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from support.safe_reading import Image, read_image

from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.products.safe import write_safe

# A border between sub-swaths moves in this scene.
PLAN = plan_scenes(1, 300, seed=5, first=57)[0]

TIES = Observation(PLAN).ties


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_safe(tmp_path_factory.mktemp("safe"), Observation(PLAN), zipped=False)


@pytest.fixture(scope="module")
def image(safe: Path) -> Image:
    return read_image(safe, "hv")


def opened(safe: Path, group: str) -> xr.Dataset:
    return xr.open_dataset(str(safe), engine="sentinel-1", group=group)


def test_xarray_sentinel_reads_the_tie_points(safe: Path) -> None:
    points = opened(safe, "EW/HV/gcp")
    np.testing.assert_array_equal(points["line"], TIES.lines)
    np.testing.assert_array_equal(points["pixel"], TIES.samples)
    for name, expected in (
        ("latitude", TIES.latitude),
        ("longitude", TIES.longitude),
        ("incidenceAngle", TIES.incidence),
    ):
        np.testing.assert_allclose(points[name], expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(points["height"], 0)
    # The last interval is shorter.
    assert np.diff(TIES.lines)[-1] < np.diff(TIES.lines)[0]


def test_xarray_sentinel_reads_image_and_calibration(safe: Path, image: Image) -> None:
    scene = opened(safe, "EW/HV")
    np.testing.assert_array_equal(scene["measurement"], image.dn)
    assert scene.attrs["pass"] == ("ASCENDING" if PLAN.ascending else "DESCENDING")
    assert scene.attrs["orbit_number"] == PLAN.product.orbit
    assert scene.attrs["mission_data_take_id"] == PLAN.product.data_take
    table = opened(safe, "EW/HV/calibration")
    gain = table["sigmaNought"].interp(
        line=np.arange(image.dn.shape[0]), pixel=np.arange(image.dn.shape[1])
    )
    np.testing.assert_allclose(gain, image.gain, rtol=1e-6)
    beta, gamma = (table[name].to_numpy() for name in ("betaNought", "gamma"))
    angle = np.arcsin((beta / table["sigmaNought"].to_numpy()) ** 2)
    lines = table["line"].to_numpy() <= TIES.lines[-1]
    row = np.interp(table["pixel"], TIES.samples, TIES.incidence[0])
    np.testing.assert_allclose(np.degrees(angle)[lines][0], row, rtol=1e-4)
    np.testing.assert_allclose(
        gamma, table["sigmaNought"] * np.cos(angle) ** 0.5, rtol=1e-4
    )


def test_xarray_sentinel_decodes_the_noise(safe: Path, image: Image) -> None:
    """Its `noise_range` needs vectors of equal samples, which real ones of EW are not."""
    from xarray_sentinel import esa_safe

    (path,) = safe.glob("annotation/calibration/noise-*-hv-*.xml")
    decoded = esa_safe.parse_tag_as_list(str(path), "//noiseRangeVector", "noise", "strict")
    assert [item["line"] for item in decoded] == [v.line for v in image.range_vectors]
    for item, vector in zip(decoded, image.range_vectors, strict=True):
        for name, expected in (("pixel", vector.samples), ("noiseRangeLut", vector.values)):
            assert item[name]["@count"] == expected.size
            np.testing.assert_array_equal(np.fromstring(item[name]["$"], sep=" "), expected)
    azimuth = opened(safe, "EW/HV/noise_azimuth")  # the first block
    np.testing.assert_array_equal(azimuth["line"], image.blocks[0].knots)
    np.testing.assert_allclose(
        azimuth["noiseAzimuthLut"], image.blocks[0].values, rtol=1e-6
    )


def test_xarray_sentinel_reads_an_orbit_on_the_left_of_the_scene(safe: Path) -> None:
    orbit = opened(safe, "EW/HV/orbit")
    radius = np.sqrt((orbit["position"] ** 2).sum("axis"))
    np.testing.assert_allclose(radius, 7_080_600, rtol=1e-9)
    speed = np.sqrt((orbit["velocity"] ** 2).sum("axis"))
    np.testing.assert_allclose(speed, 7_520, rtol=1e-3)
    state = orbit.isel(azimuth_time=6)
    position, velocity = (state[name].to_numpy() for name in ("position", "velocity"))
    latitude, longitude = np.radians([TIES.latitude[0], TIES.longitude[0]])
    ground = 6_371_000 * np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=-1,
    )
    assert (np.cross(velocity, position) @ (ground - position).T > 0).all()
    slant = np.linalg.norm(ground[0] - position) / 299_792_458 * 2
    points = opened(safe, "EW/HV/gcp")
    assert float(points["slant_range_time"][0]) == pytest.approx(slant, rel=1e-3)


@pytest.fixture(scope="module")
def satpy_image(safe: Path) -> Any:
    """Return satpy's reader of the HV image."""
    pytest.importorskip("geotiepoints", reason="satpy needs it to read SAFE")
    from satpy.readers.core.loading import load_readers

    files = [str(path) for path in safe.rglob("*-00[12].*") if "rfi" not in path.parts]
    (reader,) = load_readers(filenames=files, reader="sar-c_safe").values()
    return reader.storage_items["hv"]


def test_satpy_places_the_tie_points(satpy_image: Any) -> None:
    longitude, latitude, height = satpy_image.get_lonlatalts()
    ties = np.ix_(TIES.lines.astype(int), TIES.samples.astype(int))
    np.testing.assert_allclose(latitude.to_numpy()[ties], TIES.latitude, atol=1e-5)
    np.testing.assert_allclose(longitude.to_numpy()[ties], TIES.longitude, atol=1e-4)
    np.testing.assert_allclose(height, 0, atol=1e-6)


def test_satpy_calibrates_as_we_do(satpy_image: Any, image: Image) -> None:
    gain = satpy_image.calibrator.get_calibration("sigma_nought", chunks=1000)
    np.testing.assert_allclose(gain, image.gain, rtol=2e-5)


def test_satpy_finds_the_same_noise(satpy_image: Any, image: Image) -> None:
    """Away from borders and zeros: it interpolates across them, and over triangles."""
    noise = satpy_image.denoiser.get_noise_correction(chunks=1000).to_numpy()
    is_inner = np.zeros(noise.shape, dtype=bool)
    for block in image.blocks:
        (top, bottom), (left, right) = block.lines, block.samples
        is_inner[top : bottom + 1, left + 50 : right - 50] = True
    for line in (block.lines[0] for block in image.blocks if block.lines[0]):
        is_inner[line - 170 : line + 170] = False
    assert is_inner.mean() > 0.3
    np.testing.assert_allclose(noise[is_inner], image.noise[is_inner], rtol=2e-3)
