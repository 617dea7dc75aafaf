"""Other programs find the rows and the places of a map."""

from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr
from support.chart_maps import chart_map
from support.swaths import distance_m, swath, vectors

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.netcdf import read_netcdf, write_netcdf

WIDE = Grid(400, 420, 1000.0)


def map_of(tie_points: TiePoints, grid: Grid) -> ChartMap:
    return replace(
        chart_map(),
        grid=grid,
        charts=np.zeros((3, *grid.shape), np.uint8),
        flags=np.zeros(grid.shape, np.uint8),
        tie_points=tie_points,
        decision=None,
    )


def interpolated(path: Path, name: str) -> FloatArray:
    """Follow the attributes of a variable to the unit vectors of its pixels.

    As CF 1.12 describes in section 8.3 and appendix J, "bi_quadratic_latitude_longitude" in
    cartesian coordinates, where interpolation parameters that are absent are zero.
    """
    with netCDF4.Dataset(path) as dataset:
        dataset.set_auto_mask(False)
        assert dataset.Conventions == "CF-1.12"
        latitude, longitude, method = dataset[name].coordinate_interpolation.split()
        about = dataset[method]
        assert about.interpolation_name == "bi_quadratic_latitude_longitude"
        _, flags = about.interpolation_parameters.split()
        assert dataset[flags].flag_meanings == "location_use_3d_cartesian"
        assert (dataset[flags][:] == dataset[flags].flag_masks).all()
        y, tie_rows, tie_y, part_y, x, tie_columns, tie_x, part_x = (
            about.tie_point_mapping.split()
        )
        assert (f"{y[:-1]}", f"{x[:-1]}") == dataset[name].dimensions
        assert dataset[flags].dimensions == (part_y, part_x)
        points = dataset[latitude.strip(":")], dataset[longitude.strip(":")]
        assert all(values.dimensions == (tie_y, tie_x) for values in points)
        rows, columns = dataset[tie_rows][:], dataset[tie_columns][:]
        shape = dataset[name].shape
        assert (*rows[[0, -1]], *columns[[0, -1]]) == (0, shape[0] - 1, 0, shape[1] - 1)
        ties = vectors(points[0][:], points[1][:])
    down, i = fraction(rows, shape[0])
    across, j = fraction(columns, shape[1])
    down, across = down[:, None, None], across[:, None]
    left = quadratic(ties[i][:, j], ties[i + 1][:, j], down)
    right = quadratic(ties[i][:, j + 1], ties[i + 1][:, j + 1], down)
    # The point halfway is that between the middles of the upper and the lower side.
    upper = normalised(ties[i][:, j] + ties[i][:, j + 1])
    lower = normalised(ties[i + 1][:, j] + ties[i + 1][:, j + 1])
    middle = quadratic(upper, lower, down)
    bend = 4 * middle - 2 * left - 2 * right
    return normalised(left + across * (right - left + bend * (1 - across)))


def fraction(ties: FloatArray, n_pixels: int) -> tuple[FloatArray, FloatArray]:
    """Return how far each pixel is from a tie point to the next, and the number of that."""
    pixels = np.arange(n_pixels)
    at = np.minimum(np.searchsorted(ties, pixels, side="right") - 1, len(ties) - 2)
    return (pixels - ties[at]) / (ties[at + 1] - ties[at]), at


def quadratic(a: FloatArray, b: FloatArray, s: FloatArray) -> FloatArray:
    """Interpolate from `a` to `b` through the middle of the great circle."""
    bend = 4 * normalised(a + b) - 2 * a - 2 * b
    return a + s * (b - a + bend * (1 - s))


def normalised(points: FloatArray) -> FloatArray:
    length: FloatArray = np.linalg.norm(points, axis=-1, keepdims=True)
    return points / length


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(83.0, 10.0), (75.0, 179.9), (89.5, 0.0), (90.0, 0.0)]
)
def test_pixels_are_where_the_swath_is(
    tmp_path: Path, latitude: float, longitude: float
) -> None:
    path = tmp_path / "map.nc"
    write_netcdf(map_of(swath(latitude, longitude, WIDE), WIDE), path)
    every = swath(latitude, longitude, WIDE, n_points=WIDE.shape)
    expected = vectors(every.latitude, every.longitude)
    again = read_netcdf(path).tie_points
    ours = vectors(*again.places(every.lines, every.samples))
    assert distance_m(ours, expected).max() < 1
    assert distance_m(interpolated(path, "floe_size"), expected).max() < 1


def test_tie_points_on_neighbouring_pixels_are_the_border_of_two_parts(
    tmp_path: Path,
) -> None:
    grid = Grid(30, 60, 80.0)
    write_netcdf(map_of(swath(75.0, 0.0, grid), grid), tmp_path / "map.nc")
    with netCDF4.Dataset(tmp_path / "map.nc") as dataset:
        gaps = np.diff(dataset["tie_y_index"][:])
        assert (gaps == 1).any()
        assert len(dataset.dimensions["part_y"]) == (gaps > 1).sum()


@pytest.mark.parametrize("name", ["sea_ice_area_fraction", "status_flag", "class_sod"])
def test_gdal_reads_rows_as_they_are_stored(tmp_path: Path, name: str) -> None:
    path = tmp_path / "map.nc"
    write_netcdf(chart_map(), path)
    with netCDF4.Dataset(path) as dataset:
        dataset.set_auto_maskandscale(False)
        stored = dataset[name][:]
    with rasterio.open(f"netcdf:{path}:{name}") as file:
        np.testing.assert_array_equal(file.read(1), stored)
        spacing_m = 800 if name == "class_sod" else 80
        assert file.transform == rasterio.Affine(spacing_m, 0, 0, 0, -spacing_m, 4800)
        assert file.crs is None


def test_xarray_shows_distances_and_plots_the_first_line_on_top(tmp_path: Path) -> None:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    with xr.open_dataset(tmp_path / "map.nc") as dataset:
        assert {"y", "x", "store_y", "store_x", "time"} <= {*dataset.coords}
        assert dataset.y.values.tolist() == [4760 - 80 * row for row in range(60)]
        assert dataset.store_x.values.tolist() == [400 + 800 * n for n in range(8)]
        mesh = dataset.sea_ice_area_fraction.plot()
        low, high = mesh.axes.get_ylim()
        assert low < high
        at = mesh.axes.transData.transform
        assert at((40, dataset.y[0]))[1] > at((40, dataset.y[-1]))[1]
