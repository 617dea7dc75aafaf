"""Attributes of a map and its planes by the CF conventions, in files and in datasets."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray
from seaice_data.channels import DISPENSABLE
from seaice_data.charts import CHARTS, SIC, Chart
from seaice_data.conventions import CONVENTIONS
from seaice_data.flags import FLAG_BELOW_NOISE, FLAG_LAND, FLAG_NO_SAR, FLAG_REMAINDER
from seaice_data.store.origin import Origin
from seaice_data.system.ownership import CHARTED_TITLE, PREDICTED_TITLE
from seaice_model.maps.chart_map import U_NET, ChartMap, Provenance
from seaice_model.maps.decision import (
    CONCENTRATION,
    ENTROPY,
    PROBABILITY,
    SPREAD,
    Decision,
    Steps,
)

_FLAGS = {
    "no_sar": FLAG_NO_SAR,
    "land": FLAG_LAND,
    "beyond_last_block": FLAG_REMAINDER,
    "below_noise": FLAG_BELOW_NOISE,
}


def global_attributes(chart_map: ChartMap) -> dict[str, Any]:
    """Return the attributes of a map: what it shows, and what it was made from."""
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    provenance = chart_map.provenance
    if chart_map.charted_by:
        said = _charted_attributes(chart_map)
        history = f"{made} {provenance.software}: charts on the grid of the scene"
        return {"Conventions": CONVENTIONS, **said, "history": history}
    made_by = provenance.network
    if provenance.run not in ("", made_by):
        made_by += f", run {provenance.run_in_words}"
    texts = asdict(provenance)
    if not provenance.flips:
        del texts["flips"]
    paper = {"references": "Chen et al. (2024), doi:10.5194/tc-18-1621-2024"}
    return {
        "Conventions": CONVENTIONS,
        "title": f"Predicted ice charts of Sentinel-1 scene {chart_map.scene}",
        "source": _source(provenance),
        **(paper if provenance.network == U_NET else {}),
        "comment": "Not an official ice chart. Classes are decided on the grid of the "
        "store and brought to the SAR grid by nearest neighbour.",
        "history": f"{made} {provenance.software}: predicted by {made_by}",
        "scene": str(chart_map.scene),
        "acquired": chart_map.acquired.isoformat(),
        "grid_name": chart_map.grid_name,
        "pixel_spacing_m": chart_map.grid.pixel_spacing_m,
        **texts,
        "epochs": np.array(provenance.epochs, np.int32),
    }


def _source(provenance: Provenance) -> str:
    """Return what the map was predicted from; AI4Arctic is named if it was."""
    absent = provenance.drawn_without.split(", ")
    present = [group.upper() for group in DISPENSABLE if group not in absent]
    listed = f" with {' and '.join(present)}" if present else ""
    if Origin(version=provenance.file_version).is_ai4arctic:
        whole = len(present) == len(DISPENSABLE)
        with_some = " with ancillary" if whole else listed
        return f"{provenance.network} on a Sentinel-1 EW scene{with_some} (AI4Arctic)"
    product = provenance.original_name
    return f"{provenance.network} on the Sentinel-1 EW product {product}{listed}"


def text_attributes(chart_map: ChartMap) -> dict[str, str]:
    """Return attributes of a map for formats that contain only text; none is empty."""
    provenance = chart_map.provenance
    if chart_map.charted_by:
        return _charted_attributes(chart_map)
    found = {
        "title": f"{PREDICTED_TITLE} {chart_map.scene}",
        "acquired": chart_map.acquired.astimezone(UTC).isoformat(),
        "source": _source(provenance),
        "network": provenance.network,
        "run": provenance.run,
        "weights": provenance.weights,
        "software": provenance.software,
        "original_name": provenance.original_name,
        "denoising": provenance.denoising,
        "trained_on_denoising": provenance.trained_on_denoising,
        "drawn_without": provenance.drawn_without,
        "flips": provenance.flips,
        "comment": "Not an official ice chart",
    }
    return {name: said for name, said in found.items() if said}


def _charted_attributes(chart_map: ChartMap) -> dict[str, str]:
    """Return the same for charts of an ice service."""
    provenance = chart_map.provenance
    found = {
        "title": f"{CHARTED_TITLE} {chart_map.scene}",
        "acquired": chart_map.acquired.astimezone(UTC).isoformat(),
        "source": f"ice chart of the service {chart_map.charted_by!r}, on the pixels of "
        "the scene",
        "software": provenance.software,
        "original_name": provenance.original_name,
        "comment": "Not an official ice chart: made from the pixels of one, by other "
        "software than that of the service",
    }
    return {name: said for name, said in found.items() if said}


def sic_attributes() -> dict[str, Any]:
    """Return the attributes of SIC in percent."""
    return {
        "standard_name": str(SIC.standard_name),
        "long_name": SIC.long_name,
        "units": "%",
        "ancillary_variables": "status_flag",
    }


def class_attributes(chart: Chart, fill: str | None = None) -> dict[str, Any]:
    """Return the attributes of a plane of classes; `fill` is the meaning of 255, if any."""
    attributes = chart.cf_attributes(fill)
    attributes["ancillary_variables"] = "status_flag"
    if chart.standard_name is not None:
        attributes["standard_name"] = chart.standard_name
    return attributes


def flag_names() -> Mapping[str, int]:
    """Return the bits of the flags by name."""
    return _FLAGS


def status_attributes() -> dict[str, Any]:
    """Return the attributes of the flags."""
    return {
        "standard_name": "status_flag",
        "long_name": "why a pixel has no class, or one to be used with care",
        "comment": "no_sar: no backscatter, or masked: outside the swath, in an AI4Arctic "
        "file with an ice chart outside the chart, in an own scene on land; land: distance "
        "zone 0; beyond_last_block: the class is that of the neighbour; below_noise: HH or "
        "HV is not above the noise, which is usual over calm water",
        "flag_masks": np.array(list(_FLAGS.values()), np.uint8),
        "flag_meanings": " ".join(_FLAGS),
    }


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Planes of a `Decision` with its uncertainty, as they are stored."""

    name: str
    """Name of the variable."""

    codes: ChartArray
    """Bytes on the grid of the store, shape ``(y, x)`` or ``(class, y, x)``."""

    steps: Steps
    """What the bytes stand for."""

    attributes: dict[str, Any]
    """Attributes of the numbers."""

    chart: Chart | None = None
    """The chart whose classes the first axis has, if there are three axes."""

    @property
    def class_axis(self) -> str | None:
        """Name of the axis of classes."""
        return None if self.chart is None else f"{self.chart.name.lower()}_class"


