from pathlib import Path

import pytest
from matplotlib.image import imread

from seaice_data.charts import CHARTS
from seaice_data.errors import ForeignFileError
from seaice_data.store.store import Store
from seaice_model.plots.store import (
    plot_class_distribution,
    plot_contact_sheet,
    save_store_plots,
)
from seaice_model.style import save_plot


def test_every_class_has_a_bar_of_its_share() -> None:
    counts = {chart.name: [*[0] * (chart.n_classes - 1), 3, 5] for chart in CHARTS}
    counts["SOD"] = [1, 3, 0, 0, 0, 0, 9]
    figure = plot_class_distribution(counts)
    for axes, chart in zip(figure.axes, CHARTS, strict=True):
        heights = [bar.get_height() for bar in axes.patches]
        assert len(heights) == chart.n_classes
        assert sum(heights) == 100
    assert [bar.get_height() for bar in figure.axes[1].patches][:2] == [25, 75]


def test_every_scene_is_on_the_sheet(store_path: str, tmp_path: Path) -> None:
    store = Store.open(store_path)
    figure = plot_contact_sheet(store)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert [title[:8] for title in titles] == [scene[:8] for scene in store.scenes]
    assert sum(len(axes.images) for axes in figure.axes) == 2 * len(store.scenes)
    save_plot(figure, tmp_path / "scenes.png")
    assert imread(tmp_path / "scenes.png").shape[1] == 12 * 110


def test_plots_of_a_store_replace_only_our_own(store_path: str, tmp_path: Path) -> None:
    store, folder = Store.open(store_path), tmp_path / "plots"
    paths = save_store_plots(store, folder)
    assert [path.name for path in paths] == ["scenes.png", "classes.png"]
    assert save_store_plots(store, folder) == paths  # they are ours
    paths[1].write_text("mine")
    with pytest.raises(ForeignFileError, match="that seaice did not write"):
        save_store_plots(store, folder)
    assert paths[1].read_text() == "mine"
