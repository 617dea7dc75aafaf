from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from numpy.typing import NDArray
from support.learnable_scenes import prepared_scene

from seaice_data.charts import CHARTS, SIC, SOD
from seaice_data.colours import (
    HATCH_COLOUR,
    LAND_COLOUR,
    NO_SAR_COLOUR,
    UNKNOWN_COLOUR,
    WMO_COLOURS,
    rgb,
)
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_model.errors import PlotError
from seaice_model.maps.chart_map import ChartMap, Provenance
from seaice_model.maps.decision import UNKNOWN, Decision
from seaice_model.metrics import ChartScorer
from seaice_model.plots.maps import plot_comparison, plot_map
from seaice_model.plots.sheet import Box
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


def panels(figure: object) -> list[Box]:
    """Return the places of the panels of a map; keys are not as large."""
    artists = figure.axes[0].artists  # type: ignore[attr-defined]
    places = [artist.place for artist in artists]
    return [place for place in places if place.height > 100]


def texts(figure: object) -> str:
    from matplotlib.text import Text

    return "\n".join(t.get_text() for t in figure.findobj(Text))  # type: ignore[attr-defined]


def test_a_time_with_another_zone_is_shown_in_utc(store: Store) -> None:
    here = map_of(store)
    there = replace(here, acquired=here.acquired.astimezone(timezone(timedelta(hours=5))))
    titles = [plot_map(shown).get_suptitle() for shown in (here, there)]
    assert titles[0] == titles[1]
    assert f"{here.acquired:%H:%M} UTC" in titles[1]


def test_the_figure_of_a_map_names_scene_score_and_classes(store: Store) -> None:
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
    for said in (
        chart_map.scene, "combined score 100.0 %", "thick first-year ice", "1 km", "N",
        "Not an official ice chart", "10 to 30 %", "land", "no SAR", "no dominant class",
        "WMO/TD-No. 1215", "74.98°N", "SOD, ice chart of CIS", "HV, -24.0 to -16.0 dB",
    ):  # fmt: skip
        assert said in words
    # Two of SAR, three predicted, three charted, and the hatch of three legends.
    assert len(panels(figure)) == 2 + 3 + 3
    assert panels(figure)[0].width > 600 > 550 < panels(figure)[0].height


