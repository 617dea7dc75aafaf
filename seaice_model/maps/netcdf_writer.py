"""Write netCDF files that are complete or absent.

Planes of classes repeat: a pixel of the store is many pixels of a map. ``add_plane`` makes
zlib search for runs of equal bytes only (``Z_RLE``), on all cores: half the processor time,
and smaller files wherever pixels of the store repeat. The netCDF library cannot do that. It
declares the planes, and h5py puts their compressed chunks into the file at the end.

``write_errors`` turns errors of writing into a `MapError`, for files of other formats too.
"""

import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray
from seaice_data.system.files import replacing, staged
from seaice_data.system.process import n_cores
from seaice_data.texts import printable
from seaice_model.errors import MapError

if TYPE_CHECKING:  # late: readers of maps do not need it
    from netCDF4 import Dataset, Variable

_CHUNK_ROWS = 512


class NewFile:
    """A netCDF-4 file to add variables to; made by `written_whole`."""

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._dataset: Dataset | None = None
        self._chunks: dict[str, list[bytes]] = {}

    def put_at_end(self, name: str, chunks: list[bytes]) -> None:
        """Keep the compressed chunks of a variable until `close`, which writes them."""
        self._chunks[name] = chunks

    @contextmanager
    def changing(self) -> Iterator["Dataset"]:
        """Yield the file to change it, while no other thread uses the netCDF library.

        Raises
        ------
        MapError
            If it cannot be written.
        """
        from seaice_data.system import netcdf_library as library  # late: see above

        with (
            write_errors(self._what),
            library.one_at_a_time,
            library.disk_errors(self._path),
        ):
            if self._dataset is None:
                self._dataset = library.open_dataset(self._path, "w")
            yield self._dataset

    def close(self) -> None:
        """Close the file, and write the chunks that it still lacks; see `changing`."""
        from seaice_data.system import netcdf_library as library  # late: see above

        self._close()
        if self._chunks:  # not within `changing`: h5py has a lock of its own
            with write_errors(self._what), library.disk_errors(self._path):
                _put(self._chunks, self._path)
            self._chunks = {}

    def abandon(self) -> None:
        """Close the file as it is: it will be removed."""
        self._chunks = {}
        with suppress(MapError):
            self._close()

    def _close(self) -> None:
        with self.changing() as dataset:
            if dataset.isopen():
                dataset.close()


@contextmanager
def written_whole(path: Path, kind: str) -> Iterator[NewFile]:
    """Yield an empty netCDF-4 file; give it the name `path` at the end if all went well.

    A file at `path` stays until the new one is complete.

    Parameters
    ----------
    path
        Where to write.
    kind
        What it is, for messages: ``map``.

    Raises
    ------
    MapError
        If it cannot be written.
    """
    what = f"{kind} {str(path)!r}"
    with ExitStack() as stack:
        with write_errors(what):
            part = stack.enter_context(staged(path.parent)) / "part.nc"
        file = NewFile(part, what)
        stack.callback(file.abandon)
        yield file  # what is raised here is not about this file
        file.close()
        with write_errors(what), replacing(path) as new:
            part.replace(new)


def add_variable(
    file: NewFile,
    name: str,
    dimensions: tuple[str, ...],
    values: NDArray[Any],
    attributes: Mapping[str, Any] | None = None,
    *,
    level: Literal[1, 4] | None = None,
    chunks: tuple[int, ...] | None = None,
    fill: int | None = None,
) -> None:
    """Add a variable with its values.

    Parameters
    ----------
    file
        A new file that has the dimensions.
    name
        Its name.
    dimensions
        Names of the dimensions; none for a single number.
    values
        What it contains; the type is kept.
    attributes
        In order; see `set_attributes`.
    level
        Level of deflate: 1 is fast, 4 gives smaller files; not compressed if not given.
    chunks
        Shape of a compressed chunk; that of h5py if not given.
    fill
        Value of ``_FillValue``, the first attribute; if not given, there is none.
    """
    from seaice_data.system import netcdf_library as library  # late: see above

    if level is not None and chunks is None:
        chunks = _chunks_of_h5py(values)
    with file.changing() as dataset:
        variable = _declared(dataset, name, dimensions, values.dtype, level, chunks, fill)
        variable.set_auto_maskandscale(False)  # bytes are written as they are
        variable[...] = values
        library.set_attributes(variable, attributes or {})


