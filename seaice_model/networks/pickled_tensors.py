"""Tensors of PyTorch checkpoints that pickle more than tensors, read without running code.

Every name that the pickle asks for becomes a placeholder that takes any arguments and does
nothing. Only tensors are built, by our own code, from the numbers in the file, and their
size is at most a small multiple of that of the file.

``torch.load(weights_only=True)`` does not replace this, even with a placeholder for each
name in ``safe_globals``: it fills plain dicts only, not the mappings that published
configurations pickle, and a few bytes can make it allocate gigabytes (a ``bytearray`` of
any length, compressed parts).
"""

import io
import os
import pickle
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from seaice_data.system.documents import MOST_BYTES, DocumentError, open_file
from seaice_model.errors import RunError

_MOST_SHARED = 4
"""Largest size of all tensors, in sizes of the file; tensors may share numbers."""

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
    """Return the content of a checkpoint file, with placeholders for all but plain data.

    Numbers, text, lists, dicts and tensors are returned as they are; functions, and
    instances of other classes, as placeholders. No code that the file names is imported or
    called.

    Parameters
    ----------
    path
        A file that ``torch.save`` wrote (PyTorch 1.6 or later).

    Raises
    ------
    RunError
        If there is no such file, or it cannot be read, was not written by PyTorch, is
        damaged, or does not contain a mapping.
    """
    with (
        _weights_errors(path),
        open_file(path) as stream,
        zipfile.ZipFile(stream) as archive,
    ):
        n_bytes = os.fstat(stream.fileno()).st_size
        loaded = _Reader.of(archive, n_bytes).load()
    if not isinstance(loaded, dict):
        raise RunError(f"{str(path)!r} has no named weights")
    return loaded


_DAMAGE = (
    DocumentError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
    EOFError,
    # What `pickle` raises when a file asks for the impossible.
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def _weights_errors(path: Path) -> Iterator[None]:
    """Translate whatever is wrong with a file of weights into a `RunError`."""
    try:
        yield
    except FileNotFoundError:
        raise RunError(f"no weights at {str(path)!r}") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot read weights from {str(path)!r}: {reason}") from None
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RunError(
            f"cannot read weights from {str(path)!r}: {reason}",
            hint="it must be a checkpoint that PyTorch 1.6 or later wrote with torch.save",
        ) from None


class _Placeholder:
    """Replaces anything that the file names; takes any arguments and does nothing."""

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
    """The name of a number type, used only to read bytes."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Table(dict[Any, Any]):
    """An ordered dict of the file, whose attributes the file cannot set."""

    __slots__ = ()

    def __setstate__(self, _state: object) -> None:
        pass


class _Reader(pickle.Unpickler):
    """Reads the pickle of a checkpoint; builds only tensors and dicts."""

    def __init__(
        self, archive: zipfile.ZipFile, folder: str, pickled: bytes, n_bytes: int
    ) -> None:
        super().__init__(io.BytesIO(pickled), encoding="utf-8")
        self._archive, self._folder = archive, folder
        self._numbers: dict[str, Tensor] = {}
        self._n_left = _MOST_SHARED * n_bytes

    @classmethod
    def of(cls, archive: zipfile.ZipFile, n_bytes: int) -> "_Reader":
        """Return the reader of an archive of `n_bytes` that PyTorch wrote."""
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ValueError("its parts are compressed, which torch.save does not do")
        names = archive.namelist()
        name = next((name for name in names if name.endswith("data.pkl")), None)
        if name is None:
            raise ValueError("it has no data.pkl")
        folder = name.removesuffix("data.pkl")
        if (
            f"{folder}byteorder" in names
            and archive.read(f"{folder}byteorder") != b"little"
        ):
            raise ValueError("its numbers are big-endian")
        if archive.getinfo(name).file_size > MOST_BYTES:
            raise ValueError(f"its data.pkl is longer than {MOST_BYTES // 2**20} MiB")
        pickled = archive.read(name)
        _check_places(pickled)
        return cls(archive, folder, pickled, n_bytes)

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a name in the pickle, never to the object of that name."""
        if (module, name) == ("collections", "OrderedDict"):
            return _Table
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if module == "torch" and name in _DTYPES:
            return _StorageType(name)
        return _Placeholder

    def persistent_load(self, pid: Any) -> Tensor:
        """Return the numbers that the pickle refers to, as a flat tensor."""
        _, kind, key, _location, n_numbers = pid
        if not isinstance(kind, _StorageType):
            raise TypeError("its numbers are of an unknown type")
        if key not in self._numbers:
            self._numbers[key] = self._read(kind, key, n_numbers)
        return self._numbers[key]

    def _read(self, kind: _StorageType, key: str, n_numbers: int) -> Tensor:
        data = bytearray(self._archive.read(f"{self._folder}data/{key}"))
        dtype = _DTYPES[kind.name]
        if len(data) != n_numbers * dtype.itemsize:
            raise ValueError(f"{len(data)} bytes are not {n_numbers} numbers")
        return torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)

    def _tensor(
        self,
        numbers: Tensor,
        offset: int,
        size: tuple[int, ...],
        stride: tuple[int, ...],
        *_: object,
    ) -> Tensor:
        # `as_strided` rejects views beyond the numbers.
        view = torch.as_strided(numbers, size, stride, offset)
        self._n_left -= view.numel() * view.element_size()
        if self._n_left < 0:
            raise ValueError("its tensors are much larger than the file")
        return view.clone()


def _check_places(pickled: bytes) -> None:
    """Reject memo numbers beyond what the pickle can contain: they would use up memory."""
    for opcode, place, _ in pickletools.genops(pickled):
        if "PUT" in opcode.name and int(place or 0) > len(pickled):
            raise ValueError(f"its data.pkl is too short for {place} objects")


def _parameter(data: Tensor, *_: object) -> Tensor:
    return data
