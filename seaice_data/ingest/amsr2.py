"""Bring AMSR2 swaths to the 2 km cells of a scene.

``read_amsr2`` finds the swaths that see the scene, and takes each cell from the one nearest
in time. `swaths.files` says which channels are taken from which kind of file,
`swaths.footprints` how samples are weighted.
"""

import logging
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.arrays import FloatArray, Mask
from seaice_data.errors import SceneError
from seaice_data.geolocation import unit_vectors
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.parts import CellFields
from seaice_data.ingest.swaths.files import (
    LAYOUTS,
    VARIABLES,
    Frequency,
    SwathFile,
    open_swath,
)
from seaice_data.ingest.swaths.footprints import Neighbours
from seaice_data.scenes.listing import as_paths, list_files
from seaice_data.system.files import file_errors
from seaice_data.texts import time_in_words

log = logging.getLogger(__name__)

_SUFFIXES = (".h5", ".nc")
_MARGIN_KM = 60.0  # samples so far from a scene have no weight in it
_EARTH_KM = 6371.0


def read_amsr2(
    paths: str | Path | Sequence[str | Path], frame: Frame, max_delay_hours: float = 12.0
) -> CellFields:
    """Read the AMSR2 brightness temperatures that belong to a scene.

    Of all swaths that see a part of the scene at most `max_delay_hours` before or after its
    middle, each cell is taken from the nearest in time. Cells that none of them covers are
    NaN: more than 2.5 km beside a swath (89 GHz: 2 km), or where samples are missing. L1R
    and L1B of the same granule count once, as L1R.

    Flags of radio interference (``Pixel Data Quality``) are not applied.

    Parameters
    ----------
    paths
        Files and folders. In folders and below them, files that end in .h5 or .nc are
        tried, and those that are not swaths are passed over; links are followed, hidden
        files left out.
    frame
        The scene.
    max_delay_hours
        Longest time between a swath and the scene.

    Returns
    -------
    CellFields
        14 fields in kelvin, float32; all NaN if no swath fits. Attributes:

        - ``AMSR2_swaths``: names of the granules, nearest in time first; a list as text if
          there are several, empty if there are none;
        - ``AMSR2_S1_delays``: seconds from the middle of the scene to the scans that see
          it, one number or an array in the same order; NaN if there are none;
        - ``AMSR2_product``: level, and which footprints were taken;
        - ``AMSR2_gridding``: how samples were brought to cells;
        - ``AMSR2_note``: why there are none, in one line; empty otherwise.

    Raises
    ------
    SceneError
        If there is no swath at all, a file is damaged or lacks something, a path is
        missing, or `max_delay_hours` is not a positive number.
    """
    if not max_delay_hours > 0:
        raise SceneError(f"the longest delay must be above 0 hours, got {max_delay_hours}")
    middle = frame.middle if frame.middle.tzinfo else frame.middle.replace(tzinfo=UTC)
    window = _Window(middle, max_delay_hours)
    cells = _Cells.of(frame)
    with ExitStack() as opened:
        swaths = _open_swaths(as_paths(paths), window, opened)
        views = [*filter(None, (_look(swath, cells, window) for swath in swaths))]
        views.sort(key=lambda view: abs(view.delay_s))
        fields, used = _join(views, cells, frame.cell_shape)
    note = ""
    if not used:
        names = ", ".join(repr(view.swath.granule) for view in views)
        lost = f"all samples of {names} in the scene are missing"
        note = lost if views else window.in_words()
        log.info("%s", note)
    return CellFields(fields, _attributes(used, note))


@dataclass(frozen=True)
class _Cells:
    """The centres of the cells of a scene."""

    vectors: FloatArray
    centre: FloatArray
    radius_km: float

    @classmethod
    def of(cls, frame: Frame) -> "_Cells":
        vectors = unit_vectors(*frame.cell_places).reshape(-1, 3)
        middle = vectors.mean(axis=0)
        centre = middle / np.linalg.norm(middle)
        chord = np.linalg.norm(vectors - centre, axis=1).max(initial=0)
        return cls(vectors, centre, float(chord) * _EARTH_KM)

    def is_near(self, points: FloatArray, margin_km: float) -> Mask:
        """Return which points are at most `margin_km` from the circle around the cells."""
        chord = np.linalg.norm(points - self.centre, axis=-1)
        near: Mask = chord * _EARTH_KM <= self.radius_km + margin_km  # false for NaN
        return near


