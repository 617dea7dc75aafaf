"""Patches as GeoTIFF, the inputs and each chart in a folder of their own.

``train/inputs/NAME.tif`` has a band a channel, ``train/SOD/NAME.tif`` one band of classes.
Patches stay on the grid of the radar, so that no value is changed: their place is given by
ground control points in polar stereographic coordinates (EPSG:3413), 25 a patch. Bands have
the names of channels; their scale and offset make physical units of the stored values.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.channels import find_channels
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import ExportError
from seaice_data.exports.piece import PatchFormat, Piece, facts
from seaice_data.exports.windows import PatchWindow, WindowSource
from seaice_data.system.geo_libraries import control_points, geo_libraries

_CRS = "EPSG:3413"  # degrees would fail at the pole and at the date line
_N_POINTS = 5  # along an axis


class GeoTiffs(PatchFormat):
    """Writes four files a patch; needs the extra geo."""

    @geo_libraries(ExportError, "geo")
    def pieces(self, windows: Sequence[PatchWindow]) -> list[Piece]:
        """Return a piece for each patch.

        Raises
        ------
        ExportError
            If the extra geo cannot be used.
        """
        folders = ("inputs", *(chart.name for chart in CHARTS))
        return [
            Piece(w.name, (w,), tuple(f"{w.split}/{f}/{w.name}.tif" for f in folders))
            for w in windows
        ]

    @geo_libraries(ExportError, "geo", "cannot write a GeoTIFF")
    def write(self, piece: Piece, source: WindowSource, folder: Path) -> None:
        """Write the inputs and charts of a patch."""
        (window,) = piece.windows
        inputs, charts = source.read(window)
        points = _control_points(window, source)
        tags = {name.upper(): str(value) for name, value in facts(window).items()}
        path, *others = (folder / file for file in piece.files)
        planes = np.moveaxis(inputs.astype(np.float32), -1, 0)
        with _created(path, planes, np.nan, points, predictor=3) as file:
            file.update_tags(**tags)
            for band, channel in enumerate(find_channels(source.channels), start=1):
                file.set_band_description(band, channel.name)
                file.update_tags(band, LONG_NAME=channel.long_name)
            channels = find_channels(source.channels)
            file.units = [channel.unit for channel in channels]
            file.scales = [channel.std for channel in channels]
            file.offsets = [channel.mean for channel in channels]
        for path, chart, plane in zip(
            others, CHARTS, np.moveaxis(charts, -1, 0), strict=True
        ):
            with _created(path, plane[np.newaxis], CHART_FILL, points) as file:
                file.update_tags(**tags)
                file.set_band_description(1, chart.name)
                classes = dict(enumerate(chart.class_names))
                file.update_tags(1, **{f"CLASS_{k}": name for k, name in classes.items()})


@contextmanager
def _created(
    path: Path,
    planes: np.ndarray[Any, Any],
    fill: float,
    points: list[Any],
    **options: Any,
) -> Iterator[Any]:
    """Yield a new GeoTIFF of planes, shape ``(plane, y, x)``, to be described."""
    import rasterio  # late: an extra

    n_bands, height, width = planes.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=n_bands,
        height=height,
        width=width,
        dtype=planes.dtype,
        nodata=fill,
        crs=_CRS,
        gcps=points,
        compress="deflate",
        interleave="band",
        BIGTIFF="IF_SAFER",  # all channels of large patches take more than 4 GiB
        **options,
    ) as file:
        file.write(planes)
        yield file


def _control_points(window: PatchWindow, source: WindowSource) -> list[Any]:
    """Return where some pixels of a window are."""
    from pyproj import Transformer  # late: an extra

    rows, columns = (
        np.unique(np.linspace(0, n - 1, _N_POINTS).round().astype(np.int64))
        for n in source.extent(window)
    )
    latitude, longitude = source.places(window, rows, columns)
    transformer = Transformer.from_crs("EPSG:4326", _CRS, always_xy=True)
    return control_points(rows, columns, *transformer.transform(longitude, latitude))
