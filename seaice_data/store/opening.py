"""Stores by their path: wherever a public function takes a store, it takes its path too."""

import os

from seaice_data.store.store import Store

AnyStore = Store | str | os.PathLike[str]
"""A store, or where it is: a path, or a URL."""


def opened(store: AnyStore) -> Store:
    """Return a store, opened if its path is given.

    Raises
    ------
    StoreError
        If there is no store at the path.
    """
    return store if isinstance(store, Store) else Store.open(os.fspath(store))
