"""Positions of the pixels of a map, in its netCDF file.

Latitude and longitude are tie points that CF-aware software interpolates (section 8.3) as
vectors, like `TiePoints.places`, even if the pole or the date line is in the map.

``y`` and ``x`` are distances in the swath, not a projection. They say which line is at the
top: GDAL turns planes without such coordinates upside down.
"""

import h5py
import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_model.maps.chart_map import check_places, check_tie_points
from seaice_model.maps.foreign_hdf5 import array
from seaice_model.maps.netcdf_writer import NewFile, add_dimensions, add_variable

LINKS = {
    "coordinates": "time",
    "coordinate_interpolation": "latitude: longitude: geolocation",
}
"""Attributes by which a plane on the grid of the map finds its time and its place."""

PLACE_LINKS = {"coordinates": "time latitude longitude"}
"""The same in a file of `write_places`."""

_DEGREES = {"latitude": "degrees_north", "longitude": "degrees_east"}
_PLACE_STEP = 2.0**-14  # degrees: rounding moves no pixel by more than 5 m
_PLACE_CHUNK_ROWS = 128
_AXES = {
    "y": "distance along the swath from the end of the last line, not projected",
    "x": "distance across the swath from its left edge, not projected",
}
_NO_VARIABLE = "not a netCDF variable"  # how netCDF marks a dimension without coordinates
_MOST_TIE_POINTS = 10_000  # Sentinel-1 has 21 x 21; placing pixels costs their square


def axis_attributes(axis: str) -> dict[str, str]:
    """Return the attributes of the distances along ``y`` or ``x``."""
    # GDAL does not recognise them without `axis`.
    return {"long_name": _AXES[axis], "units": "m", "axis": axis.upper()}


def distances_m(
    axis: str, n_pixels: int, spacing_m: float, length_m: float | None = None
) -> FloatArray:
    """Return distances of the centres of pixels along an axis; those along ``y`` decrease.

    `length_m` is that of the map; if not given, all its pixels have this spacing.

    Examples
    --------
    >>> distances_m("y", 3, 80.0)
    array([200., 120.,  40.])
    """
    if length_m is None:
        length_m = n_pixels * spacing_m
    from_first = (np.arange(n_pixels) + 0.5) * spacing_m
    return length_m - from_first if axis == "y" else from_first


def write_axis(
    file: NewFile,
    name: str,
    n_pixels: int,
    spacing_m: float,
    length_m: float | None = None,
) -> None:
    """Write the coordinates of a dimension named after its axis; see `distances_m`."""
    axis = name[-1]
    distances = distances_m(axis, n_pixels, spacing_m, length_m)
    add_variable(file, name, (name,), distances, axis_attributes(axis))


def check_axis(file: h5py.File, name: str, n_pixels: int) -> None:
    """Reject a file whose pixels another program has sorted by their coordinates.

    Maps of version 0.1 have no coordinates.

    Raises
    ------
    ValueError
        If distances along ``y`` do not decrease, or those along ``x`` do not increase.
    """
    if name not in file or _NO_VARIABLE in str(file[name].attrs.get("NAME")):
        return
    steps = np.diff(array(file, name, (n_pixels,))[...].astype(np.float64))
    decreases = name.endswith("y")
    if not ((steps < 0) if decreases else (steps > 0)).all():
        raise ValueError(f"{name!r} must {'de' if decreases else 'in'}crease")


def write_geolocation(file: NewFile, tie_points: TiePoints, grid: Grid) -> None:
    """Write the axes, and tie points on pixels; the file has the dimensions of the map."""
    shape = (len(tie_points.lines), len(tie_points.samples))
    positions = (tie_points.lines, tie_points.samples)
    # In CF, neighbouring pixels with tie points are a border: nothing is between them.
    n_parts = [max(int((np.diff(at) > 1).sum()), 1) for at in positions]
    add_dimensions(file, dict(zip(("tie_y", "tie_x"), shape, strict=True)))
    add_dimensions(file, dict(zip(("part_y", "part_x"), n_parts, strict=True)))
    _write_axes(file, grid)
    for name, plane in zip(
        _DEGREES, (tie_points.latitude, tie_points.longitude), strict=True
    ):
        add_variable(file, name, ("tie_y", "tie_x"), plane, place_attributes(name))
    for axis, at in zip("yx", positions, strict=True):
        add_variable(
            file, f"tie_{axis}_index", (f"tie_{axis}",), at.astype(np.int32),
            {"long_name": f"pixel of the tie point along {axis}, from 0"},
        )  # fmt: skip
    add_variable(
        file, "geolocation", (), np.array(0, np.int32),
        {
            "interpolation_name": "bi_quadratic_latitude_longitude",
            "computational_precision": "64",
            "tie_point_mapping": "y: tie_y_index tie_y part_y x: tie_x_index tie_x part_x",
            "interpolation_parameters": "interpolation_subarea_flags: geolocation_flags",
        },
    )  # fmt: skip
    add_variable(
        file, "geolocation_flags", ("part_y", "part_x"), np.ones(n_parts, np.uint8),
        {
            "long_name": "how to interpolate between tie points",
            "flag_masks": np.uint8(1),
            "flag_meanings": "location_use_3d_cartesian",
        },
    )  # fmt: skip


def write_places(file: NewFile, tie_points: TiePoints, grid: Grid) -> None:
    """Write the axes, latitudes and longitudes; the file has the dimensions of the map."""
    _write_axes(file, grid)
    pixels = [np.arange(n_pixels, dtype=np.float64) for n_pixels in grid.shape]
    for name, plane in zip(_DEGREES, tie_points.places(*pixels), strict=True):
        # Smooth planes of rounded numbers take 40 % of the space.
        rounded = (np.rint(plane / _PLACE_STEP) * _PLACE_STEP).astype(np.float32)
        add_variable(
            file, name, ("y", "x"), rounded, place_attributes(name),
            level=4, chunks=(min(_PLACE_CHUNK_ROWS, grid.height), grid.width),
        )  # fmt: skip


def place_attributes(name: str) -> dict[str, str]:
    """Return the attributes of ``latitude`` or ``longitude``."""
    return {"standard_name": name, "units": _DEGREES[name]}


def _write_axes(file: NewFile, grid: Grid) -> None:
    for axis, n_pixels in zip("yx", grid.shape, strict=True):
        write_axis(file, axis, n_pixels, grid.pixel_spacing_m)


def read_tie_points(file: h5py.File, shape: tuple[int, int]) -> TiePoints:
    """Read tie points of a map of this shape.

    Raises
    ------
    ValueError
        If they are missing or cannot place pixels, or pixels were sorted.
    """
    for axis, n_pixels in zip("yx", shape, strict=True):
        check_axis(file, axis, n_pixels)
    lines, samples = (array(file, f"tie_{axis}_index", 1, "iu") for axis in "yx")
    at = lines.shape + samples.shape
    if at[0] * at[1] > _MOST_TIE_POINTS:
        raise ValueError(f"{at[0]} x {at[1]} tie points, more than {_MOST_TIE_POINTS}")
    points = TiePoints(
        latitude=array(file, "latitude", at)[...].astype(np.float64),
        longitude=array(file, "longitude", at)[...].astype(np.float64),
        lines=lines[...].astype(np.float64),
        samples=samples[...].astype(np.float64),
    )
    check_tie_points(points)
    check_places(points, shape)
    return points
