"""Several seeds trained one after the other."""

import signal
from pathlib import Path

import pytest
from support.learnable_scenes import TINY

from seaice_data.errors import StoreError
from seaice_data.store.store import Store
from seaice_model.runs.folder import RunFolder
from seaice_model.training.progress import TrainCallback, TrainProgress
from seaice_model.training.seeds import train_seeds


def test_a_signal_at_the_end_of_a_seed_stops_the_others(
    store: Store, tmp_path: Path
) -> None:
    def of_seed(_seed: int) -> TrainCallback:
        def stop_at_the_end(progress: TrainProgress) -> None:
            if progress.scores is not None and progress.epoch == progress.n_epochs:
                signal.raise_signal(signal.SIGTERM)

        return stop_at_the_end

    reports = train_seeds(
        store, tmp_path / "run", TINY, [0, 1], device="cpu", progress=of_seed
    )
    assert [(r.is_complete, r.is_stopped) for r in reports] == [(True, True)]
    assert not RunFolder(tmp_path / "run").of_seed(1).path.exists()
    reports = train_seeds(store, tmp_path / "run", None, [0, 1], resume=True, device="cpu")
    assert [(r.is_complete, r.is_stopped) for r in reports] == [(True, False)] * 2


def test_without_settings_the_defaults_are_trained(store: Store, tmp_path: Path) -> None:
    # They need more channels than this store has.
    with pytest.raises(StoreError, match="channel"):
        train_seeds(store, str(tmp_path / "run"), None, [0], device="cpu")
