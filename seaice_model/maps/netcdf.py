"""Maps as netCDF files.

The files follow CF-1.12. Latitude and longitude are tie points (see `geolocation_netcdf`):
as full planes they would be fifty times the size of everything else. `ChartMap.to_xarray`
and `open_map` return them at every pixel.

Uncertainty is on the grid of the store, where the network decides (dimensions ``store_y``,
``store_x``): at the spacing of the map it would be a hundred times as large without adding
information. ``store_row`` and ``store_column`` contain the row and column of the store that
each row and column of the map shows; in xarray
``entropy_sod.isel(store_y=dataset.store_row, store_x=dataset.store_column)`` is a plane on
the grid of the map.

Global attributes say what a map was made from: the fields of `Provenance`, one attribute
each. Among them are ``original_name``, the product; ``denoising`` and
``trained_on_denoising``, how noise was removed from the SAR of the scene and of the scenes
that the networks know; and ``drawn_without``, what the scene lacks, as ``hv, amsr2``. A map
with ``flips`` (``x, y, xy``) was decided together with these mirrored views of its scene.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import h5py
import numpy as np

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS, SIC, SIC_STEP_PERCENT, Chart
from seaice_data.conventions import TIME
from seaice_data.grid import SPACING_M, Grid
from seaice_data.scene_id import SceneId
from seaice_data.system.byte_tables import first_of, translated
from seaice_data.system.documents import naming_version
from seaice_model.errors import MapError
from seaice_model.maps.attributes import (
    class_attributes,
    global_attributes,
    sic_attributes,
    status_attributes,
)
from seaice_model.maps.chart_map import (
    ADDED_TEXTS,
    TEXTS,
    ChartMap,
    MapGrid,
    Provenance,
    SceneUse,
    check_places,
    check_planes,
    check_tie_points,
    on_pixels,
)
from seaice_model.maps.decision_netcdf import (
    check_decision,
    holds_probabilities,
    read_decision,
    write_decision,
    write_uncertainty,
)
from seaice_model.maps.foreign_hdf5 import (
    array,
    number,
    opened,
    read_bytes,
    shown,
    text,
    whole_numbers,
)
from seaice_model.maps.geolocation_netcdf import (
    LINKS,
    PLACE_LINKS,
    read_tie_points,
    write_geolocation,
    write_places,
)
from seaice_model.maps.netcdf_writer import (
    NewFile,
    add_dimensions,
    add_plane,
    add_variable,
    set_attributes,
    written_whole,
)

_FORMAT = "seaice map 3"
CHART_VARIABLES = {
    "SIC": "sea_ice_area_fraction",
    "SOD": "stage_of_development",
    "FLOE": "floe_size",
}
"""Name of the variable of each chart."""

_AGAIN = "predict it again with `seaice predict --overwrite`"
_LEAST_SPACING_M, _MOST_SPACING_M = 1, 1_000_000
_MOST_EPOCHS = 10_000


def write_netcdf(chart_map: ChartMap, path: str | Path) -> None:
    """Write a map as CF netCDF; a file at `path` stays until the new one is complete.

    SIC is in percent, 255 being its ``_FillValue``, so that xarray shows it as numbers
    and NaN. SOD and FLOE are flags; 255 is one of them, so that they stay integers.

    Raises
    ------
    MapError
        If its parts are not as `ChartMap` and `Decision` describe them, or the file cannot
        be written.
    """
    if chart_map.charted_by:
        raise MapError(
            f"charts of {chart_map.scene} are those of an ice service, not predicted",
            hint="write them with `seaice convert`",
        )
    _check(chart_map)
    with written_whole(Path(path), "map") as file:
        _write(file, chart_map)


def write_pixels(chart_map: ChartMap, path: str | Path) -> None:
    """Write a map with latitude, longitude and uncertainty at every pixel.

    For programs that neither interpolate tie points nor follow indices, such as GDAL and
    QGIS. The file is many times the size of a map, and cannot be read back as one.

    Raises
    ------
    MapError
        As `write_netcdf`.
    """
    _check(chart_map)
    with written_whole(Path(path), "map") as file:
        set_attributes(file, global_attributes(chart_map))
        add_dimensions(file, dict(zip(("y", "x"), chart_map.grid.shape, strict=True)))
        write_places(file, chart_map.tie_points, chart_map.grid)
        _write_planes(file, chart_map, PLACE_LINKS)
        if chart_map.decision is not None:
            write_uncertainty(file, chart_map.decision, PLACE_LINKS)


def read_netcdf(path: str | Path) -> ChartMap:
    """Read a map that `write_netcdf` wrote.

    Raises
    ------
    MapError
        If there is none at `path`, or it is damaged or not one of ours.
    """
    with _opened(Path(path)) as file:
        return _read(file)


@dataclass(frozen=True, kw_only=True, slots=True)
class MapDescription:
    """What a map says about itself, without its planes."""

    scene: SceneId
    """Id of the scene."""

    grid_name: MapGrid
    """Grid that was requested."""

    has_probabilities: bool
    """Whether it contains class probabilities."""

    ratio: int | None
    """Ratio of the store that it was predicted on; None if the map does not say."""

    provenance: Provenance
    """What it was made from."""


def describe(path: Path) -> MapDescription:
    """Read what a map says about itself.

    Raises
    ------
    MapError
        If there is no map at `path`, or it is damaged or not one of ours.
    """
    with _opened(path) as file:
        return MapDescription(
            scene=SceneId(text(file.attrs, "scene")),
            grid_name=_one_of(file.attrs, "grid_name", MapGrid),
            has_probabilities=holds_probabilities(file),
            ratio=_ratio(file),
            provenance=_provenance(file.attrs),
        )


def _ratio(file: h5py.File) -> int | None:
    """Return how many pixels of 80 m, along an axis, show one pixel of the store."""
    if "store_row" not in file:
        return None
    n_rows = np.count_nonzero(array(file, "store_row", 1, "iu")[...] == 0)
    return round(n_rows * _pixel_spacing_m(file.attrs) / SPACING_M) or None


def _check(chart_map: ChartMap) -> None:
    """Reject what could not be read back, or would be truncated to bytes."""
    try:
        _check_values(chart_map)
    except ValueError as error:
        raise MapError(f"invalid map of scene {chart_map.scene!r}: {error}") from None


def _check_values(chart_map: ChartMap) -> None:
    if getattr(chart_map.acquired, "tzinfo", None) is None:
        raise ValueError(f"'acquired' has no time zone: '{chart_map.acquired}'")
    check_planes(chart_map)
    check_tie_points(chart_map.tie_points)
    check_places(on_pixels(chart_map.tie_points, chart_map.grid), chart_map.grid.shape)
    attributes = global_attributes(chart_map)
    _pixel_spacing_m(attributes)
    _one_of(attributes, "grid_name", MapGrid)
    _provenance(attributes)
    if chart_map.decision is not None:
        check_decision(chart_map.decision, chart_map.grid.shape)


def _write(file: NewFile, chart_map: ChartMap) -> None:
    set_attributes(file, {**global_attributes(chart_map), "format": _FORMAT})
    tie_points = on_pixels(chart_map.tie_points, chart_map.grid)
    add_dimensions(file, dict(zip(("y", "x"), chart_map.grid.shape, strict=True)))
    write_geolocation(file, tie_points, chart_map.grid)
    _write_planes(file, chart_map, LINKS)
    if chart_map.decision is not None:
        write_decision(file, chart_map.decision, chart_map.grid)


def _write_planes(file: NewFile, chart_map: ChartMap, links: Mapping[str, str]) -> None:
    """Write the time and the planes of a map; `links` name their coordinates."""
    write_time(file, chart_map.acquired)
    for chart, plane in zip(CHARTS, chart_map.charts, strict=True):
        if chart is SIC:
            percent = to_percent(plane)
            valid = {"valid_range": np.array([0, 100], np.uint8)}
            attributes = {**sic_attributes(), **valid, **links}
            add_plane(file, CHART_VARIABLES["SIC"], percent, attributes, fill=CHART_FILL)
        else:
            attributes = {**class_attributes(chart, "no_data"), **links}
            add_plane(file, CHART_VARIABLES[chart.name], plane, attributes)
    add_plane(file, "status_flag", chart_map.flags, {**status_attributes(), **links})


def write_time(file: NewFile, acquired: datetime) -> None:
    """Write the time of a scene as a coordinate without dimensions."""
    add_variable(
        file, "time", (), np.array(int(acquired.timestamp()), np.int64),
        {
            **TIME,
            "units": "seconds since 1970-01-01T00:00:00Z",
            "calendar": "standard",
        },
    )  # fmt: skip


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a map to read it; whatever is wrong with the file becomes a `MapError`."""
    with (
        opened(path, "map", _AGAIN) as file,
        naming_version(MapError, str(path), _said(file.attrs, "software")),
    ):
        found = _said(file.attrs, "format")
        if found != _FORMAT and found.startswith("seaice map "):
            raise MapError(
                f"map {str(path)!r} has format {found!r}, this version reads {_FORMAT!r}",
                hint=_AGAIN,
            )
        if found != _FORMAT:
            raise MapError(
                f"{str(path)!r} is not a map of seaice",
                hint="move it away: a folder of maps contains no other netCDF files",
            )
        yield file


