"""The documents of an export: ``manifest.json`` and the list of patches, ``patches.csv``.

The manifest is written before the first patch. An export that was interrupted continues
only if it would be the same: equal settings, and a store whose scenes, splits and recipe
have not changed.
"""

import csv
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from seaice_data.channels import find_channels
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import ExportError, ForeignFileError, SettingsError
from seaice_data.exports.piece import Piece, facts, json_text
from seaice_data.exports.settings import ExportSettings
from seaice_data.exports.windows import PatchWindow, WindowList
from seaice_data.settings import differences, from_mapping, to_mapping
from seaice_data.store.store import Store
from seaice_data.system.documents import (
    DocumentError,
    naming_version,
    parse_json,
    read_text,
)
from seaice_data.system.documents import typed as typed_value
from seaice_data.system.files import HIDDEN, replacing

MANIFEST = "manifest.json"
"""Name of the manifest."""

PATCHES = "patches.csv"
"""Name of the list of patches."""

FORMAT_VERSION = 1
"""Version of the documents and of the layout of files."""

TITLE = "Patches of a seaice store"
"""What all manifests begin with."""


class Manifest(TypedDict):
    """What is read from a manifest."""

    title: str
    software: str
    format_version: int
    settings: dict[str, Any]
    store_fingerprint: str
    patches_sha256: str
    content_sha256: str
    is_complete: bool


def patches_text(pieces: Sequence[Piece]) -> str:
    """Return the list of patches as CSV, each with the first of its files."""
    rows = [
        {**facts(window), "file": piece.files[0]}
        for piece in pieces
        for window in piece.windows
    ]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [*rows[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def describe_export(
    store: Store,
    settings: ExportSettings,
    channels: Sequence[str],
    listed: WindowList,
    patches: str,
) -> dict[str, Any]:
    """Return the manifest of an export that is not complete yet.

    Parameters
    ----------
    store
        Where the patches come from.
    settings
        What is exported.
    channels
        Names of the channels.
    listed
        Its patches.
    patches
        The same as `patches_text`.
    """
    is_stored = settings.to in ("npz", "webdataset")
    return {
        "title": TITLE,
        "software": f"seaice {version('seaice')}",
        "format_version": FORMAT_VERSION,
        "is_complete": False,
        "settings": to_mapping(settings),
        "store": store.path,
        "store_fingerprint": store.fingerprint,
        "recipe": to_mapping(store.recipe),
        "content_sha256": _content(store, listed.windows),
        "patches_sha256": hashlib.sha256(patches.encode()).hexdigest(),
        "patches": {
            split: sum(window.split == split for window in listed.windows)
            for split in settings.splits
        },
        "scenes_without_patch": list(listed.skipped),
        "inputs": {
            "dtype": str(np.dtype(store.recipe.dtype)) if is_stored else "float32",
            "axes": ["y", "x", "channel"] if is_stored else ["y", "x"],
            "fill": 0 if settings.to == "nnunet" else "NaN",
            "channels": [asdict(channel) for channel in find_channels(channels)],
        },
        "charts": {
            "dtype": "uint8",
            "axes": ["y", "x", "chart"] if is_stored else ["y", "x"],
            "charts": [
                {
                    "name": chart.name,
                    "classes": list(chart.class_names),
                    "fill": chart.n_classes if settings.to == "nnunet" else CHART_FILL,
                }
                for chart in CHARTS
            ],
        },
        "note": "stored * std + mean is the physical value of an input",
    }


def check_folder(out: Path, wanted: Mapping[str, Any]) -> None:
    """Reject a folder in which an export can neither begin nor continue.

    Parameters
    ----------
    out
        The folder; it need not exist.
    wanted
        Manifest of the export.

    Raises
    ------
    ForeignFileError
        If there is something that is not an export.
    ExportError
        If there is an export of other patches.
    """
    if os.path.lexists(out) and not out.is_dir():
        raise ForeignFileError(f"{str(out)!r} is not a folder")
    present = [p.name for p in out.iterdir()] if out.is_dir() else []
    if not [name for name in present if not name.startswith(HIDDEN)]:
        return
    if MANIFEST not in present:
        raise ForeignFileError(
            f"the folder {str(out)!r} is not empty, and has no {MANIFEST} of an export",
            hint="choose another folder",
        )
    if reason := _difference(_read(out / MANIFEST), wanted):
        raise ExportError(
            f"{str(out)!r} contains other patches: {reason}",
            hint="choose another folder, or remove this one",
        )


def write_document(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def write_manifest(out: Path, manifest: Mapping[str, Any], *, is_complete: bool) -> None:
    """Write the manifest of an export."""
    text = json_text({**manifest, "is_complete": is_complete})
    write_document(out / MANIFEST, text)


def _content(store: Store, windows: Sequence[PatchWindow]) -> str:
    """Return a checksum of what the scenes of these patches contain."""
    digest = hashlib.sha256()
    for scene in sorted({window.scene for window in windows}):
        checksums = store.scene(scene).known["checksums"]
        digest.update(f"{scene} {checksums['inputs']} {checksums['charts']}\n".encode())
    return digest.hexdigest()


def _read(path: Path) -> Manifest:
    try:
        document = parse_json(read_text(path))
        if not isinstance(document, dict) or document.get("title") != TITLE:
            raise DocumentError("it is not of an export of seaice")
        with naming_version(ExportError, str(path), document.get("software")):
            if document.get("format_version") != FORMAT_VERSION:
                raise DocumentError(f"its format version is not {FORMAT_VERSION}")
            return typed_value(document, Manifest)
    except DocumentError as error:
        raise ForeignFileError(
            f"cannot continue with {str(path)!r}: {error}", hint="choose another folder"
        ) from error


def _difference(found: Manifest, wanted: Mapping[str, Any]) -> str:
    """Return how an export differs from what is wanted; empty if it does not."""
    try:
        ours = from_mapping(ExportSettings, wanted["settings"])
        listed = differences(ours, from_mapping(ExportSettings, found["settings"]))
    except SettingsError as error:
        return f"its settings cannot be read: {error}"
    if listed:
        return "; ".join(listed)
    for name, reason in (
        ("store_fingerprint", "they are of a store with another recipe"),
        ("content_sha256", "the scenes of the store have changed"),
        ("patches_sha256", "the splits of the store have changed"),
    ):
        if found[name] != wanted[name]:  # type: ignore[literal-required]
            return reason
    return ""
