"""Several networks that differ in their seed: for the spread of maps, and for statistics.

Each is a run of its own in ``run/seed-<number>``. After an interruption, call again with
``resume`` to train the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from seaice_data.store.opening import AnyStore, opened
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import RunError
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.settings import load_settings
from seaice_model.training.gpu_scenes import kept_scenes
from seaice_model.training.progress import TrainCallback, TrainReport
from seaice_model.training.train import train


@kept_scenes()
def train_seeds(
    store: AnyStore,
    run_path: str | Path,
    config: RunConfig | None,
    seeds: Sequence[int],
    *,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    tensorboard: bool = False,
    progress: Callable[[int], TrainCallback] | None = None,
) -> list[TrainReport]:
    """Train a network for each seed; see `seaice_model.training.train.train`.

    Parameters
    ----------
    store
        Where the patches come from: a store, its path or its URL.
    run_path
        Folder for the folders ``seed-<number>``.
    config
        Network and training; their seed is replaced. If not given, the defaults of the
        paper or, when resuming, the configuration of the first run there.
    seeds
        A seed for each network.
    resume
        Continue: finished seeds are left as they are, others continue or start.
    overwrite
        Replace the runs of these seeds.
    device
        Where to train.
    tensorboard
        Whether to write events for TensorBoard.
    progress
        Given a seed, returns the callback of its training; see `train`.

    Returns
    -------
    list
        One report for each seed; fewer if a signal stopped the training.

    Raises
    ------
    RunError
        As `train`; existing runs are refused before the first one is trained.
    """
    store, folder = opened(store), RunFolder(Path(run_path))
    folders = {seed: folder.of_seed(seed) for seed in seeds}
    if config is None:
        config = _config_of(folder) if resume else RunConfig()
    if not (resume or overwrite):
        for of_seed in folders.values():
            of_seed.refuse_results()
    reports = []
    for seed, of_seed in folders.items():
        reports.append(
            train(
                store,
                of_seed.path,
                replace(config, train=replace(config.train, seed=seed)),
                resume=resume and of_seed.settings.exists(),
                overwrite=overwrite,
                device=device,
                tensorboard=tensorboard,
                progress=None if progress is None else progress(seed),
            )
        )
        if reports[-1].is_stopped:
            break
    return reports


def _config_of(folder: RunFolder) -> RunConfig:
    """Return the configuration of the first of the runs in a folder of several seeds."""
    for of_seed in folder.seeds():
        if of_seed.settings.exists():
            return load_settings(of_seed.settings).config
    raise RunError(
        f"no run at {str(folder.path / 'seed-*')!r} to resume",
        hint="leave out --resume to start them",
    )
