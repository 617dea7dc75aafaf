"""Files of polygons: charts and coasts."""
