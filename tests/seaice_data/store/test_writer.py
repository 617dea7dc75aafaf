"""Writing is separate from reading; old names of methods work for one version."""

from pathlib import Path

import pytest

from seaice_data.errors import StoreError
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.writer import StoreWriter

WRITING = {
    "clear", "create", "erase", "is_absent", "note_source_times", "refuse_to_remove",
    "remove", "write", "write_summary",
}  # fmt: skip


def test_a_store_offers_nothing_that_changes_it(store_path: str) -> None:
    assert not WRITING & ({*dir(Store(store_path))} | {*dir(Store)})
    assert {*dir(StoreWriter(store_path))} >= WRITING


def test_former_methods_work_with_a_warning(tmp_path: Path) -> None:
    path = str(tmp_path / "store.zarr")
    with pytest.warns(FutureWarning, match=r"'Store.create' is now 'StoreWriter.create'"):
        made = Store.create(path, Recipe())  # type: ignore[attr-defined]
    assert isinstance(made, StoreWriter)
    with pytest.warns(FutureWarning, match=r"'Store.note_source_times' is now"):
        Store(path).note_source_times({"a": [1]})  # type: ignore[attr-defined]
    assert Store(path).source_times == {"a": [1]}
    with pytest.warns(FutureWarning, match=r"'Store.erase' is now"):
        Store.erase(path)  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="not a seaice store"):
        Store(path)


def test_unknown_names_are_unknown(store_path: str) -> None:
    with pytest.raises(AttributeError, match="'Store' has no attribute 'wirte'"):
        Store(store_path).wirte  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="'Store' has no attribute 'wirte'"):
        Store.wirte  # type: ignore[attr-defined]  # noqa: B018
