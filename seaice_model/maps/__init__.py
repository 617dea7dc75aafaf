"""Chart maps: placed on the grid of their scenes, written and read as netCDF."""
