"""The coast, and distances to it."""
