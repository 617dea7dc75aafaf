import errno
import os
import shutil
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from support.learnable_scenes import RECIPE, SCENES, TINY, StoreMaker
from support.other_systems import OtherSystem
from support.polygon_scenes import polygon_table, write_polygons

from seaice_data.errors import StoreError
from seaice_data.sampling.augmentation import AUGMENTATIONS, Augmentation
from seaice_data.sampling.windows import Sampling
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.system.files import alone_in
from seaice_model.config.run_config import Fill, ModelConfig, RunConfig, TrainConfig
from seaice_model.errors import RunError
from seaice_model.runs.checkpoint import load, load_best, save, weights_fingerprint
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import LogEntry, read_log
from seaice_model.training.progress import TrainProgress
from seaice_model.training.seeds import train_seeds
from seaice_model.training.train import learning_rate, train


def with_train(**changes: object) -> RunConfig:
    return replace(TINY, train=replace(TINY.train, **changes))  # type: ignore[arg-type]


def doing_without_era5(config: RunConfig, fill: Fill) -> RunConfig:
    """Return the same for a network that learns to do without ERA5."""
    model = ModelConfig(channels=("hh", "hv", "t2m"), filters=(4, 8), fill=fill)
    return replace(config, model=model, augmentation=Augmentation(drop_era5=0.5))


def weights_of(run_path: Path) -> str:
    return weights_fingerprint(load(RunFolder(run_path).last))


def losses_of(run_path: Path) -> list[tuple[float, ...]]:
    entries = read_log(RunFolder(run_path).log)
    return [(e.loss, e.loss_sic, e.loss_sod, e.loss_floe, e.combined) for e in entries]


def stop_at(epoch: int, iteration: int, number: signal.Signals):  # type: ignore[no-untyped-def]
    """Return a progress callback that sends this process a signal at a batch."""

    def progress(step: TrainProgress) -> None:
        if (step.epoch, step.iteration, step.scores) == (epoch, iteration, None):
            os.kill(os.getpid(), number)

    return progress


def test_the_learning_rate_is_the_official_one() -> None:
    steps = np.array([0, 1, 4999, 5000, 9999, 10000, 10001, 25000, 149999])
    expected = 0.0005 * (1 + np.cos(np.pi * (steps % 10000) / 10000))
    ours = [learning_rate(TrainConfig(), int(step)) for step in steps]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_the_learning_rate_is_that_of_pytorch_for_30_000_steps() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.001)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=10_000)
    judged = []
    for _ in range(30_000):
        judged.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    ours = [learning_rate(TrainConfig(), step) for step in range(30_000)]
    np.testing.assert_allclose(ours, judged, rtol=1e-9, atol=1e-15)


def test_a_run_contains_settings_log_checkpoints_and_learning_curve(run: Path) -> None:
    assert {path.name for path in run.iterdir()} == {
        "settings.json",
        "log.jsonl",
        "best.safetensors",
        "last.safetensors",
        "learning_curve.png",
    }


def test_training_learns(tmp_path: Path, store: Store) -> None:
    config = with_train(n_epochs=6, n_iterations=12, n_restart_epochs=6)
    train(store, tmp_path / "run", config, device="cpu")
    log = read_log(RunFolder(tmp_path / "run").log)
    assert log[-1].loss < log[0].loss / 2
    assert max(entry.combined for entry in log) > 30


def test_the_best_checkpoint_is_that_of_the_highest_score(run: Path) -> None:
    log = read_log(RunFolder(run).log)
    best = max(log, key=lambda entry: entry.combined)
    checkpoint = load_best(run)
    assert checkpoint.state.n_epochs == best.epoch == checkpoint.state.best_epoch
    assert checkpoint.state.best_score == best.combined


def test_training_twice_gives_the_same_weights(
    tmp_path: Path, store: Store, run: Path
) -> None:
    state = torch.random.get_rng_state()
    train(store, tmp_path / "run", TINY, device="cpu")
    assert weights_of(tmp_path / "run") == weights_of(run)
    assert losses_of(tmp_path / "run") == losses_of(run)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_another_seed_gives_other_weights(tmp_path: Path, store: Store, run: Path) -> None:
    train(store, tmp_path / "run", with_train(seed=1), device="cpu")
    assert weights_of(tmp_path / "run") != weights_of(run)