def _said(attributes: Mapping[str, Any], name: str) -> str:
    """Return an attribute that is text; an empty text if it is missing."""
    return text(attributes, name) if name in attributes else ""


def _read(file: h5py.File) -> ChartMap:
    """Read a map; no plane is read before all shapes are known to fit."""
    first = array(file, CHART_VARIABLES[SIC.name], 2)
    shape = (first.shape[0], first.shape[1])
    names = [*(CHART_VARIABLES[chart.name] for chart in CHARTS), "status_flag"]
    *planes, flags = [array(file, name, shape) for name in names]
    tie_points = read_tie_points(file, shape)
    decision = read_decision(file, shape)
    charts = np.empty((len(CHARTS), *shape), np.uint8)
    for chart, plane, read in zip(CHARTS, planes, charts, strict=True):
        read[...] = read_bytes(plane)
        _check_written(chart, read)
    charts[0] = _from_percent(charts[0])
    return ChartMap(
        scene=SceneId(text(file.attrs, "scene")),
        acquired=_time(file.attrs),
        grid=Grid(*shape, _pixel_spacing_m(file.attrs)),
        charts=charts,
        flags=read_bytes(flags),
        tie_points=tie_points,
        provenance=_provenance(file.attrs),
        grid_name=_one_of(file.attrs, "grid_name", MapGrid),
        decision=decision,
    )


