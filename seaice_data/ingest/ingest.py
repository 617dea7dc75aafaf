"""Turn Sentinel-1 products, and what belongs to them, into scene files.

``ingest_scene`` makes one file; ``ingest_products`` finds all products of a folder, makes a
file of each, several at a time, and names those that failed at the end. A file is complete
or absent: an interrupted run continues where it stopped.
"""

import json
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seaice_data.channels import CHANNELS, Group
from seaice_data.conventions import DENOISINGS
from seaice_data.errors import Failure, SceneError, SeaIceError, SettingsError, is_of_disk
from seaice_data.ingest.amsr2 import read_amsr2
from seaice_data.ingest.chart import read_chart
from seaice_data.ingest.era5 import read_era5
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.land import read_land
from seaice_data.ingest.parts import Backscatter, BurntChart, CellFields, DistanceZones
from seaice_data.ingest.scene_file import scene_id_of, write_scene_file
from seaice_data.ingest.sentinel1 import (
    Sentinel1Product,
    find_products,
    open_sentinel1,
    read_product,
)
from seaice_data.scene_id import SceneId
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.settings import nearest
from seaice_data.system.files import HIDDEN, drop_abandoned, file_errors
from seaice_data.system.workers import Progress, run_tasks

Paths = str | Path | Iterable[str | Path]
"""A file or folder, or several."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What a scene file is made from, beside the product."""

    amsr2: tuple[str, ...] = ()
    """Swaths, or folders of them."""

    era5: tuple[str, ...] = ()
    """Files of weather, or folders of them."""

    chart: str = ""
    """Ice chart, or a folder of charts."""

    service: str = ""
    """Ice service that drew the chart; from its name if empty."""

    coast: str = ""
    """Polygons of land; those of OpenStreetMap if empty."""

    denoise: str = "esa"
    """How noise is removed: one of `DENOISINGS`."""

    max_delay_hours: float = 12.0
    """Longest time between a swath and the scene."""

    def __post_init__(self) -> None:
        """Reject what no product can be ingested with."""
        if self.denoise not in DENOISINGS:
            raise SettingsError(
                f"denoise must be one of {', '.join(DENOISINGS)}, got {self.denoise!r}",
                hint=nearest(self.denoise, DENOISINGS),
            )
        if not (math.isfinite(self.max_delay_hours) and self.max_delay_hours >= 0):
            raise SettingsError(
                f"max_delay_hours must be at least 0, got {self.max_delay_hours}"
            )
        if self.service and not self.chart:
            raise SettingsError(
                f"service {self.service!r} is given without a chart",
                hint="name the chart with --chart",
            )

    @property
    def options(self) -> str:
        """What decides a scene file beside its product, as a line of JSON.

        Paths are left out but for names: files may be moved.
        """
        made: dict[str, object] = {"denoise": self.denoise}
        if self.amsr2:
            made["amsr2_max_delay_hours"] = self.max_delay_hours
        if self.era5:
            made["era5"] = True
        if self.chart:
            made |= {"chart": Path(self.chart).name, "service": self.service}
        if self.coast:
            made["coast"] = Path(self.coast).name
        return json.dumps(made)


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestedFile:
    """A scene file, and what to know about it."""

    id: SceneId

    product: str
    """Name of the product, without ``.SAFE``."""

    path: Path

    is_new: bool
    """Whether it was written now; otherwise it was there already."""

    notes: tuple[str, ...] = ()
    """What is missing or unusual, in words."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What `ingest_products` did."""

    scenes: tuple[IngestedFile, ...]
    """Scene files in the order of their products."""

    failed: tuple[Failure, ...]
    """Products left out, by their paths."""

    elapsed_s: float

    @property
    def n_written(self) -> int:
        """Number of files written."""
        return sum(scene.is_new for scene in self.scenes)

    @property
    def n_kept(self) -> int:
        """Number of files that were there already."""
        return len(self.scenes) - self.n_written


