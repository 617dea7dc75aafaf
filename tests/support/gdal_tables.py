"""The raster attribute table of a file, as GDAL itself reads it.

rasterio does not pass it on, so that the library in its wheel is called directly.
"""

import ctypes
from pathlib import Path

import rasterio


def attribute_table(path: Path) -> list[list[str]]:
    """Return the rows of the table of the first band, all values as text."""
    (place,) = (Path(rasterio.__file__).parents[1] / "rasterio.libs").glob("libgdal*")
    gdal = ctypes.CDLL(str(place))
    handle, number = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("GDALAllRegister", None, []),
        ("GDALOpen", handle, [ctypes.c_char_p, number]),
        ("GDALGetRasterBand", handle, [handle, number]),
        ("GDALGetDefaultRAT", handle, [handle]),
        ("GDALRATGetRowCount", number, [handle]),
        ("GDALRATGetColumnCount", number, [handle]),
        ("GDALRATGetValueAsString", ctypes.c_char_p, [handle, number, number]),
        ("GDALClose", None, [handle]),
    ):
        function = getattr(gdal, name)
        function.restype, function.argtypes = result, arguments
    gdal.GDALAllRegister()
    file = gdal.GDALOpen(str(path).encode(), 0)
    table = gdal.GDALGetDefaultRAT(gdal.GDALGetRasterBand(file, 1))
    rows = [
        [gdal.GDALRATGetValueAsString(table, row, column).decode()
         for column in range(gdal.GDALRATGetColumnCount(table))]
        for row in range(gdal.GDALRATGetRowCount(table))
    ]  # fmt: skip
    gdal.GDALClose(file)
    return rows
