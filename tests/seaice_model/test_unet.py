import pytest
import torch

from seaice_model.config import Decoders, ModelConfig, SicHead
from seaice_model.unet import MultiTaskUNet, Prediction

SMALL = ModelConfig(channels=("hh", "hv"), filters=(4, 4, 8, 8))


def n_parameters(config: ModelConfig) -> int:
    return sum(weights.numel() for weights in MultiTaskUNet(config).parameters())


def test_the_default_network_has_the_parameters_of_the_paper() -> None:
    # 523 024 in the reference without those that it never uses; its
    # heads of SOD and FLOE have one class too many, 32 weights and a bias each.
    assert n_parameters(ModelConfig()) == 523024 - 2 * 33


@pytest.mark.parametrize("decoders", ["shared", "separate"])
@pytest.mark.parametrize("sic", ["regression", "classes"])
def test_every_parameter_is_used(decoders: Decoders, sic: SicHead) -> None:
    config = ModelConfig(channels=("hh",), filters=(4, 8), decoders=decoders, sic=sic)
    network = MultiTaskUNet(config)
    prediction = network(torch.randn(2, 1, 12, 12, generator=torch.Generator()))
    sum(plane.square().sum() for plane in prediction).backward()
    assert all(weights.grad is not None for weights in network.parameters())


@pytest.mark.parametrize(
    "shape", [(16, 16), (37, 45), (1, 30), (30, 1), (1, 1), (17, 300), (15, 16)]
)
def test_a_prediction_has_the_shape_of_its_inputs(shape: tuple[int, int]) -> None:
    network = MultiTaskUNet(SMALL).eval()
    with torch.no_grad():
        prediction = network(torch.ones(1, 2, *shape))
    assert prediction.sic.shape == (1, *shape)
    assert prediction.sod.shape == (1, 6, *shape)
    assert prediction.floe.shape == (1, 7, *shape)
    assert prediction.classes().shape == (1, 3, *shape)


@pytest.mark.parametrize("filters", [(3,), (4, 6), (2, 3, 5, 7, 11)])
def test_any_number_of_levels_works(filters: tuple[int, ...]) -> None:
    network = MultiTaskUNet(ModelConfig(channels=("hh",), filters=filters)).eval()
    assert network(torch.ones(1, 1, 64, 70)).sod.shape == (1, 6, 64, 70)


def test_charts_have_decoders_of_their_own_when_separate() -> None:
    shared = n_parameters(SMALL)
    separate = n_parameters(
        ModelConfig(channels=SMALL.channels, filters=SMALL.filters, decoders="separate")
    )
    decoder = sum(w.numel() for w in MultiTaskUNet(SMALL).decoders.parameters())
    assert separate == shared + 2 * decoder


def test_the_first_weights_follow_the_seed_alone() -> None:
    state = torch.random.get_rng_state()
    first = MultiTaskUNet(SMALL, seed=3).state_dict()
    torch.rand(5)
    again, other = MultiTaskUNet(SMALL, seed=3), MultiTaskUNet(SMALL, seed=4)
    assert all(torch.equal(first[name], w) for name, w in again.state_dict().items())
    assert not torch.equal(first["heads.0.weight"], other.state_dict()["heads.0.weight"])
    torch.random.set_rng_state(state)


def test_building_a_network_leaves_the_global_random_state_alone() -> None:
    state = torch.random.get_rng_state()
    MultiTaskUNet(SMALL)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_first_weights_are_as_wide_as_those_of_pytorch() -> None:
    weights = MultiTaskUNet(ModelConfig()).contract[2][0].weight.detach()
    bound = (1 / (32 * 9)) ** 0.5  # uniform in -bound..bound
    assert weights.abs().max() == pytest.approx(bound, rel=1e-3)
    assert weights.std() == pytest.approx(bound / 3**0.5, rel=0.02)


def test_channels_last_inputs_give_the_same_prediction() -> None:
    network = MultiTaskUNet(SMALL).eval()
    inputs = torch.randn(1, 2, 32, 32, generator=torch.Generator())
    plain = network(inputs)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    last = network(inputs.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last.sic, plain.sic)


def test_sic_is_rounded_and_clamped_to_its_classes() -> None:
    sic = torch.tensor([[[-3.0, 0.4, 4.6, 10.4, 20.0]]])
    sod, floe = torch.zeros(1, 6, 1, 5), torch.zeros(1, 7, 1, 5)
    sod[0, 5, 0, 2] = 1
    decided = Prediction(sic, sod, floe).classes()
    assert decided[0, 0, 0].tolist() == [0, 0, 5, 10, 10]
    assert decided[0, 1, 0].tolist() == [0, 0, 5, 0, 0]


def test_sic_as_classes_takes_the_largest_logit() -> None:
    sic = torch.zeros(1, 11, 1, 2)
    sic[0, 10, 0, 1] = 1
    decided = Prediction(sic, torch.zeros(1, 6, 1, 2), torch.zeros(1, 7, 1, 2)).classes()
    assert decided[0, 0, 0].tolist() == [0, 10]
