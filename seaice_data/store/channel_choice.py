"""Which channels of a store are meant by names of channels and of groups.

Everything that reads channels of a store takes them in this way: the order is that in which
they are asked for, and a group stands for its channels in the store.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from seaice_data.channels import Group, find_channel
from seaice_data.errors import SettingsError, StoreError
from seaice_data.settings import nearest
from seaice_data.store.store import Store


def asked_channels(store: Store, channels: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of channels; groups become their channels in the store.

    Parameters
    ----------
    store
        Where the channels are.
    channels
        Names of channels and of groups, in a sequence or separated by commas; all channels
        of the store if not given. What a group adds is there once.

    Raises
    ------
    StoreError
        If the store lacks a channel, or has none of a group.
    SettingsError
        If a channel is named twice, or `channels` are not names.
    """
    if channels is None:
        return store.channels
    names = _words(channels)
    if len({*names}) < len(names):
        raise SettingsError(f"a channel is named twice in {names}")
    found: dict[str, None] = {}
    for name in names:
        of_name = _group(store, name) if name in tuple(Group) else (name,)
        found |= dict.fromkeys(of_name)
    channel_columns(store, found)
    return tuple(found) or store.channels


def channel_columns(store: Store, names: Iterable[str]) -> list[int]:
    """Return the places of channels on the channel axis of a store.

    Raises
    ------
    StoreError
        If the store lacks one.
    """
    columns = []
    for name in names:
        if name not in store.channels:
            raise StoreError(
                f"the store {store.path!r} has no channel {name!r}",
                hint=nearest(name, [*store.channels, *_groups_in(store)]),
            )
        columns.append(store.channels.index(name))
    return columns


def _words(channels: Any) -> list[str]:
    """Return what is written; Python lets anything be passed."""
    words = channels.split(",") if isinstance(channels, str) else channels
    if isinstance(words, Iterable):
        names = [*words]
        if all(isinstance(name, str) for name in names):
            return [name.strip() for name in names]
    raise SettingsError(
        f"channels must be names, got {channels!r:.80}",
        hint="write for example channels=['hh', 'hv'], or channels='sar'",
    )


def _groups_in(store: Store) -> list[str]:
    return [*dict.fromkeys(str(find_channel(c).group) for c in store.channels)]


def _group(store: Store, name: str) -> tuple[str, ...]:
    """Return the channels of a group in a store, at least one."""
    found = tuple(c for c in store.channels if find_channel(c).group == name)
    if not found:
        raise StoreError(
            f"the store {store.path!r} has no channel of the group {name!r}",
            hint=f"it has {', '.join(store.channels)}",
        )
    return found
