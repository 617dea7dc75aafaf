"""The settings of a new run, or of one that is resumed."""

import logging
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from seaice_data.channels import DISPENSABLE, Group, find_channels
from seaice_data.errors import DamageError, StoreError
from seaice_data.scene_id import SceneId
from seaice_data.settings import differences
from seaice_data.store.division import divided
from seaice_data.store.origin import Origin
from seaice_data.store.selection import select
from seaice_data.store.split import leaking_pairs, orbit_passes, split_scenes
from seaice_data.store.store import Store
from seaice_data.texts import printable, without_secrets
from seaice_model.config.network_names import check_package, package_of
from seaice_model.config.run_config import RunConfig, TrainConfig
from seaice_model.errors import RunError
from seaice_model.runs.checkpoint import Checkpoint
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.settings import RunSettings, StoreRecord, settings_to_resume

log = logging.getLogger(__name__)

_N_NAMED = 3


def new_settings(store: Store, config: RunConfig) -> RunSettings:
    """Return the settings of a new run of `config` on `store`.

    Raises
    ------
    RunError
        If the store has no scenes to train or validate on.
    ConfigError
        If no installed package has the network.
    """
    package = package_of(config.model.network)
    train_scenes, validation_scenes = _scenes(store, config.train)
    denoising = Counter(store.scene(scene).denoising for scene in train_scenes)
    channels = find_channels(config.model.channels)
    return RunSettings(
        config=config,
        store=StoreRecord(
            path=_shown(store.storage.location),
            fingerprint=store.fingerprint,
            recipe=store.recipe,
            means=tuple(channel.mean for channel in channels),
            stds=tuple(channel.std for channel in channels),
        ),
        train_scenes=tuple(map(SceneId, train_scenes)),
        validation_scenes=tuple(map(SceneId, validation_scenes)),
        software=f"seaice {version('seaice')}",
        denoising=dict(sorted(denoising.items())),
        network_package=package,
    )


def resumed_settings(
    store: Store, folder: RunFolder, config: RunConfig | None
) -> RunSettings:
    """Return the settings of a run that is resumed.

    `config`, if given, may differ from that of the run in the number of epochs only.

    Raises
    ------
    RunError
        If there is no run, the recipe of the store differs, or other settings differ, or
        the package of its network is not installed.
    """
    settings = settings_to_resume(folder.path)
    record = replace(settings.store, path=_shown(settings.store.path))
    settings = replace(settings, store=record)
    check_package(settings.config.model.network, settings.network_package)
    if store.fingerprint != settings.store.fingerprint:
        changed = differences(store.recipe, settings.store.recipe)
        raise RunError(
            f"the run at {str(folder.path)!r} was trained on a store of another recipe: "
            f"{'; '.join(changed)}"
        )
    if config is None:
        return settings
    continued = _with_epochs(settings.config, config.train.n_epochs)
    if config != continued:
        changed = differences(config, continued)
        raise RunError(
            f"the run at {str(folder.path)!r} has other settings: {'; '.join(changed)}",
            hint="resume with the settings of the run, or start another run",
        )
    return replace(settings, config=continued)


