"""Colours of figures, pages and GeoTIFF files, and how figures are saved.

Colours follow the charts of the World Meteorological Organization (WMO No. 1215) where
readers with colour-blindness can tell them apart: concentration goes from blue to dark
red without the green in between, ice types differ in lightness too.
"""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from seaice_data.charts import FLOE, SIC, SOD
from seaice_data.system.files import replacing

if TYPE_CHECKING:  # GeoTIFF needs the colours alone
    from matplotlib.figure import Figure

COLOURS = {
    SIC.name: (
        "#8fc7f0", "#b6def2", "#d8eef0", "#f4f6d0", "#fbeb9c", "#fdd56a",
        "#fcb34a", "#f78a35", "#e85d2a", "#c5301f", "#7d0f17",
    ),
    SOD.name: ("#8fc7f0", "#ffd6ee", "#9b4fc8", "#d5ea62", "#2f9e4f", "#7a2a12"),
    FLOE.name: (
        "#8fc7f0", "#fff6bf", "#f9cf57", "#ee8f3f", "#c9446a", "#74227a", "#1f0733",
    ),
}  # fmt: skip
"""Colour of each class, by chart; open water is light blue, no data stays white."""


def save_plot(figure: "Figure", path: Path) -> None:
    """Write a figure; a file at `path` stays until the new one is complete."""
    with replacing(path) as new:
        # `seaice_data.system.ownership` recognises the file by this mark.
        figure.savefig(new, dpi=110, metadata={"Software": f"seaice {version('seaice')}"})
