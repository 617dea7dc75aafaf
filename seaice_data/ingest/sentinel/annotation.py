"""What the XML files of a Sentinel-1 product say: annotation, calibration, noise, manifest.

Names of elements are those of ESA's product specification (S1-RS-MDA-52-7441). Files may
come from anybody: a document type definition, in which entities could grow without end, is
refused before anything is parsed.
"""

import binascii
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from xml.parsers import expat

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.errors import SceneError
from seaice_data.texts import printable, shortened

_MOST_POWER = 1e12  # squares of pixel values are below 5e9

MOST_PIXELS = 2**16
"""Lines or samples that a product has at most; the largest EW GRDM has 15 000 lines."""


class MakeError(Protocol):
    """Makes an error that names the product and the file."""

    def __call__(self, message: str, /, *, hint: str | None = None) -> SceneError:
        """Return an error whose message continues the name of the file."""


@dataclass(frozen=True, slots=True)
class Header:
    """Which acquisition and polarisation a file belongs to."""

    satellite: str
    product_type: str
    polarisation: str
    mode: str
    start: datetime
    stop: datetime
    orbit: int
    data_take: int


@dataclass(frozen=True, slots=True)
class SwathBlock:
    """A rectangle of pixels that come from one sub-swath; all bounds are inclusive."""

    swath: str
    first_line: int
    last_line: int
    first_sample: int
    last_sample: int


@dataclass(frozen=True, slots=True)
class PointGrid:
    """The geolocation grid; planes have the shape ``(line, sample)``."""

    lines: FloatArray
    samples: FloatArray
    latitude: FloatArray
    longitude: FloatArray
    incidence_angle: FloatArray
    height_m: FloatArray


@dataclass(frozen=True, slots=True)
class Annotation:
    """The annotation of one polarisation."""

    header: Header
    is_ascending: bool
    n_lines: int
    n_samples: int
    spacing_m: float
    noise_was_removed: bool
    blocks: tuple[SwathBlock, ...]
    points: PointGrid


@dataclass(frozen=True, slots=True)
class Vectors:
    """A look-up table: values at some samples of some lines."""

    lines: FloatArray
    """Increasing; they may lie outside of the image."""

    samples: tuple[IntArray, ...]
    """Increasing, for each line."""

    values: tuple[FloatArray, ...]
    """At these samples."""


@dataclass(frozen=True, slots=True)
class AzimuthNoise:
    """Factors of the noise along the lines of one block."""

    block: SwathBlock
    lines: IntArray
    factors: FloatArray


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of one polarisation: power, in the unit of squared pixel values."""

    along_range: Vectors
    along_azimuth: tuple[AzimuthNoise, ...]
    """Empty before version 2.9 of the processor."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What only the manifest says."""

    title: str
    """Such as ``Sentinel-1 EW Level-1 GRD Product``; empty if it has none."""

    ipf: str
    """Version of the processor, as ``003.52``; empty if it does not say so."""

    product_class: str
    files: tuple[str, ...]
    start: datetime | None
    checksum: str
    """Last part of the product's name: the CRC-16 of the manifest."""


def read_xml(content: bytes, error: MakeError) -> ET.Element:
    """Parse a whole XML file.

    Raises
    ------
    SceneError
        If it is not well-formed, or has a document type definition.
    """
    _check_prolog(content, error)
    try:
        return ET.fromstring(content)  # noqa: S314 - without entities, see above
    except (ET.ParseError, ValueError, LookupError) as problem:
        raise error(f"is not well-formed XML: {_in_words(problem)}") from problem


def root_of(content: bytes, error: MakeError) -> str:
    """Return the name of the outermost element: ``product``, ``calibration``, ``noise``."""
    return _check_prolog(content, error)


def read_header(content: bytes, error: MakeError) -> Header:
    """Read the header and no more: the first kilobyte of a file of megabytes."""
    _check_prolog(content, error)
    parser: ET.XMLPullParser[Any] = ET.XMLPullParser(["end"])
    try:
        for start in range(0, len(content), 2**14):
            parser.feed(content[start : start + 2**14])
            events: Any = parser.read_events()
            for _, element in events:
                if _local(element) == "adsHeader":
                    return _header(element, error)
    except (ET.ParseError, ValueError, LookupError) as problem:
        raise error(f"is not well-formed XML: {_in_words(problem)}") from problem
    raise error("has no 'adsHeader'")


