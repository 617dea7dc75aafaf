"""Patches as datasets of nnU-Net (version 2), one a chart: ``Dataset501_SeaIceSIC`` ...

nnU-Net's rules, and what follows from them:

- One file a channel: TIFF in float32, which its reader for flat images understands.
- It does not know NaN: fill in inputs is 0, which is the mean of a standardised channel.
- It has no fill in labels but a label to ignore, which comes right after the last class: 11
  in SIC, 6 in SOD, 7 in FLOE. Class 0 is called ``background``.
- Channels are called ``noNorm``, so that it does not standardise them again, each patch by
  itself: planes such as the month would become 0. Their names are in ``dataset.json`` too.
- Training and validation scenes are its training cases; ``splits_final.json`` separates
  them, and nnU-Net follows it. Test scenes are in ``imagesTs`` and ``labelsTs``.
- A patch is a training case of a chart only if the chart has a class in it. A chart without
  a training case has no dataset, and a patch that is in no dataset is left out.

Images are the same for all charts, and are written once: the datasets have hard links to
them, where the disk knows these, and copies elsewhere.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHART_FILL, CHARTS, Chart
from seaice_data.errors import StoreError
from seaice_data.exports.piece import PatchFormat, Piece, json_text
from seaice_data.exports.windows import PatchWindow, WindowSource

_COMPRESSION = "tiff_adobe_deflate"  # the only one that readers know without plug-ins


@dataclass(frozen=True, slots=True)
class NnUnetDatasets(PatchFormat):
    """Writes a dataset for each chart."""

    first_id: int
    """Number of the dataset of the first chart."""

    n_channels: int
    """Channels of the patches."""

    charts: tuple[Chart, ...] = CHARTS
    """Charts that have a dataset."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Charts without a dataset."""
        return tuple(chart.name for chart in CHARTS if chart not in self.charts)

    def dataset(self, chart: Chart) -> str:
        """Return the name of the dataset of a chart."""
        return f"Dataset{self.first_id + CHARTS.index(chart):03d}_SeaIce{chart.name}"

    def takes(self, window: PatchWindow) -> bool:
        """Return whether a dataset contains a patch."""
        return bool(self._charts(window))

    def pieces(self, windows: Sequence[PatchWindow]) -> list[Piece]:
        """Return a piece for each patch."""
        return [
            Piece(
                w.name,
                (w,),
                tuple(file for c in self._charts(w) for file in self._files(w, c)),
            )
            for w in windows
        ]

    def write(self, piece: Piece, source: WindowSource, folder: Path) -> None:
        """Write the images and labels of a patch."""
        (window,) = piece.windows
        inputs, charts = source.read(window)
        first: list[str] = []
        for chart in self._charts(window):
            *images, label = self._files(window, chart)
            for k, file in enumerate(images):
                if first:
                    _link(folder / first[k], folder / file)
                else:
                    _write(as_image(inputs[..., k]), folder / file)
            first = first or images
            _write(as_labels(charts, chart), folder / label)

    def documents(
        self, windows: Sequence[PatchWindow], channels: Sequence[str]
    ) -> dict[str, str]:
        """Return ``dataset.json`` and ``splits_final.json`` of each dataset."""
        documents = {}
        for chart in self.charts:
            cases = {
                split: [
                    w.name for w in windows if w.split == split and chart in self._charts(w)
                ]
                for split in ("train", "validation")
            }
            folder = self.dataset(chart)
            n_cases = len(cases["train"]) + len(cases["validation"])
            documents[f"{folder}/dataset.json"] = json_text(
                _description(chart, n_cases, channels)
            )
            if cases["validation"]:
                documents[f"{folder}/splits_final.json"] = json_text(
                    [{"train": cases["train"], "val": cases["validation"]}]
                )
        return documents

    def _charts(self, window: PatchWindow) -> list[Chart]:
        """Return the charts whose datasets contain a patch."""
        return [
            chart
            for chart in self.charts
            if window.split == "test" or window.n_valid[CHARTS.index(chart)]
        ]

    def _files(self, window: PatchWindow, chart: Chart) -> tuple[str, ...]:
        """Return the files of a patch in the dataset of a chart; the last is the label."""
        folder, kind = self.dataset(chart), "Ts" if window.split == "test" else "Tr"
        images = (
            f"{folder}/images{kind}/{window.name}_{k:04d}.tif"
            for k in range(self.n_channels)
        )
        return (*images, f"{folder}/labels{kind}/{window.name}.tif")


def as_image(plane: FloatArray) -> FloatArray:
    """Return a channel as nnU-Net reads it: float32, 0 in place of NaN.

    Examples
    --------
    >>> as_image(np.array([[1.5, np.nan]], np.float16)).tolist()
    [[1.5, 0.0]]
    """
    return np.nan_to_num(plane.astype(np.float32), nan=0.0)


def as_labels(charts: ChartArray, chart: Chart) -> ChartArray:
    """Return a chart as nnU-Net reads it: its next number in place of fill.

    Parameters
    ----------
    charts
        Shape ``(y, x, chart)``.
    chart
        Which of them.

    Examples
    --------
    >>> as_labels(np.array([[[10, 255, 6]]], np.uint8), CHARTS[1]).tolist()
    [[6]]
    """
    plane = charts[..., CHARTS.index(chart)]
    return np.where(plane == CHART_FILL, np.uint8(chart.n_classes), plane)


def trained_charts(windows: Sequence[PatchWindow]) -> tuple[Chart, ...]:
    """Return the charts with a class in a patch of a training scene.

    Raises
    ------
    StoreError
        If there is none.
    """
    training = [window.n_valid for window in windows if window.split == "train"]
    charts = tuple(c for c, *n in zip(CHARTS, *training, strict=True) if any(n))
    if not charts:
        raise StoreError(
            "nnU-Net needs training cases, and no training scene has a patch with a class",
            hint="`seaice info` shows the splits of a store",
        )
    return charts


def _description(chart: Chart, n_cases: int, channels: Sequence[str]) -> dict[str, Any]:
    names = ["background", *chart.class_names[1:], "ignore"]
    return {
        "name": f"SeaIce{chart.name}",
        "description": f"{chart.long_name}; label 0 is {chart.class_names[0]!r}",
        "channel_names": {str(k): "noNorm" for k in range(len(channels))},
        "channels": list(channels),
        "labels": {name: k for k, name in enumerate(names)},
        "numTraining": n_cases,
        "file_ending": ".tif",
        "overwrite_image_reader_writer": "NaturalImage2DIO",
    }


def _write(plane: FloatArray | ChartArray, path: Path) -> None:
    from PIL import Image  # late: other formats do not need it

    Image.fromarray(plane).save(path, format="TIFF", compression=_COMPRESSION)


def _link(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:  # a disk without hard links
        shutil.copyfile(path, other)
