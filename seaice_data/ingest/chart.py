"""Ice charts in SIGRID-3, burnt into the pixels of a scene.

What a service publishes is read as it is: any projection, field names in any case, codes
as text or numbers, missing ones as null, blank or -9. The codes reach the scene file
unchanged but for their form (two digits, ``-9`` where none is given), so that classes are
decided when the file is read.
"""

import logging
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.egg_codes import COLUMNS, SIC_CLASSES, PolygonTable
from seaice_data.errors import SceneError
from seaice_data.ingest.charts.burning import NO_POLYGON, burn
from seaice_data.ingest.charts.files import (
    ChartFile,
    ChartPolygons,
    NoChartError,
    chart_errors,
    find_charts,
    read_polygons,
)
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.parts import BurntChart
from seaice_data.ingest.places.placing import pixel_areas
from seaice_data.texts import printable, shortened

log = logging.getLogger(__name__)

SERVICES: Mapping[str, str] = {
    **{name: name for name in ("aari", "bsh", "cis", "dmi", "fmi", "jma", "nic", "smhi")},
    **dict.fromkeys(("metno", "nis", "nmi"), "nis"),
    "usnic": "nic",
}
"""Ice services by the words in names of charts that mean them."""

OTHER = "other"
"""The service of a chart that does not name one."""