@dataclass(frozen=True)
class _View:
    """The part of a swath that sees the scene."""

    swath: SwathFile
    rows: slice
    delay_s: float


@dataclass
class _Window:
    """The time around a scene in which swaths are taken, and those that were not."""

    middle: datetime
    max_delay_hours: float
    granules: set[str] = field(default_factory=set)
    nearest: tuple[bool, float, str] = (False, np.inf, "")
    """Of the swaths not taken: whether it sees the scene, seconds after it, its name."""

    def contains(self, delay_s: float) -> bool:
        return abs(delay_s) <= self.max_delay_hours * 3600

    def reject(self, granule: str, delay_s: float, *, sees_scene: bool) -> None:
        self.granules.add(granule)
        known = self.nearest
        if (sees_scene, -abs(delay_s)) > (known[0], -abs(known[1])):
            self.nearest = sees_scene, delay_s, granule

    def in_words(self) -> str:
        sees_scene, delay_s, granule = self.nearest
        hours = abs(delay_s) / 3600
        when = f"{hours:.1f} h {'after' if delay_s > 0 else 'before'} it"
        many = f"{len(self.granules)} AMSR2 swath{'s' * (len(self.granules) > 1)}"
        beside = self.contains(delay_s) and not sees_scene
        return (
            f"none of {many} sees the scene of {time_in_words(self.middle)} within "
            f"{self.max_delay_hours:g} h: the nearest in time, {granule!r}, "
            + (f"passes beside it, {when}" if beside else f"is {when}")
        )


def _open_swaths(paths: list[Path], window: _Window, opened: ExitStack) -> list[SwathFile]:
    """Open the swaths near in time; of each granule, the file of the best level."""
    best: dict[str, SwathFile] = {}
    n_other = 0
    for path, is_named in _candidates(paths):
        swath = open_swath(path)
        if swath is None and is_named:
            raise SceneError(
                f"{str(path)!r} is not an AMSR2 swath of level L1R or L1B",
                hint="their names contain L1SGRTBR or L1SGBTBR",
            )
        if swath is None:
            n_other += 1
            continue
        with ExitStack() as closing:
            closing.callback(swath.close)
            earliest = _smallest(swath.scan_times(window.middle))
            other = best.get(swath.granule)
            if not window.contains(earliest):
                window.reject(swath.granule, earliest, sees_scene=False)
            elif other is None or _rank(swath) < _rank(other):
                best[swath.granule] = swath
                opened.push(closing.pop_all())
    if not best and not window.granules:
        there = ", ".join(repr(str(path)) for path in paths)
        files = "1 file there is" if n_other == 1 else f"{n_other} files there are"
        more = f"; {files} of another kind" if n_other else ""
        raise SceneError(
            f"no AMSR2 swath in {there or 'no path'}{more}",
            hint="L1R and L1B files end in .h5; unpack those that end in .gz",
        )
    return [*best.values()]


def _rank(swath: SwathFile) -> int:
    return LAYOUTS.index(swath.layout)


