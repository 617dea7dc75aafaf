"""Turn Sentinel-1 products, and what belongs to them, into scene files.

``ingest_scene`` makes one file; ``ingest_products`` finds all products of a folder, makes a
file of each, several at a time, and names those that failed at the end. A file is complete
or absent: an interrupted run continues where it stopped.
"""

import logging
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from seaice_data.channels import CHANNELS, Group
from seaice_data.display import Displayed
from seaice_data.errors import Failure, SceneError, SeaIceError, is_of_disk
from seaice_data.ingest.amsr2 import read_amsr2
from seaice_data.ingest.chart import read_chart
from seaice_data.ingest.era5 import read_era5
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.inventory import Claims, KnownFile, find_known, require_free
from seaice_data.ingest.land import read_land
from seaice_data.ingest.notes import is_empty, notes_of, notes_of_swaths
from seaice_data.ingest.parts import CellFields
from seaice_data.ingest.scene_file import absent_of, scene_id_of, write_scene_file
from seaice_data.ingest.sentinel.safe import MANIFEST
from seaice_data.ingest.sentinel1 import find_products, open_sentinel1, read_product
from seaice_data.ingest.sources import Sources
from seaice_data.scene_id import SceneId
from seaice_data.system.files import HIDDEN, drop_abandoned, file_errors
from seaice_data.system.workers import Progress, run_tasks
from seaice_data.texts import counted

log = logging.getLogger(__name__)

Paths = str | Path | Iterable[str | Path]
"""A file or folder, or several."""