_HEADER = ("poly_id", *COLUMNS, "CN", "CD", "CF", "POLY_TYPE")
_TYPE_FIELDS = ("POLY_TYPE", "POLYTYPE", "POLY_TYP")
_TYPES = {"I": "I", "ICE": "I", "W": "W", "WATER": "W"}
_NONE = ("", "-9", "9-", "NONE", "NULL", "NAN")
_WHOLE = re.compile(r"([+-]?[0-9]{1,9})(?:\.0*)?")
_LARGEST_ID = 2**24


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The polygons of a chart, with codes in the form of raw scenes."""

    ids: IntArray

    types: NDArray[Any]
    """``I``, ``W``, or nothing for polygons that are not burnt."""

    fields: Mapping[str, NDArray[Any]]

    def row(self, number: int) -> str:
        """Return the egg code of a polygon."""
        codes = [self._text(name, number) for name in _HEADER[1:-1]]
        return ";".join([str(self.ids[number]), *codes, self.types[number]])

    def _text(self, name: str, number: int) -> str:
        if name not in self.fields:
            return "-9"
        text = _code(self.fields[name][number], n_digits=4 if name == "CF" else 2)
        if ";" in text:
            raise SceneError(
                f"{name} of polygon {self.ids[number]} is {text!r}, not a code"
            )
        return text


def read_chart(path: str | Path, frame: Frame, service: str | None = None) -> BurntChart:
    """Burn an ice chart into the pixels of a scene.

    Parameters
    ----------
    path
        A shapefile, a GeoPackage, GeoJSON, FlatGeobuf, or a zip or tar file with one of
        them; or a folder of charts. Of several charts the one that is nearest to the scene
        in time is taken among those that overlap it, the one that covers most of it if
        several are equally near. The time of a chart is that in the name of its layer, its
        file or its archive; charts without one come last.
    frame
        The scene.
    service
        Ice service that made the chart, 2 to 12 letters and digits; by default the one in
        the name of the chart or its file, else ``other``.

    Returns
    -------
    BurntChart
        Polygons of ice (``POLY_TYPE`` I) and water (W) with at least one pixel. Their ids
        are their positions in the chart, from 1, or those of its field ``POLY_ID`` if all
        are whole, positive and different. Pixels whose centre is in none of them, or in
        land, an ice shelf or a polygon without data, are -1. A chart of another day is
        accepted: compare `BurntChart.valid` with the scene.

    Raises
    ------
    SceneError
        If there is no chart, it cannot be read or has no field ``CT``, does not say where
        it is, contains a value that is not a code, or shows no ice and no water in the
        scene. A damaged chart in a folder, too, unless one nearer in time is taken.

    Notes
    -----
    Fields are those of SIGRID-3 (JCOMM Technical Report 23), their names in any case. In
    a chart without ``POLY_TYPE`` a polygon with a code ``CT`` is ice or water by that code.
    A file without a coordinate reference system is read as longitudes and latitudes
    (WGS 84) if its coordinates can be nothing else.

    Where polygons overlap, land prevails over ice and water, later polygons over earlier
    ones. Borders are exact to about a metre.
    """
    path = Path(path)
    if service is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{1,11}", service):
        raise SceneError(
            f"service {printable(service)!r} is not a name of 2 to 12 letters and digits",
            hint="give a short one, such as cis, dmi or nic",
        )
    with tempfile.TemporaryDirectory() as scratch:
        charts = find_charts(path, Path(scratch))
        chart, burnt = _nearest(path, charts, frame, Path(scratch))
    if len(charts) > 1:
        log.info("%s: took %s of %d charts", path, chart.shown, len(charts))
    return BurntChart(
        polygon_ids=burnt.ids,
        rows=burnt.rows,
        service=service.lower() if service else _service_in(chart),
        name=chart.name,
        valid=chart.time,
        without_class_km2=burnt.without_class_km2,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Burnt:
    ids: IntArray
    rows: tuple[str, ...]
    without_class_km2: Mapping[str, Mapping[str, float]]
    km2: float


def _nearest(
    path: Path, charts: Sequence[ChartFile], frame: Frame, scratch: Path
) -> tuple[ChartFile, _Burnt]:
    """Return the first chart in order of time that shows something in the scene."""

    def delay(chart: ChartFile) -> timedelta:
        return abs(chart.time - frame.middle) if chart.time else timedelta.max

    problems = []
    for _, equal in groupby(sorted(charts, key=delay), key=delay):
        best: tuple[ChartFile, _Burnt] | None = None
        for chart in equal:
            try:
                burnt = _burnt(chart, read_polygons(chart, scratch), frame)
            except (NoChartError, _ElsewhereError) as error:
                problems.append(error)
                continue
            if best is None or burnt.km2 > best[1].km2:
                best = chart, burnt
        if best is not None:
            return best
    elsewhere = [error for error in problems if isinstance(error, _ElsewhereError)]
    if len(elsewhere) > 1:
        raise SceneError(
            f"none of the {len(elsewhere)} charts in {str(path)!r} shows ice or water in "
            "the scene",
            hint="take a chart of the region of the scene",
        )
    raise (elsewhere or problems)[0]


class _ElsewhereError(SceneError):
    """The chart shows nothing in the scene."""


def _burnt(chart: ChartFile, polygons: ChartPolygons, frame: Frame) -> _Burnt:
    """Burn a chart."""
    with chart_errors(chart.shown):
        try:
            table = _read_table(polygons.fields)
            numbers = burn(polygons.shapes, polygons.crs, table.types != "", frame)
            km2 = _areas(numbers, len(table.ids), frame)
            present = np.flatnonzero(km2)
            if not len(present):
                raise _ElsewhereError(
                    "the chart shows no ice and no water in the scene, which is at "
                    f"{_place(frame)}",
                    hint="take a chart of the region of the scene",
                )
            rows = (";".join(_HEADER), *(table.row(int(number)) for number in present))
            codes = PolygonTable.parse(rows)
        except SceneError as error:
            raise type(error)(f"{chart.shown}: {error}", hint=error.hint) from None
    _renumber(numbers, table.ids)
    without = codes.codes_without_class(midpoints=True)
    return _Burnt(
        ids=numbers,
        rows=rows,
        without_class_km2={
            name: {f"{c:02d}": float(km2[present[at]].sum()) for c, at in found.items()}
            for name, found in without.items()
        },
        km2=float(km2.sum()),
    )


def _read_table(fields: Mapping[str, NDArray[Any]]) -> _Table:
    """Return the types, ids and fields of the polygons of a chart."""
    totals = np.array([_code(value) for value in fields["CT"]], object)
    name = next((name for name in _TYPE_FIELDS if name in fields), None)
    if name is None:
        types = np.array(["" if total == "-9" else _type_of(total) for total in totals])
    else:
        types = np.array([_TYPES.get(_text(value).upper(), "") for value in fields[name]])
    if not (types != "").any():
        raise NoChartError("no polygon of the chart is ice (POLY_TYPE I) or water (W)")
    ids: IntArray = np.arange(1, len(types) + 1)
    given = fields.get("POLY_ID", fields.get("POLYID"))
    if given is not None:
        ids = _own_ids(given, types != "", ids)
    return _Table(ids, types, fields)


def _type_of(total: str) -> str:
    """Return whether a concentration is that of ice or water."""
    is_water = _WHOLE.fullmatch(total) is not None and SIC_CLASSES.get(int(total)) == 0
    return "W" if is_water else "I"


def _own_ids(values: NDArray[Any], is_shown: Mask, numbers: IntArray) -> IntArray:
    """Return the ids that a chart gives its polygons, if they can serve as such."""
    found = [_WHOLE.fullmatch(_text(value)) for value in values[is_shown]]
    ids = [int(match[1]) for match in found if match is not None]
    if len(set(ids)) < len(found) or not 1 <= min(ids) <= max(ids) <= _LARGEST_ID:
        return numbers
    own = numbers.copy()
    own[is_shown] = ids
    return own


def _text(value: object) -> str:
    """Return a value of a field as text; null and NaN as nothing."""
    if value is None or value != value:  # NaN differs from itself
        return ""
    return printable(str(value).strip())


def _code(value: object, n_digits: int = 2) -> str:
    """Return a code as raw scenes have it; what is not a number stays as it is.

    Examples
    --------
    >>> [_code(value) for value in (91.0, 2, "00", " 8", None, "-9", "", "55.0")]
    ['91', '02', '00', '08', '-9', '-9', '-9', '55']
    >>> [_code(value, n_digits=4) for value in ("99-9", 499.0, "0499", "-9-9", -9)]
    ['99-9', '0499', '0499', '-9-9', '-9']
    """
    text = _text(value)
    if text.upper() in _NONE:
        return "-9"
    number = _WHOLE.fullmatch(text)
    if number is None:
        return shortened(text, 20)
    return "-9" if int(number[1]) == -9 else f"{int(number[1]):0{n_digits}d}"


def _areas(numbers: IntArray, n_polygons: int, frame: Frame) -> FloatArray:
    """Return the area of each polygon in the scene, in square kilometres."""
    km2 = np.zeros(n_polygons + 1)
    for rows, pixel in pixel_areas(frame):
        band = numbers[rows]
        weights = np.broadcast_to(pixel, band.shape).ravel()
        km2 += np.bincount(band.ravel() - NO_POLYGON, weights, minlength=n_polygons + 1)
    return km2[1:]


def _renumber(numbers: IntArray, ids: IntArray) -> None:
    """Replace positions of polygons by their ids, in place."""
    table = np.append(ids, NO_POLYGON).astype(np.int32)  # -1 takes the last one
    for row in numbers:
        row[...] = table[row]


def _service_in(chart: ChartFile) -> str:
    """Return the service that the names of a chart mention, nearest name first."""
    for name in (chart.name, *reversed(chart.members), chart.path.name):
        for word in re.split(r"[^a-z]+", name.lower()):
            if word in SERVICES:
                return SERVICES[word]
    return OTHER


def _place(frame: Frame) -> str:
    """Return the middle of a scene in words."""
    middle = [np.array([(n - 1) / 2]) for n in frame.grid.shape]
    latitude, longitude = (float(value[0, 0]) for value in frame.tie_points.places(*middle))
    north, east = "NS"[latitude < 0], "EW"[longitude < 0]
    return f"{abs(latitude):.1f} {north}, {abs(longitude):.1f} {east}"
