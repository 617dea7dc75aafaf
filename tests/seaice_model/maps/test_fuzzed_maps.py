"""Maps and submission files with odd bytes, attributes and arrays: read, or an error.

``SEAICE_FUZZ=3000 pytest tests/seaice_model/maps/test_fuzzed_maps.py`` tries more of them.
"""

import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support.chart_maps import GRID, chart_map

from seaice_model.errors import MapError
from seaice_model.formats.convert import convert_maps
from seaice_model.formats.submission import Submission
from seaice_model.maps.netcdf import describe, read_netcdf, write_netcdf

N_VARIANTS = int(os.environ.get("SEAICE_FUZZ", "150"))
ODD_VALUES: tuple[Any, ...] = (
    np.inf, np.nan, -1, 2**63 - 1, 1 + 2j, True, "", "x" * 20_000, "\n\x1b[31m", "../../x",
    np.bytes_(b"\xff\xfe"), np.bytes_(b""), np.void(b"abc"), h5py.Empty("f"), [1, 2],
    ["a", "b"], np.zeros((2, 2)), np.array([b"x", b"y"]),
)  # fmt: skip
Change = Callable[[h5py.File, str, tuple[int, ...]], Any]
ARRAYS: tuple[Change, ...] = (
    lambda _file, _name, _shape: None,
    lambda file, name, _: file.create_group(name),
    lambda file, name, _: file.update({name: h5py.SoftLink(f"/{name}")}),
    lambda file, name, _: file.update({name: h5py.ExternalLink("other.nc", "/x")}),
    lambda file, name, shape: file.create_dataset(name, shape, "f8"),
    lambda file, name, shape: file.create_dataset(name, shape, "S5"),
    lambda file, name, shape: file.create_dataset(name, shape, h5py.string_dtype()),
    lambda file, name, shape: file.create_dataset(name, shape, "u1", fillvalue=7),
    lambda file, name, _: file.create_dataset(name, (0, 0), "u1"),
    lambda file, name, _: file.create_dataset(name, (10**5, 10**5), "u1", chunks=(9, 9)),
)


def read_map(path: Path) -> None:
    describe(path)
    read_netcdf(path)


def read_submission(path: Path) -> None:
    with Submission(path) as submission:
        for scene in submission.scenes:
            submission.read(scene, GRID.shape)


def change(path: Path, choose: random.Random) -> None:
    """Change bytes of a file, an attribute, or an array."""
    if choose.random() < 0.4:
        content = bytearray(path.read_bytes())
        for _ in range(choose.randrange(1, 30)):
            content[choose.randrange(len(content))] = choose.randrange(256)
        path.write_bytes(content[: choose.choice([None, choose.randrange(len(content))])])
        return
    with h5py.File(path, "a") as file:
        name = choose.choice([*file])
        if choose.random() < 0.6:
            holder = choose.choice([file, file[name]])
            with suppress(KeyError, OSError, TypeError):  # what HDF5 does not take
                names = [*holder.attrs] or ["scene"]
                holder.attrs[choose.choice(names)] = choose.choice(ODD_VALUES)
            return
        shape = file[name].shape
        del file[name]
        choose.choice(ARRAYS)(file, name, shape)


@pytest.mark.parametrize("kind", ["map", "submission"])
def test_odd_files_are_read_or_refused_with_a_map_error(tmp_path: Path, kind: str) -> None:
    whole = tmp_path / "map.nc"
    write_netcdf(chart_map(), whole)
    if kind == "submission":
        (whole,) = convert_maps(whole, tmp_path / "out", ["submission"]).written
    read = read_map if kind == "map" else read_submission
    choose, n_refused = random.Random(0), 0  # noqa: S311 - no secret
    for _ in range(N_VARIANTS):
        odd = Path(shutil.copy(whole, tmp_path / "odd.nc"))
        change(odd, choose)
        try:
            read(odd)
        except MapError as error:
            n_refused += str(error).isprintable()
    assert N_VARIANTS / 4 < n_refused < N_VARIANTS
    assert {path.name for path in tmp_path.iterdir()} <= {"map.nc", "odd.nc", "out"}
