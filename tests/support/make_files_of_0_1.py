"""Make ``tests/data/seaice-0.1.tar.xz``: files as version 0.1 of seaice wrote them.

Run this only with version 0.1 installed: later versions must read what it wrote. Never make
the archive in the repository again; this script documents its contents.

    python tests/support/make_files_of_0_1.py seaice-0.1.tar.xz

All paths in the files are relative to the folder ``seaice-0.1`` of the archive, so commands
are run from there. ``expected.json`` contains what version 0.1 reported about them.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr
from safetensors import safe_open

CONFIG = """\
[model]
filters = [4, 4]
channels = ["hh", "hv", "incidence_angle", "distance_map", "t2m", "month"]
[train]
patch_size = 12
batch_size = 4
n_iterations = 40
n_epochs = 2
learning_rate = 0.02
class_loss = "focal"
[drawing]
over = "area"
[augmentation]
flip_y = 0.25
"""
RECIPE = """\
ratio = 4
channels = ["t2m", "hv", "hh", "latitude"]
sar = "nearest"
charts = "nearest"
ancillary = "nearest"
dominance_threshold = 0.5
dtype = "float32"
codec = "zstd"
zarr_format = 2
"""
MISSING = "20190902T032653_cis"
"""Scene whose map is kept in another folder, so that `seaice predict` makes it again."""

NAMES = ("best", "last")
"""Checkpoints of a run."""

ROW = (
    "model1: ratio=5, channels=[hh, hv], filters=[4, 4], patch_size=12, batch_size=4, "
    "n_iterations=6, n_epochs=1"
)


def main() -> None:
    target = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "seaice-0.1"
        root.mkdir()
        os.chdir(root)
        make_scenes()
        make_stores()
        make_runs()
        make_maps()
        expected = said()
        leave_out()
        expected |= found()
        Path("expected.json").write_text(json.dumps(expected, sort_keys=True))
        with tarfile.open(target, "w:xz", preset=9) as archive:
            archive.add(root, "seaice-0.1", filter=of_nobody)
    sys.stdout.write(f"{target.stat().st_size} bytes in {target}\n")


def make_scenes() -> None:
    """Write five ready-to-train scenes, one of them a test scene, and a raw one."""
    seaice("synth raw --scenes 5 --size 100")
    seaice("synth raw40 --scenes 1 --size 100 --seed 1 --version raw")
    for path in Path().glob("raw*/*.nc"):
        make_coarse(path)


def make_stores() -> None:
    Path("recipe.toml").write_text(RECIPE)
    seaice("prepare raw40 default.zarr")
    seaice("prepare raw store.zarr --ratio 5")
    seaice("prepare raw40 other.zarr --recipe recipe.toml")
    seaice("prepare raw zstd.zarr --ratio 5 --codec zstd --channels hh,hv,t2m")
    Path("validation.json").write_text(json.dumps([f"{MISSING}_prep.nc"]))
    seaice("split zstd.zarr --validation validation.json --seed 3")


def make_runs() -> None:
    Path("config.toml").write_text(CONFIG)
    seaice("train store.zarr --run run --config config.toml --preset tiny")
    seaice("train store.zarr --run runs --config config.toml --preset tiny --seeds 0-1")
    seaice("study store.zarr --presets= --runs 1 --out study --variant", ROW)


def make_maps() -> None:
    seaice("predict store.zarr --run run --out maps --split all --probabilities")
    seaice("predict store.zarr --run runs --out maps_of_seeds --no-pictures")
    seaice(
        "predict raw --run run --out maps_of_files --grid store --no-pictures --scene",
        MISSING,
    )
    seaice("convert maps --to submission --out submission")


def said() -> dict[str, Any]:
    """Return scores, and the log of a third epoch of the run."""
    scores = {
        "maps": seaice("score maps --json"),
        "maps_of_seeds": seaice("score maps_of_seeds --json"),
        "submission": seaice("score submission/submission.nc --reference raw --json"),
    }
    shutil.copytree("run", "resumed")
    seaice("train store.zarr --run resumed --resume --epochs 3")
    third = json.loads(Path("resumed/log.jsonl").read_text().splitlines()[2])
    shutil.rmtree("resumed")
    return {
        "pooled": {name: json.loads(text)["pooled"] for name, text in scores.items()},
        "third_epoch": third,
    }


def leave_out() -> None:
    """Move a map away, and remove the large plots, which are not read."""
    Path("missing").mkdir()
    Path(f"maps/{MISSING}.nc").rename(f"missing/{MISSING}.nc")
    for path in (*Path("maps/index").glob(f"{MISSING}*"), *Path().glob("**/*.png")):
        if path.parent.name != "index" or path.name.startswith(MISSING):
            path.unlink(missing_ok=True)


def found() -> dict[str, Any]:
    """Return contents of the files as other libraries read them, planes as hashes."""
    return {
        "stores": {str(path): of_store(path) for path in sorted(Path().glob("*.zarr"))},
        "maps": {str(path): of_map(path) for path in sorted(Path().glob("m*/*.nc"))},
        "runs": {
            str(path.parent): {
                n: of_weights(path.parent / f"{n}.safetensors") for n in NAMES
            }
            for path in sorted(Path().glob("**/settings.json"))
        },
    }


def of_store(path: Path) -> dict[str, Any]:
    root = zarr.open_group(path, mode="r")
    scenes = {
        scene_id: {name: hash_of(scene[name][...]) for name in sorted(scene.array_keys())}
        for scene_id, scene in sorted(root["scenes"].groups())
    }
    named = {name: root.attrs[name] for name in ("recipe", "fingerprint", "splits")}
    return {**named, "scenes": scenes}


def of_map(path: Path) -> dict[str, str]:
    with h5py.File(path) as file:
        return {n: hash_of(v[...]) for n, v in sorted(file.items()) if v.dtype == np.uint8}


def of_weights(path: Path) -> str:
    """Return a hash of all weights, in the order of their names."""
    with safe_open(path, framework="np") as file:
        names = sorted(name for name in file.keys() if name.startswith("weights."))  # noqa: SIM118 - not a mapping
        return hash_of(np.concatenate([file.get_tensor(name).ravel() for name in names]))


def make_coarse(path: Path) -> None:
    """Round planes so that they compress well; values other than 0 stay other than 0."""
    with h5py.File(path, "r+") as file:
        for name, dataset in file.items():
            if dataset.dtype.kind == "f" and dataset.size > 5000 and "polygon" not in name:
                values = dataset[...]
                coarse = (np.floor(values * 4) + 0.5) / 4
                dataset[...] = np.where(values == 0, 0, coarse)


def hash_of(values: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def of_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out locks, and the owner of the files."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if entry.name.endswith(".lock") else entry


def seaice(command: str, *more: str) -> str:
    """Run a command of seaice on one thread; return what it prints."""
    result = subprocess.run(
        ["seaice", *command.split(), *more],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return result.stdout


if __name__ == "__main__":
    main()
