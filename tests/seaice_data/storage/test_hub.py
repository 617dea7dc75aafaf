"""A store in a repository at Hugging Face, served on loopback."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from support.download_server import serving

from seaice_data.errors import StoreError
from seaice_data.store.store import Store


@pytest.fixture
def url(store_path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve a store; its inputs and charts are left out, except those of one scene."""
    root = Path(store_path)
    first = Store.open(store_path).splits["test"][0]
    with serving() as served:
        served.models = {
            f"a/store.zarr/{path.relative_to(root)}": path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and (path.suffix == ".json" or first in path.parts)
        }
        monkeypatch.setitem(
            fsspec.config.conf, "hf", {"endpoint": served.url, "token": False}
        )
        yield "hf://me/data/a/store.zarr"


def test_a_store_is_read_from_hugging_face(url: str, store_path: str) -> None:
    ours, theirs = Store.open(store_path), Store.open(url)
    assert theirs.splits == ours.splits
    assert theirs.recipe == ours.recipe
    scene = ours.splits["test"][0]
    for name in ("inputs", "charts"):
        pair = (np.asarray(getattr(store.scene(scene), name)) for store in (ours, theirs))
        np.testing.assert_array_equal(*pair)


def test_a_repository_without_a_store_is_named(url: str) -> None:
    with pytest.raises(StoreError, match="is not a seaice store"):
        Store.open(url.rpartition("/")[0])
