"""Files below a folder are listed once each, and nothing is left out silently."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from seaice_data.scenes.listing import list_files


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)


def test_links_are_followed_and_what_they_lead_to_is_taken_once(tmp_path: Path) -> None:
    raw, elsewhere = tmp_path / "raw", tmp_path / "elsewhere"
    write(raw / "b" / "one.nc", elsewhere / "two.nc", elsewhere / "deep" / "three.nc")
    (raw / "a_link.nc").symlink_to("b/one.nc")
    (raw / "a_folder").symlink_to("b")
    (raw / "c_folder").symlink_to(elsewhere)
    (raw / "d_folder").symlink_to(elsewhere / "deep")
    os.link(raw / "b" / "one.nc", raw / "b" / "twin.nc")
    found = list_files(raw, ".nc")
    assert found.paths == (
        raw / "b" / "one.nc",
        raw / "c_folder" / "deep" / "three.nc",
        raw / "c_folder" / "two.nc",
    )
    assert found.failed == ()


def test_loops_of_links_end(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "one.nc")
    (tmp_path / "sub" / "up").symlink_to("..")
    (tmp_path / "sub" / "itself").symlink_to("itself")
    found = list_files(tmp_path, ".nc")
    assert found.paths == (tmp_path / "sub" / "one.nc",)
    (failure,) = found.failed
    assert failure.reason == (f"'{tmp_path}/sub/itself': Too many levels of symbolic links")


def test_links_to_nothing_are_reported_whatever_their_names(tmp_path: Path) -> None:
    for name in ("train", "gone.nc"):
        (tmp_path / name).symlink_to("nowhere")
    assert [failure.reason for failure in list_files(tmp_path, ".nc").failed] == [
        f"'{tmp_path}/{name}': a link to a file or folder that is gone"
        for name in ("gone.nc", "train")
    ]


def test_what_is_not_a_file_is_reported_and_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "B.NC", tmp_path / "folder.nc" / "a.nc")
    os.mkfifo(tmp_path / "pipe.nc")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device.nc").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket.nc")
        found = list_files(tmp_path, ".nc")
    assert [path.name for path in found.paths] == ["B.NC", "a.nc"]
    assert [failure.reason for failure in found.failed] == [
        f"'{tmp_path}/{name}.nc' is not a regular file"
        for name in ("device", "pipe", "socket")
    ]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.nc", tmp_path / ".b.nc", tmp_path / ".trash" / "c.nc")
    (tmp_path / ".gone").symlink_to("nowhere")
    found = list_files(tmp_path, ".nc")
    assert (found.paths, found.failed) == ((tmp_path / "a.nc",), ())


LIST = """\
import sys
from pathlib import Path
from seaice_data.scenes.listing import list_files
found = list_files(Path(sys.argv[1]), ".nc")
print(*[path.name for path in found.paths], *[f.reason for f in found.failed], sep="\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="drops rights as Linux does")
def test_folders_and_files_that_may_not_be_read_are_reported(tmp_path: Path) -> None:
    write(tmp_path / "a.nc", tmp_path / "closed" / "b.nc", tmp_path / "listed" / "c.nc")
    (tmp_path / "closed").chmod(0)
    (tmp_path / "listed").chmod(0o444)  # names can be read, and nothing else
    command = [sys.executable, "-c", LIST, tmp_path]
    if os.geteuid() == 0:
        rights = "-dac_override,-dac_read_search"
        drop = ["setpriv", "--bounding-set", rights, "--inh-caps", rights]
        command = [*drop, *command]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (tmp_path / "closed").chmod(0o755)
    (tmp_path / "listed").chmod(0o755)
    assert done.stdout.splitlines() == [
        "a.nc",
        f"'{tmp_path}/closed': Permission denied",
        f"'{tmp_path}/listed/c.nc': Permission denied",
    ]
