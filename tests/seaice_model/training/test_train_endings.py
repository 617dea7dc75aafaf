"""Trainings that end early: killed, stopped, diverged, or out of disk space."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from support.learnable_scenes import TINY
from support.other_systems import OtherSystem

from seaice_data.settings import read_toml
from seaice_data.store.store import Store
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import RunError
from seaice_model.prediction.predict import predict_store
from seaice_model.runs.checkpoint import load, load_best, save, weights_fingerprint
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import read_log
from seaice_model.training import recorder
from seaice_model.training.progress import TrainProgress
from seaice_model.training.train import train

SEAICE = Path(sys.executable).with_name("seaice")
LONGER = replace(TINY, train=replace(TINY.train, n_epochs=30))

CONFIG = """
[model]
channels = ["hh", "hv"]
filters = [8, 8]
[train]
patch_size = 16
batch_size = 4
n_iterations = 4
n_epochs = 2
learning_rate = 0.02
"""


def losses_of(folder: RunFolder) -> list[tuple[int, float, float]]:
    return [(e.epoch, e.loss, e.combined) for e in read_log(folder.log)]


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from support.learnable_scenes import TINY, train_in_one_thread
from seaice_data.store.store import Store
import matplotlib.pyplot, seaice_model.training.train

def train():
    store, folder = Store.open(sys.argv[1]), Path(sys.argv[2])
    longer = replace(TINY, train=replace(TINY.train, n_epochs=30))
    resume = Path(folder, "settings.json").exists()
    train_in_one_thread(store, folder, longer, resume=resume, device="cpu")

os.environ |= {"SIGNAL": "9", "SIGNAL_IN": sys.argv[2]}
for at in sys.argv[3:]:
    os.environ |= {"SIGNAL_AT": at, "SIGNAL_ONCE": f"{sys.argv[2]}.{at}"}
    if (child := os.fork()) == 0:  # torch is imported once, and idle in this process
        os.setpgid(0, 0)
        train()
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, at
    epochs = Path(sys.argv[2], "log.jsonl")
    print(len(epochs.read_text().splitlines()) if epochs.exists() else 0)
"""


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_with_the_same_weights(
    store: Store, tmp_path: Path, other_system: OtherSystem
) -> None:
    folder = RunFolder(tmp_path / "run")
    moments = (1, 4, 7, 9, 12, 15, 20, 25, 30)  # changes to its files
    out = other_system.python(KILLED, store.path, folder.path, *moments)
    n_epochs = [int(line) for line in out.splitlines()]
    assert n_epochs == sorted(n_epochs)
    assert 0 in n_epochs
    assert 1 < n_epochs[-1] < LONGER.train.n_epochs
    report = train(store, folder.path, LONGER, resume=True, device="cpu")
    assert report.is_complete
    peaceful = RunFolder(tmp_path / "peaceful")
    train(store, peaceful.path, LONGER, device="cpu")
    for ours, theirs in ((folder.last, peaceful.last), (folder.best, peaceful.best)):
        assert weights_fingerprint(load(ours)) == weights_fingerprint(load(theirs))
    assert losses_of(folder) == losses_of(peaceful)


def test_sigterm_saves_and_exits_with_its_own_code(store: Store, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.replace("n_epochs = 2", "n_epochs = 9999"))
    folder = RunFolder(tmp_path / "run")
    command = [SEAICE, "train", store.path, "--run", folder.path]
    command += ["--config", tmp_path / "config.toml"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not folder.last.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 75
    assert "continue with --resume" in err.splitlines()[-1]
    state = load(folder.last).state
    assert state.n_epochs >= 1
    assert state.n_epochs == len(read_log(folder.log))


def test_a_training_that_diverges_keeps_its_last_good_checkpoint(
    store: Store, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    train(store, folder.path, replace(TINY, train=replace(TINY.train, n_epochs=1)))
    last = load(folder.last)
    weights = {n: w * 1e25 if "heads" in n else w for n, w in last.weights.items()}
    save(replace(last, weights=weights), folder.last)  # finite, but their losses are not
    before = folder.last.read_bytes()
    with pytest.raises(RunError, match="diverged in epoch 2: the loss of batch") as caught:
        train(store, folder.path, TINY, resume=True)
    assert "stays as it was after epoch 1" in str(caught.value.hint)
    assert folder.last.read_bytes() == before


def test_weights_that_are_not_finite_are_not_saved_at_a_stop(
    store: Store, tmp_path: Path
) -> None:
    def stop(progress: TrainProgress) -> None:
        assert np.isfinite(progress.loss)  # the loss before the step
        signal.raise_signal(signal.SIGTERM)

    folder = RunFolder(tmp_path / "run")
    config = replace(TINY, train=replace(TINY.train, learning_rate=1e45))
    with pytest.raises(RunError, match=r"diverged in epoch 1: weights '.*' are not finite"):
        train(store, folder.path, config, device="cpu", progress=stop)
    assert not folder.last.exists()


def test_a_full_disk_is_reported_before_the_old_checkpoint_is_touched(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    folder = RunFolder(tmp_path / "run")
    arguments = [store.path, "--run", folder.path]
    config = read_toml(RunConfig, tmp_path / "config.toml")
    once = replace(config, train=replace(config.train, n_epochs=1))
    train(store, folder.path, once)
    before = {path: path.read_bytes() for path in (folder.last, folder.best)}
    # Files of at most 20 kB: settings and log fit, a checkpoint does not.
    assert all(len(content) > 20480 for content in before.values())
    limited = 'ulimit -f 20; exec "$0" train "$@" --resume --epochs 2'
    done = subprocess.run(
        ["bash", "-c", limited, SEAICE, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith(f"error: cannot write '{folder.path}")
    assert message.endswith(".safetensors': File too large")
    assert {path: path.read_bytes() for path in before} == before
    assert not [path for path in folder.path.iterdir() if path.name.startswith(".")]
    train(store, folder.path, config, resume=True)
    assert load(folder.last).state.n_epochs == 2
    assert len(read_log(folder.log)) == 2


def test_defaults_of_the_caller_do_not_change_the_weights(
    store: Store, run: Path, tmp_path: Path
) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            train(store, tmp_path / "run", TINY, device="cpu")
            report = predict_store(store, run, tmp_path / "maps", device="cpu")
            assert not torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert report.n_written == 2
    ours, theirs = (weights_fingerprint(load_best(r)) for r in (run, tmp_path / "run"))
    assert ours == theirs


def test_a_learning_curve_that_cannot_be_plotted_does_not_end_a_training(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def no_latex(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("latex could not be found")

    monkeypatch.setattr(FigureCanvasAgg, "print_to_buffer", no_latex)
    monkeypatch.setattr(recorder, "_PLOT_EVERY_S", 0)
    report = train(store, tmp_path / "run", TINY, device="cpu")
    assert report.is_complete
    assert [record.getMessage() for record in caplog.records] == [
        "learning_curve.png is not written: cannot plot: latex could not be found"
    ]
