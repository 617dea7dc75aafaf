"""The average of the weights follows from them by hand, and is what a run results in."""

from dataclasses import replace

import pytest
import torch
from support.learnable_scenes import TINY

from seaice_model.networks.build import build_network
from seaice_model.training.weight_average import WeightAverage


def test_the_average_of_one_weight_is_that_by_hand() -> None:
    network = build_network(TINY.model, seed=0)
    bias = network.heads[0].bias
    bias.data.fill_(1.0)
    average = WeightAverage(network, 0.15)
    own = average.network.heads[0].bias
    shown = []
    for value in (11.0, 0.0, 2.0):
        bias.data.fill_(value)
        average.update()
        shown.append(own.item())
    # Decays are 1 / 10, then 2 / 11 and 3 / 12, of which both are above the setting.
    first = 0.1 * 1 + 0.9 * 11
    second = 0.15 * first
    assert shown == pytest.approx([first, second, 0.15 * second + 0.85 * 2])
    assert bias.item() == 2


def test_buffers_are_averaged_and_counts_copied() -> None:
    network = build_network(TINY.model, seed=0)
    average = WeightAverage(network, 0.5)
    norm, own = (n.contract[0][1] for n in (network, average.network))
    norm.running_mean.fill_(10.0)
    norm.num_batches_tracked.fill_(7)
    average.update()
    torch.testing.assert_close(own.running_mean, torch.full_like(own.running_mean, 9.0))
    assert own.num_batches_tracked == 7


def test_constant_weights_are_their_own_average() -> None:
    network = build_network(TINY.model, seed=3)
    average = WeightAverage(network, 0.99)
    for _ in range(3):
        average.update()
    for ours, theirs in zip(
        average.network.state_dict().values(), network.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_an_average_continues_where_it_was() -> None:
    generator = torch.Generator().manual_seed(0)
    network = build_network(TINY.model, seed=0)
    average = WeightAverage(network, 0.99)

    def learn() -> None:
        for weights in network.parameters():
            weights.data += torch.randn(weights.shape, generator=generator)

    for _ in range(4):
        learn()
        average.update()
    resumed = WeightAverage(network, 0.99)
    resumed.restore(average.network.state_dict(), 4)
    learn()
    average.update()
    resumed.update()
    for ours, theirs in zip(average.changed(), resumed.changed(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_average_neither_learns_nor_normalises_by_its_batch() -> None:
    network = build_network(replace(TINY.model, decoders="separate"), seed=0)
    average = WeightAverage(network.train(), 0.9).network
    assert not average.training
    assert not any(weights.requires_grad for weights in average.parameters())
    assert network.training
    assert all(weights.requires_grad for weights in network.parameters())
