"""``index.html`` in a folder of maps: all scenes on one page, chart and map under a swipe.

The page works from a disk without network. Its small pictures lie beside it in ``index/``,
so that it stays quick with a thousand scenes, and with them an entry for each scene (its
scores). An entry is made when a map is drawn (`add_entry`), or by `write_index` where it is
missing or of other weights.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from seaice_data.arrays import ChartArray
from seaice_data.charted import ChartedScenes
from seaice_data.charts import CHARTS, SIC, Chart
from seaice_data.errors import Failure, SeaIceError
from seaice_data.grid import Grid
from seaice_model.alignment import align
from seaice_model.errors import MapError
from seaice_model.files import replacing
from seaice_model.maps import (
    ChartMap,
    MapDescription,
    describe_maps,
    read_netcdf,
)
from seaice_model.metrics import ChartScorer
from seaice_model.pictures import COLOURS
from seaice_model.webpage import Markup, link, page, paragraph, percent, table

log = logging.getLogger(__name__)

_FOLDER = "index"
_LONGEST_SIDE = 560
_NAMES = ("combined", *(chart.name for chart in CHARTS))

_STYLE = """\
section { border-top: 1px solid var(--line); margin-top: 2rem }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
  gap: 1rem } .charts figure { margin: .5rem 0 }
.swipe { --cut: 50%; position: relative; border: 1px solid var(--line) }
.swipe img { display: block; width: 100%; image-rendering: pixelated }
.swipe .chart { position: absolute; inset: 0; height: 100%; background: #fff;
  clip-path: inset(0 calc(100% - var(--cut)) 0 0) }
.swipe .line { position: absolute; top: 0; bottom: 0; left: var(--cut); width: 2px;
  margin-left: -1px; background: #000; opacity: .6; pointer-events: none }
label.cut { display: flex; gap: .75rem; align-items: center; max-width: 40rem }
label.cut input { flex: 1 }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; padding: 0;
  margin: .25rem 0; font-size: .9rem }
.legend i { display: inline-block; width: 1.1em; height: .9em; margin-right: .4em;
  border: 1px solid #999; vertical-align: -.05em }
"""

_SCRIPT = """\
for (const input of document.querySelectorAll("label.cut input")) {
  const panels = input.closest("section").querySelectorAll(".swipe");
  const move = () => {
    for (const panel of panels) panel.style.setProperty("--cut", input.value + "%");
  };
  input.addEventListener("input", move);
  move();
}
for (const panel of document.querySelectorAll(".swipe")) {
  const input = panel.closest("section").querySelector("label.cut input");
  if (!input) continue;
  panel.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && event.buttons === 0) return;
    const box = panel.getBoundingClientRect();
    input.value = Math.round(100 * (event.clientX - box.left) / box.width);
    input.dispatchEvent(new Event("input"));
  });
}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """What the index knows of a scene."""

    scene: str
    acquired: str
    weights: str
    has_charts: bool
    scores: dict[str, float | None]
    width: int
    height: int


def add_entry(
    maps_path: Path, chart_map: ChartMap, grid: Grid, charts: ChartArray | None
) -> None:
    """Draw the small pictures of a map for the index, and note its scores.

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
    """
    _make_entry(maps_path / _FOLDER, chart_map, grid, charts)


