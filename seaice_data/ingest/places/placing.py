"""Where places on the Earth are in a scene, and how large its pixels are.

All is computed with unit vectors, so that poles and the date line are places like any
other.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import IntArray
from seaice_data.errors import SceneError
from seaice_data.geolocation import unit_vectors
from seaice_data.grid import row_bands
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.places.ellipsoid import Float64, on_ellipsoid
from seaice_data.ingest.places.positions import TangentPlane, TieVectors, pixel_positions
from seaice_data.ingest.vectors.rings import close_rings

_MARGIN = 4.0  # pixels around a scene in which places are still found
_BLOCK = 64  # pixels: their area is that of a flat quadrilateral to 1e-6


class Placing:
    """Finds polygons in a scene.

    They are first projected to a plane that touches the Earth in the middle of the scene,
    and cut along a line around the scene.

    Parameters
    ----------
    frame
        The scene.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._ties = TieVectors.of(frame.tie_points)
        self._plane = TangentPlane(self._ties)

    def plane(self, vectors: Float64) -> Float64:
        """Return the coordinates of unit vectors in the plane, shape ``(..., 2)``."""
        return self._plane.project(vectors)

    def outline(self) -> Float64:
        """Return a closed line around the scene, a few pixels outside, in the plane."""
        height, width = self._frame.grid.shape
        rows = _with_ends(self._ties.lines, height)
        columns = _with_ends(self._ties.samples, width)
        latitude, longitude = self._frame.tie_points.places(rows, columns)
        edge = self.plane(unit_vectors(latitude, longitude))
        sides = (edge[0, :-1], edge[:-1, -1], edge[-1, :0:-1], edge[:0:-1, 0], edge[0, :1])
        return np.concatenate(sides)

    def positions(self, plane: Float64) -> Float64:
        """Return the pixel positions of points within `outline`: x, then y.

        Parameters
        ----------
        plane
            Shape ``(point, 2)``, from `plane`.

        Raises
        ------
        SceneError
            If the tie points do not say where a point is.
        """
        return pixel_positions(self._ties, self._plane.vectors(plane))[:, ::-1]

    def pixels(self, polygons: NDArray[Any]) -> tuple[NDArray[Any], IntArray]:
        """Return what is in the scene of polygons in the plane, as GDAL counts pixels.

        Rasters have their first corner at 0, scenes the centre of their first pixel.

        Parameters
        ----------
        polygons
            Polygons of one part, also invalid ones.

        Returns
        -------
        tuple
            Valid polygons, and the number of that which each comes from.

        Raises
        ------
        SceneError
            If the tie points are not in order.
        """
        import shapely  # late: an extra

        outline = shapely.Polygon(self.outline())
        if not shapely.is_valid(outline):
            raise SceneError(
                "the tie points of the scene are not in order: it crosses itself"
            )
        parts, numbers = _clipped(polygons, outline)
        if len(parts):
            kind, points, (rings, wholes) = shapely.to_ragged_array(parts)
            points = self.positions(points) + 0.5
            close_rings(points, rings)
            parts = shapely.from_ragged_array(kind, points, (rings, wholes))
        return np.asarray(parts), numbers


def pixel_areas(frame: Frame) -> Iterator[tuple[slice, Float64]]:
    """Yield bands of rows with the area of a pixel in each column, in square kilometres.

    Areas are those on the ellipsoid, taken from blocks of 64 x 64 pixels; all rows of a
    band have the same.
    """
    height, width = frame.grid.shape
    columns = np.append(np.arange(0, width, _BLOCK), width)
    for rows in row_bands(height, _BLOCK):
        edges = np.array([rows.start, rows.stop]) - 0.5
        corners = on_ellipsoid(unit_vectors(*frame.tie_points.places(edges, columns - 0.5)))
        one, other = corners[1, 1:] - corners[0, :-1], corners[1, :-1] - corners[0, 1:]
        block = np.linalg.norm(np.cross(one, other), axis=-1) / 2
        n_columns = np.diff(columns)
        pixel = block / ((rows.stop - rows.start) * n_columns)
        yield rows, pixel.repeat(n_columns)


def _with_ends(points: Float64, n_pixels: int) -> Float64:
    """Return the positions of tie points within an axis, and both ends beyond it."""
    first, last = -0.5 - _MARGIN, n_pixels - 0.5 + _MARGIN
    inner = points[(points > first) & (points < last)]
    return np.concatenate([[first], inner, [last]])


def _made_valid(polygons: NDArray[Any]) -> NDArray[Any]:
    """Return polygons without crossings and spikes, those that overlap merged."""
    import shapely  # late: an extra

    valid = polygons.copy()
    is_broken = ~shapely.is_valid(polygons)
    valid[is_broken] = shapely.make_valid(
        polygons[is_broken], method="structure", keep_collapsed=False
    )
    return valid


def _clipped(polygons: NDArray[Any], outline: Any) -> tuple[NDArray[Any], IntArray]:
    """Return the parts of polygons within an outline, and the number of their polygon."""
    import shapely  # late: an extra

    shapely.prepare(outline)
    numbers = np.flatnonzero(
        shapely.intersects(shapely.box(*shapely.bounds(polygons).T), outline)
    )
    near = _made_valid(polygons[numbers])
    is_cut = ~shapely.contains_properly(outline, near)
    near[is_cut] = shapely.intersection(near[is_cut], outline)
    # Polygons that touch the outline leave lines and points, within collections too.
    parts, whole = shapely.get_parts(near, return_index=True)
    is_polygon = shapely.get_dimensions(parts) == 2
    is_polygon &= ~shapely.is_empty(parts)
    return parts[is_polygon], numbers[whole[is_polygon]]