@pytest.mark.parametrize(
    ("sar", "edge", "decided"),
    [("mean", 370, True), ("mean", 370, False), ("nearest", 379, True)],
)
def test_radar_is_at_the_rows_that_a_store_made_it_of(
    store: Store, tmp_path: Path, sar: Literal["mean", "nearest"], edge: int,
    *, decided: bool,
) -> None:  # fmt: skip
    """At ratio 10, 40 rows of a store are the first 400 of 409, or picked from all."""
    plane = np.full((40, 40), -20, np.float32)
    plane[37:] = -10
    recipe, chart_map = Recipe(ratio=10, sar=sar), map_of(store, (409, 409))
    assert recipe.stand_ins(409)[edge - 1 : edge + 1].tolist() == [36, 37]
    some = replace(
        decision(n_networks=1), classes=np.zeros((3, 40, 40), np.uint8), spread=None,
        entropy=np.full((3, 40, 40), UNKNOWN), rows=recipe.stand_ins(409),
        columns=recipe.stand_ins(409),
    )  # fmt: skip
    shown = replace(
        chart_map, flags=np.zeros_like(chart_map.flags), tie_points=NOWHERE,
        decision=some if decided else None,
    )  # fmt: skip
    figure = plot_map(shown, sar={"hh": plane}, dpi=100)
    save_plot(figure, tmp_path / "map.png", 100)
    box = panels(figure)[0]
    grey = imread(tmp_path / "map.png")[:, int(box.left + box.width / 2), 0]
    grey = grey[int(box.top) + 2 : int(box.bottom) - 2]
    found = 2 + np.argmax(grey > (grey[len(grey) // 2] + grey[-1]) / 2)
    assert found / box.height * 409 == pytest.approx(edge, abs=1.5)


def test_a_scene_without_charts_has_one_row(store: Store) -> None:
    figure = plot_map(map_of(store), sar={"hh": np.zeros((40, 45), np.float32)})
    assert len(panels(figure)) == 1 + 3
    assert "combined" not in texts(figure)
    assert len(panels(plot_map(map_of(store)))) == 3


def test_a_saved_figure_has_the_pixels_that_were_asked_for(
    store: Store, tmp_path: Path
) -> None:
    heights = []
    for dpi in (100, 50):
        plot_map(map_of(store), dpi=dpi).savefig(tmp_path / "map.png")
        heights.append(len(imread(tmp_path / "map.png")))
    assert heights[0] == pytest.approx(2 * heights[1], abs=2)


def test_uncertainty_is_a_row_of_its_own(store: Store) -> None:
    chart_map = map_of(store)
    figure = plot_map(replace(chart_map, decision=decision(n_networks=5)))
    assert len(panels(figure)) == 3 + 3
    assert "SIC, spread of 5 networks" in texts(figure)
    assert "SOD, uncertainty (entropy)" in texts(figure)
    single = replace(decision(n_networks=1), spread=None)
    figure = plot_map(replace(chart_map, decision=single))
    assert len(panels(figure)) == 3 + 2
    assert "SIC, uncertainty: not known" in texts(figure)


def decision(n_networks: int) -> Decision:
    """Return a decision at ratio 2 that is undecided at its left half."""
    entropy = np.zeros((3, 40, 45), np.uint8)
    entropy[:, :, :22] = 250
    if n_networks == 1:
        entropy[0] = UNKNOWN
    return Decision(
        classes=np.zeros((3, 40, 45), np.uint8),
        concentration=np.zeros((40, 45), np.uint8),
        entropy=entropy,
        spread=entropy[1] // 2,
        probabilities=None,
        n_networks=n_networks,
        rows=np.minimum(np.arange(81) // 2, 39),
        columns=np.minimum(np.arange(90) // 2, 44),
    )


def test_land_no_sar_and_no_class_have_colours_of_their_own(
    store: Store, tmp_path: Path
) -> None:
    chart_map = map_of(store)
    charts = np.full_like(chart_map.charts, 3)
    flags = np.zeros_like(chart_map.flags)
    flags[:40, :45], flags[:40, 45:], charts[:, 40:, :45] = FLAG_LAND, FLAG_NO_SAR, 255
    charts[:, :40] = 255
    shown = replace(chart_map, charts=charts, flags=flags, tie_points=NOWHERE)
    save_plot(plot_map(shown, dpi=50), tmp_path / "map.png", 50)
    picture = imread(tmp_path / "map.png")[..., :3]
    sod = panels(plot_map(shown, dpi=50))[1]
    quarters = [quarter(picture, sod, down, right) for down in (0, 1) for right in (0, 1)]
    land, no_sar, no_class, ice = quarters
    assert is_all(land, LAND_COLOUR)
    assert is_all(no_class, UNKNOWN_COLOUR)
    assert is_all(ice, WMO_COLOURS["SOD"][3])
    found = {tuple(colour) for colour in np.rint(no_sar * 255).astype(int).reshape(-1, 3)}
    assert found == {rgb(NO_SAR_COLOUR), rgb(HATCH_COLOUR)}


NOWHERE = TiePoints(
    np.zeros((2, 2)), np.zeros((2, 2)), np.array([0, 80.0]), np.array([0, 89.0])
)
"""Of a map that does not say where it is: rows and columns are shown as they are."""


def quarter(
    picture: NDArray[np.float32], box: Box, down: int, right: int
) -> NDArray[np.float32]:
    """Return the middle of a quarter of a panel at 50 dpi, where no graticule is."""
    top = (box.top + box.height * (1 + 2 * down) / 4) / 2
    left = (box.left + box.width * (1 + 2 * right) / 4) / 2
    at = slice(int(top) - 12, int(top) + 12), slice(int(left) - 12, int(left) + 12)
    return picture[at]


def is_all(pixels: NDArray[np.float32], colour: str) -> bool:
    return bool(np.abs(pixels - to_rgb(colour)).max() < 0.01)


@pytest.mark.parametrize("ascending", [False, True])
def test_north_is_up_in_ascending_and_in_descending_scenes(
    store: Store, tmp_path: Path, *, ascending: bool
) -> None:
    chart_map = map_of(store)
    points = chart_map.tie_points
    if ascending:  # rows and columns from the other ends, as the satellite writes them
        lines, samples = (80 - points.lines[::-1], 89 - points.samples[::-1])
        points = TiePoints(
            points.latitude[::-1, ::-1], points.longitude[::-1, ::-1], lines, samples
        )
    charts = np.full_like(chart_map.charts, 2)
    northern = slice(60, None) if ascending else slice(None, 21)
    charts[:, northern] = 5
    shown = replace(
        chart_map, charts=charts, flags=np.zeros_like(chart_map.flags), tie_points=points
    )
    save_plot(plot_map(shown, dpi=50), tmp_path / "map.png", 50)
    picture = imread(tmp_path / "map.png")[..., :3]
    sod = panels(plot_map(shown, dpi=50))[1]
    for down, value in ((0.1, 5), (0.9, 2)):
        row = int((sod.top + down * sod.height) / 2)
        columns = slice(int(sod.left / 2) + 20, int(sod.right / 2) - 20)
        is_class = np.abs(picture[row, columns] - to_rgb(WMO_COLOURS["SOD"][value])) < 0.01
        assert is_class.all(axis=1).mean() > 0.9  # the rest is graticule


def test_dpi_is_the_size_of_the_file(store: Store, tmp_path: Path) -> None:
    sizes = []
    for dpi in (40, 80):
        save_plot(plot_map(map_of(store), dpi=dpi), tmp_path / "map.png", dpi)
        sizes.append(imread(tmp_path / "map.png").shape[:2])
    assert np.allclose(np.multiply(sizes[0], 2), sizes[1], atol=2)


def test_the_polar_figure_names_its_projection(store: Store) -> None:
    figure = plot_map(map_of(store), geometry="polar", dpi=40)
    assert "Polar stereographic, EPSG:3413" in texts(figure)
    nowhere = replace(map_of(store), tie_points=NOWHERE)
    with pytest.raises(PlotError, match="do not say where it is"):
        plot_map(nowhere, geometry="polar")
    words = texts(plot_map(nowhere))
    assert "Rows and columns of the scene" in words
    assert "°N" not in words
    assert "north up" not in words
    assert "Swath geometry, north up" in texts(plot_map(map_of(store)))


def test_the_legend_of_a_chart_says_what_has_no_class(store: Store) -> None:
    for said in ("not charted", "no dominant class"):
        assert said not in texts(plot_map(map_of(store)))
        assert said in texts(plot_map(replace(map_of(store), charted_by="cis")))


def test_a_comparison_names_its_scene_sources_and_scores(store: Store) -> None:
    chart_map = map_of(store)
    scorer = ChartScorer()
    scorer.add(chart_map.charts, chart_map.charts)
    planes = {"map": chart_map.charts, "ice chart": chart_map.charts}
    scores = {"map": scorer.scores()}
    figure = plot_comparison("a scene", planes, chart_map.grid, scores)
    assert figure.get_suptitle() == "a scene"
    words = texts(figure)
    for said in ("SIC, map (R2 100.0 %)", "SOD, map (F1 100.0 %)", "FLOE, ice chart"):
        assert said in words
    assert "land, or no class" in words
    placed = plot_comparison("a scene", planes, chart_map.grid, scores, place=chart_map)
    assert "no SAR" in texts(placed)
    assert "74.98°N" in texts(placed)


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
