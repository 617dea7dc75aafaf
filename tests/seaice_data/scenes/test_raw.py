"""Raw files are read alike, whatever the type and byte order of their planes."""

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from seaice_data.scenes.files import open_scene
from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.scene import write_scene

SAR = ("nersc_sar_primary", "nersc_sar_secondary")
POLYGONS = "polygon_icechart"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("raw"), plan_scenes(1, 100, 0)[0], "raw")[0]


def rewritten(raw: Path, folder: Path, dtype: str, *names: str) -> Path:
    """Copy a file with whole numbers in some of its planes, in another type."""
    path = folder / raw.name
    shutil.copy(raw, path)
    with h5py.File(path, "r+") as file:
        for name in names:
            values = np.nan_to_num(file[name][...], nan=float(np.nanmin(file[name])))
            del file[name]
            file[name] = values.round().astype(dtype)
    return path


def read(path: Path) -> tuple[Any, Any, Any]:
    with open_scene(path) as scene:
        charts = np.empty((3, *scene.grid.shape), np.uint8)
        band = scene.read_band(slice(0, scene.grid.height), charts)
    return band.planes, charts, band.polygon_ids


@pytest.mark.parametrize(
    ("names", "dtypes"),
    [
        (SAR, (">f4", ">f8", "<f2", ">i2", "<i4", "longdouble")),
        (("distance_map",), (">f4", "<f2", "u1", ">i2", "<u8")),
        ((POLYGONS,), (">f4", "<f2", "u1", ">i2", "<u8", "longdouble")),
    ],
)
def test_types_and_byte_orders_do_not_matter(
    raw: Path, tmp_path: Path, names: tuple[str, ...], dtypes: tuple[str, ...]
) -> None:
    expected = read(rewritten(raw, tmp_path, "<f8", *names))
    assert np.unique(expected[1]).size > 2
    for dtype in dtypes:
        found = read(rewritten(raw, tmp_path, dtype, *names))
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=dtype)


def test_means_of_whole_numbers_do_not_wrap_around(raw: Path, tmp_path: Path) -> None:
    path = rewritten(raw, tmp_path, "u1", "distance_map")
    with h5py.File(path, "r+") as file:
        file["distance_map"][...] = 200
    as_bytes = read(path)[0][3]
    with h5py.File(path, "r+") as file:
        del file["distance_map"]
        file["distance_map"] = np.full(file[SAR[0]].shape, 200.0)
    np.testing.assert_array_equal(as_bytes, read(path)[0][3])
