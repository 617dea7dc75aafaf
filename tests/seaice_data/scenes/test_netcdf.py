"""Rows have the same bytes as with h5py, whatever the layout in the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from seaice_data.errors import SceneError
from seaice_data.scenes.netcdf import NetcdfFile, Variable

HEIGHT, WIDTH = 700, 531
LARGE = (300, 256)  # 300 kB as float32, 77 kB as uint8: does not divide the plane evenly
WINDOWS = [(0, 1), (0, 50), (120, 290), (290, 310), (299, 301), (0, 700), (699, 700)]
WINDOWS += [(10, 20), (250, 650)]


def plane(dtype: str) -> np.ndarray:
    values = np.random.default_rng(0).normal(0, 20, (HEIGHT, WIDTH)).round(2)
    return np.abs(values).astype(dtype) if dtype[-2] == "u" else values.astype(dtype)


LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "chunked": {"chunks": LARGE},
    **{f"gzip {k}": {"chunks": LARGE, "compression": k} for k in range(10)},
    **{
        f"shuffle, gzip {k}": {"chunks": LARGE, "compression": k, "shuffle": True}
        for k in range(1, 10)
    },
    "shuffle alone": {"chunks": LARGE, "shuffle": True},
    "lzf": {"chunks": LARGE, "compression": "lzf", "shuffle": True},
    "fletcher32": {"chunks": LARGE, "compression": 4, "shuffle": True, "fletcher32": True},
    "small chunks": {"chunks": (32, 48), "compression": 4, "shuffle": True},
    "one row a chunk": {"chunks": (1, WIDTH), "compression": 4},
    "one chunk": {"chunks": (HEIGHT, WIDTH), "compression": 4, "shuffle": True},
    "chunk chosen by HDF5": {"compression": 4, "shuffle": True},
    "unlimited": {"chunks": LARGE, "maxshape": (None, None), "compression": 4},
}


def opened(path: Path, n_kept_rows: int) -> Variable:
    variable = NetcdfFile(path).variable("plane")
    variable.keep_rows(n_kept_rows)
    return variable


def check_windows(path: Path) -> None:
    """Compare bands with what h5py reads, also in any order and with little memory."""
    with h5py.File(path) as file:
        expected = file["plane"][:]
    for n_kept_rows in (HEIGHT, 170):
        variable = opened(path, n_kept_rows)
        for start, stop in WINDOWS:
            rows = variable.stored_rows(slice(start, stop))
            assert rows.dtype == expected.dtype
            np.testing.assert_array_equal(rows, expected[start:stop])


LEVELS = [name for name in LAYOUTS if "gzip" in name]
DTYPES = ["<f8", ">f4", "|u1", "<i2", ">u2"]
CASES = [(name, "<f4") for name in LAYOUTS]
CASES += [(name, dtype) for name in (*LEVELS[-2:], "lzf") for dtype in DTYPES]


@pytest.mark.parametrize(("layout", "dtype"), CASES)
def test_bands_equal_those_of_h5py(tmp_path: Path, layout: str, dtype: str) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("plane", data=plane(dtype), **LAYOUTS[layout])
    check_windows(path)


def write_scale_offset(file: h5py.File) -> None:
    file.create_dataset("plane", data=plane("<i4"), chunks=LARGE, scaleoffset=0)


def write_lossy(file: h5py.File) -> None:
    file.create_dataset("plane", data=plane("<f4"), chunks=LARGE, scaleoffset=2)


def write_compact(file: h5py.File) -> None:
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((HEIGHT, 40))
    dataset = h5py.h5d.create(file.id, b"plane", h5py.h5t.NATIVE_INT16, space, created)
    dataset.write(space, space, np.ascontiguousarray(plane("<i2")[:, :40]))


def write_unwritten(file: h5py.File) -> None:
    options = {**LAYOUTS["shuffle, gzip 4"], "fillvalue": -7.5}
    dataset = file.create_dataset("plane", (HEIGHT, WIDTH), "<f4", **options)
    dataset[310:420, 260:400] = plane("<f4")[310:420, 260:400]


def write_never(file: h5py.File) -> None:
    file.create_dataset("plane", (HEIGHT, WIDTH), "<f4", fillvalue=3)


def write_unfiltered_chunk(file: h5py.File) -> None:
    """Store one chunk without its filters, as writers may do if filters do not help."""
    dataset = file.create_dataset("plane", data=plane("<f4"), **LAYOUTS["shuffle, gzip 4"])
    raw = np.full(LARGE, 4.25, "<f4").tobytes()
    dataset.id.write_direct_chunk((300, 256), raw, filter_mask=3)
    # Without only the shuffle.
    dataset.id.write_direct_chunk((0, 256), __import__("zlib").compress(raw), filter_mask=1)


def write_enumeration(file: h5py.File) -> None:
    kind = h5py.enum_dtype({"ice": 1, "water": 2}, basetype="i4")
    values = (plane("<i4") % 2 + 1).astype(kind)
    file.create_dataset("plane", data=values, dtype=kind, **LAYOUTS["shuffle, gzip 4"])


@pytest.mark.parametrize(
    "write",
    [
        write_scale_offset,
        write_lossy,
        write_compact,
        write_unwritten,
        write_never,
        write_unfiltered_chunk,
        write_enumeration,
    ],
    ids=lambda write: write.__name__,
)
def test_rare_layouts_are_left_to_hdf5(
    tmp_path: Path, write: Callable[[h5py.File], None]
) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w") as file:
        write(file)
    check_windows(path)


@pytest.mark.parametrize("layout", ["contiguous", "shuffle, gzip 4"])
def test_a_file_with_a_user_block_is_read(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("plane", data=plane("<f4"), **LAYOUTS[layout])
    check_windows(path)
    values = np.empty((50, WIDTH), np.float32)
    opened(path, HEIGHT).read_rows(slice(120, 170), values)
    np.testing.assert_array_equal(values, plane("<f4")[120:170])


def other_file(file: h5py.File) -> str:
    """Write a file of the same layout with other numbers; return its path."""
    path = Path(file.filename).with_name("other.nc")
    with h5py.File(path, "w") as other:
        other["plane"] = plane("<f4") + 1
        other["texts"] = np.array(["private"], object)
        other["back"] = h5py.ExternalLink(file.filename, "inside")
    return str(path)


def link_out(file: h5py.File) -> None:
    for name in ("plane", "texts"):
        file[name] = h5py.ExternalLink(other_file(file), name)


def link_to_link_out(file: h5py.File) -> None:
    file["out"] = h5py.ExternalLink(other_file(file), "plane")
    file["plane"] = h5py.SoftLink("/more/plane")
    file.create_group("more")["plane"] = h5py.SoftLink("/out")
    file["texts"] = h5py.SoftLink("plane")


def link_into_group_outside(file: h5py.File) -> None:
    file["group"] = h5py.ExternalLink(other_file(file), "/")
    for name in ("plane", "texts"):
        file[name] = h5py.SoftLink(f"./group//{name}")


def link_out_and_back(file: h5py.File) -> None:
    file["inside"] = plane("<f4")
    file["plane"] = h5py.ExternalLink(other_file(file), "back")
    file["texts"] = h5py.SoftLink("plane")


def keep_outside(file: h5py.File) -> None:
    other = [(other_file(file), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("plane", (HEIGHT, WIDTH), "<f4", external=other)
    file.create_dataset("texts", (4,), "S8", external=other)


def be_virtual(file: h5py.File) -> None:
    other = other_file(file)
    layout = h5py.VirtualLayout((HEIGHT, WIDTH), "<f4")
    layout[...] = h5py.VirtualSource(other, "plane", (HEIGHT, WIDTH))
    file.create_virtual_dataset("plane", layout)
    texts = h5py.VirtualLayout((1,), h5py.string_dtype())
    texts[...] = h5py.VirtualSource(other, "texts", (1,))
    file.create_virtual_dataset("texts", texts)


OUTSIDE: dict[Callable[[h5py.File], None], str] = {
    link_out: "an external link",
    link_to_link_out: "an external link",
    link_into_group_outside: "an external link",
    link_out_and_back: "an external link",
    keep_outside: "a dataset in external storage",
    be_virtual: "a virtual dataset",
}


@pytest.mark.parametrize("change", OUTSIDE, ids=lambda change: change.__name__)
def test_numbers_in_other_files_are_refused(
    tmp_path: Path, change: Callable[[h5py.File], None]
) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w") as file:
        change(file)
    opened_file = NetcdfFile(path)
    match = rf"plane\.nc': variable '\w+' is {OUTSIDE[change]}"
    with pytest.raises(SceneError, match=match):
        opened_file.variable("plane")
    with pytest.raises(SceneError, match=match):
        opened_file.strings("texts")


def test_links_within_a_file_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with h5py.File(path, "w") as file:
        file.create_group("more/here")["numbers"] = plane("<f4")
        file["more/up"] = h5py.SoftLink("here/./numbers")
        file["plane"] = h5py.SoftLink("/more/up")
        file["texts"] = h5py.SoftLink("texts")
    check_windows(path)
    with pytest.raises(SceneError, match="variable 'texts' is missing"):
        NetcdfFile(path).strings("texts")


def test_each_chunk_is_inflated_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("plane", data=plane("<f4"), **LAYOUTS["shuffle, gzip 4"])
    inflated: list[int] = []
    inflate = __import__("deflate").zlib_decompress

    def counted(packed: bytes, size: int) -> bytearray:
        inflated.append(size)
        result: bytearray = inflate(packed, size)
        return result

    monkeypatch.setattr("deflate.zlib_decompress", counted)
    variable = opened(path, HEIGHT)
    for start in range(0, HEIGHT, 50):
        variable.rows(slice(start, start + 50))
    assert inflated == [4 * LARGE[0] * LARGE[1]] * 9


def test_a_damaged_chunk_is_refused_with_its_variable(tmp_path: Path) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("plane", data=plane("<f4"), **LAYOUTS["shuffle, gzip 4"])
        offset = file["plane"].id.get_chunk_info(4).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 1000 : offset + 1100] = bytes(100)
    path.write_bytes(content)
    variable = opened(path, HEIGHT)
    variable.rows(slice(0, 300))
    with pytest.raises(SceneError, match=r"plane\.nc': cannot read 'plane'"):
        variable.rows(slice(300, 350))


def test_packing_is_undone(tmp_path: Path) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w") as file:
        file["plane"] = np.array([[0, 10], [20, -1]], np.int16)
        file["plane"].attrs.update({"scale_factor": 0.5, "add_offset": 1.0})
        file["plane"].attrs["_FillValue"] = np.array([-1], np.int16)
    rows = opened(path, 2).rows(slice(0, 2))
    np.testing.assert_array_equal(rows, [[1, 6], [11, np.nan]])


@pytest.mark.parametrize("value", ["half", [1.0, 2.0], h5py.Empty("f4")])
def test_packing_that_is_not_a_number_is_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w") as file:
        file["plane"] = np.zeros((2, 2))
        file["plane"].attrs["scale_factor"] = value
    with pytest.raises(SceneError, match=r"attribute 'scale_factor' of 'plane' is"):
        opened(path, 2)
