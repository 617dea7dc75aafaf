"""Patches as NumPy archives, one a patch: ``train/20180607T184326_dmi_y00000_x00256.npz``.

``np.load`` reads them; arrays have the type and the axes that they have in the store. They
are not compressed: inflating would take longer than anything else that a training does on
the CPU.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.charts import CHARTS
from seaice_data.exports.piece import PatchFormat, Piece, facts
from seaice_data.exports.windows import PatchWindow, WindowSource


class NpzArchives(PatchFormat):
    """Writes ``inputs``, ``charts`` and what is known of a patch."""

    def pieces(self, windows: Sequence[PatchWindow]) -> list[Piece]:
        """Return a piece for each patch."""
        return [Piece(w.name, (w,), (f"{w.split}/{w.name}.npz",)) for w in windows]

    def write(self, piece: Piece, source: WindowSource, folder: Path) -> None:
        """Write the archive of a patch."""
        (window,), (file,) = piece.windows, piece.files
        inputs, charts = source.read(window)
        arrays: dict[str, Any] = {
            "inputs": inputs,
            "charts": charts,
            "channel": np.array(source.channels),
            "chart": np.array([chart.name for chart in CHARTS]),
        }
        arrays |= {name: np.array(value) for name, value in facts(window).items()}
        np.savez(folder / file, **arrays)
