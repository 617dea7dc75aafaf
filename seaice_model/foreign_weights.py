"""Tensors out of PyTorch checkpoints that pickle more than tensors, with nothing executed.

``torch.load(weights_only=True)`` refuses a file that also pickles a configuration with
functions and classes, as published checkpoints do. Here every name that the pickle asks for
becomes a placeholder that takes any arguments and does nothing; only tensors are built, by
our own code, from the numbers in the file.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from seaice_model.errors import RunError

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def read_tensors(path: Path) -> Mapping[str, Any]:
    """Return what a checkpoint file holds, with placeholders for all but plain data.

    Numbers, text, lists, dicts and tensors come out as they are; instances of other
    classes, and functions, come out as placeholders. No code that the file names is
    imported or called.

    Parameters
    ----------
    path
        A file that ``torch.save`` wrote (PyTorch 1.6 or later).

    Raises
    ------
    RunError
        If there is no such file, it is not one of PyTorch, damaged, or holds no mapping.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            loaded = _Reader.of(archive).load()
    except FileNotFoundError as error:
        raise RunError(f"no weights at {str(path)!r}") from error
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RunError(
            f"cannot read weights from {str(path)!r}: {reason}",
            hint="it must be a checkpoint that PyTorch 1.6 or later wrote with torch.save",
        ) from error
    if not isinstance(loaded, Mapping):
        raise RunError(f"{str(path)!r} holds no named weights")
    return loaded


_DAMAGE = (
    OSError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
    EOFError,
    # What the machine of `pickle` raises when the file drives it into a wall.
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


class _Placeholder:
    """Stands for anything the file names; takes what it is given and does nothing."""

    def __new__(cls, *_args: object, **_kwargs: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __call__(self, *_args: object, **_kwargs: object) -> "_Placeholder":
        return _Placeholder()

    def __setstate__(self, _state: object) -> None:
        pass

    def __setitem__(self, _key: object, _value: object) -> None:
        pass

    def append(self, _item: object) -> None:
        pass

    def extend(self, _items: object) -> None:
        pass

    def add(self, _item: object) -> None:
        pass


class _StorageType:
    """The name of a type of numbers, which only ever says how to read bytes."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Reader(pickle.Unpickler):
    """Reads the pickle of a checkpoint; builds tensors, dicts and nothing else."""

    def __init__(self, archive: zipfile.ZipFile, pickled: str) -> None:
        super().__init__(archive.open(pickled), encoding="utf-8")
        self._archive = archive
        self._folder = pickled.removesuffix("data.pkl")

    @classmethod
    def of(cls, archive: zipfile.ZipFile) -> "_Reader":
        pickled = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if not pickled:
            raise ValueError("there is no data.pkl in it")
        reader = cls(archive, pickled[0])
        order = f"{reader._folder}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")
        return reader

    def find_class(self, module: str, name: str) -> Any:
        """Answer a name in the pickle: never with what the name stands for elsewhere."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if module == "torch" and name in _DTYPES:
            return _StorageType(name)
        return _Placeholder

    def persistent_load(self, pid: Any) -> Tensor:
        """Return numbers that the pickle points to, as a flat tensor."""
        _, kind, key, _location, n_numbers = pid
        if not isinstance(kind, _StorageType):
            raise TypeError("it holds numbers of an unknown type")
        data = bytearray(self._archive.read(f"{self._folder}data/{key}"))
        dtype = _DTYPES[kind.name]
        if len(data) != n_numbers * dtype.itemsize:
            raise ValueError(f"{len(data)} bytes are not {n_numbers} numbers")
        return torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _tensor(
    storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Tensor:
    # `as_strided` refuses what lies outside of the numbers.
    return torch.as_strided(storage, size, stride, offset).clone()


def _parameter(data: Tensor, *_: object) -> Tensor:
    return data
