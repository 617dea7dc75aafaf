"""The figure of a run: losses and validation scores, epoch by epoch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seaice_model.runs.log import LogEntry
from seaice_model.style import drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#333333"


@drawing()
def plot_learning_curve(log: Sequence[LogEntry]) -> "Figure":
    """Plot losses and validation scores over the epochs of a run."""
    figure = new_figure(9, 3.6)
    losses, scores = figure.subplots(1, 2)
    epochs = [entry.epoch for entry in log]
    marker = "o" if len(log) < 3 else None
    for name, label, colour in (
        ("loss", "weighted sum", _INK),
        ("loss_sic", "SIC", "#0072b2"),
        ("loss_sod", "SOD", "#d55e00"),
        ("loss_floe", "FLOE", "#009e73"),
    ):
        values = [getattr(entry, name) for entry in log]
        losses.plot(epochs, values, label=label, color=colour, marker=marker)
    for name, label, colour in (
        ("combined", "combined", _INK),
        ("sic", "SIC: R2", "#0072b2"),
        ("sod", "SOD: F1", "#d55e00"),
        ("floe", "FLOE: F1", "#009e73"),
    ):
        values = [_or_nan(getattr(entry, name)) for entry in log]
        scores.plot(epochs, values, label=label, color=colour, marker=marker)
    _mark_best(scores, log)
    # With learned weights, the sum may be negative.
    scale = "log" if all(entry.loss >= 0 for entry in log) else "linear"
    losses.set(xlabel="epoch", ylabel="training loss", yscale=scale)
    # A network that has not learned yet can have an R2 far below 0.
    scores.set(xlabel="epoch", ylabel="validation score (%)", ylim=(_lowest(log), 102))
    for axes in (losses, scores):
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=9)
    return figure


def _mark_best(axes: "Axes", log: Sequence[LogEntry]) -> None:
    best = max(
        (entry for entry in log if entry.is_best), key=lambda e: e.epoch, default=None
    )
    if best is not None:
        axes.axvline(best.epoch, color="#bbbbbb", linestyle=":", zorder=0)
        axes.plot(
            best.epoch, best.combined, "o", color=_INK, label=f"best: {best.combined:.1f}"
        )


def _lowest(log: Sequence[LogEntry]) -> float:
    values = [v for e in log for v in (e.combined, e.sic, e.sod, e.floe) if v is not None]
    return max(-50.0, min([0.0, *values])) - 2


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