def check_channels(store: Store, settings: RunSettings) -> None:
    """Refuse to train or validate on scenes that lack a channel that the network needs.

    Of groups that patches lack anyway (`Augmentation.dropped`), scenes may lack all
    channels of the network, but not some of them: networks learn to do without whole
    groups.

    Raises
    ------
    RunError
        If there are such scenes.
    """
    scenes = (*settings.train_scenes, *settings.validation_scenes)
    found: dict[str, tuple[str, ...]] = {}
    done_without: Counter[str] = Counter()
    for scene in scenes:
        needed, spared = _channels_needed(store.scene(scene).origin, settings.config)
        found[scene] = store.scene(scene).origin.absent_among(needed)
        done_without.update(spared)
    lacking = {scene: ", ".join(absent) for scene, absent in found.items() if absent}
    if not lacking:
        for group, n in sorted(done_without.items()):
            log.info(
                "%d of %d scenes to train and validate on lack %s", n, len(scenes), group
            )
        return
    named = [f"{scene} ({absent})" for scene, absent in [*lacking.items()][:_N_NAMED]]
    others = []
    if lacking.keys() & {*settings.train_scenes}:
        others.append("train on others with --where 'absent == none'")
    if lacking.keys() & {*settings.validation_scenes}:
        others.append("validate on others (`seaice split`)")
    words = {word for absent in found.values() for word in absent}
    learned = ""
    if words <= {*DISPENSABLE}:
        drops = " ".join(f"--set drop_{group}=0.2" for group in sorted(words))
        learned = f"learn to do without them with {drops}, "
    raise RunError(
        f"{len(lacking)} of the {len(scenes)} scenes of {store.path!r} to train and "
        "validate on lack channels that the network reads: "
        f"{', '.join(named)}{' ...' if len(lacking) > _N_NAMED else ''}",
        hint=f"{learned}leave these channels out with --set channels=[...], or "
        + " and ".join(others),
    )


def _channels_needed(
    origin: Origin, config: RunConfig
) -> tuple[tuple[str, ...], tuple[Group, ...]]:
    """Return the channels that a scene must have, and the groups that it does without."""
    channels = find_channels(config.model.channels)
    spared = tuple(
        group
        for group in config.augmentation.dropped
        if (members := {c.name for c in channels if c.group == group})
        and members <= {*origin.absent_channels}
    )
    return tuple(c.name for c in channels if c.group not in spared), spared


def store_to_resume(run_path: Path) -> Store:
    """Open the store that is named in the settings of a run.

    Raises
    ------
    RunError
        If there is no run, it names a URL, or its store cannot be opened.
    """
    named = settings_to_resume(run_path).store.path
    again = shlex.join(["--resume", "--run", str(run_path)])
    if "://" in named or "::" in named:
        # Whoever made the run would choose where requests with our credentials go.
        raise RunError(
            f"the run at {str(run_path)!r} was trained on {named!r}; URLs named in files "
            "are not opened",
            hint=f"if you trust it: `seaice train {shlex.quote(named)} {again}`",
        )
    try:
        return Store.open(named)
    except StoreError as error:
        raise RunError(
            f"the run at {str(run_path)!r} was trained on a store that cannot be opened: "
            f"{error}",
            hint=f"if it has moved, name it: `seaice train STORE {again}`",
        ) from None


def check_checkpoint(checkpoint: Checkpoint, settings: RunSettings, where: str) -> None:
    """Refuse a checkpoint of another run, or one beyond the last epoch.

    Raises
    ------
    RunError
        If settings other than the number of epochs differ, or the state does not fit them.
    """
    train = settings.config.train
    theirs = _with_epochs(checkpoint.settings.config, train.n_epochs)
    if changed := differences(theirs, settings.config):
        raise RunError(
            f"{where!r} is of a run with other settings: {'; '.join(changed)}",
            hint="restore the files of one run, or start another run",
        )
    state = checkpoint.state
    per_epoch = train.n_iterations * train.batch_size
    n_seen = state.next_patch - state.n_epochs * per_epoch
    if not 0 <= n_seen <= per_epoch or n_seen % train.batch_size:
        raise RunError(
            f"{where!r} is damaged: patch {state.next_patch} is not the next one "
            f"after {state.n_epochs} epochs",
            hint="restore it from a copy, or start another run",
        )
    if state.n_epochs > train.n_epochs:
        raise RunError(
            f"{where!r} has {state.n_epochs} epochs already, more than the "
            f"{train.n_epochs} asked for",
            hint="ask for more with --epochs, or start another run",
        )