def _candidates(paths: list[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield files, and whether they were named by the caller rather than found."""
    for path in paths:
        with file_errors(path):
            try:
                is_folder = stat.S_ISDIR(path.stat().st_mode)
            except FileNotFoundError:
                raise SceneError(f"no file or folder at {str(path)!r}") from None
        if not is_folder:
            yield path, True
            continue
        for suffix in _SUFFIXES:
            listing = list_files(path, suffix)
            if listing.failed:
                raise SceneError(listing.failed[0].reason, hint=listing.failed[0].hint)
            for found in listing.paths:
                yield found, False


def _look(swath: SwathFile, cells: _Cells, window: _Window) -> _View | None:
    """Return how a swath sees the scene; None if it does not, or too early or late."""
    times = swath.scan_times(window.middle)
    delay, sees_scene = _smallest(times), False
    rows = _rows_near(swath, cells, len(times))
    if rows is not None:
        points = swath.points(rows)
        scans = np.repeat(np.arange(rows.start, rows.stop), points.shape[1])
        points = points.reshape(-1, 3)
        usable = cells.is_near(points, _MARGIN_KM) & np.isfinite(times[scans])
        reach_km = swath.layout.frequencies[0].reach_km
        seen = Neighbours(points[usable], cells.vectors, reach_km)
        if seen.is_covered.any():
            sees_scene = True
            delay = float(times[scans[usable][seen.nearest[seen.is_covered]]].mean())
    if not (rows and sees_scene and window.contains(delay)):
        window.reject(swath.granule, delay, sees_scene=sees_scene)
        return None
    return _View(swath, rows, round(delay, 1))


def _smallest(times: FloatArray) -> float:
    """Return the time nearest to 0."""
    return float(times[np.nanargmin(np.abs(times))])


def _rows_near(swath: SwathFile, cells: _Cells, n_scans: int) -> slice | None:
    """Return the scans that may see the scene, or None."""
    # Every fourth scan and every eighth point are less than 45 km apart.
    points = swath.points(slice(0, n_scans), steps=(4, 8))
    near = np.flatnonzero(cells.is_near(points, _MARGIN_KM + 45).any(axis=1))
    if not near.size:
        return None
    return slice(max(4 * int(near[0]) - 4, 0), min(4 * int(near[-1]) + 5, n_scans))


def _join(
    views: list[_View], cells: _Cells, shape: tuple[int, int]
) -> tuple[dict[str, FloatArray], list[_View]]:
    """Fill cells swath by swath; return the fields, and the swaths that are in them."""
    fields = {name: np.full(len(cells.vectors), np.nan, np.float32) for name in VARIABLES}
    used = []
    for view in views:
        n_new = 0
        for name, values in _fields_of(view, cells, fields):
            new = np.isnan(fields[name]) & np.isfinite(values)
            fields[name][new] = values[new]
            n_new += int(np.count_nonzero(new))
        if n_new:
            used.append(view)
    return {name: plane.reshape(shape) for name, plane in fields.items()}, used


def _fields_of(
    view: _View, cells: _Cells, fields: dict[str, FloatArray]
) -> Iterator[tuple[str, FloatArray]]:
    """Yield the channels of a swath on the cells; NaN where they are not needed."""
    known: dict[bytes, Neighbours] = {}
    for frequency in view.swath.layout.frequencies:
        names = [frequency.variable + polarisation for polarisation in "hv"]
        empty = np.any([np.isnan(fields[name]) for name in names], axis=0)
        if not empty.any():
            continue
        values, samples = _samples(view, frequency, cells)
        # Frequencies of L1R have their samples at the same places.
        key = samples.tobytes() + empty.tobytes()
        if key not in known:
            known[key] = Neighbours(samples, cells.vectors[empty], frequency.reach_km)
        estimates = known[key].estimate(values, frequency.footprint_km)
        for name, estimate in zip(names, estimates, strict=True):
            plane = np.full(len(cells.vectors), np.nan)
            plane[empty] = estimate
            yield name, plane


def _samples(
    view: _View, frequency: Frequency, cells: _Cells
) -> tuple[FloatArray, FloatArray]:
    """Return the values of samples near the scene, shape ``(2, sample)``, and places."""
    places = view.swath.places(frequency, view.rows)
    values = view.swath.brightness(frequency, view.rows)
    if values.shape[1] != len(places):
        raise SceneError(
            f"{str(view.swath.path)!r}: {frequency.datasets[0].format('H')!r} has "
            f"{values.shape[1]} samples for {len(places)} places"
        )
    usable = cells.is_near(places, _MARGIN_KM) & np.isfinite(values).all(axis=0)
    return values[:, usable], places[usable]


def _attributes(used: list[_View], note: str) -> dict[str, Any]:
    names = [view.swath.granule for view in used]
    delays = [view.delay_s for view in used]
    products = dict.fromkeys(view.swath.layout.description for view in used)
    return {
        "AMSR2_swaths": str(names) if len(names) > 1 else "".join(names),
        "AMSR2_S1_delays": (
            np.array(delays) if len(delays) > 1 else float(delays[0]) if delays else np.nan
        ),
        "AMSR2_product": "; ".join(products),
        "AMSR2_gridding": (
            "best linear estimate of a footprint at each cell, from the samples around it "
            "(Backus-Gilbert); not extrapolated"
        ),
        "AMSR2_note": note,
    }
