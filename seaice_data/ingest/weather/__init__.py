"""Weather of analyses: files, grids, fields."""
