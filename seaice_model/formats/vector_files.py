"""Tables of polygons as files: GeoPackage, shapefile, GeoJSON, FlatGeobuf, GeoParquet.

Each is read back before it counts as written: GDAL does not report a full disk when it
closes a file.
"""

import json
import tempfile
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

import numpy as np

from seaice_data.system.extras import extra
from seaice_data.system.files import staged
from seaice_model.errors import MapError
from seaice_model.formats.degrees import PLANE, bounds_in_degrees, in_degrees
from seaice_model.formats.projection import DEGREES
from seaice_model.formats.styles import polygon_style

PolygonFormat = Literal["gpkg", "shp", "geojson", "fgb", "parquet"]
"""File formats of polygons, named as their suffixes."""

SUFFIXES: Mapping[PolygonFormat, tuple[str, ...]] = {
    "gpkg": ("qml", "gpkg"),
    "shp": ("xml", "cpg", "dbf", "prj", "shx", "shp"),
    "geojson": ("geojson",),
    "fgb": ("fgb",),
    "parquet": ("parquet",),
}
"""Suffixes of the files that are always written, the main one last."""

_DRIVERS = {"gpkg": "GPKG", "shp": "ESRI Shapefile", "fgb": "FlatGeobuf"}


def encoded(
    table: Any, name: str, kind: PolygonFormat, folder: Path, about: Mapping[str, str]
) -> dict[str, bytes]:
    """Return the contents of the files of a table by name, the main one last.

    Parameters
    ----------
    table
        A data frame of geopandas with a column ``POLY_ID`` of different numbers.
    name
        Of the files, without suffix.
    kind
        The format; GeoJSON is in degrees.
    folder
        Where they will go: GDAL writes its files there first, under other names.
    about
        What the table is, and what it was made from: ``title``, ``comment`` and so on.

    Raises
    ------
    OSError
        If what was written cannot be read back.
    MapError
        If a package for the format is not installed.
    """
    with staged(_for_gdal(folder)) as place:
        path = place / f"{name}.{kind}"
        if kind == "geojson":
            path.write_text(_geojson(table, name, about), encoding="utf-8")
        elif kind == "parquet":
            with extra("parquet", MapError):
                _write_parquet(table, path, about)
        else:
            options = _options(kind, about)
            table.to_file(path, driver=_DRIVERS[kind], engine="pyogrio", **options)
        _check_whole(path, table)
        if kind == "shp":
            path.with_suffix(".xml").write_bytes(_fgdc(table, about))
        if kind == "gpkg":
            path.with_suffix(".qml").write_bytes(polygon_style())
        # Files with a mark come first: they mark even a partial set as ours.
        order = (".xml", ".qml", ".dbf")
        paths = sorted(
            place.iterdir(), key=lambda p: (p == path, p.suffix not in order, p.suffix)
        )
        return {path.name: path.read_bytes() for path in paths}


