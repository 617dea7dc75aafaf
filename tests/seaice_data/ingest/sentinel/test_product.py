"""Which products are opened, whatever their files are called, and which are refused."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from support.tiny_product import NAME, edit, write_product, zipped

from seaice_data.errors import SceneError
from seaice_data.ingest.sentinel.product import open_sentinel1
from seaice_data.ingest.sentinel1 import read_sentinel1


def test_what_is_known_without_pixels(tmp_path: Path) -> None:
    product = open_sentinel1(write_product(tmp_path))
    assert product.name == NAME
    assert (product.satellite, product.ipf, product.orbit) == ("S1A", "003.52", 46117)
    assert not product.is_ascending
    frame = product.frame
    assert frame.acquired == datetime(2022, 11, 30, 1, 43, 42, 546629, tzinfo=UTC)
    assert frame.stopped == datetime(2022, 11, 30, 1, 44, 46, 839082, tzinfo=UTC)
    assert (frame.grid.shape, frame.grid.pixel_spacing_m) == ((6, 10), 80)
    assert product.incidence_angle.shape == product.height_m.shape == (3, 4)
    np.testing.assert_array_equal(product.height_m[1], [0, 8, 16, 19])


def test_uneven_tie_points_are_between_the_lines_of_their_pixel(tmp_path: Path) -> None:
    points = open_sentinel1(write_product(tmp_path)).frame.tie_points
    np.testing.assert_array_equal(points.lines, [-0.25, 3.75, 5.25])
    np.testing.assert_array_equal(points.samples, [-0.25, 3.75, 7.75, 9.25])
    np.testing.assert_array_equal(points.latitude[:, 0], [80, 79.992, 79.989])


def test_ascending(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    edit(product, "s1a*001.xml", "Descending", "Ascending")
    assert open_sentinel1(product).is_ascending


@pytest.mark.parametrize("top", [True, False])
def test_zip_with_and_without_the_folder(tmp_path: Path, top: bool) -> None:
    path = zipped(write_product(tmp_path), top=top)
    strange = path.rename(tmp_path / "scene of today")
    assert open_sentinel1(strange).orbit == 46117
    np.testing.assert_array_equal(read_sentinel1(strange).sigma0["hh"][0, 0], 3)


def test_zip_of_macos_and_windows(tmp_path: Path) -> None:
    import zipfile

    product = write_product(tmp_path)
    with zipfile.ZipFile(tmp_path / "scene.zip", "w") as archive:
        for path in sorted(product.rglob("*")):
            if path.is_file():
                name = path.relative_to(tmp_path).as_posix()
                info = zipfile.ZipInfo(name)
                info.filename = name.replace("/", "\\")
                archive.writestr(info, path.read_bytes())
                hidden = path.relative_to(tmp_path).with_name(f"._{path.name}")
                archive.writestr(f"__MACOSX/{hidden.as_posix()}", b"\0\5\26\7")
    assert open_sentinel1(tmp_path / "scene.zip").name == NAME


def test_manifest_may_be_named(tmp_path: Path) -> None:
    assert open_sentinel1(write_product(tmp_path) / "manifest.safe").name == NAME


def test_shortened_names(tmp_path: Path) -> None:
    """Mirrors call files `hh.xml` and `hh.tiff`; the manifest still has the long names."""
    product = write_product(tmp_path)
    for path in sorted(p for p in product.rglob("*") if p.is_file()):
        if path.name != "manifest.safe":
            kind = path.name.split("-")[0].removeprefix("s1a")
            short = "hh" if "-hh-" in path.name else "hv"
            path.rename(path.with_name(f"{kind}{short}{path.suffix}"))
    np.testing.assert_array_equal(read_sentinel1(product).sigma0["hv"][5, 9], 2)


def test_flat_folder_without_manifest(tmp_path: Path) -> None:
    product, flat = write_product(tmp_path), tmp_path / "flat"
    flat.mkdir()
    for path in product.rglob("*.*"):
        if path.is_file() and path.name != "manifest.safe":
            shutil.copy(path, flat)
    found = open_sentinel1(flat)
    assert (found.ipf, set(found.parts)) == ("", {"HH", "HV"})
    assert found.name == NAME.removesuffix("_0000")
    np.testing.assert_array_equal(read_sentinel1(flat).sigma0["hv"][5, 9], 2)


def test_name_of_a_renamed_product_is_rebuilt_from_its_content(tmp_path: Path) -> None:
    product = write_product(tmp_path).rename(tmp_path / "renamed")
    name = open_sentinel1(product).name
    assert name[:-4] == NAME[:-4]
    assert name == open_sentinel1(zipped(product, top=False)).name


def test_name_of_another_product_is_not_believed(tmp_path: Path) -> None:
    other = NAME.replace("014342", "024342")
    product = write_product(tmp_path).rename(tmp_path / f"{other}.SAFE")
    assert open_sentinel1(product).name[:-4] == NAME[:-4]


def test_file_that_the_manifest_does_not_list_is_left_out(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    path = next(product.rglob("s1a*001.xml"))
    shutil.copy(path, path.with_name("copy of it.xml"))
    assert open_sentinel1(product).parts["HH"].annotation.endswith("001.xml")
    (product / "manifest.safe").unlink()
    with pytest.raises(SceneError, match="more than one 'product' of HH"):
        open_sentinel1(product)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("<mode>EW", "<mode>IW", "is a product of the kind 'IW GRD'"),
        ("<mode>EW", "<mode>S3", "is a product of the kind 'S3 GRD'"),
        ("<productType>GRD", "<productType>SLC", "is a product of the kind 'EW SLC'"),
        ("4.0e+01", "2.5e+01", "is an EW GRD product of 25 m, not of 40 m"),
        ("<missionId>S1A", "<missionId>S2A", "is of the satellite 'S2A'"),
    ],
)
def test_other_products_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    product = write_product(tmp_path)
    for path in product.rglob("*.xml"):
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SceneError, match=words) as caught:
        open_sentinel1(product)
    assert caught.value.hint == "EW GRDM products with HH fit: S1A_EW_GRDM_1SDH_..."
    assert "\n" not in str(caught.value)


def test_other_polarisations_are_refused(tmp_path: Path) -> None:
    pixels = np.full((12, 20), 20, np.uint16)
    product = write_product(tmp_path, {"VV": pixels, "VH": pixels})
    with pytest.raises(SceneError, match="has VH and VV, but not HH"):
        open_sentinel1(product)


@pytest.mark.parametrize(
    "title", ["Sentinel-1 IW Level-0 Product", "Sentinel-1 WV Level-2 OCN Product"]
)
def test_products_without_annotation_are_called_by_their_title(
    tmp_path: Path, title: str
) -> None:
    product = write_product(tmp_path)
    edit(product, "manifest.safe", "Sentinel-1 EW Level-1 GRD Product", title)
    shutil.rmtree(product / "annotation")
    with pytest.raises(SceneError, match=f"is a '{title}' without annotation"):
        open_sentinel1(product)


def test_missing_measurement(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    next(product.rglob("*002.tiff")).unlink()
    with pytest.raises(SceneError, match="no measurement of HV: no TIFF has the name of"):
        open_sentinel1(product)


def test_missing_calibration(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    next(product.rglob("calibration-*002.xml")).unlink()
    with pytest.raises(SceneError, match="no calibration of HV"):
        open_sentinel1(product)


@pytest.mark.parametrize(
    ("pattern", "old", "new", "words"),
    [
        (
            "noise-*001.xml",
            "361801<",
            "361802<",
            "its data take is 361802, that of HH 361801",
        ),
        (
            "calibration-*002.xml",
            "46117<",
            "46118<",
            "its orbit is 46118, that of HH 46117",
        ),
        ("s1a*002.xml", "T01:43:42", "T01:44:47", "it starts at 2022-11-30T01:44:47"),
        ("manifest.safe", "T01:43:42", "T01:44:47", "it starts at 2022-11-30T01:44:47"),
    ],
)
def test_file_of_another_product(
    tmp_path: Path, pattern: str, old: str, new: str, words: str
) -> None:
    product = write_product(tmp_path)
    edit(product, pattern, old, new)
    with pytest.raises(SceneError, match=f"is of another product: {words}"):
        open_sentinel1(product)


def test_annotation_of_hh_in_the_place_of_hv(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    hh, hv = sorted(product.joinpath("annotation").glob("*.xml"))
    shutil.copy(hh, hv)
    with pytest.raises(SceneError, match="more than one 'product' of HH"):
        open_sentinel1(product)
