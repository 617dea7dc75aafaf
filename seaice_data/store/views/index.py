"""The scenes of a store as a table: when, where, by whom, and how much of each class."""

import importlib.util
import logging
from typing import Any

import pandas as pd

from seaice_data.charts import CHARTS
from seaice_data.errors import DamageError, Failure, StoreError
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.store.views.footprint import footprint_wkt
from seaice_data.system.geo_libraries import geo_libraries

log = logging.getLogger(__name__)

_COLUMNS = (
    *("time", "service", "region", "month", "split", "has_charts", "height", "width"),
    "labelled",
    *(
        f"{chart.name}_{meaning}"
        for chart in CHARTS
        for meaning in chart.flag_meanings.split()
    ),
    "footprint",
)


def index_of(store: Store) -> pd.DataFrame:
    """Return the table of a store; see `Store.index`."""
    scenes, failures = store.open_scenes(leave_out=DamageError)
    split_of = {scene: name for name, ids in store.splits.items() for scene in ids}
    rows: dict[str, dict[str, Any]] = {}
    for scene in scenes:
        try:
            rows[str(scene.id)] = _row(scene, split_of.get(scene.id, "none"))
        except DamageError as error:  # in its tie points
            failures.append(Failure.of(scene.id, error))
    for failure in failures:
        log.warning("%s left out: %s", failure.name, failure.reason)
    names = pd.Index(list(rows), name="id", dtype=str)
    table = pd.DataFrame(list(rows.values()), index=names, columns=_COLUMNS)
    if importlib.util.find_spec("geopandas") is None:
        return table
    with geo_libraries(StoreError, "geo"):
        import geopandas  # late: an extra

        outlines = geopandas.GeoSeries.from_wkt(table["footprint"], crs="EPSG:4326")
        return geopandas.GeoDataFrame(
            table.assign(footprint=outlines), geometry="footprint"
        )


def _row(scene: StoredScene, split: str) -> dict[str, Any]:
    height, width = scene.grid.shape
    return {
        "time": pd.Timestamp(scene.acquired),
        "service": scene.service,
        "region": scene.region,
        "month": scene.acquired.month,
        "split": split,
        "has_charts": scene.has_charts,
        "height": height,
        "width": width,
        "labelled": scene.valid_share,
        **_class_shares(scene),
        "footprint": footprint_wkt(scene.tie_points),
    }


def _class_shares(scene: StoredScene) -> dict[str, float]:
    """Return the share of each class among the pixels of its chart, by column."""
    shares = {}
    for chart in CHARTS:
        counts = scene.full_class_counts[chart.name][:-1]
        total = sum(counts)
        for meaning, count in zip(chart.flag_meanings.split(), counts, strict=True):
            shares[f"{chart.name}_{meaning}"] = count / total if total else float("nan")
    return shares
