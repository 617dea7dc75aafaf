"""``index.html`` in a folder of maps: all scenes on one page, with a slider between charts.

The page needs no network. The folder ``index/`` next to it contains thumbnails, so that the
page stays fast with a thousand scenes, and an entry for each scene with its scores. An
entry is made together with a map (`add_entry`), or by `write_index` where it is missing or
belongs to a map of other weights, or one that was made in another way.
"""

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHARTS, Chart
from seaice_data.colours import HATCH_COLOUR, WMO_COLOURS
from seaice_data.deprecation import former_arguments
from seaice_data.errors import Failure, SeaIceError
from seaice_data.grid import Grid
from seaice_data.scene_id import SceneId
from seaice_data.sources.charts import AnyCharts, ChartedScenes, find_charts
from seaice_data.system.documents import DocumentError, parse_json, read_text, typed
from seaice_data.system.files import replacing
from seaice_data.system.ownership import PAGE, refuse_foreign
from seaice_data.texts import counted, time_in_words
from seaice_model.errors import MapError
from seaice_model.maps.alignment import align
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.listing import describe_maps
from seaice_model.maps.netcdf import MapDescription, read_netcdf
from seaice_model.metrics import ChartScorer, Scores
from seaice_model.pages.html import Table, write_page
from seaice_model.plots.framing import Framing, frame
from seaice_model.plots.maps import chart_keys, figure_path
from seaice_model.plots.painting import inked, palette, toned
from seaice_model.scores.report_text import decimal
from seaice_model.style import COLOURS

log = logging.getLogger(__name__)

_FOLDER = "index"
_LONGEST_SIDE = 560
_HATCH_SCALE = 0.5
_HATCH = f"repeating-linear-gradient(135deg, #fff 0 3px, {HATCH_COLOUR} 3px 4px)"
_LOOK = 1
_NAMES = ("combined", *(chart.name for chart in CHARTS))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """What the index knows about a scene; a JSON file, checked when it is read."""

    scene: SceneId
    weights: str
    has_charts: bool
    scores: dict[str, float | None]
    width: int
    height: int
    remarks: str = ""
    look: int = 0
    """Of the thumbnails: 1 has the colours of the WMO, tones for land and missing SAR, and
    north is up. Those of earlier versions (0) are kept as they are."""

    def __post_init__(self) -> None:
        """Reject sizes and scores that are impossible."""
        if not all(0 < side <= _LONGEST_SIDE for side in (self.width, self.height)):
            raise DocumentError(
                f"{self.width} x {self.height} pixels are not the size of a thumbnail"
            )
        if not all(s is None or math.isfinite(s) for s in self.scores.values()):
            raise DocumentError(f"{self.scores} are not scores")


def add_entry(
    maps_path: Path,
    chart_map: ChartMap,
    grid: Grid,
    charts: ChartArray | None,
    scores: Scores | None,
) -> None:
    """Make the thumbnails of a map for the index, and record its scores.

    Parameters
    ----------
    maps_path
        Folder of the map.
    chart_map
        The map.
    grid
        80 m grid of the scene.
    charts
        Its ice charts on that grid, shape ``(chart, y, x)``, if there are any.
    scores
        Those of `scores_of`.
    """
    _make_entry(maps_path / _FOLDER, chart_map, grid, charts, scores)


def scores_of(chart_map: ChartMap, grid: Grid, charts: ChartArray | None) -> Scores | None:
    """Count a map against the charts of its scene, both on the 80 m grid.

    A map on a coarser grid, as that of the store, has no scores.
    """
    if charts is None or _is_coarse(chart_map, grid):
        return None
    scorer = ChartScorer()
    scorer.add(charts, align(chart_map, grid).charts)
    return scorer.scores()


def _is_coarse(chart_map: ChartMap, grid: Grid) -> bool:
    return chart_map.grid.pixel_spacing_m > grid.pixel_spacing_m


def check_entries(maps_path: Path) -> None:
    """Make sure that entries can be added.

    Raises
    ------
    MapError
        If their folder cannot be made, because something else has its name.
    """
    folder = maps_path / _FOLDER
    if os.path.lexists(folder) and not folder.is_dir():
        raise MapError(
            f"{str(folder)!r} is in the way of the folder for thumbnails",
            hint="move it away, or choose another folder for the maps",
        )


