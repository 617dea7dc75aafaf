"""Shares of ice types: whole, in agreement with the charts, and NaN where not known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import (
    COLUMNS,
    FLOE_CLASSES,
    INTERVAL_CODES,
    SIC_CLASSES,
    SOD_CLASSES,
    PolygonTable,
)
from seaice_data.polygon_shares import polygon_shares

NAN = [np.nan]


def shares_of(*codes: int, is_water: bool = False) -> tuple[list[float], list[float]]:
    """Return the shares of SOD and FLOE classes of one polygon; codes left out are -9."""
    row = [*codes, *[-9] * (len(COLUMNS) - len(codes))]
    table = PolygonTable(np.array([7]), np.array([row]), np.array([is_water]))
    (shares,) = polygon_shares(table).round(4).tolist()
    return shares[:6], shares[6:]


def test_types_have_their_parts_and_water_the_rest() -> None:
    sod, floe = shares_of(80, 50, 87, 4, 30, 81, 5)
    assert sod == pytest.approx([0.2, 0.3, 0, 0.5, 0, 0])
    assert floe == pytest.approx([0.2, 0, 0, 0.5, 0.3, 0, 0])


def test_types_of_one_class_are_added() -> None:
    sod, floe = shares_of(92, 40, 83, 6, 30, 85, 7, 30, 96, 10)
    assert sod == pytest.approx([0, 0, 0.7, 0, 0, 0.3])
    assert floe == pytest.approx([0, 0, 0, 0, 0, 0.7, 0.3])


def test_the_only_type_is_all_of_the_ice() -> None:
    sod, _ = shares_of(70, -9, 93, 4)
    assert sod == pytest.approx([0.3, 0, 0, 0, 0.7, 0])
    assert shares_of(70, 70, 93, 4)[0] == sod


@pytest.mark.parametrize("total", [0, 1, 2, 55])
def test_open_water_is_water_whatever_else_is_given(total: int) -> None:
    for codes in ((total,), (total, -9, 99, 99), (total, 30, 87, 4)):
        assert shares_of(*codes) == ([1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0])


def test_a_polygon_marked_as_water_is_water() -> None:
    assert shares_of(92, -9, 87, 4, is_water=True)[0] == [1, 0, 0, 0, 0, 0]


def test_totals_are_those_of_the_chart() -> None:
    assert shares_of(91, -9, 87, 4)[0] == [0, 0, 0, 1, 0, 0]
    assert shares_of(79, -9, 87, 4)[0] == pytest.approx([0.2, 0, 0, 0.8, 0, 0])


def test_parts_may_miss_their_total_by_one_tenth() -> None:
    sod, _ = shares_of(91, 60, 87, 4, 30, 81, 5)
    assert sod == pytest.approx([0, 1 / 3, 0, 2 / 3, 0, 0], abs=1e-4)
    sod, _ = shares_of(79, 46, 87, 4, 30, 81, 5)  # 7 to 9 tenths: 4 to 6, and 3
    assert sod == pytest.approx([0.2, 0.3, 0, 0.5, 0, 0])


def test_a_trace_counts_as_half_a_tenth() -> None:
    sod, _ = shares_of(92, 91, 87, 4, 1, 96, 4)
    assert sod == pytest.approx([0, 0, 0, 0.95, 0, 0.05])


def test_more_missing_ice_is_of_a_type_that_the_table_lacks() -> None:
    for codes in ((91, 10, 97, 6, 10, 96, 6, 20, 87, 5), (40, 50, 87, 4, 30, 81, 5)):
        sod, floe = shares_of(*codes)
        assert np.isnan(sod).all()
        assert np.isnan(floe).all()


@pytest.mark.parametrize(
    ("codes", "is_known"),
    [
        ((80, 50, 99, 4, 30, 81, 5), (False, True)),  # undetermined stage
        ((80, 50, -9, 4, 30, 81, 5), (False, True)),  # no stage
        ((80, 50, 12, 4, 30, 81, 5), (False, True)),  # unlisted stage
        ((80, 50, 80, 4, 30, 81, 5), (False, True)),  # no ice
        ((80, 50, 87, 8, 30, 81, 5), (True, False)),  # fast ice
        ((80, 50, 87, 0, 30, 81, 5), (True, False)),  # pancake ice
        ((80, 50, 87, -9, 30, 81, 5), (True, False)),
        ((80, 50, 87, 4, -9, 81, 5), (False, False)),  # a part is not given
        ((80, -9, 87, 4, 30, 81, 5), (False, False)),
        ((80, 50, 87, 4, 99, 81, 5), (False, False)),
        ((99, 50, 87, 4, 30, 81, 5), (False, False)),
        ((-9, -9, 87, 4), (False, False)),
        ((80,), (False, False)),
        ((80, 0, 87, 4), (False, False)),  # parts of a total, but none
    ],
)
def test_what_is_not_known_is_nan(codes: list[int], is_known: tuple[bool, bool]) -> None:
    for block, known in zip(shares_of(*codes), is_known, strict=True):
        assert np.isfinite(block).tolist() == [known] * len(block)


CONCENTRATION = st.sampled_from([*SIC_CLASSES, *INTERVAL_CODES, -9, 99])
STAGE = st.sampled_from([*SOD_CLASSES, -9, 12])
FORM = st.sampled_from([*FLOE_CLASSES, -9, 12])
TYPE = st.tuples(CONCENTRATION, STAGE, FORM)


@given(CONCENTRATION, st.tuples(TYPE, TYPE, TYPE))
def test_blocks_sum_to_one_or_are_nan(total: int, types: list[tuple[int, ...]]) -> None:
    for block in shares_of(total, *(code for codes in types for code in codes)):
        assert np.isnan(block).all() or sum(block) == pytest.approx(1, abs=1e-3)
        assert np.isnan(block).all() or min(block) >= 0


@given(CONCENTRATION, TYPE)
def test_a_lone_type_has_the_class_of_the_chart(total: int, codes: tuple[int, ...]) -> None:
    row = [total, -9, *codes[1:], *[-9] * 6]
    table = PolygonTable(np.array([7]), np.array([row]), np.array([False]))
    (classes,) = table.classes(midpoints=True).tolist()
    for block, value in zip(shares_of(*row), classes[1:], strict=True):
        if not np.isnan(block).any():
            assert value != CHART_FILL
            assert (block[value] > 0) == (classes[0] > 0 or value == 0)
