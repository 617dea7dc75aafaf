"""How a store shows itself: as a table, as one tree of xarray, in notebooks, as figures."""
