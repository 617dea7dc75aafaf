"""Polygons of a chart as regions of patches, with the shares of ice types in each.

Charts leave polygons without a class that mix ice types; their egg codes still say how much
there is of each type.
"""

from seaice_data.charts import FLOE, SOD

MOST_REGIONS = 32
"""Regions of a patch at most: the polygons with the most pixels in it."""

N_SHARES = SOD.n_classes + FLOE.n_classes
"""Columns of shares: the classes of SOD, then those of FLOE."""
