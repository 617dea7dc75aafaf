"""What belongs to the product of a few pixels in `tiny_product`: coasts and charts."""

from pathlib import Path

import geopandas
import shapely
from shapely.geometry.base import BaseGeometry

ELSEWHERE = shapely.box(-60.5, 69.5, -60, 70)
_LAND = shapely.box(100.005, 79.98, 100.2, 79.995)
_ALL = shapely.box(99, 79, 101, 81)


def write_coast(path: Path, land: BaseGeometry = _LAND) -> Path:
    """Write a coast; its land is in the lower right of the product."""
    geopandas.GeoDataFrame(geometry=[land], crs=4326).to_file(path)
    return path


def write_chart(path: Path, area: BaseGeometry = _ALL, **codes: str) -> Path:
    """Write a chart of one polygon of ice, all over the product; `codes` replace fields."""
    fields = {"POLY_TYPE": "I", "CT": "92", "SA": "95", "FA": "05"} | codes
    table = {name: [value] for name, value in fields.items()}
    geopandas.GeoDataFrame(table, geometry=[area], crs=4326).to_file(path)
    return path
