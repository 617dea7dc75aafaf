import numpy as np
import pytest

from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.egg_codes import (
    FLOE_CLASSES,
    FLOE_CODES,
    INTERVAL_CODES,
    SIC_CLASSES,
    SIC_CODES,
    SOD_CLASSES,
    SOD_CODES,
    PolygonTable,
    paint_charts,
)
from seaice_data.errors import SceneError, SettingsError

HEADER = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
NO_TYPE = "-9;-9;-9"


def row(number: int, total: str, *types: str, kind: str = "I") -> str:
    """Write a row with up to three ice types, each ``partial;stage;floe``."""
    codes = [*types, *[NO_TYPE] * (3 - len(types))]
    return ";".join([str(number), total, *codes, "-9", "-9", "-9-9", kind])


def classes(
    total: str,
    *types: str,
    kind: str = "I",
    threshold: float = 0.65,
    midpoints: bool = False,
) -> list[int]:
    """Return SIC, SOD and FLOE of one polygon."""
    table = PolygonTable.parse([HEADER, row(1, total, *types, kind=kind)])
    return [int(value) for value in table.classes(threshold, midpoints=midpoints)[0]]


@pytest.mark.parametrize(
    ("code", "expected"),
    [("0", 0), ("00", 0), ("01", 0), ("02", 0), ("55", 0)]
    + [(f"{10 * n}", n) for n in range(1, 10)]
    + [("91", 10), ("92", 10), ("99", 255), ("-9", 255), ("45", 255)],
)
def test_concentration_code_has_its_class(code: str, expected: int) -> None:
    assert classes(code, "-9;95;05")[0] == expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((0, 80), 0),
        ((81, 82), 1),
        ((83, 84, 85), 2),
        ((87, 88, 89), 3),
        ((86, 91, 93), 4),
        ((95, 96, 97), 5),
        ((98, 99, -9, 70), 255),
    ],
)
def test_stage_code_has_its_class(codes: tuple[int, ...], expected: int) -> None:
    assert {classes("90", f"-9;{code:02d};05")[1] for code in codes} == {expected}


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((0,), 0),
        ((2,), 1),
        ((3,), 2),
        ((4,), 3),
        ((5,), 4),
        ((6, 7), 5),
        ((9, 10), 6),
        ((1, 8, 21, 22, 99, -9), 255),
    ],
)
def test_floe_code_has_its_class(codes: tuple[int, ...], expected: int) -> None:
    assert {classes("90", f"-9;95;{code:02d}")[2] for code in codes} == {expected}


def test_lone_type_covers_the_total() -> None:
    assert classes("30", "-9;87;04") == [3, 3, 3]


def test_type_with_most_ice_dominates() -> None:
    assert classes("91", "30;95;05", "70;93;04") == [10, 4, 3]


def test_no_type_dominates_mixed_ice() -> None:
    assert classes("90", "50;95;05", "40;87;04") == [9, 255, 255]


def test_equal_classes_are_added() -> None:
    # 4 + 3 tenths of thick first-year ice (codes 91 and 93) are 7 of 9; floes differ.
    assert classes("90", "40;91;05", "30;93;04", "20;87;03") == [9, 4, 255]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (("95", "95", "87"), 5),  # A and B: 4 + 3 of 9, enough
        (("95", "87", "95"), 255),  # A and C: 4 + 1 of 9, too little
        (("87", "95", "95"), 255),  # B and C: 3 + 1 against 4
    ],
)
def test_each_pair_is_added(stages: tuple[str, ...], expected: int) -> None:
    types = [f"{part};{s};05" for part, s in zip((40, 30, 10), stages, strict=True)]
    assert classes("90", *types, threshold=0.65)[1] == expected


def test_later_pair_overwrites_an_earlier_sum() -> None:
    # All three are old: A-B gives 5, A-C overwrites it with 4, B-C gives 3; 4 of 6.
    assert classes("60", "30;95;05", "20;96;05", "10;97;05")[1] == 5
    # 4 + 3 = 7 is overwritten by 4 + 1 = 5: of 8 tenths too little, though all is old.
    assert classes("80", "40;95;05", "30;96;05", "10;97;05")[1] == 255


def test_first_type_wins_a_tie() -> None:
    assert classes("80", "40;87;04", "40;95;05", threshold=0.5) == [8, 3, 3]


def test_any_floe_without_class_leaves_the_polygon_without_one() -> None:
    assert classes("92", "30;95;08", "70;93;05") == [10, 4, 255]
    assert classes("90", "80;95;05", "10;81;22") == [9, 5, 255]


def test_missing_floe_of_a_minor_type_does_no_harm() -> None:
    assert classes("90", "80;95;05", "10;81;-9") == [9, 5, 4]


def test_fast_ice_has_a_stage_but_no_floe_size() -> None:
    assert classes("92", "-9;91;08") == [10, 4, 255]


def test_water_polygon_is_water_in_all_charts() -> None:
    assert classes("02", "-9;98;10", kind="W") == [0, 0, 0]
    assert classes("40", "-9;95;05", kind="w") == [0, 0, 0]


