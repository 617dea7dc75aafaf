"""The interface between `NetcdfFile` and the libraries that read files.

A reader finds variables and attributes; it opens no other file and allocates nothing large.
`NetcdfFile` and `Variable` check sizes and types before anything is read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np

from seaice_data.arrays import Values


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that has not been read yet."""

    n_values: int
    n_bytes: int

    is_plain: bool
    """Whether it is text or numbers, which are as large as the file declares."""

    read: Callable[[], Any]
    """Return its value."""


class StoredVariable(ABC):
    """A variable as it is stored; attributes aside, nothing has been read yet."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self.is_text = dtype.kind == "S"
        self.rounding = 0.0
        """How far lossy compression may have moved a value."""
        self.n_kept_rows = shape[0] if shape else 1
        """Limit on the rows of a compressed plane to keep inflated. Chunks with more rows
        are inflated several times."""

    @abstractmethod
    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute; None if it is absent."""

    @abstractmethod
    def read(self, index: int | slice | EllipsisType) -> Any:
        """Read a part, along the first axis."""

    def rows(self, rows: slice) -> Values:
        """Read rows; the next call may change them."""
        return np.asarray(self.read(rows))

    def read_rows(self, rows: slice, values: Values) -> None:
        """Read rows into an array, in its type."""
        with np.errstate(over="ignore"):
            values[...] = self.rows(rows)

    def let_go(self) -> None:  # noqa: B027 - most variables keep nothing
        """Release the rows that are kept inflated."""


class Reader(ABC):
    """An open file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    @abstractmethod
    def __contains__(self, name: str) -> bool: ...

    @abstractmethod
    def find(self, name: str) -> StoredVariable | None:
        """Return a variable; None if it is absent.

        Raises
        ------
        SceneError
            If its numbers are in another file, or it takes more memory than it declares.
        """

    @abstractmethod
    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute of the file; None if it is absent."""
