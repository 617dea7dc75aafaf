"""Change files at random, as accidents and attackers do: one change per function."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

TEXTS = (
    "",
    "x",
    " ",
    "../../escaped",
    "/escaped",
    ".hidden",
    "a/b",
    "nul\0byte",
    "line\nbreak",
    "\x1b[31mred\x1b[0m",
    "txt.\u202ecn.exe",
    "2018060\u0667T184326_dmi",
    "20181307T184326_dmi",
    "20180607T184326_dmi_old",
    '"><script>alert(1)</script>',
    "{{7*7}}",
    "$unbalanced",
    "[/bold]",
    "%n%s%x",
    "http://127.0.0.1:9/x",
    "http://user:s3cr3t@127.0.0.1:9/x?token=s3cr3t",
    "s3://bucket/x",
    "memory://x",
    "simplecache::zip://x::http://127.0.0.1:9/x",
    "9" * 5000,
    "a" * 100_000,
    "æøå 海氷",
    "nan",
    "-inf",
    "1e999",
)
NUMBERS = (
    0,
    -1,
    1,
    2,
    255,
    256,
    10**6,
    2**31,
    2**63,
    2**64,
    10**30,
    0.5,
    -0.0,
    1e30,
    1e308,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    [],
    {},
    [[]],
    [None],
    {"": {}},
    float("nan"),
    float("inf"),
    *NUMBERS,
    *TEXTS,
)


def change_bytes(path: Path, rng: random.Random) -> str:
    """Damage a file as a broken disk or transfer does."""
    content = bytearray(path.read_bytes())
    size = len(content)
    at = rng.randrange(size + 1)
    kind = rng.choice(("cut", "flip", "zero", "noise", "twice", "empty", "grow"))
    if kind == "cut":
        del content[at:]
    elif kind == "empty":
        content.clear()
    elif kind == "grow":
        content += rng.randbytes(rng.choice((1, 100, 5000)))
    elif kind == "twice":
        content[at:at] = content[at : at + rng.choice((1, 16, 512))]
    elif kind == "flip":
        for _ in range(rng.choice((1, 1, 3, 30))):
            if size:
                content[rng.randrange(size)] ^= 1 << rng.randrange(8)
    else:
        n = min(rng.choice((1, 8, 64, 512, 4096)), size - at)
        content[at : at + n] = bytes(n) if kind == "zero" else rng.randbytes(n)
    path.write_bytes(content)
    return f"{path.name}: {kind} at {at} of {size}"


def change_head(path: Path, rng: random.Random) -> str:
    """Change bytes in the first kilobytes of a file, where headers are."""
    content = bytearray(path.read_bytes())
    places = [
        rng.randrange(min(len(content), 4096) or 1) for _ in range(rng.choice((1, 2, 8)))
    ]
    for place in places:
        if content:
            content[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    path.write_bytes(content)
    return f"{path.name}: bytes {places}"


def change_kind(path: Path, rng: random.Random) -> str:
    """Replace a file by something else, such as a folder or a pipe."""
    kind = rng.choice(("none", "folder", "pipe", "dangling", "loop", "device", "itself"))
    moved = path.with_name(f"{path.name}.moved")
    path.rename(moved)
    if kind == "folder":
        path.mkdir()
        moved.rename(path / "inside")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "itself":
        path.symlink_to(moved.name)
    if kind not in ("itself", "folder"):
        moved.unlink()
    return f"{path.name}: {kind}"


def change_json(path: Path, rng: random.Random) -> str:
    """Change one value of a JSON document, or damage its text."""
    text = path.read_text()
    if rng.random() < 0.15:
        return _change_text(path, text, rng)
    head, line, tail = "", text, ""
    if path.suffix == ".jsonl":
        lines = text.splitlines(keepends=True)
        k = rng.randrange(len(lines))
        head, line, tail = "".join(lines[:k]), lines[k], "".join(lines[k + 1 :])
    document = json.loads(line)
    what = change_value(document, rng)
    end = "\n" if line.endswith("\n") else ""
    path.write_text(head + json.dumps(document) + end + tail)
    return f"{path.name}: {what}"


def change_value(document: Any, rng: random.Random) -> str:
    """Change one value somewhere in a document, in place."""
    places = list(_places(document, ()))
    *way, key = rng.choice(places)
    parent = document
    for step in way:
        parent = parent[step]
    kind = rng.choice(("value", "value", "value", "delete", "add", "copy"))
    name = ".".join(map(str, (*way, key)))
    if kind == "delete":
        del parent[key]
        return f"without {name}"
    if kind == "add" and isinstance(parent, dict):
        parent[rng.choice(TEXTS)] = rng.choice(VALUES)
        return f"one more in {'.'.join(map(str, way)) or 'the root'}"
    if kind == "copy":
        *other_way, other = rng.choice(places)
        source = document
        for step in (*other_way, other):
            source = source[step]
        parent[key] = json.loads(json.dumps(source))
        return f"{name} is {'.'.join(map(str, (*other_way, other)))}"
    parent[key] = value = rng.choice(VALUES)
    return f"{name} is {value!r:.60}"


def change_tensors(path: Path, rng: random.Random) -> str:
    """Change one tensor of a checkpoint, or one value of its header."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["seaice"])
    tensors = load_file(path)
    name, other = rng.choices(sorted(tensors), k=2)
    kind = rng.choice(("header", "delete", "group", "shape", "type", "values", "copy"))
    what = f"{kind} of {name}"
    if kind == "header":
        what = change_value(header, rng)
    elif kind == "delete":
        del tensors[name]
    elif kind == "group":
        group = name.partition(".")[0]
        tensors = {key: t for key, t in tensors.items() if not key.startswith(group)}
    elif kind == "shape":
        tensors[name] = np.zeros(rng.choice(((), (0,), (3, 4), (1, 1, 1))), np.float32)
    elif kind == "type":
        tensors[name] = tensors[name].astype(rng.choice(("f2", "f8", "i8", "u1", "?")))
    elif kind == "values":
        value = rng.choice((np.nan, np.inf, 3e38, -3e38, 0))
        tensors[name] = np.full_like(tensors[name].astype("f4"), value)
    else:
        tensors[rng.choice((other, f"average.{name}", rng.choice(TEXTS)))] = tensors[name]
        what = f"{name} as another"
    save_file(tensors, path, metadata={"seaice": json.dumps(header)})
    return f"{path.name}: {what}"


