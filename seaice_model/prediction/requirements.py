"""What networks need of a scene: the channels that they read, and SAR as they know it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seaice_data.errors import SceneError, StoreError, is_of_disk
from seaice_data.sources.inputs import Source
from seaice_data.store.origin import Origin
from seaice_model.prediction.predictor import Predictor

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
    hint = f"add them with `seaice ingest {' '.join(options)}`, or {other}"
    raise SceneError(
        f"scene {scene} has no {', '.join(absent)}, which the run reads",
        hint=hint if len(options) == len(absent) else other,
    )


def needed_channels(predictor: Predictor) -> tuple[str, ...]:
    """Return the channels without which networks cannot predict: all that they read.

    A network that is trained to do without a group would not need it: this is the place to
    leave it out.
    """
    return predictor.channels


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
