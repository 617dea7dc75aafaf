"""`seaice bench ingest`: a product into a scene file, compared with reading it alone."""

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from seaice_data.errors import SceneError

from ..console import say
from .timing import apart, line, peak_mb


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
    coast = {"coast": sources.pop("coast", None)}
    tasks: dict[str, Callable[[], None]] = {
        "everything": partial(_ingest_once, product, sources | coast),
        "with the coast of OpenStreetMap": partial(_ingest_once, product, sources),
        "radar and land alone": partial(_ingest_once, product, coast),
        "reading the pixels alone": partial(_read_once, product),
    }
    seconds: dict[str, list[float]] = {title: [] for title in tasks}
    peaks = dict.fromkeys(tasks, 0.0)
    for number in range(rounds + 1):
        for title, work in tasks.items():
            start = time.perf_counter()
            peak = apart(partial(_peak_of, work))
            if number:  # the first round compiles, and brings files into the cache
                seconds[title].append(time.perf_counter() - start)
            peaks[title] = max(peaks[title], peak)
    kind = "zip" if product.is_file() else "folder"
    for title, values in seconds.items():
        what = f"{kind}, with the start of a process, peak {peaks[title]:.0f} MB"
        say(line(title, values, "s", what))


def _peak_of(work: Callable[[], None]) -> float:
    """Return the peak memory of a process after some work."""
    work()
    return peak_mb()


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


def _ingest_once(product: Path, sources: Mapping[str, Any]) -> None:
    """Ingest a product."""
    from seaice_data.ingest.ingest import ingest_scene

    with tempfile.TemporaryDirectory() as folder:
        ingest_scene(product, folder, **sources)


def _read_once(product: Path) -> None:
    """Read, and inflate, the measurements of a product and nothing else."""
    import zipfile

    if product.is_file():
        with zipfile.ZipFile(product) as archive:
            for name in archive.namelist():
                if name.endswith((".tiff", ".tif")):
                    archive.read(name)
    else:
        for measurement in sorted(product.glob("measurement/*.tif*")):
            measurement.read_bytes()
