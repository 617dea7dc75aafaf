"""XML files that anybody may have written."""

from pathlib import Path

import numpy as np
import pytest
from support.tiny_product import edit, write_product

from seaice_data.errors import SceneError
from seaice_data.ingest.sentinel.annotation import read_manifest, read_xml, root_of
from seaice_data.ingest.sentinel1 import open_sentinel1, read_sentinel1

BOMB = """<?xml version="1.0"?><!DOCTYPE product [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><product>&b;</product>"""


def error(message: str, /, *, hint: str | None = None) -> SceneError:
    return SceneError(f"'x.xml' {message}", hint=hint)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_type_definitions_are_refused(encoding: str) -> None:
    content = BOMB.encode(encoding)
    for read in (root_of, read_xml, read_manifest):
        with pytest.raises(SceneError, match=r"'x\.xml' has a document type definition"):
            read(content, error)


@pytest.mark.parametrize("content", [b"", b"\0\0", b"no markup", b"<a", b"\xff\xfe<"])
def test_what_is_not_xml(content: bytes) -> None:
    with pytest.raises(SceneError, match=r"'x\.xml' is not XML"):
        root_of(content, error)


def test_xml_that_is_cut_off() -> None:
    with pytest.raises(SceneError, match=r"'x\.xml' is not well-formed XML: "):
        read_xml(b"<product><a>", error)


@pytest.mark.parametrize(
    ("pattern", "old", "new", "words"),
    [
        ("s1a*001.xml", "<numberOfLines>12", "<numberOfLines>a dozen",
         "no numbers in 'numberOfLines'"),
        ("s1a*001.xml", "<numberOfLines>12", "<numberOfLines>-1", "image -1 lines"),
        ("s1a*001.xml", "<numberOfLines>12", "<numberOfLines>inf", "that is not finite"),
        ("s1a*001.xml", "<numberOfLines>12", "<numberOfLines>1 2", "has 2 numbers in"),
        ("s1a*001.xml", "16 bit Unsigned", "32 bit Signed", "pixels of '32 bit Signed I"),
        ("s1a*001.xml", "swathMergeList", "swathList", "has no 'swathMergeList'"),
        ("s1a*001.xml", "swathBounds>", "bounds>", "has no 'swathMergeList'"),
        ("s1a*001.xml", "<pixel>8<", "<pixel>9.5e400<", "no geolocation grid, or one"),
        ("s1a*001.xml", "<line>8</line><pixel>8<", "<line>8</line><pixel>7<", "with gaps"),
        ("s1a*001.xml", "<latitude>80.0<", "<latitude>91<", "out of range"),
        ("s1a*001.xml", "<latitude>80.0<", "<latitude><", "without all its numbers"),
        ("s1a*001.xml", "2022-11-30T01:43:42.546629", "yesterday",
         "has 'yesterday' as 'startTime'"),
        ("s1a*001.xml", "adsHeader>", "header>", "has no 'adsHeader'"),
        ("calibration*001.xml", "10 10<", "10<", "1 values of 'sigmaNought' at 2"),
        ("calibration*001.xml", "10 10<", "0 10<", "'sigmaNought' that are 0 or below"),
        ("calibration*001.xml", "10 10<", "nan 10<", "that is not finite"),
        ("calibration*001.xml", "<pixel>0 19<", "<pixel>19 0<", "do not increase"),
        ("calibration*001.xml", "Vector>", "Row>", "no vectors with 'sigmaNought'"),
        ("noise*001.xml", "100 100", "100", "3 values of 'noiseRangeLut' at 4"),
        ("noise*001.xml", "noiseRangeVector", "vector", "no vectors with 'noiseLut'"),
        ("noise*001.xml", "<noiseAzimuthLut>1 1<", "<noiseAzimuthLut>1<", "1 values of"),
        ("noise*001.xml", "</noise>", "", "is not well-formed XML"),
    ],
)  # fmt: skip
def test_broken_files_are_named(
    tmp_path: Path, pattern: str, old: str, new: str, words: str
) -> None:
    product = write_product(tmp_path)
    edit(product, pattern, old, new)
    with pytest.raises(SceneError, match=words) as caught:
        read_sentinel1(product)
    assert "001.xml' " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_control_characters_of_a_file_are_not_shown(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    edit(product, "s1a*001.xml", "16 bit Unsigned", "16 bit\n\u202e")
    with pytest.raises(SceneError, match=r"pixels of '16 bit\\") as caught:
        open_sentinel1(product)
    assert str(caught.value).isprintable()


def test_a_tie_point_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    product = write_product(tmp_path)
    expected = open_sentinel1(product).frame.tie_points.latitude
    (path,) = product.rglob("annotation/s1a*001.xml")
    start, tag, rest = path.read_text().partition("<geolocationGridPoint>")
    point = tag + rest[: rest.index(tag)]
    path.write_text(start + point + tag + rest)
    found = open_sentinel1(product).frame.tie_points.latitude
    np.testing.assert_array_equal(found, expected)
