"""One scene of a store, opened to read."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHARTS
from seaice_data.egg_codes import PolygonTable
from seaice_data.errors import DamageError, StoreError
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.storage.local_folder import LocalFolder
from seaice_data.store.array_files import ARRAY_DOCUMENTS, read_array_document
from seaice_data.store.group import StoreRoot, whole_documents
from seaice_data.store.layout import (
    POLYGON_COLUMNS,
    SceneAttributes,
    array_forms,
    chunk_names,
)
from seaice_data.store.origin import Origin, read_origin
from seaice_data.store.statistics import ChannelStats
from seaice_data.system.documents import Document, DocumentError

if TYPE_CHECKING:
    import xarray as xr
    import zarr

_DAMAGE = (
    DocumentError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    RuntimeError,
    FileNotFoundError,
)
"""What zarr and its codecs raise when they read damaged data."""

_ALL = slice(None)


class StoredScene:
    """One scene of a store; its arrays are read on access."""

    def __init__(
        self,
        store: StoreRoot,
        known: SceneAttributes,
        attributes: Mapping[str, Any],
        documents: Sequence[Document],
    ) -> None:
        self.store = store
        self.id = known["id"]
        """As ``20180607T184326_dmi``."""
        self.known = known
        """Attributes of the scene's group that seaice uses, checked."""
        self.attributes = attributes
        """All attributes of the scene's group, as found."""
        self._documents = tuple(documents)

    def __repr__(self) -> str:
        """Say which scene it is, of which store, and how large."""
        height, width = self.grid.shape
        return f"<StoredScene {self.id} of {self.store.path!r}: {height} x {width} pixels>"

    def closed(self) -> "StoredScene":
        """Return the same scene without its open arrays."""
        return StoredScene(self.store, self.known, self.attributes, self._documents)

    @property
    def acquired(self) -> datetime:
        """Start of the acquisition, UTC."""
        return self.id.acquired

    @property
    def service(self) -> str:
        """Ice service that made the chart, such as ``dmi``; empty if there is no chart."""
        return self.id.service

    @property
    def region(self) -> str:
        """Chart region of the ice service; empty if unknown."""
        return self.known["region"]

    @cached_property
    def origin(self) -> Origin:
        """What the scene says of its file."""
        return read_origin(self.attributes)

    @property
    def absent_channels(self) -> tuple[str, ...]:
        """Channels that its file lacks, in catalogue order; those in the store are NaN."""
        return self.origin.absent_channels

    @property
    def denoising(self) -> str:
        """How noise was removed from HV, or from HH if there is no HV."""
        return self.origin.denoising

    @property
    def has_charts(self) -> bool:
        """Whether an ice chart belongs to the scene."""
        return self.known["has_charts"]

    @property
    def is_unlabelled(self) -> bool:
        """Whether it is an own scene without a chart, which can only be mapped."""
        return not self.has_charts and not self.origin.is_ai4arctic

    @property
    def grid(self) -> Grid:
        """Grid of the stored planes."""
        return self.known["grid"]

    @property
    def source_grid(self) -> Grid:
        """80 m grid of the scene."""
        return self.known["source_grid"]

    @property
    def valid_share(self) -> float:
        """Share of the pixels that have a SIC class."""
        return self.known["valid_share"]

    @property
    def class_counts(self) -> dict[str, list[int]]:
        """Pixels of each class on the stored grid, fill last."""
        return self.known["class_counts"]

    @property
    def full_class_counts(self) -> dict[str, list[int]]:
        """Pixels of each class on the 80 m grid, fill last."""
        return self.known["full_class_counts"]

    @property
    def stats(self) -> ChannelStats:
        """Sums of the valid values of each channel."""
        return ChannelStats.from_mapping(self.known["stats"])

    @property
    def is_mapped(self) -> bool:
        """Whether inputs and charts are files that any process can map into its memory."""
        return self.store.is_mapped

    @cached_property
    def inputs(self) -> FloatArray:
        """Standardised planes, ``(y, x, channel)``; NaN is fill. Mapped if possible."""
        dtype = np.dtype(self.store.recipe.dtype).newbyteorder("<")
        shape = (*self.grid.shape, len(self.store.channels))
        with self._reading("inputs"):
            return np.asanyarray(self._whole("inputs", shape, dtype))

    @cached_property
    def charts(self) -> ChartArray:
        """Classes, shape ``(y, x, chart)``; 255 is fill. Mapped if possible."""
        shape = (*self.grid.shape, len(CHARTS))
        with self._reading("charts"):
            return np.asanyarray(self._whole("charts", shape, np.dtype(np.uint8)))

    def full_charts(self) -> ChartArray:
        """Read the charts on the 80 m grid, shape ``(chart, y, x)``; 255 is fill."""
        return self._read("full_charts")

    def full_flags(self) -> ChartArray:
        """Read the flags on the 80 m grid, shape ``(y, x)``; bits as in `FLAGS`."""
        return self._read("full_flags")

    @property
    def has_polygons(self) -> bool:
        """Whether the polygons of its chart are stored, with their egg codes."""
        return "polygon_id" in self.known["checksums"]

    def check_polygons(self) -> None:
        """Reject a scene without polygons.

        Raises
        ------
        StoreError
            If it has none; it says why.
        """
        if self.has_polygons:
            return
        if self.has_charts and self.attributes.get("version") == "ready":
            raise StoreError(
                f"scene {self.id} of {self.store.path!r} was made from a ready-to-train "
                "file, which has no polygons",
                hint="prepare the raw files of these scenes, which contain polygons and "
                "their egg codes",
            )
        reason = "polygons" if self.has_charts else "chart, so it has no polygons"
        raise StoreError(f"scene {self.id} of {self.store.path!r} has no {reason}")

    def polygon_ids(self) -> IntArray:
        """Read the id of the polygon of each stored pixel, shape ``(y, x)``; -1 is none.

        Raises
        ------
        StoreError
            If the scene has no polygons (see `has_polygons`), or they cannot be read.
        """
        self.check_polygons()
        return self._read("polygon_id")

    @property
    def polygons(self) -> PolygonTable:
        """The polygons of the chart, with their egg codes.

        Raises
        ------
        StoreError
            If the scene has no polygons (see `has_polygons`), or they cannot be read.
        """
        self.check_polygons()
        columns = self._read("polygon_column").tolist()
        table = self._read("polygons")
        if columns != [*POLYGON_COLUMNS]:
            raise self._damaged(f"'polygon_column' is {columns}")
        ids = table[:, 0]
        if len(np.unique(ids)) < len(ids) or (ids < 0).any():
            raise self._damaged("ids in 'polygons' are negative, or occur twice")
        return PolygonTable(ids=ids, codes=table[:, 1:-1], is_water=table[:, -1] != 0)

    @property
    def tie_points(self) -> TiePoints:
        """Geolocation grid."""
        names = ("tie_latitude", "tie_longitude", "tie_line", "tie_sample")
        return TiePoints(*(self._read(name) for name in names))

    @property
    def rows(self) -> IntArray:
        """Stored row that represents each row of the 80 m grid."""
        return self.store.recipe.stand_ins(self.source_grid.height)

    @property
    def columns(self) -> IntArray:
        """Stored column that represents each column of the 80 m grid."""
        return self.store.recipe.stand_ins(self.source_grid.width)

    def to_xarray(self) -> "xr.Dataset":
        """Return the scene in physical units, by the names of channels and charts.

        `SIC` is in percent; `SOD` and `FLOE` are class numbers, whose names are in
        ``flag_meanings``. They are NaN where there is no class. `SIC_class`, `SOD_class`
        and `FLOE_class` are classes as they are stored: uint8, 255 is fill.
        The texts and numbers of the scene are its attributes. It can be written as netCDF
        that follows CF 1.12. The coordinates `latitude` and `longitude` are exact: they are
        interpolated between the tie points, not taken from the channels of these names.
        """
        from seaice_data.store.dataset import scene_dataset  # late: imports xarray

        return scene_dataset(
            self.id,
            self.inputs,
            self.charts,
            self._places(),
            self.store.recipe,
            self.attributes,
            self.store.attributes["software"],
        )

    def _places(self) -> tuple[FloatArray, FloatArray]:
        """Return the latitude and longitude of each stored pixel."""
        lines, samples = map(self.store.recipe.positions, self.source_grid.shape)
        return self.tie_points.places(lines, samples)

    def whole_array(self, name: str) -> "zarr.Array[Any]":
        """Open an array of the scene with zarr, and check that no chunk is missing.

        Raises
        ------
        DamageError
            If its metadata is not what seaice writes, or a chunk is missing, which zarr
            would read as fill, and so as a class.
        StoreError
            If it cannot be read, or the store was replaced.
        """
        with self._reading(name):
            return self._open(name)

    def read_part(
        self,
        name: str,
        array: "zarr.Array[Any]",
        rows: slice = _ALL,
        columns: slice = _ALL,
    ) -> np.ndarray[Any, Any]:
        """Read a part of an array of the scene, opened by `whole_array`.

        Raises
        ------
        DamageError
            If it is damaged.
        StoreError
            If it cannot be read, or the store was replaced.
        """
        # On a server, reading the metadata takes as long as reading a chunk; it was checked
        # when the array was opened.
        with self._reading(name, is_checked=isinstance(self.store.storage, LocalFolder)):
            return np.asarray(array[(rows, columns)[: array.ndim]])

    def _read(self, name: str) -> np.ndarray[Any, Any]:
        with self._reading(name):
            return self._values(name)

    def _values(self, name: str) -> np.ndarray[Any, Any]:
        return np.asarray(self._open(name)[...])

    def _folder(self, name: str) -> str:
        return f"scenes/{self.id}/{name}"

    def _open(self, name: str) -> "zarr.Array[Any]":
        """Open an array with zarr, which sees only documents that were checked."""
        import zarr  # late: mapped arrays do not need it
        from zarr.storage import StorePath

        storage, recipe, folder = self.store.storage, self.store.recipe, self._folder(name)
        if (form := array_forms(self.known, recipe).get(name)) is None:
            raise self._damaged(f"{name!r:.40} is not an array of a scene")
        names = [f"{folder}/{file}" for file in ARRAY_DOCUMENTS[recipe.zarr_format]]
        found = storage.read_many(names)
        if absent := {*names} - {*found}:
            raise self._damaged(f"{name!r} has no {min(absent).rpartition('/')[2]}")
        documents = whole_documents([found[name] for name in names])
        metadata = read_array_document(documents, form)
        array = zarr.Array.from_dict(StorePath(storage.open_zarr(folder)), metadata)
        chunks = chunk_names(array)
        if missing := storage.missing(folder, chunks):
            raise self._damaged(f"{name!r} lacks {len(missing)} of {len(chunks)} chunks")
        return array

    @contextmanager
    def _reading(self, name: str, *, is_checked: bool = True) -> Iterator[None]:
        """Distinguish damage from a failure to read, and from a store that was replaced.

        What was read belongs to this scene if the metadata is the same afterwards.
        """
        try:
            with self.store.storage.errors():
                try:
                    yield
                except _DAMAGE as error:
                    raise self._unreadable(name, error) from None
        except OSError as error:
            self._check_unchanged()
            raise StoreError(
                f"scene {self.id}: {name!r} cannot be read: {error.strerror or error}"
            ) from None
        except StoreError:
            self._check_unchanged()
            raise
        if is_checked:
            self._check_unchanged()

    def _unreadable(self, name: str, error: Exception) -> StoreError:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        message = f"{name!r} cannot be read: {reason}"
        if isinstance(error, RuntimeError) and "thread" in reason:
            # The system has no more threads.
            return StoreError(f"scene {self.id}: {message}")
        if fault := _fault_of_zarr():
            return StoreError(f"scene {self.id}: {name!r} cannot be read: {fault}")
        return self._damaged(message)

    def _check_unchanged(self) -> None:
        self.store.check_unchanged(self.id, self._documents)

    def _damaged(self, message: str) -> DamageError:
        return DamageError(
            f"scene {self.id}: {message}",
            hint=f"find what is damaged with `seaice verify {self.store.path}`",
        )

    def _whole(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> np.ndarray[Any, Any]:
        """Map an array that is one uncompressed chunk on a local disk, or read it."""
        storage, recipe = self.store.storage, self.store.recipe
        if not (self.is_mapped and isinstance(storage, LocalFolder)):
            return self._values(name)
        zeros = ["0"] * len(shape)
        names = ["c", *zeros] if recipe.zarr_format == 3 else [".".join(zeros)]
        chunk = storage.local("scenes", self.id, name, *names)
        try:
            size = chunk.stat().st_size
        except FileNotFoundError:
            size = -1
        n_bytes = dtype.itemsize * int(np.prod(shape))
        if size != n_bytes:
            raise DamageError(
                f"{str(chunk)!r} is missing or has the wrong size: "
                f"{shape} {dtype.name} needs {n_bytes} bytes",
                hint=f"find what is damaged with `seaice verify {self.store.path}`",
            )
        return np.memmap(chunk, dtype, "r", shape=shape)


def _fault_of_zarr() -> str:
    """Return why zarr cannot read an array in memory; empty if it can.

    If it cannot, because of its settings on this machine for example, nothing is known
    about the files of a store.
    """
    try:
        import zarr

        zarr.create_array({}, data=np.zeros(1), compressors=None)[...]
    except _DAMAGE as error:
        return f"zarr does not work here: {(str(error).splitlines() or [repr(error)])[0]}"
    return ""
