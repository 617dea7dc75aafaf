"""Broken files of every kind are either stored whole or reported in one line."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from seaice_data.preparation.prepare import prepare
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.scene import write_scene

Change = Callable[[h5py.File], object]
Files = dict[str, tuple[Path, ...]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Write a ready scene, a test scene with its reference file, and a raw scene."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "packed").mkdir()
    plans = plan_scenes(12, 200, 0)
    ready = next(plan for plan in plans if not plan.is_test)
    test = next(plan for plan in plans if plan.is_test)
    return {
        "ready": tuple(write_scene(folder, ready, "ready")),
        "test": tuple(write_scene(folder, test, "ready")),
        "raw": tuple(write_scene(folder, ready, "raw")),
        "packed": (packed_copy(write_scene(folder / "packed", ready, "ready")[0]),),
    }


def packed_copy(path: Path) -> Path:
    """Deflate the planes of a scene in place."""
    with h5py.File(path, "a") as file:
        for name in [n for n, v in file.items() if v.ndim == 2 and v.shape[0] > 100]:
            values, attributes = file[name][...], dict(file[name].attrs)
            del file[name]
            packed = file.create_dataset(
                name, data=values, chunks=values.shape, compression=4, shuffle=True
            )
            plain = {
                k: v for k, v in attributes.items() if k.isidentifier() and k[0] != "_"
            }
            plain = {k: v for k, v in plain.items() if k not in ("DIMENSION_LIST", "CLASS")}
            packed.attrs.update(plain)
    return path


def check(folder: Path, path: Path) -> str | None:
    """Prepare a file; return why it is left out, or None if it is in the store, whole."""
    report = prepare(path, str(folder / "store.zarr"), Recipe(ratio=10))
    if report.failed:
        assert not (folder / "store.zarr").exists()
        (failure,) = report.failed
        assert report.written == ()
        assert path.name in failure.reason
        assert "\n" not in failure.reason
        assert "Traceback" not in failure.reason
        return failure.reason
    store = Store.open(str(folder / "store.zarr"))
    assert store.scenes == report.written
    assert not (folder / "store.zarr" / ".staging").exists()
    (scene_id,) = report.written
    scene = store.scene(scene_id)
    assert scene.inputs.shape == (*scene.grid.shape, len(store.channels))
    assert not np.isinf(scene.inputs).any()
    assert np.isfinite(scene.inputs[..., 0]).any()
    assert scene.full_charts().shape == (3, *scene.source_grid.shape)
    assert scene.full_flags().shape == scene.source_grid.shape
    return None


def copy(folder: Path, files: tuple[Path, ...]) -> Path:
    for file in files:
        shutil.copy(file, folder)
    return folder / files[0].name


def put(name: str, values: Any) -> Change:
    """Replace a variable."""

    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return change


def edit(name: str, function: Callable[[np.ndarray], Any]) -> Change:
    """Replace a variable by what `function` makes of it."""
    return lambda file: put(name, function(file[name][...]))(file)


def one(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """Put a value into the middle of a variable."""

    def function(values: np.ndarray) -> np.ndarray:
        values[tuple(n // 2 for n in values.shape)] = value
        return values

    return function


def attribute(name: str | None, key: str, value: Any) -> Change:
    def change(file: h5py.File) -> None:
        (file[name] if name else file).attrs[key] = value

    return change


def delete(name: str) -> Change:
    return lambda file: file.__delitem__(name)


def group(name: str) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_group(name)

    return change


def unlimited(name: str) -> Change:
    def change(file: h5py.File) -> None:
        values = file[name][...]
        del file[name]
        file.create_dataset(name, data=values, maxshape=(None,) * values.ndim)

    return change


def dangling(name: str) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = h5py.SoftLink("/nowhere")

    return change


SHAPES: dict[str, Callable[[np.ndarray], Any]] = {
    "transposed": lambda v: v.T[:-1],
    "cut": lambda v: v[..., :-3],
    "flat": np.ravel,
    "deep": lambda v: v[np.newaxis],
    "scalar": lambda v: v.flat[0],
    "empty": lambda v: v[:0],
    "one pixel": lambda v: v.reshape(-1)[:1].reshape((1,) * v.ndim),
}
TYPES: dict[str, Callable[[np.ndarray], Any]] = {
    "bytes": lambda v: np.full(v.shape, b"x"),
    "text": lambda v: np.full(v.shape, "x", object),
    "compound": lambda v: np.zeros(v.shape, [("a", "f4"), ("b", "i4")]),
    "complex": lambda v: v.astype(complex),
    "bool": lambda v: v > 0,
    "void": lambda v: np.zeros(v.shape, "V4"),
    "array": lambda v: np.zeros(v.shape, [("a", "f4", (2,))]),
}
KEPT_TYPES: dict[str, Callable[[np.ndarray], Any]] = {
    "int16": lambda v: np.nan_to_num(v).astype(np.int16),
    "float64": lambda v: v.astype(np.float64),
    "float16": lambda v: v.astype(np.float16),
    "big endian": lambda v: v.astype(v.dtype.newbyteorder(">")),
}
READY = ["SIC", "nersc_sar_primary", "sar_incidenceangle", "distance_map", "btemp_89_0v"]
READY += ["t2m", "sar_grid2d_latitude"]
RAW = ["nersc_sar_secondary", "polygon_icechart", "btemp_6_9h", "sar_grid_line"]
RAW += ["sar_grid_latitude", "sar_grid_incidenceangle"]
HEADER = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
ROW = "{};92;30;95;05;70;93;08;-9;-9;-9;-9;-9;08-9;I"


def changes_of_variables(names: list[str]) -> Iterator[tuple[str, Change]]:
    for name in names:
        for title, function in (*SHAPES.items(), *TYPES.items()):
            yield f"{title} {name}", edit(name, function)
        yield f"no {name}", delete(name)
        yield f"group {name}", group(name)
        yield f"dangling {name}", dangling(name)


def table(*rows: str) -> Change:
    return put("polygon_codes", np.array(rows, dtype=object))


REFUSED_READY = dict(changes_of_variables(READY))
for missing in ("SIC", "sar_grid2d_latitude"):  # then it is a test scene, or none
    REFUSED_READY.pop(f"no {missing}")
    REFUSED_READY.pop(f"dangling {missing}")
REFUSED_READY |= {
    "inf in HH": edit("nersc_sar_primary", one(np.inf)),
    "minus inf in HV": edit("nersc_sar_secondary", one(-np.inf)),
    "both inf": edit("sar_incidenceangle", lambda v: one(np.inf)(np.full_like(v, -np.inf))),
    "huge HH": edit("nersc_sar_primary", one(1e30)),
    "beyond float32": edit("nersc_sar_primary", lambda v: one(1e300)(v.astype(float))),
    "beyond float16": edit("t2m", one(1e6)),
    "inf in a cell": edit("btemp_18_7h", one(np.inf)),
    "cell beyond float32": edit("u10m_rotated", lambda v: one(1e300)(v.astype(float))),
    "inf in the distance": edit("distance_map", one(np.inf)),
    "class 42": edit("SOD", one(42)),
    "class 254": edit("FLOE", one(254)),
    "class -1": edit("SIC", lambda v: one(-1)(v.astype(np.int16))),
    "class 1.5": edit("SIC", lambda v: one(1.5)(v.astype(np.float32))),
    "class inf": edit("SIC", lambda v: one(np.inf)(v.astype(np.float32))),
    "latitude 1e9": edit("sar_grid2d_latitude", one(1e9)),
    "latitude NaN": edit("sar_grid2d_latitude", one(np.nan)),
    "longitude inf": edit("sar_grid2d_longitude", one(np.inf)),
    "longitude 400": edit("sar_grid2d_longitude", one(400)),
    "fill is a text": attribute("nersc_sar_primary", "variable_fill_value", "zero"),
    "fill is two numbers": attribute("nersc_sar_primary", "variable_fill_value", [0, 1]),
    "scale is a text": attribute("t2m", "scale_factor", "one"),
    "fill is empty": attribute("SIC", "_FillValue", h5py.Empty("f4")),
    "offset is infinite": attribute("t2m", "add_offset", np.inf),
    "no such month": attribute(None, "scene_id", "20191399T101830_cis_prep.nc"),
    "all SAR fill": lambda file: [
        edit(name, np.zeros_like)(file)
        for name in ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle")
    ],
    "all SAR NaN": lambda file: [
        edit(name, lambda v: np.full_like(v, np.nan))(file)
        for name in ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle")
    ],
    "huge dimensions": lambda file: (
        file.__delitem__("nersc_sar_primary"),
        file.create_dataset("nersc_sar_primary", (2**30, 2**30), "f4", chunks=(64, 64)),
    ),
}
REFUSED_RAW = dict(changes_of_variables(RAW))
for name in RAW[3:]:  # these are flat
    REFUSED_RAW.pop(f"flat {name}")
for missing in ("polygon_icechart", "sar_grid_latitude"):
    REFUSED_RAW.pop(f"no {missing}")
    REFUSED_RAW.pop(f"dangling {missing}")
REFUSED_RAW |= {
    "inf in HH": edit("nersc_sar_primary", one(np.inf)),
    "minus inf in HV": edit("nersc_sar_secondary", one(-np.inf)),
    "beyond float16": edit("nersc_sar_primary", one(1e9)),
    "all SAR NaN": edit("nersc_sar_primary", lambda v: np.full_like(v, np.nan)),
    "temperature 1e300": edit("t2m", one(1e300)),
    "line NaN": edit("sar_grid_line", one(np.nan)),
    "lines go back": edit("sar_grid_line", lambda v: v[::-1]),
    "samples equal": edit("sar_grid_sample", np.zeros_like),
    "440 points": edit("sar_grid_longitude", lambda v: v[:-1]),
    "other points": edit("sar_grid_longitude", lambda v: v[:400]),
    "angle 200": edit("sar_grid_incidenceangle", one(200)),
    "angle NaN": edit("sar_grid_incidenceangle", one(np.nan)),
    "latitude 1e9": edit("sar_grid_latitude", one(1e9)),
    "unknown polygon": edit("polygon_icechart", one(12345)),
    "polygon and a half": edit("polygon_icechart", one(1.5)),
    "negative polygon": edit("polygon_icechart", one(-3)),
    "infinite polygon": edit("polygon_icechart", one(np.inf)),
    "no table": table(""),
    "header alone": table(HEADER),
    "no header": table(ROW.format(1)),
    "short row": table(HEADER, "1;92;30"),
    "long row": table(HEADER, ROW.format(1) + ";9;9"),
    "letters": table(HEADER, ROW.format(1).replace("92", "ice")),
    "twice": table(HEADER, ROW.format(1), ROW.format(1)),
    "huge id": table(HEADER, ROW.format(10**15)),
    "huger id": table(HEADER, ROW.format(10**30)),
    "huge code": table(HEADER, ROW.format(1).replace("92", "9" * 40)),
    "negative id": table(HEADER, ROW.format(-1)),
    "numbers for codes": put("polygon_codes", np.arange(4)),
    "plane of codes": put("polygon_codes", np.full((2, 2), HEADER, object)),
    "codes in one text": put("polygon_codes", HEADER),
    "no bytes of a text": put("polygon_codes", np.array([b"\xff\xfe", b"\x80"], object)),
    "group of codes": group("polygon_codes"),
}
ACCEPTED = {
    **{f"{t} {n}": edit(n, f) for n in READY[1:4] for t, f in KEPT_TYPES.items()},
    "int32 SIC": edit("SIC", lambda v: v.astype(np.int32)),
    "float SIC": edit("SIC", lambda v: np.where(v == 255, np.nan, v)),
    "all cells NaN": edit("btemp_89_0v", lambda v: np.full_like(v, np.nan)),
    "chart without a class": edit("SOD", lambda v: np.full_like(v, 255)),
    "NaN in HH alone": edit("nersc_sar_primary", one(np.nan)),
    "NaN in the distance": edit("distance_map", one(np.nan)),
    "scene_id is a number": attribute(None, "scene_id", 7),
    "original_id is a list": attribute(None, "original_id", [1, 2]),
    "unlimited": lambda file: [unlimited(name)(file) for name in READY],
    "one more variable": lambda file: file.create_group("more").create_dataset("x", data=1),
}


def run(folder: Path, files: tuple[Path, ...], change: Change) -> str | None:
    path = copy(folder, files)
    with h5py.File(path, "a") as file:
        change(file)
    return check(folder, path)


@pytest.mark.parametrize("name", REFUSED_READY)
def test_broken_ready_files_are_listed(tmp_path: Path, whole: Files, name: str) -> None:
    assert run(tmp_path, whole["ready"], REFUSED_READY[name])


@pytest.mark.parametrize("name", REFUSED_RAW)
def test_broken_raw_files_are_listed(tmp_path: Path, whole: Files, name: str) -> None:
    assert run(tmp_path, whole["raw"], REFUSED_RAW[name])


@pytest.mark.parametrize("name", ACCEPTED)
def test_odd_files_are_prepared(tmp_path: Path, whole: Files, name: str) -> None:
    assert run(tmp_path, whole["ready"], ACCEPTED[name]) is None


REFERENCE: dict[str, Change] = {
    "other size": edit("SOD", lambda v: v[:-1]),
    "other sizes": lambda f: [
        edit(n, lambda v: v[:, 1:])(f) for n in ("SIC", "SOD", "FLOE")
    ],
    "no FLOE": delete("FLOE"),
    "group SIC": group("SIC"),
    "class 77": edit("FLOE", one(77)),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_broken_reference_files_are_listed(tmp_path: Path, whole: Files, name: str) -> None:
    path = copy(tmp_path, whole["test"])
    with h5py.File(tmp_path / whole["test"][1].name, "a") as file:
        REFERENCE[name](file)
    report = prepare(path, str(tmp_path / "store.zarr"))
    assert [Path(failure.name) for failure in report.failed] == [path]
    assert path.stem in report.failed[0].reason
    assert "\n" not in report.failed[0].reason


@pytest.mark.parametrize("kind", ["ready", "raw", "packed"])
@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.99999])
def test_truncated_files_are_listed(
    tmp_path: Path, whole: Files, kind: str, share: float
) -> None:
    path = copy(tmp_path, whole[kind])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert check(tmp_path, path)


@pytest.mark.parametrize("kind", ["ready", "raw", "packed"])
@pytest.mark.parametrize("seed", range(40))
def test_flipped_bits_do_no_harm(
    tmp_path: Path, whole: Files, kind: str, seed: int
) -> None:
    """Half of them are anywhere, half of them in metadata: bytes outside the planes."""
    path = copy(tmp_path, whole[kind])
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    rng = np.random.default_rng(seed)
    places = np.arange(content.size) if seed % 2 else metadata_of(path, content.size)
    hit = rng.choice(places, 1 + 2 * seed)
    content[hit] ^= rng.integers(1, 256, hit.size).astype(np.uint8)
    path.write_bytes(content.tobytes())
    check(tmp_path, path)


def metadata_of(path: Path, n_bytes: int) -> np.ndarray:
    """Return the bytes of a file that are not numbers of its variables."""
    is_data = np.zeros(n_bytes, bool)
    with h5py.File(path) as file:
        for variable in file.values():
            if isinstance(variable, h5py.Dataset) and variable.id.get_offset() is not None:
                start = variable.id.get_offset()
                is_data[start : start + variable.nbytes] = True
            elif isinstance(variable, h5py.Dataset) and variable.chunks:
                for k in range(variable.id.get_num_chunks()):
                    chunk = variable.id.get_chunk_info(k)
                    is_data[chunk.byte_offset : chunk.byte_offset + chunk.size] = True
    return np.flatnonzero(~is_data)
