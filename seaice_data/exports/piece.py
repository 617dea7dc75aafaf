"""What every format has in common: pieces of an export, each whole or absent."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seaice_data.charts import CHARTS
from seaice_data.exports.windows import PatchWindow, WindowSource


@dataclass(frozen=True, slots=True)
class Piece:
    """Patches that are written together."""

    name: str
    """Name of the piece: that of its patch or shard."""

    windows: tuple[PatchWindow, ...]
    """Its patches."""

    files: tuple[str, ...]
    """Its files, at least one, relative to the folder of the export."""


class PatchFormat(ABC):
    """A format of patches. Other processes write with a copy of it."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of charts that cannot be written."""
        return ()

    def takes(
        self,
        window: PatchWindow,  # noqa: ARG002 - for formats that leave patches out
    ) -> bool:
        """Return whether the format has a file for a patch."""
        return True

    @abstractmethod
    def pieces(self, windows: Sequence[PatchWindow]) -> list[Piece]:
        """Divide patches, all of which the format takes, into pieces."""

    @abstractmethod
    def write(self, piece: Piece, source: WindowSource, folder: Path) -> None:
        """Write the files of a piece below `folder`; the folders that they are in exist."""

    def documents(
        self,
        windows: Sequence[PatchWindow],  # noqa: ARG002 - for formats that have documents
        channels: Sequence[str],  # noqa: ARG002
    ) -> dict[str, str]:
        """Return the texts that readers of the format need, by file."""
        return {}


def facts(window: PatchWindow) -> dict[str, Any]:
    """Return what is known of a patch, as values for JSON."""
    return {
        "name": window.name,
        "split": window.split,
        "scene": window.scene,
        "acquired": f"{window.scene.acquired:%Y-%m-%dT%H:%M:%SZ}",
        "service": window.scene.service,
        "top": window.top,
        "left": window.left,
        "latitude": window.latitude,
        "longitude": window.longitude,
        "probability": window.probability,
        **{
            f"n_valid_{chart.name}": n
            for chart, n in zip(CHARTS, window.n_valid, strict=True)
        },
    }


def json_text(value: Any) -> str:
    """Return a document as JSON, ending in a line break."""
    return json.dumps(value, indent=2) + "\n"
