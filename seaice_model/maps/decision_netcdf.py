"""The planes of a `Decision` in the netCDF file of a map, on dimensions of their own."""

from collections.abc import Mapping
from typing import Any, cast, get_args

import h5py
import numpy as np

from seaice_data.arrays import ChartArray, IntArray
from seaice_data.charts import CHARTS, Chart
from seaice_data.grid import Grid
from seaice_model.maps.attributes import (
    Uncertainty,
    entropy_name,
    probability_name,
    uncertainties,
)
from seaice_model.maps.decision import (
    CONCENTRATION,
    ENTROPY,
    PROBABILITY,
    SPREAD,
    UNKNOWN,
    Decision,
    SicBasis,
    check_bytes,
)
from seaice_model.maps.foreign_hdf5 import array, number, read_bytes, shown, text
from seaice_model.maps.geolocation_netcdf import check_axis, write_axis
from seaice_model.maps.netcdf_writer import (
    NewFile,
    add_dimensions,
    add_variable,
    set_attributes,
)

_MOST_NETWORKS = 10_000
_PLANE = ("store_y", "store_x")
_INDEX = {"store_row": "y", "store_column": "x"}
_AT_PIXELS = (
    "on the grid of the store; pixel (r, c) of the map has the value at "
    "[store_row[r], store_column[c]]"
)


def write_decision(file: NewFile, decision: Decision, grid: Grid) -> None:
    """Write the planes into a file that has the dimensions of the map, ``y`` and ``x``."""
    on_store = decision.concentration.shape
    add_dimensions(file, dict(zip(_PLANE, on_store, strict=True)))
    indices = (decision.rows, decision.columns)
    for name, n_store, positions in zip(_PLANE, on_store, indices, strict=True):
        # Blocks are equally long except the last, which represents the remainder too.
        n_pixels = np.count_nonzero(positions == 0) or len(positions) / n_store
        block_m, length_m = (n * grid.pixel_spacing_m for n in (n_pixels, len(positions)))
        write_axis(file, name, n_store, block_m, length_m)
    for name, positions in zip(_INDEX, indices, strict=True):
        axis = _INDEX[name]
        text = f"index along store_{axis} that stands for each pixel along {axis}"
        add_variable(
            file, name, (axis,), positions.astype(np.int32), {"long_name": text}, level=4
        )
    set_attributes(file, {"n_networks": np.int32(decision.n_networks)})
    if decision.sic_basis is not None:
        set_attributes(file, {"sic_basis": decision.sic_basis})
    for chart, plane in zip(CHARTS, decision.classes, strict=True):
        attributes = {**_class_attributes(chart), "comment": _AT_PIXELS}
        add_variable(file, _class_name(chart), _PLANE, plane, attributes, level=4)
    for found in uncertainties(decision):
        _write_steps(file, found, found.codes, _PLANE, {"comment": _AT_PIXELS})


def write_uncertainty(file: NewFile, decision: Decision, links: Mapping[str, str]) -> None:
    """Write uncertainty at every pixel of the map; `links` name the coordinates."""
    for found in uncertainties(decision):
        codes = found.codes[..., decision.rows, :][..., decision.columns]
        _write_steps(file, found, codes, ("y", "x"), links)


def read_decision(file: h5py.File, shape: tuple[int, int]) -> Decision | None:
    """Read the planes; None if there are none.

    Parameters
    ----------
    file
        A map.
    shape
        Height and width of the map.

    Raises
    ------
    ValueError
        If planes do not fit together or contain values that are not a class.
    """
    if "concentration" not in file:
        return None
    concentration = array(file, "concentration", 2)
    on_store = concentration.shape
    if any(n_store > n for n_store, n in zip(on_store, shape, strict=True)):
        raise ValueError(f"concentration has shape {on_store}, its map {shape}")
    for name, n_store in zip(_PLANE, on_store, strict=True):
        check_axis(file, name, n_store)
    rows, columns = (
        array(file, name, (n_pixels,), "iu")[...].astype(np.int64)
        for name, n_pixels in zip(_INDEX, shape, strict=True)
    )
    decision = Decision(
        classes=np.stack(
            [read_bytes(array(file, _class_name(chart), on_store)) for chart in CHARTS]
        ),
        concentration=read_bytes(concentration, CONCENTRATION.step),
        entropy=np.stack(
            [
                read_bytes(array(file, entropy_name(chart), on_store), ENTROPY.step)
                for chart in CHARTS
            ]
        ),
        spread=read_bytes(array(file, "concentration_spread", on_store), SPREAD.step)
        if "concentration_spread" in file
        else None,
        probabilities=_read_probabilities(file, on_store),
        n_networks=int(number(file.attrs, "n_networks", 1, _MOST_NETWORKS)),
        sic_basis=_sic_basis(file),
        rows=rows,
        columns=columns,
    )
    check_decision(decision, shape)
    return decision


