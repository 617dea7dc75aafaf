"""The product: a zarr hierarchy of prepared scenes."""
