import math

import numpy as np
import pytest
import torch
from torch import Tensor

from seaice_data.charts import FLOE, SIC, SOD
from seaice_model.errors import RunError
from seaice_model.maps.decision import CONCENTRATION, ENTROPY, PROBABILITY, SPREAD
from seaice_model.networks.unet import Prediction
from seaice_model.prediction.ballot import Ballot


def logits(probabilities: list[float]) -> Tensor:
    return torch.tensor(probabilities).log()[None, :, None, None]


def even(n_classes: int) -> Tensor:
    return torch.zeros(1, n_classes, 1, 1)


def number(value: float) -> Tensor:
    return torch.full((1, 1, 1), value)


def predicted(sic: Tensor, sod: Tensor | None = None) -> Prediction:
    return Prediction(sic, even(6) if sod is None else sod, even(7))


def test_the_mean_of_probabilities_decides_not_the_number_of_networks() -> None:
    ballot = Ballot()
    # Two networks lean to class 2 a little, one is sure of class 4.
    lean = [0.0, 0.0, 0.51, 0.0, 0.49, 0.0]
    for shares in (lean, lean, [0.0, 0.0, 0.01, 0.0, 0.99, 0.0]):
        ballot.add(predicted(number(0), logits(shares)))
    assert ballot.classes()[1].item() == 4
    sod = PROBABILITY.decode(ballot.probabilities()["SOD"])[:, 0, 0]
    np.testing.assert_allclose(sod, [0, 0, 1.03 / 3, 0, 1.97 / 3, 0], atol=0.002)


def test_concentration_is_the_mean_and_its_spread_the_deviation() -> None:
    ballot = Ballot()
    for value in (2.0, 4.0, 9.0):
        ballot.add(predicted(number(value)))
    assert ballot.classes()[0].item() == 5
    assert CONCENTRATION.decode(ballot.concentration()).item() == 50
    spread = ballot.spread()
    assert spread is not None
    expected = 10 * np.std([2, 4, 9])
    assert SPREAD.decode(spread).item() == pytest.approx(expected, abs=0.1)
    votes = PROBABILITY.decode(ballot.probabilities()["SIC"])[:, 0, 0]
    np.testing.assert_allclose(votes[[2, 4, 9]], 1 / 3, atol=0.002)
    assert votes.sum() == pytest.approx(1, abs=0.01)


def test_the_uncertainty_of_a_single_number_is_unknown() -> None:
    ballot = Ballot()
    ballot.add(predicted(number(13.0)))
    assert ballot.classes()[0].item() == 10
    assert CONCENTRATION.decode(ballot.concentration()).item() == 100
    assert ballot.spread() is None
    assert set(ballot.probabilities()) == {"SOD", "FLOE"}
    entropy = ENTROPY.decode(ballot.entropy())[:, 0, 0]
    assert np.isnan(entropy[0])
    assert entropy[1:].tolist() == [1, 1]  # all classes are equally probable


def test_classes_of_concentration_have_a_mean_and_a_spread() -> None:
    ballot = Ballot()
    shares = [0.0] * SIC.n_classes
    shares[0], shares[10] = 0.25, 0.75
    ballot.add(predicted(logits(shares)))
    assert ballot.classes()[0].item() == 10
    assert CONCENTRATION.decode(ballot.concentration()).item() == 75
    spread = ballot.spread()
    assert spread is not None
    expected = 100 * math.sqrt(0.25 * 0.75)
    assert SPREAD.decode(spread).item() == pytest.approx(expected, abs=0.1)


def test_entropy_follows_from_the_mean_probabilities() -> None:
    ballot = Ballot()
    # Each network is sure, but of a different class: together they are not sure.
    for position in (1, 3):
        shares = [1e-30] * SOD.n_classes
        shares[position] = 1.0
        ballot.add(predicted(number(0), logits(shares)))
    sod = ENTROPY.decode(ballot.entropy())[1].item()
    assert sod == pytest.approx(math.log(2) / math.log(SOD.n_classes), abs=0.002)


def test_one_network_decides_as_it_does_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (1, 5, 9)
    prediction = Prediction(
        torch.rand(shape, generator=generator) * 14 - 2,
        torch.randn((1, SOD.n_classes, 5, 9), generator=generator),
        torch.randn((1, FLOE.n_classes, 5, 9), generator=generator),
    )
    ballot = Ballot()
    ballot.add(prediction)
    np.testing.assert_array_equal(ballot.classes(), prediction.classes()[0].numpy())


def both(value: float, shares: list[float]) -> Tensor:
    return torch.cat([number(value).unsqueeze(1), logits(shares)], dim=1)


def test_sic_as_both_is_decided_by_the_number_and_as_sure_as_the_classes() -> None:
    ballot = Ballot()
    shares = [0.0] * SIC.n_classes
    shares[6], shares[10] = 0.25, 0.75
    ballot.add(predicted(both(7.0, shares)))
    assert ballot.classes()[0].item() == 7
    assert CONCENTRATION.decode(ballot.concentration()).item() == 70
    sic = PROBABILITY.decode(ballot.probabilities()["SIC"])[:, 0, 0]
    np.testing.assert_allclose(sic, shares, atol=0.002)
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(11)
    found = ENTROPY.decode(ballot.entropy())[0].item()
    assert found == pytest.approx(entropy, abs=0.002)
    spread = ballot.spread()
    assert spread is not None
    expected = 10 * math.sqrt(0.25 * 1**2 + 0.75 * 3**2)  # from 7, not from the mean of 9
    assert SPREAD.decode(spread).item() == pytest.approx(expected, abs=0.1)


def test_several_networks_of_both_have_the_means_of_both() -> None:
    ballot = Ballot()
    for value, sure in ((2.0, 3), (5.0, 4)):
        shares = [1e-9] * SIC.n_classes
        shares[sure] = 1.0
        ballot.add(predicted(both(value, shares)))
    assert CONCENTRATION.decode(ballot.concentration()).item() == 35
    assert ballot.classes()[0].item() == 4  # 3.5, rounded to the even one
    sic = PROBABILITY.decode(ballot.probabilities()["SIC"])[:, 0, 0]
    np.testing.assert_allclose(sic[[3, 4]], 0.5, atol=0.002)
    spread = ballot.spread()
    assert spread is not None
    assert SPREAD.decode(spread).item() == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("other", [even(SIC.n_classes), even(1 + SIC.n_classes)])
def test_numbers_and_classes_of_concentration_do_not_mix(other: Tensor) -> None:
    ballot = Ballot()
    ballot.add(predicted(number(1)))
    with pytest.raises(RunError, match="SIC as a number and as classes, or as both"):
        ballot.add(predicted(other))