def divide(
    scenes: Sequence[str], splits: Mapping[str, tuple[str, ...]], config: TrainConfig
) -> dict[str, tuple[str, ...]]:
    """Divide the scenes of a store into those that a run trains and validates on.

    Parameters
    ----------
    scenes
        Ids of all scenes of the store.
    splits
        Ids by split of the store: ``train``, ``validation``, ``test``.
    config
        Which scenes to validate on, and whether orbit passes count.

    Returns
    -------
    dict
        Ids by name of the split.
    """
    if config.validation == "store" and not config.allow_leaks:
        return dict(splits)
    free = (*splits["train"], *splits["validation"])
    if config.allow_leaks:  # scenes in no split, too
        free = tuple(scene for scene in scenes if scene not in splits["test"])
    validation = {
        "store": splits["validation"],
        "drawn": None,
        "listed": config.validation_scenes,
    }
    split = split_scenes(
        free,
        tests=(),
        seed=config.seed,
        validation=validation[config.validation],
        allow_leaks=config.allow_leaks,
    )
    return {**split, "test": splits["test"]}


def _scenes(store: Store, config: TrainConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the scenes to train and to validate on."""
    known: Sequence[str] = store.scenes
    if config.allow_leaks:  # damaged scenes are in no split
        known = [scene.id for scene in store.open_scenes(leave_out=DamageError)[0]]
    splits = divide(known, divided(store), config)
    _warn(store, splits, config)
    both = (*splits["train"], *splits["validation"])
    if config.where:
        chosen = set(select(store, config.where))
        splits = {**splits, "train": tuple(s for s in splits["train"] if s in chosen)}
        if not splits["train"]:
            raise RunError(
                f"no training scene of {store.path!r} satisfies {config.where!r}",
                hint="`seaice info` shows scenes by split, month, service and region",
            )
    for name, kind in (("train", "training"), ("validation", "validation")):
        if not splits[name]:
            listed_too = "listed " if config.validation == "listed" else ""
            raise RunError(
                f"the store {store.path!r} has no {listed_too}{kind} scenes",
                hint=_too_few(store, both, config),
            )
    return splits["train"], splits["validation"]


def _warn(store: Store, splits: Mapping[str, tuple[str, ...]], config: TrainConfig) -> None:
    """Warn of listed scenes that are not validated on, and of passes in several splits."""
    listed = set(config.validation_scenes)
    absent = listed - set(store.scenes)
    for ids, reason in (
        (absent, "not in the store"),
        (
            listed - absent - set(splits["validation"]),
            "test scenes, or of the orbit pass of one",
        ),
    ):
        if ids:
            log.warning(
                "%d of %d listed validation scenes are %s: %s",
                len(ids), len(listed), reason, ", ".join(sorted(ids)),
            )  # fmt: skip
    if not config.allow_leaks:
        return
    unlabelled = [i for i in splits["test"] if store.scene(i).is_unlabelled]
    if pairs := leaking_pairs(splits, unlabelled):
        side = {scene: name for name, ids in splits.items() for scene in ids}
        shown = [f"{a} ({side[a]}) and {b} ({side[b]})" for a, b in pairs]
        log.warning(
            "scenes of one orbit pass are in different splits, so scores may be too high: "
            "%s",
            "; ".join(shown),
        )


def _too_few(store: Store, both: Sequence[str], config: TrainConfig) -> str:
    """Return what to do if scenes to train or to validate on are missing."""
    if config.validation == "listed":
        return "list others, or set validation to 'store' or 'drawn'"
    is_listed = (store.attributes.get("split_settings") or {}).get("validation") is not None
    if is_listed and config.validation == "store":
        return "divide the store again with `seaice split`, or set validation to 'drawn'"
    hint = (
        f"prepare more: {len(both)} of its {len(store.scenes)} scenes may be trained or "
        "validated on"
    )
    if config.allow_leaks:
        return hint
    return f"{hint}, in {len(orbit_passes(both))} orbit passes, which are not divided"


def _shown(path: str) -> str:
    """Return the path of a store for files that others read: printable, without secrets."""
    return printable(without_secrets(path))


def _with_epochs(config: RunConfig, n_epochs: int) -> RunConfig:
    return replace(config, train=replace(config.train, n_epochs=n_epochs))