def _options(kind: PolygonFormat, about: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of a driver of GDAL."""
    if kind == "gpkg":
        return {"SPATIAL_INDEX": "NO", "layer_metadata": dict(about)}
    if kind == "fgb":  # which sorts polygons by place, so that parts of a file can be read
        said = json.dumps(dict(about), ensure_ascii=False)
        return {"TITLE": about["title"], "DESCRIPTION": said}
    # Fields of a shapefile are 80 bytes wide unless they may shrink.
    return {"RESIZE": "YES"}


def _geojson(table: Any, name: str, about: Mapping[str, str]) -> str:
    """Return a table in degrees as GeoJSON by RFC 7946."""
    import shapely  # late: an extra

    fields = table.drop(columns="geometry").to_dict("records")
    begin = {"type": "FeatureCollection", "name": name, **about}
    features = [
        json.dumps({"type": "Feature", "properties": values}, ensure_ascii=False)[:-1]
        + f', "geometry": {outline}}}'
        for values, outline in zip(
            fields, shapely.to_geojson(table.geometry.values).tolist(), strict=True
        )
    ]
    head = json.dumps(begin, ensure_ascii=False)[:-1]
    return head + ', "features": [\n' + ",\n".join(features) + "\n]}\n"


def _write_parquet(table: Any, path: Path, about: Mapping[str, str]) -> None:
    """Write GeoParquet, with what the table is in the metadata of the file."""
    from pyarrow import parquet  # late: an extra

    table.to_parquet(path, index=False)
    columns = parquet.read_table(path)
    said = {name.encode(): text.encode() for name, text in about.items()}
    columns = columns.replace_schema_metadata({**columns.schema.metadata, **said})
    parquet.write_table(columns, path)


def _fgdc(table: Any, about: Mapping[str, str]) -> bytes:
    """Return the metadata that SIGRID-3 has beside a shapefile (FGDC-STD-001-1998)."""
    west, south, east, north = _bounds(table)
    day, time = about["acquired"][:19].split("T")
    made_by = "; ".join(
        f"{name} {about[name]}" for name in ("software", "weights", "run") if name in about
    )
    tree: dict[str, Any] = {
        "idinfo": {
            "citation": {"citeinfo": {
                "origin": about["software"], "pubdate": "Unpublished material",
                "title": about["title"],
            }},
            "descript": {
                "abstract": f"{about['title']}, in SIGRID-3. {about['source']}.",
                "purpose": about["comment"], "supplinf": made_by,
            },
            "timeperd": {
                "timeinfo": {"sngdate": {
                    "caldate": day.replace("-", ""), "time": time.replace(":", "") + "Z",
                }},
                "current": "start of the acquisition",
            },
            "status": {"progress": "Complete", "update": "None planned"},
            "spdom": {"bounding": {
                "westbc": f"{west:.4f}", "eastbc": f"{east:.4f}",
                "northbc": f"{north:.4f}", "southbc": f"{south:.4f}",
            }},
            "keywords": {"theme": {"themekt": "None", "themekey": "sea ice"}},
            "accconst": "None",
            "useconst": about["comment"],
        },
        "eainfo": {"overview": {
            "eaover": "AREA (square metres) and PERIMETER (metres) on the ellipsoid; codes "
            "of SIGRID-3, -9 where none is given; POLY_ID, a number",
            "eadetcit": "JCOMM Technical Report 23 (WMO/TD-No. 1214)",
        }},
        "metainfo": {
            "metd": f"{datetime.now(UTC):%Y%m%d}",
            "metstdn": "FGDC Content Standard for Digital Geospatial Metadata",
            "metstdv": "FGDC-STD-001-1998",
        },
    }  # fmt: skip
    root = ET.Element("metadata")
    _add(root, tree)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def _bounds(table: Any) -> tuple[float, float, float, float]:
    """Return west, south, east and north of a table in any projection."""
    if table.crs == DEGREES:
        return bounds_in_degrees(table.geometry.values)
    return bounds_in_degrees(in_degrees(np.asarray(table.to_crs(PLANE).geometry.values)))


def _add(parent: ET.Element, tree: Mapping[str, Any]) -> None:
    for name, value in tree.items():
        child = ET.SubElement(parent, name)
        if isinstance(value, str):
            child.text = value
        else:
            _add(child, value)


def _for_gdal(folder: Path) -> Path:
    """Return a folder, or the one for temporary files if GDAL cannot handle its name."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8
        return Path(tempfile.gettempdir())
    return folder


def _check_whole(path: Path, table: Any) -> None:
    """Read a file back and compare it with its table."""
    import geopandas  # late: an extra
    import shapely

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about incomplete files; they are refused below
        if path.suffix == ".parquet":
            again = geopandas.read_parquet(path)
        else:
            again = geopandas.read_file(path, engine="pyogrio")
    again = again.sort_values("POLY_ID", ignore_index=True)
    # GDAL reads times in GeoJSON as times.
    fields = [
        name for name in table if name != "geometry" and again[name].dtype.kind != "M"
    ]
    is_whole = (
        len(again) == len(table)
        and again.crs == table.crs
        and again[fields].astype(str).equals(table[fields].astype(str))
        and np.allclose(shapely.area(again.geometry), shapely.area(table.geometry))
    )
    if not is_whole:
        raise OSError("what was written cannot be read back")