def ingest_scene(
    product: str | Path,
    out: str | Path,
    *,
    amsr2: Paths = (),
    era5: Paths = (),
    chart: str | Path | None = None,
    service: str = "",
    coast: str | Path | None = None,
    denoise: str = "esa",
    max_delay_hours: float = 12.0,
    overwrite: bool = False,
) -> Path:
    """Turn a Sentinel-1 product into a scene file, which `prepare` and `predict` read.

    Parameters
    ----------
    product
        EW GRDM product with HH, or HH and HV: a SAFE folder, a zip of one, or a folder
        that contains one of them.
    out
        Folder to write to; created if needed.
    amsr2
        L1R or L1B swaths, or folders of them. Those nearest in time are taken.
    era5
        Weather in netCDF, GRIB or zips of the data store, or folders of them: ERA5, or
        another analysis with the same six fields.
    chart
        SIGRID-3 chart, or a folder of charts, of which the nearest in time is taken.
    service
        Ice service that drew the chart, in small letters; from its name if not given.
    coast
        Polygons of land; those of OpenStreetMap if not given.
    denoise
        How noise is removed: ``esa``, as the product says; ``nersc``, HV balanced between
        sub-swaths, as in AI4Arctic; ``none``.
    max_delay_hours
        Longest time between a swath and the scene, in hours.
    overwrite
        Replace an existing file.

    Returns
    -------
    Path
        The scene file, ``<time>_<service>.nc``, or ``<time>_<satellite>.nc`` without a
        chart. It is kept if it was made from the same product in the same way.

    Raises
    ------
    SceneError
        If the product or what belongs to it cannot be read, does not belong together, or
        does not cover the scene; if the file exists, but was made in another way.
    SettingsError
        If `denoise` or `max_delay_hours` is not possible.

    Notes
    -----
    A product of 10 000 x 10 000 pixels takes up to 1 GB of memory.
    """
    sources = Sources(
        amsr2=_as_texts(amsr2),
        era5=_as_texts(era5),
        chart=str(chart or ""),
        service=service,
        coast=str(coast or ""),
        denoise=denoise,
        max_delay_hours=max_delay_hours,
    )
    found = find_products(product)
    if len(found) != 1:
        raise SceneError(
            f"{str(product)!r} contains {len(found)} products",
            hint="name one of them, or use `ingest_products` for all",
        )
    folder = Path(out)
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return _ingest(found[0], folder, sources, overwrite=overwrite).path


