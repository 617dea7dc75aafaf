"""Records of SIGRID-3 from the pixels inside polygons.

A polygon whose pixels all have one class of ice gets exactly their codes. One that mixes
them (small areas merged into it, `--min-area`) gets an egg code: the mean concentration of
its pixels, and up to three stages of development with their shares of it.

The three charts of a map are predicted separately, and may contradict each other. Then the
concentration decides: water has neither stage nor form, whatever the others say, and the
stage or form of ice that SOD or FLOE takes for open water is not known (`consistent`).

Fields, by JCOMM Technical Report 23 (WMO/TD-No. 1214), all of them text, "-9" if not given:

- ``CT`` total concentration; ``CA``, ``CB``, ``CC`` those of up to three stages, from the
  oldest to the youngest (``CA`` is -9 where there is one stage, which has all of the ice);
- ``SA``, ``SB``, ``SC`` these stages; ``FA``, ``FB``, ``FC`` their predominant forms;
- ``CN`` a stage older than SA, below one tenth; ``CD`` the most frequent one that is left;
- ``CF`` predominant and secondary form of all ice; ``POLY_TYPE`` I ice or W water.

A stage or form of ice that is not known is "99", undetermined or unknown. Codes that are
read as open water say something else of ice: "80" is no stage, and "00" pancake ice.
"""

from collections.abc import Mapping

import numpy as np

from seaice_data.arrays import ChartArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import COLUMNS, FLOE_CODES, SIC_CODES, SOD_CODES, PolygonTable

CODES = (*COLUMNS, "CN", "CD", "CF", "POLY_TYPE")
"""Fields of a record, in the order of the standard."""

NOT_GIVEN = "-9"
"""Code of a field that is not given."""

Record = Mapping[str, str]
"""A code for each of `CODES`."""

_LETTERS = "ABC"
_MORE_THAN_NINE = "91"  # more than nine tenths, less than ten
_UNKNOWN = "99"
_NOT_KNOWN = 0  # position of what is water or fill: ice of this class has no known stage
_STAGES = (_UNKNOWN, *SOD_CODES[1:])
_FORMS = (_UNKNOWN, *FLOE_CODES[1:])


def consistent(classes: ChartArray) -> ChartArray:
    """Return the classes of a map as polygons with egg codes can have them.

    Where the charts contradict each other, that of concentration decides.

    Parameters
    ----------
    classes
        Shape ``(chart, y, x)``, charts as in ``CHARTS``.

    Returns
    -------
    ChartArray
        Of the same shape: SOD and FLOE are 0 where SIC is 0, and 255 instead of 0 in ice.

    Examples
    --------
    >>> sic, sod, floe = [0, 0, 2, 2], [0, 3, 0, 3], [0, 4, 4, 0]
    >>> consistent(np.array([[sic], [sod], [floe]], np.uint8))[1:, 0].tolist()
    [[0, 0, 255, 3], [0, 0, 4, 255]]
    """
    sic, others = classes[0], classes[1:]
    is_ice = (sic > 0) & (sic != CHART_FILL)
    others = np.where(is_ice & (others == 0), CHART_FILL, others)
    return np.concatenate([sic[np.newaxis], np.where(sic == 0, 0, others)])


def records_of_classes(labels: IntArray, classes: ChartArray) -> list[Record]:
    """Return the record of each region from the classes of its pixels.

    Parameters
    ----------
    labels
        Region of each pixel, shape ``(y, x)``, from 1 without gaps; 0 is none.
    classes
        Shape ``(chart, y, x)``; a stage or form that is 255, or 0 in ice, is not known, and
        no pixel of a region has a concentration of 255.

    Returns
    -------
    list of Record
        That of region 1, 2 and so on.

    Examples
    --------
    >>> labels = np.array([[1, 1, 1, 1, 0]])
    >>> sic, sod, floe = [9, 9, 9, 1, 0], [5, 5, 3, 1, 0], [4, 4, 4, 0, 0]
    >>> (found,) = records_of_classes(labels, np.array([[sic], [sod], [floe]]))
    >>> [found[name] for name in ("CT", "CA", "SA", "FA", "CB", "SB", "FB", "CD", "CF")]
    ['70', '50', '95', '05', '20', '87', '05', '81', '05-9']
    """
    n_regions = int(labels.max())
    n_pixels = np.bincount(labels.ravel(), minlength=n_regions + 1).tolist()
    shape = (n_regions + 1, len(SOD_CODES), len(FLOE_CODES))
    sic, sod, floe = (plane.astype(np.int64) for plane in classes)
    stage, form = (
        np.where(plane < n, plane, _NOT_KNOWN)
        for plane, n in ((sod, shape[1]), (floe, shape[2]))
    )
    inside = labels > 0
    cells = np.ravel_multi_index((labels[inside], stage[inside], form[inside]), shape)
    # Sums of floats are exact up to 2 ** 53.
    sums = np.bincount(cells, sic[inside], minlength=int(np.prod(shape)))
    tenths = sums.astype(np.int64).reshape(shape)
    return [_record(*region) for region in zip(tenths[1:], n_pixels[1:], strict=True)]