def add_plane(
    file: NewFile,
    name: str,
    plane: ChartArray,
    attributes: Mapping[str, Any],
    *,
    fill: int | None = None,
) -> None:
    """Add a plane of bytes on the dimensions ``y`` and ``x``, in chunks of whole rows.

    It is compressed as the module describes. Its dimensions are in the file; for
    `attributes` and `fill` see `add_variable`.

    Raises
    ------
    TypeError
        If it is not of bytes.
    """
    from seaice_data.system import netcdf_library as library  # late: see above

    if plane.dtype != np.uint8:
        raise TypeError(f"{name!r} must be bytes (uint8), got {plane.dtype}")
    height, width = plane.shape
    n_rows = min(_CHUNK_ROWS, height)
    with file.changing() as dataset:
        chunks = (n_rows, width)
        variable = _declared(dataset, name, ("y", "x"), plane.dtype, 4, chunks, fill)
        library.set_attributes(variable, attributes)
    parts = [plane[start : start + n_rows] for start in range(0, height, n_rows)]
    with ThreadPoolExecutor(n_cores()) as threads:
        file.put_at_end(name, list(threads.map(partial(_compressed, n_rows), parts)))


def _declared(
    dataset: "Dataset",
    name: str,
    dimensions: tuple[str, ...],
    dtype: np.dtype[Any],
    level: Literal[1, 4] | None,
    chunks: tuple[int, ...] | None,
    fill: int | None,
) -> "Variable[Any]":
    """Return a new variable without values or attributes; see `add_variable`."""
    return dataset.createVariable(
        name,
        dtype.newbyteorder("="),  # netCDF4 warns of "<", even if that is native
        dimensions,
        compression=None if level is None else "zlib",
        complevel=level,
        shuffle=dtype.kind == "f",
        chunksizes=chunks,
        fill_value=False if fill is None else dtype.type(fill),
    )


def _put(variables: Mapping[str, list[bytes]], path: Path) -> None:
    """Put the chunks of variables into a closed file."""
    # Without a lock: nobody else knows this file yet, and some disks have none.
    with h5py.File(path, "r+", locking=False) as file:
        for name, chunks in variables.items():
            n_rows = file[name].chunks[0]
            for k, chunk in enumerate(chunks):
                file[name].id.write_direct_chunk((k * n_rows, 0), chunk)


def _compressed(n_rows: int, rows: ChartArray) -> bytes:
    """Compress a chunk; the last one is as long as the others, with zeros at the end."""
    packing = zlib.compressobj(level=4, strategy=zlib.Z_RLE)
    n_missing = (n_rows - len(rows)) * rows.shape[1]
    return b"".join(
        (
            packing.compress(np.ascontiguousarray(rows).data),
            packing.compress(bytes(n_missing)),
            packing.flush(),
        )
    )


def add_dimensions(file: NewFile, sizes: Mapping[str, int]) -> None:
    """Add dimensions, by name."""
    with file.changing() as dataset:
        for name, size in sizes.items():
            dataset.createDimension(name, size)


def set_attributes(file: NewFile, attributes: Mapping[str, Any]) -> None:
    """Set attributes of a file; see `netcdf_library.set_attributes`."""
    from seaice_data.system import netcdf_library as library  # late: see above

    with file.changing() as dataset:
        library.set_attributes(dataset, attributes)


def _chunks_of_h5py(values: NDArray[Any]) -> tuple[int, ...]:
    """Return chunks of a few kilobytes, as in version 0.1; those of netCDF are larger."""
    with h5py.File(BytesIO(), "w") as file:
        made = file.create_dataset("x", np.shape(values), values.dtype, chunks=True)
        chunks: tuple[int, ...] = made.chunks
    return chunks


@contextmanager
def write_errors(what: str) -> Iterator[None]:
    """Turn errors of writing a file into a `MapError`.

    Parameters
    ----------
    what
        What is written, and where to, for messages: ``map 'maps/a.nc'``.

    Raises
    ------
    MapError
        If something cannot be written.

    Examples
    --------
    >>> with write_errors("map 'a.nc'"):
    ...     raise OSError(28, "No space left on device", "/tmp/x")
    Traceback (most recent call last):
    seaice_model.errors.MapError: cannot write map 'a.nc': No space left on device
    """
    try:
        yield
    except (OSError, RuntimeError) as error:  # those of netCDF and GDAL are runtime errors
        said = error.strerror if isinstance(error, OSError) else None
        # GDAL quotes whole SQL statements before the reason.
        reason = printable(" ".join(str(said or error).split())).rpartition(" failed: ")[2]
        is_missing = isinstance(error, FileNotFoundError)
        hint = "make its folder first" if is_missing else None
        raise MapError(f"cannot write {what}: {reason}", hint=hint) from error
