"""Reading the arrays of a scene: what is damaged is reported, never returned.

A missing chunk is an error, because zarr would read it as fill, and so as a class. What was
read belongs to the scene only if its metadata is the same afterwards.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.errors import DamageError, StoreError
from seaice_data.storage.local_folder import LocalFolder
from seaice_data.store.array_files import ARRAY_DOCUMENTS, read_array_document
from seaice_data.store.group import StoreRoot, whole_documents
from seaice_data.store.layout import SceneAttributes, array_forms, chunk_names
from seaice_data.system.documents import Document, DocumentError

if TYPE_CHECKING:
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


class SceneArrays:
    """The arrays of one scene of a store."""

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

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of its arrays; ``STORE.md`` describes them."""
        return tuple(self.known["checksums"])

    @property
    def is_mapped(self) -> bool:
        """Whether inputs and charts are files that any process can map into its memory."""
        return self.store.is_mapped

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

    def read(self, name: str, part: tuple[int | slice, ...] = ()) -> np.ndarray[Any, Any]:
        """Read an array of the scene by its name, or a part of it.

        Parameters
        ----------
        name
            One of the arrays in ``STORE.md``.
        part
            Numbers and slices along the axes; the whole array if not given.

        Raises
        ------
        DamageError
            If it is damaged, a chunk is missing, or the scene has no such array.
        StoreError
            If it cannot be read, or the store was replaced.
        """
        with self._reading(name):
            return np.asarray(self._open(name)[part or ...])

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
            return np.asarray(self._open(name)[...])
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
