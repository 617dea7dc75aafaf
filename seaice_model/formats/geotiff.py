"""Maps as GeoTIFF, warped to a map projection.

One cloud-optimised file per chart, with the colours and the names of the classes, so that
it looks right wherever it is opened: in the file, beside it for GDAL (``.tif.aux.xml``, a
raster attribute table), and beside it for QGIS (``.qml``). Uncertainty and flags are files
of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS, SIC, SIC_STEP_PERCENT, Chart
from seaice_data.colours import LAND_COLOUR, WMO_COLOURS
from seaice_data.flags import FLAG_LAND
from seaice_data.system.files import replacing
from seaice_data.system.geo_libraries import geo_libraries
from seaice_model.errors import MapError
from seaice_model.formats.raster import (
    Raster,
    geolocation_error_m,
    raster_of,
    warp,
)
from seaice_model.formats.styles import (
    Entry,
    class_table,
    ramp_style,
    raster_style,
    sic_values,
)
from seaice_model.maps.attributes import flag_names, text_attributes, uncertainties
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.netcdf_writer import write_errors

LAND = 254
"""Value of land in the files; 255 is no data."""

_FLAG_COLOURS = ("#ffffff", "#d9d9d9", LAND_COLOUR, "#fdb863", "#e66101")
_MANY_FLAGS = "#8073ac"  # of pixels with several flags


@dataclass(frozen=True, slots=True)
class _Band:
    """What is known of the numbers in a band."""

    name: str
    scale: float = 1.0
    unit: str = ""


def geotiff_names(stem: str) -> tuple[str, ...]:
    """Return the names of the files of a map, and of those that describe them."""
    suffixes = ("tif", "qml", "tif.aux.xml")
    return tuple(f"{stem}_{chart.name}.{suffix}" for suffix in suffixes for chart in CHARTS)


def uncertainty_names(stem: str) -> tuple[str, ...]:
    """Return the names of the files of `write_uncertainty`."""
    flags = (f"{stem}_flags.{suffix}" for suffix in ("tif", "qml", "tif.aux.xml"))
    return (f"{stem}_uncertainty.tif", f"{stem}_uncertainty.qml", *flags)


@geo_libraries(MapError, "geo")
def write_geotiff(
    chart_map: ChartMap, folder: Path, *, crs: str, spacing_m: float | None = None
) -> tuple[Path, ...]:
    """Write a map as ``<scene>_SIC.tif``, ``<scene>_SOD.tif`` and ``<scene>_FLOE.tif``.

    SIC is in percent, SOD and FLOE are classes; 254 is land, and 255 means no data: without
    SAR, where a chart of an ice service has no class, and outside the scene.

    Parameters
    ----------
    chart_map
        What to write.
    folder
        Where the files go.
    crs
        A projection in metres; see `seaice_model.formats.projection.check_projection`.
    spacing_m
        Side of a pixel in metres; that of the map if not given.

    Returns
    -------
    tuple
        The GeoTIFFs, their styles, and their tables of classes, one of each per chart.

    Raises
    ------
    MapError
        If the spacing does not suit the map, its tie points do not say where it is, or a
        file cannot be written.
    """
    raster = raster_of(chart_map, crs, _spacing_m(chart_map, spacing_m))
    tags = _tags(chart_map, geolocation_error_m(chart_map, crs))
    is_land = (chart_map.flags & FLAG_LAND) != 0
    planes = np.where(
        is_land & (chart_map.charts == CHART_FILL), np.uint8(LAND), chart_map.charts
    )
    planes = warp(planes, chart_map, raster)
    names = geotiff_names(chart_map.stem)
    contents: dict[str, list[bytes]] = {"tif": [], "qml": [], "xml": []}
    for chart, plane in zip(CHARTS, planes, strict=True):
        entries = _entries(chart)
        values = np.full(256, CHART_FILL, np.uint8)
        values[[*range(chart.n_classes), LAND]] = [entry.value for entry in entries[:-1]]
        said = {
            "UNITS": "%" if chart is SIC else "class",
            "CLASSES": "; ".join(f"{entry.value} {entry.name}" for entry in entries),
        }
        with write_errors(repr(str(folder / f"{chart_map.stem}_{chart.name}.tif"))):
            contents["tif"].append(
                _encoded(values[plane][np.newaxis], raster, {**tags, **said},
                         [_Band(chart.long_name)], entries)
            )  # fmt: skip
        contents["qml"].append(raster_style(entries))
        contents["xml"].append(class_table(entries, tags["TITLE"]))
    files = [content for kind in contents.values() for content in kind]
    return _written(folder, dict(zip(names, files, strict=True)))


@geo_libraries(MapError, "geo")
def write_uncertainty(
    chart_map: ChartMap, folder: Path, *, crs: str, spacing_m: float | None = None
) -> tuple[Path, ...]:
    """Write ``<scene>_uncertainty.tif`` and ``<scene>_flags.tif``.

    Uncertainty has a band for each plane that the map has: ``concentration``,
    ``concentration_spread`` (if known), ``entropy_sic``, ``entropy_sod``,
    ``entropy_floe``. Bands are bytes with a scale, which GDAL and QGIS apply, and a unit;
    255 means not known. The style for QGIS shows the first. Flags are those of the map, 255
    outside the scene.

    Parameters
    ----------
    chart_map, folder, crs, spacing_m
        As for `write_geotiff`.

    Raises
    ------
    MapError
        As `write_geotiff`, and if the map does not contain its uncertainty.
    """
    if (decision := chart_map.decision) is None or chart_map.charted_by:
        raise MapError(
            f"the map of {chart_map.scene} does not contain its uncertainty",
            hint="predict it again with `seaice predict --overwrite`",
        )
    raster = raster_of(chart_map, crs, _spacing_m(chart_map, spacing_m))
    tags = _tags(chart_map, geolocation_error_m(chart_map, crs))
    found = [each for each in uncertainties(decision) if each.chart is None]
    codes = np.stack([each.codes for each in found])
    planes = warp(codes, chart_map, raster, decision.rows, decision.columns)
    flags = warp(chart_map.flags[np.newaxis], chart_map, raster)
    bands = [_Band(e.name, e.steps.step, str(e.attributes["units"])) for e in found]
    entries = flag_entries()
    names = uncertainty_names(chart_map.stem)
    with write_errors(repr(str(folder / names[0]))):
        files = (
            _encoded(planes, raster, tags, bands),
            ramp_style(_concentrations()),
            _encoded(flags, raster, tags, [_Band("status_flag")], entries),
            raster_style(entries),
            class_table(entries, tags["TITLE"]),
        )
    return _written(folder, dict(zip(names, files, strict=True)))


def _entries(chart: Chart) -> list[Entry]:
    """Return the values of a file of a chart: classes, land, no data."""
    values = sic_values() if chart is SIC else range(chart.n_classes)
    classes = zip(values, chart.class_names, WMO_COLOURS[chart.name], strict=True)
    return [
        *(Entry(*each) for each in classes),
        Entry(LAND, "land", LAND_COLOUR),
        Entry(CHART_FILL, "no data", ""),
    ]


def _concentrations() -> list[Entry]:
    """Return concentrations in percent with the colours of their classes."""
    colours = WMO_COLOURS[SIC.name]
    return [
        Entry(value, f"{value} %", colours[value // SIC_STEP_PERCENT])
        for value in (0, 20, 50, 80, 100)  # one of each colour
    ]


def flag_entries() -> list[Entry]:
    """Return what the values of flags mean, each combination of flags being a value."""
    names = flag_names()
    entries = []
    for value in range(2 * max(names.values())):
        said = [name.replace("_", " ") for name, bit in names.items() if value & bit]
        single = [*names.values()].index(value) + 1 if len(said) == 1 else 0
        colour = _MANY_FLAGS if len(said) > 1 else _FLAG_COLOURS[single]
        if value & FLAG_LAND:  # of own scenes, land has no SAR either
            colour = LAND_COLOUR
        entries.append(Entry(value, ", ".join(said) or "none", colour))
    return [*entries, Entry(CHART_FILL, "outside the scene", "")]


def _tags(chart_map: ChartMap, error_m: float) -> dict[str, str]:
    said = {name.upper(): text for name, text in text_attributes(chart_map).items()}
    return {**said, "GEOLOCATION_ERROR_M": f"{error_m:.1f}"}


def _spacing_m(chart_map: ChartMap, spacing_m: float | None) -> float:
    return chart_map.grid.pixel_spacing_m if spacing_m is None else spacing_m


def _written(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write files, what describes others before them; return them as they are given.

    The last GeoTIFF is removed first and written last: a mixture of old and new files never
    looks complete.
    """
    order = sorted(files, key=lambda name: name.endswith(".tif"))  # which is stable
    for name in order:
        with write_errors(repr(str(folder / name))):
            (folder / order[-1]).unlink(missing_ok=True)
            with replacing(folder / name) as new:
                new.write_bytes(files[name])
    return tuple(folder / name for name in files)


def _encoded(
    planes: ChartArray,
    raster: Raster,
    tags: Mapping[str, str],
    bands: Sequence[_Band],
    entries: Sequence[Entry] = (),
) -> bytes:
    """Return the bytes of a file; entries are those of its first band."""
    from rasterio.io import MemoryFile  # late: an extra

    height, width = raster.shape
    options: dict[str, Any] = {
        "overview_resampling": "mode" if entries else "nearest", "compress": "deflate",
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(
            driver="COG", dtype="uint8", count=len(planes), height=height, width=width,
            crs=raster.crs, transform=raster.transform, nodata=CHART_FILL, **options,
        ) as file:  # fmt: skip
            file.write(planes)
            for number, band in enumerate(bands, start=1):
                file.set_band_description(number, band.name)
            if any(band.scale != 1 for band in bands):
                file.scales = [band.scale for band in bands]
            if any(band.unit for band in bands):
                file.units = [band.unit for band in bands]
            if entries:
                file.write_colormap(1, {entry.value: entry.rgba for entry in entries})
            file.update_tags(**tags)
        content: bytes = memory.read()
    return content
