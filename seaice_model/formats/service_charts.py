"""Charts of ice services in a store, in the form of maps, so that they can be converted."""

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_model.errors import MapError
from seaice_model.formats.polygons import EggCodes
from seaice_model.maps.chart_map import ChartMap, Provenance, absolute
from seaice_model.maps.decision import UNKNOWN, Decision


@dataclass(frozen=True, slots=True, eq=False)
class ServiceChart:
    """The charts of an ice service on the grid of a scene."""

    chart_map: ChartMap
    """The charts on the 80 m grid; the classes of its decision are those of the store."""

    egg_codes: EggCodes | None
    """Polygons of the chart with their egg codes; None if the store does not have them."""


def charted_scenes(path: str) -> tuple[list[StoredScene], int]:
    """Return the scenes of a store that have charts, and how many have none.

    Raises
    ------
    StoreError
        If it is not a store, or a scene cannot be read.
    MapError
        If no scene has charts.
    """
    store = Store.open(path)
    found = [store.scene(scene_id) for scene_id in store.scenes]
    if not (charted := [scene for scene in found if scene.has_charts]):
        raise MapError(f"no scene of the store {path!r} has charts of an ice service")
    return charted, len(found) - len(charted)


def service_chart(scene: StoredScene) -> ServiceChart:
    """Read the charts of a scene.

    Raises
    ------
    StoreError
        If the scene is damaged, or cannot be read.
    """
    classes = np.ascontiguousarray(np.moveaxis(scene.charts, -1, 0))
    unknown = np.full(classes.shape, UNKNOWN, np.uint8)
    decision = Decision(
        classes=classes,
        concentration=unknown[0],
        entropy=unknown,
        spread=None,
        probabilities=None,
        n_networks=0,
        rows=scene.rows,
        columns=scene.columns,
    )
    store = scene.store
    provenance = Provenance(
        run="",
        weights="",
        store=absolute(store.path),
        store_fingerprint=store.fingerprint,
        software=f"seaice {version('seaice')}",
        network="",
        original_name=scene.origin.original_name,
    )
    chart_map = ChartMap(
        scene=scene.id,
        acquired=scene.acquired,
        grid=scene.source_grid,
        charts=scene.full_charts(),
        flags=scene.full_flags(),
        tie_points=scene.tie_points,
        provenance=provenance,
        decision=decision,
        charted_by=scene.service or "unknown",
    )
    eggs = EggCodes(scene.polygon_ids(), scene.polygons) if scene.has_polygons else None
    return ServiceChart(chart_map, eggs)
