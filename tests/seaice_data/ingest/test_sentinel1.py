"""Pixels of products whose numbers can be checked by eye."""

from pathlib import Path

import numpy as np
import pytest
from support.tiny_product import N_LINES, N_SAMPLES, edit, write_product, write_tiff, zipped

from seaice_data.errors import SceneError, SettingsError
from seaice_data.ingest.sentinel1 import read_sentinel1

LATE = (slice(0, 2), slice(5, 10))  # EW2 starts at line 4, sample 10
EW1, EW2 = (slice(0, 6), slice(0, 5)), (slice(2, 6), slice(5, 10))


def filled(value: int) -> np.ndarray:
    return np.full((N_LINES, N_SAMPLES), value, np.uint16)


def test_power_without_noise_over_gain_squared(tmp_path: Path) -> None:
    backscatter = read_sentinel1(write_product(tmp_path), denoise="none")
    for plane in backscatter.sigma0.values():
        np.testing.assert_array_equal(plane[EW1], 4)
        np.testing.assert_array_equal(plane[EW2], 4)
    assert backscatter.denoising == {"hh": "none", "hv": "none"}


def test_noise_of_each_sub_swath_is_subtracted(tmp_path: Path) -> None:
    backscatter = read_sentinel1(write_product(tmp_path))
    np.testing.assert_array_equal(backscatter.sigma0["hh"][EW1], 3)
    np.testing.assert_array_equal(backscatter.sigma0["hh"][EW2], 2)
    assert backscatter.denoising == {"hh": "esa", "hv": "esa"}
    assert backscatter.denoising_note == ""
    assert backscatter.sigma0["hh"].dtype == np.float32
    assert backscatter.sigma0["hh"].shape == backscatter.frame.grid.shape == (6, 10)


def test_zero_in_the_noise_table_is_missing(tmp_path: Path) -> None:
    """The first noise vector is at line 0, but EW2 starts at line 4 with 200, not 133."""
    plane = read_sentinel1(write_product(tmp_path)).sigma0["hv"]
    np.testing.assert_array_equal(plane[2, 5:], 2)


