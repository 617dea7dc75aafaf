"""The planes of a `Decision` in the netCDF file of a map, on dimensions of their own."""

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from seaice_data.arrays import ChartArray, IntArray
from seaice_data.charts import CHARTS, SIC, Chart
from seaice_model.maps.decision import (
    CONCENTRATION,
    ENTROPY,
    PROBABILITY,
    SPREAD,
    UNKNOWN,
    Decision,
    Steps,
    check_bytes,
)
from seaice_model.maps.foreign_hdf5 import array, number
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


def write_decision(file: NewFile, decision: Decision) -> None:
    """Write the planes into a file that has the dimensions of the map, ``y`` and ``x``."""
    add_dimensions(file, dict(zip(_PLANE, decision.concentration.shape, strict=True)))
    for name, positions in zip(_INDEX, (decision.rows, decision.columns), strict=True):
        axis = _INDEX[name]
        text = f"index along store_{axis} that stands for each pixel along {axis}"
        add_variable(
            file, name, (axis,), positions.astype(np.int32), {"long_name": text}, level=4
        )
    set_attributes(file, {"n_networks": np.int32(decision.n_networks)})
    for chart, plane in zip(CHARTS, decision.classes, strict=True):
        _write(file, _class_name(chart), plane, _class_attributes(chart))
    _write_steps(
        file, "concentration", decision.concentration, CONCENTRATION,
        {
            "standard_name": str(SIC.standard_name),
            "long_name": "sea ice concentration before it becomes a class",
            "units": "%",
        },
    )  # fmt: skip
    if decision.spread is not None:
        _write_steps(
            file, "concentration_spread", decision.spread, SPREAD,
            {
                "standard_name": f"{SIC.standard_name} standard_error",
                "long_name": "standard deviation of the sea ice concentration",
                "units": "%",
            },
        )  # fmt: skip
    for chart, plane in zip(CHARTS, decision.entropy, strict=True):
        _write_steps(file, _entropy_name(chart), plane, ENTROPY, _entropy_attributes(chart))
    for chart in CHARTS:
        if decision.probabilities and chart.name in decision.probabilities:
            _write_probabilities(file, chart, decision.probabilities[chart.name])


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
    rows, columns = (
        array(file, name, (n_pixels,), "iu")[...].astype(np.int64)
        for name, n_pixels in zip(_INDEX, shape, strict=True)
    )
    decision = Decision(
        classes=np.stack([array(file, _class_name(c), on_store)[...] for c in CHARTS]),
        concentration=concentration[...],
        entropy=np.stack([array(file, _entropy_name(c), on_store)[...] for c in CHARTS]),
        spread=array(file, "concentration_spread", on_store)[...]
        if "concentration_spread" in file
        else None,
        probabilities=_read_probabilities(file, on_store),
        n_networks=int(number(file.attrs, "n_networks", 1, _MOST_NETWORKS)),
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


def holds_probabilities(file: h5py.File) -> bool:
    """Return whether a map contains class probabilities of any chart."""
    return any(_probability_name(chart) in file for chart in CHARTS)


def _write(
    file: NewFile,
    name: str,
    plane: ChartArray,
    attributes: Mapping[str, Any],
    dimensions: tuple[str, ...] = _PLANE,
    fill: int | None = None,
) -> None:
    commented = {**attributes, "comment": _AT_PIXELS}
    add_variable(file, name, dimensions, plane, commented, level=4, fill=fill)


def _write_steps(
    file: NewFile,
    name: str,
    plane: ChartArray,
    steps: Steps,
    attributes: Mapping[str, Any],
    dimensions: tuple[str, ...] = _PLANE,
) -> None:
    """Write a plane that CF-aware software turns into numbers and NaN."""
    scaled = {**attributes, "scale_factor": np.float32(steps.step)}
    _write(file, name, plane, scaled, dimensions, UNKNOWN)


def _write_probabilities(file: NewFile, chart: Chart, planes: ChartArray) -> None:
    dimension = f"{chart.name.lower()}_class"
    add_dimensions(file, {dimension: chart.n_classes})
    numbers = np.arange(chart.n_classes, dtype=np.uint8)
    attributes = {**chart.cf_attributes(), "long_name": f"class of {chart.long_name}"}
    add_variable(file, dimension, (dimension,), numbers, attributes)
    attributes = {"long_name": f"probability of each class of {chart.long_name}"}
    _write_steps(
        file, _probability_name(chart), planes, PROBABILITY,
        {**attributes, "units": "1"}, (dimension, *_PLANE),
    )  # fmt: skip


def _class_attributes(chart: Chart) -> dict[str, Any]:
    return {**chart.cf_attributes(), "long_name": f"{chart.long_name} before masks"}


def _entropy_attributes(chart: Chart) -> dict[str, Any]:
    return {
        "long_name": f"entropy of the class probabilities of {chart.long_name}, "
        "0 sure to 1 undecided",
        "units": "1",
    }


def _class_name(chart: Chart) -> str:
    return f"class_{chart.name.lower()}"


def _entropy_name(chart: Chart) -> str:
    return f"entropy_{chart.name.lower()}"


def _probability_name(chart: Chart) -> str:
    return f"probability_{chart.name.lower()}"


def _check_index(name: str, positions: IntArray, n_pixels: int, n_store: int) -> None:
    is_whole = isinstance(positions, np.ndarray) and positions.dtype.kind in "iu"
    is_one_a_pixel = is_whole and positions.shape == (n_pixels,)
    if not is_one_a_pixel or positions.min() < 0 or positions.max() >= n_store:
        raise ValueError(f"{name!r} is not an index from the map to the grid of the store")


def _read_probabilities(
    file: h5py.File, on_store: tuple[int, ...]
) -> dict[str, ChartArray] | None:
    found = {
        chart.name: array(file, _probability_name(chart), (chart.n_classes, *on_store))[...]
        for chart in CHARTS
        if _probability_name(chart) in file
    }
    return found or None
