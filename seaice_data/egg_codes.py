"""Turn egg codes of an ice chart (SIGRID-3) into classes, and polygon maps into charts.

- ``PolygonTable`` reads the ``polygon_codes`` of a raw scene, one row per polygon;
- ``PolygonTable.classes`` decides which ice type dominates a polygon, if any does;
- ``paint_charts`` gives each pixel the classes of its polygon;
- ``PolygonTable.bounds`` returns concentrations as ranges, exact for every code.

Tables and rules are those of the authors' published script, quirks included: polygons
get the same classes. Whether that script made the charts of the dataset is inferred.
Codes for intervals of concentration, which the script does not know, become a class only
if asked to (``midpoints``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray, FloatArray, IntArray, Mask
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import SceneError, SettingsError

NOT_GIVEN = -9
"""Marks a code that the analyst left out."""

COLUMNS = ("CT", "CA", "SA", "FA", "CB", "SB", "FB", "CC", "SC", "FC")
"""Codes that decide classes: total concentration; partial, stage, floe of types A to C."""

SIC_CLASSES: Mapping[int, int] = {
    **dict.fromkeys((0, 1, 2, 55), 0),
    **{10 * tenths: tenths for tenths in range(1, 10)},
    **dict.fromkeys((91, 92), 10),
}
"""Class of each concentration code; all others have none."""

INTERVAL_CODES: Mapping[int, tuple[int, int]] = {
    **{10 * low + high: (low, high) for high in range(2, 10) for low in range(1, high)},
    **{10 * low + 1: (low, 10) for low in range(2, 9)},
}
"""Lowest and highest tenths of each code for an interval of concentration.

