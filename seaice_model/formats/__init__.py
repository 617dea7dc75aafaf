"""Maps in the formats of others: GeoTIFF, polygons, submission."""
