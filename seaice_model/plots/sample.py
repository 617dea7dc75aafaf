"""Figures of samples: the channels of a patch or tile, its charts, and a prediction."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.charts import CHART_FILL, CHARTS, Chart
from seaice_data.colours import stretch
from seaice_model.style import COLOURS, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_CHANNELS = 2
_SIDE = 2.6
"""Of a panel, in inches."""
_WORDS = 1.7
"""Height of titles and keys, in inches; that of SIC has six rows."""


@drawing()
def plot_sample(
    sample: Mapping[str, Any],
    channels: Sequence[str],
    charts: Mapping[str, str],
    title: str | None = None,
) -> "Figure":
    """Plot the first two channels of a sample, its masks, and its prediction.

    Channels go from black to white between their 2nd and 98th percentile. Classes have the
    colours of our maps; fill is white.

    Parameters
    ----------
    sample
        Arrays or tensors by name: ``image``, shape ``(channel, y, x)``, and planes of
        classes, shape ``(y, x)``.
    channels
        Names of the channels.
    charts
        Name of the chart of each plane of classes, by the name of the plane. Those that
        the sample does not have are left out.
    title
        Title of the figure.

    Raises
    ------
    PlotError
        If matplotlib cannot plot it.
    """
    planes = {name: np.asarray(sample[name]).squeeze() for name in charts if name in sample}
    shown = [*channels][:_MOST_CHANNELS]
    figure = new_figure(_SIDE * (len(shown) + len(planes)), _SIDE + _WORDS)
    axes = figure.subplots(1, len(shown) + len(planes), squeeze=False)[0]
    for panel, name, plane in zip(axes, shown, np.asarray(sample["image"]), strict=False):
        low, high = stretch(plane)
        panel.imshow(plane, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        panel.set_title(name, fontsize=9)
    known = {chart.name: chart for chart in CHARTS}
    for panel, (name, plane) in zip(axes[len(shown) :], planes.items(), strict=True):
        chart = known[charts[name]]
        words = "predicted " if name == "prediction" else ""
        panel.set_title(f"{words}{chart.name}", fontsize=9)
        _plot_classes(panel, plane, chart)
    for panel in axes:
        panel.set_xticks([])
        panel.set_yticks([])
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _plot_classes(panel: "Axes", plane: "np.ndarray[Any, Any]", chart: Chart) -> None:
    """Plot a plane of classes, with a key to those that are there."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = COLOURS[chart.name]
    classes = np.ma.masked_equal(plane.astype(np.int64), CHART_FILL)
    panel.imshow(
        classes,
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=chart.n_classes - 0.5,
        interpolation="nearest",
    )
    present = [k for k in range(chart.n_classes) if (classes == k).any()]
    panel.legend(
        handles=[Patch(color=colours[k], label=chart.class_names[k]) for k in present],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.02),
        ncols=2,
        fontsize=6,
        frameon=False,
    )
