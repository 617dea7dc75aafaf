"""Numbered random patches: patch ``i`` follows from seed, number and store alone.

So patches are the same with no worker or eight, forked or spawned, in one thread or four,
in whatever batch, on one machine or two. The rest is arithmetic on numbers:

- epoch ``e`` of ``n`` patches is ``range(e * n, (e + 1) * n)``;
- a training that stopped after ``k`` patches continues with number ``k``;
- of each ``w * b`` numbers, rank ``r`` of ``w`` takes the ``r``-th ``b`` as its batch:
  together the ranks see what one process sees in batches of ``w * b``.

``torch.utils.data.DataLoader(patches, sampler=PatchNumbers(n), batch_size=16)`` loads
different patches in each epoch (`seaice_model.training.patch_numbers`). With
``sampler=range(n)`` every epoch has the same `n` patches, augmented in the same way: right
for validation only. Without ``sampler=`` PyTorch asks for a length, and the error says what
to do. `PatchSampler.batch` is faster: it fills the same memory again and again (`empty`),
and its ``n_threads`` threads share what worker processes would copy.

- `Sampling` (`seaice_data.sampling.windows`) decides *which* patches are sampled: evenly
  over scenes, over area or by class, and how many valid pixels a patch needs. Scenes
  without such a patch are skipped from the start (`PatchSampler.skipped`).
  `seaice_data.store.selection.select` chooses the scenes to sample from by split, month,
  service or region.
- `Augmentation` (`seaice_data.sampling.augmentation`) decides *what happens* to them:
  nothing by default; `AUGMENTATIONS` has the profiles. Flips, rotation and scale are one
  map from patch to scene, so a patch is resampled once, and where it reaches beyond its
  window it shows the scene. Cutmix takes a box from the patch of another number, whatever
  batch that is in.
- With ``regions`` patches say which polygon of the chart each pixel is in, and what shares
  of ice types the polygon has (`seaice_data.sampling.regions`).
- Fill is NaN in inputs and 255 in charts, beyond the end of the scene, of its chart and of
  its swath alike. Beyond the end of a scene all channels are NaN, even the month.

An uncompressed store on a local disk is mapped: nothing is copied into a process, and one
scene, or all of them, may be larger than memory. So even at ratio 1 the fastest layout by
far is one chunk per scene (`seaice bench layouts`). Any other store is read through zarr,
chunk by chunk; ``kept_bytes`` limits what is kept of it.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.channels import DISPENSABLE, find_channels
from seaice_data.charts import CHARTS
from seaice_data.deprecation import former_arguments, former_attribute
from seaice_data.display import as_table, in_short
from seaice_data.errors import SettingsError, StoreError
from seaice_data.sampling.augmentation import Augmentation
from seaice_data.sampling.batch_memory import BatchMemory
from seaice_data.sampling.patch import Patch
from seaice_data.sampling.patch_cutter import PatchCutter, channel_runs
from seaice_data.sampling.plan import WIND, BatchPlan, BatchPlanner, still_wind
from seaice_data.sampling.planes import KEPT_BYTES, open_planes
from seaice_data.sampling.random_numbers import check_seed
from seaice_data.sampling.regions import MOST_REGIONS, N_SHARES, RegionCutter
from seaice_data.sampling.requests import (
    asked_augmentation,
    asked_sampling,
    asked_scenes,
    asked_size,
    asked_transform,
    whole_number,
)
from seaice_data.sampling.windows import Sampling, WindowSampler, has_windows
from seaice_data.store.channel_choice import asked_channels
from seaice_data.store.opening import AnyStore, opened
from seaice_data.store.stored_scene import StoredScene
from seaice_data.texts import counted

_OF_ONE_PROCESS = ("_planes", "_cutter", "_region_cutter", "_windows", "_planner", "_pool")
"""What a sampler does not take to another process."""


if TYPE_CHECKING:
    # PyTorch's types demand its own class of a `DataLoader`'s data; its code does not.
    from torch.utils.data import Dataset

    _Numbered: TypeAlias = Dataset[Patch]
else:
    _Numbered = object


@former_arguments(drawing="sampling")
class PatchSampler(_Numbered):
    """Random patches of a store, as an endless sequence.

    Defaults are those of Chen et al. (2024), section 3.2, and of the official code, except
    that nothing is augmented: scenes are sampled uniformly, and so are windows with at
    least two valid SIC pixels, up to the last row and column. A scene smaller than a patch
    is placed in its top left corner, or in its middle if turned; the rest is fill.

    Parameters
    ----------
    store
        Where the patches come from: a store, its path or its URL.
    scenes
        Ids of the scenes to sample from. Those that have no patch to sample are left out,
        see `skipped`.
    split
        ``train``, ``validation`` or ``test``, instead of `scenes`; ``train`` if neither is
        given.
    channels
        Names of the channels to return, in this order; all if not given. A group, such as
        ``sar`` or ``amsr2``, stands for its channels in the order of the store, and
        ``"sar,t2m"`` for ``["sar", "t2m"]``.
    size
        Pixels along one side (256: Chen et al. 2024, Table 3).
    seed
        Random seed of the patches.
    sampling
        Which patches are sampled, and how often.
    augmentation
        How they are augmented, or the name of one of `AUGMENTATIONS`; not at all if not
        given.
    transform
        Called with each patch that is returned by itself, also to a `DataLoader`; what it
        returns takes the place of the patch, whatever its type. Worker processes that are
        spawned need a function with a name. `batch` does not call it.
    regions
        Whether patches say which polygon of the chart each pixel is in, and what shares of
        ice types it has: `Patch` then has `region`, `shares` and `visible`. Needs scenes
        with polygons (`StoredScene.has_polygons`).
    n_threads
        Threads that cut the patches of a batch. Results do not depend on it.
    kept_bytes
        Limit on the memory for what is read from a store whose files cannot be mapped.
        Polygons, which are never mapped, have a limit of the same size.

    Raises
    ------
    StoreError
        If a channel or scene is not in the store, no scene has a patch to sample, or one
        has no polygons for its regions.
    SettingsError
        If the seed, size, sampling or augmentation cannot work here, or no augmentation has
        the given name.

    Examples
    --------
    >>> patches = PatchSampler(  # doctest: +SKIP
    ...     "store.zarr", split="train", channels="sar", augmentation="default"
    ... )
    >>> out = patches.empty(16)  # doctest: +SKIP
    >>> patches.batch(range(16), out)["inputs"].shape  # doctest: +SKIP
    (16, 256, 256, 2)

    In PyTorch, epochs of 8000 patches, different ones each time (``sampler=range(8000)``
    would load the same ones in every epoch). ``next(iter(loader))`` uses up an epoch:

    >>> loader = DataLoader(  # doctest: +SKIP
    ...     patches, sampler=PatchNumbers(8000), batch_size=16
    ... )
    >>> for epoch in range(300):  # doctest: +SKIP
    ...     for batch in loader:
    ...         ...
    """

    def __init__(
        self,
        store: AnyStore,
        *,
        scenes: Sequence[str] | None = None,
        split: str | None = None,
        channels: str | Sequence[str] | None = None,
        size: int = 256,
        seed: int = 0,
        sampling: Sampling | None = None,
        augmentation: Augmentation | str | None = None,
        transform: Callable[[Patch], Any] | None = None,
        regions: bool = False,
        n_threads: int = 1,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self.size = asked_size(size)
        self.seed = whole_number("seed", seed)
        check_seed(self.seed)
        self.n_threads = whole_number("n_threads", n_threads)
        if self.n_threads < 1:
            raise SettingsError(f"n_threads must be at least 1, got {n_threads}")
        self.sampling = asked_sampling(sampling)
        self.augmentation = asked_augmentation(augmentation)
        self.transform = asked_transform(transform)
        self.store = store = opened(store)
        self.channels = asked_channels(store, channels)
        self._runs = channel_runs(store, self.channels)
        self.dispensable = tuple(
            tuple(k for k, c in enumerate(find_channels(self.channels)) if c.group == group)
            for group in DISPENSABLE
        )
        """Positions in the patch of the channels of each group of `DISPENSABLE`."""
        self.wind = self._find_wind()
        """Wind components that are turned, one per row: channel in the patch, channels of u
        and v in the store."""
        columns = [store.channels.index(name) for name in self.channels]
        self.sources = (
            *columns,
            *sorted({*self.wind[:, 1:].ravel().tolist()} - {*columns}),
        )
        """Positions in the store of the channels, and of what they are computed from."""
        ids = asked_scenes(store, scenes, split)
        wanted = [store.scene(scene_id) for scene_id in ids]
        usable = self._find_usable(wanted, kept_bytes)
        self.scenes = tuple(wanted[k].id for k in usable)
        """Ids of the scenes that patches come from."""
        self.skipped = tuple(
            wanted[k].id for k in sorted({*range(len(wanted))} - {*usable})
        )
        """Ids of the scenes without a patch of enough valid pixels."""
        if not usable:
            raise StoreError(
                f"none of {counted(len(wanted), 'scene')} of {store.path!r} has labels to "
                "sample from",
                hint="`seaice info` shows the splits of a store",
            )
        self._stored = [wanted[k] for k in usable]
        self.regions = regions
        """Whether patches have regions."""
        for scene in self._stored if regions else ():
            scene.check_polygons()
        self._components = tuple(self.channels[channel] for channel in self.wind[:, 0])
        self.still_wind = still_wind(self._components)
        """`Cuts.wind` where the wind is not turned."""
        self._dtype = np.dtype(store.recipe.dtype)
        self._shapes = np.array([scene.grid.shape for scene in self._stored])
        self._kept_bytes = kept_bytes
        self._memory = BatchMemory()
        self._open()

    draw = former_attribute("draw", "place")
    drawing = former_attribute("drawing", "sampling")

    def __repr__(self) -> str:
        """Say what it samples, and from where."""
        about = (
            counted(len(self.scenes), "scene"),
            counted(len(self.channels), "channel"),
            f"{self.size} x {self.size} pixels",
            f"seed {self.seed}",
        )
        return f"<PatchSampler of {self.store.path!r}: {', '.join(about)}>"

    def _repr_html_(self) -> str:
        """Return the same and how patches are made as a table, for a notebook."""
        names = ("channels", "size", "seed", "sampling", "augmentation", "transform")
        rows = {
            "store": repr(self.store.path),
            "scenes": f"{len(self.scenes)}, {len(self.skipped)} skipped",
            **{name: in_short(getattr(self, name)) for name in names},
            "a patch": f"inputs ({self.size}, {self.size}, {len(self.channels)}) "
            f"{self._dtype}, charts ({self.size}, {self.size}, {len(CHARTS)}) uint8; "
            "axes (y, x, channel)",
        }
        return as_table("PatchSampler", rows.items())

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is open: threads and files belong to one process."""
        return {
            name: value for name, value in vars(self).items() if name not in _OF_ONE_PROCESS
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    def __getitem__(self, number: int) -> Patch:
        """Return patch `number`, or what `transform` makes of it."""
        if isinstance(number, slice):  # type: ignore[unreachable]
            raise TypeError(
                "a patch is found by its number, not by a slice: take several with "
                "`patches.batch(range(a, b))`"
            )
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[Patch]:
        """Return patches one by one in a list, as a PyTorch DataLoader asks for them."""
        batch = cast("dict[str, Any]", self.batch(numbers))
        patches = [
            cast("Patch", {name: values[k] for name, values in batch.items()})
            for k in range(len(numbers))
        ]
        return patches if self.transform is None else [*map(self.transform, patches)]

    def __len__(self) -> NoReturn:
        """Refuse: patches have no end. The error says how to choose those of an epoch."""
        raise TypeError(
            "random patches have no end, and so no length: load them with "
            "`seaice.loader(patches, n_patches)`, or choose the numbers of an epoch with "
            "DataLoader(..., sampler=PatchNumbers(n_patches))"
        )

    def __bool__(self) -> bool:
        """Return True: there is always a patch."""
        return True

    def empty(self, n_patches: int) -> Patch:
        """Return memory for a batch, to be used again and again.

        Memory of former batches that is no longer in use is handed out again: the sampler
        keeps that of up to two batches.
        """
        shape, empty = (n_patches, self.size, self.size), self._memory.empty
        out = Patch(
            inputs=empty((*shape, len(self.channels)), self._dtype),
            charts=empty((*shape, len(CHARTS)), np.uint8),
            scene=np.empty(n_patches, np.int64),
            probability=np.empty(n_patches, np.float64),
        )
        if self.regions:
            out["region"] = empty(shape, np.uint8)
            out["shares"] = np.empty((n_patches, MOST_REGIONS, N_SHARES), np.float32)
            out["visible"] = np.empty((n_patches, MOST_REGIONS), np.float32)
        return out

    def batch(self, numbers: Sequence[int], out: Patch | None = None) -> Patch:
        """Return patches stacked, in `out` if given (see `empty`)."""
        out = self.empty(len(numbers)) if out is None else out
        plan = self.plan(numbers)
        out["scene"][:] = plan.cuts.scene
        out["probability"][:] = plan.cuts.probability
        partner_of = dict(zip(plan.mixed.tolist(), range(len(plan.mixed)), strict=True))
        still = plan.cuts.is_window.tolist()
        whole = np.array([0, self.size, 0, self.size])
        parts = [] if all(still) else plan.cuts.parts(whole).tolist()
        of_partners = plan.partners.parts(plan.box).tolist() if partner_of else []

        def fill(k: int) -> None:
            patch = (out["inputs"][k], out["charts"][k])
            if still[k]:
                self._cutter.copy(plan.cuts, k, *patch)
            else:
                self._cutter.cut(plan.cuts, k, whole, parts[k], *patch)
            if (m := partner_of.get(k)) is not None:
                self._cutter.cut(plan.partners, m, plan.box[m], of_partners[m], *patch)
            for channels, is_absent in zip(self.dispensable, plan.absent[k], strict=True):
                if is_absent:
                    out["inputs"][k][..., channels] = np.nan
            if self.regions:
                found = (out["region"][k], out["shares"][k], out["visible"][k])
                self._region_cutter.cut(plan, k, m, *found)

        n, n_threads = len(numbers), self.n_threads
        if n_threads == 1 or n == 1:
            for k in range(n):
                fill(k)
        else:
            shares = [range(first, n, n_threads) for first in range(n_threads)]
            list(self._threads().map(partial(_each, fill), shares))
        return out

    def place(self, number: int) -> tuple[int, int, int]:
        """Return where a patch is: the position of its scene, its top row, left column."""
        places = self._windows.sample([number])
        top, left = places.corner[0]
        return int(places.scene[0]), int(top), int(left)

    def mean_valid(self) -> FloatArray:
        """Return the mean number of valid pixels of each chart in a patch.

        The mean is over the windows of `scenes`, sampled over scenes, before they are
        turned; it takes one pass over all charts.
        """
        return self._windows.mean_valid()

    def plan(self, numbers: Sequence[int]) -> BatchPlan:
        """Sample everything that is random about patches."""
        return self._planner.plan(numbers)

    def _find_usable(self, wanted: Sequence[StoredScene], kept_bytes: int) -> list[int]:
        """Return the positions of the scenes that have a patch to sample."""
        if not wanted:
            return []
        planes = open_planes(wanted, kept_bytes)
        usable = []
        for k, scene in enumerate(wanted):
            n_valid = [sum(scene.class_counts[chart.name][:-1]) for chart in CHARTS]
            shape = scene.grid.shape
            charts = partial(planes.charts, k)
            if has_windows(self.sampling, self.size, shape, n_valid, charts):
                usable.append(k)
        return usable

    def _find_wind(self) -> IntArray:
        """Return which channels are components of the wind that must be turned."""
        turned = [name for name in WIND if name in self.channels]
        if not self.augmentation.wind_axes or self.augmentation.turns_none:
            turned = []
        for name in WIND:
            if turned and name not in self.store.channels:
                raise StoreError(
                    f"{turned[0]!r} cannot be turned with the patch: the store "
                    f"{self.store.path!r} has no channel {name!r}",
                    hint="set wind_axes to [] in the augmentation, or leave out "
                    f"{turned[0]!r}",
                )
        sources = [self.store.channels.index(name) for name in WIND] if turned else []
        rows = [[self.channels.index(name), *sources] for name in turned]
        return np.array(rows, np.int64).reshape(-1, 3)

    def _open(self) -> None:
        """Set up what belongs to one process; files are opened when they are needed."""
        self._planes = open_planes(self._stored, self._kept_bytes)
        self._cutter = PatchCutter(
            self._planes,
            self._shapes,
            self.size,
            self._dtype,
            self.augmentation.method,
            runs=self._runs,
            wind=self.wind,
            still_wind=self.still_wind,
        )
        self._region_cutter = RegionCutter(self._stored, self.size, self._kept_bytes)
        self._pool: tuple[int, ThreadPoolExecutor] | None = None
        self._windows = WindowSampler(
            self.sampling,
            self.size,
            self.seed,
            shapes=[scene.grid.shape for scene in self._stored],
            class_counts={
                chart.name: [scene.class_counts[chart.name] for scene in self._stored]
                for chart in CHARTS
            },
            charts=self._planes.charts,
        )
        self._planner = BatchPlanner(
            self._windows,
            self._shapes,
            self.size,
            self.seed,
            self.augmentation,
            self._components,
        )

    def _threads(self) -> ThreadPoolExecutor:
        """Return the threads of this process: a fork has none of its parent's."""
        if self._pool is None or self._pool[0] != os.getpid():
            pool = ThreadPoolExecutor(self.n_threads, thread_name_prefix="patches")
            self._pool = (os.getpid(), pool)
        return self._pool[1]


def _each(work: Callable[[int], None], positions: range) -> None:
    for k in positions:
        work(k)
