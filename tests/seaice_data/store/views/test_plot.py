"""Scenes as figures: the right colours at the right places."""

import pickle
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from pyproj import Geod, Transformer

from seaice_data.charts import CHARTS, SOD
from seaice_data.colours import HATCH_COLOUR, LAND_COLOUR, WMO_COLOURS
from seaice_data.errors import SeaIceError
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.store.views.polar import NORTH


@pytest.fixture(scope="module")
def scene(store_path: str) -> StoredScene:
    """Return a scene with land."""
    scenes, _ = Store(store_path).open_scenes()
    return max(scenes, key=lambda scene: (scene.full_flags() & FLAG_LAND > 0).sum())


def pixels(figure: Any) -> np.ndarray[Any, Any]:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def share(picture: np.ndarray[Any, Any], colour: str) -> float:
    """Return the share of pixels of a colour in the left half: legends are on the right."""
    half = picture[60:-60, : picture.shape[1] // 2]
    wanted = np.rint(np.multiply(to_rgb(colour), 255))
    return float((np.abs(half - wanted).max(axis=-1) <= 1).mean())


def test_a_chart_has_the_colours_of_its_classes(scene: StoredScene) -> None:
    picture = pixels(scene.plot(chart="SOD"))
    counts = scene.class_counts["SOD"][:-1]
    colour = WMO_COLOURS["SOD"][int(np.argmax(counts))]
    assert share(picture, colour) > 0.02
    for count, absent in zip(counts, WMO_COLOURS["SOD"], strict=True):
        if count == 0:
            assert share(picture, absent) < 0.001
    assert (share(picture, LAND_COLOUR) > 0.001) == bool(
        (scene.full_flags() & FLAG_LAND).any()
    )


def test_missing_sar_is_hatched_and_north_is_shown(scene: StoredScene) -> None:
    figure = scene.plot(chart="SOD")
    words = [text.get_text() for text in figure.axes[0].texts]
    assert "N" in words
    (missing,) = (p for p in figure.axes[0].get_legend().get_patches() if p.get_hatch())
    assert missing.get_label() == "no SAR"
    is_missing = scene.full_flags() & (FLAG_NO_SAR | FLAG_LAND) == FLAG_NO_SAR
    if is_missing.mean() > 0.05:
        assert share(pixels(figure), HATCH_COLOUR) > 0


@pytest.mark.parametrize(
    ("chart", "meaning"), [("SIC", "not charted"), ("FLOE", "no dominant class")]
)
def test_the_legend_says_what_grey_means(
    scene: StoredScene, chart: str, meaning: str
) -> None:
    legend = scene.plot(chart=chart).axes[0].get_legend()
    assert legend is not None
    assert meaning in [text.get_text() for text in legend.get_texts()]


def test_the_scale_is_that_of_geodesics(store_path: str) -> None:
    scenes, _ = Store(store_path).open_scenes()

    def enlargement(scene: StoredScene) -> float:
        return NORTH.enlargement(float(scene.tie_points.latitude.mean()))

    scene = max(scenes, key=lambda scene: abs(enlargement(scene) - 1))
    assert abs(enlargement(scene) - 1) > 0.01  # so that kilometres of the plane are others
    axes = scene.plot("hh").axes[0]
    (bar,) = (line for line in axes.lines if line.get_linewidth() == 2)
    x, y = np.multiply(bar.get_data(), 1000)
    to_degrees = Transformer.from_crs(3413, 4326, always_xy=True)
    (west, east), (first, last) = to_degrees.transform(x, y)
    _, _, metres = Geod(ellps="WGS84").inv(west, first, east, last)
    label = f"{round(metres / 1000, 1):g} km"
    assert label in [text.get_text() for text in axes.texts]
    assert metres / 1000 == pytest.approx(float(label.removesuffix(" km")), rel=0.002)


def test_every_class_has_a_colour_of_its_own_except_tenths_of_one_name() -> None:
    for chart in CHARTS:
        assert len(WMO_COLOURS[chart.name]) == chart.n_classes
    assert len({*WMO_COLOURS[SOD.name]}) == SOD.n_classes


def test_a_notebook_shows_a_figure_without_pyplot(scene: StoredScene) -> None:
    figure: Any = scene.plot("hh")
    picture = Image.open(BytesIO(figure._repr_png_()))
    assert picture.size[0] > 600
    assert "matplotlib.pyplot" not in str(type(figure).__module__)


def test_figures_go_to_other_processes_and_leave_the_scene_as_it_was(
    store_path: str,
) -> None:
    store = Store(store_path)
    scene = store[store.scenes[0]]
    figure = scene.plot("hh")
    again = pickle.loads(pickle.dumps(figure))  # noqa: S301 - our own
    assert type(again) is type(figure) is type(scene.plot(chart="SIC"))
    assert again._repr_png_()[:4] == b"\x89PNG"
    assert {"inputs", "charts"}.isdisjoint(vars(scene))


def test_axes_of_the_caller_are_used_with_their_settings(scene: StoredScene) -> None:
    figure = Figure()
    FigureCanvasAgg(figure)
    first, second = figure.subplots(1, 2)
    with mpl.rc_context({"axes.facecolor": "pink"}):
        assert scene.plot("t2m", axes=first) is figure
        assert scene.plot(chart="floe", axes=second) is figure
    assert second.get_title(loc="left").startswith("floe size, ice chart\n")
    assert "EPSG:3413" in first.get_xlabel()


@pytest.mark.parametrize(
    ("channel", "chart", "words"),
    [
        (None, None, "plot one plane: a channel or a chart"),
        ("hh", "SOD", "plot one plane: a channel or a chart"),
        ("hhh", None, "the store has no channel 'hhh'"),
        ("SOD", None, "the store has no channel 'SOD'"),
        (None, "SID", "there is no chart 'SID'"),
    ],
)
def test_what_cannot_be_plotted_is_refused(
    scene: StoredScene, channel: str | None, chart: str | None, words: str
) -> None:
    with pytest.raises(SeaIceError, match=words) as caught:
        scene.plot(channel, chart=chart)
    assert caught.value.hint