@former_arguments(reference="truth")
def write_index(
    maps_path: str | Path,
    truth: AnyCharts | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write ``index.html`` with all maps of a folder, and return its path.

    Parameters
    ----------
    maps_path
        Folder of maps, as `predict_store` writes them.
    truth
        Where the charts are, for scenes whose entry lacks them; see `score_maps`.
    overwrite
        Whether to replace an ``index.html`` that seaice did not write.

    Raises
    ------
    MapError
        If there are no maps, or none can be shown. Single maps that cannot be shown
        (damaged, the second of a scene, or on another grid than the charts) are left out
        and logged.
    ForeignFileError
        If there is an ``index.html`` that seaice did not write.
    """
    maps_path = Path(maps_path)
    page = maps_path / "index.html"
    refuse_foreign(page, PAGE, overwrite=overwrite)
    charts = None if truth is None else find_charts(truth)
    described, failed = describe_maps(maps_path)
    shown: dict[SceneId, _Entry] = {}
    paths: dict[SceneId, Path] = {}
    for path, found in described.items():
        try:
            if found.scene in shown:
                raise MapError(f"{str(path)!r} is a second map of {found.scene!r}")
            shown[found.scene] = _entry_of(path, found, charts)
            paths[found.scene] = path
        except SeaIceError as error:
            failed = (*failed, Failure.of(path, error))
    if not shown:
        raise MapError(failed[0].reason, hint=failed[0].hint)
    for failure in failed:
        log.warning("left out of index.html: %s", failure.reason)
    write_page(
        page,
        "index.html",
        charts=CHARTS,
        n_scenes=counted(len(shown), "scene"),
        legends=[*_legends([*shown.values()])],
        made_by=described[next(iter(paths.values()))].provenance,
        scenes=[
            _Scene.of(entry, paths[scene], described[paths[scene]].provenance.remarks)
            for scene, entry in shown.items()
        ],
        scores=_score_table([*shown.values()]),
    )
    return page


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scene:
    """A scene on the page: texts, and the files that the page links to."""

    id: SceneId
    acquired: str
    remarks: str
    map: str
    figures: Mapping[str, str]
    thumbnails: Mapping[tuple[str, str], str]
    is_former: bool
    has_charts: bool
    scores: Mapping[str, float | None]
    width: int
    height: int

    @classmethod
    def of(cls, entry: _Entry, path: Path, remarks: str) -> "_Scene":
        """Return the scene of a map and its entry."""
        figures = {
            "figure with SAR": figure_path(path, "swath"),
            "on a polar grid": figure_path(path, "polar"),
        }
        return cls(
            id=entry.scene,
            acquired=time_in_words(entry.scene.acquired),
            remarks=remarks,
            map=_url(path),
            figures={n: _url(figure) for n, figure in figures.items() if figure.is_file()},
            thumbnails={
                (chart.name, kind): f"{_FOLDER}/{_thumbnail_name(entry.scene, kind, chart)}"
                for chart in CHARTS
                for kind in ("map", "chart")
            },
            is_former=entry.look != _LOOK,
            has_charts=entry.has_charts,
            scores={name: entry.scores.get(name) for name in _NAMES},
            width=entry.width,
            height=entry.height,
        )


def _url(path: Path) -> str:
    """Return the URL of a file next to the page; its name may contain any bytes."""
    return quote(os.fsencode(path.name))


def _entry_of(path: Path, described: MapDescription, truth: ChartedScenes | None) -> _Entry:
    """Return the entry of a map; make it if it is missing, outdated or lacks charts."""
    scene_id, made_by = described.scene, described.provenance
    charted = None if truth is None else truth.scenes.get(scene_id)
    if charted is not None and charted.is_hidden:  # the page shows charts
        charted = None
    kept = _read_entry(path.parent / _FOLDER / f"{scene_id}.json")
    if (
        kept
        and (kept.scene, kept.weights, kept.remarks)
        == (scene_id, made_by.weights, made_by.remarks)
        and (kept.has_charts or charted is None)
    ):
        return kept
    chart_map = read_netcdf(path)
    grid = chart_map.grid if charted is None else charted.grid
    charts = None if charted is None else charted.read()
    scores = scores_of(chart_map, grid, charts)
    return _make_entry(path.parent / _FOLDER, chart_map, grid, charts, scores)


def _make_entry(
    folder: Path,
    chart_map: ChartMap,
    grid: Grid,
    charts: ChartArray | None,
    scores: Scores | None,
) -> _Entry:
    folder.mkdir(exist_ok=True)
    is_coarse = _is_coarse(chart_map, grid)
    shown = chart_map.charts if is_coarse else align(chart_map, grid).charts
    framing = frame(chart_map.tie_points, chart_map.grid, "swath")
    size = _write_thumbnails(folder, chart_map, framing, "map", shown)
    if charts is not None:
        _write_thumbnails(folder, chart_map, framing, "chart", charts)
    entry = _Entry(
        scene=chart_map.scene,
        weights=chart_map.provenance.weights,
        has_charts=charts is not None,
        scores={} if scores is None else scores.by_name,
        width=size[0],
        height=size[1],
        remarks=chart_map.provenance.remarks,
        look=_LOOK,
    )
    # The entry comes last: if it is there, so are the thumbnails.
    with replacing(folder / f"{chart_map.scene}.json") as new:
        new.write_text(json.dumps(asdict(entry), indent=2))
    return entry


def _read_entry(path: Path) -> _Entry | None:
    """Read an entry; return None if it must be made again."""
    try:
        return typed(parse_json(read_text(path)), _Entry)
    except (OSError, DocumentError):
        return None


def _write_thumbnails(
    folder: Path, chart_map: ChartMap, framing: Framing, kind: str, charts: ChartArray
) -> tuple[int, int]:
    """Write thumbnails of three charts, north up; return width and height."""
    height, width = _size(framing.aspect, max(charts.shape[1:]))
    positions = framing.sample(height, width)
    flags = positions.of(chart_map.flags)
    for chart, plane in zip(CHARTS, charts, strict=True):
        tones = inked(toned(positions.of(plane), flags), _HATCH_SCALE)
        image = Image.fromarray(np.ascontiguousarray(tones), mode="P")
        image.putpalette(palette(WMO_COLOURS[chart.name])[:, :3].tobytes())
        with replacing(folder / _thumbnail_name(chart_map.scene, kind, chart)) as new:
            image.save(new)
    return width, height


def _size(aspect: float, n_pixels: int) -> tuple[int, int]:
    """Return height and width of thumbnails, no longer than the scene has pixels.

    Examples
    --------
    >>> _size(0.5, 5000), _size(2.0, 100)
    ((280, 560), (100, 50))
    """
    longest = min(_LONGEST_SIDE, n_pixels)
    height, width = longest * min(aspect, 1.0), longest / max(aspect, 1.0)
    return max(round(height), 1), max(round(width), 1)


def _thumbnail_name(scene: SceneId, kind: str, chart: Chart) -> str:
    return f"{scene}_{chart.name}_{kind}.png"


def _score_table(entries: Sequence[_Entry]) -> Table:
    return Table(
        "In percent, on the original grid: R2 of SIC, weighted F1 of SOD and FLOE, and "
        "their combination 2 : 2 : 1. A dash means no ice chart.",
        ["scene", "acquired", *_NAMES],
        [
            [
                entry.scene,
                time_in_words(entry.scene.acquired),
                *(decimal(entry.scores.get(name)) for name in _NAMES),
            ]
            for entry in entries
        ],
    )


@dataclass(frozen=True, slots=True)
class _Legend:
    """Colours of a chart, and what they mean."""

    title: str
    entries: list[tuple[str, str]]


def _legends(entries: Sequence[_Entry]) -> Iterator[_Legend]:
    """Yield the legends of all charts, also those of thumbnails of earlier versions."""
    for chart in CHARTS:
        keys = chart_keys(chart, is_charted=True)
        colours = [(key.colour or _HATCH, key.name) for key in keys]
        yield _Legend(f"{chart.name}: {chart.long_name}", colours)
    if any(entry.look != _LOOK for entry in entries):
        for chart in CHARTS:
            classes = zip(COLOURS[chart.name], chart.class_names, strict=True)
            yield _Legend(
                f"{chart.name} of scenes in the colours of earlier versions",
                [*classes, ("#ffffff", "land or no data")],
            )
