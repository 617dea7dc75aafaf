"""AMSR2 swaths: files, footprints."""
