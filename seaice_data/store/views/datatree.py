"""A whole store as one tree of xarray, without opening thousands of files.

The tree has the names, axes, attributes and values that plain xarray finds. What describes
the arrays comes from `seaice_data.store.consolidated`; values are read through
`StoredScene.read` when they are used. So a copy of the metadata, even a wrong one, never
decides what is read.
"""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from seaice_data.charts import CHARTS
from seaice_data.errors import DamageError
from seaice_data.store.consolidated import array_documents
from seaice_data.store.group import StoreRoot
from seaice_data.store.layout import POLYGON_COLUMNS, array_forms
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene

log = logging.getLogger(__name__)


def datatree_of(store: Store) -> xr.DataTree:
    """Return a store as a tree; see `Store.to_datatree`."""
    scenes, failures = store.open_scenes(leave_out=DamageError)
    described, damaged = array_documents(store, scenes)
    for failure in (*failures, *damaged):
        log.warning("%s left out: %s", failure.name, failure.reason)
    labels = _labels(store)
    times = store.source_times
    nodes = {
        "/": xr.Dataset(attrs=dict(store.attributes)),
        "/scenes": xr.Dataset(attrs={"source_times": times} if times else {}),
    }
    for scene in scenes:
        if scene.id in described:
            node = _scene_node(scene, described[scene.id], labels)
            nodes[f"/scenes/{scene.id}"] = node
    return xr.DataTree.from_dict(nodes)


def _scene_node(
    scene: StoredScene, described: Mapping[str, Mapping[str, Any]], labels: xr.Coordinates
) -> xr.Dataset:
    """Return one scene, with arrays that are read later."""
    forms = array_forms(scene.known, scene.store.recipe)
    variables: dict[str, xr.Variable] = {}
    coordinates: dict[str, xr.Variable] = {}
    indexes: dict[str, xr.Index] = {}
    for name, document in described.items():
        if name in labels:
            coordinates[name] = labels[name].variable
            indexes[name] = labels.xindexes[name]
            continue
        attributes = dict(document.get("attributes", {}))
        dimensions = attributes.pop("_ARRAY_DIMENSIONS", document.get("dimension_names"))
        values = _StoredArray(scene, name, document["shape"], forms[name].dtype)
        lazy = indexing.LazilyIndexedArray(values)
        variable = xr.Variable(dimensions, lazy, attributes, fastpath=True)
        (coordinates if dimensions == [name] else variables)[name] = variable
    # Positions of tie points have no index: making it would read them now.
    known = xr.Coordinates(coordinates, indexes)
    return xr.Dataset(variables, known, dict(scene.attributes))


def _labels(store: StoreRoot) -> xr.Coordinates:
    """Return the labels of the axes, which are the same in all scenes."""
    names = {
        "channel": store.channels,
        "chart": [chart.name for chart in CHARTS],
        "polygon_column": POLYGON_COLUMNS,
    }
    axes = {axis: (axis, np.array(values)) for axis, values in names.items()}
    return xr.Dataset(coords=axes).coords


class _StoredArray(BackendArray):
    """An array of a scene, read when it is used."""

    def __init__(self, scene: StoredScene, name: str, shape: list[int], dtype: str) -> None:
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self._scene, self._name = scene, name

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the part that xarray asks for."""
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, self._read)

    def _read(self, part: tuple[int | slice, ...]) -> np.ndarray[Any, Any]:
        return self._scene.read(self._name, part)
