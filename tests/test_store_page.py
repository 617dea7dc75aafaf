"""The page about stores in Python does what it says."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent


def test_the_snippets_of_the_page_run(
    store_path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(store_path, tmp_path / "store.zarr")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "store.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    exec(code, {})  # noqa: S102 - without warnings, which are errors here
    printed = capsys.readouterr().out
    assert printed.startswith("6 scenes\n")
    assert " K\n" in printed
    with Image.open("sod.png") as picture:
        assert picture.size[0] > 900
    assert Path("scenes.gpkg").is_file()
