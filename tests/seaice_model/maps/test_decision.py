import numpy as np
import pytest

from seaice_model.maps.decision import (
    CONCENTRATION,
    ENTROPY,
    PROBABILITY,
    SPREAD,
    Decision,
    Steps,
)


@pytest.mark.parametrize(
    ("steps", "highest"),
    [(PROBABILITY, 1.0), (ENTROPY, 1.0), (CONCENTRATION, 100.0), (SPREAD, 50.0)],
)
def test_every_number_comes_back_within_half_a_step(steps: Steps, highest: float) -> None:
    numbers = np.linspace(0, highest, 1001, dtype=np.float32)
    again = steps.decode(steps.encode(numbers))
    assert np.abs(again - numbers).max() <= steps.step / 2 * 1.001
    assert again[[0, -1]].tolist() == pytest.approx([0, highest])


def test_unknown_values_stay_unknown() -> None:
    codes = PROBABILITY.encode(np.array([np.nan, 0.0]))
    assert codes.tolist() == [255, 0]
    assert np.isnan(PROBABILITY.decode(codes)).tolist() == [True, False]


def test_planes_are_found_by_the_name_of_their_chart() -> None:
    plane = np.full((1, 1), 125, np.uint8)
    decision = Decision(
        classes=np.zeros((3, 1, 1), np.uint8),
        concentration=plane,
        entropy=np.stack([plane, plane * 2, plane]),
        spread=None,
        probabilities={"FLOE": np.stack([plane * 2] + [plane * 0] * 6)},
        n_networks=1,
        rows=np.zeros(2, int),
        columns=np.zeros(2, int),
    )
    assert decision.entropy_of("SOD").tolist() == [[1]]
    assert decision.concentration_percent().tolist() == [[62.5]]
    assert decision.spread_percent() is None
    assert decision.probabilities_of("SIC") is None
    floe = decision.probabilities_of("FLOE")
    assert floe is not None
    assert floe[:, 0, 0].tolist() == [1, 0, 0, 0, 0, 0, 0]
