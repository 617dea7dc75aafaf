"""Targets of an attack: a kind of file, how it is changed, and commands that read it.

Every target works in its own folder, with copies of the files that `make_base` made once.
"""

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from support.own_scenes import backscatter, chart, write_own

from seaice.main import app
from seaice_data.synthetic.scene_set import write_scenes

from . import variants, words

Command = Sequence[str]

_CONFIG = """\
[model]
filters = [4, 4]
[train]
patch_size = 16
batch_size = 2
n_iterations = 2
n_epochs = 2
"""
_PREDICT = "predict --device cpu --no-plots --run run --out new"
_TRAIN = "train store.zarr --device cpu --config config.toml --run"
_BEYOND = "weight_average=0.9,learned_weights=true,sic=both,fill=mask,drop_amsr2=0.5"
_TABLES = {
    "model": ("filters", "channels", "sic", "network", "fill"),
    "train": (
        "patch_size",
        "batch_size",
        "n_iterations",
        "n_epochs",
        "learning_rate",
        "where",
        "region_loss",
        "region_shares",
        "learned_weights",
        "weight_average",
    ),
    "augmentation": ("flip", "rotation", "drop_amsr2", "drop_era5"),
}


def run(*command: str) -> int:
    """Run a command of seaice in this process, and return its exit code."""
    try:
        app(list(command))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def make_base(folder: Path) -> Path:
    """Make small, valid scenes, stores, a run, maps and a submission."""
    folder.mkdir(parents=True)
    write_scenes(folder / "ready", 5, 200)
    write_scenes(folder / "raw", 1, 200, version="raw")
    write_scenes(folder / "products", 1, 100, version="products")
    write_own(folder / "own", backscatter((180, 210)), n_land=20, burnt=chart((180, 210)))
    (folder / "config.toml").write_text(_CONFIG)
    commands = (
        "prepare ready store.zarr --ratio 5 --jobs 1",
        "prepare ready packed.zarr --ratio 5 --jobs 1 --zarr-format 2 --codec zstd",
        f"{_TRAIN} run",
        f"{_TRAIN} beyond --set {_BEYOND}",
        "predict store.zarr --device cpu --split all --probabilities",
        "convert maps --to submission",
    )
    with chdir(folder):
        for command in commands:
            assert run(*command.split()) == 0, command
    return folder


@dataclass(frozen=True)
class Target:
    """A kind of file, and how it is attacked."""

    name: str
    """Such as ``maps``."""

    needs: tuple[str, ...]
    """Files and folders of the base that are copied for the commands."""

    attack: Callable[[Path, random.Random], tuple[str, Sequence[Command]]]
    """Changes a copy; returns what it has changed, and the commands to run there."""

    run: Callable[..., int] = run
    """Runs a command and returns its exit code."""


def _one_of(folder: Path, pattern: str, rng: random.Random) -> Path:
    return rng.choice(sorted(path for path in folder.glob(pattern) if path.is_file()))


def _attack_scenes(kind: str) -> Callable[[Path, random.Random], tuple[str, list[Command]]]:
    def attack(folder: Path, rng: random.Random) -> tuple[str, list[Command]]:
        path = _one_of(folder / kind, "**/*.nc", rng)
        change = rng.choice((variants.change_hdf5,) * 6 + (variants.change_bytes,) * 2)
        if rng.random() < 0.2:
            change = rng.choice((variants.change_head, variants.change_kind))
        what = change(path, rng)
        commands = (
            f"prepare {kind} new.zarr --ratio 5 --jobs 1",
            f"prepare {kind} new.zarr --ratio 5 --jobs 1 --overwrite",
            f"{_PREDICT} {kind}",
        )
        return what, [rng.choice(commands).split()]

    return attack


def _run_with_scratch(*command: str) -> int:
    """Run a command that unpacks archives; in the folder that it may change."""
    before, scratch = tempfile.tempdir, Path("scratch").absolute()
    scratch.mkdir()
    tempfile.tempdir = str(scratch)
    try:
        return run(*command)
    finally:
        tempfile.tempdir = before


