"""What a scene says of its file: the version, what it lacks, how noise was removed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from seaice_data.channels import CHANNELS, DISPENSABLE, Group
from seaice_data.conventions import DENOISINGS
from seaice_data.system.documents import DocumentError, typed

_AI4ARCTIC = ("ready", "raw")
"""Versions of files of AI4Arctic, the only ones that versions 0.1 and 0.2 could read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What a scene says of its file; by default a whole scene of AI4Arctic."""

    version: str = ""
    """Version of the file: ``ready``, ``raw`` or that of own scenes; empty if unknown."""

    original_name: str = ""
    """Name of the raw file or of the Sentinel-1 product; empty if unknown."""

    absent_channels: tuple[str, ...] = ()
    """Channels that the file lacks, in catalogue order; they are NaN throughout."""

    denoising: str = DENOISINGS[0]
    """How noise was removed from HV, or from HH if there is no HV: one of `DENOISINGS`."""

    @property
    def is_ai4arctic(self) -> bool:
        """Whether the file is one of AI4Arctic, as far as is known."""
        return self.version in ("", *_AI4ARCTIC)

    @property
    def absent(self) -> tuple[str, ...]:
        """What the file lacks, in few words; see `groups_of`."""
        return groups_of(self.absent_channels)

    def absent_among(self, channels: Collection[str]) -> tuple[str, ...]:
        """Return those of `absent` that one of `channels` belongs to.

        Examples
        --------
        >>> origin = Origin(absent_channels=("hv", "sst"))
        >>> origin.absent_among(["hh", "hv"])
        ('hv',)
        """
        lacking = [name for name in self.absent_channels if name in channels]
        return tuple(word for word in self.absent if {*lacking} & {*_members(word)})

    def groups_absent_among(self, channels: Collection[str]) -> tuple[Group, ...]:
        """Return the groups of `DISPENSABLE` that lack at least one of `channels`.

        Examples
        --------
        >>> origin = Origin(absent_channels=("btemp_18_7h", "t2m"))
        >>> [str(group) for group in origin.groups_absent_among(["btemp_18_7h", "skt"])]
        ['amsr2']
        """
        lacking = {*self.absent_channels} & {*channels}
        found = {channel.group for channel in CHANNELS if channel.name in lacking}
        return tuple(group for group in DISPENSABLE if group in found)

    def without(self, groups: Collection[Group]) -> "Origin":
        """Return the same for a scene that lacks all channels of these groups, too."""
        lost = {channel.name for channel in CHANNELS if channel.group in groups}
        absent = tuple(_in_order({*self.absent_channels, *lost}))
        return replace(self, absent_channels=absent)

    def unusual(self) -> dict[str, Any]:
        """Return, JSON-ready, what scenes of AI4Arctic do not say.

        Stores say nothing else, so that those of AI4Arctic have the bytes that they have
        always had.
        """
        usual, found = asdict(Origin()), asdict(self)
        return {
            name: [*found[name]] if name == "absent_channels" else found[name]
            for name in ("absent_channels", "denoising")
            if found[name] != usual[name]
        }


def read_origin(attributes: Mapping[str, Any]) -> Origin:
    """Return what the attributes of a scene in a store say of its file.

    Raises
    ------
    DocumentError
        If one has another type, the denoising is not known, or what is absent is not
        channels in catalogue order.
    """
    origin = typed(attributes, Origin)
    if (*_in_order(origin.absent_channels),) != origin.absent_channels:
        listed = ", ".join(origin.absent_channels)
        raise DocumentError(f"absent_channels are not channels in order: {listed:.80}")
    if origin.denoising not in DENOISINGS:
        raise DocumentError(f"denoising is {origin.denoising!r:.40}")
    return origin


def groups_of(channels: Iterable[str]) -> tuple[str, ...]:
    """Return channels in few words: the name of a group if all of its channels are there.

    Examples
    --------
    >>> groups_of(["t2m", "hv", "u10m", "v10m", "tcwv", "tclw", "skt"])
    ('hv', 'era5')
    """
    names = {*channels}
    words = []
    for channel in CHANNELS:
        if channel.name in names:
            members = {*_members(channel.group)}
            words.append(str(channel.group) if members <= names else channel.name)
    return tuple(dict.fromkeys(words))


def lacking(absent: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return the scenes that lack each group or channel, given what each scene lacks.

    Examples
    --------
    >>> lacking({"a": ["era5"], "b": ["hv", "era5"], "c": []})
    {'era5': ('a', 'b'), 'hv': ('b',)}
    """
    scenes: dict[str, list[str]] = {}
    for scene, words in absent.items():
        for word in words:
            scenes.setdefault(word, []).append(scene)
    return {word: tuple(ids) for word, ids in sorted(scenes.items())}


def _members(word: str) -> tuple[str, ...]:
    """Return the channels of a group, or the one of this name."""
    return tuple(c.name for c in CHANNELS if word in (c.group, c.name))


def _in_order(names: Iterable[str]) -> Iterable[str]:
    known = {*names}
    return (channel.name for channel in CHANNELS if channel.name in known)
