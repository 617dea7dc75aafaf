"""netCDF files that anybody may have written: maps and submission files.

``opened`` opens one, ``array`` finds an array in it, ``read_bytes`` reads one of bytes,
``text``, ``number`` and ``whole_numbers`` read attributes of the type that they should
have. Whatever is wrong raises a `ValueError`, which ``read_errors`` turns into a `MapError`
that names the file.

Other programs rewrite a file in other types: text as characters or strings, bytes as wider
integers or, if they have unpacked them, as floats. All of these are read.
"""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray
from seaice_data.scenes.deflated import DeflatedPlane, is_deflated
from seaice_data.scenes.filters import missing_filters, without_filter
from seaice_data.system.documents import DocumentError, open_file
from seaice_data.texts import printable, without_secrets
from seaice_model.errors import MapError

MOST_SIDE = 20_000
"""Pixels along a side of a plane: a Sentinel-1 EW scene has about 10 000 of 40 m."""

MOST_LETTERS = 10_000
"""Length of the longest text: a list of the folders of several runs."""

_SHOWN_LETTERS = 80
_MOST_PIXELS = 256_000_000  # the largest scene of the dataset has 127 million of 40 m
_MOST_NUMBERS = 10_000
_MOST_TEXTS = 100
_MOST_CHUNK = 2**24
_FILL = 255
_FILLS = ("_FillValue", "missing_value")
_MOST_SCALE = 1e6
_ROUNDING = 0.01  # of a step: what is left of a packed number in single precision
_BROKEN = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
)
"""What h5py raises on files whose metadata or data are damaged."""


@contextmanager
def opened(path: Path, kind: str, hint: str) -> Iterator[h5py.File]:
    """Open a file to read it; whatever is wrong with it becomes a `MapError`.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, for messages: ``map``.
    hint
        What to do about one that is damaged.

    Raises
    ------
    MapError
        If it does not exist, is not a regular file (a pipe would block), cannot be read, is
        damaged, or does not fit into memory.
    """
    with read_errors(path, kind, hint):
        if _first_bytes(path).startswith(b"CDF"):
            from seaice_model.maps.classic_netcdf import ClassicFile  # late: few need it

            with ClassicFile(path) as file:
                yield file
        else:
            # Without a lock: some disks have none, and a writer replaces the whole file.
            with h5py.File(path, "r", locking=False) as file:
                yield file


@contextmanager
def read_errors(path: Path, kind: str, hint: str) -> Iterator[None]:
    """Turn errors of reading a file into a `MapError`; see `opened`."""
    try:
        yield
    except FileNotFoundError:
        raise MapError(f"no {kind} at {str(path)!r}") from None
    except MemoryError:
        raise MapError(f"there is not enough memory to read {kind} {str(path)!r}") from None
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno:
            raise MapError(
                f"cannot read {kind} {str(path)!r}: {os.strerror(error.errno)}"
            ) from None
        if "file signature not found" in str(error):
            raise MapError(
                f"cannot read {kind} {str(path)!r}: not a netCDF-4 file", hint=hint
            ) from None
        raise MapError(
            f"{kind} {str(path)!r} is damaged: {_reason(error)}", hint=hint
        ) from error


