from dataclasses import replace

import pytest
import torch

from seaice_model.config.run_config import Decoders, Fusion, ModelConfig, SicHead
from seaice_model.errors import ConfigError
from seaice_model.networks.unet import MultiTaskUNet, Prediction

SMALL = ModelConfig(channels=("hh", "hv"), filters=(4, 4, 8, 8))


def n_parameters(config: ModelConfig) -> int:
    return sum(weights.numel() for weights in MultiTaskUNet(config).parameters())


def test_the_default_network_has_the_parameters_of_the_paper() -> None:
    # The official network has 523 024, without those that it never uses; its heads of
    # SOD and FLOE have one output for fill, with 32 weights and a bias each.
    assert n_parameters(ModelConfig(fill_class=True)) == 523024
    assert n_parameters(ModelConfig()) == 523024 - 2 * 33


@pytest.mark.parametrize("decoders", ["shared", "separate"])
@pytest.mark.parametrize("sic", ["regression", "classes", "both"])
@pytest.mark.parametrize("fusion", ["input", "bottleneck"])
@pytest.mark.parametrize("filters", [(4,), (4, 8), (2, 3, 5, 4)])
def test_every_parameter_is_used(
    decoders: Decoders, sic: SicHead, fusion: Fusion, filters: tuple[int, ...]
) -> None:
    config = ModelConfig(
        channels=("hh", "t2m", "hv"),
        filters=filters,
        decoders=decoders,
        sic=sic,
        fusion=fusion,
    )
    network = MultiTaskUNet(config)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):  # a ReLU may hide a weight in one batch, not in all
        prediction = network(torch.randn(2, 3, 40, 40, generator=generator))
        sum(plane.square().sum() for plane in prediction).backward()
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.any(), name


@pytest.mark.parametrize("decoders", ["shared", "separate"])
@pytest.mark.parametrize("sic", ["regression", "classes", "both"])
def test_the_output_for_fill_is_trained_and_never_predicted(
    decoders: Decoders, sic: SicHead
) -> None:
    config = replace(SMALL, decoders=decoders, sic=sic, fill_class=True)
    network = MultiTaskUNet(config)
    with torch.no_grad():
        for head in network.heads[1:]:
            head.bias[-1] = 99  # the largest of all outputs
    inputs = torch.randn(2, 2, 40, 36, generator=torch.Generator().manual_seed(0))
    trained, predicted = network(inputs), network.eval()(inputs)
    n_sic = {"regression": (), "classes": (11,), "both": (12,)}[sic]
    assert [plane.shape[1:-2] for plane in predicted] == [n_sic, (6,), (7,)]
    assert [plane.shape[1] for plane in trained[1:]] == [7, 8]
    assert trained.sic.ndim == 3 or trained.sic.shape[1] == n_sic[0] + 1
    for plane, n_classes in zip(predicted.classes()[0], (11, 6, 7), strict=True):
        assert plane.max() < n_classes


def test_ancillary_channels_enter_at_the_bridge_if_asked_for() -> None:
    config = ModelConfig(channels=("hh", "t2m", "hv"), filters=(4, 8), fusion="bottleneck")
    assert (config.at_input, config.at_bridge) == (("hh", "hv"), ("t2m",))
    network = MultiTaskUNet(config).eval()
    assert network.contract[0][0].weight.shape[1] == 2
    assert network.contract[-1][0].weight.shape[1] == 8 + 1
    inputs = torch.zeros(1, 3, 16, 16)
    changed = inputs.clone()
    changed[0, 1, 8:12, 8:12] = 8  # one pixel of the bridge, whose grid is 4 x 4
    bridges = []
    network.contract[-1].register_forward_pre_hook(lambda _, args: bridges.append(args[0]))
    with torch.no_grad():
        plain, other = network(inputs), network(changed)
    assert (bridges[1] - bridges[0]).nonzero().tolist() == [[0, 8, 2, 2]]
    assert not torch.equal(plain.sod, other.sod)


def test_fusion_at_the_bottleneck_needs_channels_on_both_sides() -> None:
    for channels in (("hh", "hv"), ("t2m",)):
        with pytest.raises(ConfigError, match="needs ancillary channels and others"):
            ModelConfig(channels=channels, fusion="bottleneck")


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


def test_each_chart_has_its_own_decoder_when_separate() -> None:
    shared = n_parameters(SMALL)
    separate = n_parameters(
        ModelConfig(channels=SMALL.channels, filters=SMALL.filters, decoders="separate")
    )
    decoder = sum(w.numel() for w in MultiTaskUNet(SMALL).decoders.parameters())
    assert separate == shared + 2 * decoder


def test_the_initial_weights_depend_on_the_seed_alone() -> None:
    state = torch.random.get_rng_state()
    first = MultiTaskUNet(SMALL, seed=3).state_dict()
    torch.rand(5)
    again, other = MultiTaskUNet(SMALL, seed=3), MultiTaskUNet(SMALL, seed=4)
    assert all(torch.equal(first[name], w) for name, w in again.state_dict().items())
    assert not torch.equal(first["heads.0.weight"], other.state_dict()["heads.0.weight"])
    torch.random.set_rng_state(state)


def test_building_a_network_does_not_change_the_global_random_state() -> None:
    state = torch.random.get_rng_state()
    MultiTaskUNet(SMALL)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_initial_weights_are_distributed_as_those_of_pytorch() -> None:
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


def test_the_number_decides_if_sic_is_both() -> None:
    sic = torch.zeros(1, 12, 1, 2)
    sic[0, 0, 0] = torch.tensor([7.4, 12.0])
    sic[0, 1 + 3] = 9.0  # class 3 is far more probable
    prediction = Prediction(sic, torch.zeros(1, 6, 1, 2), torch.zeros(1, 7, 1, 2))
    assert prediction.classes()[0, 0, 0].tolist() == [7, 10]
    number, logits = prediction.sic_number(), prediction.sic_logits()
    assert number is not None
    assert logits is not None
    assert number.tolist() == [[[pytest.approx(7.4), 12.0]]]
    assert logits.shape == (1, 11, 1, 2)
    assert logits.argmax(dim=1).tolist() == [[[3, 3]]]


def test_the_logit_of_fill_is_not_taken_for_a_number() -> None:
    sod, floe = torch.zeros(1, 7, 1, 2), torch.zeros(1, 8, 1, 2)
    classes = Prediction(torch.zeros(1, 12, 1, 2), sod, floe)  # 11 and fill
    assert classes.sic_number() is None
    logits = Prediction(torch.zeros(1, 13, 1, 2), sod, floe).sic_logits()
    assert logits is not None
    assert logits.shape[1] == 12


def test_sic_as_classes_takes_the_largest_logit() -> None:
    sic = torch.zeros(1, 11, 1, 2)
    sic[0, 10, 0, 1] = 1
    decided = Prediction(sic, torch.zeros(1, 6, 1, 2), torch.zeros(1, 7, 1, 2)).classes()
    assert decided[0, 0, 0].tolist() == [0, 10]
