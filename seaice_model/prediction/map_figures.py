"""The figures of a map, and the page of all maps; maps are written even if these fail."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from seaice_data.errors import Failure, SettingsError, is_of_disk
from seaice_data.settings import nearest
from seaice_data.sources.inputs import SceneInputs, Source
from seaice_model.errors import MapError, PlotError
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.metrics import Scores
from seaice_model.pages.index import add_entry, scores_of, write_index
from seaice_model.plots.framing import Geometry
from seaice_model.plots.maps import DPI, figure_path, plot_map
from seaice_model.style import save_plot

_LEAST_DPI, _MOST_DPI = 20, 600
"""Below, letters cannot be read; above, a figure needs gigabytes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureSettings:
    """Which figures are written next to a map, and how large."""

    geometries: tuple[Geometry, ...] = ("swath",)
    """Their geometries, a file of each; see `figure_path`."""

    dpi: float = DPI
    """Pixels an inch."""

    def __post_init__(self) -> None:
        """Reject figures that cannot be made."""
        for geometry in self.geometries:
            if geometry not in get_args(Geometry):
                raise SettingsError(
                    f"there is no figure of geometry {geometry!r}",
                    hint=nearest(geometry, get_args(Geometry)),
                )
        if not _LEAST_DPI <= self.dpi <= _MOST_DPI:
            raise SettingsError(
                f"dpi must be from {_LEAST_DPI} to {_MOST_DPI}, got {self.dpi:g}"
            )


def write_figures(
    chart_map: ChartMap, scene: SceneInputs, path: Path, settings: FigureSettings
) -> list[Failure]:
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
    scores = scores_of(chart_map, scene.grid, scene.charts)
    for geometry in settings.geometries:
        with _collecting(failed, chart_map.scene):
            _plot(chart_map, scene, scores, path, geometry, settings.dpi)
    with _collecting(failed, chart_map.scene):
        add_entry(path.parent, chart_map, scene.grid, scene.charts, scores)
    return failed


def add_figures(
    source: Source, scene_id: str, path: Path, settings: FigureSettings
) -> list[Failure]:
    """Plot a kept map, as `write_figures` does, where figures are missing."""
    failed: list[Failure] = []
    missing = [g for g in settings.geometries if not figure_path(path, g).exists()]
    if missing:
        chart_map, scene = read_netcdf(path), source.read(scene_id, charts=True)
        scores = scores_of(chart_map, scene.grid, scene.charts)
        for geometry in missing:
            with _collecting(failed, scene_id):
                _plot(chart_map, scene, scores, path, geometry, settings.dpi)
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


def _plot(
    chart_map: ChartMap,
    scene: SceneInputs,
    scores: Scores | None,
    path: Path,
    geometry: Geometry,
    dpi: float,
) -> None:
    figure = plot_map(
        chart_map, sar=scene.decibels(), charts=scene.charts, scores=scores,
        geometry=geometry, dpi=dpi,
    )  # fmt: skip
    save_plot(figure, figure_path(path, geometry), dpi)
