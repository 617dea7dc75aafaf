"""Fixtures for all tests, made once: scenes, a store. No test changes them."""

import os
from collections import Counter
from pathlib import Path

import hypothesis
import pytest
import torch
from support.other_systems import OtherSystem

from seaice_data.preparation.prepare import prepare
from seaice_data.store.recipe import Recipe
from seaice_data.synthetic.scene_set import write_scenes

# No test calls Hugging Face; those that need a server of that kind start one.
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

if not torch.cuda.is_available():
    # Before anything imports Triton: kernels for GPUs are tested in its interpreter.
    os.environ["TRITON_INTERPRET"] = "1"

# How long an example takes depends on how busy the machine is.
hypothesis.settings.register_profile("seaice", deadline=None)
hypothesis.settings.load_profile("seaice")

LONG = {
    "test_examples.py", "test_object_store.py", "test_pipeline.py", "test_products.py",
    "test_study.py",
}  # fmt: skip
"""Files that take long with few tests, none of which is slow."""

collect_ignore = ["support/bench_torchgeo.py"]  # torchgeo is in another environment

CONFIG = """\
[model]
filters = [8, 8]
[train]
patch_size = 32
batch_size = 4
n_iterations = 8
n_epochs = 2
learning_rate = 0.01
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take longest: at the end, they would keep one process."""
    n_tests = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    slow |= {path for path in n_tests if path.name in LONG}
    items.sort(key=lambda item: (item.path not in slow, -n_tests[item.path]))


@pytest.fixture(scope="session")
def raw_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write six synthetic scenes, one of them a test scene."""
    folder = tmp_path_factory.mktemp("session") / "raw"
    write_scenes(folder, 6, 320)
    return folder


@pytest.fixture(scope="session")
def store_path(raw_folder: Path) -> str:
    """Prepare these scenes at ratio 5."""
    path = str(raw_folder.parent / "store.zarr")
    prepare(raw_folder, path, Recipe(ratio=5))
    return path


@pytest.fixture(scope="session")
def config_path(raw_folder: Path) -> Path:
    """Configure a network that trains in seconds."""
    path = raw_folder.parent / "config.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="session")
def other_system(tmp_path_factory: pytest.TempPathFactory) -> OtherSystem:
    """Run programs as on other disks and kernels."""
    return OtherSystem(tmp_path_factory.mktemp("preload"))
