"""Show that two versions of seaice make equal stores, runs, maps and tables.

Make everything with each version, on the same machine, then compare the two folders:

    python tests/support/same_bytes.py make /tmp/before --seaice OLD/.venv/bin/seaice
    python tests/support/same_bytes.py make /tmp/after --seaice NEW/.venv/bin/seaice \
        --scenes /tmp/before
    python tests/support/same_bytes.py compare /tmp/before /tmp/after

With --scenes, what follows is made from the scenes of another folder: stores and maps know
the bytes of their source files, which depend on the library that wrote them.

`make` takes two or three minutes. It calls only the command, on one thread of the CPU, so
any version can be compared. `compare` prints one line for each kind of file and one for
each difference, and exits with 1 if files differ. Texts and figures for people may change:
their differences are printed, but count only with --strict.

Most files are equal if their bytes are equal. netCDF files are compared by variables and
attributes, JSON files by values, ONNX files by operators, weights and metadata. `LEFT_OUT`
and `TIMES` are never compared.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import xarray as xr
from safetensors import safe_open

LEFT_OUT = re.compile(
    r"(elapsed|train|wait|validation)_s|wait_share"  # how long something took
    r"|\w+_per_s"
    r"|software|_NCProperties"  # versions of seaice and of libraries
)
"""Values in JSON and attributes in netCDF that may differ, by name."""

TIMES = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"  # when it was made
    r"|\bin [\d.]+ s\b|[\d.,]+ patches/s(, \d+ % waiting)?"  # how long it took
    r"|(?m:^\d+/\d+ .* left\n)"  # how long it will take
)
"""Parts of attributes and texts that may differ."""

RENAMED = {"drawing": "sampling"}
"""New names of settings by old ones."""

CONFIG = """\
[model]
filters = [8, 8]
[train]
patch_size = 32
batch_size = 4
n_iterations = 8
n_epochs = 2
learning_rate = 0.01
"""
NEAREST = """\
ratio = 4
sar = "nearest"
charts = "nearest"
ancillary = "nearest"
dtype = "float32"
codec = "zstd"
zarr_format = 2
"""
CANDIDATE = (
    "ratio=5, filters=[4, 4], patch_size=12, batch_size=4, n_iterations=6, n_epochs=1"
)

STEPS = {
    "synth": "synth ready --scenes 6 --size 320 --jobs 1 --json",
    "synth_raw": "synth raw --scenes 3 --size 320 --version raw --seed 1 --jobs 1 --json",
    "prepare": "prepare ready store.zarr --ratio 5 --jobs 1 --json",
    "prepare_raw": "prepare raw raw.zarr --ratio 10 --jobs 1 --json",
    "prepare_nearest": "prepare ready nearest.zarr --recipe nearest.toml --jobs 1 --json",
    "split": "split nearest.zarr --seed 3 --json",
    "info": "info store.zarr --plot figures_of_store --json",
    "verify": "verify nearest.zarr --jobs 1 --json",
    "train": "train store.zarr --run run --config config.toml --json",
    "train_seeds": "train store.zarr --run runs --config config.toml --seeds 0-1 --json",
    "train_official": "train nearest.zarr --run official --config config.toml "
    "--profile official --set validation=store --set validation_scenes=[] --json",
    "resume": "train store.zarr --run run --resume --epochs 3 --json",
    "predict": "predict store.zarr --run run --out maps --split all --probabilities --json",
    "predict_seeds": "predict raw --run runs --out maps_of_seeds --grid 80m --json",
    "predict_official": "predict ready --run official --out maps_official --json",
    "score": "score maps --json",
    "score_csv": "score maps_official --reference ready --csv",
    "score_report": "score maps --report score.html",
    "score_raw": "score maps_of_seeds --reference raw --json",
    "convert": "convert maps --to tif --to gpkg --to submission --out charts --json",
    "score_submission": "score charts/submission.nc --reference ready --json",
    "figures": "figures a=maps b=maps_official --reference store.zarr --json",
    "export": "export run model.onnx",
    "presets": "train --list-presets",
}
"""Commands by the name of the file that their output is written to."""

COMMANDS = (
    "synth prepare info verify split train predict convert export score figures study"
)
"""Commands whose help is kept, too."""


def make(out: Path, seaice: Path, scenes: Path | None = None) -> None:
    """Run every command in a new folder; paths are relative, so that they are equal."""
    said = out / "said"
    said.mkdir(parents=True)
    (out / "config.toml").write_text(CONFIG)
    (out / "nearest.toml").write_text(NEAREST)
    steps = {name: command.split() for name, command in STEPS.items()}
    steps["study"] = ["study", "store.zarr", "--presets=", "--runs", "2", "--jobs", "1"]
    for name in ("model1: ", "late: fusion=bottleneck, "):
        steps["study"] += ["--variant", name + CANDIDATE]
    steps |= {f"help_{name}": [name, "--help"] for name in COMMANDS.split()}
    fixed = {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "COLUMNS": "90",
        "OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z",  # GeoPackages contain the date
    }
    for name, command in steps.items():
        sys.stderr.write(f"seaice {' '.join(command)}\n")
        suffix = next((o[2:] for o in ("--json", "--csv") if o in command), "txt")
        with (
            (said / f"{name}.{suffix}").open("wb") as results,
            (said / f"{name}.stderr.txt").open("wb") as messages,
        ):
            run = [str(seaice.absolute()), *command]
            environment = {**os.environ, **fixed}
            subprocess.run(
                run, cwd=out, env=environment, stdout=results, stderr=messages, check=True
            )
        for scene in out.glob("r*/*.nc") if name.startswith("synth") else ():
            if scenes is not None:
                shutil.copyfile(scenes / scene.relative_to(out), scene)
            os.utime(scene, (1e9, 1e9))  # stores hold when their scenes were written


def different_bytes(a: Path, b: Path) -> Iterator[str]:
    ours, theirs = a.read_bytes(), b.read_bytes()
    if ours != theirs:
        pairs = enumerate(zip(ours, theirs, strict=False))
        first = next((i for i, (x, y) in pairs if x != y), min(len(ours), len(theirs)))
        yield f"byte {first} differs ({len(ours)} and {len(theirs)} bytes)"


def different_texts(a: Path, b: Path) -> Iterator[str]:
    ours, theirs = (TIMES.sub("", path.read_text()).splitlines() for path in (a, b))
    if ours != theirs:
        pairs = ((ours, theirs), (theirs, ours))
        n_lost, n_new = ((Counter(x) - Counter(y)).total() for x, y in pairs)
        yield f"{n_lost} of {len(ours)} lines are gone, {n_new} are new"


def different_weights(a: Path, b: Path) -> Iterator[str]:
    """Yield what differs in the settings and the tensors."""

    def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = {name: json.loads(text) for name, text in file.metadata().items()}
        return metadata, {
            n: (str(v.dtype), v.shape, v.tobytes()) for n, v in tensors.items()
        }

    ours, theirs = read(a), read(b)
    yield from different_values("", ours[0], theirs[0])
    if ours[1] != theirs[1]:
        yield "tensors differ"


def different_json(a: Path, b: Path) -> Iterator[str]:
    def read(path: Path) -> Any:
        text = path.read_text()
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        return [json.loads(line) for line in lines]

    yield from different_values("", read(a), read(b))


def different_netcdf(a: Path, b: Path) -> Iterator[str]:
    """Compare variables and attributes; HDF5 may order and pack them differently."""
    with (
        xr.open_dataset(a, engine="h5netcdf", decode_cf=False) as ours,
        xr.open_dataset(b, engine="h5netcdf", decode_cf=False) as theirs,
    ):
        yield from different_values("/attributes", attributes(ours), attributes(theirs))
        for name in sorted({*ours.variables, *theirs.variables}, key=str):
            if name not in ours.variables or name not in theirs.variables:
                yield f"variable {name} is in only one of the files"
                continue
            mine, yours = ours.variables[name], theirs.variables[name]
            yield from different_values(f"/{name}", attributes(mine), attributes(yours))
            kinds = [(v.dims, v.shape, v.dtype) for v in (mine, yours)]
            if kinds[0] != kinds[1]:
                yield f"/{name}: {kinds[0]} and {kinds[1]}"
            elif mine.values.tobytes() != yours.values.tobytes():
                yield f"/{name}: values differ"


def attributes(of: xr.Dataset | xr.Variable) -> dict[str, Any]:
    """Return attributes as plain values with their types, without the time of writing."""
    return {
        str(name): TIMES.sub("", value)
        if isinstance(value, str)
        else [str(np.asarray(value).dtype), *np.ravel(value).tolist()]
        for name, value in of.attrs.items()
    }


def different_networks(a: Path, b: Path) -> Iterator[str]:
    """Compare ONNX files without PyTorch's metadata of nodes, which name our modules."""
    ours, theirs = (onnx.load(path) for path in (a, b))
    for model in (ours, theirs):
        for part in (model.graph, *model.graph.node, *model.graph.value_info):
            part.ClearField("metadata_props")
    if ours.SerializeToString() != theirs.SerializeToString():
        yield "operators, weights or metadata differ"


