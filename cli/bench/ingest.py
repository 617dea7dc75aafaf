"""`seaice bench ingest`: a product into a scene file, compared with reading it alone."""

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from seaice_data.errors import SceneError

from ..console import say
from .timing import line, taking_turns_apart


def measure(path: Path, rounds: int) -> None:
    """Print how fast a product becomes a scene file.

    The folder is one of those that ``seaice synth --version products`` writes.
    """
    from seaice_data.ingest.sentinel1 import find_products

    products = find_products(path)
    if len(products) != 1:
        raise SceneError(
            f"{str(path)!r} contains {len(products)} products, and one is needed",
            hint="name one folder of `seaice synth products/ --version products`",
        )
    product, sources = products[0], _sources(path)
    tasks: dict[str, Callable[[], float]] = {
        "everything": partial(_ingest_once, product, sources),
        "radar and land alone": partial(
            _ingest_once, product, {"coast": sources.get("coast")}
        ),
        "reading the pixels alone": partial(_read_once, product),
    }
    seconds, peaks = taking_turns_apart(tasks, rounds)
    kind = "zip" if product.is_file() else "folder"
    for title, values in seconds.items():
        say(line(title, values, "s", f"{kind}, 1 process, peak {peaks[title]:.0f} MB"))


def _sources(folder: Path) -> dict[str, Any]:
    """Return what belongs to a synthetic product."""
    charts = [path for path in folder.glob("*.gpkg") if path.name != "coast.gpkg"]
    found = {
        "amsr2": folder / "amsr2",
        "era5": folder / "era5.nc",
        "chart": charts[0] if charts else folder / "chart.gpkg",
        "coast": folder / "coast.gpkg",
    }
    return {name: path for name, path in found.items() if path.exists()}


def _ingest_once(product: Path, sources: Mapping[str, Any]) -> float:
    """Ingest a product; return the seconds it takes."""
    from seaice_data.ingest.ingest import ingest_scene

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        ingest_scene(product, folder, **sources)
        return time.perf_counter() - start


def _read_once(product: Path) -> float:
    """Read, and inflate, the measurements of a product and nothing else."""
    import zipfile

    start = time.perf_counter()
    if product.is_file():
        with zipfile.ZipFile(product) as archive:
            for name in archive.namelist():
                if name.endswith((".tiff", ".tif")):
                    archive.read(name)
    else:
        for measurement in sorted(product.glob("measurement/*.tif*")):
            measurement.read_bytes()
    return time.perf_counter() - start
