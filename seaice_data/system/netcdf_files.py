"""Write netCDF-4 files of scenes: complete or absent.

``whole_file`` opens a file that gets its name when it is complete, ``define_dimensions``
and ``create`` add to it. netCDF4 takes 0.1 s to import: it is imported by the first file.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seaice_data.errors import SceneError
from seaice_data.system.files import replacing

if TYPE_CHECKING:
    import netCDF4

_LEVEL: Literal[1] = 1
"""Of deflate: higher ones take longer, and save a few percent of planes of labels."""


@contextmanager
def whole_file(path: Path) -> Iterator["netCDF4.Dataset"]:
    """Open a file that gets its name when it is complete, and is removed otherwise.

    A file of this name is replaced. Other threads cannot use the netCDF library meanwhile.

    Raises
    ------
    SceneError
        If it cannot be written to the disk.
    """
    # Late: takes 0.1 s.
    from seaice_data.system.netcdf_library import disk_errors, one_at_a_time, open_dataset

    with (
        _naming(path.parent),
        replacing(path) as part,
        one_at_a_time,
        disk_errors(part),
        open_dataset(part, "w") as file,
    ):
        # Every value is written, so files need not be filled with NaN first.
        file.set_fill_off()
        yield file


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Turn errors of writing a file into a `SceneError` that names its folder."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not str(error).startswith("NetCDF:"):
            raise
        raise SceneError(
            f"cannot write {str(folder)!r}: {getattr(error, 'strerror', None) or error}",
            hint="fix this, then run the same command again to continue",
        ) from None


def define_dimensions(file: "netCDF4.Dataset", sizes: Mapping[str, int]) -> None:
    """Define the dimensions of a file."""
    for name, size in sizes.items():
        file.createDimension(name, size)


def create(
    file: "netCDF4.Dataset",
    name: str,
    dims: tuple[str, ...],
    dtype: Any,
    attributes: Mapping[str, Any],
    *,
    fill: int | None = None,
    chunks: tuple[int, ...] | None = None,
) -> Any:
    """Create a variable.

    Parameters
    ----------
    file
        A new file that has the dimensions.
    name, dims, dtype
        Its name, the names of its dimensions, and the type of its values.
    attributes
        In order; see `netcdf_library.set_attributes`.
    fill
        Value of ``_FillValue`` if it is not a float; there is none if not given. That of
        floats is NaN.
    chunks
        Shape of a compressed chunk; contiguous and not compressed if not given, so that
        rows are read straight from the file.

    Returns
    -------
    netCDF4.Variable
        To write values to.
    """
    from seaice_data.system.netcdf_library import set_attributes  # late: see above

    compression: Literal["zlib"] | None = None if chunks is None else "zlib"
    variable = file.createVariable(
        name,
        dtype,
        dims,
        contiguous=chunks is None,
        compression=compression,
        complevel=_LEVEL,
        chunksizes=chunks,
        fill_value=np.nan if dtype in (np.float32, np.float64) else fill,
    )
    set_attributes(variable, attributes)
    return variable
