"""Write a netCDF file again as other programs do."""

from pathlib import Path
from typing import Any, Literal

import netCDF4
import numpy as np

Model = Literal[
    "NETCDF4",
    "NETCDF4_CLASSIC",
    "NETCDF3_CLASSIC",
    "NETCDF3_64BIT_OFFSET",
    "NETCDF3_64BIT_DATA",
]


def rewrite(source: Path, target: Path, model: Model, *, strings: bool = False) -> None:
    """Copy a file as NCO, CDO and nccopy do: the same content in what the format offers.

    Variables and attributes come in reverse order, bytes become shorts where the format has
    only signed ones, and the history becomes longer. `strings` says whether texts are
    strings or characters.
    """
    with netCDF4.Dataset(source) as old, netCDF4.Dataset(target, "w", format=model) as new:
        old.set_auto_maskandscale(False)
        has_bytes = model in ("NETCDF4", "NETCDF3_64BIT_DATA")
        for name, dimension in old.dimensions.items():
            new.createDimension(name, None if name == "y" else len(dimension))
        _copy_attributes(old, new, has_bytes=has_bytes, strings=strings)
        for name in reversed(old.variables):
            variable = old[name]
            fill = getattr(variable, "_FillValue", None)
            values = np.asarray(variable[...])
            copied = new.createVariable(
                name,
                _fitting(values, has_bytes=has_bytes).dtype,
                variable.dimensions,
                fill_value=False if fill is None else fill,
            )
            copied.set_auto_maskandscale(False)
            _copy_attributes(variable, copied, has_bytes=has_bytes, strings=strings)
            copied[...] = _fitting(values, has_bytes=has_bytes)
        old_history = getattr(old, "history", "")
        history = f"Mon Nov 30 2026: ncks map.nc again.nc\n{old_history}"
        new.setncattr("history", np.bytes_(history.encode()))


def _copy_attributes(old: Any, new: Any, *, has_bytes: bool, strings: bool) -> None:
    for name in reversed(old.ncattrs()):
        value = old.getncattr(name)
        if name == "_FillValue":
            continue
        if not isinstance(value, str):
            new.setncattr(name, _fitting(np.asarray(value), has_bytes=has_bytes))
        elif strings:
            new.setncattr_string(name, value)
        else:
            new.setncattr(name, np.bytes_(value.encode()))


def _fitting(values: Any, *, has_bytes: bool) -> Any:
    """Return numbers in a type that the format has."""
    if has_bytes:
        return values
    return values.astype({"u1": "i2", "i8": "i4"}.get(values.dtype.str[1:], values.dtype))
