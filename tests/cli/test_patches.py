"""`seaice patches`: what it prints, and its exit codes."""

import json
import re
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
from support.export_stores import make_export_store


@pytest.fixture(scope="module")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patches")
    make_export_store(folder)
    return folder / "store.zarr"


def test_it_writes_patches_and_keeps_them(seaice, store_folder, tmp_path) -> None:
    command = ("patches", store_folder, tmp_path / "out", "--to", "npz", "--size", 32)
    options = ("--sample", "train=3", "--channels", "sar", "--jobs", 1)
    result = seaice(*command, *options)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"11 patches written to {tmp_path / 'out'}, 0.")
    assert result.out.endswith(": train 3, validation 4, test 4\n")
    again = seaice(*command, *options, "--json")
    found = json.loads(again.out)
    assert (found["written"], found["kept"], found["splits"]["train"]) == (0, 11, 3)
    other = seaice(*command, "--jobs", 1)
    assert other.code == 1
    assert "error: " in other.err
    assert "contains other patches: channels: [] instead of" in other.err


def test_a_group_is_its_channels_in_the_store(seaice, store_folder, tmp_path) -> None:
    command = ("patches", store_folder, tmp_path / "out", "--to", "npz", "--size", 64)
    result = seaice(*command, "--jobs", 1, "--channels", "era5, hh")
    assert (result.code, result.err) == (0, "")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [c["name"] for c in manifest["inputs"]["channels"]] == ["t2m", "hh"]
    for asked, message in (
        ("amsr2", "has no channel of the group 'amsr2'"),
        ("era", "has no channel 'era'"),
        ("hh,,hv", "has no channel ''"),
        ("hh,hh", "a channel is named twice in ['hh', 'hh']"),
    ):
        refused = seaice(*command, "--channels", asked)
        assert refused.code == 1
        assert message in refused.err


def test_one_split_can_be_chosen(seaice, store_folder, tmp_path) -> None:
    result = seaice(
        "patches", store_folder, tmp_path / "out", "--to", "webdataset", "--size", 40,
        "--split", "validation", "--jobs", 1,
    )  # fmt: skip
    assert result.out.endswith(": validation 4\n")
    assert [path.name for path in (tmp_path / "out").glob("*.tar")] == [
        "validation-000000.tar"
    ]


@pytest.mark.parametrize("text", ["train", "train=-1", "valid=3", "train=1e3"])
def test_a_number_that_cannot_be_read_is_refused(
    seaice, store_folder, tmp_path, text
) -> None:
    command = ("patches", store_folder, tmp_path / "out", "--to", "npz", "--sample", text)
    result = seaice(*command)
    assert result.code == 2
    assert "write train=8000" in result.err
    assert not (tmp_path / "out").exists()


def test_nnunet_says_which_chart_it_leaves_out(seaice, store_folder, tmp_path) -> None:
    result = seaice(
        "patches", store_folder, tmp_path / "out", "--to", "nnunet", "--size", 32,
        "--where", "id == 20190301T000000_cis", "--jobs", 1,
    )  # fmt: skip
    assert result.code == 0
    assert "note: no training patch has a class of FLOE" in result.err


def test_the_page_about_patches_runs_in_order(seaice, store_folder, tmp_path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "patches.md").read_text()
    (tmp_path / "store.zarr").symlink_to(store_folder)
    with chdir(tmp_path):
        for line in re.findall(r"^\$ seaice (.*)", page, re.MULTILINE):
            options = line.replace("train=8000", "train=4").split()
            assert seaice(*options, "--jobs", 1).code == 0
        code = "".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
        run = [sys.executable, "-c", code]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert "(256, 256, 3) (256, 256, 3)" in done.stdout
    assert "float16 ['hh' 'hv' 't2m'] 20190501T000000_dmi" in done.stdout
    assert done.stdout.endswith("6 {'train': 4, 'validation': 1, 'test': 1}\n")
