"""Look up whole planes of bytes in tables of 256 entries, at the speed of memory.

``table[plane]`` gives the same and is four times slower: numpy turns each byte into an
index of 64 bits.
"""

import numpy as np

from seaice_data.arrays import ChartArray, Mask
from seaice_data.system.compiled import compiled


def translated(plane: ChartArray, table: ChartArray) -> ChartArray:
    """Return the entry of each byte, shape of `plane`.

    Parameters
    ----------
    plane
        Bytes, of any shape.
    table
        256 bytes.

    Examples
    --------
    >>> doubled = np.arange(0, 512, 2).astype(np.uint8)
    >>> translated(np.array([[3, 200]], np.uint8), doubled)
    array([[  6, 144]], dtype=uint8)
    """
    _check(plane, table)
    found = np.empty(plane.shape, np.uint8)
    _translate(np.ascontiguousarray(plane).reshape(-1), table, found.reshape(-1))
    return found


def first_of(plane: ChartArray, is_wanted: Mask) -> int | None:
    """Return the first byte that is wanted; None if there is none.

    Parameters
    ----------
    plane
        Bytes, of any shape.
    is_wanted
        Whether each of the 256 bytes is wanted.

    Examples
    --------
    >>> first_of(np.array([3, 9, 7], np.uint8), np.arange(256) > 6)
    9
    """
    _check(plane, is_wanted)
    place = _find_first(np.ascontiguousarray(plane).reshape(-1), is_wanted)
    return None if place < 0 else int(plane.flat[place])


def _check(plane: ChartArray, table: ChartArray | Mask) -> None:
    """Reject what is not bytes, or lacks some: compiled loops check no bounds."""
    if plane.dtype != np.uint8:
        raise TypeError(f"a plane of bytes has type uint8, got {plane.dtype}")
    if table.shape != (256,):
        raise ValueError(f"a table of bytes has 256 entries, got shape {table.shape}")


@compiled
def _translate(plane: ChartArray, table: ChartArray, found: ChartArray) -> None:
    for k in range(len(plane)):
        found[k] = table[plane[k]]


@compiled
def _find_first(plane: ChartArray, is_wanted: Mask) -> int:
    for k in range(len(plane)):
        if is_wanted[plane[k]]:
            return k
    return -1
