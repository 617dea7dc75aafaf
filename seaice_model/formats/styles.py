"""Styles for QGIS (QML) and names of classes for GDAL, beside the files they belong to.

QGIS opens a file with the style of the same name beside it. They are written after the
files that QGIS 3 itself saves (DTD ``qgis``): `paletted` for classes,
`singlebandpseudocolor` for numbers, `categorizedSymbol` for polygons. They have not been
opened in QGIS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from xml.etree import ElementTree as ET

from seaice_data.charts import SIC, SIC_STEP_PERCENT
from seaice_data.colours import WMO_COLOURS
from seaice_data.egg_codes import INTERVAL_CODES, SIC_CLASSES

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_QGIS = "3.28"
_OUTLINE = "90,90,90,255"
_OTHER = "#bdbdbd"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of a raster: what it means, and its colour."""

    value: int
    """The value."""

    name: str
    """What it means."""

    colour: str
    """As ``#8fc7f0``; empty for a value that is not shown."""

    @property
    def rgba(self) -> tuple[int, int, int, int]:
        """Red, green, blue and opacity, from 0 to 255."""
        if not self.colour:
            return (255, 255, 255, 0)
        red, green, blue = bytes.fromhex(self.colour[1:])
        return (red, green, blue, 255)


def raster_style(entries: Sequence[Entry]) -> bytes:
    """Return the style of a raster whose values are classes."""
    root = _root()
    pipe = ET.SubElement(root, "pipe")
    renderer = ET.SubElement(
        pipe, "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1",
        nodataColor="",
    )  # fmt: skip
    ET.SubElement(renderer, "rasterTransparency")
    palette = ET.SubElement(renderer, "colorPalette")
    for entry in entries:
        if entry.colour:
            ET.SubElement(
                palette, "paletteEntry", value=str(entry.value), color=entry.colour,
                label=entry.name, alpha="255",
            )  # fmt: skip
    ET.SubElement(root, "blendMode").text = "0"
    return _document(root)


def ramp_style(stops: Sequence[Entry]) -> bytes:
    """Return the style of a raster whose first band has numbers.

    Parameters
    ----------
    stops
        Values in rising order; colours in between are interpolated.
    """
    low, high = str(stops[0].value), str(stops[-1].value)
    root = _root()
    pipe = ET.SubElement(root, "pipe")
    renderer = ET.SubElement(
        pipe, "rasterrenderer", type="singlebandpseudocolor", band="1", opacity="1",
        alphaBand="-1", nodataColor="", classificationMin=low, classificationMax=high,
    )  # fmt: skip
    ET.SubElement(renderer, "rasterTransparency")
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"), "colorrampshader",
        colorRampType="INTERPOLATED", classificationMode="1", clip="0",
        minimumValue=low, maximumValue=high,
    )  # fmt: skip
    for stop in stops:
        ET.SubElement(
            shader, "item", value=str(stop.value), label=stop.name, color=stop.colour,
            alpha="255",
        )  # fmt: skip
    ET.SubElement(root, "blendMode").text = "0"
    return _document(root)


def polygon_style() -> bytes:
    """Return the style of polygons: filled by their total concentration, ``CT``.

    Charts of services have more codes than maps: several for water and for ten tenths, and
    those of intervals, which have the colour of their mid-point. What is in none of the
    tables is shown, too.
    """
    root = _root()
    renderer = ET.SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr="CT", enableorderby="0",
        forceraster="0", symbollevels="0",
    )  # fmt: skip
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    shown = [
        (f"{code:02d}", name, WMO_COLOURS[SIC.name][place])
        for code, (place, name) in sorted(_concentrations().items())
    ]
    for number, (code, name, colour) in enumerate([*shown, ("", "other", _OTHER)]):
        ET.SubElement(
            categories, "category", type="string", value=code, symbol=str(number),
            label=name, render="true",
        )  # fmt: skip
        _add_fill(symbols, str(number), Entry(0, name, colour))
    return _document(root)


def _concentrations() -> dict[int, tuple[int, str]]:
    """Return class and name of each code of concentration."""
    known = {code: (k, SIC.class_names[k]) for code, k in SIC_CLASSES.items()}
    known |= {0: (0, "ice free"), 2: (0, "bergy water"), 55: (0, "ice free")}
    known[91] = (SIC_CLASSES[91], "more than 90 %")
    return known | {
        code: ((low + high + 1) // 2, f"{10 * low} to {10 * high} %")
        for code, (low, high) in INTERVAL_CODES.items()
    }


def class_table(entries: Sequence[Entry], title: str) -> bytes:
    """Return names and colours of the values of a raster, as GDAL has them beside a file.

    The format is that of ``.aux.xml`` files: names of categories for software that lists
    them by position, and a raster attribute table.
    """
    root = ET.Element("PAMDataset")
    # Kept by GDAL when it writes statistics into the file.
    about = ET.SubElement(root, "Metadata")
    ET.SubElement(about, "MDI", key="TITLE").text = title
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    names = {entry.value: entry.name for entry in entries}
    categories = ET.SubElement(band, "CategoryNames")
    for value in range(max(names) + 1):
        ET.SubElement(categories, "Category").text = names.get(value, "")
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    # Types are 0 integer, 2 text; usages 5 value, 2 name, 6 to 9 red, green, blue, opacity.
    columns = [("Value", 0, 5), ("Name", 2, 2)]
    columns += [
        (name, 0, 6 + k) for k, name in enumerate(("Red", "Green", "Blue", "Alpha"))
    ]
    for number, (name, kind, usage) in enumerate(columns):
        field = ET.SubElement(table, "FieldDefn", index=str(number))
        for tag, said in (("Name", name), ("Type", kind), ("Usage", usage)):
            ET.SubElement(field, tag).text = str(said)
    for number, entry in enumerate(entries):
        row = ET.SubElement(table, "Row", index=str(number))
        for said in (entry.value, entry.name, *entry.rgba):
            ET.SubElement(row, "F").text = str(said)
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8")
    return content + b"\n"


def sic_values() -> range:
    """Return the values of SIC in percent, class by class."""
    return range(0, SIC.n_classes * SIC_STEP_PERCENT, SIC_STEP_PERCENT)


def _root() -> ET.Element:
    return ET.Element("qgis", version=_QGIS, styleCategories="Symbology")


def _add_fill(symbols: ET.Element, name: str, entry: Entry) -> None:
    """Add a symbol that fills polygons with a colour."""
    symbol = ET.SubElement(
        symbols, "symbol", type="fill", name=name, alpha="1", clip_to_extent="1",
        force_rhr="0",
    )  # fmt: skip
    layer = ET.SubElement(
        symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"}
    )
    options = ET.SubElement(layer, "Option", type="Map")
    for key, value in (
        ("color", ",".join(map(str, entry.rgba))),
        ("style", "solid"),
        ("outline_color", _OUTLINE),
        ("outline_style", "solid"),
        ("outline_width", "0.1"),
        ("outline_width_unit", "MM"),
    ):
        ET.SubElement(options, "Option", name=key, value=value, type="QString")


def _document(root: ET.Element) -> bytes:
    """Return a style as the content of a file, with the mark of seaice."""
    ET.indent(root)
    # `seaice_data.system.ownership` recognises the file by this mark.
    mark = f"<!-- seaice {version('seaice')} -->\n"
    return (_DOCTYPE + mark + ET.tostring(root, encoding="unicode") + "\n").encode()
