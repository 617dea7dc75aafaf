"""Styles are well-formed, with the elements that QGIS saves; not opened there."""

from xml.etree import ElementTree as ET

from seaice_data.charts import SOD
from seaice_data.colours import WMO_COLOURS
from seaice_data.egg_codes import INTERVAL_CODES, SIC_CLASSES
from seaice_model.formats.styles import Entry, class_table, polygon_style, raster_style

ENTRIES = [
    Entry(0, "open water", "#8fc7f0"),
    Entry(2, "ice & <snow>", "#ff0000"),
    Entry(255, "none", ""),
]


def test_a_raster_has_a_palette_without_what_is_not_shown() -> None:
    style = raster_style(ENTRIES)
    assert style.startswith(b"<!DOCTYPE qgis")
    root = ET.fromstring(style)  # noqa: S314 - our own
    renderer = root.find("pipe/rasterrenderer")
    assert renderer is not None
    assert (root.tag, renderer.get("type"), renderer.get("band")) == (
        "qgis",
        "paletted",
        "1",
    )
    found = [
        (entry.get("value"), entry.get("label"), entry.get("color"), entry.get("alpha"))
        for entry in renderer.findall("colorPalette/paletteEntry")
    ]
    assert found == [
        ("0", "open water", "#8fc7f0", "255"),
        ("2", "ice & <snow>", "#ff0000", "255"),
    ]


def test_polygons_have_a_symbol_for_each_concentration() -> None:
    root = ET.fromstring(polygon_style())  # noqa: S314 - our own
    renderer = root.find("renderer-v2")
    assert renderer is not None
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "CT")
    symbols = {
        symbol.get("name"): symbol.find("layer/Option/Option[@name='color']")
        for symbol in renderer.findall("symbols/symbol")
    }
    colours, names = {}, {}
    for category in renderer.findall("categories/category"):
        names[category.get("value")] = category.get("label")
        option = symbols[category.get("symbol")]
        assert option is not None
        colours[category.get("value")] = option.get("value")
    every_code = {f"{code:02d}" for code in (*SIC_CLASSES, *INTERVAL_CODES)}
    assert set(colours) == {*every_code, ""}  # all others
    assert [names[code] for code in ("01", "10", "91", "92", "46", "81", "")] == [
        "0 %", "10 %", "more than 90 %", "100 %", "40 to 60 %", "80 to 100 %", "other",
    ]  # fmt: skip
    assert colours["46"] == colours["50"]
    assert colours["12"] == colours["20"]  # halves are rounded up, as in charts
    assert colours["02"] == colours["55"] == colours["01"] != colours[""]
    red, green, blue = bytes.fromhex(WMO_COLOURS["SIC"][0][1:])
    assert colours["01"] == f"{red},{green},{blue},255"
    assert colours["91"] == colours["92"]


def test_names_of_classes_are_found_by_their_position() -> None:
    root = ET.fromstring(class_table(ENTRIES, "a title"))  # noqa: S314 - our own
    names = [each.text or "" for each in root.findall("PAMRasterBand/CategoryNames/*")]
    assert (names[0], names[1], names[2], len(names)) == (
        "open water", "", "ice & <snow>", 256,
    )  # fmt: skip
    assert root.findtext("Metadata/MDI") == "a title"
    assert len(WMO_COLOURS[SOD.name]) == SOD.n_classes
