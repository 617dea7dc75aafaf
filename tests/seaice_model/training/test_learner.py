"""A network learns the same, compiled or not, as a CUDA graph or not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from support.learnable_scenes import TINY

from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store
from seaice_model.config.run_config import TrainConfig
from seaice_model.networks.device import Batch
from seaice_model.training.batches import batches
from seaice_model.training.learner import Learner
from seaice_model.training.processes import Processes

pytestmark = pytest.mark.filterwarnings("ignore")  # of the compiler, about itself

EXACT = replace(TINY.train, precision="float32", compile="never")


def learner_on(device: str, settings: TrainConfig) -> Learner:
    learner = Learner(replace(TINY, train=settings), Processes(device=torch.device(device)))
    learner.network.train()
    return learner


@pytest.fixture
def sampled(store: Store) -> Callable[[str], list[Batch]]:
    """Return the same three batches on any device."""

    def sample(device: str) -> list[Batch]:
        sampler = PatchSampler(store, channels=TINY.model.channels, size=32, seed=3)
        return [
            Batch(b.inputs.clone(), b.charts.clone(), b.probability.clone())
            for b in batches(sampler, 0, 24, 8, torch.device(device))
        ]

    return sample


def test_the_rate_of_each_batch_is_the_one_given(
    sampled: Callable[[str], list[Batch]],
) -> None:
    learner = learner_on("cpu", replace(EXACT, weight_decay=0.0, momentum=0.0))
    before = [w.detach().clone() for w in learner.network.parameters()]
    first, second, _ = sampled("cpu")
    learner.learn(first, 0.0)
    assert all(map(torch.equal, before, learner.network.parameters()))
    learner.learn(second, 0.5)
    for start, weights in zip(before, learner.network.parameters(), strict=True):
        assert weights.grad is not None
        torch.testing.assert_close(weights.detach(), start - 0.5 * weights.grad)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_recorded_step_is_the_step(
    sampled: Callable[[str], list[Batch]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    on_cpu = learner_on("cpu", EXACT)
    on_gpu = learner_on("cuda", EXACT)
    recorded = learner_on("cuda", replace(EXACT, compile="always"))
    # Small steps: rounding grows tenfold with each at the usual rate.
    for rate, ours, theirs in zip(
        (0.01, 0.005, 0.0), sampled("cuda"), sampled("cpu"), strict=True
    ):
        judge = on_cpu.learn(theirs, rate)
        for learner in (on_gpu, recorded):
            losses = learner.learn(ours, rate).cpu()
            torch.testing.assert_close(losses, judge, rtol=1e-2, atol=1e-3)
    expected = on_cpu.network.state_dict()
    for name, value in recorded.network.state_dict().items():
        torch.testing.assert_close(
            value.cpu(), expected[name], rtol=1e-2, atol=1e-3, msg=name
        )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_batch_of_another_shape_is_refused(sampled: Callable[[str], list[Batch]]) -> None:
    learner = learner_on("cuda", replace(EXACT, compile="always"))
    batch, *_ = sampled("cuda")
    learner.learn(batch, 0.1)
    less = Batch(batch.inputs[:4], batch.charts[:4], batch.probability[:4])
    with pytest.raises(ValueError, match="recorded for shape"):
        learner.learn(less, 0.1)