def check_decision(decision: Decision, shape: tuple[int, int]) -> None:
    """Reject planes of another shape or type, and values that are not a class.

    Parameters
    ----------
    decision
        Before it is written, or after it was read.
    shape
        Height and width of the map.

    Raises
    ------
    ValueError
        If one of them is wrong; the message says what.
    """
    on_store = np.shape(decision.concentration)
    if len(on_store) != 2:
        raise ValueError(f"concentration must have shape (y, x), got {on_store}")
    per_chart = (len(CHARTS), *on_store)
    check_bytes("concentration", decision.concentration, on_store)
    check_bytes("classes before masks", decision.classes, per_chart)
    check_bytes("entropy", decision.entropy, per_chart)
    if decision.spread is not None:
        check_bytes("spread", decision.spread, on_store)
    n_classes = {chart.name: chart.n_classes for chart in CHARTS}
    for name, planes in (decision.probabilities or {}).items():
        if name not in n_classes:
            raise ValueError(f"probabilities are of an unknown chart, {name!r}")
        check_bytes(f"probabilities of {name}", planes, (n_classes[name], *on_store))
    for chart, plane in zip(CHARTS, decision.classes, strict=True):
        if plane.max() >= chart.n_classes:
            raise ValueError(f"{chart.name} has no class {plane.max()} before masks")
    for name, positions, n_pixels, n_store in zip(
        _INDEX, (decision.rows, decision.columns), shape, on_store, strict=True
    ):
        _check_index(name, positions, n_pixels, n_store)


def _sic_basis(file: h5py.File) -> SicBasis | None:
    if "sic_basis" not in file.attrs:  # version 0.1, or no uncertainty
        return None
    found = text(file.attrs, "sic_basis")
    for basis in get_args(SicBasis):
        if found == basis:
            return cast("SicBasis", basis)
    raise ValueError(
        f"attribute 'sic_basis' must be votes or probabilities, got {shown(found)!r}"
    )


def holds_probabilities(file: h5py.File) -> bool:
    """Return whether a map contains class probabilities of any chart."""
    return any(probability_name(chart) in file for chart in CHARTS)


def _write_steps(
    file: NewFile,
    found: Uncertainty,
    codes: ChartArray,
    dimensions: tuple[str, str],
    links: Mapping[str, str],
) -> None:
    """Write planes that CF-aware software turns into numbers and NaN."""
    if found.chart is not None:
        _write_classes(file, found.chart, str(found.class_axis))
    leading = (found.class_axis,) if found.class_axis else ()
    scale = {"scale_factor": np.float32(found.steps.step)}
    add_variable(
        file, found.name, (*leading, *dimensions), codes,
        {**found.attributes, **scale, **links}, level=4, fill=UNKNOWN,
    )  # fmt: skip


def _write_classes(file: NewFile, chart: Chart, dimension: str) -> None:
    """Write the classes of a chart as a dimension with coordinates."""
    add_dimensions(file, {dimension: chart.n_classes})
    numbers = np.arange(chart.n_classes, dtype=np.uint8)
    attributes = {**chart.cf_attributes(), "long_name": f"class of {chart.long_name}"}
    add_variable(file, dimension, (dimension,), numbers, attributes)


def _class_attributes(chart: Chart) -> dict[str, Any]:
    return {**chart.cf_attributes(), "long_name": f"{chart.long_name} before masks"}


def _class_name(chart: Chart) -> str:
    return f"class_{chart.name.lower()}"


def _check_index(name: str, positions: IntArray, n_pixels: int, n_store: int) -> None:
    is_whole = isinstance(positions, np.ndarray) and positions.dtype.kind in "iu"
    is_one_a_pixel = is_whole and positions.shape == (n_pixels,)
    if not is_one_a_pixel or positions.min() < 0 or positions.max() >= n_store:
        raise ValueError(f"{name!r} is not an index from the map to the grid of the store")


def _read_probabilities(
    file: h5py.File, on_store: tuple[int, ...]
) -> dict[str, ChartArray] | None:
    found = {
        chart.name: read_bytes(
            array(file, probability_name(chart), (chart.n_classes, *on_store)),
            PROBABILITY.step,
        )
        for chart in CHARTS
        if probability_name(chart) in file
    }
    return found or None
