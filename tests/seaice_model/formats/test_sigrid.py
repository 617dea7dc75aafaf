"""Records are checked by eye, and read back by the parser of raw scenes."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import PolygonTable
from seaice_model.formats.sigrid import (
    CODES,
    Record,
    consistent,
    records_of_classes,
    records_of_table,
)


def record(*pixels: tuple[int, int, int]) -> Record:
    """Return the record of a region of pixels with these classes."""
    classes = np.array(pixels, np.uint8).T[:, np.newaxis]
    (found,) = records_of_classes(np.ones((1, len(pixels)), np.int32), classes)
    return found


def given_codes(found: Record) -> dict[str, str]:
    """Return the codes of a record that are given."""
    return {name: code for name, code in found.items() if code != "-9"}


def table_of(records: list[Record]) -> PolygonTable:
    """Read records as the table of a raw scene."""
    rows = [";".join([str(k), *each.values()]) for k, each in enumerate(records)]
    return PolygonTable.parse([";".join(["poly_id", *CODES]), *rows])


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ((0, 0, 0), {"CT": "01", "POLY_TYPE": "W"}),
        ((7, 4, 5), {"CT": "70", "SA": "93", "FA": "06", "CF": "06-9", "POLY_TYPE": "I"}),
        ((10, 5, 6), {"CT": "92", "SA": "95", "FA": "10", "CF": "10-9", "POLY_TYPE": "I"}),
        # The charts contradict each other: is it ice of no stage, or of no size?
        ((2, 0, 3), {"CT": "20", "SA": "99", "FA": "04", "CF": "04-9", "POLY_TYPE": "I"}),
        ((4, 3, 0), {"CT": "40", "SA": "87", "FA": "99", "CF": "99-9", "POLY_TYPE": "I"}),
        ((0, 3, 3), {"CT": "01", "POLY_TYPE": "W"}),
        (
            (2, CHART_FILL, CHART_FILL),
            {"CT": "20", "SA": "99", "FA": "99", "CF": "99-9", "POLY_TYPE": "I"},
        ),
    ],
)
def test_one_class_is_one_code(
    pixel: tuple[int, int, int], expected: dict[str, str]
) -> None:
    found = record(pixel, pixel)
    assert given_codes(found) == expected
    assert tuple(found) == CODES


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        # Half old, half young ice: five tenths each, the older one first.
        ([(10, 2, 1), (10, 5, 4)], ("92", "50", "95", "05", "50", "83", "02")),
        # A tenth of the pixels is water: nine tenths of old ice, which is alone.
        ([(10, 5, 4)] * 9 + [(0, 0, 0)], ("90", "-9", "95", "05", "-9", "-9", "-9")),
        # More than nine and a half tenths, but not all.
        ([(10, 5, 4)] * 30 + [(9, 5, 4)], ("91", "-9", "95", "05", "-9", "-9", "-9")),
        # Little ice in much water is open water.
        ([(10, 5, 4)] + [(0, 0, 0)] * 20, ("01", "-9", "-9", "-9", "-9", "-9", "-9")),
        # The form of a stage is that of most of its ice.
        (
            [(9, 4, 1), (3, 4, 5), (9, 4, 1), (3, 4, 5), (6, 1, 2)],
            ("60", "50", "93", "02", "10", "81", "03"),
        ),
        # 21 tenths in 6 pixels are 3.5, however they are divided: rounded up.
        (
            [(0, 0, 0), (0, 0, 0), (1, 0, 4), (4, 0, 0), (6, 1, 0), (10, 1, 0)],
            ("40", "30", "81", "99", "10", "99", "99"),
        ),
        # A third of the ice has no known stage: it comes last, after the youngest.
        ([(9, 1, 1), (9, 1, 1), (9, 0, 2)], ("90", "60", "81", "02", "30", "99", "03")),
    ],
)  # fmt: skip
def test_pixels_are_mixed_to_an_egg_code(
    pixels: list[tuple[int, int, int]], expected: tuple[str, ...]
) -> None:
    found = record(*pixels)
    assert tuple(found[n] for n in ("CT", "CA", "SA", "FA", "CB", "SB", "FB")) == expected


def test_stages_beyond_three_have_fields_of_their_own() -> None:
    stages = [1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5]
    found = record(*[(6, stage, 4) for stage in stages])
    # A twelfth of six tenths is half a tenth: 1, 1, 2, 1.5 and 0.5 tenths of the stages.
    assert [found[f"C{letter}"] for letter in "ABC"] == ["20", "20", "10"]
    assert [found[f"S{letter}"] for letter in "ABC"] == ["93", "87", "83"]
    assert (found["CT"], found["CN"], found["CD"]) == ("60", "95", "81")


pixels = st.lists(
    st.tuples(st.integers(0, 10), st.integers(0, 5), st.integers(0, 6)),
    min_size=1,
    max_size=12,
)


@given(pixels)
def test_concentrations_add_up_and_are_those_of_the_pixels(
    region: list[tuple[int, int, int]],
) -> None:
    found = record(*region)
    table = table_of([found])
    total = int(np.floor(np.mean([sic for sic, _, _ in region]) + 0.5))
    assert table.classes()[0, 0] == total
    assert (found["POLY_TYPE"] == "W") == (total == 0)
    parts = [int(found[f"C{letter}"]) // 10 for letter in "ABC"]
    if found["CA"] != "-9":
        assert sum(part for part in parts if part > 0) <= total
        if len({sod for sic, sod, _ in region if sic}) <= 3:
            assert sum(part for part in parts if part > 0) == total
        stages = [found[f"S{letter}"] for letter in "ABC" if found[f"C{letter}"] != "-9"]
        assert stages == sorted(stages, key=lambda code: int(code) % 99, reverse=True)


def test_a_trace_is_not_called_older_than_ice_of_no_known_stage() -> None:
    found = record(*[(9, 0, 3)] * 30, (9, 1, 3))
    assert (found["SA"], found["CN"], found["CD"]) == ("99", "-9", "81")


def test_every_class_is_read_back_as_the_concentration_makes_it() -> None:
    sizes = [(*range(n), CHART_FILL) for n in (6, 7)]
    classes = np.array([*product(range(11), *sizes)], np.uint8)
    labels = np.arange(1, len(classes) + 1)[np.newaxis]
    planes = classes.T[:, np.newaxis]
    again = table_of(records_of_classes(labels, planes)).classes()
    np.testing.assert_array_equal(again.T, consistent(planes)[:, 0])
    is_free = (classes[:, 0] == 0) | ((classes[:, 1:] != 0).all(axis=1))
    expected = np.where(classes[:, :1] == 0, 0, classes)[is_free]
    np.testing.assert_array_equal(again[is_free], expected)


def test_codes_of_a_table_stay_as_they_are() -> None:
    rows = ["7;79;46;95;05;30;87;04;-9;-9;-9;-9;-9;-9;I", "9;1" + ";-9" * 12 + ";W"]
    table = PolygonTable.parse([";".join(["poly_id", *CODES]), *rows])
    records = records_of_table(np.array([9, 7]), table)
    assert given_codes(records[0]) == {"CT": "01", "POLY_TYPE": "W"}
    assert tuple(records[1].values())[:7] == ("79", "46", "95", "05", "30", "87", "04")
    np.testing.assert_array_equal(table_of(records).codes, table.codes[::-1])
