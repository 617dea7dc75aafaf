"""What was read from scenes, kept up to a limit of memory."""

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from seaice_data.store.stored_scene import StoredScene


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Key = TypeVar("Key")
Value = TypeVar("Value", bound=_Sized)


class SceneCache(Generic[Key, Value]):
    """Values read from scenes; the least recently used ones are dropped first.

    Threads may share it. Nothing that was read is passed to another process: workers may be
    forked or spawned.

    Parameters
    ----------
    scenes
        The scenes.
    kept_bytes
        Limit on the memory for what was read.
    """

    def __init__(self, scenes: Sequence[StoredScene], kept_bytes: int) -> None:
        self._scenes = tuple(scenes)
        self._kept_bytes = kept_bytes
        self._forget()

    def __getstate__(self) -> tuple[tuple[StoredScene, ...], int]:
        return self._scenes, self._kept_bytes

    def __setstate__(self, state: tuple[tuple[StoredScene, ...], int]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    @property
    def n_kept_bytes(self) -> int:
        """Bytes of what is kept now."""
        return sum(value.nbytes for value in self._values.values())

    def _forget(self) -> None:
        """Start again with nothing open and nothing kept."""
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._process = os.getpid()  # last: another thread may then use the rest

    def _forget_parent(self) -> None:
        """Start again in a fork: locks and open files are those of its parent."""
        if self._process != os.getpid():
            self._forget()

    def _kept(self, keys: Sequence[Key]) -> dict[Key, Value]:
        """Return the values that are kept, and note that they were used."""
        with self._lock:
            found = {key: self._values[key] for key in keys if key in self._values}
            for key in found:
                self._values.move_to_end(key)
        return found

    def _keep(self, values: Mapping[Key, Value]) -> None:
        """Keep values, and drop the least recently used ones."""
        with self._lock:
            self._values.update(values)
            n_bytes = self.n_kept_bytes
            while n_bytes > self._kept_bytes:
                n_bytes -= self._values.popitem(last=False)[1].nbytes