def _attack_products(folder: Path, rng: random.Random) -> tuple[str, list[Command]]:
    given = {
        "chart": rng.choice(("*.gpkg", "*_pl_a.zip")),
        "coast": "coast.gpkg",
        "amsr2": rng.choice(("amsr2", "amsr2-l1b")),
        "era5": rng.choice(("era5.nc", "era5.grib")),
    }
    scene = next((folder / "products").iterdir())
    found = {name: min(scene.glob(pattern)) for name, pattern in given.items()}
    (product,) = scene.glob("*.SAFE*")
    path = rng.choice((*found.values(), product))
    path = _one_of(path, "**/*", rng) if path.is_dir() else path
    if path.suffix in (".h5", ".nc") and rng.random() < 0.7:
        what = variants.change_hdf5(path, rng)
    else:
        changes = (variants.change_bytes,) * 3 + (variants.change_head,)
        what = rng.choice((*changes, variants.change_kind))(path, rng)
    command = ["ingest", str(product), "--out", "new", "--jobs", "1"]
    for name, source in found.items():
        command += [f"--{name}", str(source.relative_to(folder))]
    return f"{path.name}: {what}", [command]


def _attack_store(name: str) -> Callable[[Path, random.Random], tuple[str, list[Command]]]:
    def attack(folder: Path, rng: random.Random) -> tuple[str, list[Command]]:
        store = folder / name
        documents = (".zattrs", ".zarray", ".zgroup", "zarr.json")
        files = sorted(path for path in store.rglob("*") if path.is_file())
        texts = [path for path in files if path.name in documents]
        # Documents of the root and of scenes are few, but matter most.
        high = [path for path in texts if len(path.relative_to(store).parts) in (1, 3)]
        kind = rng.random()
        if kind < 0.65:
            what = variants.change_json(rng.choice(rng.choice((texts, high))), rng)
        elif kind < 0.8:
            what = variants.change_bytes(rng.choice(files), rng)
        elif kind < 0.9:
            what = variants.change_kind(rng.choice(files), rng)
        else:
            what = _add_to_store(store, rng)
        commands = (
            f"info {name}",
            f"info {name} --json",
            f"verify {name} --jobs 1",
            f"verify {name} --jobs 1 --remove",
            f"split {name}",
            f"{_PREDICT} {name} --split all",
            f"{_PREDICT} {name} --where month>=1",
            f"score maps --truth {name}",
            f"train {name} --run new --device cpu --config config.toml",
            f"prepare ready {name} --jobs 1 --ratio 5",
        )
        return what, [rng.choice(commands).split()]

    return attack


def _add_to_store(store: Path, rng: random.Random) -> str:
    name = rng.choice(
        ("backup", "20180607T184326_dmi_old", "2018060\u0667T184326_dmi", "a b")
    )
    scenes = sorted(path for path in (store / "scenes").iterdir() if path.is_dir())
    scene = rng.choice(scenes)
    if rng.random() < 0.5:
        shutil.copytree(scene, store / "scenes" / name)
    else:
        scene.rename(store / "scenes" / name)
    return f"{scene.name} as {name}"


def _attack_run(folder: Path, rng: random.Random) -> tuple[str, list[Command]]:
    path = _one_of(folder / "run", "*", rng)
    is_text = path.suffix in (".json", ".jsonl")
    if is_text and rng.random() < 0.8:
        what = variants.change_json(path, rng)
    else:
        changes = variants.change_bytes, variants.change_head, variants.change_kind
        what = rng.choice(changes)(path, rng)
    commands = (
        f"{_PREDICT} store.zarr --split all",
        "train store.zarr --run run --device cpu --resume --epochs 3",
        f"{_TRAIN} run --overwrite",
    )
    return what, [rng.choice(commands).split()]


def _attack_tensors(folder: Path, rng: random.Random) -> tuple[str, list[Command]]:
    what = variants.change_tensors(_one_of(folder / "beyond", "*.safetensors", rng), rng)
    predict = _PREDICT.replace("--run run", "--run beyond")
    commands = (
        f"{predict} store.zarr --split all",
        f"{predict} store.zarr --split all --without amsr2",
        "train store.zarr --run beyond --device cpu --resume --epochs 3",
    )
    return what, [rng.choice(commands).split()]