def test_resuming_after_an_epoch_gives_the_same_weights(
    tmp_path: Path, store: Store, run: Path
) -> None:
    train(store, tmp_path / "run", with_train(n_epochs=1), device="cpu")
    report = train(store, tmp_path / "run", TINY, resume=True, device="cpu")
    assert (report.n_epochs, report.is_complete) == (3, True)
    assert weights_of(tmp_path / "run") == weights_of(run)
    assert losses_of(tmp_path / "run") == losses_of(run)


@pytest.mark.parametrize("fill", ["zero", "mask", "constant"])
def test_a_run_that_drops_a_sensor_resumes_to_the_same_weights(
    tmp_path: Path, store: Store, fill: Fill
) -> None:
    config = doing_without_era5(with_train(n_epochs=2, n_iterations=2), fill)
    train(store, tmp_path / "whole", config, device="cpu")
    first = replace(config, train=replace(config.train, n_epochs=1))
    train(store, tmp_path / "run", first, device="cpu")
    train(store, tmp_path / "run", resume=True, config=config, device="cpu")
    assert weights_of(tmp_path / "run") == weights_of(tmp_path / "whole")
    assert losses_of(tmp_path / "run") == losses_of(tmp_path / "whole")
    never = replace(config, augmentation=Augmentation())
    train(store, tmp_path / "never", never, device="cpu")
    assert weights_of(tmp_path / "never") != weights_of(tmp_path / "whole")
    numbers = load_best(tmp_path / "whole").weights.get("filling.numbers")
    assert (numbers is not None and bool(numbers.all())) == (fill == "constant")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("iteration", [2, 4])
