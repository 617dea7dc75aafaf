import os
from pathlib import Path

import pytest

from seaice_data.errors import ForeignFileError
from seaice_data.system.ownership import CHARTS, PAGE, SUBMIT_SCRIPT, refuse_foreign

STYLE_OF_0_1 = ":root { --ink: #222; --soft: #5a5a5a; --line: #d5dbe1; --tint: #f3f6f9;"


def test_pages_and_scripts_of_the_first_version_are_known(tmp_path: Path) -> None:
    for name, head, marks in (
        ("index.html", f"<title>Ice charts</title>\n<style>\n{STYLE_OF_0_1}", PAGE),
        ("r.html", f"<title>Scores of ice charts</title>\n<style>\n{STYLE_OF_0_1}", PAGE),
        ("job.sh", "#!/bin/bash\n#SBATCH --job-name=seaice-study", SUBMIT_SCRIPT),
    ):
        (tmp_path / name).write_text(head)
        refuse_foreign(tmp_path / name, marks)
    (tmp_path / "mine.html").write_text("<title>Ice charts</title>")
    with pytest.raises(ForeignFileError):
        refuse_foreign(tmp_path / "mine.html", PAGE)


@pytest.mark.parametrize("make", ["file", "link", "gone"])
def test_a_file_of_others_is_replaced_only_on_request(tmp_path: Path, make: str) -> None:
    path = tmp_path / "index.html"
    if make == "file":
        path.write_text("mine")
    else:
        path.symlink_to(tmp_path / "other.html")
    if make == "link":
        (tmp_path / "other.html").write_text("mine")
    with pytest.raises(ForeignFileError, match="that seaice did not write") as caught:
        refuse_foreign(path, PAGE)
    assert "--overwrite" in str(caught.value.hint)
    refuse_foreign(path, PAGE, overwrite=True)


def test_devices_pipes_and_folders_are_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/null"), tmp_path / "pipe", tmp_path):
        with pytest.raises(ForeignFileError, match="is not a regular file"):
            refuse_foreign(path, PAGE, overwrite=True)


def test_a_mark_is_found_at_the_end_of_a_large_file_too(tmp_path: Path) -> None:
    path = tmp_path / "map.parquet"
    path.write_bytes(bytes(400_000) + CHARTS[0] + bytes(20_000))
    refuse_foreign(path, CHARTS)
    path.write_bytes(bytes(200_000) + CHARTS[0] + bytes(200_000))
    with pytest.raises(ForeignFileError):
        refuse_foreign(path, CHARTS)
