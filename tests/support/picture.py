"""Plot a map in few colours, small enough for a README: picture.py STORE MAP PNG."""

import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seaice_data.charts import CHARTS
from seaice_data.colours import COAST_COLOUR, LAND_COLOUR, WMO_COLOURS, rgb
from seaice_data.sources.inputs import StoreSource
from seaice_data.store.store import Store
from seaice_model.maps.alignment import align
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.metrics import ChartScorer
from seaice_model.plots.maps import plot_map
from seaice_model.style import as_png

DPI = 62
N_GREYS = 52
RED, SEA = "#c8102e", "#f2f6fa"  # of the overview


def picture(store: str, map_path: str) -> bytes:
    """Return the figure of a map without uncertainty, with few colours, as PNG."""
    chart_map = read_netcdf(Path(map_path))
    scene = StoreSource(Store(store), [chart_map.scene]).read(chart_map.scene, charts=True)
    assert scene.charts is not None
    scorer = ChartScorer()
    scorer.add(scene.charts, align(chart_map, scene.grid).charts)
    # Of what made it, readers of the README need the kind of network, not its folder.
    provenance = replace(chart_map.provenance, run="trained on synthetic scenes", epochs=())
    figure = plot_map(
        replace(chart_map, decision=None, provenance=provenance),
        sar=scene.decibels(),
        charts=scene.charts,
        scores=scorer.scores(),
        dpi=DPI,
    )
    with Image.open(BytesIO(as_png(figure, DPI))) as image:
        few = in_few_colours(np.asarray(image.convert("RGB")))
    content = BytesIO()
    few.save(content, "png", optimize=True)
    return content.getvalue()


def in_few_colours(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return an image whose palette has the colours of classes and tones, and greys."""
    classes = {colour for chart in CHARTS for colour in WMO_COLOURS[chart.name]}
    exact = [rgb(c) for c in (*sorted(classes), LAND_COLOUR, COAST_COLOUR, RED, SEA)]
    greys = [(level,) * 3 for level in np.linspace(0, 255, N_GREYS).astype(int).tolist()]
    palette = np.array([*exact, *greys])
    found, inverse = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    apart = ((found[:, np.newaxis].astype(int) - palette) ** 2).sum(axis=2)
    nearest = np.argmin(apart, axis=1).astype(np.uint8)
    image = Image.fromarray(nearest[inverse].reshape(pixels.shape[:2]), mode="P")
    image.putpalette(palette.astype(np.uint8).tobytes())
    return image


if __name__ == "__main__":
    store, map_path, out = sys.argv[1:]
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_bytes(picture(store, map_path))
