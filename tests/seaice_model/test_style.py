"""Figures do not depend on settings of matplotlib, and change none."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from seaice_data.charts import CHARTS
from seaice_model.errors import PlotError
from seaice_model.plots.learning_curve import plot_learning_curve
from seaice_model.plots.scores import plot_confusion
from seaice_model.runs.log import LogEntry
from seaice_model.style import as_png, drawing, new_figure, plot_errors, save_plot

HOSTILE = {
    "image.origin": "lower",
    "image.cmap": "jet",
    "text.usetex": True,
    "axes.facecolor": "black",
    "savefig.facecolor": "black",
    "font.family": "No such font",
    "savefig.bbox": "tight",
    "axes.grid": True,
}


@pytest.fixture
def hostile_settings() -> Iterator[None]:
    with mpl.rc_context(HOSTILE):
        yield


def confusion_as_png() -> bytes:
    counts = {c.name: np.eye(c.n_classes, c.n_classes + 1).tolist() for c in CHARTS}
    return as_png(plot_confusion(counts), dpi=50)


EXPECTED = confusion_as_png()


@pytest.mark.usefixtures("hostile_settings")
def test_settings_of_the_caller_neither_change_a_figure_nor_are_changed() -> None:
    before = dict(mpl.rcParams.copy())
    assert confusion_as_png() == EXPECTED
    assert dict(mpl.rcParams.copy()) == before


@drawing()
def fail_without_latex() -> None:
    assert not mpl.rcParams["text.usetex"]
    raise RuntimeError("no latex\nfor three reasons")


@pytest.mark.usefixtures("hostile_settings")
def test_settings_are_restored_after_an_error() -> None:
    with pytest.raises(PlotError, match=r"cannot plot: no latex$"):
        fail_without_latex()
    assert mpl.rcParams["text.usetex"]


def test_letters_that_the_font_lacks_do_not_end_a_plot() -> None:
    with drawing():
        figure = new_figure(1, 1)
        figure.suptitle("\u6d77\u6c37")
    assert as_png(figure, dpi=20).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory to plot"),
        (FileNotFoundError(2, "No such file", "font.ttf"), "'font.ttf': No such file"),
        (ImportError("DLL load failed"), "cannot plot: DLL load failed"),
        (KeyError(), "cannot plot: KeyError"),
    ],
)
def test_what_matplotlib_raises_is_put_into_words(error: Exception, words: str) -> None:
    with pytest.raises(PlotError, match=words), plot_errors():
        raise error


def test_pillow_that_cannot_be_imported_is_an_error_of_the_plot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figure = new_figure(1, 1)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(PlotError, match=r"cannot plot: .*PIL"):
        as_png(figure, 50)


def test_a_figure_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(PlotError, match="cannot plot"):
        save_plot(Figure(), tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_matplotlib_is_imported_where_something_is_drawn_whatever_the_backend(
    tmp_path: Path,
) -> None:
    (tmp_path / "matplotlibrc").write_text("image.origin: lower\ntext.usetex: True\n")
    entry = LogEntry(**ENTRY)
    save_plot(plot_learning_curve([entry]), tmp_path / "here.png")
    program = f"""
import os, pkgutil, sys
import seaice_model
others = ("_kernel", "triton_device", "swin", "lightning")  # MONAI, Lightning import it
for module in pkgutil.walk_packages(seaice_model.__path__, "seaice_model."):
    if not module.name.endswith(others):
        __import__(module.name)
assert "matplotlib" not in sys.modules
from pathlib import Path
from seaice_model.plots.learning_curve import plot_learning_curve
from seaice_model.runs.log import LogEntry
from seaice_model.style import save_plot
save_plot(plot_learning_curve([LogEntry(**{ENTRY})]), Path("there.png"))
assert "matplotlib.pyplot" not in sys.modules
assert os.environ["MPLBACKEND"] == "module://of_another_environment"
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "MPLBACKEND": "module://of_another_environment"}
        | {"PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there.png").read_bytes() == (tmp_path / "here.png").read_bytes()


ENTRY = {
    "epoch": 1, "loss": 1.0, "loss_sic": 1.0, "loss_sod": 1.0, "loss_floe": 1.0,
    "learning_rate": 0.1, "combined": 1.0, "sic": 1.0, "sod": 1.0, "floe": 1.0,
    "is_best": True, "n_patches": 1, "wait_s": 0.0, "train_s": 1.0, "validation_s": 1.0,
}  # fmt: skip
