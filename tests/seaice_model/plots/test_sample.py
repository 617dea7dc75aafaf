"""A figure of a sample has a panel for each channel shown, each mask, the prediction."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from seaice_model.plots.sample import plot_sample
from seaice_model.style import COLOURS


@pytest.fixture
def sample() -> dict[str, np.ndarray]:
    image = np.arange(48, dtype=np.float32).reshape(3, 4, 4)
    mask = np.array([[0, 0, 5, 255]] * 4)
    return {"image": image, "mask": mask, "prediction": np.full((4, 4), 2)}


def test_channels_mask_and_prediction_are_side_by_side(
    sample: dict[str, np.ndarray],
) -> None:
    charts = {"mask": "SOD", "prediction": "SOD"}
    figure = plot_sample(sample, ["hh", "hv", "t2m"], charts, "patch 7")
    titles = [panel.get_title() for panel in figure.axes]
    assert titles == ["hh", "hv", "SOD", "predicted SOD"]
    keys = [[t.get_text() for t in p.get_legend().get_texts()] for p in figure.axes[2:]]
    assert keys == [["open water", "old ice"], ["young ice"]]
    image = figure.axes[2].images[0]
    colours = image.to_rgba(image.get_array())
    np.testing.assert_allclose(colours[0, 0], to_rgba(COLOURS["SOD"][0]), atol=1e-6)
    np.testing.assert_allclose(colours[0, 2], to_rgba(COLOURS["SOD"][5]), atol=1e-6)
    assert colours[0, 3, 3] == 0  # fill shows the white behind it


def test_an_image_of_nothing_but_fill_is_plotted(sample: dict[str, np.ndarray]) -> None:
    sample["image"][:] = np.nan
    sample["mask"][:] = 255
    figure = plot_sample(sample, ["hh"], {"mask": "FLOE", "mask_SIC": "SIC"})
    assert [panel.get_title() for panel in figure.axes] == ["hh", "FLOE"]
