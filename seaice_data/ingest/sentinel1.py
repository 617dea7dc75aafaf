"""Read Sentinel-1 products: EW GRDM, HH with or without HV, calibrated, at 80 m.

- ``find_products`` lists the products in a folder;
- ``open_sentinel1`` reads everything but the pixels: which product it is, where and when;
- ``read_sentinel1`` removes noise, calibrates, and averages 2 x 2 pixels of 40 m.

Noise is subtracted from the power of each 40 m pixel, and the results are averaged as they
are: dark pixels often have less power than the noise that is subtracted, and clipping them
would brighten the mean. Sigma nought is ``(DN^2 - noise) / sigmaNought^2``, noise the
product of the tables along range and azimuth (S1-RS-MDA-52-7441; MPC-0392).

There is no SAR in an 80 m pixel if one of its four 40 m pixels has the value 0 in one of
the polarisations, or is outside of the sub-swaths (slices end in steps). Versions of ESA's
processor before 2.9 leave weak artefacts at the edges: there, pixels are masked from each
edge inwards up to the first one whose HH power is at least half of the noise.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.conventions import DENOISINGS
from seaice_data.errors import SceneError, SettingsError
from seaice_data.grid import row_bands
from seaice_data.ingest.parts import Backscatter
from seaice_data.ingest.sentinel.annotation import SwathBlock, read_calibration, read_noise
from seaice_data.ingest.sentinel.lookup_tables import (
    BlockNoise,
    Table,
    block_noise,
    clipped_blocks,
    early_units,
    full_table,
)
from seaice_data.ingest.sentinel.measurement import Measurement, open_measurement
from seaice_data.ingest.sentinel.nersc import nersc_noise
from seaice_data.ingest.sentinel.pixels import (
    average_fours,
    calibrate,
    find_signal,
    mask_borders,
    share_missing,
)
from seaice_data.ingest.sentinel.product import (
    Sentinel1Product,
    open_sentinel1,
    read_other_annotation,
)
from seaice_data.ingest.sentinel.safe import find_products
from seaice_data.settings import nearest

__all__ = [
    "Sentinel1Product",
    "find_products",
    "open_sentinel1",
    "read_product",
    "read_sentinel1",
]

_BAND = 64  # lines of 40 m at a time: 2.7 MB, which stay in the processor's cache
_FIRST_CLEAN_IPF = 2.9
_FIRST_KNOWN_UNIT_IPF = 2.34


def read_sentinel1(path: str | Path, denoise: str = "esa") -> Backscatter:
    """Read a product: remove noise, calibrate, and average to 80 m.

    Parameters
    ----------
    path
        A SAFE folder, or a zip of one; names do not matter.
    denoise
        ``esa`` subtracts the noise that ESA annotates; ``nersc`` scales and shifts that of
        HV per sub-swath with the coefficients of NERSC (HH as ``esa``; also HV of S1C and
        S1D, for which there are none); ``none`` leaves the noise in.

    Returns
    -------
    Backscatter
        Linear sigma nought; NaN where there is no SAR, 0 or below where more noise was
        subtracted than there was power.

    Raises
    ------
    SettingsError
        If there is no such `denoise`.
    SceneError
        If it is not an EW GRDM product with HH, if something is missing, damaged, or of
        another product.
    """
    _check_denoise(denoise)
    return read_product(open_sentinel1(path), denoise)


def read_product(product: Sentinel1Product, denoise: str = "esa") -> Backscatter:
    """Read a product that has been opened; see `read_sentinel1`."""
    _check_denoise(denoise)
    removals, note = _removals(product, denoise)
    edges = _Edges(product) if _has_border_noise(product) else None
    planes: dict[str, FloatArray] = {}
    for polarisation, removal in removals.items():
        is_first = polarisation == "HH"
        planes[polarisation.lower()] = _read_plane(
            product, polarisation, removal, edges if is_first else None
        )
    if edges is not None and edges.were_sought:
        mask_borders(edges.of_rows, edges.of_columns, planes["hh"])
        note = _joined(note, "artefacts at the edges are masked")
    elif edges is not None:
        note = _joined(note, "artefacts at the edges are left, as no noise tells them")
    if "hv" in planes:
        share_missing(planes["hh"], planes["hv"])
    return Backscatter(
        frame=product.frame,
        sigma0=planes,
        incidence_angle=product.incidence_angle,
        height_m=product.height_m,
        product=product.name,
        satellite=product.satellite,
        ipf=product.ipf,
        orbit=product.orbit,
        is_ascending=product.is_ascending,
        denoising={p.lower(): removal.method for p, removal in removals.items()},
        denoising_note=note,
    )


@dataclass(frozen=True, slots=True)
class _Removal:
    """How noise is removed from one polarisation."""

    method: str
    scale: Mapping[str, float] = field(default_factory=dict)
    offset: Mapping[str, float] = field(default_factory=dict)


class _Edges:
    """First and last pixel with signal of the rows and columns of the 40 m grid."""

    def __init__(self, product: Sentinel1Product) -> None:
        n_lines, n_samples = product.annotation.n_lines, product.annotation.n_samples
        self.of_rows = _no_signal(n_lines, n_samples)
        self.of_columns = _no_signal(n_samples, n_lines)
        self.were_sought = False


def _no_signal(n: int, beyond: int) -> IntArray:
    return np.array([np.full(n, beyond), np.full(n, -1)])


def _check_denoise(denoise: str) -> None:
    if denoise not in DENOISINGS:
        raise SettingsError(f"no denoising {denoise!r}", hint=nearest(denoise, DENOISINGS))


def _removals(product: Sentinel1Product, denoise: str) -> tuple[dict[str, _Removal], str]:
    """Return how noise is removed from each polarisation, and what to know about it."""
    if denoise == "none":
        return {p: _Removal("none") for p in product.parts}, ""
    removals = {p: _Removal("esa") for p in product.parts}
    if denoise == "esa" or "HV" not in removals:
        return removals, ""
    if not product.ipf:
        raise product.files.error(
            "no manifest says by which version of the processor it was made, which "
            "decides NERSC's coefficients",
            hint="`--denoise esa` works without",
        )
    satellite, acquired = product.satellite, product.frame.acquired
    found = nersc_noise(satellite, product.ipf, acquired)
    if found is None:
        return (
            removals,
            f"NERSC has no coefficients for {satellite}: HV as annotated by ESA",
        )
    removals["HV"] = _Removal("nersc", found.scale, found.offset)
    note = f"HV with NERSC's coefficients for {satellite} and IPF {found.version}"
    if not found.is_exact:
        note += f", the nearest to {product.ipf}, for which there are none"
    return removals, note


def _has_border_noise(product: Sentinel1Product) -> bool:
    return bool(product.ipf) and float(product.ipf) < _FIRST_CLEAN_IPF


def _read_plane(
    product: Sentinel1Product, polarisation: str, removal: _Removal, edges: _Edges | None
) -> FloatArray:
    """Return sigma nought of one polarisation at 80 m; look for edges in it if asked."""
    files, parts = product.files, product.parts[polarisation]
    annotation = product.annotation
    if polarisation != "HH":
        annotation = read_other_annotation(product, polarisation)
    shape = annotation.n_lines, annotation.n_samples
    blocks = clipped_blocks(annotation.blocks, *shape)
    if annotation.noise_was_removed and removal.method != "none":
        raise files.errors_of(parts.annotation)(
            "says that noise was removed already",
            hint="`--denoise none` does not remove it twice",
        )
    vectors, dn = read_calibration(
        files.read(parts.calibration), files.errors_of(parts.calibration)
    )
    noise = None
    if removal.method != "none":
        noise = _noise_of(product, polarisation, blocks, dn)
    elif edges is not None:  # edges are found by their noise, but can stay
        with suppress(SceneError):
            noise = _noise_of(product, polarisation, blocks, dn)
    plane = np.empty(product.frame.grid.shape, np.float32)
    with open_measurement(files, parts.measurement, shape) as measurement:
        _fill(
            plane, measurement, blocks, full_table(vectors, shape[1]), noise, removal, edges
        )
    return plane


def _noise_of(
    product: Sentinel1Product, polarisation: str, blocks: Sequence[SwathBlock], dn: float
) -> tuple[BlockNoise, ...]:
    files, name = product.files, product.parts[polarisation].noise
    if name is None:
        raise files.error(
            f"no noise annotation of {polarisation}",
            hint="`--denoise none` leaves the noise in",
        )
    error = files.errors_of(name)
    noise = read_noise(files.read(name), error)
    units = early_units(noise, dn)
    if units is not None and not (
        np.isfinite(dn) and float(product.ipf or 0) >= _FIRST_KNOWN_UNIT_IPF
    ):
        raise error(
            "has noise in an unknown unit: all values are below 1",
            hint="`--denoise none` leaves the noise in",
        )
    return block_noise(noise, blocks, error, units)


def _fill(
    plane: FloatArray,
    measurement: Measurement,
    blocks: Sequence[SwathBlock],
    gain: Table,
    noise: Sequence[BlockNoise] | None,
    removal: _Removal,
    edges: _Edges | None,
) -> None:
    """Fill a plane of 80 m pixels band by band."""
    n_samples = gain.rows.shape[1]
    fine = np.empty((_BAND, n_samples), np.float32)
    for band in row_bands(2 * len(plane), _BAND):
        numbers = measurement.rows(band.start, band.stop)
        sigma0 = fine[: len(numbers)]
        sigma0[:] = np.nan
        for k, block in enumerate(blocks):
            first = max(block.first_line, band.start)
            lines = np.arange(first, min(block.last_line + 1, band.stop))
            if not len(lines):
                continue
            rows = slice(first - band.start, first - band.start + len(lines))
            columns = slice(block.first_sample, block.last_sample + 1)
            of_block = noise[k] if noise else _silence(block)
            table, factor = of_block.table, of_block.factors[lines - block.first_line]
            before, weight = table.between(lines)
            if edges is not None and noise:
                edges.were_sought = True
                find_signal(
                    numbers[rows, columns], table.rows, before, weight, factor,
                    first, block.first_sample, edges.of_rows, edges.of_columns,
                )  # fmt: skip
            scale = removal.scale.get(block.swath, 0.0 if removal.method == "none" else 1.0)
            gain_before, gain_weight = gain.between(lines)
            calibrate(
                numbers[rows, columns], gain.rows[:, columns], gain_before, gain_weight,
                table.rows, before, weight, factor * np.float32(scale),
                np.float32(removal.offset.get(block.swath, 0.0)), sigma0[rows, columns],
            )  # fmt: skip
        average_fours(sigma0, plane[band.start // 2 : band.stop // 2])


def _silence(block: SwathBlock) -> BlockNoise:
    """Return no noise at all."""
    rows = np.zeros((2, block.last_sample - block.first_sample + 1), np.float32)
    n_lines = block.last_line - block.first_line + 1
    return BlockNoise(
        block, Table(rows, np.array([0.0, 1.0])), np.ones(n_lines, np.float32)
    )


def _joined(note: str, more: str) -> str:
    return f"{note}; {more}" if note else more
