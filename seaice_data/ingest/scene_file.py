"""Write the file of an own scene: 80 m, physical units, complete or absent.

docs/scene-file.md describes the form; `seaice_data.scenes.ingested` reads it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.channels import CHANNELS, Channel, Group, find_channel
from seaice_data.conventions import CONVENTIONS, TIME
from seaice_data.errors import SceneError
from seaice_data.grid import SPACING_M
from seaice_data.ingest.parts import Backscatter, BurntChart, CellFields, DistanceZones
from seaice_data.scene_id import SATELLITES, SceneId
from seaice_data.scenes.ingested import HH, HV
from seaice_data.scenes.scene import FLOOR_DB, NO_POLYGON
from seaice_data.system.netcdf_files import create, define_dimensions, whole_file
from seaice_data.zones import zone_description

if TYPE_CHECKING:
    import netCDF4

_SAR_DIMS = ("sar_lines", "sar_samples")
_TIE_DIMS = ("sar_grid_lines", "sar_grid_samples")
_CELL_DIMS = ("2km_grid_lines", "2km_grid_samples")

# Labels are read in bands of rows: a chunk has whole rows, and few enough to be inflated
# once. Backscatter is not compressed: speckle would give 10 % for ten times the time.
_CHUNK_ROWS = 100


def scene_id_of(backscatter: Backscatter, chart: BurntChart | None = None) -> SceneId:
    """Return the id of a scene: its start, and the ice service or else the satellite.

    Raises
    ------
    SceneError
        If the ice service has a name that ids cannot have.
    """
    frame = backscatter.frame
    name = backscatter.satellite.lower() if chart is None else chart.service
    try:
        if chart is not None and name in SATELLITES:
            raise ValueError("it stands for scenes without a chart")
        return SceneId(f"{frame.acquired:%Y%m%dT%H%M%S}_{name}")
    except ValueError as error:
        raise SceneError(
            f"{name!r} cannot be the ice service of a scene: {error}",
            hint="2 to 12 small letters and digits, such as cis or nic",
        ) from None


def absent_of(
    backscatter: Backscatter,
    amsr2: CellFields | None,
    era5: CellFields | None,
    chart: BurntChart | None,
) -> tuple[str, ...]:
    """Return what a scene lacks: ``HV``, ``AMSR2``, ``ERA5``, ``ice chart``."""
    found = {
        "HV": backscatter.sigma0.get("hv"),
        Group.AMSR2.upper(): amsr2,
        Group.ERA5.upper(): era5,
        "ice chart": chart,
    }
    return tuple(name for name, part in found.items() if part is None)


def write_scene_file(
    path: str | Path,
    backscatter: Backscatter,
    zones: DistanceZones,
    *,
    amsr2: CellFields | None = None,
    era5: CellFields | None = None,
    chart: BurntChart | None = None,
    made_with: str = "",
) -> None:
    """Write an own scene; the file is complete or absent, also if this process is killed.

    A file at `path` is replaced when the new one is complete. What is not given is absent
    from the file.

    Parameters
    ----------
    path
        Where to write; its folder must exist. `scene_id_of` gives a name for it.
    backscatter
        Calibrated backscatter on the 80 m grid of its frame.
    zones
        Distance zones on the same grid.
    amsr2, era5
        All fields of these groups of channels on the cells of the frame.
    chart
        Ice chart on the 80 m grid.
    made_with
        The options of the command that writes it, in one line.

    Raises
    ------
    SceneError
        If a part does not fit the others, or the file cannot be written.
    """
    path = Path(path)
    groups = {Group.AMSR2: amsr2, Group.ERA5: era5}
    fields = {group: found for group, found in groups.items() if found is not None}
    _check_parts(backscatter, zones, fields, chart)
    scene_id = scene_id_of(backscatter, chart)
    with whole_file(path) as file:
        define_dimensions(file, _sizes(backscatter, chart))
        about = _global_attributes(scene_id, backscatter, fields, chart)
        _set(file, about | ({"made_with": made_with} if made_with else {}))
        _write_time(file, backscatter)
        _write_backscatter(file, backscatter)
        _write_labels(
            file,
            "distance_map",
            zones.zones,
            {
                "long_name": find_channel("distance_map").long_name,
                "units": "1",
                "zonal_range_description": zone_description(),
                "coast": zones.coast,
            },
        )
        if chart is not None:
            _write_chart(file, chart)
        _write_tie_points(file, backscatter)
        for group, found in fields.items():
            _write_cells(file, group, found)


def _channels_of(group: Group) -> tuple[Channel, ...]:
    return tuple(channel for channel in CHANNELS if channel.group == group)


def _check_parts(
    backscatter: Backscatter,
    zones: DistanceZones,
    fields: Mapping[Group, CellFields],
    chart: BurntChart | None,
) -> None:
    """Reject parts that do not have the shapes of the frame, or lack a field."""
    frame = backscatter.frame
    if "hh" not in backscatter.sigma0:
        raise SceneError(f"product {backscatter.product} has no HH")
    points = frame.tie_points.latitude.shape
    expected: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
        *(
            (f"sigma nought {name.upper()}", plane.shape, frame.grid.shape)
            for name, plane in backscatter.sigma0.items()
        ),
        ("the distance zones", zones.zones.shape, frame.grid.shape),
        ("the incidence angles", backscatter.incidence_angle.shape, points),
        ("the heights", backscatter.height_m.shape, points),
    ]
    if chart is not None:
        expected.append(("the ice chart", chart.polygon_ids.shape, frame.grid.shape))
    for group, found in fields.items():
        for channel in _channels_of(group):
            name = str(channel.variable)
            if name not in found.fields:
                raise SceneError(f"the {group.upper()} fields lack {name!r}")
            expected.append((repr(name), found.fields[name].shape, frame.cell_shape))
    for what, shape, wanted in expected:
        if shape != wanted:
            raise SceneError(f"{what}: shape {shape}, where the scene has {wanted}")


def _sizes(backscatter: Backscatter, chart: BurntChart | None) -> dict[str, int]:
    frame = backscatter.frame
    sizes = {
        **dict(zip(_SAR_DIMS, frame.grid.shape, strict=True)),
        **dict(zip(_TIE_DIMS, frame.tie_points.latitude.shape, strict=True)),
        **dict(zip(_CELL_DIMS, frame.cell_shape, strict=True)),
    }
    return sizes if chart is None else {**sizes, "polygon_codes": len(chart.rows)}


def _global_attributes(
    scene_id: SceneId,
    backscatter: Backscatter,
    fields: Mapping[Group, CellFields],
    chart: BurntChart | None,
) -> dict[str, Any]:
    """Return what the file says about itself and what it was made from."""
    frame = backscatter.frame
    software = f"seaice {version('seaice')}"
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    amsr2, era5 = fields.get(Group.AMSR2), fields.get(Group.ERA5)
    absent = absent_of(backscatter, amsr2, era5, chart)
    return {
        "Conventions": CONVENTIONS,
        "title": f"Sentinel-1 scene {scene_id}, calibrated and averaged to 80 m",
        "source": f"Copernicus Sentinel-1, product {backscatter.product}",
        "references": "docs/scene-file.md of seaice describes this file",
        "history": f"{made} {software}: ingested from {backscatter.product}",
        "comment": "Backscatter is linear power. Row 0 is the first line in time, column 0 "
        "near range; nothing is projected or flipped.",
        "scene_id": str(scene_id),
        **({"ice_service": chart.service, "icechart_id": chart.name} if chart else {}),
        "absent": ", ".join(absent) or "nothing",
        "source_product": backscatter.product,
        "satellite": backscatter.satellite,
        "ipf_version": backscatter.ipf,
        "orbit_number": np.int32(backscatter.orbit),
        "orbit_direction": "ascending" if backscatter.is_ascending else "descending",
        "acquisition_start": _iso(frame.acquired),
        "acquisition_stop": _iso(frame.stopped),
        **{f"denoising_{name}": how for name, how in backscatter.denoising.items()},
        **({"denoising_note": note} if (note := backscatter.denoising_note) else {}),
        **{
            f"share_not_positive_{name}": share
            for name, share in backscatter.not_positive.items()
        },
        "floor_db": FLOOR_DB,
        "pixel_spacing": SPACING_M,
        "software": software,
    }


def _write_time(file: "netCDF4.Dataset", backscatter: Backscatter) -> None:
    about = {**TIME, "units": "seconds since 1970-01-01", "calendar": "standard"}
    time = create(file, "time", (), np.int64, about)
    time[...] = int(backscatter.frame.acquired.timestamp())


def _write_backscatter(file: "netCDF4.Dataset", backscatter: Backscatter) -> None:
    for name, plane in backscatter.sigma0.items():
        channel = find_channel(name)
        about = {
            "standard_name": str(channel.standard_name),
            "long_name": channel.long_name,
            "units": "1",
            "polarisation": name.upper(),
            "upstream_id": backscatter.product,
            "denoising": backscatter.denoising[name],
            "comment": "linear power, not decibels; NaN where there is no SAR; 0 or below "
            "where more noise was subtracted than there was signal",
            "coordinates": "time",
        }
        variable = create(file, HH if name == "hh" else HV, _SAR_DIMS, np.float32, about)
        _fill_in(variable, plane)


def _write_labels(
    file: "netCDF4.Dataset",
    name: str,
    plane: ChartArray | IntArray,
    attributes: Mapping[str, Any],
    fill: int | None = None,
) -> None:
    """Write whole numbers on the SAR grid, compressed."""
    height, width = plane.shape
    chunks = (min(_CHUNK_ROWS, height), width)
    about = _texts(attributes)
    variable = create(
        file, name, _SAR_DIMS, plane.dtype.type, about, fill=fill, chunks=chunks
    )
    _fill_in(variable, plane)


def _write_chart(file: "netCDF4.Dataset", chart: BurntChart) -> None:
    """Write polygon ids and the table of their egg codes."""
    about = {
        "icechart_id": chart.name,
        "ice_service": chart.service,
        "valid_time": "" if chart.valid is None else _iso(chart.valid),
    }
    without = {
        f"{name}_codes_without_class": "; ".join(
            f"{code}: {area:.1f} km2" for code, area in areas.items()
        )
        for name, areas in chart.without_class_km2.items()
    }
    _write_labels(
        file,
        "polygon_icechart",
        chart.polygon_ids.astype(np.int32, copy=False),
        {
            "long_name": "polygon of the ice chart",
            "comment": "id of a row of polygon_codes; fill where there is no polygon with "
            "ice or water",
            **about,
        },
        fill=NO_POLYGON,
    )
    codes = create(
        file,
        "polygon_codes",
        ("polygon_codes",),
        str,
        _texts(
            {
                "long_name": "egg codes of the polygons (SIGRID-3), after their names",
                **about,
                **without,
            }
        ),
    )
    codes[:] = np.array(chart.rows, dtype=object)


def _write_tie_points(file: "netCDF4.Dataset", backscatter: Backscatter) -> None:
    points = backscatter.frame.tie_points
    where = "in 80 m pixels; pixel 0 has its centre at 0"
    for name, axis, positions, dim in (
        ("sar_grid_line", "y", points.lines, _TIE_DIMS[0]),
        ("sar_grid_sample", "x", points.samples, _TIE_DIMS[1]),
    ):
        about = {"long_name": f"position of tie points along {axis} {where}", "units": "1"}
        create(file, name, (dim,), np.float64, about)[:] = positions
    planes: dict[str, tuple[FloatArray, dict[str, str]]] = {
        "latitude": (
            points.latitude,
            {"standard_name": "latitude", "units": "degrees_north"},
        ),
        "longitude": (
            points.longitude,
            {"standard_name": "longitude", "units": "degrees_east"},
        ),
        "incidenceangle": (
            backscatter.incidence_angle,
            {"standard_name": "angle_of_incidence", "units": "degree"},
        ),
        "height": (
            backscatter.height_m,
            {"standard_name": "height_above_reference_ellipsoid", "units": "m"},
        ),
    }
    places = {"coordinates": "sar_grid_latitude sar_grid_longitude"}
    for name, (values, about) in planes.items():
        if name in ("incidenceangle", "height"):
            about |= places
        about["long_name"] = f"{name.replace('angle', ' angle')} of the tie points"
        create(file, f"sar_grid_{name}", _TIE_DIMS, np.float64, about)[:] = values


def _write_cells(file: "netCDF4.Dataset", group: Group, found: CellFields) -> None:
    """Write the fields of a group on the 2 km cells."""
    for channel in _channels_of(group):
        about: dict[str, Any] = {"long_name": channel.long_name, "units": channel.unit}
        if channel.standard_name:
            about["standard_name"] = channel.standard_name
        if channel.unit == "K":
            about["units_metadata"] = "temperature: on_scale"
        name = str(channel.variable)
        variable = create(
            file, name, _CELL_DIMS, np.float32, _texts({**found.attributes, **about})
        )
        variable[:] = found.fields[name]


def _fill_in(variable: Any, plane: FloatArray | ChartArray | IntArray) -> None:
    """Write all values of a plane as they are."""
    variable.set_auto_maskandscale(False)
    variable[:] = plane


def _set(file: "netCDF4.Dataset", attributes: Mapping[str, Any]) -> None:
    from seaice_data.system.netcdf_library import set_attributes  # late: takes 0.1 s

    set_attributes(file, attributes)


def _texts(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as netCDF has them: text or numbers; empty ones are left out."""
    made: dict[str, Any] = {}
    for name, value in attributes.items():
        if isinstance(value, datetime):
            made[name] = _iso(value)
        elif isinstance(value, (list, tuple)) and any(
            not isinstance(v, (int, float)) for v in value
        ):
            made[name] = ", ".join(map(str, value))
        elif isinstance(value, bool):
            made[name] = np.int8(value)
        elif value is not None and not (
            isinstance(value, (str, tuple, list)) and not value
        ):
            made[name] = value
    return made


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
