"""The outline of a scene on the earth, in degrees, as well-known text (WKT)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seaice_data.geolocation import TiePoints

Ring = NDArray[np.float64]
"""Places along an outline, shape ``(place, 2)``: degrees east, degrees north."""

_SMALLEST = 1e-9  # square degrees: what is left where an outline touches a meridian


def footprint_wkt(tie_points: TiePoints) -> str:
    """Return the outline of a scene as WKT: east before north, from -180 to 180 degrees.

    An outline that crosses the date line is cut there, as GeoJSON asks for (RFC 7946,
    section 3.1.9); one around a pole includes it.

    Examples
    --------
    >>> ends = np.array([0.0, 9.0])
    >>> latitude = np.array([[70.0, 70.0], [71.0, 71.0]])
    >>> footprint_wkt(TiePoints(latitude, np.array([[8.0, 9.0], [8.0, 9.0]]), ends, ends))
    'POLYGON ((8 70, 9 70, 9 71, 8 71, 8 70))'
    >>> across = np.array([[179.0, -179.0], [179.0, -179.0]])
    >>> footprint_wkt(TiePoints(latitude, across, ends, ends))  # doctest: +ELLIPSIS
    'MULTIPOLYGON (((179 70, 180 70, 180 71, 179 71, 179 70)), ((-180 70, ... 70)))'
    """
    outline, turns = _outline(tie_points)
    parts = []
    for turn in turns:
        moved = outline + np.array([360.0 * turn, 0.0])
        part = _cut(_cut(moved, -180.0, 1), 180.0, -1)
        if _area(part) > _SMALLEST:
            parts.append(f"({_listed(part)})")
    if len(parts) == 1:
        return f"POLYGON ({parts[0]})"
    return f"MULTIPOLYGON (({'), ('.join(parts)}))"


def _outline(tie_points: TiePoints) -> tuple[Ring, Sequence[int]]:
    """Return the outermost tie points, and by which turns they are to be moved.

    Longitudes have no jumps; moved by whole turns, each part is once between -180 and 180.
    Around a pole they make a whole turn. It is repeated on both sides and closed over the
    pole, so that the part between -180 and 180 needs no further move.
    """
    planes = (np.asarray(tie_points.longitude), np.asarray(tie_points.latitude))
    east, north = (
        np.concatenate([p[0, :-1], p[:-1, -1], p[-1, :0:-1], p[:0:-1, 0], p[:1, 0]])
        for p in planes
    )
    east = np.unwrap(east, period=360)
    outline = np.stack([east, north], axis=1)[:-1]
    turn = np.rint((east[-1] - east[0]) / 360) * np.array([360.0, 0.0])
    if not turn.any():
        return outline, (2, 1, 0, -1, -2)
    pole = np.copysign(90.0, north.mean())
    whole = np.vstack([outline - turn, outline, outline + turn])
    over = [[whole[-1, 0], pole], [whole[0, 0], pole]]
    return np.vstack([whole, over]), (0,)


def _area(ring: Ring) -> float:
    """Return the area of a ring in square degrees."""
    x, y = ring.T if len(ring) else np.zeros((2, 1))
    return float(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2)


def _cut(ring: Ring, limit: float, side: int) -> Ring:
    """Return what of a ring is east (`side` 1) or west (-1) of a meridian."""
    kept: list[tuple[float, float]] = []
    for (x, y), (next_x, next_y) in zip(
        ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True
    ):
        inside, next_inside = ((at - limit) * side >= 0 for at in (x, next_x))
        if inside:
            kept.append((x, y))
        if inside != next_inside:
            share = (limit - x) / (next_x - x)
            kept.append((limit, y + share * (next_y - y)))
    distinct = [place for k, place in enumerate(kept) if place != kept[k - 1]]
    return np.array(distinct).reshape(-1, 2)


def _listed(ring: Ring) -> str:
    """Return the places of a ring, the first one again at its end."""
    return ", ".join(f"{x:.10g} {y:.10g}" for x, y in [*ring, ring[0]])
