from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from numpy.typing import NDArray
from support.learnable_scenes import prepared_scene

from seaice_data.charts import CHARTS, SIC, SOD
from seaice_data.grid import Grid
from seaice_data.store.store import Store
from seaice_model.maps.chart_map import ChartMap, Provenance
from seaice_model.metrics import ChartScorer
from seaice_model.plots.maps import plot_comparison, plot_map
from seaice_model.style import COLOURS, save_plot

PROVENANCE = Provenance(
    run="run",
    weights="a",
    epochs=(1,),
    store="s",
    store_fingerprint="f",
    software="seaice 0",
)


def map_of(store: Store, shape: tuple[int, int] = (81, 90)) -> ChartMap:
    scene = store.scene(store.scenes[1])
    source = prepared_scene(scene.id, source=Grid(*shape, 80.0))
    return ChartMap(
        scene=scene.id,
        acquired=scene.acquired,
        grid=source.source_grid,
        charts=source.full_charts,
        flags=source.full_flags,
        tie_points=source.tie_points,
        provenance=PROVENANCE,
    )


def texts(figure: object) -> str:
    from matplotlib.text import Text

    return "\n".join(t.get_text() for t in figure.findobj(Text))  # type: ignore[attr-defined]


def test_a_time_with_another_zone_is_shown_in_utc(store: Store) -> None:
    here = map_of(store)
    there = replace(here, acquired=here.acquired.astimezone(timezone(timedelta(hours=5))))
    titles = [plot_map(shown).get_suptitle() for shown in (here, there)]
    assert titles[0] == titles[1]
    assert f"{here.acquired:%H:%M} UTC" in titles[1]


def test_the_figure_of_a_map_names_scene_score_and_classes(
    store: Store, tmp_path: Path
) -> None:
    chart_map = map_of(store)
    scorer = ChartScorer()
    scorer.add(chart_map.charts, chart_map.charts)
    figure = plot_map(
        chart_map,
        sar={name: np.full((40, 45), -20, np.float16) for name in ("hh", "hv")},
        charts=chart_map.charts,
        scores=scorer.scores(),
    )
    words = texts(figure)
    assert chart_map.scene in words
    assert "combined score 100.0 %" in words
    assert "thick first-year ice" in words
    assert "km" in words
    # Two of SAR, three predicted, three charted, three legends.
    assert len(figure.axes) == 2 + 3 + 3 + 3
    save_plot(figure, tmp_path / "map.png")
    assert imread(tmp_path / "map.png").shape[1] > 800


def test_a_scene_without_charts_has_one_row(store: Store) -> None:
    figure = plot_map(map_of(store), sar={"hh": np.zeros((40, 45), np.float32)})
    assert len(figure.axes) == 1 + 3 + 3
    assert "combined" not in texts(figure)
    assert len(plot_map(map_of(store)).axes) == 3 + 3


def test_a_comparison_names_its_scene_sources_and_scores(store: Store) -> None:
    chart_map = map_of(store)
    scorer = ChartScorer()
    scorer.add(chart_map.charts, chart_map.charts)
    planes = {"map": chart_map.charts, "ice chart": chart_map.charts}
    scores = {"map": scorer.scores()}
    figure = plot_comparison("a scene", planes, chart_map.grid, scores)
    assert figure.get_suptitle() == "a scene"
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["SIC (R2 100.0 %)", "SOD (F1 100.0 %)", "FLOE (F1 100.0 %)"]
    assert titles[3:6] == ["SIC", "SOD", "FLOE"]
    assert [axes.get_ylabel() for axes in figure.axes][::3][:2] == ["map", "ice chart"]


def test_large_planes_are_thinned_before_plotting(store: Store) -> None:
    figure = plot_map(map_of(store, (1850, 2000)))
    shown = figure.axes[0].images[0].get_array()
    assert shown is not None
    assert shown.shape == (462, 500)  # every fourth pixel


def test_no_data_is_white(store: Store, tmp_path: Path) -> None:
    chart_map = map_of(store)
    empty = replace(chart_map, charts=np.full_like(chart_map.charts, 255))
    figure = plot_map(empty)
    save_plot(figure, tmp_path / "map.png")
    box = figure.axes[1].get_window_extent()  # no scale bar, no arrow
    pixels = imread(tmp_path / "map.png")
    scale = pixels.shape[1] / figure.bbox.width
    inside = pixels[
        int(pixels.shape[0] - box.y1 * scale) + 5 : int(pixels.shape[0] - box.y0 * scale)
        - 5,
        int(box.x0 * scale) + 5 : int(box.x1 * scale) - 5,
    ]
    assert (inside == 1).all()


def test_plotting_does_not_change_the_settings_of_matplotlib(store: Store) -> None:
    before = dict(mpl.rcParams)
    plot_map(map_of(store))
    assert dict(mpl.rcParams) == before


def as_seen_without_green_cones(colours: tuple[str, ...]) -> NDArray[np.float64]:
    """Simulate deuteranopia (Vienot et al. 1999), in CIE L*a*b*."""
    rgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = linear @ np.array(
        [[0.29275, 0.29275, -0.02234], [0.70725, 0.70725, 0.02234], [0, 0, 1]]
    )
    xyz = seen @ np.array(
        [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
    )
    t = np.clip(xyz / [0.9505, 1, 1.089], 0, None)
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


def distances(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    return apart[np.triu_indices(len(lab), 1)]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_classes_differ_for_the_colour_blind_too(chart: object) -> None:
    name: str = chart.name  # type: ignore[attr-defined]
    # A difference of 2.3 is just noticed. Neighbouring steps of SIC may be close.
    smallest = 5 if name == SIC.name else 15
    assert distances(as_seen_without_green_cones(COLOURS[name])).min() > smallest


def test_every_class_has_a_colour() -> None:
    assert {name: len(c) for name, c in COLOURS.items()} == {
        chart.name: chart.n_classes for chart in CHARTS
    }
    assert SOD.name in COLOURS