def _attack_maps(folder: Path, rng: random.Random) -> tuple[str, list[Command]]:
    if rng.random() < 0.2:
        path = _one_of(folder / "maps", "index/*.json", rng)
        what = variants.change_json(path, rng)
    else:
        path = _one_of(folder / "maps", "*.nc", rng)
        change = rng.choice((variants.change_hdf5,) * 8 + (variants.change_bytes,) * 2)
        if rng.random() < 0.2:
            change = rng.choice((variants.change_head, variants.change_kind))
        what = change(path, rng)
    commands = (
        "score maps --truth store.zarr",
        "score maps",
        "convert maps --to tif --to gpkg --out new",
        "convert maps --to submission --out new",
        "predict store.zarr --device cpu --split all",
    )
    return what, [rng.choice(commands).split()]


def _attack_submission(folder: Path, rng: random.Random) -> tuple[str, list[Command]]:
    path = folder / "charts" / "submission.nc"
    change = rng.choice((variants.change_hdf5,) * 8 + (variants.change_bytes,) * 2)
    if rng.random() < 0.2:
        change = rng.choice((variants.change_head, variants.change_kind))
    what = change(path, rng)
    return what, [["score", "charts/submission.nc", "--truth", "store.zarr"]]


def _attack_settings(folder: Path, rng: random.Random) -> tuple[str, list[Command]]:
    kind = rng.choice(("config", "recipe", "set"))
    if kind == "set":
        text = words.assignment(rng)
        return f"--set {text[:60]!r}", [[*f"{_TRAIN} new --set".split(), text]]
    path = folder / f"{kind}.toml"
    if kind == "config":
        path.write_text(words.settings(rng, _TABLES))
        # Valid settings could train for hours: the last assignments keep it small.
        small = "n_epochs=1, n_iterations=1, batch_size=1, patch_size=16, filters=[4, 4]"
        command = [*f"{_TRAIN} new --set".split(), small]
    else:
        keys = ("ratio", "channels", "codec", "dtype", "sar", "dominance_threshold")
        path.write_text(words.settings(rng, {"": keys}))
        command = ["prepare", "ready", "new.zarr", "--jobs", "1", "--recipe", "recipe.toml"]
    if rng.random() < 0.1:
        change = rng.choice((variants.change_bytes, variants.change_kind))
        change(path, rng)
    return path.name, [command]


def _attack_condition(folder: Path, rng: random.Random) -> tuple[str, list[Command]]:
    listed = folder / "scenes.txt"
    lines = [rng.choice(("20180607T184326_dmi", *variants.TEXTS)) for _ in range(3)]
    listed.write_text("\n".join(lines))
    if rng.random() < 0.3:
        variants.change_kind(listed, rng)
    text = words.condition(rng)
    commands = (
        [*_PREDICT.split(), "store.zarr", "--where", text],
        ["split", "store.zarr", "--test", "scenes.txt"],
        [*_TRAIN.split(), "new", "--where", text],
        [*_TRAIN.split(), "new", "--seeds", text[:5000]],
    )
    return f"--where {text[:60]!r}", [rng.choice(commands)]


TARGETS = {
    target.name: target
    for target in (
        Target("ready", ("ready", "run"), _attack_scenes("ready")),
        Target("raw", ("raw", "run"), _attack_scenes("raw")),
        Target("own", ("own", "run"), _attack_scenes("own")),
        Target("products", ("products",), _attack_products, _run_with_scratch),
        Target(
            "store",
            ("store.zarr", "ready", "run", "maps", "config.toml"),
            _attack_store("store.zarr"),
        ),
        Target(
            "packed store",
            ("packed.zarr", "ready", "run", "maps", "config.toml"),
            _attack_store("packed.zarr"),
        ),
        Target("run", ("store.zarr", "run", "config.toml"), _attack_run),
        Target("tensors", ("store.zarr", "beyond"), _attack_tensors),
        Target("maps", ("store.zarr", "run", "maps"), _attack_maps),
        Target("submission", ("store.zarr", "charts"), _attack_submission),
        Target("settings", ("store.zarr", "ready", "config.toml"), _attack_settings),
        Target("condition", ("store.zarr", "run", "config.toml"), _attack_condition),
    )
}
"""All kinds of files and texts that seaice reads, by name."""
