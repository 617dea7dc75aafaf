"""Pixels of a Sentinel-1 product: GeoTIFFs in a folder or in a zip.

ESA writes uncompressed rows; people recompress them, and mirrors offer tiles. GDAL reads
all of them: a product of 10708 x 10487 pixels in half a second per polarisation. In a zip,
a TIFF is unpacked to a temporary file first, one polarisation at a time (225 MB): its
checksum is verified, which GDAL does not do, and it takes half the time of GDAL's own
reading of zips.
"""

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from seaice_data.arrays import Values
from seaice_data.errors import SceneError
from seaice_data.ingest.sentinel.safe import ProductFiles
from seaice_data.system.geo_libraries import geo_libraries

_CACHE_MB = 16  # each row is read once
_MOST_RATIO = 2  # a TIFF of more than twice the bytes of its pixels is not read


class Measurement:
    """The pixels of one polarisation."""

    def __init__(self, files: ProductFiles, name: str, dataset: Any) -> None:
        self._files = files
        self._name = name
        self._dataset = dataset

    def rows(self, start: int, stop: int) -> Values:
        """Return rows of pixels, uint16, shape ``(stop - start, samples)``.

        Raises
        ------
        SceneError
            If they cannot be read.
        """
        window = ((start, stop), (0, self._dataset.width))
        with _libraries(self._files, self._name):
            pixels: Values = self._dataset.read(1, window=window)
        return pixels


@contextmanager
def open_measurement(
    files: ProductFiles, name: str, shape: tuple[int, int]
) -> Iterator[Measurement]:
    """Open a TIFF, and check that it has the pixels that the annotation promises.

    Parameters
    ----------
    files
        The files of the product.
    name
        The TIFF among them.
    shape
        Lines and samples of the annotation.

    Raises
    ------
    SceneError
        If it cannot be read, is damaged in the zip, has another size than `shape`, or
        pixels of another type than uint16.
    """
    error = files.errors_of(name)
    n_bytes = 2 * shape[0] * shape[1]
    if files.size(name) > _MOST_RATIO * n_bytes + 2**20:
        raise error(f"is too long for {shape[0]} x {shape[1]} pixels")
    if not files.size(name):  # GDAL would open it to write
        raise error("is empty")
    with ExitStack() as opened:
        with _libraries(files, name):
            import rasterio  # late: an extra

            opened.enter_context(rasterio.Env(GDAL_CACHEMAX=_CACHE_MB))
            location = files.location(name)
            with warnings.catch_warnings():
                # A TIFF without ground control points; places come from the annotation.
                warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
                if location is None:
                    folder = opened.enter_context(TemporaryDirectory())
                    location = Path(folder, "measurement.tiff")
                    files.unpack(name, location)
                else:
                    with files.errors(name):
                        files.open(name).close()  # it exists, and is a regular file
                dataset = rasterio.open(location.absolute(), driver="GTiff")
            opened.enter_context(dataset)
        if dataset.shape != shape:
            found = f"{dataset.shape[0]} x {dataset.shape[1]}"
            raise error(
                f"has {found} pixels, but the annotation says {shape[0]} x {shape[1]}",
                hint="is it the TIFF of another product?",
            )
        if dataset.dtypes != ("uint16",):
            raise error(f"has pixels of {', '.join(dataset.dtypes)} instead of uint16")
        yield Measurement(files, name, dataset)


def _libraries(files: ProductFiles, name: str) -> AbstractContextManager[None]:
    """Use GDAL; its errors name the product and the file."""
    words = f"{str(files.path)!r}: {name!r} cannot be read as a TIFF"
    return geo_libraries(SceneError, "ingest", words)
