import os
from dataclasses import replace
from pathlib import Path

import pytest
from support.learnable_scenes import TINY

from seaice_data.store.store import Store
from seaice_model.errors import RunError
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import read_log
from seaice_model.runs.tensorboard import event_writer
from seaice_model.training.train import train

pytest.importorskip("tensorboard")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorBoard, about itself
def test_tensorboard_reads_the_epochs_of_a_run(tmp_path: Path, store: Store) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = RunFolder(tmp_path / "run")
    config = replace(TINY, train=replace(TINY.train, learned_weights=True))
    train(store, folder.path, config, device="cpu", tensorboard=True)
    events = EventAccumulator(str(folder.events))
    events.Reload()
    log = read_log(folder.log)
    combined = events.Scalars("score/combined")
    assert [event.step for event in combined] == [1, 2, 3]
    assert [event.value for event in combined] == pytest.approx(
        [entry.combined for entry in log]
    )
    assert {"loss/SIC", "learning rate", "speed/share of time waiting"} <= set(
        events.Tags()["scalars"]
    )
    learned = [e.loss_weights[0] for e in log if e.loss_weights is not None]
    assert [e.value for e in events.Scalars("weight/SIC")] == pytest.approx(learned)
    train(store, folder.path, TINY, device="cpu", overwrite=True)
    assert not folder.events.exists()


def test_a_folder_that_tensorboard_cannot_write_to_is_named(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/K\xf8benhavn"))
    with (
        pytest.raises(RunError, match="whose name is not UTF-8"),
        event_writer(folder, 0),
    ):
        pass


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("mine")
    with (
        pytest.raises(RunError, match=r"cannot write events to '.*tensorboard': "),
        event_writer(tmp_path / "tensorboard", 0),
    ):
        pass
