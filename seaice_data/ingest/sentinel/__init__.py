"""Sentinel-1 products: files, tables, pixels."""
