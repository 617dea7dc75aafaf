"""Filters of HDF5: which ones a variable needs, and where missing ones come from."""

import os
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import h5py

_NAMES = {
    307: "bzip2",
    32001: "Blosc",
    32004: "LZ4",
    32008: "Bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32017: "SZ",
    32024: "SZ3",
    32026: "Blosc2",
    32028: "SPERR",
}
"""Filters that the package hdf5plugin adds to HDF5, by their registered number."""


def missing_filters(dataset: h5py.Dataset) -> list[int]:
    """Return the filters of a variable that HDF5 does not have here, by number.

    Those that are missing are looked for in the package hdf5plugin, if it is installed, and
    in netCDF4.
    """
    created = dataset.id.get_create_plist()
    codes = [created.get_filter(k)[0] for k in range(created.get_nfilters())]
    for add in (_add_hdf5plugin, _add_netcdf4):
        if all(map(h5py.h5z.filter_avail, codes)):
            break
        add()
    return [code for code in codes if not h5py.h5z.filter_avail(code)]


def _add_hdf5plugin() -> None:
    with suppress(ImportError):
        import_module("hdf5plugin")


@cache  # each call would make the path of HDF5 longer
def _add_netcdf4() -> None:
    found = find_spec("netCDF4")
    if found is not None and found.origin is not None:
        plugins = Path(found.origin).with_name("plugins")
        if plugins.is_dir():
            h5py.h5pl.append(os.fsencode(plugins))


def without_filter(code: int) -> tuple[str, str]:
    """Return the message and the hint for a filter that HDF5 does not have here."""
    if code in _NAMES and find_spec("hdf5plugin") is None:
        hint = "`pip install hdf5plugin` adds this filter"
    else:
        hint = "repack the file where this filter is installed: `h5repack -f GZIP=1`"
    name = f" ({_NAMES[code]})" if code in _NAMES else ""
    return f"packed with HDF5 filter {code}{name}, which is not installed", hint
