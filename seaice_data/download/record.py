"""The record in a folder of what was fetched: which archives were unpacked there.

Archives are removed once they are unpacked. The record says what was in them, so that they
are not downloaded again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

from seaice_data.errors import ForeignFileError
from seaice_data.system.documents import DocumentError, parse_json, read_text, typed
from seaice_data.system.files import replacing

RECORD = "fetched.json"
"""Name of the record."""


@dataclass(slots=True)
class Unpacked:
    """What the record says of an archive."""

    checksums: tuple[str, ...]
    """Checksums of its parts, in order."""

    files: dict[str, int] = field(default_factory=dict)
    """Sizes of the files in it, by name."""


class _Record(TypedDict):
    doi: str
    archives: dict[str, Unpacked]


def read_record(path: Path, *, overwrite: bool) -> dict[str, Unpacked]:
    """Return which archives were unpacked, by name; none if there is no record.

    Raises
    ------
    ForeignFileError
        If there is another file of this name, unless `overwrite`.
    """
    if not path.exists():
        return {}
    try:
        return typed(parse_json(read_text(path)), _Record)["archives"]
    except DocumentError as error:
        if overwrite:
            return {}
        raise ForeignFileError(
            f"{str(path)!r} is not a record of what was fetched: {error}",
            hint="move it away, or replace it with --overwrite",
        ) from error


def write_record(record: Mapping[str, Unpacked], path: Path, doi: str) -> None:
    """Write a record, whole or not at all.

    Parameters
    ----------
    record
        Archives by name.
    path
        Where to.
    doi
        What the archives are of.
    """
    archives = {
        name: {"checksums": found.checksums, "files": found.files}
        for name, found in record.items()
    }
    document = {"software": f"seaice {version('seaice')}", "doi": doi, "archives": archives}
    with replacing(path) as new:
        new.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