def write_index(maps_path: str | Path, reference: ChartedScenes | None = None) -> Path:
    """Write ``index.html`` with all maps of a folder, and return its path.

    Parameters
    ----------
    maps_path
        Folder with the files that `predict_store` wrote.
    reference
        Where the charts are, for scenes whose entry lacks them.

    Raises
    ------
    MapError
        If there are no maps, or none can be shown. Others that cannot be shown (damaged, a
        second one of a scene, or not fitting the charts) are left out and logged.
    """
    maps_path = Path(maps_path)
    described, failed = describe_maps(maps_path)
    scenes = []
    for path, found in described.items():
        try:
            if found.scene in {scene.entry.scene for scene in scenes}:
                raise MapError(f"{str(path)!r} is a second map of {found.scene!r}")
            entry = _entry_of(path, found, reference)
        except SeaIceError as error:
            failed = (*failed, Failure.of(path, error))
        else:
            scenes.append(_Scene(path.name, entry, path.with_suffix(".png").is_file()))
    if not scenes:
        raise MapError(failed[0].reason, hint=failed[0].hint)
    for failure in failed:
        log.warning("left out of index.html: %s", failure.reason)
    made_by = described[maps_path / scenes[0].file].provenance
    body = [
        "<main>",
        f"<h1>Ice charts of {len(scenes)} scenes</h1>",
        paragraph(
            f"Drawn by {made_by.software} with {made_by.run} from {made_by.store}. "
            "Predicted, not official ice charts. White is land, or was not seen.",
            kind="soft",
        ),
        "<h2>Scores</h2>",
        _score_table([scene.entry for scene in scenes]),
        "<h2>Legend</h2>",
        *(_legend(chart) for chart in CHARTS),
        *(part for scene in scenes for part in _section(scene)),
        "</main>",
    ]
    path = maps_path / "index.html"
    document = page("Ice charts", body, style=_STYLE, script=_SCRIPT)
    with replacing(path) as new:
        new.write_text(document, encoding="utf-8")
    return path


@dataclass(frozen=True, slots=True)
class _Scene:
    """A scene on the page."""

    file: str
    entry: _Entry
    has_picture: bool


def _entry_of(
    path: Path, described: MapDescription, reference: ChartedScenes | None
) -> _Entry:
    """Return the entry of a map; make it where it is missing, outdated or lacks charts."""
    scene_id, weights = described.scene, described.provenance.weights
    charted = None if reference is None else reference.scenes.get(scene_id)
    kept = _read_entry(path.parent / _FOLDER / f"{scene_id}.json")
    if kept and kept.weights == weights and (kept.has_charts or charted is None):
        return kept
    chart_map = read_netcdf(path)
    if charted is None:
        return _make_entry(path.parent / _FOLDER, chart_map, chart_map.grid, None)
    return _make_entry(path.parent / _FOLDER, chart_map, charted.grid, charted.read())


def _make_entry(
    folder: Path, chart_map: ChartMap, grid: Grid, charts: ChartArray | None
) -> _Entry:
    folder.mkdir(exist_ok=True)
    # A map on the grid of the store is shown, but scores are counted on 80 m.
    is_coarse = chart_map.grid.pixel_spacing_m > grid.pixel_spacing_m
    shown = chart_map.charts if is_coarse else align(chart_map, grid).charts
    size = _draw(folder, chart_map.scene, "map", shown)
    if charts is not None:
        _draw(folder, chart_map.scene, "chart", charts)
    entry = _Entry(
        scene=chart_map.scene,
        acquired=f"{chart_map.acquired:%Y-%m-%d %H:%M} UTC",
        weights=chart_map.provenance.weights,
        has_charts=charts is not None,
        scores={} if charts is None or is_coarse else _scores(charts, shown),
        width=size[0],
        height=size[1],
    )
    # The entry comes last: where it is, the pictures are too.
    with replacing(folder / f"{chart_map.scene}.json") as new:
        new.write_text(json.dumps(asdict(entry), indent=2))
    return entry