def test_zero_at_the_last_sample_continues_its_neighbours(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    edit(product, "noise-*001.xml", "100 100 200 200<", "100 100 200 0<")
    plane = read_sentinel1(product).sigma0["hh"]
    np.testing.assert_array_equal(plane[EW2], 2)


def test_noise_varies_along_azimuth(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    edit(product, "noise-*001.xml", "<line>0 11</line><noiseAzimuthLut>1 1<",
         "<line>0 11</line><noiseAzimuthLut>1 2.1<")  # fmt: skip
    plane = read_sentinel1(product).sigma0["hh"]
    # Factor 1 + line / 10: lines 0 and 1 have 1.05 on average.
    np.testing.assert_allclose(plane[:, 0], 4 - (1.05 + 0.2 * np.arange(6)), rtol=1e-6)
    np.testing.assert_array_equal(plane[EW2], 2)


def test_noise_of_old_versions_has_no_azimuth(tmp_path: Path) -> None:
    product = write_product(tmp_path, ipf="002.84", azimuth=False)
    plane = read_sentinel1(product).sigma0["hh"]
    np.testing.assert_array_equal(plane[EW1], 3)
    np.testing.assert_array_equal(plane[EW2], 2)


def test_noise_before_2_5_is_in_another_unit(tmp_path: Path) -> None:
    """ESA's factor of the sub-swath is missing, and the square of `dn`, which is 5."""
    product = write_product(tmp_path, ipf="002.43", azimuth=False)
    for swath, noise in (
        ("100 100 ", 100 / (56065.87 * 25)),
        (" 200 200", 200 / (56559.76 * 25)),
    ):
        edit(product, "noise-*001.xml", swath, f" {noise:.9e} {noise:.9e} ")
    plane = read_sentinel1(product).sigma0["hh"]
    np.testing.assert_allclose(plane[EW1], 3, rtol=1e-6)
    np.testing.assert_allclose(plane[EW2], 2, rtol=1e-6)
    edit(product, "manifest.safe", "002.43", "002.30")
    with pytest.raises(SceneError, match="noise in an unknown unit"):
        read_sentinel1(product)


@pytest.mark.parametrize(("old", "new"), [("200 200", "0 0"), ("noise>", "silence>")])
def test_no_noise_is_needed_where_none_is_removed(
    tmp_path: Path, old: str, new: str
) -> None:
    """Before 2.9, the noise finds artefacts at the edges, which can be left."""
    product = write_product(tmp_path, {"HH": filled(20)}, ipf="002.84", azimuth=False)
    (path,) = product.rglob("noise-*")
    path.write_text(path.read_text().replace(old, new))
    backscatter = read_sentinel1(product, "none")
    np.testing.assert_array_equal(backscatter.sigma0["hh"][EW1], 4)
    assert "edges are left" in backscatter.denoising_note


def test_negative_power_is_averaged_not_clipped(tmp_path: Path) -> None:
    pixels = filled(5)
    pixels[::2] = 11  # powers 121 and 25 around noise of 100: 0.21 and -0.75
    backscatter = read_sentinel1(write_product(tmp_path, {"HH": pixels}))
    np.testing.assert_allclose(backscatter.sigma0["hh"][EW1], (0.21 - 0.75) / 2, rtol=1e-5)
    assert backscatter.not_positive == {"hh": 1.0}


def test_pixels_outside_of_sub_swaths_are_not_sar(tmp_path: Path) -> None:
    plane = read_sentinel1(write_product(tmp_path)).sigma0["hh"]
    assert np.isnan(plane[LATE]).all()
    assert np.count_nonzero(np.isnan(plane)) == 10


def test_one_of_four_without_sar_is_enough_in_either_polarisation(tmp_path: Path) -> None:
    hh, hv = filled(20), filled(20)
    hh[1, 1] = 0
    hv[10, 19] = 0
    planes = read_sentinel1(write_product(tmp_path, {"HH": hh, "HV": hv})).sigma0
    for plane in planes.values():
        assert np.isnan(plane[0, 0])
        assert np.isnan(plane[5, 9])
        assert np.count_nonzero(np.isnan(plane)) == 12


def test_border_between_sub_swaths_within_a_pixel(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    for pattern in ("s1a*001.xml", "noise-*001.xml"):
        edit(product, pattern, "<lastRangeSample>9<", "<lastRangeSample>8<")
        edit(product, pattern, "<firstRangeSample>10<", "<firstRangeSample>9<")
    edit(product, "noise-*001.xml", "<pixel>0 9 10 19<", "<pixel>0 8 9 19<")
    plane = read_sentinel1(product).sigma0["hh"]
    np.testing.assert_array_equal(plane[4], [3, 3, 3, 3, 2.5, 2, 2, 2, 2, 2])


def test_border_that_moves_between_noise_vectors(tmp_path: Path) -> None:
    """From line 6 on, EW2 begins at sample 8; vectors before have EW1 up to sample 9."""
    product = write_product(tmp_path)
    first = (
        "<firstAzimuthLine>0</firstAzimuthLine><firstRangeSample>0</firstRangeSample>"
        "<lastAzimuthLine>{}</lastAzimuthLine><lastRangeSample>9</lastRangeSample>"
    )
    later = (
        "<firstAzimuthLine>6</firstAzimuthLine><firstRangeSample>0</firstRangeSample>"
        "<lastAzimuthLine>11</lastAzimuthLine><lastRangeSample>7</lastRangeSample>"
    )
    blocks = f"{first.format(5)}</swathBounds><swathBounds>{later}"
    edit(product, "s1a*001.xml", first.format(11), blocks)
    outer = (
        "<firstAzimuthLine>4</firstAzimuthLine><firstRangeSample>10</firstRangeSample>"
        "<lastAzimuthLine>11</lastAzimuthLine><lastRangeSample>19</lastRangeSample>"
    )
    edit(product, "s1a*001.xml", outer,
         outer.replace(">11<", ">5<") + "</swathBounds><swathBounds>"
         + outer.replace(">4<", ">6<").replace(">10<", ">8<"))  # fmt: skip
    edit(product, "noise-*001.xml", "<line>11</line><pixel>0 9 10 19<",
         "<line>11</line><pixel>0 7 8 19<")  # fmt: skip
    edit(product, "noise-*001.xml", "<line>6</line><pixel>0 9 10 19</pixel>"
         "<noiseRangeLut>100 100 200 200<", "<line>5</line><pixel>0 9 10 19</pixel>"
         "<noiseRangeLut>100 100 200 200<")  # fmt: skip
    plane = read_sentinel1(product).sigma0["hh"]
    np.testing.assert_array_equal(plane[2], [3, 3, 3, 3, 3, 2, 2, 2, 2, 2])
    np.testing.assert_array_equal(plane[3:], [[3, 3, 3, 3, 2, 2, 2, 2, 2, 2]] * 3)


def test_noise_of_a_neighbour_is_not_that_of_a_later_sub_swath(tmp_path: Path) -> None:
    """At line 0, EW1 reaches into what EW2 will be from line 4 on."""
    product = write_product(tmp_path, {"HH": filled(20)})
    one = "<swath>EW1</swath><swathBoundsList><swathBounds>{}</swathBounds>"
    whole = (
        "<firstAzimuthLine>0</firstAzimuthLine><firstRangeSample>0</firstRangeSample>"
        "<lastAzimuthLine>11</lastAzimuthLine><lastRangeSample>9</lastRangeSample>"
    )
    wider = whole.replace(">11<", ">3<").replace(">9<", ">13<")
    later = whole.replace("Line>0<", "Line>4<")
    edit(product, "s1a*001.xml", one.format(whole),
         one.format(f"{wider}</swathBounds><swathBounds>{later}"))  # fmt: skip
    edit(product, "noise-*001.xml", "<pixel>0 9 10 19</pixel><noiseRangeLut>100 100 0 0<",
         "<pixel>0 13 14 19</pixel><noiseRangeLut>100 100 0 0<")  # fmt: skip
    plane = read_sentinel1(product).sigma0["hh"]
    np.testing.assert_array_equal(plane[:2, :7], 3)
    np.testing.assert_array_equal(plane[EW2], 2)


def test_artefacts_at_the_edges_of_old_versions_are_masked(tmp_path: Path) -> None:
    pixels = filled(20)
    pixels[:2] = 3  # power 9, far below the noise of 100
    pixels[:, -1] = 4
    pixels[6, 6] = 1  # inside: calm water, not a border
    numbers = {"HH": pixels, "HV": filled(20)}
    old = read_sentinel1(
        write_product(tmp_path / "old", numbers, ipf="002.84", azimuth=False)
    )
    assert "edges are masked" in old.denoising_note
    new = read_sentinel1(write_product(tmp_path / "new", numbers))
    for name in ("hh", "hv"):
        assert np.isnan(old.sigma0[name][0]).all()
        assert np.isnan(old.sigma0[name][:, -1]).all()
        assert not np.isnan(old.sigma0[name][1:, :5]).any()
        assert not np.isnan(old.sigma0[name][2:, :9]).any()
        assert np.count_nonzero(np.isnan(new.sigma0[name])) == 10


def test_hh_alone(tmp_path: Path) -> None:
    backscatter = read_sentinel1(
        write_product(tmp_path, {"HH": filled(20)}), denoise="nersc"
    )
    assert set(backscatter.sigma0) == {"hh"}
    assert backscatter.denoising == {"hh": "esa"}
    np.testing.assert_array_equal(backscatter.sigma0["hh"][EW1], 3)


def test_odd_last_line_and_sample_are_left_out(tmp_path: Path) -> None:
    product = write_product(tmp_path, {"HH": filled(20)[:11, :19]})
    edit(product, "s1a*.xml", "<numberOfLines>12<", "<numberOfLines>11<")
    edit(product, "s1a*.xml", "<numberOfSamples>20<", "<numberOfSamples>19<")
    assert read_sentinel1(product).sigma0["hh"].shape == (5, 9)


def test_nersc_scales_and_shifts_the_noise_of_hv(tmp_path: Path) -> None:
    backscatter = read_sentinel1(write_product(tmp_path), denoise="nersc")
    assert backscatter.denoising == {"hh": "esa", "hv": "nersc"}
    assert backscatter.denoising_note == (
        "HV with NERSC's coefficients for S1A and IPF 3.3, the nearest to 003.52, "
        "for which there are none"
    )
    np.testing.assert_array_equal(backscatter.sigma0["hh"][EW1], 3)
    hv = backscatter.sigma0["hv"]
    np.testing.assert_allclose(hv[EW1], 4 - 1 * 0.9865964902 - 0.0001212831, rtol=1e-6)
    np.testing.assert_allclose(hv[EW2], 4 - 2 * 0.9977670615 + 2.08352e-05, rtol=1e-6)


@pytest.mark.parametrize("satellite", ["C", "D"])
def test_nersc_has_nothing_for_later_satellites(tmp_path: Path, satellite: str) -> None:
    product = write_product(tmp_path, satellite=satellite)
    backscatter = read_sentinel1(product, denoise="nersc")
    assert backscatter.denoising == {"hh": "esa", "hv": "esa"}
    assert f"no coefficients for S1{satellite}" in backscatter.denoising_note
    np.testing.assert_array_equal(backscatter.sigma0["hv"][EW2], 2)


def test_nersc_needs_the_version(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    (product / "manifest.safe").unlink()
    with pytest.raises(SceneError, match="no manifest says by which version") as caught:
        read_sentinel1(product, denoise="nersc")
    assert "--denoise esa" in str(caught.value.hint)
    assert read_sentinel1(product).ipf == ""


def test_unknown_denoising_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no denoising 'nersk'") as caught:
        read_sentinel1(tmp_path, denoise="nersk")
    assert caught.value.hint == "did you mean 'nersc'?"


def test_noise_is_not_removed_twice(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    edit(product, "s1a*001.xml", "Performed>false", "Performed>true")
    with pytest.raises(SceneError, match="noise was removed already"):
        read_sentinel1(product)
    assert read_sentinel1(product, denoise="none").sigma0["hh"][0, 0] == 4


def test_without_noise_annotation_only_denoise_none_is_left(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    for path in product.rglob("noise-*"):
        path.unlink()
    with pytest.raises(SceneError, match="no noise annotation of HH") as caught:
        read_sentinel1(product)
    assert "--denoise none" in str(caught.value.hint)
    assert read_sentinel1(product, denoise="none").sigma0["hv"][0, 0] == 4


def test_sub_swath_without_any_noise_is_refused(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    edit(product, "noise-*001.xml", "200 200", "0 0")
    with pytest.raises(SceneError, match="no noise for sub-swath EW2"):
        read_sentinel1(product)


@pytest.mark.parametrize(
    "options",
    [
        {"compress": "deflate", "predictor": 2},
        {"compress": "lzw"},
        {"tiled": "yes", "BLOCKXSIZE": 16, "BLOCKYSIZE": 16, "compress": "zstd"},
        {"BIGTIFF": "yes"},
        {"ENDIANNESS": "BIG"},
    ],
)
@pytest.mark.parametrize("in_zip", [False, True])
def test_recompressed_tiffs(
    tmp_path: Path, options: dict[str, str | int], in_zip: bool
) -> None:
    product = write_product(tmp_path)
    pixels = filled(20) + np.arange(N_SAMPLES, dtype=np.uint16)
    for path in product.rglob("*.tiff"):
        write_tiff(path, pixels, **options)
    plane = read_sentinel1(zipped(product) if in_zip else product, "none").sigma0["hh"]
    assert plane[0, 0] == pytest.approx((20**2 + 21**2) / 2 / 100)
    assert plane[5, 9] == pytest.approx((38**2 + 39**2) / 2 / 100)


def test_tiff_of_another_size(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    write_tiff(next(product.rglob("*001.tiff")), filled(20)[:10])
    with pytest.raises(SceneError, match="10 x 20 pixels, but the annotation says 12 x 20"):
        read_sentinel1(product)


def test_tiff_of_another_type(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    write_tiff(next(product.rglob("*001.tiff")), filled(20).astype(np.float32))
    with pytest.raises(SceneError, match="float32 instead of uint16"):
        read_sentinel1(product)


@pytest.mark.parametrize("in_zip", [False, True])
def test_tiff_that_is_cut_off(tmp_path: Path, in_zip: bool) -> None:
    product = write_product(tmp_path)
    path = next(product.rglob("*002.tiff"))
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(SceneError, match="cannot be read as a TIFF"):
        read_sentinel1(zipped(product) if in_zip else product)


def test_what_is_not_a_tiff(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    next(product.rglob("*001.tiff")).write_text("<VRTDataset/>")
    with pytest.raises(SceneError, match=r"001\.tiff' cannot be read as a TIFF"):
        read_sentinel1(product)


def test_tiff_far_longer_than_its_pixels_is_not_inflated(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    with next(product.rglob("*001.tiff")).open("ab") as stream:
        stream.write(bytes(3 * 2**20))
    with pytest.raises(SceneError, match="too long for 12 x 20 pixels"):
        read_sentinel1(zipped(product))


def test_damaged_zip_is_noticed_by_its_checksum(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    path = zipped(product)
    content = bytearray(path.read_bytes())
    at = content.find(b"s1a-ew-grd-hh-20221130t014342-001.tiff")
    start = at + len("s1a-ew-grd-hh-20221130t014342-001.tiff")
    content[start + 60] ^= 255
    path.write_bytes(content)
    with pytest.raises(SceneError, match=r"001\.tiff' is damaged in the zip"):
        read_sentinel1(path)


def test_hv_of_another_size(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    edit(product, "s1a*002.xml", "<numberOfLines>12<", "<numberOfLines>10<")
    with pytest.raises(SceneError, match="10 x 20 pixels, but HH has 12 x 20"):
        read_sentinel1(product)
