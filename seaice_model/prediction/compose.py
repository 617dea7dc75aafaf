"""Compose a map from what any network decided on the grid of the store.

- ``compose_map`` takes the decision of networks of seaice.
- ``compose_chart_map`` takes plain classes and probabilities, of any other network.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from seaice_data.arrays import ChartArray, FloatArray, IntArray, Mask, order_hint
from seaice_data.charts import CHARTS, SIC
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR
from seaice_data.settings import nearest
from seaice_data.sources.inputs import SceneInputs, StoreSource
from seaice_data.store.opening import AnyStore, opened
from seaice_model.errors import MapError
from seaice_model.maps.chart_map import ChartMap, MapGrid, Provenance, SceneUse, absolute
from seaice_model.maps.decision import UNKNOWN, Decision
from seaice_model.maps.placement import place
from seaice_model.prediction.ballot import (
    concentration_of,
    entropy_of,
    moments_of,
    probabilities_of,
    spread_of,
)

log = logging.getLogger(__name__)

_SUM_TOLERANCE = 0.01
"""How far the sum of probabilities may be from 1: half precision is not exact."""


def compose_chart_map(
    store: AnyStore,
    scene_id: str,
    classes: IntArray,
    *,
    network: str,
    probabilities: Mapping[str, FloatArray] | None = None,
    scene_use: SceneUse = "unseen",
    grid: MapGrid = "original",
) -> ChartMap:
    """Compose the map of a scene from the classes that a network of your own decided on.

    The map is masked, placed and described like the maps of ``seaice predict``: land and
    pixels without SAR are 255, pixels after the last whole block take the class of their
    neighbour and are flagged. `write_netcdf` writes it for ``seaice score``,
    ``seaice convert`` and xarray.

    Parameters
    ----------
    store
        Where the scene is: a store, its path or its URL. For many scenes, open it once.
    scene_id
        Its id.
    classes
        Classes on the grid of the store, shape ``(chart, y, x)``, charts in the order of
        ``CHARTS``, any integer type; every pixel has a class, on land too.
    network
        Name of the network. ``seaice score`` distinguishes networks by their names: give
        other weights another name.
    probabilities
        Class probabilities by chart, shape ``(class, y, x)``, for charts for which they
        are known. The map then says how sure the network is.
    scene_use
        How the training of the network used the scene.
    grid
        Grid of the map.

    Raises
    ------
    MapError
        If classes or probabilities are invalid, or on another grid.
    StoreError
        If the scene is not in the store, or damaged.
    SceneError
        If the map would be a single row or column of pixels.

    Examples
    --------
    >>> chart_map = compose_chart_map(  # doctest: +SKIP
    ...     store, scene_id, logits.argmax(1).numpy(), network="my CNN, epoch 7"
    ... )
    >>> write_netcdf(chart_map, f"maps/{scene_id}.nc")  # doctest: +SKIP
    """
    if scene_use not in get_args(SceneUse):
        hint = nearest(scene_use, get_args(SceneUse))
        raise MapError(f"unknown scene_use {scene_use!r}", hint=hint)
    source = StoreSource(opened(store), [scene_id])
    scene = source.read(scene_id, charts=False)
    shape = scene.planes.shape[:2]
    decided = _as_bytes(scene_id, classes, shape)
    shares = {
        name: _as_shares(scene_id, name, planes, shape)
        for name, planes in (probabilities or {}).items()
    }
    provenance = Provenance(
        network=network,
        run=network,
        weights=network,
        store=absolute(source.name),
        store_fingerprint=source.fingerprint,
        software=f"seaice {version('seaice')}",
        scene_use=scene_use,
        trained_on_denoising="",
    )
    return compose_map(scene, _decision(decided, shares), provenance, grid=grid)


def compose_map(
    scene: SceneInputs,
    decision: Decision,
    provenance: Provenance,
    *,
    grid: MapGrid = "original",
) -> ChartMap:
    """Place a decision on the grid of a map.

    Pixels without SAR and land are 255. Pixels after the last whole block take the class of
    their neighbour and are flagged.

    Parameters
    ----------
    scene
        A scene of a `Source`.
    decision
        On the grid of its planes. Uncertainty is overwritten with `UNKNOWN` (in place)
        wherever every pixel of the map is masked.
    provenance
        What to write into the map; what the scene says of its file is added.
    grid
        Grid of the map.

    Raises
    ------
    SceneError
        If the map would be a single row or column of pixels.
    """
    placed = place(scene, grid)
    is_masked = (placed.flags & (FLAG_NO_SAR | FLAG_LAND)) != 0
    share = np.count_nonzero(is_masked) / is_masked.size
    log.info("%s: %.0f %% masked", scene.id, 100 * share)
    _forget(decision, ~placed.blocks_with(~is_masked, decision.concentration.shape))
    return ChartMap(
        scene=scene.id,
        acquired=scene.acquired,
        grid=placed.grid,
        charts=placed.show(decision.classes, is_masked),
        flags=placed.flags,
        tie_points=placed.tie_points,
        provenance=provenance.of_scene(scene.file_hash, scene.origin),
        grid_name=grid,
        decision=replace(decision, rows=placed.rows, columns=placed.columns),
    )


def _forget(decision: Decision, hidden: Mask) -> None:
    """Overwrite uncertainty, in place, where no pixel of the map shows it."""
    for planes in (
        decision.concentration,
        decision.entropy,
        decision.spread,
        *(decision.probabilities or {}).values(),
    ):
        if planes is not None:
            planes[..., hidden] = UNKNOWN


def _decision(classes: ChartArray, shares: Mapping[str, Tensor]) -> Decision:
    """Return a decision from classes, and the probabilities of some charts."""
    entropy = np.full(classes.shape, UNKNOWN, np.uint8)
    for plane, chart in zip(entropy, CHARTS, strict=True):
        if chart.name in shares:
            plane[:] = entropy_of(shares[chart.name])
    knows_sic = SIC.name in shares
    number = torch.from_numpy(classes[CHARTS.index(SIC)]).float()
    moments = moments_of(shares[SIC.name]) if knows_sic else (number, number.square())
    return Decision(
        classes=classes,
        concentration=concentration_of(moments),
        entropy=entropy,
        spread=spread_of(moments) if knows_sic else None,
        probabilities={n: probabilities_of(s) for n, s in shares.items()} or None,
        n_networks=1,
        sic_basis="probabilities" if knows_sic else None,
        rows=np.arange(classes.shape[1]),
        columns=np.arange(classes.shape[2]),
    )


def _as_bytes(scene_id: str, classes: IntArray, shape: tuple[int, ...]) -> ChartArray:
    """Return a copy of classes as bytes; reject what is not a class of its chart."""
    planes = np.asarray(classes)
    said = f"classes of scene {scene_id!r}"
    if planes.shape != (expected := (len(CHARTS), *shape)):
        raise MapError(
            f"{said} must have shape {expected}, got {planes.shape}",
            hint=order_hint(planes.shape, expected)
            or "pass one plane per chart, on the grid of the store",
        )
    if planes.dtype.kind not in "iu":
        raise MapError(
            f"{said} must be whole numbers, got {planes.dtype}",
            hint="take the argmax over the classes; round SIC: np.rint(percent / 10)",
        )
    for chart, plane in zip(CHARTS, planes, strict=True):
        if wrong := [v for v in (plane.min(), plane.max()) if not 0 <= v < chart.n_classes]:
            raise MapError(
                f"{said}: {chart.name} has no class {wrong[0]}",
                hint="give every pixel a class, masks are applied here; SIC is 0 to 10",
            )
    return planes.astype(np.uint8)


def _as_shares(
    scene_id: str, name: str, planes: FloatArray, shape: tuple[int, ...]
) -> Tensor:
    """Return probabilities as a tensor; reject what cannot be probabilities."""
    n_classes = {chart.name: chart.n_classes for chart in CHARTS}
    said = f"probabilities of scene {scene_id!r}"
    if name not in n_classes:
        raise MapError(f"{said}: no chart {name!r}", hint=nearest(name, n_classes))
    shares = np.array(planes, np.float32)
    if shares.shape != (expected := (n_classes[name], *shape)):
        raise MapError(
            f"{said}: {name} must have shape {expected}, got {shares.shape}",
            hint=order_hint(shares.shape, expected),
        )
    # Written so that NaN is rejected, too.
    if not (shares.min() >= 0 and np.abs(shares.sum(axis=0) - 1).max() <= _SUM_TOLERANCE):
        raise MapError(
            f"{said}: {name} must be from 0 to 1 and sum to 1 at every pixel",
            hint="take the softmax of logits over the classes",
        )
    return torch.from_numpy(shares)
