"""The examples run, each in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "tests" / "examples"

EXPECTED = {
    "patches_with_xbatcher.py": "(4, 2, 16, 16) (4, 3, 16, 16)",
    "random_forest.py": "weighted F1 of SOD on test pixels",
    "read_with_xarray.py": "degrees north",
    "registered_network.py": "scores",
    "train_with_jax.py": "cross-entropy of SOD",
    "train_with_lightning.py": "resumed: True {'val_loss': ",
}


def test_every_example_is_run() -> None:
    assert set(EXPECTED) == {path.name for path in EXAMPLES.glob("*.py")}


def test_every_loader_shown_loads_other_patches_in_each_epoch() -> None:
    folders = ("tests/examples/*.py", "*.md", "docs/*.md", "seaice_*/*.md")
    shown = [path for folder in folders for path in ROOT.glob(folder)]
    code = [
        re.findall(r"```(?:python|\{code-cell\}.*)\n((?:.*\n)*?)```", p.read_text())
        for p in shown
    ]
    texts = [
        "".join(blocks) or p.read_text() for p, blocks in zip(shown, code, strict=True)
    ]
    ways = ("DataLoader(", " loader(", "StoreDataModule(")
    loaders = [t for t in texts if "Patch" in t and any(way in t for way in ways)]
    assert len(loaders) >= 4
    assert not any("sampler=range(" in text for text in loaders)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_runs(name: str, store_path: str) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, store_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert EXPECTED[name] in done.stdout