def read_annotation(content: bytes, error: MakeError) -> Annotation:
    """Read what is needed of the annotation of one polarisation.

    Raises
    ------
    SceneError
        If something is missing, not a number, or out of its range.
    """
    root = read_xml(content, error)
    image = _find(root, "imageAnnotation/imageInformation", error)
    n_lines = int(_number(image, "numberOfLines", error))
    n_samples = int(_number(image, "numberOfSamples", error))
    if not (2 <= n_lines <= MOST_PIXELS and 2 <= n_samples <= MOST_PIXELS):
        raise error(f"gives the image {n_lines} lines and {n_samples} samples")
    if _text(image, "outputPixels", error) != "16 bit Unsigned Integer":
        raise error(f"has pixels of {_text(image, 'outputPixels', error)!r}")
    direction = _text(root, "generalAnnotation/productInformation/pass", error).lower()
    removed = root.findtext(
        "imageAnnotation/processingInformation/thermalNoiseCorrectionPerformed", "false"
    )
    return Annotation(
        header=_header(_find(root, "adsHeader", error), error),
        is_ascending=direction == "ascending",
        n_lines=n_lines,
        n_samples=n_samples,
        spacing_m=_number(image, "rangePixelSpacing", error),
        noise_was_removed=removed.strip() == "true",
        blocks=_merged_swaths(root, error),
        points=_point_grid(root, error),
    )


def read_calibration(content: bytes, error: MakeError) -> tuple[Vectors, float]:
    """Read the table of sigma nought, and the first value of that of ``dn``.

    Raises
    ------
    SceneError
        If something is missing, or not a number, or a value is 0 or below.
    """
    root = read_xml(content, error)
    found = root.findall("calibrationVectorList/calibrationVector")
    vectors = _vectors(found, "sigmaNought", error)
    if min(float(values.min()) for values in vectors.values) <= 0:
        raise error("has values of 'sigmaNought' that are 0 or below")
    numbers = _numbers(found[0], "dn", error) if found[0].find("dn") is not None else None
    return vectors, float(numbers[0]) if numbers is not None else float("nan")


def read_noise(content: bytes, error: MakeError) -> Noise:
    """Read the noise along range, and along azimuth if the version has it.

    Raises
    ------
    SceneError
        If something is missing, or not a number.
    """
    root = read_xml(content, error)
    if ranges := root.findall("noiseRangeVectorList/noiseRangeVector"):
        along_range = _vectors(ranges, "noiseRangeLut", error)
    else:  # before version 2.9
        vectors = root.findall("noiseVectorList/noiseVector")
        along_range = _vectors(vectors, "noiseLut", error)
    azimuth = []
    for vector in root.findall("noiseAzimuthVectorList/noiseAzimuthVector"):
        lines = _numbers(vector, "line", error)
        factors = _numbers(vector, "noiseAzimuthLut", error)
        _check_pair(lines, factors, "noiseAzimuthLut", error)
        swath = _text(vector, "swath", error)
        block = _block(vector, swath, error)
        azimuth.append(AzimuthNoise(block, lines.astype(np.int64), factors))
    return Noise(along_range, tuple(azimuth))


def read_manifest(content: bytes, error: MakeError) -> Manifest:
    """Read the manifest of a product of any kind.

    Raises
    ------
    SceneError
        If it is not well-formed XML.
    """
    root = read_xml(content, error)
    units = (e for e in root.iter() if _local(e) == "contentUnit")
    title = next((e.get("textInfo", "") for e in units), "")
    # The last processing comes first; earlier ones are nested in it.
    software = (e for e in root.iter() if _local(e) == "software")
    ipf = next((e.get("version", "") for e in software if "IPF" in e.get("name", "")), "")
    classes = (e.text for e in root.iter() if _local(e) == "productClass")
    starts = (e.text for e in root.iter() if _local(e) == "startTime")
    files = (e.get("href", "") for e in root.iter() if _local(e) == "fileLocation")
    return Manifest(
        title=shortened(printable(title), 80),
        ipf=ipf.strip() if re.fullmatch(r"\d{3}\.\d{2}", ipf.strip(), re.ASCII) else "",
        product_class=_letter(next(classes, None)),
        files=tuple(name.removeprefix("./") for name in files),
        start=_time_or_none(next(starts, None)),
        checksum=f"{binascii.crc_hqx(content, 0xFFFF):04X}",
    )


class _SeenRootError(Exception):
    """The outermost element begins: the rest of the file is for others."""


def _check_prolog(content: bytes, error: MakeError) -> str:
    """Refuse a document type definition; return the name of the outermost element."""
    names: list[str] = []

    def refuse(*_: Any) -> None:
        raise error("has a document type definition, which products do not have")

    def stop(name: str, _: Any) -> None:
        names.append(name)
        raise _SeenRootError

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        parser.Parse(content, True)
    except _SeenRootError:
        pass
    except (expat.ExpatError, ValueError, LookupError) as problem:
        raise error(f"is not XML: {_in_words(problem)}") from problem
    return names[0].rpartition(":")[2]


def _header(element: ET.Element, error: MakeError) -> Header:
    return Header(
        satellite=_text(element, "missionId", error),
        product_type=_text(element, "productType", error),
        polarisation=_text(element, "polarisation", error).upper(),
        mode=_text(element, "mode", error),
        start=_time(element, "startTime", error),
        stop=_time(element, "stopTime", error),
        orbit=int(_number(element, "absoluteOrbitNumber", error)),
        data_take=int(_number(element, "missionDataTakeId", error)),
    )


