"""Scenes with polygons, whose SIC is the position of the polygon in the table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from support.learnable_scenes import prepared_scene

from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import COLUMNS, PolygonTable
from seaice_data.grid import Grid
from seaice_data.store.origin import Origin
from seaice_data.store.recipe import Recipe
from seaice_data.store.statistics import count_classes
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.writer import StoreWriter

RECIPE = Recipe(ratio=1, channels=("hh", "hv"))


def polygon_table(rows: Mapping[int, Sequence[int]]) -> PolygonTable:
    """Return a table from the egg codes of each id; those left out are -9."""
    codes = [[*row, *[-9] * (len(COLUMNS) - len(row))] for row in rows.values()]
    ids = np.array([*rows], np.int64)
    return PolygonTable(
        ids, np.reshape(codes, (len(ids), len(COLUMNS))), np.zeros(len(ids), np.bool_)
    )


def write_polygons(
    path: str,
    scenes: Mapping[str, np.ndarray],
    table: PolygonTable,
    recipe: Recipe = RECIPE,
    *,
    mixed: Sequence[int] = (),
) -> Store:
    """Write a store of scenes with these planes of polygon ids, -1 is none.

    Polygons of `mixed` ids have neither a stage of development nor a floe size.
    """
    store = StoreWriter.create(path, recipe)
    for scene_id, ids in scenes.items():
        grid = Grid(*ids.shape, 80.0)
        plane = np.full(ids.shape, CHART_FILL, np.uint8)
        for position, number in enumerate(table.ids.tolist()):
            plane[ids == number] = position % 11
        charts = np.stack([plane, np.minimum(plane, 5), np.minimum(plane, 6)])
        charts[:, plane == CHART_FILL] = CHART_FILL
        charts[1:, np.isin(ids, mixed)] = CHART_FILL
        scene = prepared_scene(scene_id, recipe, grid, origin=Origin(version="raw"))
        charted = replace(
            scene,
            charts=np.moveaxis(charts, 0, -1),
            full_charts=charts,
            class_counts=count_classes(charts),
            full_class_counts=count_classes(charts),
            polygons=table,
            polygon_ids=ids.astype(np.int32),
        )
        store.write(charted, {})
    finish(Store.open(path))
    return Store.open(path)