def different_values(place: str, ours: Any, theirs: Any) -> Iterator[str]:
    """Yield each value of nested dicts and lists that differs, with its place."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        ours, theirs = (
            {RENAMED.get(key, key): value for key, value in side.items()}
            for side in (ours, theirs)
        )
        for key in sorted(ours.keys() | theirs.keys()):
            if not LEFT_OUT.fullmatch(key):
                values = (side.get(key, "nothing") for side in (ours, theirs))
                yield from different_values(f"{place}/{key}", *values)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
            yield from different_values(f"{place}/{i}", mine, yours)
    elif repr(ours) != repr(theirs):  # NaN is equal to itself, and 1 is not 1.0
        yield f"{place}: {str(ours)[:60]!r} and {str(theirs)[:60]!r}"


class Kind(NamedTuple):
    """Files that are compared in the same way."""

    name: str
    pattern: str
    differences: Callable[[Path, Path], Iterator[str]] = different_bytes
    is_text: bool = False


KINDS = (
    Kind("stores", r"[^/]+\.zarr/.*"),
    Kind("weights", r".*\.safetensors", different_weights),
    Kind("scenes and maps", r".*\.nc", different_netcdf),
    Kind("settings, scores and tables", r".*\.(json|jsonl)", different_json),
    Kind("ONNX files", r".*\.onnx", different_networks),
    Kind("small plots", r".*/index/.*\.png"),
    Kind("figures", r".*\.png", is_text=True),
    Kind("texts", r".*\.(html|md|tex|txt)", different_texts, is_text=True),
    Kind("other files", r".*"),
)
"""A file is of the first kind whose pattern matches its path within the folder."""


def compare(a: Path, b: Path, *, strict: bool) -> bool:
    """Print differences; return whether all files are equal that must be."""
    paths = {p.relative_to(side) for side in (a, b) for p in side.rglob("*") if p.is_file()}
    members: dict[Kind, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted(paths):
        fitting = (kind for kind in KINDS if re.fullmatch(kind.pattern, path.as_posix()))
        members[next(fitting)].append(path)
    is_equal = True
    for kind, files in members.items():
        found = {path: different_files(kind, a / path, b / path) for path in files}
        n_different = sum(map(bool, found.values()))
        is_equal &= n_different == 0 or (kind.is_text and not strict)
        lines = [
            f"    {path}: {line}" for path, several in found.items() for line in several
        ]
        head = f"{kind.name}: {len(files) - n_different} of {len(files)} files are equal"
        sys.stdout.write("\n".join([head, *lines, ""]))
    return is_equal


def different_files(kind: Kind, a: Path, b: Path) -> list[str]:
    if a.is_file() and b.is_file():
        return list(kind.differences(a, b))
    return [f"not in {(b if a.is_file() else a).parent}"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Compare what two versions of seaice make."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make", help="make everything in a new folder")
    maker.add_argument("out", type=Path)
    maker.add_argument("--seaice", type=Path, required=True, help="command to make it with")
    maker.add_argument("--scenes", type=Path, help="folder of which to take the scenes")
    comparer = commands.add_parser("compare", help="compare two such folders")
    comparer.add_argument("a", type=Path)
    comparer.add_argument("b", type=Path)
    comparer.add_argument("--strict", action="store_true", help="texts must be equal, too")
    given = parser.parse_args()
    if given.command == "make":
        make(given.out, given.seaice, given.scenes)
        return 0
    return int(not compare(given.a, given.b, strict=given.strict))


if __name__ == "__main__":
    sys.exit(main())
