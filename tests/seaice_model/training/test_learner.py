"""A network learns the same, compiled or not, as a CUDA graph or not."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from support.learnable_scenes import TINY
from torch import Tensor

from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store
from seaice_model.config.run_config import SicHead, TrainConfig
from seaice_model.networks.device import Batch
from seaice_model.networks.unet import Prediction
from seaice_model.training.batches import batches
from seaice_model.training.cuda_graph import unchanged
from seaice_model.training.learner import Learner
from seaice_model.training.losses import total_loss
from seaice_model.training.processes import Processes

pytestmark = pytest.mark.filterwarnings("ignore")  # of the compiler, about itself

EXACT = replace(TINY.train, precision="float32", compile="never")


BEYOND = replace(EXACT, weight_average=0.5, learned_weights=True)


def learner_on(device: str, settings: TrainConfig, sic: SicHead = "regression") -> Learner:
    config = replace(TINY, model=replace(TINY.model, sic=sic), train=settings)
    learner = Learner(config, Processes(device=torch.device(device)))
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


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_divided_losses_have_the_mean_of_sampling_over_scenes(batch_size: int) -> None:
    """Add up the losses of all batches of three patches, by how often each batch comes."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 32, 32, 2, generator=generator)
    charts = torch.zeros(3, 32, 32, 3, dtype=torch.uint8)
    charts[0, 9:] = charts[1, 20:, :, 1] = 255
    charts[2, ..., 1] = 5  # the rare class
    over_scenes = torch.tensor([0.5, 0.4, 0.1], dtype=torch.float64)
    sampled = torch.tensor([0.3, 0.3, 0.4], dtype=torch.float64)
    n_valid = (charts != 255).sum(dim=(1, 2)).double()
    mean_valid = over_scenes @ n_valid
    learner = Learner(
        replace(TINY, train=replace(EXACT, divide_by_probability=True)),
        Processes(device=torch.device("cpu")),
        mean_valid.tolist(),
    )
    learner.network.eval()  # one patch then does not change the prediction of another
    prediction = learner.network(inputs.permute(0, 3, 1, 2))
    planes = charts.permute(0, 3, 1, 2).long()
    of_each = [
        total_loss(Prediction(*(plane[k, None] for plane in prediction)), planes[k, None],
                   learner.config, torch.ones(3))
        for k in range(3)
    ]  # fmt: skip
    sums = torch.tensor([[float(part) for part in losses[1:]] for losses in of_each])
    expected = over_scenes @ sums.double() / mean_valid
    mean = torch.zeros(3, dtype=torch.float64)
    for patches in itertools.product(range(3), repeat=batch_size):
        chosen = list(patches)
        relative = (sampled / over_scenes).float()[chosen]
        losses = learner.learn(Batch(inputs[chosen], charts[chosen], relative), 0.0)
        mean += sampled[chosen].prod() * losses[1:]
    torch.testing.assert_close(mean, expected, rtol=1e-5, atol=0)


def everything(learner: Learner) -> dict[str, Tensor]:
    """Return all that a checkpoint of a learner contains."""
    parts = {
        "weights": learner.network.state_dict(),
        "momentum": learner.momentum(),
        "average": learner.average(),
        "loss_weights": learner.loss_weights(),
    }
    return {f"{key}.{name}": t for key, part in parts.items() for name, t in part.items()}


def test_learned_weights_do_not_decay(sampled: Callable[[str], list[Batch]]) -> None:
    settings = replace(BEYOND, weight_decay=0.5, momentum=0.0)
    learner = learner_on("cpu", settings)
    before = learner.loss_weights()["log_variances"].clone()
    losses = learner.learn(sampled("cpu")[0], 0.1)[1:]
    expected = before - 0.1 * (0.5 - torch.exp(-before) * losses)
    torch.testing.assert_close(learner.loss_weights()["log_variances"], expected)


def test_steps_to_warm_up_can_be_undone(sampled: Callable[[str], list[Batch]]) -> None:
    learner, batch = learner_on("cpu", BEYOND), sampled("cpu")[0]
    before = {name: value.clone() for name, value in everything(learner).items()}
    with unchanged(learner._changed):
        learner.learn(batch, 0.1)
    after = everything(learner)
    for name in before:
        torch.testing.assert_close(after.pop(name), before[name], rtol=0, atol=0, msg=name)
    assert "loss_weights.momentum" in after
    assert not any(value.any() for value in after.values())  # new: momentum of 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    ("settings", "sic"), [(EXACT, "regression"), (BEYOND, "both")], ids=["paper", "beyond"]
)
def test_a_recorded_step_is_the_step(
    sampled: Callable[[str], list[Batch]],
    monkeypatch: pytest.MonkeyPatch,
    settings: TrainConfig,
    sic: SicHead,
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    on_cpu = learner_on("cpu", settings, sic)
    on_gpu = learner_on("cuda", settings, sic)
    recorded = learner_on("cuda", replace(settings, compile="always"), sic)
    # Small steps: rounding grows tenfold with each at the usual rate.
    for rate, ours, theirs in zip(
        (0.01, 0.005, 0.0), sampled("cuda"), sampled("cpu"), strict=True
    ):
        judge = on_cpu.learn(theirs, rate)
        for learner in (on_gpu, recorded):
            losses = learner.learn(ours, rate).cpu()
            torch.testing.assert_close(losses, judge, rtol=1e-2, atol=1e-3)
    expected = everything(on_cpu)
    for name, value in everything(recorded).items():
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