def _provenance(attributes: Mapping[str, Any]) -> Provenance:
    names = [n for n in TEXTS if n in attributes or n not in ADDED_TEXTS]
    texts: dict[str, Any] = {name: text(attributes, name) for name in names}
    texts["scene_use"] = _one_of(attributes, "scene_use", SceneUse)
    epochs = whole_numbers(attributes, "epochs", 0, 2**31 - 1)
    if len(epochs) > _MOST_EPOCHS:
        raise ValueError(f"attribute 'epochs' has {len(epochs)} numbers")
    return Provenance(epochs=epochs, **texts)


def _check_written(chart: Chart, plane: ChartArray) -> None:
    """Reject values in the file that are neither a class nor fill."""
    step = SIC_STEP_PERCENT if chart is SIC else 1
    is_unknown = np.ones(256, bool)
    is_unknown[[*range(0, chart.n_classes * step, step), CHART_FILL]] = False
    if (found := first_of(plane, is_unknown)) is not None:
        unit = " %" if chart is SIC else ""
        raise ValueError(f"{chart.name} has no class {found}{unit}")


def _one_of(attributes: Mapping[str, Any], name: str, kind: Any) -> Any:
    """Return an attribute that is one of the options of `kind`, a `Literal`."""
    if (found := text(attributes, name)) not in get_args(kind):
        options = ", ".join(get_args(kind))
        raise ValueError(
            f"attribute {name!r} must be one of {options}, got {shown(found)!r}"
        )
    return found


def _time(attributes: Mapping[str, Any]) -> datetime:
    said = text(attributes, "acquired")
    try:
        acquired = datetime.fromisoformat(said)
    except ValueError:
        raise ValueError(
            f"attribute 'acquired' must be a time, got {shown(said)!r}"
        ) from None
    if acquired.tzinfo is None:
        raise ValueError(f"attribute 'acquired' has no time zone: {shown(said)!r}")
    return acquired


def _pixel_spacing_m(attributes: Mapping[str, Any]) -> float:
    return number(attributes, "pixel_spacing_m", _LEAST_SPACING_M, _MOST_SPACING_M)


def to_percent(sic: ChartArray) -> ChartArray:
    """Return classes of SIC in percent; 255 stays fill."""
    percent = np.full(256, CHART_FILL, np.uint8)
    percent[: SIC.n_classes] = np.arange(SIC.n_classes) * SIC_STEP_PERCENT
    return translated(sic, percent)


def _from_percent(percent: ChartArray) -> ChartArray:
    sic = np.full(256, CHART_FILL, np.uint8)
    sic[np.arange(SIC.n_classes) * SIC_STEP_PERCENT] = np.arange(SIC.n_classes)
    return translated(percent, sic)
