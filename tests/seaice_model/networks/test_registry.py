"""Networks of other packages are built, checked and used like our own."""

from collections.abc import Iterator

import pytest
import torch
from support.network_packages import installed
from torch.nn import functional

from seaice_model.config.run_config import ModelConfig
from seaice_model.errors import ConfigError, RunError
from seaice_model.networks.build import build_network
from seaice_model.networks.registry import (
    NamedNetwork,
    heads_of,
    own_random_state,
    try_network,
)

SIZE = 16


@pytest.fixture(autouse=True, scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed(tmp_path_factory.mktemp("named") / "site"):
        yield


def built(name: str, seed: int | None = 0, **settings: object) -> NamedNetwork:
    config = ModelConfig(channels=("hh", "hv"), network=name, **settings)  # type: ignore[arg-type]
    network = build_network(config, seed=seed, patch_size=SIZE)
    assert isinstance(network, NamedNetwork)
    return network


def planes(n: int = 3) -> torch.Tensor:
    """Return planes in channels-last memory, as they come from a store."""
    rng = torch.Generator().manual_seed(1)
    return torch.randn(n, SIZE, SIZE, 2, generator=rng).permute(0, 3, 1, 2)


def test_outputs_become_a_prediction() -> None:
    network = built("small-cnn").eval()
    prediction = network(planes())
    assert [tuple(plane.shape) for plane in prediction] == [
        (3, SIZE, SIZE),
        (3, 6, SIZE, SIZE),
        (3, 7, SIZE, SIZE),
    ]
    assert prediction.classes().shape == (3, 3, SIZE, SIZE)
    assert network.tile == SIZE


def test_outputs_by_chart_are_those_in_order() -> None:
    by_chart, in_order = built("by-chart").eval(), built("small-cnn").eval()
    assert all(map(torch.equal, by_chart(planes()), in_order(planes())))


def test_heads_follow_from_the_settings() -> None:
    classes = ModelConfig(sic="classes", fill_class=True)
    assert heads_of(classes) == {"SIC": 12, "SOD": 7, "FLOE": 8}
    network = built("small-cnn", sic="classes", fill_class=True)
    assert [plane.shape[1] for plane in network.train()(planes())] == [12, 7, 8]
    assert [plane.shape[1] for plane in network.eval()(planes())] == [11, 6, 7]


def test_fill_is_replaced_as_for_our_own() -> None:
    inputs = planes()
    inputs[:, 1, :4] = torch.nan
    for fill, n_channels in (("mask", 3), ("constant", 2)):
        config = ModelConfig(channels=("hh", "t2m"), network="small-cnn", fill=fill)  # type: ignore[arg-type]
        network = build_network(config, seed=0, patch_size=SIZE).eval()
        assert network.state_dict()["module.first.weight"].shape[1] == n_channels
        assert all(bool(plane.isfinite().all()) for plane in network(inputs))


def test_weights_follow_from_the_seed_and_the_global_state_stays() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, again, other = built("small-cnn", 3), built("small-cnn", 3), built("small-cnn", 4)
    try_network(one)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.state_dict().keys() == again.state_dict().keys()
    first = "module.first.weight"
    assert torch.equal(one.state_dict()[first], again.state_dict()[first])
    assert not torch.equal(one.state_dict()[first], other.state_dict()[first])


def test_trying_a_network_changes_nothing() -> None:
    network = built("small-cnn").eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    try_network(network)
    assert not network.training
    assert all(torch.equal(value, before[n]) for n, value in network.state_dict().items())
    assert all(weights.grad is None for weights in network.parameters())


def test_random_numbers_follow_from_seed_and_number() -> None:
    def dropped(seed: int, number: tuple[int, ...]) -> list[float]:
        with own_random_state(seed, number=number):
            return functional.dropout(torch.ones(50), 0.5).tolist()

    assert dropped(1, (7, 0)) == dropped(1, (7, 0))
    assert len({str(dropped(*case)) for case in [(1, (7, 0)), (1, (8, 0)), (1, (7, 1)),
                                                 (2, (7, 0))]}) == 4  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", r"cannot be built: ValueError: cannot take 2 channels of \['FLOE'"),
        ("no-module", "is a function, not a torch.nn.Module"),
        ("no-function", "cannot be built: AttributeError: .*nothing_of_this_name"),
        ("no-weights", "has no weights to train"),
        ("lazy", "has layers whose size is not known"),
        ("sparse", "has a state 'graph' of layout torch.sparse_coo"),
        ("without-values", "has a state '.*' without values"),
        ("ends", "cannot be built: SystemExit: 0"),
    ],
)
def test_what_is_not_a_network_is_refused_when_built(name: str, message: str) -> None:
    with pytest.raises(
        RunError, match=rf"^network '{name}' \(ice-networks 1.2\) {message}"
    ):
        built(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two-outputs", "returns 2 tensors instead of 3"),
        ("half-size", r"returns shape \(2, 1, 8, 8\) for SIC instead of \(2, 1, 16, 16\)"),
        ("classes", "returns torch.int64 for SIC"),
        ("no-sod", "returns no 'SOD'"),
        ("out-of-place", "fails: KeyError: 'ICE'"),
        ("no-gradient", "has no weights that change SIC"),
        ("not-finite", "returns values for SIC that are not finite"),
        ("with-mask", "starts with a state 'module.mask' that is not finite"),
    ],
)
def test_what_a_network_should_not_return_is_refused(name: str, message: str) -> None:
    with pytest.raises(
        RunError, match=rf"^network '{name}' \(ice-networks 1.2\) {message}"
    ):
        try_network(built(name))


def test_planes_of_another_size_are_named_if_a_network_fails() -> None:
    with pytest.raises(RunError, match="fails") as caught:
        built("small-cnn")(planes()[:, :1])
    assert str(caught.value.hint).startswith("it was given planes of shape (3, 1, 16, 16)")


def test_values_without_a_class_are_refused_in_maps() -> None:
    network = built("not-finite").eval()
    with pytest.raises(RunError, match="returns values for SIC that are not finite"):
        network(planes())


def test_what_a_package_prints_is_not_among_results(
    capsys: pytest.CaptureFixture[str],
) -> None:
    built("talks")
    assert capsys.readouterr() == ("", "welcome\n")


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown network 'cnn'"):
        built("cnn")