def ingest_products(
    products: Paths,
    out: str | Path,
    sources: Sources | None = None,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> IngestReport:
    """Turn all Sentinel-1 products of some folders into scene files.

    Parameters
    ----------
    products
        SAFE folders, zips of them, or folders that contain them, at any depth.
    out
        Folder to write to; created if needed.
    sources
        What belongs to the scenes, and how they are made.
    jobs
        Number of processes; each takes up to 1 GB of memory.
    overwrite
        Replace existing files.
    progress
        Called after each product.

    Raises
    ------
    SceneError
        If there is no product, or nothing can be written to `out`.
    """
    start = time.monotonic()
    folder = Path(out)
    found = [product for path in _as_texts(products) for product in find_products(path)]
    paths = tuple(dict.fromkeys(found))
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    drop_abandoned(folder.glob(f"{HIDDEN}.*"))
    arguments = {
        str(path): (path, folder, sources or Sources(), overwrite) for path in paths
    }
    outcomes = run_tasks(_try, arguments, jobs, progress)
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    return IngestReport(
        scenes=tuple(o for o in outcomes if isinstance(o, IngestedFile)),
        failed=tuple(failed),
        elapsed_s=time.monotonic() - start,
    )


def _try(
    product: Path, folder: Path, sources: Sources, overwrite: bool
) -> IngestedFile | Failure:
    """Ingest a product; a bad one does not stop the others, a full disk does."""
    try:
        return _ingest(product, folder, sources, overwrite=overwrite)
    except SeaIceError as error:
        if is_of_disk(error):
            raise
        return Failure.of(product, error)


def _ingest(path: Path, folder: Path, sources: Sources, *, overwrite: bool) -> IngestedFile:
    """Turn a product into a scene file, or find the one that was made from it."""
    product = open_sentinel1(path)
    known = _made_from(product, folder)
    options = sources.options
    if known is not None and not overwrite:
        _refuse_other_options(known, options)
        return IngestedFile(
            id=SceneId(known.stem), product=product.name, path=known, is_new=False
        )
    frame = product.frame
    amsr2 = _read_swaths(sources, frame)
    era5 = _read_weather(sources, frame)
    # In the order that needs least memory: the images of the product are large while they
    # are read, the chart is large afterwards.
    zones = read_land(frame, Path(sources.coast) if sources.coast else None)
    backscatter = read_product(product, sources.denoise)
    chart = None
    if sources.chart:
        chart = read_chart(sources.chart, frame, sources.service or None)
    scene_id = scene_id_of(backscatter, chart)
    target = folder / f"{scene_id}.nc"
    if target.exists() and not overwrite:
        raise SceneError(
            f"{str(target)!r} exists, but was not made from {product.name}",
            hint="move it away, choose another folder, or replace it with --overwrite",
        )
    write_scene_file(
        target,
        backscatter,
        zones,
        amsr2=amsr2 if amsr2 and not _is_empty(amsr2) else None,
        era5=era5,
        chart=chart,
        made_with=options,
    )
    if known is not None and known != target:
        known.unlink(missing_ok=True)  # the same scene with another chart, or without
    notes = _notes(backscatter, zones, amsr2, era5, chart)
    return IngestedFile(
        id=scene_id, product=product.name, path=target, is_new=True, notes=tuple(notes)
    )


def _made_from(product: Sentinel1Product, folder: Path) -> Path | None:
    """Return the scene file in a folder that was made from a product, if there is one."""
    for path in sorted(folder.glob(f"{product.frame.acquired:%Y%m%dT%H%M%S}_*.nc")):
        if SceneId.is_one(path.stem):
            with closing(NetcdfFile(path)) as file:
                if file.text("source_product") == product.name:
                    return path
    return None


def _refuse_other_options(path: Path, options: str) -> None:
    """Reject a scene file that was made in another way."""
    with closing(NetcdfFile(path)) as file:
        made_with = file.text("made_with")
    if made_with != options:
        raise SceneError(
            f"{str(path)!r} exists and was made with other options: {made_with!r}, "
            f"not {options!r}",
            hint="choose another folder, or replace it with --overwrite",
        )


def _read_swaths(sources: Sources, frame: Frame) -> CellFields | None:
    if not sources.amsr2:
        return None
    return read_amsr2(sources.amsr2, frame, sources.max_delay_hours)


def _read_weather(sources: Sources, frame: Frame) -> CellFields | None:
    """Read the weather; a scene has all six fields or none."""
    if not sources.era5:
        return None
    found = read_era5(sources.era5, frame)
    names = [str(c.variable) for c in CHANNELS if c.group is Group.ERA5]
    if missing := [name for name in names if name not in found.fields]:
        raise SceneError(
            f"the weather files lack {', '.join(missing)}",
            hint="scenes have all six fields or none: name all files with --era5, or none",
        )
    return found


def _is_empty(found: CellFields) -> bool:
    """Return whether nothing was measured in a scene."""
    return all(bool(np.isnan(field).all()) for field in found.fields.values())


def _notes(
    backscatter: Backscatter,
    zones: DistanceZones,
    amsr2: CellFields | None,
    era5: CellFields | None,
    chart: BurntChart | None,
) -> Iterator[str]:
    """Yield what is missing in a scene or unusual, in words."""
    if not zones.zones.any():
        yield f"the whole scene is land, by the coast of {zones.coast}"
    if "hv" not in backscatter.sigma0:
        yield "the product has no HV"
    if amsr2 is None or era5 is None:
        absent = {"AMSR2": amsr2, "ERA5": era5}
        yield f"without {' and '.join(n for n, found in absent.items() if found is None)}"
    if amsr2 is not None:
        yield from _notes_of_swaths(amsr2)
    if backscatter.denoising_note:
        yield backscatter.denoising_note
    for name, share in backscatter.not_positive.items():
        if share:
            yield f"{share:.1%} of the {name.upper()} pixels are not above the noise"
    if chart is not None:
        yield from _notes_of_chart(chart, backscatter.frame)


def _notes_of_swaths(amsr2: CellFields) -> Iterator[str]:
    if note := amsr2.attributes.get("AMSR2_note"):
        yield f"without AMSR2: {note}"
        return
    shares = [float(np.isnan(field).mean()) for field in amsr2.fields.values()]
    if max(shares) > 0:
        yield f"no AMSR2 swath covers {max(shares):.1%} of the scene"


def _notes_of_chart(chart: BurntChart, frame: Frame) -> Iterator[str]:
    if chart.valid is not None:
        hours = (chart.valid - frame.middle).total_seconds() / 3600
        when = "after" if hours > 0 else "before"
        yield f"chart {chart.name}, valid {abs(hours):.1f} h {when} the scene"
    for name, areas in chart.without_class_km2.items():
        if areas:
            codes = ", ".join(f"{code} {area:.0f} km2" for code, area in areas.items())
            yield f"no {name} class for the codes {codes}"


def _as_texts(paths: Paths) -> tuple[str, ...]:
    if isinstance(paths, str | Path):
        return (str(paths),)
    return tuple(map(str, paths))
