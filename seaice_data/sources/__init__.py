"""Scenes from netCDF files or from a store, in the same form."""