def array(
    file: h5py.File, name: str, shape: tuple[int, ...] | int, kinds: str = "fiu"
) -> h5py.Dataset:
    """Return an array of numbers in a file, without reading it.

    Parameters
    ----------
    file
        The file.
    name
        Name of the array.
    shape
        Its shape, or its number of axes, each at most `MOST_SIDE` long.
    kinds
        Kinds of its type, as numpy calls them: ``u`` for bytes, ``iu`` for whole numbers,
        ``fiu`` for any.

    Raises
    ------
    ValueError
        If it is missing, has another shape or type, or has its values in other files.
    """
    dataset = _dataset(file, name)
    found = dataset.shape or ()
    if isinstance(shape, int):
        if len(found) != shape or 0 in found:
            raise ValueError(f"{name!r} has shape {found}, not {shape} axes")
        if max(found) > MOST_SIDE:
            raise ValueError(f"{name!r} has shape {found}, more than {MOST_SIDE} per side")
        if math.prod(found) > _MOST_PIXELS:
            raise ValueError(f"{name!r} has shape {found}, more than a scene has pixels")
    elif found != shape:
        raise ValueError(f"{name!r} has shape {found}, not {shape}")
    if dataset.dtype.kind not in kinds:
        wanted = {"u": "bytes (uint8)", "iu": "whole numbers"}.get(kinds, "numbers")
        raise ValueError(f"{name!r} must be {wanted}, got {dataset.dtype}")
    return dataset


def read_bytes(dataset: h5py.Dataset, step: float = 1.0) -> ChartArray:
    """Read an array of bytes, 255 for fill, whatever type a program has rewritten it in.

    Parameters
    ----------
    dataset
        An `array`: bytes, other whole numbers, or floats with NaN for fill. Its attributes
        say how its numbers are packed.
    step
        Difference that one byte makes, in the numbers that the array stands for.

    Raises
    ------
    ValueError
        If a number is not a byte.
    """
    values, attributes = _values(dataset), dataset.attrs
    scale, offset = (
        number(attributes, name, -_MOST_SCALE, _MOST_SCALE) if name in attributes else usual
        for name, usual in (("scale_factor", 1.0), ("add_offset", 0.0))
    )
    if values.dtype == np.int8 and "_Unsigned" in attributes:
        values = values.view(np.uint8)
    if values.dtype == np.uint8 and np.float32(scale) == np.float32(step) and not offset:
        return np.asarray(values)
    is_fill = values == _FILL if values.dtype == np.uint8 else np.isnan(values)
    for name in _FILLS:
        if name in attributes:
            is_fill |= np.isin(values, attribute(attributes, name))
    codes = (np.where(is_fill, 0, values) * scale + offset) / step
    codes = np.clip(np.where(is_fill, _FILL, codes), -1, _FILL + 1)
    whole = np.rint(codes)
    is_wrong = ~((np.abs(codes - whole) < _ROUNDING) & (whole >= 0) & (whole <= _FILL))
    if is_wrong.any():
        name = dataset.name.removeprefix("/")
        raise ValueError(f"{name!r} must be bytes (uint8), got {values[is_wrong][0]}")
    return np.asarray(whole, np.uint8)


def _values(dataset: h5py.Dataset) -> NDArray[Any]:
    """Read an array; planes of bytes by libdeflate, in a third of the time of HDF5."""
    if dataset.dtype != np.uint8 or not is_deflated(dataset):
        return np.asarray(dataset[...])
    values = np.empty(dataset.shape, np.uint8)
    DeflatedPlane(dataset).read(slice(0, len(values)), values)
    return values


def attribute(attributes: Mapping[str, Any], name: str) -> Any:
    """Return an attribute; the item if it is a list of one, as netCDF stores single values.

    Raises
    ------
    ValueError
        If it is missing, neither text nor numbers, or has more values than any attribute of
        our files.
    """
    if name not in attributes:
        raise ValueError(f"attribute {name!r} is missing")
    if isinstance(attributes, h5py.AttributeManager):
        _check_size(attributes, name)
    value = attributes[name]
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value


def text(attributes: Mapping[str, Any], name: str) -> str:
    """Return an attribute that is text: characters, a string, or a list of one string.

    Raises
    ------
    ValueError
        If it is missing, not text in UTF-8, or longer than `MOST_LETTERS`.
    """
    value = attribute(attributes, name)
    if isinstance(value, bytes):
        # netCDF writes a zero byte for an empty text; some programs add one to every text.
        value = value.rstrip(b"\0").decode("utf-8", "surrogateescape")
    if not isinstance(value, str):
        raise ValueError(f"attribute {name!r} must be text, got {shown(value)}")
    if len(value) > MOST_LETTERS:
        raise ValueError(f"attribute {name!r} has {len(value)} letters")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"attribute {name!r} is not text in UTF-8: {shown(value)}")
    return value


