"""Maps in other formats: GeoTIFF, polygons, submission."""
