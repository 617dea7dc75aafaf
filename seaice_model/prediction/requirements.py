"""What networks need of scenes: channels, their constants, and SAR as they know it."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from seaice_data.channels import Group, find_channels
from seaice_data.errors import SceneError, StoreError, is_of_disk
from seaice_data.sources.inputs import ReducedSource, SceneInputs, Source
from seaice_data.store.origin import Origin
from seaice_data.store.store import Store
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import RunError
from seaice_model.prediction.predictor import Predictor, recipe_differences
from seaice_model.runs.checkpoint import Checkpoint

log = logging.getLogger(__name__)

_OPTIONS = {"amsr2": "--amsr2", "era5": "--era5"}
"""Options of `seaice ingest` that add a group of channels to a scene."""


@dataclass(frozen=True, slots=True)
class Suitability:
    """Which scenes networks can predict, before any of them is read."""

    failed: dict[str, SceneError | StoreError] = field(default_factory=dict)
    """Why others cannot be predicted: they lack a channel, or cannot be opened."""

    denoised_otherwise: dict[str, str] = field(default_factory=dict)
    """How noise was removed from the SAR of scenes, where a network was not trained on any
    scene like that."""

    drawn_without: dict[str, str] = field(default_factory=dict)
    """Groups of channels that networks read and do without, as ``amsr2, era5``, by scene
    that lacks them."""


def check_store(store: Store, checkpoint: Checkpoint) -> None:
    """Make sure that a run can predict the scenes of a store.

    Channels may be in another order, and there may be more of them. They may be resampled
    in another way, which is logged; ratio and standardisation must be equal.

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
    check_constants(checkpoint)
    for difference in recipe_differences(store.recipe, record.recipe):
        log.warning("store and run differ in %s", difference)


def check_constants(checkpoint: Checkpoint) -> None:
    """Refuse a run that was trained on planes standardised in another way.

    Raises
    ------
    RunError
        If it was.
    """
    record, channels = checkpoint.settings.store, checkpoint.settings.config.model.channels
    changed = [
        channel.name
        for channel, mean, std in zip(
            find_channels(channels), record.means, record.stds, strict=True
        )
        if (channel.mean, channel.std) != (mean, std)
    ]
    if changed:
        raise RunError(
            "the run was trained with other means or standard deviations of: "
            f"{', '.join(changed)}"
        )


def look_at_scenes(
    source: Source, predictor: Predictor, scenes: Sequence[str]
) -> Suitability:
    """Compare scenes with what networks need; no plane is read."""
    found = Suitability()
    for scene in scenes:
        try:
            origin = source.origin(scene)
            check_channels(scene, origin, predictor)
        except (SceneError, StoreError) as error:
            if is_of_disk(error):
                raise
            found.failed[scene] = error
            continue
        if not predictor.knows(origin.denoising):
            found.denoised_otherwise[scene] = origin.denoising
        if lost := origin.groups_absent_among(predictor.channels):
            found.drawn_without[scene] = ", ".join(lost)
    return found


def check_channels(scene: str, origin: Origin, predictor: Predictor) -> None:
    """Reject a scene that lacks channels that networks need.

    Raises
    ------
    SceneError
        If it does.
    """
    if not (absent := origin.absent_among(needed_channels(predictor))):
        return
    options = [_OPTIONS[name] for name in absent if name in _OPTIONS]
    other = "use a run whose network does not read them"
    hint = (
        f"add them with `seaice ingest {' '.join(options)}`, or {other} or has learned to "
        f"do without ({', '.join(f'drop_{name}' for name in absent)})"
    )
    raise SceneError(
        f"scene {scene} has no {', '.join(absent)}, which the run reads",
        hint=hint if len(options) == len(absent) else other,
    )


def needed_channels(predictor: Predictor) -> tuple[str, ...]:
    """Return the channels without which networks cannot predict.

    These are all that a network reads, except of groups that patches of its training lacked
    (`Augmentation.dropped`).
    """
    configs = [checkpoint.settings.config for checkpoint in predictor.checkpoints]
    needed = {name for config in configs for name in _needed_by(config)}
    return tuple(name for name in predictor.channels if name in needed)


def reduced(source: Source, predictor: Predictor, without: Collection[str]) -> Source:
    """Return scenes as networks see them that can do without groups of channels.

    Parameters
    ----------
    source
        Where the scenes come from.
    predictor
        The networks.
    without
        Names of groups that are left out of all scenes.

    Raises
    ------
    RunError
        If a network needs one of them.
    """
    groups = [Group(name) for name in without]
    for path, checkpoint in zip(predictor.paths, predictor.checkpoints, strict=True):
        config = checkpoint.settings.config
        needed = {channel.group for channel in find_channels(_needed_by(config))}
        for group in groups:
            if group in needed:
                raise RunError(
                    f"the run {str(path)!r} cannot predict without {group}: no patch that "
                    "it was trained on lacked it",
                    hint=f"train one that can, with --set drop_{group}=0.2",
                )
    return ReducedSource(source, without=groups, whole=_spared(predictor))


def without_incomplete(scene: SceneInputs, predictor: Predictor) -> SceneInputs:
    """Return a scene without groups that lack a channel and that networks do without.

    They have learned to do without whole groups, not without some of their channels.
    """
    return scene.without(scene.origin.groups_absent_among(_spared(predictor)))


def _spared(predictor: Predictor) -> tuple[str, ...]:
    """Return the channels that networks read and can do without."""
    needed = needed_channels(predictor)
    return tuple(name for name in predictor.channels if name not in needed)


def _needed_by(config: RunConfig) -> tuple[str, ...]:
    dropped = config.augmentation.dropped
    channels = find_channels(config.model.channels)
    return tuple(channel.name for channel in channels if channel.group not in dropped)


def warn_of_denoising(denoised: Mapping[str, str], predictor: Predictor, n: int) -> None:
    """Warn, once, of scenes that were denoised in another way than training scenes.

    Parameters
    ----------
    denoised
        How noise was removed from their SAR, by scene.
    predictor
        The networks.
    n
        Scenes in all.
    """
    if not denoised:
        return
    ways = {*denoised.values()}
    trained_on = [checkpoint.settings.denoisings for checkpoint in predictor.checkpoints]
    others = [known for known in trained_on if ways.difference(known)]
    some = (
        "the run was"
        if len(trained_on) == 1
        else f"{len(others)} of {len(trained_on)} runs were"
    )
    log.warning(
        "noise was removed from %d of %d scenes in another way (%s) than from those that "
        "%s trained on (%s): maps may be worse",
        len(denoised), n, ", ".join(sorted(ways)), some,
        ", ".join(sorted({name for known in others for name in known})),
    )  # fmt: skip