def number(
    attributes: Mapping[str, Any], name: str, lowest: float, highest: float
) -> float:
    """Return an attribute that is a number.

    Raises
    ------
    ValueError
        If it is missing, not a number, or out of bounds.
    """
    value = attribute(attributes, name)
    is_real = isinstance(value, int | float | np.integer | np.floating)
    if not is_real or not lowest <= value <= highest:
        raise ValueError(
            f"attribute {name!r} must be from {lowest} to {highest}, got {shown(value)}"
        )
    return float(value)


def whole_numbers(
    attributes: Mapping[str, Any], name: str, lowest: int, highest: int
) -> tuple[int, ...]:
    """Return an attribute that is a list of whole numbers; it may be empty, or one number.

    Raises
    ------
    ValueError
        If it is missing, something else, or a number is out of bounds.
    """
    value = attribute(attributes, name)
    if isinstance(value, h5py.Empty):  # as netCDF stores an empty list
        value = np.empty(0, value.dtype)
    values = np.atleast_1d(value)
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise ValueError(f"attribute {name!r} must be whole numbers, got {shown(values)}")
    if values.size and not lowest <= values.min() <= values.max() <= highest:
        raise ValueError(
            f"attribute {name!r} must be from {lowest} to {highest}, got {shown(values)}"
        )
    return tuple(map(int, values))


def _first_bytes(path: Path) -> bytes:
    """Read the first bytes of a regular file."""
    try:
        with open_file(path) as stream:
            return stream.read(4)
    except DocumentError as error:
        raise MapError(f"{str(path)!r} {str(error).removeprefix('it ')}") from None


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return an array whose values are in this file."""
    link = file.get(name, getlink=True) if name in file.keys() else None  # noqa: SIM118
    if link is None:
        raise ValueError(f"{name!r} is missing")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{name!r} is a link")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name!r} is not an array")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{name!r} has its values in other files")
    for code in missing_filters(dataset):
        reason, hint = without_filter(code)
        raise MapError(f"{file.filename!r}: {name!r} is {reason}", hint=hint)
    # HDF5 allocates memory for a whole chunk, however small the array is.
    if dataset.chunks and math.prod(dataset.chunks) > max(dataset.size, _MOST_CHUNK):
        raise ValueError(f"{name!r} is stored in chunks of {dataset.chunks}")
    return dataset


def _check_size(attributes: h5py.AttributeManager, name: str) -> None:
    """Reject an attribute before it is read: a small file may repeat one long text."""
    stored = attributes.get_id(name)
    n_values = stored.get_space().get_simple_extent_npoints()
    is_number = stored.dtype.kind in "fiu"
    if not is_number and h5py.check_string_dtype(stored.dtype) is None:
        raise ValueError(f"attribute {name!r} is neither text nor numbers")
    if n_values > (_MOST_NUMBERS if is_number else _MOST_TEXTS):
        raise ValueError(f"attribute {name!r} has {n_values} values")


def shown(value: Any) -> str:
    """Return a value for a message: on one line, not too long, without secrets of URLs."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    words = printable(" ".join(without_secrets(str(value)).split()))
    return words if len(words) <= _SHOWN_LETTERS else f"{words[:_SHOWN_LETTERS]}..."


def _reason(error: BaseException) -> str:
    """Return what an error says, on one line."""
    said = error.args[0] if error.args else type(error).__name__  # KeyError adds quotes
    reason = " ".join(str(said).split())
    for start in ("Unable to synchronously open file ", "Can't synchronously read data "):
        if reason.startswith(start):
            reason = reason.removeprefix(start).strip("()")
    return printable(reason)