def test_a_signal_stops_with_everything_saved(
    tmp_path: Path, store: Store, run: Path, iteration: int, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    progress = stop_at(2, iteration, number)
    report = train(store, tmp_path / "run", TINY, device="cpu", progress=progress)
    assert (report.n_epochs, report.is_complete) == (1, False)
    assert load(RunFolder(tmp_path / "run").last).state.next_patch == (4 + iteration) * 4
    assert signal.getsignal(number) is before
    report = train(store, tmp_path / "run", resume=True, device="cpu")
    assert report.is_complete
    assert weights_of(tmp_path / "run") == weights_of(run)
    assert losses_of(tmp_path / "run") == losses_of(run)


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from seaice_data.settings import read_toml
from seaice_data.store.store import Store
from seaice_model.config.run_config import RunConfig
from seaice_model.training.train import train

def progress(step):
    if (step.epoch, step.iteration) == (2, 3):
        os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(1)
config = read_toml(RunConfig, Path(sys.argv[3]))
train(Store.open(sys.argv[1]), Path(sys.argv[2]), config, device="cpu", progress=progress)
"""

TINY_TOML = """
[model]
channels = ["hh", "hv"]
filters = [4, 8]
[train]
patch_size = 16
batch_size = 4
n_iterations = 4
n_epochs = 3
n_restart_epochs = 2
learning_rate = 0.02
"""


def test_a_killed_run_resumes_to_the_same_weights(
    tmp_path: Path, store: Store, run: Path
) -> None:
    (tmp_path / "config.toml").write_text(TINY_TOML)
    arguments = [store.path, str(tmp_path / "run"), str(tmp_path / "config.toml")]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(read_log(RunFolder(tmp_path / "run").log)) == 1
    train(store, tmp_path / "run", resume=True, device="cpu")
    assert weights_of(tmp_path / "run") == weights_of(run)
    assert losses_of(tmp_path / "run") == losses_of(run)


UNMAPPED = """
import sys
from pathlib import Path
import numpy as np
from support.learnable_scenes import TINY, train_in_one_thread
from seaice_data.store.store import Store

store = Store.open(sys.argv[1])
scene = store.scene(store.scenes[0])
assert not scene.is_mapped and not isinstance(scene.inputs, np.memmap)
for resume in (False, True):
    train_in_one_thread(store, Path(sys.argv[2]), TINY, resume=resume, device="cpu")
"""


def test_a_disk_whose_files_cannot_be_mapped_gives_the_same_weights(
    tmp_path: Path, store: Store, run: Path, other_system: OtherSystem
) -> None:
    other_system.python(UNMAPPED, store.path, tmp_path / "run", mmap=errno.ENODEV)
    assert weights_of(tmp_path / "run") == weights_of(run)


def test_a_run_killed_between_log_and_checkpoint_repeats_the_epoch(
    tmp_path: Path, store: Store, run: Path
) -> None:
    first, folder = RunFolder(tmp_path / "first"), RunFolder(tmp_path / "run")
    train(store, first.path, with_train(n_epochs=1), device="cpu")
    shutil.copytree(run, folder.path)
    shutil.copy(first.last, folder.last)  # log and best are two epochs ahead
    with folder.log.open("a") as stream:
        stream.write('{"epoch": 4, "lo')
    train(store, folder.path, resume=True, device="cpu")
    assert weights_of(folder.path) == weights_of(run)
    assert losses_of(folder.path) == losses_of(run)


def test_a_run_killed_before_its_first_checkpoint_starts_again(
    tmp_path: Path, store: Store, run: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    shutil.copy(RunFolder(run).settings, folder.settings)
    train(store, folder.path, resume=True, device="cpu")
    assert weights_of(folder.path) == weights_of(run)


def test_a_finished_run_can_be_given_more_epochs(
    tmp_path: Path, store: Store, run: Path
) -> None:
    shutil.copytree(run, tmp_path / "run")
    report = train(store, tmp_path / "run", resume=True, device="cpu")
    assert (report.n_epochs, report.is_complete) == (3, True)
    report = train(store, tmp_path / "run", with_train(n_epochs=4), resume=True)
    assert report.n_epochs == 4
    again = train(store, tmp_path / "run", resume=True)
    assert again.n_epochs == 4


def test_other_settings_are_refused_when_resuming(run: Path, store: Store) -> None:
    with pytest.raises(RunError, match="batch_size: 8 instead of 4"):
        train(store, run, with_train(batch_size=8), resume=True)


def test_another_store_is_refused_when_resuming(
    tmp_path: Path, run: Path, make_store: StoreMaker
) -> None:
    recipe = replace(RECIPE, dtype="float32")
    other = make_store(tmp_path / "other.zarr", recipe=recipe)
    with pytest.raises(RunError, match='dtype: "float32" instead of "float16"'):
        train(other, run, resume=True)


def test_a_run_in_the_way_is_kept(run: Path, store: Store) -> None:
    with pytest.raises(RunError, match="there is a run at") as caught:
        train(store, run, TINY)
    assert "--resume" in str(caught.value.hint)
    assert len(read_log(RunFolder(run).log)) == 3


def test_a_file_in_the_way_is_named(tmp_path: Path, store: Store) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunError, match=r"cannot write a run to '.*run': File exists"):
        train(store, tmp_path / "run", TINY)


def test_overwriting_replaces_the_run_and_nothing_else(
    tmp_path: Path, store: Store, run: Path
) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    train(store, tmp_path / "run", with_train(n_epochs=1), overwrite=True)
    assert len(read_log(RunFolder(tmp_path / "run").log)) == 1
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_resuming_nothing_is_refused(tmp_path: Path, store: Store) -> None:
    with pytest.raises(RunError, match=r"no run at .* to resume"):
        train(store, tmp_path / "run", TINY, resume=True)
    assert not (tmp_path / "run").exists()


def test_a_store_without_validation_scenes_is_refused(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    store = make_store(tmp_path / "store.zarr", scenes=SCENES[:1])
    with pytest.raises(RunError, match="has no validation scenes"):
        train(store, tmp_path / "run", TINY)


def test_validation_scenes_can_be_sampled_by_the_seed(tmp_path: Path, store: Store) -> None:
    sampled = []
    for seed in range(4):
        config = with_train(validation="drawn", seed=seed, n_epochs=1, n_iterations=1)
        train(store, tmp_path / f"{seed}", config)
        settings = load_best(tmp_path / f"{seed}").settings
        assert not {*settings.train_scenes} & {*settings.validation_scenes}
        assert {*settings.train_scenes, *settings.validation_scenes} == {*SCENES}
        sampled.append(settings.validation_scenes)
    assert len(set(sampled)) > 1


def test_training_scenes_can_be_chosen_by_a_condition(tmp_path: Path, store: Store) -> None:
    one = store.splits["train"][0]
    config = with_train(where=f"id == {one}", n_epochs=1)
    train(store, tmp_path / "run", config, device="cpu")
    settings = load_best(tmp_path / "run").settings
    assert settings.train_scenes == (one,)
    assert settings.validation_scenes == store.splits["validation"]
    config = with_train(where="split == test")
    with pytest.raises(RunError, match=r"no training scene of .* satisfies 'split == te"):
        train(store, tmp_path / "other", config)


def test_sampling_and_augmentation_are_settings_of_the_run(
    tmp_path: Path, store: Store, run: Path
) -> None:
    weights = {weights_of(run)}
    for name, config in {
        "plain": replace(TINY, augmentation=AUGMENTATIONS["none"]),
        "by class": replace(TINY, sampling=Sampling(over="classes")),
        "weighed": replace(
            with_train(divide_by_probability=True), sampling=Sampling(over="classes")
        ),
    }.items():
        train(store, tmp_path / name, config, device="cpu")
        assert load_best(tmp_path / name).settings.config == config
        weights.add(weights_of(tmp_path / name))
    assert len(weights) == 4
    with pytest.raises(RunError, match=r"other settings: cutmix: 0\.5 instead of 0"):
        train(store, tmp_path / "plain", TINY, resume=True)


@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
@pytest.mark.parametrize("fill", ["zero", "mask", "constant"])
def test_a_compiled_network_learns_the_same(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, fill: Fill
) -> None:
    # All of the compiler but its last step, which takes a minute here.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    for way in ("always", "never"):
        config = with_train(compile=way, n_epochs=1)
        if fill != "zero":
            config = doing_without_era5(config, fill)
        train(store, tmp_path / way, config, device="cpu")
    ours, theirs = losses_of(tmp_path / "always"), losses_of(tmp_path / "never")
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
def test_a_machine_without_a_compiler_is_reported(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.compiler.reset()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (None, "no-such-compiler"))
    monkeypatch.setattr(torch._inductor.config, "force_disable_caches", True)
    with pytest.raises(RunError, match="cannot compile the network here: ") as caught:
        train(store, tmp_path / "run", with_train(compile="always"), device="cpu")
    assert "set compile to 'never'" in str(caught.value.hint)


def test_a_missing_channel_is_named(tmp_path: Path, store: Store) -> None:
    config = RunConfig(model=ModelConfig(channels=("hh", "skt"), filters=(4, 8)))
    with pytest.raises(Exception, match="has no channel 'skt'"):
        train(store, tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def test_a_store_without_polygons_cannot_train_with_regions(
    tmp_path: Path, store: Store
) -> None:
    config = replace(TINY, train=replace(TINY.train, region_loss=1.0))
    with pytest.raises(StoreError, match="a ready-to-train file, which has no polygons"):
        train(store, tmp_path / "run", config, device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_training_with_regions_resumes_to_the_same_weights(tmp_path: Path) -> None:
    ids = np.full((24, 24), 7)
    ids[:, 8:] = 9
    codes = {7: (90, -9, 93, 5), 9: (80, 40, 83, 4, 40, 95, 5)}  # young and old ice
    path, scenes = str(tmp_path / "store"), dict.fromkeys(SCENES, ids)
    store = write_polygons(path, scenes, polygon_table(codes), mixed=[9])
    config = with_train(region_loss=1.0, n_epochs=2)
    train(store, tmp_path / "run", config, device="cpu")
    train(store, tmp_path / "again", with_train(region_loss=1.0, n_epochs=1), device="cpu")
    train(store, tmp_path / "again", config, resume=True, device="cpu")
    assert weights_of(tmp_path / "again") == weights_of(tmp_path / "run")
    assert losses_of(tmp_path / "again") == losses_of(tmp_path / "run")
    entry = read_log(RunFolder(tmp_path / "run").log)[0]
    of_pixels = entry.loss_sic + 3 * entry.loss_sod + 3 * entry.loss_floe
    assert entry.loss > of_pixels + 0.1


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path, store: Store) -> None:
    with pytest.raises(RunError, match="diverged in epoch 1: the loss of batch") as caught:
        train(store, tmp_path / "run", with_train(learning_rate=1e30), device="cpu")
    assert "lower learning_rate" in str(caught.value.hint)
    assert not RunFolder(tmp_path / "run").last.exists()


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_a_run_completes_if_a_chart_is_empty_everywhere(
    tmp_path: Path, empty: int, make_store: StoreMaker
) -> None:
    store = make_store(tmp_path / "store.zarr", scenes=SCENES)
    for scene in store.scenes:
        path = Path(store.path, "scenes", scene, "charts", "c", "0", "0", "0")
        charts = np.fromfile(path, np.uint8).reshape(40, 45, 3)
        # Without SIC there are no patches at all: keep a few of its pixels.
        charts[4 if empty == 0 else 0 :, :, empty] = 255
        charts.tofile(path)
    report = train(store, tmp_path / "run", with_train(n_epochs=1), device="cpu")
    assert report.is_complete
    entry = read_log(RunFolder(tmp_path / "run").log)[0]
    assert np.isfinite([entry.loss, entry.combined]).all()
    if empty == 1:
        assert entry.sod is None
        assert entry.loss_sod == 0


def test_progress_is_reported_for_every_batch_and_epoch(
    tmp_path: Path, store: Store
) -> None:
    reported: list[TrainProgress] = []
    report = train(
        store,
        tmp_path / "run",
        with_train(n_epochs=2),
        device="cpu",
        progress=reported.append,
    )
    batches = [(t.epoch, t.iteration) for t in reported if t.scores is None]
    assert batches == [(epoch, i) for epoch in (1, 2) for i in (1, 2, 3, 4)]
    assert [t.epoch for t in reported if t.scores is not None] == [1, 2]
    assert report.elapsed_s > 0
    assert report.patches_per_s > 2 * 4 * 4 / report.elapsed_s  # it leaves out validation
    assert 0 <= report.wait_share <= 1


def test_the_log_agrees_with_the_schedule(run: Path) -> None:
    log: list[LogEntry] = read_log(RunFolder(run).log)
    rates = [entry.learning_rate for entry in log]
    assert rates == [learning_rate(TINY.train, i) for i in (3, 7, 11)]


def test_a_store_of_another_type_trains_too(tmp_path: Path, make_store: StoreMaker) -> None:
    recipe = Recipe(ratio=2, channels=("hh", "hv"), dtype="float32")
    store = make_store(tmp_path / "store.zarr", recipe=recipe)
    for model in (
        replace(TINY.model, sic="classes"),
        replace(TINY.model, decoders="separate"),
    ):
        config = replace(with_train(n_epochs=1), model=model)
        train(store, tmp_path / "run", config, overwrite=True, device="cpu")
        assert load_best(tmp_path / "run").settings.config == config


def test_a_run_that_learned_nothing_is_not_in_the_way(
    tmp_path: Path, store: Store, run: Path
) -> None:
    with pytest.raises(RunError, match="diverged in epoch 1"):
        train(store, tmp_path / "run", with_train(learning_rate=1e30), device="cpu")
    assert RunFolder(tmp_path / "run").settings.exists()
    train(store, tmp_path / "run", TINY, device="cpu")
    assert weights_of(tmp_path / "run") == weights_of(run)


OTHERS = ("settings.json", "log.jsonl", "best.safetensors", "learning_curve.png")


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_others_are_not_replaced_without_overwrite(
    tmp_path: Path, store: Store, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    other = tmp_path / "tensorboard" / "other" / "events.out.tfevents.1.host.2.3"
    other.parent.mkdir(parents=True)
    for path in (other, tmp_path / "tensorboard" / other.name):
        path.write_text("mine")
    with pytest.raises(RunError, match=rf"{name}' would be replaced") as caught:
        train(store, tmp_path, with_train(n_epochs=1), device="cpu")
    assert "--overwrite" in str(caught.value.hint)
    assert (tmp_path / name).read_text() == "mine"
    train(store, tmp_path, with_train(n_epochs=1), overwrite=True, device="cpu")
    assert load_best(tmp_path).state.n_epochs == 1
    assert other.read_text() == "mine"
    assert (tmp_path / "tensorboard" / other.name).read_text() == "mine"


def test_files_of_others_are_seen_before_the_first_of_several_seeds(
    tmp_path: Path, store: Store
) -> None:
    mine = tmp_path / "seed-1" / "settings.json"
    mine.parent.mkdir()
    mine.write_text('{"mine": true}')
    with pytest.raises(RunError, match=r"seed-1/settings\.json' would be replaced"):
        train_seeds(store, tmp_path, TINY, [0, 1], device="cpu")
    assert [*tmp_path.rglob("*.*")] == [mine]


def test_events_of_others_are_kept_next_to_those_of_a_run(
    tmp_path: Path, store: Store
) -> None:
    pytest.importorskip("tensorboard")
    events, config = tmp_path / "run" / "tensorboard", with_train(n_epochs=1)
    others = {events / "other" / "events.out.tfevents.1.host.2.3", events / "notes.txt"}
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorBoard, about itself
        train(store, tmp_path / "run", config, device="cpu", tensorboard=True)
    of_0_1 = events / "events.out.tfevents.1.host.2.3"
    of_0_1.write_text("of version 0.1, which gave no name of its own")
    assert len([*events.glob("events.out.tfevents.*.seaice")]) == 1
    train(store, tmp_path / "run", config, device="cpu", overwrite=True)
    assert {path for path in events.rglob("*") if path.is_file()} == others


@pytest.mark.parametrize("device", ["meta", "cuda:99"])
def test_a_device_that_cannot_train_leaves_nothing_behind(
    tmp_path: Path, store: Store, device: str
) -> None:
    with pytest.raises(RunError, match="device"):
        train(store, tmp_path / "run", TINY, device=device)
    assert not (tmp_path / "run").exists()


def test_a_network_larger_than_the_memory_leaves_nothing_behind(
    tmp_path: Path, store: Store
) -> None:
    config = replace(TINY, model=replace(TINY.model, filters=(65536, 65536)))
    with pytest.raises(RunError, match="too little memory for training"):
        train(store, tmp_path / "run", config, device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mark", ["zarr.json", ".zgroup"])
def test_a_store_is_not_a_folder_for_a_run(tmp_path: Path, store: Store, mark: str) -> None:
    (tmp_path / mark).write_text("{}")
    with pytest.raises(RunError, match="is a store, not a folder for a run"):
        train(store, tmp_path, TINY, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == [mark]


@pytest.mark.parametrize("resume", [True, False])
def test_a_run_that_another_process_trains_is_refused(
    tmp_path: Path, store: Store, run: Path, resume: bool
) -> None:
    shutil.copytree(run, tmp_path / "run")
    with (
        alone_in(tmp_path / "run"),
        pytest.raises(RunError, match="another process is training the run"),
    ):
        train(store, tmp_path / "run", TINY, resume=resume, overwrite=not resume)
    assert weights_of(tmp_path / "run") == weights_of(run)


def test_fewer_epochs_than_there_are_is_refused(run: Path, store: Store) -> None:
    with pytest.raises(RunError, match="has 3 epochs already, more than the 2 asked for"):
        train(store, run, with_train(n_epochs=2), resume=True)


@pytest.mark.parametrize("best_epoch", [1, 3])
def test_a_lost_best_checkpoint_is_written_again_if_the_last_is_the_best(
    tmp_path: Path, store: Store, run: Path, best_epoch: int
) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(run, folder.path)
    last = load(folder.last)
    save(replace(last, state=replace(last.state, best_epoch=best_epoch)), folder.last)
    folder.best.unlink()
    if best_epoch == 3:
        train(store, folder.path, resume=True, device="cpu")
        assert load_best(folder.path).state.best_epoch == 3
    else:
        with pytest.raises(RunError, match="is missing: it is that of epoch 1"):
            train(store, folder.path, resume=True, device="cpu")
        assert not folder.best.exists()


def test_without_its_last_checkpoint_a_run_resumes_from_the_best(
    tmp_path: Path, store: Store, run: Path
) -> None:
    shutil.copytree(run, tmp_path / "run")
    RunFolder(tmp_path / "run").last.unlink()
    config = with_train(n_epochs=4)
    train(store, tmp_path / "run", config, resume=True, device="cpu")
    train(store, tmp_path / "peaceful", config, device="cpu")
    assert weights_of(tmp_path / "run") == weights_of(tmp_path / "peaceful")
    assert losses_of(tmp_path / "run") == losses_of(tmp_path / "peaceful")


def test_a_checkpoint_of_another_run_is_refused(
    tmp_path: Path, store: Store, run: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    train(store, folder.path, with_train(seed=1, n_epochs=1), device="cpu")
    shutil.copy(RunFolder(run).last, folder.last)
    with pytest.raises(
        RunError, match="of a run with other settings: seed: 0 instead of 1"
    ):
        train(store, folder.path, resume=True, device="cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("fill", ["zero", "mask", "constant"])
def test_training_on_a_gpu_learns(tmp_path: Path, store: Store, fill: Fill) -> None:
    config = with_train(n_epochs=6, n_iterations=12, n_restart_epochs=6)
    if fill != "zero":
        config = doing_without_era5(config, fill)
    report = train(store, tmp_path / "run", config, device="cuda")
    assert report.best_score is not None
    assert report.best_score > 30
