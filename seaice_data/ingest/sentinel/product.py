"""What a Sentinel-1 product is, where and when: all that can be known without its pixels.

Only EW GRDM with HH fits. Files are sorted by what they say about themselves; that they all
belong to one product is checked, because people mix files up.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints, wrapped
from seaice_data.grid import SPACING_M, Grid
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.sentinel.annotation import (
    Annotation,
    Header,
    Manifest,
    read_annotation,
    read_header,
    read_manifest,
    root_of,
)
from seaice_data.ingest.sentinel.safe import ProductFiles, open_files

SATELLITES = ("S1A", "S1B", "S1C", "S1D")

_FITTING = "EW GRDM products with HH fit: S1A_EW_GRDM_1SDH_..."
_RAW_SPACING_M = 40.0
_KINDS = ("product", "calibration", "noise")
_SAME = timedelta(seconds=1)  # slices of a data take start a minute apart
_NAME = re.compile(
    r"S1[A-D]_EW_GRDM_1[SA](SH|DH)_(\d{8}T\d{6})_\d{8}T\d{6}_\d{6}_[0-9A-F]{6}_[0-9A-F]{4}",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """Names of the files of one polarisation."""

    annotation: str
    calibration: str
    noise: str | None
    measurement: str


@dataclass(frozen=True, slots=True)
class Sentinel1Product:
    """An EW GRDM product that has been opened, but of which no pixel has been read."""

    files: ProductFiles

    parts: Mapping[str, Parts]
    """Files by polarisation, ``HH`` first, then perhaps ``HV``."""

    name: str
    """Name of the product, without ``.SAFE``: that of its folder or zip if it is one, else
    as ESA would name what is in it."""

    satellite: str
    """``S1A`` to ``S1D``."""

    ipf: str
    """Version of ESA's processor, as ``003.52``; empty without a manifest."""

    orbit: int
    """Absolute orbit number."""

    is_ascending: bool

    frame: Frame

    annotation: Annotation
    """Of HH."""

    incidence_angle: FloatArray
    """Degrees at the tie points, shape ``(line, sample)``."""

    height_m: FloatArray
    """Height of the tie points above the ellipsoid."""


def open_sentinel1(path: str | Path) -> Sentinel1Product:
    """Open a product, and read all but its pixels: about 0.1 s.

    Parameters
    ----------
    path
        A SAFE folder, a zip of one or of what is in it, or the manifest in it; names do
        not matter.

    Raises
    ------
    SceneError
        If it is not an EW GRDM product with HH; if a file is missing, damaged or of
        another product.
    """
    files = open_files(Path(path))
    manifest = None
    if files.manifest is not None:
        name = files.manifest
        manifest = read_manifest(files.read(name), files.errors_of(name))
    found = _sorted_files(files, manifest)
    first = _fitting(files, manifest, found)
    parts = {
        polarisation: _parts(files, found, polarisation, first)
        for polarisation in ("HH", "HV")
        if ("product", polarisation) in found
    }
    if manifest is not None and manifest.start is not None:
        _check_time(manifest.start, first.start, files, str(files.manifest))
    hh = parts["HH"].annotation
    annotation = read_annotation(files.read(hh), files.errors_of(hh))
    if annotation.spacing_m != _RAW_SPACING_M:
        raise files.error(
            f"is an EW GRD product of {annotation.spacing_m:g} m, not of 40 m (GRDM)",
            hint=_FITTING,
        )
    return Sentinel1Product(
        files=files,
        parts=parts,
        name=_product_name(files, manifest, first, parts),
        satellite=first.satellite,
        ipf=manifest.ipf if manifest else "",
        orbit=first.orbit,
        is_ascending=annotation.is_ascending,
        frame=_frame(annotation),
        annotation=annotation,
        incidence_angle=annotation.points.incidence_angle,
        height_m=annotation.points.height_m,
    )


def read_other_annotation(product: Sentinel1Product, polarisation: str) -> Annotation:
    """Read the annotation of another polarisation; it must have as many pixels as HH.

    Raises
    ------
    SceneError
        If it has another size, or cannot be read.
    """
    name = product.parts[polarisation].annotation
    error = product.files.errors_of(name)
    other, ours = read_annotation(product.files.read(name), error), product.annotation
    if (other.n_lines, other.n_samples) != (ours.n_lines, ours.n_samples):
        raise error(
            f"gives the image {other.n_lines} x {other.n_samples} pixels, "
            f"but HH has {ours.n_lines} x {ours.n_samples}"
        )
    return other


_Found = Mapping[tuple[str, str], list[tuple[str, Header]]]
"""Names and headers of XML files by their kind and polarisation."""


def _sorted_files(files: ProductFiles, manifest: Manifest | None) -> _Found:
    """Sort XML files by their content; of several of a kind, the manifest knows which."""
    found: dict[tuple[str, str], list[tuple[str, Header]]] = {}
    listed = set(manifest.files) if manifest else set()
    for name in files.with_suffix(".xml"):
        content, error = files.read(name), files.errors_of(name)
        kind = root_of(content, error)
        if kind in _KINDS:
            header = read_header(content, error)
            found.setdefault((kind, header.polarisation), []).append((name, header))
    for key, several in found.items():
        ours = [item for item in several if item[0] in listed]
        found[key] = ours or several
    return found


