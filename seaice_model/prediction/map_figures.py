"""The figure of a map, and the page of all maps; maps are written even if these fail."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seaice_data.errors import Failure, is_of_disk
from seaice_data.sources.inputs import SceneInputs, Source
from seaice_model.errors import MapError, PlotError
from seaice_model.maps.alignment import align
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.metrics import ChartScorer
from seaice_model.pages.index import add_entry, write_index
from seaice_model.plots.maps import plot_map
from seaice_model.style import save_plot

log = logging.getLogger(__name__)


def write_figure(chart_map: ChartMap, scene: SceneInputs, path: Path) -> list[Failure]:
    """Plot a map that will be written to `path`, and make its entry on the page.

    Returns
    -------
    list
        What failed.

    Raises
    ------
    PlotError, OSError
        If the disk is full, because the map cannot be written then either.
    """
    failed: list[Failure] = []
    with _collecting(failed, chart_map.scene):
        _plot(chart_map, scene, path.with_suffix(".png"))
        add_entry(path.parent, chart_map, scene.grid, scene.charts)
    return failed


def add_figure(source: Source, scene_id: str, path: Path) -> list[Failure]:
    """Plot a kept map, as `write_figure` does, if its figure is missing."""
    failed: list[Failure] = []
    figure = path.with_suffix(".png")
    if not figure.exists():
        chart_map, scene = read_netcdf(path), source.read(scene_id, charts=True)
        with _collecting(failed, scene_id):
            _plot(chart_map, scene, figure)
    return failed


def write_page(maps_path: Path, *, overwrite: bool) -> list[Failure]:
    """Write index.html; other files in the folder do not make it fail."""
    failed: list[Failure] = []
    try:
        with _collecting(failed, "index.html"):
            write_index(maps_path, overwrite=overwrite)
    except MapError as error:
        log.warning("index.html is not written: %s", error)
    return failed


def in_words(error: OSError) -> str:
    """Return the text of a system error with the name of its file."""
    return f"{error.filename!r}: {error.strerror}" if error.filename else str(error)


@contextmanager
def _collecting(failed: list[Failure], name: str) -> Iterator[None]:
    """List a figure or page that fails, unless nothing at all can be written."""
    try:
        yield
    except PlotError as error:
        if is_of_disk(error):
            raise
        failed.append(Failure.of(name, error))
    except OSError as error:
        if is_of_disk(error):
            raise
        failed.append(Failure(name, in_words(error)))


def _plot(chart_map: ChartMap, scene: SceneInputs, path: Path) -> None:
    scores = None
    if scene.charts is not None and chart_map.grid_name != "store":
        scorer = ChartScorer()
        scorer.add(scene.charts, align(chart_map, scene.grid).charts)
        scores = scorer.scores()
    figure = plot_map(chart_map, sar=scene.decibels(), charts=scene.charts, scores=scores)
    save_plot(figure, path)
