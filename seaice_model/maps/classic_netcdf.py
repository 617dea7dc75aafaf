"""netCDF-3, 64-bit offset and CDF-5 files, read as if they were netCDF-4."""

from io import BytesIO
from pathlib import Path
from typing import Any

import h5py

from seaice_data.errors import SceneError
from seaice_data.scenes.classic import ClassicReader, ClassicVariable
from seaice_model.errors import MapError


class ClassicFile(h5py.File):  # type: ignore[misc]
    """An HDF5 file in memory with the content of a file of a classic format.

    The values of a variable are read when it is first looked up.

    Raises
    ------
    MapError
        If the file is truncated.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._reader = ClassicReader(path)
        except SceneError as error:
            raise MapError(str(error), hint=error.hint) from None
        self._unread: dict[str, ClassicVariable] = {}
        super().__init__(BytesIO(), "w")
        self.attrs.update(self._reader.attributes())
        for name in self._reader.names:
            if found := self._reader.find(name):
                self._unread[name] = found
                # Takes no memory before it is written.
                made = self.create_dataset(name, found.shape, found.dtype.newbyteorder("="))
                made.attrs.update(found.attributes())

    def close(self) -> None:
        """Close both files."""
        self._reader.close()
        super().close()

    def __getitem__(self, name: Any) -> Any:
        """Return a variable with its values."""
        found = super().__getitem__(name)
        if variable := self._unread.pop(name, None):
            found[...] = variable.read(...)
        return found
