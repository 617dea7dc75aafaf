"""Augmentation of patches (flips, rotation, scale, cutmix): settings, and sampling by them.

- ``Augmentation`` says what may happen to a patch; ``AUGMENTATIONS`` has the profiles,
  ``find_augmentation`` finds one by its name;
- ``sample_turns`` returns the flips, rotation and scale of each patch; `Turns` makes one
  matrix of them, and another that turns the wind vector with the patch;
- ``sample_mixing`` returns the box and the partner of each patch for cutmix;
- ``sample_absent`` returns which groups of channels each patch lacks.

Everything here is arithmetic on numbers; `seaice_data.sampling.cut` moves the pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.channels import DISPENSABLE, Group
from seaice_data.deprecation import former_arguments, former_attribute
from seaice_data.errors import SettingsError
from seaice_data.sampling.random_numbers import Stream, below, uniform
from seaice_data.settings import ADDED, formerly, nearest

Method = Literal["bilinear", "nearest"]
Beyond = Literal["scene", "fill"]
Direction = Literal["samples", "-samples", "lines", "-lines"]

_TURN_WIND = MappingProxyType({True: ("samples", "lines"), False: ()})
"""What ``turn_wind`` of version 0.1 meant."""

_STEPS = np.array([(1 + np.sqrt(5)) / 2, np.sqrt(2)])
"""By this much, without whole numbers, the values that decide whether a patch lacks AMSR2
and ERA5 move on from one patch to the next. Multiples of the golden ratio are spread most
evenly in 0..1, those of the root of 2 nearly so, and both together as well."""


@former_arguments(_TURN_WIND, turn_wind="wind_axes")
@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """What happens to a patch, and how often; the defaults are our profile ``default``.

    Probabilities and ranges are those of Chen et al. (2024), Table 3, as in the official
    code. What happens to a patch depends on the seed and its number alone. Charts are
    always taken from the nearest pixel.
    """

    flip_x: float = 0.5
    """Probability that left and right are swapped."""

    flip_y: float = 0.5
    """Probability that top and bottom are swapped."""

    rotation: float = 0.5
    """Probability of a rotation about the centre of the patch."""

    rotation_range_deg: tuple[int, ...] = (-90, 89)
    """Smallest and largest rotation, in whole degrees, clockwise."""

    scale: float = 0.5
    """Probability of a scale from `scale_range`."""

    scale_range: tuple[float, ...] = (0.9, 1.1)
    """Smallest and largest scale, sampled uniformly; above 1 enlarges."""

    scale_otherwise: float = 1.0
    """Scale of the other patches; the official code zooms them by the upper end of its
    range."""

    cutmix: float = 0.5
    """Probability that a box is replaced by that of another patch, charts and all. Each
    group of `cutmix_group` patches shares decision and box, as a batch does in the official
    code; the share of the box is sampled from Beta(1, 1)."""

    cutmix_group: int = 16
    """Number of patches that mix with each other: ``16 k`` to ``16 k + 15``, however they
    are spread over batches (the batch of Chen et al. 2024, Table 3)."""

    method: Method = "bilinear"
    """How inputs are interpolated between pixels. Fill has no weight, and a place is fill
    if its nearest pixel is."""

    beyond: Beyond = "scene"
    """What a turned patch shows beyond its window: the scene, as far as it extends, or
    fill, as in the official code."""

    wind_axes: tuple[Direction, ...] = field(
        default=(), metadata=formerly("turn_wind", _TURN_WIND)
    )
    """Directions in the scene in which positive u10m and v10m blow, such as ``("samples",
    "lines")``; a minus is against the axis, as in ``("lines", "-samples")``. If given, the
    wind turns with the patch. If not, it stays as it is in the scene: the authors of the
    dataset do not say which axes they mean; `check_scenes` tests this on their files."""

    drop_amsr2: float = field(default=0.0, metadata=ADDED)
    """Probability that a patch lacks AMSR2: all of its channels are fill in the whole
    patch, so that the network learns to do without (see `seaice predict --without`)."""

    drop_era5: float = field(default=0.0, metadata=ADDED)
    """Probability that a patch lacks ERA5, independent of `drop_amsr2`."""

    turn_wind = former_attribute("turn_wind", "wind_axes")

    def __post_init__(self) -> None:
        """Reject settings that cannot work."""
        probabilities = ("flip_x", "flip_y", "rotation", "scale", "cutmix")
        for name in (*probabilities, "drop_amsr2", "drop_era5"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(
                    f"{name} must be a probability in 0..1, got {getattr(self, name)}"
                )
        for name in ("rotation_range_deg", "scale_range"):
            values = getattr(self, name)
            if len(values) != 2 or not values[0] <= values[1]:
                raise SettingsError(
                    f"{name} must be its smallest, then largest value, got {list(values)}"
                )
        if max(map(abs, self.rotation_range_deg)) > 360:
            raise SettingsError(
                f"rotation_range_deg must be in -360..360, got {self.rotation_range_deg}"
            )
        for name, scale in (
            ("scale_range", self.scale_range[0]),
            ("scale_otherwise", self.scale_otherwise),
        ):
            if not 0.1 <= scale <= 10:
                raise SettingsError(f"{name} must be in 0.1..10, got {scale}")
        if self.scale_range[1] > 10:
            raise SettingsError(f"scale_range must be in 0.1..10, got {self.scale_range}")
        along = [direction.removeprefix("-") for direction in self.wind_axes]
        if self.wind_axes and sorted(along) != ["lines", "samples"]:
            raise SettingsError(
                "wind_axes must be one direction along the samples and one along the "
                f"lines, got {list(self.wind_axes)}",
                hint="for example [samples, -lines]; [] does not turn the wind",
            )
        if self.cutmix_group < 2:
            raise SettingsError(
                f"cutmix_group must be at least 2, got {self.cutmix_group}",
                hint="set cutmix to 0 to mix no patches",
            )

    @property
    def is_plain(self) -> bool:
        """Whether patches are windows of their scenes, bit for bit."""
        return not self.cutmix and self.turns_none and not self.dropped

    @property
    def turns_none(self) -> bool:
        """Whether no patch is flipped, rotated or scaled."""
        moves = (self.flip_x, self.flip_y, self.rotation, self.scale)
        return not any(moves) and self.scale_otherwise == 1

    @property
    def drop_probabilities(self) -> dict[Group, float]:
        """Probability that a patch lacks a group, for each of `DISPENSABLE`."""
        return {Group.AMSR2: self.drop_amsr2, Group.ERA5: self.drop_era5}

    @property
    def dropped(self) -> tuple[Group, ...]:
        """Groups that some patches lack."""
        return tuple(group for group, p in self.drop_probabilities.items() if p)

    @property
    def wind_directions(self) -> FloatArray:
        """The directions ``(y, x)`` in the scene of positive u and v, as columns."""
        directions = np.zeros((2, 2))
        for component, direction in enumerate(self.wind_axes):
            along = ("lines", "samples").index(direction.removeprefix("-"))
            directions[along, component] = -1 if direction.startswith("-") else 1
        return directions


_OFFICIAL = Augmentation(scale_otherwise=1.1, method="nearest", beyond="fill")

AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType(
    {
        "none": Augmentation(flip_x=0, flip_y=0, rotation=0, scale=0, cutmix=0),
        "official": _OFFICIAL,
        "paper": Augmentation(method="nearest", beyond="fill"),
        "default": Augmentation(),
    }
)
"""Named augmentations: none at all; the official code of Chen et al. (2024), which zooms by
1.1 where it samples no scale; their paper; and ours, cut from the scene in one resampling.
All but ``none`` have the same flips, rotations, scales and cutmix."""


def find_augmentation(name: str) -> Augmentation:
    """Return the augmentation called `name`.

    Raises
    ------
    SettingsError
        If there is none; the hint suggests the nearest name.

    Examples
    --------
    >>> find_augmentation("none").is_plain
    True
    """
    if name not in AUGMENTATIONS:
        raise SettingsError(
            f"unknown augmentation {name!r}", hint=nearest(name, AUGMENTATIONS)
        )
    return AUGMENTATIONS[name]


@dataclass(frozen=True, slots=True)
class Turns:
    """Flips, rotation and scale of each patch, in the order of the numbers."""

    flip_x: FloatArray
    """-1 where left and right are swapped, else 1."""

    flip_y: FloatArray
    """-1 where top and bottom are swapped, else 1."""

    angle_deg: FloatArray
    """Clockwise rotation in degrees, after the flips."""

    scale: FloatArray
    """Scale; like the rotation, about the centre."""

    def to_scene(self) -> FloatArray:
        """Return the matrices that map a patch back to its scene.

        They map the offset ``(y, x)`` of a pixel from the centre of the patch to its
        offset from the centre of the window in the scene. Shape ``(patch, 2, 2)``.
        """
        angle = np.deg2rad(self.angle_deg)
        # Quarter turns exactly: pixels then fall on pixels.
        cosine = np.where(np.abs(self.angle_deg) % 180 == 90, 0.0, np.cos(angle))
        sine = np.where(np.abs(self.angle_deg) % 180 == 0, 0.0, np.sin(angle))
        matrices = np.empty((len(angle), 2, 2))
        matrices[:, 0, 0] = self.flip_y * cosine / self.scale
        matrices[:, 0, 1] = -self.flip_y * sine / self.scale
        matrices[:, 1, 0] = self.flip_x * sine / self.scale
        matrices[:, 1, 1] = self.flip_x * cosine / self.scale
        return matrices

    def of_vectors(self) -> FloatArray:
        """Return the matrices that turn a vector ``(y, x)`` of the scene with the patch.

        A scale moves places but does not change vectors. Shape ``(patch, 2, 2)``.
        """
        # Inverting the orthogonal part of `to_scene` transposes it.
        matrices = self.to_scene() * self.scale[:, None, None]
        return np.ascontiguousarray(matrices.transpose(0, 2, 1))


def sample_turns(
    augmentation: Augmentation, seed: int, numbers: Sequence[int] | IntArray
) -> Turns:
    """Sample flips, rotation and scale for each patch."""
    a = augmentation
    values = uniform(seed, Stream.TURN, numbers, 6).T
    lowest, highest = a.rotation_range_deg
    angle = lowest + below(values[3], highest - lowest + 1)
    smallest, largest = a.scale_range
    scale = smallest + values[5] * (largest - smallest)
    return Turns(
        flip_x=np.where(values[0] < a.flip_x, -1.0, 1.0),
        flip_y=np.where(values[1] < a.flip_y, -1.0, 1.0),
        angle_deg=np.where(values[2] < a.rotation, angle, 0).astype(np.float64),
        scale=np.where(values[4] < a.scale, scale, a.scale_otherwise),
    )


@dataclass(frozen=True, slots=True)
class Mixing:
    """The box of each patch that shows another patch, and which one."""

    box: IntArray
    """First row, last row (excluded), first column, last column; all 0 where nothing is
    mixed. Shape ``(patch, 4)``."""

    partner: IntArray
    """Number of the patch that the box comes from."""


def sample_mixing(
    augmentation: Augmentation, seed: int, numbers: Sequence[int] | IntArray, size: int
) -> Mixing:
    """Sample the box and the partner of each patch.

    Both are sampled for a group of numbers, not for a batch: a patch is the same in any
    batch. Partners are the members of the group in another order, shifted by a random
    number, so that no patch is its own partner.
    """
    a = augmentation
    number = np.asarray(numbers, np.int64)
    group, member = np.divmod(number, a.cutmix_group)
    groups, of_group = np.unique(group, return_inverse=True)
    values = uniform(seed, Stream.CUTMIX, groups, 5)[of_group].T
    half = (size * np.sqrt(values[1])).astype(np.int64) // 2
    box = np.zeros((len(number), 4), np.int64)
    for axis in (0, 1):
        centre = below(values[2 + axis], size)
        box[:, 2 * axis] = np.maximum(centre - half, 0)
        box[:, 2 * axis + 1] = np.minimum(centre + half, size)
    box[values[0] >= a.cutmix] = 0
    shift = 1 + below(values[4], a.cutmix_group - 1)
    partner = group * a.cutmix_group + (member + shift) % a.cutmix_group
    return Mixing(box, partner)


def sample_absent(
    augmentation: Augmentation, seed: int, numbers: Sequence[int] | IntArray
) -> Mask:
    """Sample which groups of channels each patch lacks.

    Patches that lack a group are spread evenly over the numbers, so that every batch has
    about as many of them: batch norm mixes the patches of a batch.

    Returns
    -------
    Mask
        Whether a patch lacks each group of `DISPENSABLE`, shape ``(patch, group)``.

    Examples
    --------
    >>> sample_absent(Augmentation(drop_era5=1), 0, range(2)).tolist()
    [[False, True], [False, True]]
    """
    probabilities = augmentation.drop_probabilities
    limits = np.array([probabilities[group] for group in DISPENSABLE])
    if not augmentation.dropped:
        return np.zeros((len(numbers), len(limits)), np.bool_)
    start = uniform(seed, Stream.ABSENT, [0], len(limits))
    steps = np.asarray(numbers, np.int64)[:, None] * _STEPS
    absent: Mask = (start + steps) % 1 < limits
    return absent