def records_of_table(ids: IntArray, table: PolygonTable) -> list[Record]:
    """Return the records of polygons of a chart as its table has them.

    The table has neither ``CN`` nor ``CD`` nor ``CF``: they are not given.

    Parameters
    ----------
    ids
        Ids of polygons of the table.
    table
        The polygons of a chart.
    """
    position = {int(number): k for k, number in enumerate(table.ids)}
    records = []
    for number in ids.tolist():
        row = position[number]
        codes = {
            name: NOT_GIVEN if code < 0 else f"{code:02d}"
            for name, code in zip(COLUMNS, table.codes[row].tolist(), strict=True)
        }
        kind = "W" if table.is_water[row] else "I"
        records.append(_whole(codes | {"POLY_TYPE": kind}))
    return records


def _record(tenths: IntArray, n_pixels: int) -> Record:
    """Return the record of a region from the tenths of ice that its pixels add up to.

    All is counted in whole numbers, so that a mean of 3.5 tenths is exactly that.

    Parameters
    ----------
    tenths
        Shape ``(stage, form)``.
    n_pixels
        Pixels of the region, with and without ice.
    """
    of_stages = tenths.sum(axis=1)
    total = int(of_stages.sum())
    n_tenths = (2 * total + n_pixels) // (2 * n_pixels)  # halves are rounded up
    if n_tenths == 0:
        return _whole({"CT": SIC_CODES[0], "POLY_TYPE": "W"})
    is_full = total == 10 * n_pixels
    code = _MORE_THAN_NINE if n_tenths == 10 and not is_full else SIC_CODES[n_tenths]
    parts = _divided(of_stages, n_tenths)
    # The most frequent three, ties to the older ones; in a record the oldest is first.
    frequent = sorted(np.flatnonzero(parts), key=lambda s: (-parts[s], -s))[:3]
    shown = sorted((int(stage) for stage in frequent), reverse=True)
    codes = {"CT": code, "POLY_TYPE": "I", **_others(of_stages, shown, n_pixels)}
    for letter, stage in zip(_LETTERS, shown, strict=False):
        is_alone = parts[stage] == n_tenths
        codes[f"C{letter}"] = NOT_GIVEN if is_alone else SIC_CODES[parts[stage]]
        codes[f"S{letter}"] = _STAGES[stage]
        codes[f"F{letter}"] = _FORMS[int(tenths[stage].argmax())]
    codes["CF"] = _forms(tenths.sum(axis=0))
    return _whole(codes)


def _divided(shares: IntArray, n_tenths: int) -> IntArray:
    """Divide tenths in proportion to shares: whole tenths, which add up to all of them."""
    whole, rest = np.divmod(shares * n_tenths, shares.sum())
    for stage in np.argsort(-rest, kind="stable")[: n_tenths - int(whole.sum())]:
        whole[stage] += 1
    return np.asarray(whole)


def _others(tenths: IntArray, shown: list[int], n_pixels: int) -> dict[str, str]:
    """Return codes for stages that are there but not among those shown."""
    left = [
        s for s in np.flatnonzero(tenths).tolist() if s not in shown and s != _NOT_KNOWN
    ]
    oldest = shown[0] if shown[0] != _NOT_KNOWN else len(tenths)
    traces = [s for s in left if s > oldest and tenths[s] < n_pixels]
    codes = {"CN": SOD_CODES[max(traces)]} if traces else {}
    left = [s for s in left if not traces or s != max(traces)]
    if left:
        codes["CD"] = SOD_CODES[max(left, key=lambda s: (tenths[s], s))]
    return codes


def _forms(tenths: IntArray) -> str:
    """Return the code of the predominant and the secondary form of ice."""
    known = [form for form in np.flatnonzero(tenths).tolist() if form != _NOT_KNOWN]
    order = sorted(known, key=lambda form: (-tenths[form], form)) or [_NOT_KNOWN]
    second = _FORMS[order[1]] if len(order) > 1 else NOT_GIVEN
    return _FORMS[order[0]] + second


def _whole(codes: Record) -> Record:
    """Return a record with all of its fields, in order."""
    return {name: codes.get(name, NOT_GIVEN) for name in CODES}