def _merged_swaths(root: ET.Element, error: MakeError) -> tuple[SwathBlock, ...]:
    blocks = []
    for merge in root.findall("swathMerging/swathMergeList/swathMerge"):
        swath = _text(merge, "swath", error)
        bounds = merge.findall("swathBoundsList/swathBounds")
        blocks += [_block(b, swath, error) for b in bounds]
    if not blocks:
        raise error("has no 'swathMergeList', which says where sub-swaths are")
    return tuple(blocks)


def _block(element: ET.Element, swath: str, error: MakeError) -> SwathBlock:
    names = ("firstAzimuthLine", "lastAzimuthLine", "firstRangeSample", "lastRangeSample")
    first, last, left, right = (int(_number(element, name, error)) for name in names)
    return SwathBlock(swath, first, last, left, right)


def _point_grid(root: ET.Element, error: MakeError) -> PointGrid:
    points = root.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    names = ("line", "pixel", "latitude", "longitude", "incidenceAngle", "height")
    try:
        table = np.array([[float(p.findtext(n, "")) for n in names] for p in points])
    except ValueError as problem:
        raise error("has a geolocation grid point without all its numbers") from problem
    if not points or not np.isfinite(table).all():
        raise error("has no geolocation grid, or one with values that are not finite")
    table = np.unique(table, axis=0)  # sorted, and a point that is there twice once
    lines, samples = np.unique(table[:, 0]), np.unique(table[:, 1])
    shape = len(lines), len(samples)
    if min(shape) < 2 or len(table) != shape[0] * shape[1]:
        raise error(f"has a geolocation grid of {len(table)} points with gaps")
    if not np.array_equal(table[:, 1].reshape(shape), np.tile(samples, (shape[0], 1))):
        raise error(f"has a geolocation grid of {len(table)} points with gaps")
    planes = [column.reshape(shape) for column in table.T[2:]]
    if np.abs(planes[0]).max() > 90 or np.abs(planes[1]).max() > 360:
        raise error("has a geolocation grid with latitudes or longitudes out of range")
    return PointGrid(lines, samples, *planes)


def _vectors(found: list[ET.Element], name: str, error: MakeError) -> Vectors:
    """Read vectors, sorted by line; of two at the same line, the first."""
    table: dict[float, tuple[IntArray, FloatArray]] = {}
    for vector in found:
        line = _number(vector, "line", error)
        samples, values = _numbers(vector, "pixel", error), _numbers(vector, name, error)
        _check_pair(samples, values, name, error)
        table.setdefault(line, (samples.astype(np.int64), values))
    if not table:
        raise error(f"has no vectors with {name!r}")
    lines = sorted(table)
    samples_of, values_of = zip(*(table[line] for line in lines), strict=True)
    return Vectors(np.array(lines, np.float64), samples_of, values_of)


def _check_pair(at: FloatArray, values: FloatArray, name: str, error: MakeError) -> None:
    if len(at) != len(values) or not len(at):
        raise error(f"has {len(values)} values of {name!r} at {len(at)} positions")
    if np.abs(at).max() > 2**31 or (np.diff(at) <= 0).any():
        raise error(f"has values of {name!r} at positions that do not increase")
    if np.abs(values).max() > _MOST_POWER:
        raise error(f"has a value of {name!r} that is too large: {np.abs(values).max():g}")


def _find(element: ET.Element, path: str, error: MakeError) -> ET.Element:
    found = element.find(path)
    if found is None:
        raise error(f"has no {path!r}")
    return found


def _text(element: ET.Element, path: str, error: MakeError) -> str:
    return printable((_find(element, path, error).text or "").strip())


def _number(element: ET.Element, path: str, error: MakeError) -> float:
    numbers = _numbers(element, path, error)
    if len(numbers) != 1:
        raise error(f"has {len(numbers)} numbers in {path!r}")
    return float(numbers[0])


def _numbers(element: ET.Element, path: str, error: MakeError) -> FloatArray:
    words = (_find(element, path, error).text or "").split()
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as problem:
        raise error(f"has no numbers in {path!r}: {_in_words(problem)}") from problem
    if not np.isfinite(numbers).all():
        raise error(f"has a number in {path!r} that is not finite")
    return numbers


def _time(element: ET.Element, path: str, error: MakeError) -> datetime:
    text = _text(element, path, error)
    time = _time_or_none(text)
    if time is None:
        raise error(f"has {shortened(text, 40)!r} as {path!r}")
    return time


def _time_or_none(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _letter(text: str | None) -> str:
    letter = (text or "").strip()
    return letter if letter in ("A", "C", "N", "S") else "S"


def _local(element: ET.Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def _in_words(error: BaseException) -> str:
    return shortened(printable(" ".join(str(error).split())), 80)
