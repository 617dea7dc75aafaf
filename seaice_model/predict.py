"""Draw the charts of whole scenes and bring them to the SAR grid.

Classes are decided on the grid of the store; each pixel of the 80 m grid takes the class
of the stored pixel that stands for it (Chen et al. 2024, section 3.2).
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.channels import find_channel
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.grid import Window
from seaice_data.prepared import FLAG_LAND, FLAG_NO_SAR
from seaice_data.settings import differences, to_mapping
from seaice_data.store import Store, StoredScene
from seaice_model.batches import to_device
from seaice_model.checkpoint import Checkpoint, load_best, weights_fingerprint
from seaice_model.config import Precision
from seaice_model.device import arithmetic, find_device, memory_in_words
from seaice_model.errors import MapError, RunError
from seaice_model.maps import (
    ChartMap,
    Provenance,
    read_netcdf,
    read_provenance,
    read_scene_id,
    write_netcdf,
)
from seaice_model.metrics import ChartScorer
from seaice_model.pictures import draw_map, save_picture
from seaice_model.unet import MultiTaskUNet

log = logging.getLogger(__name__)

TILE = 2048
"""Pixels along one side of a tile. Scenes of up to this size are predicted whole."""

MARGIN = 128
"""Pixels around a tile that its prediction sees: more than half the receptive field of the
default network, 230 pixels, and a multiple of its stride."""


@dataclass(frozen=True, slots=True)
class PredictProgress:
    """Told after each scene."""

    n_done: int
    """Scenes done, kept ones included."""

    n_scenes: int
    """Scenes in all."""

    scene: str
    """Id of the scene just done."""

    is_kept: bool
    """Whether its map was there already."""


@dataclass(frozen=True, slots=True)
class PredictReport:
    """What `predict_store` did."""

    maps: tuple[Path, ...]
    """Maps of all scenes asked for, written or kept."""

    n_written: int
    """Maps drawn now."""

    n_kept: int
    """Maps of the same weights that were there already."""

    elapsed_s: float
    """Seconds in all."""


def predict_store(
    store: Store,
    run_path: Path,
    maps_path: Path,
    *,
    scenes: Sequence[str] | None = None,
    overwrite: bool = False,
    pictures: bool = True,
    device: str = "auto",
    progress: Callable[[PredictProgress], None] | None = None,
) -> PredictReport:
    """Draw maps of the scenes of a store with the best weights of a run.

    Each map is a netCDF file, and a picture of the same name. A map of the same weights
    and the same store that is there already is kept, so an interrupted call is repeated
    to go on; its picture is drawn if it is missing.

    Parameters
    ----------
    store
        Where the scenes are.
    run_path
        Folder of the run.
    maps_path
        Folder for the maps, made if needed.
    scenes
        Ids of the scenes; all that the run has neither trained nor validated on if not
        given.
    overwrite
        Draw maps anew that are there already, and replace those of other weights.
    pictures
        Whether to draw a picture beside each map.
    device
        Where the network runs: "auto", "cpu", "cuda" and so on.
    progress
        Told after each scene.

    Raises
    ------
    RunError
        If there is no run, it is damaged, the store does not fit it, or there is no scene
        to predict.
    MapError
        If a map of other weights or of another scene is in the way.
    StoreError
        If a scene is not in the store.
    """
    start = time.perf_counter()
    checkpoint = load_best(run_path)
    check_store(store, checkpoint)
    ids = _unseen_scenes(store, checkpoint, run_path) if scenes is None else scenes
    if not ids:
        raise RunError("no scene to predict", hint="name scenes, or another split")
    stored = [store.scene(scene_id) for scene_id in dict.fromkeys(ids)]
    provenance = provenance_of(store, checkpoint, run_path)
    paths = {scene.id: maps_path / f"{scene.id}.nc" for scene in stored}
    kept = set() if overwrite else _kept(paths, provenance)
    machine = find_device(device)
    network = on_device(checkpoint.network(), machine)
    _make_folder(maps_path)
    for n_done, scene in enumerate(stored, start=1):
        path = paths[scene.id]
        picture = path.with_suffix(".png")
        if scene.id not in kept:
            with memory_in_words("predicting", "use --device cpu, or a larger machine"):
                chart_map = predict_scene(network, scene, provenance)
            if pictures:
                _write_picture(chart_map, scene, picture)
            # The map comes last: where it is, the picture is too, if it was wanted.
            write_netcdf(chart_map, path)
        elif pictures and not picture.exists():
            _write_picture(read_netcdf(path), scene, picture)
        if progress is not None:
            progress(PredictProgress(n_done, len(stored), scene.id, scene.id in kept))
    return PredictReport(
        maps=tuple(paths.values()),
        n_written=len(paths) - len(kept),
        n_kept=len(kept),
        elapsed_s=time.perf_counter() - start,
    )


def predict_scene(
    network: MultiTaskUNet, scene: StoredScene, provenance: Provenance
) -> ChartMap:
    """Predict the charts of one scene on its 80 m grid.

    Pixels without SAR and land are 255. Pixels behind the last whole block take the class
    of their neighbour and are flagged.

    Parameters
    ----------
    network
        In evaluation mode, on any device; its channels must be in the store.
    scene
        A scene of a store.
    provenance
        What to write into the map.
    """
    start = time.perf_counter()
    coarse = predict_classes(network, read_inputs(scene, network.config.channels))
    rows, columns = scene.rows, scene.columns
    flags = scene.full_flags()
    charts = np.empty((len(CHARTS), *scene.source_grid.shape), np.uint8)
    is_masked = (flags & (FLAG_NO_SAR | FLAG_LAND)) != 0
    for plane, source in zip(charts, coarse, strict=True):
        np.take(source[rows], columns, axis=1, out=plane)
        plane[is_masked] = CHART_FILL
    log.info(
        "%s: predicted in %.2f s, %.0f %% masked",
        scene.id, time.perf_counter() - start, 100 * is_masked.mean(),
    )  # fmt: skip
    return ChartMap(
        scene=scene.id,
        acquired=scene.acquired,
        grid=scene.source_grid,
        charts=charts,
        flags=flags,
        tie_points=scene.tie_points,
        provenance=provenance,
    )


def predict_classes(
    network: MultiTaskUNet, inputs: FloatArray, precision: Precision = "float32"
) -> ChartArray:
    """Predict classes on the grid of `inputs`.

    Large planes are predicted in overlapping tiles, each of which sees `MARGIN` pixels of
    its neighbours.

    Parameters
    ----------
    network
        In evaluation mode, on any device.
    inputs
        Shape ``(y, x, channel)``, standardised, NaN is fill.
    precision
        Arithmetic of the convolutions.

    Returns
    -------
    ChartArray
        Shape ``(chart, y, x)``; every pixel has a class.
    """
    height, width = inputs.shape[:2]
    device = next(network.parameters()).device
    classes = np.empty((len(CHARTS), height, width), np.uint8)
    for tile, seen in _tiles(height, width):
        with torch.inference_mode(), arithmetic(device, precision):
            batch = to_device(np.ascontiguousarray(inputs[seen][np.newaxis]), device)
            planes = network(batch).classes()[0].cpu().numpy()
        inner = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(tile, seen, strict=True)
        )
        classes[:, *tile] = planes[:, *inner]
    return classes


def read_inputs(scene: StoredScene, channels: Sequence[str]) -> FloatArray:
    """Return the planes of a scene in the order of `channels`, ``(y, x, channel)``."""
    stored = scene.store.channels
    return np.asarray(scene.inputs[..., [stored.index(name) for name in channels]])


def check_store(store: Store, checkpoint: Checkpoint) -> None:
    """Make sure that a store has what a run was trained on.

    Channels may lie in another order, and there may be more. How they were resampled may
    differ, which is logged; ratio and standardisation may not.

    Raises
    ------
    RunError
        If channels are missing, or the ratio or the standardisation differs.
    """
    record, channels = checkpoint.settings.store, checkpoint.settings.config.model.channels
    missing = [name for name in channels if name not in store.channels]
    if missing:
        raise RunError(
            f"the store {store.path!r} lacks channels of the run: {', '.join(missing)}",
            hint="prepare it with the channels that the run was trained on",
        )
    if store.recipe.ratio != record.recipe.ratio:
        raise RunError(
            f"the store {store.path!r} has ratio {store.recipe.ratio}, "
            f"the run was trained on ratio {record.recipe.ratio}"
        )
    changed = [
        name
        for name, mean, std in zip(channels, record.means, record.stds, strict=True)
        if (find_channel(name).mean, find_channel(name).std) != (mean, std)
    ]
    if changed:
        raise RunError(f"the run has other means or deviations of: {', '.join(changed)}")
    ours = {**to_mapping(store.recipe), "channels": None}
    theirs = {**to_mapping(record.recipe), "channels": None}
    for difference in differences(ours, theirs):
        log.warning("store and run differ in %s", difference)


def _unseen_scenes(store: Store, checkpoint: Checkpoint, run_path: Path) -> tuple[str, ...]:
    """Return the scenes that the run has not seen."""
    if not store.scenes:
        raise RunError(
            f"the store {store.path!r} has no scenes",
            hint=f"add some with `seaice prepare raw/ {store.path}`",
        )
    settings = checkpoint.settings
    seen = {*settings.train_scenes, *settings.validation_scenes}
    ids = tuple(scene for scene in store.scenes if scene not in seen)
    if not ids:
        raise RunError(
            f"the run {str(run_path)!r} was trained or validated on every scene of "
            f"{store.path!r}",
            hint="name scenes with --scene, or give a store of other scenes",
        )
    return ids


def provenance_of(store: Store, checkpoint: Checkpoint, run_path: Path) -> Provenance:
    """Return what maps of a store by a run are made from."""
    return Provenance(
        run=str(run_path),
        weights=weights_fingerprint(checkpoint),
        epoch=checkpoint.state.n_epochs,
        store=store.path,
        store_fingerprint=store.fingerprint,
        software=f"seaice {version('seaice')}",
    )


def _kept(paths: dict[str, Path], provenance: Provenance) -> set[str]:
    """Return the scenes whose maps are there; refuse maps of other weights or stores."""
    kept = set()
    for scene, path in paths.items():
        if not path.exists():
            continue
        found = read_provenance(path)
        if (found.weights, found.store_fingerprint) != (
            provenance.weights,
            provenance.store_fingerprint,
        ):
            raise MapError(
                f"map {str(path)!r} was made from other weights or another store "
                f"(epoch {found.epoch} of {found.run!r}, {found.store!r})",
                hint="choose another folder, or replace it with --overwrite",
            )
        if (shown := read_scene_id(path)) != scene:
            raise MapError(
                f"map {str(path)!r} shows another scene, {shown!r}",
                hint="move it away, or replace it with --overwrite",
            )
        kept.add(scene)
    return kept


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MapError(
            f"cannot write maps to {str(path)!r}: {error.strerror or error}"
        ) from error


def on_device(network: MultiTaskUNet, device: torch.device) -> MultiTaskUNet:
    """Move a network to a device, in the memory format that its inputs have."""
    network = network.to(device)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _tiles(height: int, width: int) -> Iterator[tuple[Window, Window]]:
    """Cover a plane by tiles; give each tile and what its prediction sees."""
    for rows, rows_seen in _spans(height):
        for columns, columns_seen in _spans(width):
            yield (rows, columns), (rows_seen, columns_seen)


def _spans(n_pixels: int) -> Iterator[tuple[slice, slice]]:
    """Cut an axis into tiles, and add the margins that fit into the plane.

    Examples
    --------
    >>> [(t.start, t.stop, s.start, s.stop) for t, s in _spans(3000)]
    [(0, 2048, 0, 2176), (2048, 3000, 1920, 3000)]
    """
    for start in range(0, n_pixels, TILE):
        stop = min(start + TILE, n_pixels)
        seen = slice(max(start - MARGIN, 0), min(stop + MARGIN, n_pixels))
        yield slice(start, stop), seen


def _write_picture(chart_map: ChartMap, scene: StoredScene, path: Path) -> None:
    charts = scores = None
    if scene.has_charts:
        charts = scene.full_charts()
        scorer = ChartScorer()
        scorer.add(charts, chart_map.charts)
        scores = scorer.scores()
    names = [name for name in scene.store.channels if name in ("hh", "hv")]
    sar = {name: _in_decibels(scene, name) for name in names}
    save_picture(draw_map(chart_map, sar=sar, charts=charts, scores=scores), path)


def _in_decibels(scene: StoredScene, name: str) -> FloatArray:
    channel = find_channel(name)
    plane = scene.inputs[..., scene.store.channels.index(name)].astype(np.float32)
    return np.asarray(plane * channel.std + channel.mean, np.float32)