def _fitting(files: ProductFiles, manifest: Manifest | None, found: _Found) -> Header:
    """Return the header of HH; refuse what is not an EW GRD product with HH."""
    headers = {
        polarisation: several[0][1]
        for (kind, polarisation), several in found.items()
        if kind == "product"
    }
    if not headers:
        if manifest is not None and manifest.title:
            raise files.error(f"is a {manifest.title!r} without annotation", hint=_FITTING)
        raise files.error("is not a Sentinel-1 product: no annotation", hint=_FITTING)
    first = headers.get("HH", next(iter(headers.values())))
    if first.satellite not in SATELLITES:
        raise files.error(f"is of the satellite {first.satellite!r}", hint=_FITTING)
    if (first.mode, first.product_type) != ("EW", "GRD"):
        kind = f"{first.mode} {first.product_type}"
        raise files.error(f"is a product of the kind {kind!r}", hint=_FITTING)
    if "HH" not in headers:
        polarisations = " and ".join(sorted(headers))
        raise files.error(f"has {polarisations}, but not HH", hint=_FITTING)
    return first


def _parts(files: ProductFiles, found: _Found, polarisation: str, first: Header) -> Parts:
    names: dict[str, str | None] = {}
    for kind in _KINDS:
        several = found.get((kind, polarisation), [])
        if len(several) > 1:
            two = " and ".join(repr(name) for name, _ in several[:2])
            raise files.error(f"has more than one {kind!r} of {polarisation}: {two}")
        names[kind] = several[0][0] if several else None
        if several:
            _check_same(first, several[0][1], files, several[0][0])
    annotation, calibration = names["product"], names["calibration"]
    if annotation is None or calibration is None:
        raise files.error(
            f"no calibration of {polarisation}",
            hint="products have it in their folder annotation/calibration",
        )
    measurement = _measurement(files, annotation, polarisation)
    return Parts(annotation, calibration, names["noise"], measurement)


def _measurement(files: ProductFiles, annotation: str, polarisation: str) -> str:
    """Find the TIFF: it has the name of the annotation, or one with the polarisation."""
    tiffs = files.with_suffix(".tif", ".tiff")
    stem = PurePosixPath(annotation).stem.lower()
    named = [name for name in tiffs if PurePosixPath(name).stem.lower() == stem]
    if len(named) != 1:
        word = re.compile(rf"(?<![a-z]){polarisation.lower()}(?![a-z])")
        named = [name for name in tiffs if word.search(PurePosixPath(name).name.lower())]
    if len(named) == 1:
        return named[0]
    if named:
        raise files.error(
            f"has several TIFFs of {polarisation}: {named[0]!r}, {named[1]!r}"
        )
    raise files.error(
        f"no measurement of {polarisation}: no TIFF has the name of {annotation!r}",
        hint="products have one TIFF per polarisation in their folder measurement",
    )


def _check_same(first: Header, other: Header, files: ProductFiles, name: str) -> None:
    """Refuse a file of another product."""
    for what in ("satellite", "mode", "product_type", "orbit", "data_take"):
        ours, theirs = getattr(first, what), getattr(other, what)
        if ours != theirs:
            raise files.errors_of(name)(
                f"is of another product: its {what.replace('_', ' ')} is {theirs}, "
                f"that of HH {ours}"
            )
    _check_time(other.start, first.start, files, name)


def _check_time(theirs: datetime, ours: datetime, files: ProductFiles, name: str) -> None:
    if abs(theirs - ours) > _SAME:
        raise files.errors_of(name)(
            f"is of another product: it starts at {theirs:%Y-%m-%dT%H:%M:%S}, "
            f"HH at {ours:%Y-%m-%dT%H:%M:%S}"
        )


def _product_name(
    files: ProductFiles,
    manifest: Manifest | None,
    header: Header,
    parts: Mapping[str, Parts],
) -> str:
    start, stop = (f"{time:%Y%m%dT%H%M%S}" for time in (header.start, header.stop))
    for named in (files.root.name, files.path.absolute().name):
        match = _NAME.search(named)
        if match and match[2] == start and match[0].startswith(header.satellite):
            return match[0]
    kind = (
        f"1{manifest.product_class if manifest else 'S'}{'DH' if 'HV' in parts else 'SH'}"
    )
    take = f"{header.orbit:06d}_{header.data_take:06X}"
    name = f"{header.satellite}_EW_GRDM_{kind}_{start}_{stop}_{take}"
    return f"{name}_{manifest.checksum}" if manifest else name


def _frame(annotation: Annotation) -> Frame:
    points = annotation.points
    # An 80 m pixel covers two lines and samples of 40 m; its centre is between theirs.
    tie_points = TiePoints(
        latitude=points.latitude,
        longitude=wrapped(points.longitude),
        lines=(points.lines - 0.5) / 2,
        samples=(points.samples - 0.5) / 2,
    )
    grid = Grid(annotation.n_lines // 2, annotation.n_samples // 2, SPACING_M)
    return Frame(grid, tie_points, annotation.header.start, annotation.header.stop)
