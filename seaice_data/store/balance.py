"""What a network of your own needs to know of the training scenes, one call each.

- ``class_weights`` balances the classes of a chart in a loss;
- ``normalisation`` gives means and deviations of the channels.

Both come from counts and sums in the metadata of the scenes: no pixel is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray
from seaice_data.channels import find_channels
from seaice_data.charts import CHARTS
from seaice_data.errors import SettingsError, StoreError
from seaice_data.settings import nearest
from seaice_data.store.channel_choice import asked_channels, channel_columns
from seaice_data.store.division import divided, listed_scenes
from seaice_data.store.opening import AnyStore, opened
from seaice_data.store.statistics import ChannelStats, add_counts
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.texts import counted

_LEAST_STD = 1e-6
"""Deviations below it are rounding errors of a channel that is the same everywhere."""


def class_weights(
    store: AnyStore,
    chart: str,
    *,
    scenes: Sequence[str] | None = None,
    power: float = 1.0,
) -> NDArray[np.float32]:
    """Return weights of the classes of a chart that make rare ones count more in a loss.

    A class of ``n`` pixels gets a weight proportional to ``n ** -power``; the mean weight
    of the labelled pixels is one. Classes that no pixel has get 0.

    Parameters
    ----------
    store
        The store, or where it is.
    chart
        ``SIC``, ``SOD`` or ``FLOE``.
    scenes
        Ids of the scenes to count; the training split if not given.
    power
        1 gives all classes the same total weight, 0 all pixels the same weight; 0.5 is a
        usual compromise where classes are very rare.

    Returns
    -------
    NDArray
        Weight of each class, float32, shape ``(class,)``; fill has none.

    Raises
    ------
    SettingsError
        If there is no such chart, or `power` is not in 0..1.
    StoreError
        If the store is not divided into splits yet, a scene is not in it, or no pixel of
        the scenes has a class.

    Notes
    -----
    With ``power=1`` these are the "balanced" weights of scikit-learn (King and Zeng 2001),
    ``n_pixels / (n_classes * n)``.

    Examples
    --------
    >>> weights = class_weights("store.zarr", "SOD")  # doctest: +SKIP
    >>> loss = nn.CrossEntropyLoss(  # doctest: +SKIP
    ...     weight=torch.from_numpy(weights), ignore_index=255
    ... )
    """
    if chart not in (names := [known.name for known in CHARTS]):
        raise SettingsError(f"there is no chart {chart!r}", hint=nearest(chart, names))
    if not 0 <= power <= 1:
        raise SettingsError(f"power must be in 0..1, got {power}")
    store = opened(store)
    found = _open(store, scenes)
    counts = add_counts(scene.class_counts for scene in found)[chart][:-1]
    n = np.array(counts, np.float64)
    if not n.any():
        n_scenes = counted(len(found), "scene")
        raise StoreError(
            f"no pixel of {n_scenes} of {store.path!r} has a class of {chart}",
            hint="choose scenes with charts; `seaice info` shows the classes of a store",
        )
    weights = np.power(n, -power, out=np.zeros_like(n), where=n > 0)
    return np.asarray(weights * n.sum() / (n * weights).sum(), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Normalisation:
    """Means and standard deviations of channels, over the valid pixels of some scenes.

    Stores are standardised already, by statistics of the whole dataset. These say what is
    left to do for the scenes at hand: ``(inputs - mean) / std``.
    """

    channels: tuple[str, ...]
    """Names of the channels."""

    mean: FloatArray
    """Mean of each channel as it is stored, float32; 0 if no scene has a value of it."""

    std: FloatArray
    """Its standard deviation, float32; 1 if it has no value, or the same everywhere."""

    @property
    def physical_mean(self) -> FloatArray:
        """Mean of each channel in its unit (`Channel.unit`)."""
        known = find_channels(self.channels)
        return self.mean * [c.std for c in known] + [c.mean for c in known]

    @property
    def physical_std(self) -> FloatArray:
        """Standard deviation of each channel in its unit."""
        return self.std * [channel.std for channel in find_channels(self.channels)]


def normalisation(
    store: AnyStore,
    *,
    channels: str | Sequence[str] | None = None,
    scenes: Sequence[str] | None = None,
) -> Normalisation:
    """Return means and deviations of the stored channels.

    Parameters
    ----------
    store
        The store, or where it is.
    channels
        Names of channels or groups, in this order; all if not given.
    scenes
        Ids of the scenes; the training split if not given.

    Raises
    ------
    StoreError
        If the store is not divided into splits yet, it has no training scenes, or a
        channel or scene is not in it.

    Examples
    --------
    >>> found = normalisation("store.zarr", channels=["hh", "hv"])  # doctest: +SKIP
    >>> found.physical_mean  # doctest: +SKIP
    array([-19.8, -29.1])
    """
    store = opened(store)
    names = asked_channels(store, channels)
    columns = channel_columns(store, names)
    stats = ChannelStats.merge(scene.stats for scene in _open(store, scenes))
    mean, std = np.nan_to_num(stats.mean[columns]), stats.std[columns]
    std = np.where(std > _LEAST_STD, std, 1.0)
    return Normalisation(
        channels=names, mean=mean.astype(np.float32), std=std.astype(np.float32)
    )


def _open(store: Store, scenes: Sequence[str] | None) -> list[StoredScene]:
    """Return scenes by id, at least one; the training split if not given."""
    ids = divided(store)["train"] if scenes is None else listed_scenes(scenes)
    if not ids:
        raise StoreError(
            f"the store {store.path!r} has no training scenes"
            if scenes is None
            else "no scene is named: scenes is empty",
            hint="name scenes with `scenes`; `seaice info` shows the splits of a store",
        )
    return [store.scene(scene_id) for scene_id in ids]
