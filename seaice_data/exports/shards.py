"""Patches as shards of webdataset: tar files of a hundred patches, ``train-000000.tar``.

A patch has three members, which begin with its name: ``.inputs.npy``, ``.charts.npy`` and
``.json``. Arrays have the type and the axes that they have in the store.
"""

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seaice_data.exports.piece import PatchFormat, Piece, facts
from seaice_data.exports.windows import PatchWindow, WindowSource


@dataclass(frozen=True, slots=True)
class Shards(PatchFormat):
    """Writes tar files, the same bytes each time."""

    per_shard: int
    """Patches in a shard; the last one of a split may have fewer."""

    def pieces(self, windows: Sequence[PatchWindow]) -> list[Piece]:
        """Return a piece for each shard."""
        pieces = []
        for split, group in groupby(windows, key=lambda window: window.split):
            of_split = tuple(group)
            for number, first in enumerate(range(0, len(of_split), self.per_shard)):
                name = f"{split}-{number:06d}.tar"
                part = of_split[first : first + self.per_shard]
                pieces.append(Piece(name, part, (name,)))
        return pieces

    def write(self, piece: Piece, source: WindowSource, folder: Path) -> None:
        """Write a tar file."""
        with tarfile.open(folder / piece.files[0], "x", format=tarfile.USTAR_FORMAT) as tar:
            for window in piece.windows:
                inputs, charts = source.read(window)
                for suffix, content in (
                    ("inputs.npy", _npy(inputs)),
                    ("charts.npy", _npy(charts)),
                    ("json", json.dumps(facts(window)).encode()),
                ):
                    member = tarfile.TarInfo(f"{window.name}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


def _npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
