"""Colours of figures, pages and GeoTIFF files; how figures are plotted and saved.

Colours follow the charts of the World Meteorological Organization (WMO No. 1215) where
readers with colour-blindness can tell them apart: concentration goes from blue to dark
red without the green in between, ice types differ in lightness too. The colours of WMO are
in `seaice_data.colours`.
"""

from seaice_data.charts import FLOE, SIC, SOD
from seaice_data.colours import FLOE_COLOURS
from seaice_data.system.figures import as_png as as_png
from seaice_data.system.figures import drawing as drawing
from seaice_data.system.figures import new_figure as new_figure
from seaice_data.system.figures import plot_errors as plot_errors
from seaice_data.system.figures import save_plot as save_plot

COLOURS = {
    SIC.name: (
        "#8fc7f0", "#b6def2", "#d8eef0", "#f4f6d0", "#fbeb9c", "#fdd56a",
        "#fcb34a", "#f78a35", "#e85d2a", "#c5301f", "#7d0f17",
    ),
    SOD.name: ("#8fc7f0", "#ffd6ee", "#9b4fc8", "#d5ea62", "#2f9e4f", "#7a2a12"),
    FLOE.name: ("#8fc7f0", *FLOE_COLOURS),
}  # fmt: skip
"""Colour of each class, by chart; open water is light blue, no data stays white."""
