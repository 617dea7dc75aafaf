"""Protect files that seaice did not write, unless the user passes --overwrite.

Files that we write have a mark near their beginning or end, by which `refuse_foreign`
recognises them; netCDF and JSON files say what they are.
"""

import os
import stat
from pathlib import Path

from seaice_data.errors import ForeignFileError

Marks = tuple[bytes, ...]
"""Byte strings of which a file of ours contains at least one."""

PAGE: Marks = (
    b'<meta name="generator" content="seaice ',
    # In the style sheet of version 0.1.
    b":root { --ink: #222; --soft: #5a5a5a; --line: #d5dbe1; --tint: #f3f6f9;",
)
"""Marks of pages."""

FIGURE: Marks = (b"tEXtSoftware\0seaice ",)
"""Mark of figures."""

MATPLOTLIB: Marks = (b"tEXtSoftware\0Matplotlib ",)
"""Mark of figures of version 0.1, which is that of all figures of matplotlib."""

PREDICTED_TITLE = "Predicted ice chart of Sentinel-1 scene"
"""First words of the title of predicted charts; they are a mark, so do not change them."""

CHARTED_TITLE = "Ice chart of a service in Sentinel-1 scene"
"""The same for charts of ice services."""

CHARTS: Marks = (PREDICTED_TITLE.encode(), CHARTED_TITLE.encode())
"""Marks of GeoTIFF, of files of polygons, and of what describes a file: their titles."""

GEOTIFF = CHARTS
"""Marks of GeoTIFF files."""

STYLE: Marks = (b"<!-- seaice ",)
"""Mark of styles for QGIS."""

POLYGONS: Marks = (b"FA".ljust(11, b"\0") + b"C\0\0\0\0\2".ljust(21, b"\0") + b"POLY_TYPE",)
"""Mark of tables of polygons of versions up to 0.2: the last two of their fields. Other ice
charts have more fields between these. Later ones have metadata with a title beside them."""

GEOPACKAGE: Marks = (
    b'"AREA" INTEGER, "PERIMETER" INTEGER, "CT" TEXT, "CA" TEXT',
    # All the fields of a table of versions up to 0.2.
    b'"CT" TEXT, "SA" TEXT, "FA" TEXT, "POLY_TYPE" TEXT)',
)
"""Marks of GeoPackages: in other charts, areas are not whole numbers."""

SUBMIT_SCRIPT: Marks = (b"#SBATCH --job-name=seaice-study",)
"""Mark of submit scripts."""

_TAIL_BYTES = 32 * 1024
_HEAD_BYTES = 128 * 1024  # tables of a GeoPackage are described after 64 KiB or so


def refuse_foreign(path: Path, marks: Marks, *, overwrite: bool = False) -> None:
    """Refuse to replace a file that seaice did not write.

    Parameters
    ----------
    path
        The file to write; it need not exist.
    marks
        Marks of its kind.
    overwrite
        Whether to replace it, whoever wrote it.

    Raises
    ------
    ForeignFileError
        If there is a file without such a mark, or something that is not a file.
    """
    if not os.path.lexists(path):
        return
    if path.exists() and not path.is_file():
        raise ForeignFileError(f"{str(path)!r} is not a regular file")
    if not overwrite and not is_marked(path, marks):
        raise ForeignFileError(
            f"there is a file at {str(path)!r} that seaice did not write",
            hint="move it away, choose another name, or replace it with --overwrite",
        )


def is_marked(path: Path, marks: Marks) -> bool:
    """Return whether a file is there, can be read and contains one of these marks."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            # GeoParquet describes itself at the end.
            n_bytes = stream.seek(0, os.SEEK_END)
            stream.seek(max(len(head), n_bytes - _TAIL_BYTES))
            tail = stream.read()
    except OSError:
        return False  # a file that cannot be read is not known to be ours
    return any(mark in head or mark in tail for mark in marks)
