"""Sets of products: a folder a scene, complete or absent, and nothing else is touched."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.ingest_twins import write_twins

from seaice.main import app
from seaice_data.errors import SceneError, is_of_disk
from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.products.products import is_zipped
from seaice_data.synthetic.scene import _whole_folder, n_bytes, write_scene
from seaice_data.synthetic.scene_set import write_scenes

PLANS = plan_scenes(2, 200, seed=0)


def run(*options: object) -> None:
    with pytest.raises(SystemExit) as ended:
        app([str(option) for option in ("synth", *options)])
    assert ended.value.code == 0


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two scenes by the command."""
    out = tmp_path_factory.mktemp("set") / "out"
    run(out, "--version", "products", "--scenes", 2, "--size", 200, "--truth", "--jobs", 1)
    return out


@pytest.fixture
def copied(out: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(out, tmp_path / "out"))


def again(folder: Path, size: int = 200, *, overwrite: bool = False) -> tuple[int, int]:
    """Write the same set, and return how much was written and kept."""
    report = write_scenes(folder, 2, size, "products", overwrite=overwrite)
    return len(report.written), len(report.kept)


def test_each_scene_is_a_folder_with_a_product(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {plan.id for plan in PLANS}
    for plan in PLANS:
        (product,) = (out / plan.id).glob(f"{plan.upstream_id}.SAFE*")
        assert product.is_dir() != is_zipped(plan)
        assert (out.with_name("out-truth") / f"{plan.id}_truth.nc").is_file()


def test_each_folder_has_all_that_belongs_to_a_scene(out: Path) -> None:
    for plan in PLANS:
        names = {path.name for path in (out / plan.id).iterdir()}
        (product,) = (name for name in names if name.startswith(plan.upstream_id))
        assert names == {
            product,
            *("amsr2", "amsr2-l1b", "era5.nc", "era5.grib", "coast.gpkg", "synthetic.json"),
            *(f"{plan.chart_name}.gpkg", f"{plan.chart_name}.zip"),
        }
        for level in ("amsr2", "amsr2-l1b"):
            assert list((out / plan.id / level).glob("*.h5"))


def test_half_of_a_set_are_zips() -> None:
    plans = plan_scenes(40, 200, seed=3)
    assert [is_zipped(plan) for plan in plans] == [True, False] * 20


def test_command_says_what_it_wrote(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--version", "products", "--scenes", 2, "--size", 200, "--jobs", 1)
    run(out, *options)
    said = capsys.readouterr().out
    assert re.match(r"0 files and folders \(0.00 GB\) of 2 scenes written .* 2 kept", said)
    run(out, *options, "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["scenes"], said["written"]) == (2, [])
    assert sorted(said["kept"]) == sorted(str(out / plan.id) for plan in PLANS)


def test_truth_leaves_the_products_as_they_are(out: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path, 2, 200, "products")
    assert content(tmp_path) == content(out)


def test_existing_scenes_are_kept_and_absent_ones_written(copied: Path) -> None:
    before = content(copied)
    own = copied / PLANS[0].id / "own.txt"
    own.write_text("mine")
    shutil.rmtree(copied / PLANS[1].id)
    assert again(copied) == (1, 1)
    assert own.read_text() == "mine"
    own.unlink()
    assert content(copied) == before


def test_overwrite_replaces_folders(copied: Path) -> None:
    before = content(copied)
    damaged = next((copied / PLANS[1].id).rglob("manifest.safe"))
    damaged.write_text("")
    assert again(copied, overwrite=True) == (2, 0)
    assert content(copied) == before


def test_overwrite_removes_no_file_of_others(copied: Path) -> None:
    (copied / PLANS[0].id / "own.txt").write_text("mine")
    before = content(copied)
    with pytest.raises(SceneError, match=r"contains other files: 'own.txt'") as refusal:
        again(copied, overwrite=True)
    assert "move them away" in (refusal.value.hint or "")
    assert content(copied) == before


@pytest.mark.parametrize("overwrite", [True, False])
def test_folder_of_others_is_refused(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / PLANS[0].id).mkdir()
    with pytest.raises(SceneError, match="was not written by seaice synth"):
        again(tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == [PLANS[0].id]


def test_scenes_of_another_size_are_refused_and_replaced_on_request(copied: Path) -> None:
    with pytest.raises(SceneError, match=r"197 x 207 pixels, but .* have 247 x 259"):
        again(copied, 250)
    assert again(copied, 250, overwrite=True) == (2, 0)
    assert again(copied, 250) == (0, 2)


def test_scene_is_refused_where_it_exists(out: Path) -> None:
    with pytest.raises(SceneError, match="already exists"):
        write_scene(out, PLANS[0], "products")


def test_disk_that_takes_no_more_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["synth", out, "--version", "products", "--scenes", "1", "--size", "200"]
    seaice = Path(sys.executable).with_name("seaice")
    ended = subprocess.run(
        ["bash", "-c", 'ulimit -f 300; exec "$0" "$@"', seaice, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0] == f"error: cannot write '{out}': File too large"
    assert not list(out.iterdir())


def test_errors_name_the_folder_of_the_scene(tmp_path: Path) -> None:
    words = f"cannot write '{tmp_path}/scene/era5.nc'"
    with (
        pytest.raises(SceneError, match=f"(?m)^{re.escape(words)}$") as refusal,
        _whole_folder(tmp_path / "scene") as part,
    ):
        raise SceneError(f"cannot write '{part}/era5.nc'", hint="mend it") from OSError(
            28, "no space"
        )
    assert refusal.value.hint == "mend it"
    assert is_of_disk(refusal.value)
    assert not list(tmp_path.iterdir())


def test_two_commands_at_the_same_time_write_one_set(out: Path, tmp_path: Path) -> None:
    seaice = Path(sys.executable).with_name("seaice")
    options = ["--version", "products", "--scenes", "1", "--size", "200", "--jobs", "1"]
    both = [subprocess.Popen([seaice, "synth", tmp_path, *options]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert content(tmp_path / PLANS[0].id) == content(out / PLANS[0].id)


def test_space_on_disk_is_not_underestimated(out: Path) -> None:
    for plan in PLANS:
        written = sum(len(part) for part in content(out / plan.id).values())
        assert n_bytes(plan, "products") > written
    whole = plan_scenes(2, 5000, seed=0)
    # Measured: the images of the first take 407 MB, and their zip 254 MB more.
    assert n_bytes(whole[0], "products") == pytest.approx(717e6, rel=0.02)


def test_twins_are_three_versions_of_a_scene(tmp_path: Path) -> None:
    first, second = write_twins(tmp_path, size=150)
    assert (first.sentinel1.suffix, second.sentinel1.suffix) == (".zip", ".SAFE")
    assert (first.plan.service, second.plan.service) == ("cis", "dmi")
    assert all(
        path.is_file() for twin in (first, second) for path in (twin.raw, *twin.ready)
    )