The first digit is the lowest, the second one the highest, where 1 stands for ten tenths:
46 is 4 to 6, 71 is 7 to 10. 91 (more than nine tenths), 92 and 55 (ice free) are codes of
their own (SIGRID-3, table of concentrations)."""

_BOUNDS: Mapping[int, tuple[int, int]] = {
    **dict.fromkeys((0, 55), (0, 0)),
    **dict.fromkeys((1, 2), (0, 1)),  # open water and bergy water: below one tenth
    **{10 * tenths: (tenths, tenths) for tenths in range(1, 10)},
    91: (9, 10),
    92: (10, 10),
    **INTERVAL_CODES,
}

CONCENTRATIONS = ("CT", "CA", "CB", "CC")
"""Columns with codes of concentration."""

SOD_CLASSES: Mapping[int, int] = {
    **dict.fromkeys((0, 80), 0),
    **dict.fromkeys((81, 82), 1),
    **dict.fromkeys((83, 84, 85), 2),
    **dict.fromkeys((87, 88, 89), 3),
    **dict.fromkeys((86, 91, 93), 4),
    **dict.fromkeys((95, 96, 97), 5),
    **dict.fromkeys((98, 99), CHART_FILL),
}
"""Class of each code for the stage of development."""

FLOE_CLASSES: Mapping[int, int] = {
    0: 0,
    2: 1,
    3: 2,
    4: 3,
    5: 4,
    **dict.fromkeys((6, 7), 5),
    **dict.fromkeys((9, 10), 6),
    **dict.fromkeys((1, 8, 21, 22), CHART_FILL),
}
"""Class of each code for the form of ice."""

SIC_CODES = ("01", *(f"{10 * tenths}" for tenths in range(1, 10)), "92")
"""A code for each class of concentration: open water (below one tenth) to ten tenths."""

SOD_CODES = ("-9", "81", "83", "87", "93", "95")
"""A code for each stage of development: none, new, young, thin and thick first-year, old
ice. A class covers several codes; the one listed has the name of the class."""

FLOE_CODES = ("-9", "02", "03", "04", "05", "06", "10")
"""A code for each floe size: none, cake, small, medium, big, vast floe, icebergs."""

# Codes outside the tables stay apart from all classes and from each other.
_UNLISTED = 1000

_LARGEST_SIC = max(SIC_CLASSES.values())

# A raw scene has ids as float32, which is exact for whole numbers up to here.
_LARGEST_ID = 2**24

# Egg codes have two digits; longer ones pass as codes without a class.
_LARGEST_CODE = 9999

# `int` would also accept digits of other scripts, and numbers of any length.
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}")

_SHOWN = 100  # characters of a row in a message


@dataclass(frozen=True, slots=True, eq=False)
class PolygonTable:
    """The polygons of an ice chart with their egg codes; -9 where none is given."""

    ids: IntArray
    """Polygon id, shape ``(polygon,)``, as in the polygon map."""

    codes: IntArray
    """Egg codes, shape ``(polygon, column)``, columns as in ``COLUMNS``."""

    is_water: Mask
    """True for polygons that the analyst marked as water."""

    @classmethod
    def parse(cls, rows: Sequence[str]) -> "PolygonTable":
        """Read the header row and the ``;``-separated rows after it.

        Blanks around codes, and blank rows, are ignored.

        Parameters
        ----------
        rows
            The strings of ``polygon_codes``, header first.

        Raises
        ------
        SceneError
            If a column is missing, a row has too few or too many values, a code is not
            a whole number, an id occurs twice, or there is no polygon.

        Examples
        --------
        >>> header = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
        >>> table = PolygonTable.parse(
        ...     [header, "29;92;30;95;05;70;93;08;-9;-9;-9;-9;-9;08-9;I"]
        ... )
        >>> table.ids, table.classes()
        (array([29]), array([[ 10,   4, 255]], dtype=uint8))
        """
        header, *body = [row for row in rows if row.strip()] or [""]
        names = [name.strip() for name in header.split(";")]
        for name in ("poly_id", *COLUMNS, "POLY_TYPE"):
            if name not in names:
                raise SceneError(
                    f"polygon codes have no column {name!r}: {_quoted(header)}"
                )
        records = [_record(names, row) for row in body]
        if not records:
            raise SceneError("polygon codes contain no polygon")
        ids = np.array([_number(record, "poly_id") for record in records])
        _check_ids(ids)
        codes = np.array(
            [[_number(record, name) for name in COLUMNS] for record in records]
        )
        types = [record["POLY_TYPE"].upper() for record in records]
        return cls(ids=ids, codes=codes, is_water=np.array([kind == "W" for kind in types]))

    def column(self, name: str) -> IntArray:
        """Return the codes of one column, for instance ``"CT"``."""
        return self.codes[:, COLUMNS.index(name)]

    def bounds(self, name: str) -> FloatArray:
        """Return the lowest and highest concentration of a column, in tenths.

        Parameters
        ----------
        name
            One of ``CONCENTRATIONS``.

        Returns
        -------
        FloatArray
            Shape ``(polygon, 2)``; NaN where no concentration is given, or an unknown one.

        Raises
        ------
        SettingsError
            If the column does not contain concentrations.

        Examples
        --------
        >>> header = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
        >>> table = PolygonTable.parse(
        ...     [header, "7;79;46;95;05;30;87;04;-9;-9;-9;-9;-9;-9;I"]
        ... )
        >>> table.bounds("CT"), table.bounds("CA"), table.bounds("CC")
        (array([[7., 9.]]), array([[4., 6.]]), array([[nan, nan]]))
        """
        if name not in CONCENTRATIONS:
            raise SettingsError(
                f"column {name!r} does not contain concentrations",
                hint=f"columns that do: {', '.join(CONCENTRATIONS)}",
            )
        unknown = (np.nan, np.nan)
        codes = self.column(name).tolist()
        return np.array([_BOUNDS.get(code, unknown) for code in codes], dtype=np.float64)

    def classes(self, threshold: float = 0.65, *, midpoints: bool = False) -> ChartArray:
        """Return the classes of every polygon.

        Parameters
        ----------
        threshold
            Share of the total concentration at which an ice type dominates. If none
            does (mixed ice), the stage of development or floe size is 255.
        midpoints
            Whether a code for an interval of concentration (``INTERVAL_CODES``) stands for
            its mid-point. Otherwise such a total has no class, as in the published
            script, and such a part counts as no ice.

        Returns
        -------
        ChartArray
            Shape ``(polygon, chart)``, charts as in ``CHARTS``; 255 where there is none.

        Raises
        ------
        SettingsError
            If `threshold` is not above 0 and at most 1.

        Notes
        -----
        The published charts were made with 0.65, as far as we know; the first edition of
        the dataset used 0.70 for SOD and 0.50 for FLOE.

        Exact are the bounds of an interval; a mid-point is a choice. SIC is the class of
        the mid-point, halves rounded up (12, one to two tenths: 2); shares of ice types
        are those of the mid-points themselves (1.5). Whether a type dominates may
        therefore differ from what every concentration within the bounds would give.
        """
        if not 0 < threshold <= 1:
            raise SettingsError(f"threshold must be in (0, 1], got {threshold}")
        tenths = self._tenths("CT", midpoints=midpoints)
        tenths[self.is_water] = 0
        partials = self._partials(tenths, midpoints=midpoints)
        total = np.floor(tenths + 0.5).astype(np.int64)
        sod = _dominant(self._types("S"), SOD_CLASSES, partials, tenths, threshold)
        floe = _dominant(self._types("F"), FLOE_CLASSES, partials, tenths, threshold)
        # One type without a floe class, such as fast ice, leaves the polygon without one.
        fill_codes = [code for code, value in FLOE_CLASSES.items() if value == CHART_FILL]
        floe[np.isin(self._types("F"), fill_codes).any(axis=1)] = CHART_FILL
        for plane in (sod, floe):
            plane[total > _LARGEST_SIC] = CHART_FILL
            plane[total == 0] = 0
        sic = np.where(total > _LARGEST_SIC, CHART_FILL, total)
        return np.stack([sic, sod, floe], axis=-1).astype(np.uint8)

    def by_id(
        self, threshold: float = 0.65, *, midpoints: bool = False
    ) -> tuple[ChartArray, Mask]:
        """Return tables to look up the classes of polygon ids.

        Parameters
        ----------
        threshold, midpoints
            As in `classes`.

        Returns
        -------
        classes : ChartArray
            Shape ``(highest id + 2, chart)``; the last row stands for no polygon.
        is_listed : Mask
            Whether there is a polygon with this id, one for each row.
        """
        no_polygon = int(self.ids.max()) + 1
        classes = np.full((no_polygon + 1, len(CHARTS)), CHART_FILL, dtype=np.uint8)
        classes[self.ids] = self.classes(threshold, midpoints=midpoints)
        is_listed = np.zeros(no_polygon + 1, dtype=np.bool_)
        is_listed[self.ids] = True
        return classes, is_listed

    def codes_without_class(
        self, *, midpoints: bool = False
    ) -> dict[str, dict[int, IntArray]]:
        """Return the codes that leave polygons without a class.

        Parameters
        ----------
        midpoints
            As in `classes`.

        Returns
        -------
        dict
            Positions in the table of the polygons that have no class and the code, by
            chart and code. Mixed ice, whose codes all have classes, is not among them; -9
            is if an ice type of the polygon lacks its code.
        """
        classes = self.classes(midpoints=midpoints)
        found: dict[str, dict[int, IntArray]] = {chart.name: {} for chart in CHARTS}
        has_type = self._types("C") != NOT_GIVEN
        has_type[:, 0] = True
        columns = {
            "SIC": (self.codes[:, :1], has_type[:, :1], {}),
            "SOD": (self._types("S"), has_type, SOD_CLASSES),
            "FLOE": (self._types("F"), has_type, FLOE_CLASSES),
        }
        for position, (chart, (codes, is_used, table)) in enumerate(columns.items()):
            has_none = (classes[:, position] == CHART_FILL)[:, np.newaxis]
            for code in np.unique(codes[is_used & has_none]).tolist():
                if table.get(code, CHART_FILL) == CHART_FILL:
                    is_here = (codes == code) & is_used & has_none
                    found[chart][code] = np.flatnonzero(is_here.any(axis=1))
        return found

    def _types(self, kind: str) -> IntArray:
        """Return the columns of ice types A, B and C, shape ``(polygon, 3)``."""
        return np.stack([self.column(kind + letter) for letter in "ABC"], axis=-1)

    def _tenths(self, name: str, *, midpoints: bool) -> NDArray[np.float64]:
        """Return concentrations in tenths, above ten where a code has no class."""
        tenths = _classes_of(self.column(name), SIC_CLASSES).astype(np.float64)
        if midpoints:
            is_interval = np.isin(self.column(name), [*INTERVAL_CODES])
            tenths[is_interval] = self.bounds(name)[is_interval].mean(axis=1)
        return tenths

    def _partials(self, total: FloatArray, *, midpoints: bool) -> NDArray[np.float64]:
        """Return partial concentrations in tenths; a lone type covers the total."""
        parts = [self._tenths(name, midpoints=midpoints) for name in CONCENTRATIONS[1:]]
        partials = np.stack(parts, axis=-1)
        partials[partials > _LARGEST_SIC] = 0
        is_alone = self.column("CA") == NOT_GIVEN
        partials[:, 0] = np.where(is_alone, total, partials[:, 0])
        return partials


def paint_charts(
    polygon_id: FloatArray | IntArray,
    table: PolygonTable,
    threshold: float = 0.65,
    *,
    midpoints: bool = False,
) -> ChartArray:
    """Give each pixel the classes of its polygon.

    Parameters
    ----------
    polygon_id
        Shape ``(y, x)``. In a float map NaN means no polygon; in an integer map every
        pixel has one.
    table
        The polygons of the chart.
    threshold, midpoints
        As in `PolygonTable.classes`.

    Returns
    -------
    ChartArray
        Shape ``(y, x, chart)``, charts as in ``CHARTS``; 255 where there is no polygon.

    Raises
    ------
    SceneError
        If the map contains an id that `table` does not.

    Notes
    -----
    Needs about 30 bytes of memory a pixel: paint large scenes in bands of rows.

    Examples
    --------
    >>> header = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
    >>> table = PolygonTable.parse(
    ...     [header, "7;90;-9;95;05;-9;-9;-9;-9;-9;-9;-9;-9;-9;I"]
    ... )
    >>> paint_charts(np.array([[7, np.nan]]), table)[..., 0]
    array([[  9, 255]], dtype=uint8)
    """
    classes, is_listed = table.by_id(threshold, midpoints=midpoints)
    no_polygon = len(classes) - 1
    is_empty = np.isnan(polygon_id)
    rows = np.where(is_empty, no_polygon, polygon_id)
    rows = rows.clip(0, no_polygon).astype(np.int32)
    # Ids that have a fraction, or were clipped, differ from their row.
    is_known = is_empty | (is_listed.take(rows) & (rows == polygon_id))
    if not is_known.all():
        raise unlisted(polygon_id[~is_known][0])
    return classes.take(rows, axis=0)


def unlisted(polygon_id: float) -> SceneError:
    """Return the error for a polygon map with an id that the table does not contain."""
    return SceneError(
        f"the polygon map has id {polygon_id:g}, but the polygon codes do not",
        hint="map and codes must come from the same file",
    )


def _record(names: list[str], row: str) -> dict[str, str]:
    """Return the values of a row by column."""
    values = [value.strip() for value in row.split(";")]
    if len(values) != len(names):
        raise SceneError(
            f"polygon codes have {len(names)} columns, a row has {len(values)}: "
            f"{_quoted(row)}"
        )
    return dict(zip(names, values, strict=True))


def _number(record: dict[str, str], name: str) -> int:
    if not _NUMBER.fullmatch(record[name]):
        row = ";".join(record.values())
        raise SceneError(
            f"polygon code {name} is not a whole number: {_quoted(record[name])} in "
            f"{_quoted(row)}"
        )
    number = int(record[name])
    if name in COLUMNS and abs(number) > _LARGEST_CODE:
        raise SceneError(f"polygon code {name} is {number}, which is not an egg code")
    return number


def _quoted(text: str) -> str:
    """Return a text of a file in quotes, shortened if it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _check_ids(ids: IntArray) -> None:
    """Reject ids that a polygon map cannot contain or distinguish."""
    values, counts = np.unique(ids, return_counts=True)
    if counts.max() > 1:
        raise SceneError(f"polygon id {values[counts.argmax()]} occurs twice")
    if values[0] < 0 or values[-1] > _LARGEST_ID:
        outside = values[0] if values[0] < 0 else values[-1]
        raise SceneError(f"polygon id {outside} is outside 0 to {_LARGEST_ID}")