def test_open_water_code_is_water_whatever_floats_in_it() -> None:
    assert classes("01", "-9;98;08") == [0, 0, 0]


def test_unknown_total_leaves_no_class() -> None:
    assert classes("99", "50;95;05") == [255, 255, 255]
    assert classes("-9", "50;95;05") == [255, 255, 255]


@pytest.mark.parametrize(
    ("total", "first", "passes"),
    [
        ("90", "60", {0.5: True, 0.65: True, 0.7: False}),
        ("60", "40", {0.5: True, 0.65: True, 0.7: False}),
        ("30", "20", {0.5: True, 0.65: True, 0.7: False}),
        ("92", "70", {0.5: True, 0.65: True, 0.7: True}),
        ("92", "50", {0.5: True, 0.65: False, 0.7: False}),
    ],
)
def test_threshold_decides(total: str, first: str, passes: dict[float, bool]) -> None:
    for threshold, is_dominant in passes.items():
        expected = 5 if is_dominant else 255
        assert classes(total, f"{first};95;05", threshold=threshold)[1] == expected


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1])
def test_impossible_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(SettingsError, match="threshold must be in"):
        classes("90", "-9;95;05", threshold=threshold)


def test_blanks_and_form_codes_are_read() -> None:
    text = " 29; 92;30 ;95;5 ;70;93; 8;-9;-9;-9;-9;-9;08-9; I"
    table = PolygonTable.parse([f" {HEADER} ", text, "  ", ""])
    assert table.ids.tolist() == [29]
    assert table.column("FB").tolist() == [8]
    assert table.classes().tolist() == [[10, 4, 255]]


def test_columns_are_found_by_name() -> None:
    header = ";".join(reversed(HEADER.split(";")))
    text = ";".join(reversed(row(3, "90", "-9;95;05").split(";")))
    assert PolygonTable.parse([header, text]).classes().tolist() == [[9, 5, 4]]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "no column 'poly_id'"),
        ([HEADER], "no polygon"),
        ([HEADER.replace("CT;", ""), "1"], "no column 'CT'"),
        ([HEADER, "1;90"], "15 columns, a row has 2: '1;90'"),
        (
            [HEADER, row(1, "ninety", "-9;95;05")],
            "CT is not a whole number: 'ninety' in '1;",
        ),
        ([HEADER, row(1, "", "-9;95;05")], "CT is not a whole number: ''"),
        ([HEADER, row(1, "\u0669\u0660")], "CT is not a whole number: '\u0669\u0660'"),
        ([HEADER, row(1, "9_0")], "CT is not a whole number: '9_0'"),
        ([HEADER, row(1, "9" * 5000)], "CT is not a whole number: '9{100}...' in '1;9"),
        ([HEADER, row(1, "90"), row(1, "80")], "id 1 occurs twice"),
        ([HEADER, row(-1, "90")], "id -1 is outside"),
        ([HEADER, row(2**24 + 1, "90")], "id 16777217 is outside"),
    ],
)
def test_bad_table_is_refused(rows: list[str], words: str) -> None:
    with pytest.raises(SceneError, match=words) as caught:
        PolygonTable.parse(rows)
    assert len(str(caught.value)) < 300