def _places(value: Any, way: tuple[Any, ...]) -> Any:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value[:20])
    for key, part in items:
        yield (*way, key)
        yield from _places(part, (*way, key))


def _change_text(path: Path, text: str, rng: random.Random) -> str:
    made: dict[str, Callable[[], bytes]] = {
        "deep": lambda: b"[" * 100_000,
        "deep tables": lambda: b'{"a":' * 50_000,
        "not UTF-8": lambda: b"\xff\xfe" + text.encode(),
        "half character": lambda: text.replace('"', '"\\ud800', 1).encode(),
        "digits": lambda: text.replace("1", "1" * 5000, 1).encode(),
        "NUL": lambda: text.replace('"', '"\\u0000', 1).encode(),
        "NaN": lambda: text.replace("1", "NaN", 1).encode(),
        "nothing": lambda: b"",
        "null": lambda: b"null",
        "list": lambda: b"[]",
        "text": lambda: b'"text"',
        "cut": lambda: text.encode()[: rng.randrange(len(text) + 1)],
    }
    kind = rng.choice(tuple(made))
    path.write_bytes(made[kind]())
    return f"{path.name}: {kind}"


def change_hdf5(path: Path, rng: random.Random) -> str:
    """Change one attribute or variable of an HDF5 file."""
    with h5py.File(path, "a") as file:
        names = sorted(name for name in file if isinstance(file[name], h5py.Dataset))
        owner = file if rng.random() < 0.4 else file[rng.choice(names)]
        if rng.random() < 0.5:
            return f"{path.name}: {_change_attribute(owner, rng)}"
        name = rng.choice(names)
        change = rng.choice(_VARIABLE_CHANGES)
        change(file, name, rng)
        return f"{path.name}: {name} {change.__name__}"


_CF = (
    "_FillValue",
    "missing_value",
    "scale_factor",
    "add_offset",
    "valid_min",
    "valid_range",
)


def _change_attribute(owner: Any, rng: random.Random) -> str:
    ours = [key for key in owner.attrs if key not in ("DIMENSION_LIST", "REFERENCE_LIST")]
    key = rng.choice(ours or ["units"])
    if owner.name != "/" and rng.random() < 0.4:
        key = rng.choice((*_CF, "_Unsigned"))
    kind = rng.choice(("delete", "text", "number", "texts", "numbers", "empty", "bytes"))
    if key in owner.attrs:
        del owner.attrs[key]
    if kind == "text":
        owner.attrs[key] = rng.choice(TEXTS)[:60_000].replace("\0", "")
    elif kind == "number":
        owner.attrs[key] = float(rng.choice(NUMBERS))
    elif kind == "texts":
        values = [
            rng.choice(TEXTS)[:1000].replace("\0", "") for _ in range(rng.choice((1, 2)))
        ]
        owner.attrs.create(key, values, dtype=h5py.string_dtype())
    elif kind == "numbers":
        owner.attrs[key] = np.array(rng.sample(NUMBERS, 3), np.float64)
    elif kind == "empty":
        owner.attrs[key] = h5py.Empty("f8")
    elif kind == "bytes":
        owner.attrs[key] = np.bytes_(b"K\xf8benhavn\x1b[31m")
    return f"{owner.name} {key} {kind}"


