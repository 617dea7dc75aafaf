from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from support.drawn_uncertainty import drawn, errors

from seaice_data.charts import CHARTS, SIC, SOD
from seaice_model.metrics import ChartScorer
from seaice_model.plots.scores import plot_calibration, plot_confusion
from seaice_model.scores.calibration import CalibrationScorer
from seaice_model.style import save_plot


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text)]  # type: ignore[attr-defined]


def confusion(unpredicted: int = 0) -> dict[str, list[list[int]]]:
    scorer = ChartScorer()
    counts = scorer.confusion["SOD"]
    counts[1, :4] = 19, 30, 20, 31
    counts[5, 4:6] = 31, 69
    counts[5, 6] = unpredicted
    return {name: matrix.tolist() for name, matrix in scorer.confusion.items()}


def test_rows_of_the_confusion_are_shares(tmp_path: Path) -> None:
    figure = plot_confusion(confusion(), (SOD,))
    save_plot(figure, tmp_path / "confusion.png")
    shares = np.asarray(figure.axes[0].images[0].get_array())
    assert shares.shape == (6, 6)
    np.testing.assert_allclose(shares.sum(axis=1), [0, 100, 0, 0, 0, 100])
    assert {"19", "31", "69", "old ice"} <= set(texts(figure))


def test_pixels_without_a_class_get_a_column_only_if_there_are_any() -> None:
    assert "no class" not in texts(plot_confusion(confusion()))
    assert "no class" in texts(plot_confusion(confusion(unpredicted=5)))


def test_rows_are_named_after_what_maps_are_scored_against() -> None:
    assert "ice chart" in texts(plot_confusion(confusion()))
    named = texts(plot_confusion(confusion(), truth="hidden truth"))
    assert "hidden truth" in named
    assert "ice chart" not in named


def test_a_title_may_be_any_bytes(tmp_path: Path) -> None:
    figure = plot_confusion(confusion(), title="K\udcf8benhavn")
    save_plot(figure, tmp_path / "confusion.png")
    assert "K\\udcf8benhavn" in texts(figure)


@pytest.mark.parametrize("charts", [(SIC,), CHARTS])
def test_charts_without_a_pixel_can_be_plotted(charts, tmp_path: Path) -> None:
    empty = {n: m.tolist() for n, m in ChartScorer().confusion.items()}
    figure = plot_confusion(empty, charts)
    save_plot(figure, tmp_path / "empty.png")
    assert len(figure.axes) == len(charts)


def test_calibration_has_panels_for_probabilities_and_spread(tmp_path: Path) -> None:
    scorer = CalibrationScorer()
    scorer.add_probabilities(SOD, *drawn())
    found = scorer.calibration()
    assert found is not None
    assert len(plot_calibration(found).axes) == 1
    scorer.add_spread(*errors(0), n_votes=5)
    found = scorer.calibration()
    assert found is not None
    figure = plot_calibration(found)
    save_plot(figure, tmp_path / "calibration.png")
    assert len(figure.axes) == 2
    assert any(text.startswith("SOD: calibration error") for text in texts(figure))
    assert any(text.startswith("SIC: error") for text in texts(figure))