def _read_entry(path: Path) -> _Entry | None:
    """Read an entry; one that cannot be read is made again."""
    try:
        return _Entry(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _draw(folder: Path, scene: str, kind: str, charts: ChartArray) -> tuple[int, int]:
    """Write small pictures of three charts; return width and height."""
    size = 0, 0
    for chart, plane in zip(CHARTS, charts, strict=True):
        step = -(-max(plane.shape) // _LONGEST_SIDE)
        thin = np.ascontiguousarray(plane[step // 2 :: step, step // 2 :: step])
        picture = Image.fromarray(thin, mode="P")
        picture.putpalette(_palette(chart))
        with replacing(folder / _picture_name(scene, kind, chart)) as new:
            picture.save(new, optimize=True)
        size = picture.size
    return size


def _palette(chart: Chart) -> list[int]:
    """Return red, green and blue of each byte; what is no class is white."""
    colours = np.full((256, 3), 255, np.uint8)
    for value, colour in enumerate(COLOURS[chart.name]):
        colours[value] = np.rint(np.multiply(255, to_rgb(colour)))
    return [int(part) for part in colours.ravel()]


def _scores(charts: ChartArray, shown: ChartArray) -> dict[str, float | None]:
    scorer = ChartScorer()
    scorer.add(charts, shown)
    return scorer.scores().by_name


def _picture_name(scene: str, kind: str, chart: Chart) -> str:
    return f"{scene}_{chart.name}_{kind}.png"


def _score_table(entries: Sequence[_Entry]) -> Markup:
    rows = [
        [
            link(f"#{entry.scene}", entry.scene),
            entry.acquired,
            *(percent(entry.scores.get(name)) for name in _NAMES),
        ]
        for entry in entries
    ]
    caption = (
        "In percent, on the original grid: R2 of SIC, weighted F1 of SOD and FLOE, and "
        "2 : 2 : 1 of them. A dash: no ice chart."
    )
    return table(caption, ["scene", "acquired", *_NAMES], rows)


def _legend(chart: Chart) -> Markup:
    classes = [*zip(COLOURS[chart.name], chart.class_names, strict=True)]
    items = "".join(
        f'<li><i style="background:{colour}"></i>{escape(name)}</li>'
        for colour, name in [*classes, ("#ffffff", "land or no data")]
    )
    return Markup(
        f'<h3>{chart.name}: {escape(chart.long_name)}</h3><ul class="legend">{items}</ul>'
    )


def _section(scene: _Scene) -> Iterator[str]:
    """Give the lines of a scene: its three charts, chart and map under a swipe."""
    entry = scene.entry
    yield f'<section id="{entry.scene}" aria-labelledby="{entry.scene}-title">'
    yield f'<h2 id="{entry.scene}-title">{entry.scene}</h2>'
    files = [link(quote(scene.file), "map as netCDF")]
    if scene.has_picture:
        files.append(link(quote(Path(scene.file).stem + ".png"), "picture with SAR"))
    told = f"{entry.acquired} · " + " · ".join(files)
    if entry.has_charts:
        told += f" · combined score {percent(entry.scores.get('combined'))} %"
    yield f"<p>{told}</p>"
    if entry.has_charts:
        told = f"Share of the ice chart over the map of {entry.scene}"
        swipe = f'<input type="range" min="0" max="100" value="50" aria-label="{told}">'
        yield f'<label class="cut">ice chart {swipe} map</label>'
    yield '<div class="charts">'
    for chart in CHARTS:
        yield _panel(entry, chart)
    yield "</div></section>"


def _panel(entry: _Entry, chart: Chart) -> str:
    score = entry.scores.get(chart.name)
    kind = "R2" if chart is SIC else "F1"
    caption = chart.name if score is None else f"{chart.name}: {kind} {percent(score)} %"
    images = [_image(entry, chart, "map", "predicted")]
    if entry.has_charts:
        images.append(_image(entry, chart, "chart", "as charted"))
        images.append('<span class="line"></span>')
    return (
        f'<figure><div class="swipe">{"".join(images)}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _image(entry: _Entry, chart: Chart, kind: str, said: str) -> str:
    name = f"{_FOLDER}/{quote(_picture_name(entry.scene, kind, chart))}"
    return (
        f'<img class="{kind}" src="{name}" width="{entry.width}" height="{entry.height}" '
        f'loading="lazy" alt="{escape(chart.long_name)} of {entry.scene}, {said}">'
    )
