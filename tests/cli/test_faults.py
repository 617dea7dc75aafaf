"""A killed `prepare`, a full disk or a second writer never leaves an incomplete scene."""

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import xarray as xr
import zarr
from support.coded_scenes import write_coded
from support.command_results import errors
from support.other_systems import OtherSystem

from seaice_data.errors import StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.storage.storage import open_storage
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.writer import StoreWriter

SEAICE = Path(sys.executable).with_name("seaice")
IDS = [f"2019{month:02d}14T101830_dmi" for month in range(1, 11)]
KILLED_AT = (*range(1, 9), 10, 20, 50, 80, 100, 120)
"""Numbers of the change to the store before which `prepare` is killed."""


Tree = dict[str, bytes]


def tree(folder: Path) -> Tree:
    """Return the content of all files in a folder, by path."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "raw"
    for scene_id in IDS:
        write_coded(folder, 203, 251, scene_id)
    return folder


@pytest.fixture(scope="module")
def peaceful(raw: Path) -> Tree:
    """Return the files of a store that was made without interruption."""
    path = raw.parent / "peaceful.zarr"
    prepare(raw, str(path))
    return tree(path)


def start(raw: Path, store: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [SEAICE, "prepare", raw, store, *options],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_whole(store: Path, peaceful: Tree) -> int:
    """Check that all scenes of a store are complete; return how many there are."""
    if not (store / "zarr.json").exists():
        return 0
    scenes = Store.open(str(store)).scenes
    group = zarr.open_group(store, mode="r")
    assert sorted(group["scenes"].group_keys() if "scenes" in group else ()) == [*scenes]
    for scene_id in scenes:
        expected = {k: v for k, v in peaceful.items() if k.split("/")[1] == scene_id}
        found = tree(store / "scenes" / scene_id)
        assert {f"scenes/{scene_id}/{k}": v for k, v in found.items()} == expected
    if scenes:
        scene = xr.open_zarr(store, group=f"scenes/{scenes[-1]}", consolidated=False)
        assert scene.load().attrs["complete"]
    return len(scenes)


@pytest.mark.slow
def test_killing_prepare_at_any_moment_leaves_only_complete_scenes(
    raw: Path, peaceful: Tree, tmp_path: Path, other_system: OtherSystem
) -> None:
    arrays = {k: v for k, v in peaceful.items() if k.count("/") > 1}
    store, seen = tmp_path / "store.zarr", []
    with other_system.killing() as kill:
        for at in KILLED_AT:
            kill(at, store, "prepare", raw, store, "--jobs", 2)
            seen.append(assert_whole(store, arrays))
    assert seen == sorted(seen)
    assert len({*seen}) > 2  # the kills came at different moments
    process = start(raw, store, "--jobs", "2")
    assert errors(process.communicate()[1]) == ""
    assert process.returncode == 0
    assert tree(store) == peaceful
    assert {path.name for path in store.iterdir()} == {"scenes", "zarr.json"}
    assert {path.name for path in tmp_path.iterdir()} == {"store.zarr"}


@pytest.mark.slow
def test_killing_prepare_while_it_replaces_a_store_leaves_the_old_or_the_new_one(
    raw: Path, peaceful: Tree, tmp_path: Path, other_system: OtherSystem
) -> None:
    prepare(raw, str(tmp_path / "new.zarr"), Recipe(codec="zstd"))
    new = tree(tmp_path / "new.zarr")

    def is_new(at: int) -> bool:
        """Return whether the store is the new one after a kill before change `at`."""
        store = tmp_path / str(at) / "store.zarr"
        shutil.copytree(raw.parent / "peaceful.zarr", store)
        command = ["prepare", raw, store, "--jobs", 1, "--overwrite", "--codec", "zstd"]
        kill(at, store.parent, *command)
        found = tree(store)
        assert found in (peaceful, new)
        return found == new

    # Bisect for the change that replaces the store: before it, the store is the old one.
    first, last = 1, 1000
    with other_system.killing() as kill:
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (first, middle) if is_new(middle) else (middle, last)
    assert 1 < first < last < 1000


def test_a_full_disk_leaves_only_complete_scenes(raw: Path, tmp_path: Path) -> None:
    folder, store = tmp_path / "raw", tmp_path / "store.zarr"
    large = write_coded(folder, 603, 751, IDS[1])
    for scene_id in (IDS[0], IDS[2]):
        (folder / f"{scene_id}_prep.nc").symlink_to(raw / f"{scene_id}_prep.nc")
    # The limit is 100 kB per file: enough for two scenes, not for the inputs of the third.
    limited = 'ulimit -f 100; exec "$0" prepare "$1" "$2" --jobs 1'
    done = subprocess.run(
        ["bash", "-c", limited, SEAICE, folder, store], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert (
        done.stderr == f"left out: '{large}': cannot write to '{store}': File too large\n"
    )
    assert done.stdout.startswith("2 scenes written")
    assert Store.open(str(store)).scenes == (IDS[0], IDS[2])
    assert {path.name for path in store.iterdir()} == {"scenes", "zarr.json"}
    assert {path.name for path in (store / "scenes").iterdir()} == {
        "zarr.json",
        IDS[0],
        IDS[2],
    }


def test_two_writers_at_the_same_time_make_one_store(
    raw: Path, peaceful: Tree, tmp_path: Path
) -> None:
    store = tmp_path / "store.zarr"
    writers = [start(raw, store, "--jobs", "1") for _ in range(2)]
    assert [errors(writer.communicate()[1]) for writer in writers] == ["", ""]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert tree(store) == peaceful


def test_a_store_is_not_replaced_while_another_process_writes_to_it(
    raw: Path, peaceful: Tree, tmp_path: Path, other_system: OtherSystem
) -> None:
    store = tmp_path / "store.zarr"
    command = [SEAICE, "prepare", raw, store, "--jobs", 1]
    writer = other_system.start_to_stop(200, store, *command)
    assert 0 < len(list(store.glob("scenes/*_dmi"))) < len(IDS)
    try:
        with pytest.raises(StoreError, match="another process is writing to the store"):
            prepare(raw, str(store), overwrite=True)
    finally:
        writer.send_signal(signal.SIGCONT)
    assert errors(writer.communicate()[1]) == ""
    assert tree(store) == peaceful


def test_a_store_that_is_being_replaced_cannot_be_written(
    raw: Path, tmp_path: Path
) -> None:
    store = str(tmp_path / "store.zarr")
    prepare(raw, store)
    with (
        open_storage(store).lock(alone=True),
        pytest.raises(StoreError, match="another process is replacing the store"),
    ):
        prepare(raw, store)


def test_a_store_without_its_summary_opens_and_is_completed(
    raw: Path, peaceful: Tree, tmp_path: Path
) -> None:
    store = tmp_path / "store.zarr"
    prepare(raw, str(store), part=(1, 1))  # everything except the last write of `prepare`
    opened = Store.open(str(store))
    assert opened.scenes == tuple(IDS)
    assert opened.splits == {"train": (), "validation": (), "test": ()}
    prepare(raw, str(store))
    assert tree(store) == peaceful


@pytest.mark.parametrize("left", [[], ["zarr.json"], ["zarr.json", "scenes/zarr.json"]])
def test_a_store_that_was_interrupted_at_its_first_write_is_completed(
    raw: Path, peaceful: Tree, tmp_path: Path, left: list[str]
) -> None:
    store, whole = tmp_path / "store.zarr", tmp_path / "whole.zarr"
    StoreWriter.create(str(whole), Recipe())
    (store / ".staging" / "zarr.json.elsewhere.abcdef012345").mkdir(parents=True)
    for name in left:
        (store / name).parent.mkdir(exist_ok=True)
        (store / name).write_bytes((whole / name).read_bytes())
    prepare(raw, str(store))
    found = tree(store)
    assert {name: found[name] for name in peaceful} == peaceful


def test_root_attributes_are_never_half_written(raw: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "store.zarr")
    prepare(raw, path)
    ended = threading.Event()

    def write() -> None:
        for _ in range(30):
            finish(Store.open(path))
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not ended.is_set():
        assert len(Store.open(path).splits["train"]) == 8
    writer.join()
