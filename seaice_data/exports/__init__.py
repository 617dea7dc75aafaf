"""Patches of a store as files of other formats, for programs that do not read zarr."""
