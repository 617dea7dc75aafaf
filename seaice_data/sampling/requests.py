"""What is asked of a sampler: read as it is meant, or refused in words.

Python lets anything be passed; a size of ``(64, 64)`` or an augmentation of ``True`` would
otherwise fail far from where it was written.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

from seaice_data.errors import SettingsError
from seaice_data.sampling.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    find_augmentation,
)
from seaice_data.sampling.patch import Patch
from seaice_data.sampling.windows import Sampling
from seaice_data.scene_id import SceneId
from seaice_data.settings import nearest
from seaice_data.store.division import divided, listed_scenes
from seaice_data.store.store import Store


def whole_number(name: str, value: Any, hint: str | None = None) -> int:
    """Return a whole number of any type; others are refused.

    Raises
    ------
    SettingsError
        If it is not a whole number.

    Examples
    --------
    >>> whole_number("size", 64)
    64
    """
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise SettingsError(f"{name} must be a whole number, got {value!r:.80}", hint=hint)


def asked_size(size: Any) -> int:
    """Return the side of a patch.

    Raises
    ------
    SettingsError
        If it is not a whole number, or below 1.
    """
    first = size[0] if isinstance(size, tuple | list) and size else 256
    hint = f"patches are squares, and size is one side in pixels: write size={first!r:.20}"
    number = whole_number("size", size, hint)
    if number < 1:
        raise SettingsError(f"size must be at least 1, got {number}")
    return number


def asked_augmentation(augmentation: Any) -> Augmentation:
    """Return an augmentation, which may be given by its name; None is none.

    Raises
    ------
    SettingsError
        If it is something else, or no augmentation has the name.
    """
    if isinstance(augmentation, Augmentation):
        return augmentation
    if augmentation is None or isinstance(augmentation, str):
        return find_augmentation("none" if augmentation is None else augmentation)
    suggested = "default" if augmentation is True else "none"
    raise SettingsError(
        f"augmentation must be a name or an Augmentation, got {augmentation!r:.80}",
        hint=f"write augmentation={suggested!r}; names are {', '.join(AUGMENTATIONS)}",
    )


def asked_sampling(sampling: Any) -> Sampling:
    """Return how patches are sampled; None is the default.

    Raises
    ------
    SettingsError
        If it is something else.
    """
    if sampling is None:
        return Sampling()
    if isinstance(sampling, Sampling):
        return sampling
    raise SettingsError(
        f"sampling must be a Sampling, got {sampling!r:.80}",
        hint=f"write sampling=Sampling(over={sampling!r:.20})"
        if isinstance(sampling, str)
        else "write for example sampling=Sampling(over='area')",
    )


def asked_transform(transform: Any) -> Callable[[Patch], Any] | None:
    """Return a function of a patch, or None.

    Raises
    ------
    SettingsError
        If it cannot be called.
    """
    if transform is None or callable(transform):
        return cast("Callable[[Patch], Any] | None", transform)
    raise SettingsError(
        f"transform must be a function of a patch, got {transform!r:.80}",
        hint="it is called with each patch: a dictionary of arrays",
    )


def asked_scenes(store: Store, scenes: Any, split: Any) -> Sequence[str]:
    """Return the ids of scenes that are named, or those of a split.

    Raises
    ------
    SettingsError
        If both are given, `scenes` are not ids, or `split` is not a split.
    StoreError
        If the store has not been divided into splits.
    """
    if scenes is None:
        return _scenes_of("train" if split is None else split, store)
    if split is not None:
        raise SettingsError("give either scenes or split", hint="leave out one of them")
    if isinstance(scenes, str) and not SceneId.is_one(scenes):
        raise SettingsError(
            f"scenes must be ids of scenes, got the text {scenes!r:.80}",
            hint=f"write split={scenes!r:.80}",
        )
    return listed_scenes(scenes)


def _scenes_of(split: Any, store: Store) -> Sequence[str]:
    splits = divided(store)
    if not isinstance(split, str) or split not in splits:
        hint = nearest(split, splits) if isinstance(split, str) else None
        raise SettingsError(
            f"there is no split {split!r:.80}",
            hint=hint or f"splits are {', '.join(splits)}",
        )
    return splits[split]
