import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.learnable_scenes import SCENES, TINY
from torch import Tensor

from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store
from seaice_model.errors import RunError
from seaice_model.networks.device import Batch, as_classes, as_planes
from seaice_model.networks.unet import MultiTaskUNet, Prediction
from seaice_model.runs.checkpoint import load
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import read_log
from seaice_model.training.batches import batches
from seaice_model.training.learner import Learner
from seaice_model.training.losses import count_valid, total_loss
from seaice_model.training.processes import Processes, join
from seaice_model.training.stop import StopRequest
from seaice_model.training.validation import Validation

# Without decay and after one step, momentum is the gradient.
CONFIG = replace(TINY, train=replace(TINY.train, weight_decay=0.0))
BEYOND = replace(
    CONFIG,
    model=replace(CONFIG.model, sic="both"),
    train=replace(CONFIG.train, weight_average=0.5, learned_weights=True),
)
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
TORCHRUN += ["--standalone", "--nproc-per-node", "2"]


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command in two processes; show their output if one of them fails."""
    result = subprocess.run(
        [*TORCHRUN, *map(str, command)],
        capture_output=True, text=True, env=env, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


ONE_STEP = """
import sys, torch
from dataclasses import replace
from functools import partial
from pathlib import Path
from seaice_data.store.store import Store
sys.path.insert(0, sys.argv[3])
from test_processes import BEYOND, CONFIG, Partly, batch_of
from seaice_model.training.learner import Learner
from seaice_model.training.processes import join, leave

torch.set_num_threads(1)
# All of the compiler but its last step, which takes a minute.
torch.compile = partial(torch.compile, backend="aot_eager")
store = Store.open(sys.argv[1])
for kind in ("frozen", "own", "compiled", "beyond", "own-beyond", "compiled-beyond"):
    processes = join("cpu")
    way = "always" if "compiled" in kind else "never"
    config = BEYOND if "beyond" in kind else CONFIG
    learner = Learner(replace(config, train=replace(config.train, compile=way)), processes)
    learner.network.train("own" in kind)
    batch = batch_of(store, rank=processes.rank, count=processes.count)
    losses = processes.mean(learner.learn(batch, 0.1))
    learner.average_buffers()
    assert torch._dynamo.config.optimize_ddp  # a setting of the process: unchanged
    torch.save(
        {"inputs": batch.inputs, "charts": batch.charts, "losses": losses,
         "gradients": learner.momentum(), "average": learner.average(),
         "loss_weights": learner.loss_weights()},
        Path(sys.argv[2], f"{kind}-{processes.rank}.pt"),
    )
network = Partly()
shared = processes.synchronised(network, uses_all=False)
for _ in range(2):
    network.zero_grad()
    shared(torch.full((1, 1), 1.0 + processes.rank)).sum().backward()
