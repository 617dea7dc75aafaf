"""Store documents with odd values end in a clear error, or in what was written.

``SEAICE_FUZZ=3000 pytest tests/seaice_data/store/test_fuzzed_stores.py`` tries more.
"""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.coded_scenes import write_coded

from seaice_data.errors import SeaIceError
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.settings import from_mapping
from seaice_data.sources.charts import charts_of
from seaice_data.store.recipe import Recipe
from seaice_data.store.selection import select
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.verify import verify

IDS = ("20190114T101830_dmi", "20190214T101830_dmi")
N_VARIANTS = int(os.environ.get("SEAICE_FUZZ", "24"))
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 3, 10**9, 2**64, 1.5, float("nan"), float("inf"), "", "a", "../../x",
    "\0", "\ud800", "9" * 5000, "NaN", "|O", [], [1], [[None]], {}, {"name": "pickle"},
)  # fmt: skip
READERS: tuple[Callable[[Store], object], ...] = (
    lambda store: [store.scene(scene_id).to_xarray() for scene_id in store.scenes],
    lambda store: [store.scene(scene_id).full_charts() for scene_id in store.scenes],
    lambda store: [store.scene(scene_id).tie_points for scene_id in store.scenes],
    lambda store: (store.splits, store.splits_leak, store.class_counts, store.stats),
    lambda store: PatchSampler(store, size=16, scenes=store.scenes).batch(range(2)),
    lambda store: select(store, "month in 1..12"),
    lambda store: [scene.read() for scene in charts_of(store).scenes.values()],
    lambda store: verify(store.storage.url),
    finish,
)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where values are in a document."""
    yield place
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from places(value[key], (*place, key))


def changed(document: Any, choose: random.Random) -> Any:
    """Return a document in which one value is odd or missing."""
    *outer, last = choose.choice([place for place in places(document) if place])
    inner = document
    for key in outer:
        inner = inner[key]
    if choose.random() < 0.2:
        del inner[last]
    else:
        inner[last] = choose.choice(ODD_VALUES)
    return document


@pytest.mark.parametrize(("zarr_format", "codec"), [(2, "zstd"), (3, "none")])
def test_odd_documents_end_in_a_clear_error(
    tmp_path: Path, zarr_format: int, codec: str
) -> None:
    for scene_id in IDS:
        write_coded(tmp_path / "raw", 103, 126, scene_id)
    recipe = from_mapping(Recipe, {"zarr_format": zarr_format, "codec": codec})
    prepare(tmp_path / "raw", tmp_path / "whole.zarr", recipe)
    whole, store = tmp_path / "whole.zarr", tmp_path / "store.zarr"
    choose = random.Random(zarr_format)  # noqa: S311 - no secret
    groups = [whole, whole / "scenes" / IDS[1]]
    for _ in range(N_VARIANTS // 2):
        group = choose.choice(groups)
        documents = [*group.glob(".z*"), *group.glob("zarr.json")]
        if group is groups[1]:
            documents += [*group.glob("*/.z*"), *group.glob("*/zarr.json")]
        document = choose.choice(sorted(documents))
        content = changed(json.loads(document.read_text()), choose)
        shutil.copytree(whole, store)
        (store / document.relative_to(whole)).write_text(json.dumps(content))
        for read in READERS:
            with suppress(SeaIceError):
                read(Store.open(store))
        shutil.rmtree(store)
    assert verify(whole).damages == ()