def _classes_of(codes: IntArray, table: Mapping[int, int]) -> NDArray[np.int64]:
    """Look up the class of each code; a code without one stays apart from the others."""
    classes = [table.get(code, _UNLISTED + abs(code)) for code in codes.ravel().tolist()]
    return np.array(classes, dtype=np.int64).reshape(codes.shape)


def _dominant(
    codes: IntArray,
    table: Mapping[int, int],
    partials: NDArray[np.float64],
    total: NDArray[np.float64],
    threshold: float,
) -> NDArray[np.int64]:
    """Return the class whose types cover `threshold` of the ice, 255 where none does."""
    classes = _classes_of(codes, table)
    sums = partials.copy()
    # As in the published charts a later pair replaces the sum of an earlier one, so three
    # types of one class are not added up.
    for first, partner in ((0, 1), (0, 2), (1, 2)):
        is_equal = (classes[:, first] == classes[:, partner]) & (
            codes[:, first] != NOT_GIVEN
        )
        both = partials[:, first] + partials[:, partner]
        sums[:, first] = np.where(is_equal, both, sums[:, first])
    largest = sums.argmax(axis=1)  # the first one on ties
    every = np.arange(len(codes))
    dominant = classes[every, largest]
    is_enough = sums[every, largest] / np.maximum(total, 1) >= threshold
    return np.where(is_enough & (dominant < _UNLISTED), dominant, CHART_FILL)
