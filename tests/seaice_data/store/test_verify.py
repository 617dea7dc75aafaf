"""Damage is found, named and can be repaired; what cannot be read is not damage."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from support.coded_scenes import write_coded

from seaice_data.errors import StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.settings import from_mapping
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.verify import Damage, VerifyReport, remove_damaged, verify
from seaice_data.store.writer import StoreWriter

IDS = ("20190114T101830_dmi", "20190214T101830_dmi")


@pytest.fixture(scope="module", params=[(2, "zstd"), (3, "none")], ids=str)
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Recipe]:
    """Write a raw folder, a store, and its recipe."""
    folder = tmp_path_factory.mktemp("verify")
    for scene_id in IDS:
        write_coded(folder / "raw", 203, 251, scene_id)
    zarr_format, codec = request.param
    recipe = from_mapping(Recipe, {"zarr_format": zarr_format, "codec": codec})
    prepare(folder / "raw", str(folder / "store.zarr"), recipe)
    return folder / "raw", folder / "store.zarr", recipe


@pytest.fixture
def store(whole: tuple[Path, Path, Recipe], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[1], tmp_path / "store.zarr"))


def files_of(store: Path, name: str) -> list[Path]:
    return sorted(p for p in (store / "scenes" / IDS[1] / name).rglob("*") if p.is_file())


def chunk_of(store: Path, name: str) -> Path:
    return next(p for p in files_of(store, name) if p.name[0].isdigit())


def found(store: Path) -> list[tuple[str, str]]:
    return [(damage.scene, damage.array) for damage in verify(str(store)).damages]


def test_a_whole_store_has_no_damage(store: Path) -> None:
    report = verify(str(store), jobs=2)
    assert (report.n_scenes, report.damages, report.damaged_scenes) == (2, (), ())


def test_a_flipped_bit_anywhere_in_a_scene_is_found(store: Path) -> None:
    rng = np.random.default_rng(0)
    for path in files_of(store, ""):
        content = path.read_bytes()
        flipped = bytearray(content)
        # Metadata also has parts without a meaning here, such as the level of a codec.
        values = path.name[0].isdigit()
        place = int(rng.integers(len(content))) if values else content.index(b"{")
        flipped[place] ^= 1 << int(rng.integers(7))
        path.write_bytes(flipped)
        damages = verify(str(store)).damages
        path.write_bytes(content)
        if path.name in (".zgroup",):  # zarr does not look into it, and so it does no harm
            continue
        assert [damage.scene for damage in damages] == [IDS[1]], path
        if values:
            assert damages[0].array == path.relative_to(store / "scenes" / IDS[1]).parts[0]


@pytest.mark.parametrize("name", ["inputs", "charts", "full_charts", "tie_line", "channel"])
def test_a_chunk_that_is_cut_or_missing_is_found(store: Path, name: str) -> None:
    chunk = chunk_of(store, name)
    chunk.write_bytes(chunk.read_bytes()[:-3])
    assert found(store) == [(IDS[1], name)]
    chunk.unlink()
    report = verify(str(store))
    assert f"'{name}' lacks 1 of " in report.damages[0].reason


def test_a_missing_array_is_found(store: Path) -> None:
    shutil.rmtree(store / "scenes" / IDS[1] / "full_flags")
    assert found(store) == [(IDS[1], "full_flags")]


def test_changed_attributes_are_found(store: Path) -> None:
    for path in files_of(store, ""):
        if path.parent.name == IDS[1] and b'"month": 2' in path.read_bytes():
            path.write_bytes(path.read_bytes().replace(b'"month": 2', b'"month": 3'))
    assert verify(str(store)).damages == (
        Damage(IDS[1], "", "attributes are not as they were written"),
    )


def test_root_attributes_that_do_not_fit_the_scenes_are_found_and_repaired(
    whole: tuple[Path, Path, Recipe], store: Path
) -> None:
    StoreWriter(str(store)).remove(IDS[1])
    (damage,) = verify(str(store)).damages
    assert damage.reason.startswith("attributes do not fit the scenes: splits")
    prepare(whole[0], str(store), whole[2])
    assert verify(str(store)).damages == ()


def test_damaged_scenes_are_removed_and_prepared_again(
    whole: tuple[Path, Path, Recipe], store: Path
) -> None:
    chunk_of(store, "inputs").unlink()
    remove_damaged(str(store), verify(str(store)))
    assert Store.open(str(store)).scenes == IDS[:1]
    assert prepare(whole[0], str(store), whole[2]).written == IDS[1:]
    assert verify(str(store)).damages == ()
    assert {p.name for p in store.iterdir()} == {p.name for p in whole[1].iterdir()}


def scenes_in(store: Path) -> tuple[str, ...]:
    return tuple(sorted(p.name for p in (store / "scenes").iterdir() if p.is_dir()))


def without_rights() -> list[str]:
    """Return how to run a command without the rights of root, if this is root."""
    if os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root can read everything, and setpriv is not here")
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", rights, "--inh-caps", rights]


@pytest.mark.parametrize(
    "name", ["", "inputs", "inputs/document", "inputs/chunk", "full_charts/chunk"]
)
def test_a_file_that_may_not_be_read_is_not_damage(store: Path, name: str) -> None:
    array, _, part = name.partition("/")
    places = {
        "": store / "scenes" / IDS[1],
        "document": next(p for p in files_of(store, array) if not p.name[0].isdigit()),
        "chunk": chunk_of(store, array),
    }
    place = places[part] if part else places[""] / array
    place.chmod(0)
    seaice = Path(sys.executable).with_name("seaice")
    done = subprocess.run(
        [*without_rights(), seaice, "verify", store, "--remove", "--jobs", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    place.chmod(0o755)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert IDS[1] in done.stderr
    assert "Traceback" not in done.stderr
    assert scenes_in(store) == IDS


def test_a_disk_that_fails_is_not_damage(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk_of(store, "tie_line").unlink()  # this is
    report = verify(store)
    assert report.damaged_scenes == IDS[1:]

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for library, name in ((np, "memmap"), (zarr.Array, "__getitem__")):
        with monkeypatch.context() as patched:
            patched.setattr(library, name, fail)
            if name == "memmap" and not Store.open(store).scene(IDS[0]).is_mapped:
                continue
            with pytest.raises(StoreError, match="cannot be read: Input/output error"):
                verify(store)
            with pytest.raises(StoreError, match="cannot be read: Input/output error"):
                remove_damaged(store, report)
    loop = chunk_of(store, "charts")
    loop.unlink()
    loop.symlink_to(loop.name)
    with pytest.raises(StoreError, match=r"'charts' cannot be read: .*symbolic links"):
        remove_damaged(store, report)
    assert scenes_in(store) == IDS


def test_no_more_memory_or_threads_are_not_damage(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (MemoryError(), RuntimeError("can't start new thread")):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(zarr.Array, "__getitem__", fail)
        kind = MemoryError if isinstance(error, MemoryError) else StoreError
        with pytest.raises(kind):
            verify(store)


def test_a_setting_with_which_zarr_reads_nothing_is_not_damage(store: Path) -> None:
    report = VerifyReport(2, (Damage(IDS[0], "tie_sample", "seen before"),), {}, 0.0)
    with zarr.config.set({"async.concurrency": "many"}):
        for ask in (lambda: verify(store), lambda: remove_damaged(store, report)):
            with pytest.raises(
                StoreError, match="zarr does not work here: '<' not"
            ) as said:
                ask()
            assert said.value.hint is None
    assert (scenes_in(store), found(store)) == (IDS, [])


def test_a_scene_that_was_repaired_in_the_meantime_stays(store: Path) -> None:
    chunk = chunk_of(store, "inputs")
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1])
    report = verify(store)
    assert report.damaged_scenes == IDS[1:]
    chunk.write_bytes(content)
    assert remove_damaged(store, report) == ()
    assert scenes_in(store) == IDS
    chunk.write_bytes(content[:-1])
    assert remove_damaged(store, report) == IDS[1:]
    assert remove_damaged(store, report) == ()


def test_a_chunk_on_a_disk_that_is_not_there_is_not_damage(store: Path) -> None:
    chunk = chunk_of(store, "full_charts")
    chunk.unlink()
    chunk.symlink_to("/not/mounted/chunk")
    with pytest.raises(StoreError, match="is a link to a file that is gone"):
        verify(store)
    assert scenes_in(store) == IDS


def test_a_chunk_that_is_not_a_file_is_damage_and_is_not_opened(store: Path) -> None:
    chunk = chunk_of(store, "charts")
    chunk.unlink()
    os.mkfifo(chunk)
    assert found(store) == [(IDS[1], "charts")]


def test_chunks_of_shards_are_counted_as_they_are_stored(store: Path) -> None:
    opened = Store.open(store)
    if opened.recipe.zarr_format == 2:
        pytest.skip("format 2 has no shards")
    group = zarr.open_group(store / "scenes" / IDS[1])
    charts = group["full_charts"]
    assert isinstance(charts, zarr.Array)
    group.create_array(
        "full_charts",
        data=np.asarray(charts[...]),
        chunks=(1, 64, 64),
        shards=(1, 128, 128),
        attributes=charts.attrs.asdict(),
        dimension_names=charts.metadata.dimension_names,  # type: ignore[union-attr]
        overwrite=True,
    )
    assert verify(store).damages == ()
    chunk_of(store, "full_charts").unlink()
    (damage,) = verify(store).damages
    assert damage.reason == "'full_charts' lacks 1 of 12 chunks"
