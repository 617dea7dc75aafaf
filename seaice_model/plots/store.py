"""Figures of a store: its classes, and its scenes on one sheet."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS, SIC
from seaice_data.store.opening import AnyStore, opened
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.system.ownership import FIGURE, refuse_foreign
from seaice_model.style import COLOURS, drawing, new_figure, save_plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 8
_MOST_SCENES = 64
_THUMBNAIL = 160


def save_store_plots(
    store: AnyStore, folder: str | Path, *, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write ``scenes.png`` and, if the store has class counts, ``classes.png``.

    Parameters
    ----------
    store
        The store to plot, its path or its URL.
    folder
        Where to write; made if needed.
    overwrite
        Replace files of these names that seaice did not write.

    Returns
    -------
    tuple
        The files written.

    Raises
    ------
    ForeignFileError
        If a file of one of these names is in the way.
    PlotError
        If a figure cannot be plotted or written.
    """
    store, folder = opened(store), Path(folder)
    for name in ("scenes.png", "classes.png"):
        refuse_foreign(folder / name, FIGURE, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"scenes.png": plot_contact_sheet(store)}
    if counts := store.full_class_counts:
        figures["classes.png"] = plot_class_distribution(counts)
    for name, figure in figures.items():
        save_plot(figure, folder / name)
    return tuple(folder / name for name in figures)


@drawing()
def plot_class_distribution(class_counts: Mapping[str, Sequence[int]]) -> "Figure":
    """Plot the share of each class of each chart in percent.

    Parameters
    ----------
    class_counts
        Pixels of each class by chart, fill last (attribute ``full_class_counts`` of a
        store: its training scenes on the 80 m grid).

    Notes
    -----
    Chen et al. (2024), Figure 5.
    """
    figure = new_figure(11, 3.8)
    panels = figure.subplots(
        1, len(CHARTS), gridspec_kw={"width_ratios": [c.n_classes for c in CHARTS]}
    )
    for axes, chart in zip(panels, CHARTS, strict=True):
        counts = np.asarray(class_counts[chart.name][: chart.n_classes], float)
        shares = 100 * counts / max(counts.sum(), 1)
        bars = axes.bar(chart.class_names, shares, color=COLOURS[chart.name])
        # The bars of the rarest classes are invisible: a number says that they exist.
        labels = [f"{share:.2g}" if share else "0" for share in shares]
        axes.bar_label(bars, labels, fontsize=8)
        axes.set_title(f"{chart.name}: {chart.long_name}", fontsize=10)
        axes.set_ylabel("share of the labelled pixels (%)" if chart is SIC else "")
        axes.tick_params(axis="x", labelrotation=60, labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


@drawing()
def plot_contact_sheet(store: Store) -> "Figure":
    """Plot HH and the SIC chart of each scene of a store, of at most 64, as thumbnails."""
    every = math.ceil(max(len(store.scenes), 1) / _MOST_SCENES)
    scenes = [store.scene(scene_id) for scene_id in store.scenes[::every]]
    split_of = {scene: name for name, ids in store.splits.items() for scene in ids}
    n_rows = max(-(-len(scenes) // _COLUMNS), 1)
    figure = new_figure(1.5 * _COLUMNS, 3.1 * n_rows + 0.4)
    panels = figure.subplots(2 * n_rows, _COLUMNS, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for number, scene in enumerate(scenes):
        row, column = divmod(number, _COLUMNS)
        above, below = panels[2 * row, column], panels[2 * row + 1, column]
        if "hh" in store.channels:
            plane = _thumbnail(scene, "hh")
            above.imshow(plane, cmap="gray", vmin=-2, vmax=2, origin="upper")
        _plot_sic(below, scene)
        split = split_of.get(scene.id, "left out")
        above.set_title(f"{scene.id[:8]} {scene.service}\n{split}", fontsize=7)
    shown = f"{len(scenes)} of {len(store.scenes)} scenes: HH, and SIC as charted"
    figure.suptitle(shown, fontsize=11, x=0.01, ha="left")
    return figure


def _thumbnail(scene: StoredScene, channel: str) -> np.ndarray:
    step = max(max(scene.grid.shape) // _THUMBNAIL, 1)
    position = scene.store.channels.index(channel)
    return np.asarray(scene.inputs[::step, ::step, position], np.float32)


def _plot_sic(axes: "Axes", scene: StoredScene) -> None:
    from matplotlib.colors import ListedColormap  # late: see `seaice_data.system.figures`

    step = max(max(scene.grid.shape) // _THUMBNAIL, 1)
    chart: ChartArray = np.asarray(scene.charts[::step, ::step, CHARTS.index(SIC)])
    shown = np.ma.masked_equal(chart, CHART_FILL)
    colours = ListedColormap(COLOURS[SIC.name])
    axes.imshow(
        shown, cmap=colours, vmin=-0.5, vmax=SIC.n_classes - 0.5, interpolation="nearest",
        origin="upper",
    )  # fmt: skip