def _replace(file: h5py.File, name: str, values: Any, **options: Any) -> None:
    attributes = {k: v for k, v in file[name].attrs.items() if k.islower()}
    del file[name]
    made = file.create_dataset(name, data=values, **options)
    for key, value in attributes.items():
        made.attrs[key] = value


def missing(file: h5py.File, name: str, _rng: random.Random) -> None:
    del file[name]


def a_group(file: h5py.File, name: str, _rng: random.Random) -> None:
    del file[name]
    file.create_group(name)


def other_type(file: h5py.File, name: str, rng: random.Random) -> None:
    kind = rng.choice(("f8", ">f4", "i1", ">i2", "i8", "u8", "f2", "?", "c8", "S7", "O"))
    values = np.asarray(file[name][...])
    if kind == "O":
        _replace(file, name, values.astype("S12"), dtype=h5py.string_dtype())
    elif values.dtype.kind == "O":
        _replace(file, name, np.zeros(values.shape, kind))
    else:
        with np.errstate(all="ignore"):
            _replace(file, name, values.astype(kind))


def other_shape(file: h5py.File, name: str, rng: random.Random) -> None:
    values = np.asarray(file[name][...])
    made: tuple[Callable[[], Any], ...] = (
        lambda: values.T.copy(),
        lambda: values.ravel(),
        lambda: values.ravel()[:1],
        lambda: values[:0],
        lambda: values[:1],
        lambda: values[:-1],
        lambda: values[None],
        lambda: values.ravel()[0] if values.size else values,
        lambda: np.concatenate([values, values]) if values.ndim else values,
    )
    _replace(file, name, rng.choice(made)())


def huge(file: h5py.File, name: str, rng: random.Random) -> None:
    """Declare a huge variable without writing its values."""
    dtype = file[name].dtype
    n_axes = max(len(file[name].shape or ()), 1)
    side = rng.choice((20_000, 100_000, 2**31 if n_axes == 1 else 40_000))
    chunk = rng.choice((256, 8192))
    _drop = file[name]
    del file[name], _drop
    file.create_dataset(name, (side,) * n_axes, dtype, chunks=(min(chunk, side),) * n_axes)


def odd_values(file: h5py.File, name: str, rng: random.Random) -> None:
    values = np.asarray(file[name][...])
    if values.dtype.kind not in "fiu" or not values.size:
        return
    with np.errstate(all="ignore"):
        value = np.float64(rng.choice((*NUMBERS, np.nan, np.inf, -9999, 9.96921e36)))
        value = value.astype(values.dtype)
    flat = values.reshape(-1)
    places = rng.choice((slice(None), slice(0, 1), slice(-1, None), slice(None, None, 2)))
    flat[places] = value
    _replace(file, name, values)


def packed(file: h5py.File, name: str, rng: random.Random) -> None:
    values = np.asarray(file[name][...])
    if values.ndim != 2 or values.dtype.kind not in "fiu" or not values.size:
        return
    chunk = tuple(rng.randint(1, n) for n in values.shape)
    chunks = rng.choice((values.shape, chunk, True))
    filters = rng.choice(
        ({"compression": "gzip"}, {"compression": "lzf"}, {"fletcher32": True}, {})
    )
    _replace(file, name, values, chunks=chunks, shuffle=rng.random() < 0.5, **filters)


def a_link(file: h5py.File, name: str, rng: random.Random) -> None:
    other = rng.choice(sorted(file))
    links = (
        h5py.SoftLink("/nowhere"),
        h5py.SoftLink(f"/{other}"),
        h5py.SoftLink(f"/{name}"),
    )
    outside = (
        h5py.ExternalLink("nowhere.h5", "/x"),
        h5py.ExternalLink(file.filename, f"/{other}"),
    )
    link = rng.choice((*links, *outside))
    del file[name]
    file[name] = link


def elsewhere(file: h5py.File, name: str, rng: random.Random) -> None:
    """Declare that the values are in another file."""
    dataset = file[name]
    shape, dtype = dataset.shape or (1,), dataset.dtype
    if dtype.kind not in "fiu":
        return
    del file[name], dataset
    if rng.random() < 0.5:
        n_bytes = int(np.prod(shape)) * dtype.itemsize
        file.create_dataset(name, shape, dtype, external=[("/dev/zero", 0, n_bytes)])
        return
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource("nowhere.h5", "x", shape)
    file.create_virtual_dataset(name, layout)


_VARIABLE_CHANGES = (
    missing,
    a_group,
    other_type,
    other_shape,
    huge,
    odd_values,
    odd_values,
    packed,
    a_link,
    elsewhere,
)
