"""Describe a store on one screen: sizes, shares, ranges, and what is odd about it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seaice_data.channels import find_channel
from seaice_data.charts import CHARTS
from seaice_data.display import Displayed, as_table
from seaice_data.scene_id import NO_SERVICE
from seaice_data.storage.local_folder import LocalFolder
from seaice_data.store.division import is_unfinished
from seaice_data.store.opening import AnyStore, opened
from seaice_data.store.origin import lacking
from seaice_data.store.split import orbit_passes
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.texts import agreeing, counted

Shape = tuple[int, int]

_N_NAMED = 3


@dataclass(frozen=True, slots=True)
class ChannelRange:
    """The smallest and largest valid value of a channel in the training scenes."""

    lowest: float
    """In `unit`."""

    highest: float
    """In `unit`."""

    unit: str
    """UDUNITS string; ``1`` if it has none."""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class StoreDescription(Displayed):
    """What a store contains."""

    path: str
    """Path or URL, without secrets."""

    software: str
    """Version of the package that made it."""

    n_scenes: int
    """Scenes in the store, damaged ones included."""

    splits: Mapping[str, int]
    """Scenes of each split."""

    services: Mapping[str, int]
    """Scenes of each ice service; ``none`` if they have no chart."""

    denoising: Mapping[str, int]
    """Scenes by how noise was removed from their SAR."""

    absent: Mapping[str, tuple[str, ...]]
    """Ids of the scenes whose files lack something, by what they lack: a group, or a
    channel."""

    regions: Mapping[str, int]
    """Scenes of each region; ``unknown`` if their files name none."""

    months: Mapping[int, int]
    """Scenes of each month, from 1."""

    smallest_shape: Shape | None
    """Height and width of the smallest scene in stored pixels; None without scenes."""

    largest_shape: Shape | None
    """Of the largest scene."""

    labelled_percent: float
    """Share of the pixels that have a SIC class: the mean over scenes."""

    disk_use_bytes: int | None
    """Size of its files; None for an object store."""

    channels: tuple[str, ...]
    """Names on the channel axis."""

    channel_ranges: Mapping[str, ChannelRange]
    """By channel, of those that have valid values."""

    class_percent: Mapping[str, Mapping[str, float]]
    """Share of each class among the labelled pixels of the training scenes at 80 m, as
    `seaice info --plot` shows them, by chart; empty without such pixels."""

    recipe: Mapping[str, Any]
    """What decided its bytes, as it is written in the store; channels left out."""

    oddities: tuple[str, ...]
    """What to look at before using it, a sentence each."""

    def to_mapping(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {
            "store": self.path,
            "software": self.software,
            "scenes": self.n_scenes,
            "splits": dict(self.splits),
            "services": dict(self.services),
            "denoising": dict(self.denoising),
            "absent": {name: list(ids) for name, ids in self.absent.items()},
            "regions": dict(self.regions),
            "months": {str(month): n for month, n in self.months.items()},
            "smallest_shape": self.smallest_shape,
            "largest_shape": self.largest_shape,
            "labelled_percent": self.labelled_percent,
            "disk_use_bytes": self.disk_use_bytes,
            "channels": list(self.channels),
            "channel_ranges": {k: asdict(v) for k, v in self.channel_ranges.items()},
            "class_percent": {k: dict(v) for k, v in self.class_percent.items()},
            "recipe": dict(self.recipe),
            "odd": list(self.oddities),
        }

    def to_rows(self) -> dict[str, str]:
        """Return a summary for people, by short names; empty values are left out."""
        shapes = filter(None, (self.smallest_shape, self.largest_shape))
        sizes = " to ".join(f"{y} x {x}" for y, x in shapes)
        n_bytes = self.disk_use_bytes
        rows = {
            "store": f"{self.path} ({self.software})",
            "scenes": str(self.n_scenes),
            "splits": _listed(self.splits),
            "services": _listed(self.services),
            "denoising": _listed(self.denoising),
            "absent": "; ".join(
                f"{name} in {len(ids)}: {', '.join(ids[:_N_NAMED])}"
                f"{' ...' if len(ids) > _N_NAMED else ''}"
                for name, ids in self.absent.items()
            ),
            "regions": _listed(self.regions),
            "months": _listed(self.months),
            "sizes": f"{sizes} pixels" if sizes else "",
            "labelled": f"{self.labelled_percent:.0f} % of the pixels",
            "disk use": "not known for object stores"
            if n_bytes is None
            else f"{n_bytes / 1e9:.2f} GB",
            **self._channels_by_group(),
            "classes": "see below, of the labelled pixels of the training scenes at 80 m"
            if self.class_percent
            else "not known: no training scene has labels",
            **{
                chart: "  ".join(f"{name}: {share:.1f} %" for name, share in shares.items())
                for chart, shares in self.class_percent.items()
            },
            "recipe": _listed(self.recipe),
            "odd": "; ".join(self.oddities) or "nothing",
        }
        return {name: text for name, text in rows.items() if text}

    def _repr_html_(self) -> str:
        """Return the rows as a table, for a notebook."""
        return as_table("Store", self.to_rows().items())

    def _channels_by_group(self) -> dict[str, str]:
        """Return the channels of each group, with their ranges."""
        groups: dict[str, list[str]] = {}
        for name in self.channels:
            text = name
            if found := self.channel_ranges.get(name):
                text += f" {found.lowest:.4g}..{found.highest:.4g}"
                text += f" {found.unit}" if found.unit != "1" else ""
            groups.setdefault(str(find_channel(name).group), []).append(text)
        return {group: "; ".join(texts) for group, texts in groups.items()}


def describe_store(store: AnyStore) -> StoreDescription:
    """Gather what a store contains, from the metadata of its scenes; no pixel is read.

    Scenes that cannot be opened are among the oddities.

    Parameters
    ----------
    store
        The store, its path or its URL.

    Raises
    ------
    StoreError
        If what describes all scenes together is damaged.
    """
    store = opened(store)
    scenes, failures = store.open_scenes()
    months = Counter(scene.acquired.month for scene in scenes)
    shapes = [scene.grid.shape for scene in scenes]
    valid = [scene.valid_share for scene in scenes]
    return StoreDescription(
        path=store.path,
        software=store.attributes["software"],
        n_scenes=len(store.scenes),
        splits={name: len(ids) for name, ids in store.splits.items()},
        services=dict(Counter(scene.service or NO_SERVICE for scene in scenes)),
        denoising=dict(sorted(Counter(scene.denoising for scene in scenes).items())),
        absent=lacking({scene.id: scene.origin.absent for scene in scenes}),
        regions=dict(sorted(Counter(s.region or "unknown" for s in scenes).items())),
        months={month: months[month] for month in sorted(months)},
        smallest_shape=min(shapes, default=None),
        largest_shape=max(shapes, default=None),
        labelled_percent=100 * sum(valid) / max(len(valid), 1),
        disk_use_bytes=_disk_use_bytes(store),
        channels=store.channels,
        channel_ranges=_channel_ranges(store),
        class_percent=_class_percent(store),
        recipe={k: v for k, v in store.attributes["recipe"].items() if k != "channels"},
        oddities=(
            *(failure.reason for failure in failures),
            *(f"{name!r} is {what}" for name, what in store.foreign_entries.items()),
            *_oddities_of_splits(store, scenes),
            *_oddities_of_values(store, scenes),
        ),
    )


def _listed(values: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _disk_use_bytes(store: Store) -> int | None:
    if not isinstance(store.storage, LocalFolder):
        return None
    return sum(p.stat().st_size for p in store.storage.local().rglob("*") if p.is_file())


def _channel_ranges(store: Store) -> dict[str, ChannelRange]:
    if not (stats := store.stats):
        return {}
    ranges = {}
    ends = zip(store.channels, stats["lowest"], stats["highest"], strict=True)
    for name, lowest, highest in ends:
        if lowest is not None and highest is not None:
            channel = find_channel(name)
            low, high = (v * channel.std + channel.mean for v in (lowest, highest))
            ranges[name] = ChannelRange(low, high, channel.unit)
    return ranges


def _class_percent(store: Store) -> dict[str, dict[str, float]]:
    counts = store.full_class_counts or {}
    shares = {}
    for chart in CHARTS:
        *labelled, _fill = counts.get(chart.name, [0])
        if any(labelled):
            named = zip(chart.class_names, labelled, strict=True)
            shares[chart.name] = {
                name: 100 * count / sum(labelled) for name, count in named
            }
    return shares


def _oddities_of_splits(store: Store, scenes: Sequence[StoredScene]) -> Iterator[str]:
    splits = store.splits
    divided = {scene for ids in splits.values() for scene in ids}
    if absent := sorted(divided - {*store.scenes}):
        verb = agreeing(len(absent), "is", "are")
        of_splits = f"{counted(len(absent), 'scene')} of the splits"
        yield f"{of_splits} {verb} not in the store: {absent[0]}"
    if is_unfinished(store):
        yield "it has no splits yet: run `seaice prepare` without --part to finish it"
    elif left := {scene.id for scene in scenes} - divided:
        passes = orbit_passes({*left} | divided)
        beside = {i for group in passes if divided.intersection(group) for i in group}
        if n_beside := len(left & beside):
            verb, their = (
                agreeing(n_beside, "is", "are"),
                agreeing(n_beside, "its", "their"),
            )
            yield (
                f"{counted(n_beside, 'scene')} {verb} in no split: others of {their} orbit "
                "pass are in one"
            )
        if new := sorted(left - beside):
            verb = agreeing(len(new), "is", "are")
            yield (
                f"{counted(len(new), 'scene')} {verb} in no split yet, such as {new[0]}: "
                "run `seaice prepare` without --part to finish the store"
            )
    if pairs := store.splits_leak:
        verb = agreeing(len(pairs), "is", "are")
        of_pass = f"{counted(len(pairs), 'pair')} of scenes of one orbit pass"
        yield f"{of_pass} {verb} in different splits"


def _oddities_of_values(store: Store, scenes: Sequence[StoredScene]) -> Iterator[str]:
    without: dict[str, list[str]] = {}
    for scene in scenes:
        if scene.valid_share == 0:
            without.setdefault("labels", []).append(scene.id)
        for name, n_values in zip(store.channels, scene.stats.count, strict=True):
            if n_values == 0 and name not in scene.absent_channels:
                without.setdefault(name, []).append(scene.id)
    for name, ids in without.items():
        verb = agreeing(len(ids), "has", "have")
        yield f"{counted(len(ids), 'scene')} {verb} no {name}: {', '.join(ids[:_N_NAMED])}"