gradients = {name: weights.grad for name, weights in network.named_parameters()}
torch.save(gradients, Path(sys.argv[2], f"partly-{processes.rank}.pt"))
processes.barrier()
leave()
"""


class Partly(torch.nn.Module):
    """A network that does not use all of its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.used = torch.nn.Linear(1, 1, bias=False)
        self.spare = torch.nn.Linear(1, 1, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a multiple of the inputs."""
        return self.used(inputs)  # type: ignore[no-any-return]


def batch_of(store: Store, *, rank: int = 0, count: int = 1) -> Batch:
    sampler = PatchSampler(store, channels=CONFIG.model.channels, size=16, seed=3)
    return next(batches(sampler, 8, 12, 4, torch.device("cpu"), rank=rank, count=count))


@pytest.fixture(scope="module")
def steps(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what two processes computed from their shares of a batch of four."""
    folder = tmp_path_factory.mktemp("steps")
    (folder / "step.py").write_text(ONE_STEP)
    # Our packages before the folders of their tests, which have the same names.
    here = Path(__file__).parent
    folders = os.pathsep.join(map(str, (here, here.parents[2], here.parents[1])))
    environment = os.environ | {"PYTHONPATH": folders}
    run(folder / "step.py", store.path, folder, here, env=environment)
    return folder


def read(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [torch.load(folder / f"{kind}-{rank}.pt") for rank in (0, 1)]


def assert_close(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert set(ours) == set(theirs)
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-6)


def test_two_processes_take_the_patches_of_one(steps: Path, store: Store) -> None:
    first, second = read(steps, "own")
    whole = batch_of(store)
    inputs = torch.stack([first["inputs"], second["inputs"]], 1).flatten(0, 1)
    assert torch.equal(as_planes(inputs), as_planes(whole.inputs))
    assert torch.equal(
        torch.stack([first["charts"], second["charts"]], 1).flatten(0, 1), whole.charts
    )


def test_their_gradients_are_those_of_the_double_batch(steps: Path, store: Store) -> None:
    # Batch norm uses its running means here, so that only gradients are exchanged.
    learner = Learner(CONFIG, Processes(device=torch.device("cpu")))
    learner.network.eval()
    losses = learner.learn(batch_of(store), 0.1)
    for share in read(steps, "frozen"):
        torch.testing.assert_close(share["losses"], losses)
        assert_close(share["gradients"], learner.momentum())


def test_compiled_networks_have_the_same_gradients(steps: Path) -> None:
    for share, plain in zip(read(steps, "compiled"), read(steps, "frozen"), strict=True):
        torch.testing.assert_close(share["losses"], plain["losses"])
        assert_close(share["gradients"], plain["gradients"])


@pytest.mark.parametrize("kind", ["beyond", "compiled-beyond"])
def test_average_and_learned_weights_are_those_of_the_double_batch(
    steps: Path, store: Store, kind: str
) -> None:
    learner = Learner(BEYOND, Processes(device=torch.device("cpu")))
    learner.network.eval()
    losses = learner.learn(batch_of(store), 0.1)
    for share in read(steps, kind):
        torch.testing.assert_close(share["losses"], losses)
        assert_close(share["gradients"], learner.momentum())
        assert_close(share["average"], learner.average())
        assert_close(share["loss_weights"], learner.loss_weights())


@pytest.mark.parametrize("kind", ["own", "own-beyond"])
def test_both_processes_end_with_the_same(steps: Path, kind: str) -> None:
    first, second = read(steps, kind)
    for part in ("gradients", "average", "loss_weights"):
        assert all(
            torch.equal(first[part][name], second[part][name]) for name in first[part]
        )


def test_a_network_need_not_use_all_of_its_weights(steps: Path) -> None:
    for gradients in read(steps, "partly"):
        assert gradients == {"used.weight": torch.tensor([[1.5]]), "spare.weight": None}


def test_on_cpus_each_process_normalises_its_own_share(steps: Path, store: Store) -> None:
    whole = batch_of(store)
    network = MultiTaskUNet(CONFIG.model, seed=CONFIG.train.seed)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    planes, classes = as_planes(whole.inputs), as_classes(whole.charts)
    parts = [network(planes[rank::2]) for rank in (0, 1)]
    prediction = Prediction(*(torch.cat(pair) for pair in zip(*parts, strict=True)))
    charts = torch.cat([classes[0::2], classes[1::2]])
    losses = total_loss(prediction, charts, CONFIG.train, count_valid(charts))
    losses.total.backward()  # type: ignore[no-untyped-call]
    gradients = {n: w.grad for n, w in network.named_parameters() if w.grad is not None}
    for share in read(steps, "own"):
        torch.testing.assert_close(share["losses"], torch.stack(losses).detach())
        assert_close(share["gradients"], gradients)


TINY_TOML = """
[model]
channels = ["hh", "hv"]
filters = [4, 8]
[train]
patch_size = 16
batch_size = 4
n_iterations = 4
n_epochs = 2
learning_rate = 0.02
validation = "listed"
validation_scenes = {scenes}
{more}
"""
BEYOND_TOML = "weight_average = 0.9\nlearned_weights = true"


KINDS = {"paper": "", "beyond": BEYOND_TOML}

# Both kinds from one start of the processes, which takes longer than to train.
TRAIN = """
import sys
from seaice.main import app, run

def command(kind):
    given = ["--config", f"{folder}/{kind}.toml", *options]
    return ["train", store, "--run", f"{folder}/{name}-{kind}", *given]

store, folder, name, *options = sys.argv[1:]
try:
    app(command("paper"))
except SystemExit as ended:
    assert not ended.code
sys.argv[1:] = command("beyond")
run()
"""


@pytest.fixture(scope="module")
def trained(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of runs that two processes trained, at once and in two parts."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.py").write_text(TRAIN)
    for kind, more in KINDS.items():
        text = TINY_TOML.format(scenes=list(SCENES[:2]), more=more)
        (folder / f"{kind}.toml").write_text(text)
    for arguments in (("run", "--epochs", "1"), ("run", "--resume"), ("peaceful",)):
        run(folder / "train.py", store.path, folder, *arguments)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_a_run_that_resumes_to_the_same_weights(
    trained: Path, store: Store, kind: str
) -> None:
    ours, peaceful = (RunFolder(trained / f"{n}-{kind}") for n in ("run", "peaceful"))
    assert ours.last.read_bytes() == peaceful.last.read_bytes()
    assert [e.combined for e in read_log(ours.log)] == [
        e.combined for e in read_log(peaceful.log)
    ]
    assert load(ours.last).state.next_patch == 2 * 4 * 4
    assert {path.name for path in ours.path.iterdir()} == {f.name for f in ours.files}
    assert_scored_as_saved(ours, store)


def assert_scored_as_saved(folder: RunFolder, store: Store) -> None:
    """Make sure that the best score is that of the weights that were saved with it."""
    best = load(folder.best)
    scenes = [store.scene(scene) for scene in best.settings.validation_scenes]
    assert len(scenes) == 2  # so that each process has scored a part
    channels = best.settings.config.model.channels
    validation = Validation(scenes, channels, "auto", largest_kept=0)
    scores = validation.score(best.network(), StopRequest()).scores()
    assert scores.combined == best.state.best_score


def test_a_process_without_torchrun_is_alone() -> None:
    processes = join("cpu", {"WORLD_SIZE": "4"})  # set by others, too
    assert (processes.rank, processes.count) == (0, 1)
    assert processes.is_first
    assert processes.any(True)
    assert not processes.any(False)


def test_one_device_for_two_processes_is_refused() -> None:
    environment = dict.fromkeys(
        ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"), "0"
    ) | {"WORLD_SIZE": "2"}
    with pytest.raises(RunError, match="'cuda:0' cannot be shared by 2 processes"):
        join("cuda:0", environment)


ALL = {
    "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0",
    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500",
}  # fmt: skip


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_PORT"])
@pytest.mark.parametrize("value", ["two", "-1", "9" * 5000, "1.5", "\u0661"])
def test_a_variable_that_is_not_a_number_is_named(name: str, value: str) -> None:
    with pytest.raises(RunError, match=f"environment variable {name} is ") as caught:
        join("cpu", {**ALL, name: value})
    assert "unset WORLD_SIZE" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "MASTER_ADDR"])
def test_an_empty_variable_counts_as_not_set(name: str) -> None:
    assert join("cpu", {**ALL, name: ""}).count == 1


def test_a_number_beyond_that_of_all_processes_is_refused() -> None:
    with pytest.raises(RunError, match="RANK is 2, but WORLD_SIZE is 2"):
        join("cpu", {**ALL, "RANK": "2"})


def test_every_scene_is_shared_once() -> None:
    scenes = ["a", "b", "c", "d", "e"]
    device = torch.device("cpu")
    shares = [Processes(rank=r, count=2, device=device).share(scenes) for r in (0, 1)]
    assert shares == [["a", "c", "e"], ["b", "d"]]


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    processes = Processes(count=3, device=torch.device("cpu"))
    processes.check_batch(6)
    with pytest.raises(RunError, match="16 patches cannot be shared by 3 processes"):
        processes.check_batch(16)
