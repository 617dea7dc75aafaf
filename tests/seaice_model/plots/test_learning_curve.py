from dataclasses import replace
from pathlib import Path

from support.learnable_scenes import ENTRY

from seaice_model.plots.learning_curve import plot_learning_curve
from seaice_model.runs.log import LogEntry
from seaice_model.style import save_plot


def test_a_learning_curve_is_plotted_from_the_first_epoch_on(tmp_path: Path) -> None:
    log: list[LogEntry] = [ENTRY]
    first = plot_learning_curve(log)
    save_plot(first, tmp_path / "one.png")
    assert {line.get_marker() for line in first.axes[0].lines} == {"o"}  # else invisible
    log += [replace(ENTRY, epoch=e, combined=80.0 + e, sic=-300.0) for e in range(2, 9)]
    figure = plot_learning_curve(log)
    save_plot(figure, tmp_path / "many.png")
    losses, scores = figure.axes
    assert [line.get_label() for line in losses.lines] == [
        "weighted sum", "SIC", "SOD", "FLOE",
    ]  # fmt: skip
    assert "best: 88.0" in [line.get_label() for line in scores.lines]
    assert scores.get_ylim() == (-52, 102)  # an R2 of -300 is cut off


def test_a_negative_loss_is_shown() -> None:
    log = [replace(ENTRY, epoch=e, loss=1.0 - e) for e in range(1, 4)]
    losses, _ = plot_learning_curve(log).axes
    assert losses.get_yscale() == "linear"
    assert losses.get_ylim()[0] < -2
    assert plot_learning_curve(log[:1]).axes[0].get_yscale() == "log"
