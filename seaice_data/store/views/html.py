"""A store, or a scene, as a small table for notebooks.

It is shown whenever a cell ends with one, so it takes little time, and an error in a store
becomes a line of the table.
"""

import base64
from collections.abc import Callable, Mapping
from html import escape
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from seaice_data.charts import CHART_FILL, CHARTS, SOD
from seaice_data.colours import UNKNOWN_COLOUR, WMO_COLOURS, rgb, stretch
from seaice_data.display import as_rows
from seaice_data.errors import SeaIceError
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.texts import time_in_words

Pixels = NDArray[np.uint8]

_LONGEST_SIDE = 160  # pixels of a thumbnail


def store_html(store: Store) -> str:
    """Return what a store is: how many scenes, when, from whom; and its recipe."""

    def rows() -> Mapping[str, str]:
        times = [scene.acquired for scene in store.scenes]
        services = sorted({scene.service for scene in store.scenes} - {""})
        splits = ", ".join(f"{name} {len(ids)}" for name, ids in store.splits.items())
        span = (
            " to ".join(time_in_words(t)[:10] for t in (min(times), max(times)))
            if times
            else ""
        )
        recipe = store.recipe
        return {
            "scenes": str(len(store)),
            "splits": splits if "splits" in store.attributes else "not divided yet",
            "acquired": span,
            "services": ", ".join(services),
            "channels": f"{len(store.channels)}: {', '.join(store.channels)}",
            "recipe": f"ratio {recipe.ratio}, {recipe.dtype}, codec {recipe.codec}",
        }

    return _table(f"Store {store.path}", rows)


def scene_html(scene: StoredScene) -> str:
    """Return what a scene is, with thumbnails of its SAR and its SOD chart."""

    def rows() -> Mapping[str, str]:
        height, width = scene.grid.shape
        spacing = scene.grid.pixel_spacing_m
        return {
            "acquired": time_in_words(scene.acquired),
            "service": " ".join(filter(None, [scene.service, scene.region])),
            "pixels": f"{height} x {width} of {spacing:g} m",
            "labelled": f"{100 * scene.valid_share:.0f} %",
            "absent": ", ".join(scene.absent_channels),
            "store": scene.store.path,
        }

    return _table(f"Scene {scene.id}", rows, lambda: _thumbnails(scene))


def _table(
    title: str,
    rows: Callable[[], Mapping[str, str]],
    below: Callable[[], str] = lambda: "",
) -> str:
    """Return a table of names and texts; rows without text are left out."""
    try:
        lines, after = dict(rows()), below()
    except (SeaIceError, OSError) as error:
        lines, after = {"cannot be read": str(error)}, ""
    cells = as_rows((name, text) for name, text in lines.items() if text)
    return f"<div><strong>{escape(title)}</strong><table>{cells}</table>{after}</div>"


def _thumbnails(scene: StoredScene) -> str:
    """Return small images, north up, as far as mirroring rows and columns goes.

    Of compressed inputs, and those of a bucket, there is none: all channels would be read.
    """
    scene = scene.closed()  # what is read here is not kept
    step = -(-max(scene.grid.shape) // _LONGEST_SIDE)
    thin = (slice(step // 2, None, step), slice(step // 2, None, step))
    latitude = scene.tie_points.latitude
    longitude = np.unwrap(scene.tie_points.longitude, period=360)
    turned = (
        slice(None, None, -1 if latitude[-1].mean() > latitude[0].mean() else 1),
        slice(None, None, -1 if longitude[:, -1].mean() < longitude[:, 0].mean() else 1),
    )
    images = {}
    names = [n for n in ("hh", "hv") if n in scene.store.channels and scene.store.is_mapped]
    for name in names[:1]:
        plane = np.asarray(scene.inputs[(*thin, scene.store.channels.index(name))])
        images[name.upper()] = _grey(plane[turned].astype(np.float32))
    if scene.has_charts:
        classes = np.asarray(scene.charts[(*thin, CHARTS.index(SOD))])[turned]
        images[SOD.name] = _coloured(classes)
    return "".join(_image(name, pixels) for name, pixels in images.items())


def _grey(plane: NDArray[np.float32]) -> Pixels:
    """Return a plane in shades of grey, shape ``(y, x, 3)``; NaN is white."""
    low, high = stretch(plane)
    shades = np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255
    shades[np.isnan(plane)] = 255
    return np.repeat(shades.astype(np.uint8)[..., np.newaxis], 3, axis=2)


def _coloured(classes: Pixels) -> Pixels:
    """Return classes of SOD in their colours, shape ``(y, x, 3)``."""
    colours = np.array([rgb(colour) for colour in (*WMO_COLOURS[SOD.name], UNKNOWN_COLOUR)])
    shown = np.where(classes == CHART_FILL, SOD.n_classes, classes)
    return np.asarray(colours[np.minimum(shown, SOD.n_classes)], np.uint8)


def _image(name: str, pixels: Pixels) -> str:
    from PIL import Image  # late: few ask for it

    stream = BytesIO()
    Image.fromarray(pixels).save(stream, format="png")
    data = base64.b64encode(stream.getvalue()).decode()
    height, width = pixels.shape[:2]
    return (
        f'<figure style="display:inline-block;margin:4px"><img alt="{escape(name)}" '
        f'width="{width}" height="{height}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(name)}</figcaption></figure>"
    )