TABLE = PolygonTable.parse(
    [HEADER, row(7, "90", "-9;95;05"), row(3, "02", kind="W"), row(70000, "50", "-9;87;04")]
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_take_the_classes_of_their_polygon(dtype: type[np.floating]) -> None:
    charts = paint_charts(np.array([[7, np.nan, 3], [3, 70000, 7]], dtype=dtype), TABLE)
    assert charts.shape == (2, 3, len(CHARTS))
    assert charts.dtype == np.uint8
    np.testing.assert_array_equal(charts[..., 0], [[9, CHART_FILL, 0], [0, 5, 9]])
    np.testing.assert_array_equal(charts[..., 1], [[5, CHART_FILL, 0], [0, 3, 5]])
    np.testing.assert_array_equal(charts[..., 2], [[4, CHART_FILL, 0], [0, 3, 4]])


def test_whole_numbers_are_painted_like_floats() -> None:
    ids = np.array([[7, 3], [70000, 7]])
    np.testing.assert_array_equal(
        paint_charts(ids, TABLE), paint_charts(ids.astype(np.float32), TABLE)
    )


@pytest.mark.parametrize("unknown", [4, 70001, 7.5, -7, 1e9, np.inf])
def test_id_without_codes_is_refused(unknown: float) -> None:
    with pytest.raises(SceneError, match=f"map has id {unknown:g}".replace("+", r"\+")):
        paint_charts(np.array([[7, unknown, np.nan]]), TABLE)


@pytest.mark.parametrize("unknown", [4, 70001, -9])
def test_whole_id_without_codes_is_refused(unknown: int) -> None:
    with pytest.raises(SceneError, match=f"map has id {unknown}"):
        paint_charts(np.array([[7, unknown]]), TABLE)


def test_threshold_reaches_the_map() -> None:
    table = PolygonTable.parse([HEADER, row(1, "90", "60;95;05", "30;87;04")])
    one = np.ones((1, 1), dtype=np.float32)
    assert paint_charts(one, table)[0, 0].tolist() == [9, 5, 4]
    assert paint_charts(one, table, threshold=0.7)[0, 0].tolist() == [9, 255, 255]


def test_map_without_polygons_is_all_fill() -> None:
    assert (paint_charts(np.full((2, 2), np.nan), TABLE) == CHART_FILL).all()
    assert paint_charts(np.zeros((0, 4)), TABLE).shape == (0, 4, 3)


def test_each_class_has_a_code_that_means_it() -> None:
    for number, code in enumerate(SIC_CODES):
        assert SIC_CLASSES[int(code)] == number
    for number, code in enumerate(SOD_CODES[1:], start=1):
        assert SOD_CLASSES[int(code)] == number
    for number, code in enumerate(FLOE_CODES[1:], start=1):
        assert FLOE_CLASSES[int(code)] == number


@pytest.mark.parametrize(
    ("code", "expected"),
    {
        "12": 2,
        "13": 2,
        "23": 3,
        "24": 3,
        "46": 5,
        "67": 7,
        "79": 8,
        "81": 9,
        "89": 9,
    }.items(),
)
def test_interval_has_the_class_of_its_mid_point_if_asked(code: str, expected: int) -> None:
    assert classes(code, "-9;95;05") == [255, 255, 255]
    assert classes(code, "-9;95;05", midpoints=True) == [expected, 5, 4]


@pytest.mark.parametrize(
    "code", ["00", "01", "02", "50", "55", "91", "92", "99", "-9", "11"]
)
def test_other_codes_do_not_change_with_mid_points(code: str) -> None:
    types = ("50;95;05", "30;87;04")
    assert classes(code, *types) == classes(code, *types, midpoints=True)


def test_only_two_digits_are_an_interval() -> None:
    assert not INTERVAL_CODES.keys() & SIC_CLASSES.keys()
    assert len(INTERVAL_CODES) == 8 * 9 // 2 + 7
    assert all(low < high <= 10 for low, high in INTERVAL_CODES.values())
    # 11, 22, ... name no interval, 91 and 92 are codes of their own.
    assert not INTERVAL_CODES.keys() & {*range(0, 100, 11), *range(12), *range(90, 100)}


def test_parts_count_with_their_mid_points() -> None:
    # 5 of 8 tenths are too little, 7 are enough.
    assert classes("79", "46;95;05", "30;87;04", midpoints=True) == [8, 255, 255]
    assert classes("79", "68;95;05", "12;87;04", midpoints=True) == [8, 5, 4]
    # 1.5 of 2.5 tenths: the rounded ones, 2 of 3, would pass.
    assert classes("23", "12;95;05", "10;87;04", midpoints=True) == [3, 255, 255]
    # Without mid-points a part with such a code counts as no ice.
    assert classes("80", "68;95;05", "12;87;04") == [8, 255, 255]


def test_bounds_are_exact() -> None:
    codes = ["00", "01", "02", "55", "30", "91", "92", "46", "81", "99", "-9", "45", "11"]
    table = PolygonTable.parse([HEADER, *(row(n, c) for n, c in enumerate(codes))])
    none = [np.nan, np.nan]
    expected = [[0, 0], [0, 1], [0, 1], [0, 0], [3, 3], [9, 10], [10, 10], [4, 6], [8, 10]]
    expected += [none, none, [4, 5], none]
    np.testing.assert_array_equal(table.bounds("CT"), expected)
    with pytest.raises(SettingsError, match="'SA' does not contain concentrations"):
        table.bounds("SA")


def test_codes_without_class_are_found_by_chart() -> None:
    rows = [
        row(4, "99", "-9;95;05"),  # unknown total
        row(9, "90", "80;98;05", "10;81;22"),  # stage of bergs, and pancakes
        row(2, "46", "-9;95;-9"),  # an interval
        row(7, "90", "50;95;05", "40;87;04"),  # mixed ice: all codes have classes
        row(8, "02", "-9;98;10", kind="W"),
        row(1, "80", "70;-9;04", "10;95;04"),  # type A without a stage
    ]
    table = PolygonTable.parse([HEADER, *rows])
    found = {
        chart: {code: places.tolist() for code, places in codes.items()}
        for chart, codes in table.codes_without_class().items()
    }
    assert found == {
        "SIC": {99: [0], 46: [2]},
        "SOD": {98: [1], -9: [5]},
        "FLOE": {22: [1], -9: [2]},
    }
    assert list(table.codes_without_class(midpoints=True)["SIC"]) == [99]


def test_mid_points_reach_the_map() -> None:
    table = PolygonTable.parse([HEADER, row(1, "46", "-9;95;05")])
    one = np.ones((1, 1), dtype=np.float32)
    assert paint_charts(one, table)[0, 0].tolist() == [255, 255, 255]
    assert paint_charts(one, table, midpoints=True)[0, 0].tolist() == [5, 5, 4]
