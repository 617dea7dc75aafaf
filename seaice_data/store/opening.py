"""Stores by their path: wherever a public function takes a store, it takes its path too."""

import os
from collections.abc import Sequence

from seaice_data.store.store import Store

AnyStore = Store | str | os.PathLike[str]
"""A store, or where it is: a path, or a URL."""


AnyStores = AnyStore | Sequence[AnyStore]
"""One store or several."""


def opened(store: AnyStore) -> Store:
    """Return a store, opened if its path is given.

    Raises
    ------
    StoreError
        If there is no store at the path.
    """
    return store if isinstance(store, Store) else Store.open(os.fspath(store))


def all_opened(stores: AnyStores) -> tuple[Store, ...]:
    """Return stores, of which there may be one or several; see `opened`."""
    if isinstance(stores, Store | str | os.PathLike):
        return (opened(stores),)
    return tuple(map(opened, stores))
