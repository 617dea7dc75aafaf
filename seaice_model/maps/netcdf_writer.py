"""Write netCDF files that are complete or absent: to a temporary folder first.

``write_errors`` turns errors of writing into a `MapError`, for files of other formats too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from seaice_data.system.files import replacing
from seaice_data.texts import printable
from seaice_model.errors import MapError

if TYPE_CHECKING:  # late: readers of maps do not need it
    from netCDF4 import Dataset


@contextmanager
def written_whole(path: Path, kind: str) -> Iterator["Dataset"]:
    """Yield an empty netCDF-4 file; write it to `path` at the end if there is no error.

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
        If it cannot be written, there or in the folder of temporary files.
    """
    from netCDF4 import Dataset  # late: see above

    with write_errors(f"{kind} {str(path)!r}"):
        with TemporaryDirectory() as folder:
            whole = Path(folder, "whole.nc")
            with Dataset(whole, "w") as file:
                yield file
            content = whole.read_bytes()
        # Not by HDF5: if a disk refuses a file, it neither says why nor closes the file.
        with replacing(path) as new:
            new.write_bytes(content)


def add_variable(
    file: "Dataset",
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
    if level is not None and chunks is None:
        chunks = _chunks_of_h5py(values)
    variable = file.createVariable(
        name,
        values.dtype.newbyteorder("="),  # netCDF4 warns of "<", even where that is native
        dimensions,
        compression=None if level is None else "zlib",
        complevel=level,
        shuffle=False,
        chunksizes=chunks,
        fill_value=False if fill is None else values.dtype.type(fill),
    )
    variable.set_auto_maskandscale(False)  # bytes are written as they are
    variable[...] = values
    set_attributes(variable, attributes or {})


def set_attributes(owner: Any, attributes: Mapping[str, Any]) -> None:
    """Set attributes of a file or variable; texts become strings of any length."""
    for name, value in attributes.items():
        if isinstance(value, str):
            owner.setncattr_string(name, value)
        else:
            owner.setncattr(name, value)


def _chunks_of_h5py(values: NDArray[Any]) -> tuple[int, ...]:
    """Return chunks of a few kilobytes, as in version 0.1; those of netCDF are larger."""
    with h5py.File("chunks", "w", driver="core", backing_store=False) as file:
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
        raise MapError(f"cannot write {what}: {reason}") from error