_WEATHER_FIELDS = {"u10m_rotated": "u10", "v10m_rotated": "v10"}
"""What weather files call fields that have other names in scenes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestedFile:
    """A scene file, and what to know about it."""

    id: SceneId

    product: str
    """Name of the product, without ``.SAFE``."""

    path: Path

    is_new: bool
    """Whether it was written now; otherwise it was there already."""

    absent: tuple[str, ...] = ()
    """What it lacks: ``HV``, ``AMSR2``, ``ERA5``, ``ice chart``."""

    notes: tuple[str, ...] = ()
    """What is missing or unusual, in words."""


@dataclass(frozen=True, slots=True, repr=False)
class IngestReport(Displayed):
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
        chart. It is kept if it was made from the same product with the same options
        (`Sources.options`); what is in files and folders is not compared. If it has no
        AMSR2, but was to have it, it is made again once a swath fits.

    Raises
    ------
    SceneError
        If the product or what belongs to it cannot be read, does not belong together, or
        does not cover the scene; if the file exists, but was made in another way.
    SettingsError
        If `denoise`, `service` or `max_delay_hours` is not possible.

    Notes
    -----
    What is missing or unusual in a scene is logged as a warning.

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
    found = _without_doubles(find_products(product))
    if len(found) != 1:
        raise SceneError(
            f"{str(product)!r} contains {counted(len(found), 'product')}",
            hint="name one of them, or use `ingest_products` for all",
        )
    sources.check()
    folder = Path(out)
    _make(folder)
    made = _ingest(found[0], folder, sources, None, overwrite=overwrite)
    for note in made.notes:
        log.warning("%s: %s", made.id, note)
    return made.path


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

    Existing files are kept as `ingest_scene` does. A product that is there twice, as a zip
    and as a folder, is one scene. Of two products with the same id one is left out, also
    with `overwrite`.

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
    folder, sources = Path(out), sources or Sources()
    found = [product for path in _as_texts(products) for product in find_products(path)]
    sources.check()
    _make(folder)
    drop_abandoned(folder.glob(f"{HIDDEN}.*"))
    with ExitStack() as stack:
        with file_errors(folder):
            claims = stack.enter_context(Claims.of_run(folder))
        arguments = {
            str(path): (path, folder, sources, claims, overwrite)
            for path in _without_doubles(found)
        }
        outcomes = run_tasks(_try, arguments, jobs, progress)
    return IngestReport(
        scenes=tuple(o for o in outcomes if isinstance(o, IngestedFile)),
        failed=tuple(o for o in outcomes if isinstance(o, Failure)),
        elapsed_s=time.monotonic() - start,
    )


def _make(folder: Path) -> None:
    """Make the folder of the scene files."""
    with file_errors(folder):
        if folder.exists() and not folder.is_dir():
            raise SceneError(f"{str(folder)!r} is not a folder")
        folder.mkdir(parents=True, exist_ok=True)


def _without_doubles(products: Iterable[Path]) -> list[Path]:
    """Return each product once, whatever paths lead to it."""
    found: dict[Path, Path] = {}
    for path in products:
        real = path.resolve()
        found.setdefault(real.parent if real.name.lower() == MANIFEST else real, path)
    return [*found.values()]


def _try(
    product: Path, folder: Path, sources: Sources, claims: Claims, overwrite: bool
) -> IngestedFile | Failure:
    """Ingest a product; a bad one does not stop the others, a full disk does."""
    try:
        return _ingest(product, folder, sources, claims, overwrite=overwrite)
    except SeaIceError as error:
        if is_of_disk(error):
            raise
        return Failure.of(product, error)


def _ingest(
    path: Path, folder: Path, sources: Sources, claims: Claims | None, *, overwrite: bool
) -> IngestedFile:
    """Turn a product into a scene file, or find the one that was made from it."""
    product = open_sentinel1(path)
    frame = product.frame
    known, amsr2 = find_known(folder, product), None
    same = claims.of_product(product) if claims else None
    if known is not None and (same or not overwrite):
        if same:
            return _kept(known, f"the same product as {same.path!r}")
        known.require(sources)
        if not sources.amsr2 or "AMSR2" not in known.absent:
            return _kept(known)
        amsr2 = _read_swaths(sources, frame)  # there may be more of them now
        if amsr2 is None or is_empty(amsr2):
            return _kept(known, *(notes_of_swaths(amsr2) if amsr2 else ()))
    elif not (overwrite or sources.chart):
        require_free(
            folder / f"{frame.acquired:%Y%m%dT%H%M%S}_{product.satellite.lower()}.nc",
            product,
        )
    era5 = _read_weather(sources, frame)
    if amsr2 is None:
        amsr2 = _read_swaths(sources, frame)
    # In the order that needs least memory: the coast of the Earth is large for a moment,
    # the chart stays large.
    zones = read_land(frame, Path(sources.coast) if sources.coast else None)
    backscatter = read_product(product, sources.denoise)
    chart = None
    if sources.chart:
        chart = read_chart(sources.chart, frame, sources.service or None)
    scene_id = scene_id_of(backscatter, chart)
    target = folder / f"{scene_id}.nc"
    if not overwrite:
        require_free(target, product)
    measured = amsr2 if amsr2 is not None and not is_empty(amsr2) else None
    made = IngestedFile(
        id=scene_id,
        product=product.name,
        path=target,
        is_new=True,
        absent=absent_of(backscatter, measured, era5, chart),
        notes=tuple(notes_of(backscatter, amsr2, era5, chart, zones)),
    )
    with ExitStack() as stack:
        if claims is not None:
            if (holder := claims.take(scene_id, product)) is not None:
                if holder.product == product.name:
                    same_note = f"the same product as {holder.path!r}"
                    return replace(made, is_new=False, notes=(same_note,))
                raise SceneError(
                    f"{str(path)!r}: its scene has the id {scene_id}, as that of "
                    f"{holder.path!r}",
                    hint="ingest one of them to another folder",
                )
            stack.callback(claims.release, scene_id)
        write_scene_file(
            target,
            backscatter,
            zones,
            amsr2=measured,
            era5=era5,
            chart=chart,
            made_with=sources.made_with,
        )
        stack.pop_all()
    if known is not None and known.path != target:
        _remove(known)  # the same scene with another chart, or without
    return made


def _kept(known: KnownFile, *notes: str) -> IngestedFile:
    return IngestedFile(
        id=known.id,
        product=known.product,
        path=known.path,
        is_new=False,
        absent=known.absent,
        notes=notes,
    )


def _remove(known: KnownFile) -> None:
    """Remove a file that another one replaces, unless it was replaced itself."""
    with file_errors(known.path):
        if known.path.exists() and KnownFile.read(known.path).product == known.product:
            known.path.unlink()


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
        fields = [_WEATHER_FIELDS.get(name, name) for name in missing]
        raise SceneError(
            f"the weather files lack {', '.join(fields)}",
            hint="scenes have all six fields or none: name all files with --era5, or none",
        )
    return found


def _as_texts(paths: Paths) -> tuple[str, ...]:
    if isinstance(paths, str | Path):
        return (str(paths),)
    return tuple(map(str, paths))