def uncertainties(decision: Decision) -> Iterator[Uncertainty]:
    """Yield the planes that a decision has."""
    yield Uncertainty(
        "concentration", decision.concentration, CONCENTRATION,
        {
            "standard_name": str(SIC.standard_name),
            "long_name": "sea ice concentration before it becomes a class",
            "units": "%",
        },
    )  # fmt: skip
    if decision.spread is not None:
        yield Uncertainty(
            "concentration_spread", decision.spread, SPREAD,
            {
                "standard_name": f"{SIC.standard_name} standard_error",
                "long_name": "standard deviation of the sea ice concentration",
                "units": "%",
            },
        )  # fmt: skip
    for chart, plane in zip(CHARTS, decision.entropy, strict=True):
        attributes = {"long_name": _entropy_in_words(chart, decision), "units": "1"}
        yield Uncertainty(entropy_name(chart), plane, ENTROPY, attributes)
    for chart in CHARTS:
        if decision.probabilities and chart.name in decision.probabilities:
            yield Uncertainty(
                probability_name(chart), decision.probabilities[chart.name], PROBABILITY,
                {
                    "long_name": f"probability of each class of {chart.long_name}",
                    "units": "1",
                },
                chart,
            )  # fmt: skip


def _entropy_in_words(chart: Chart, decision: Decision) -> str:
    if chart is SIC and decision.sic_basis == "votes":
        n_different = min(decision.n_networks, chart.n_classes)
        highest = math.log(n_different) / math.log(chart.n_classes)
        return (
            f"entropy of the votes of {decision.n_networks} networks for classes of "
            f"{chart.long_name}, 0 if all agree, {highest:.2f} if they differ as much as "
            "they can"
        )
    return f"entropy of the class probabilities of {chart.long_name}, 0 sure to 1 undecided"


def entropy_name(chart: Chart) -> str:
    """Return the name of the variable for the entropy of a chart."""
    return f"entropy_{chart.name.lower()}"


def probability_name(chart: Chart) -> str:
    """Return the name of the variable for the class probabilities of a chart."""
    return f"probability_{chart.name.lower()}"
