import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve
from support.drawn_uncertainty import MANY, drawn, errors

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import FLOE, SOD
from seaice_model.maps.decision import CONCENTRATION, PROBABILITY, SPREAD
from seaice_model.networks.unet import Prediction
from seaice_model.prediction.ballot import (
    Ballot,
    concentration_of,
    moments_of,
    probabilities_of,
    spread_of,
)
from seaice_model.scores.calibration import CalibrationScorer, Coverage, Reliability
from seaice_model.scores.report_text import coverage_in_words


def reliability(truth: ChartArray, probabilities: FloatArray) -> Reliability:
    scorer = CalibrationScorer()
    scorer.add_probabilities(SOD, truth, probabilities)
    found = scorer.calibration()
    assert found is not None
    assert found.coverage is None
    return found.reliability["SOD"]


def test_probabilities_that_come_true_have_no_error() -> None:
    result = reliability(*drawn())
    assert result.expected_error < 0.02
    assert max(result.class_errors) < 0.02
    assert result.mean_probability == pytest.approx(result.accuracy, abs=0.02)


def test_overconfidence_shows() -> None:
    result = reliability(*drawn(sharpness=3))
    assert result.expected_error == pytest.approx(
        result.mean_probability - result.accuracy, abs=0.02
    )
    assert result.expected_error > 0.15


def test_the_diagram_is_that_of_scikit_learn() -> None:
    truth, probabilities = drawn(3)
    result = reliability(truth, probabilities)
    best = probabilities.argmax(axis=0)
    shares, means = calibration_curve(
        (best == truth).ravel(), probabilities.max(axis=0).ravel(), n_bins=10
    )
    filled = [b for b in result.bins if b.n_pixels]
    np.testing.assert_allclose([b.share for b in filled], shares)
    np.testing.assert_allclose([b.probability for b in filled], means, rtol=1e-5)
    assert result.accuracy == np.mean(best == truth)
    assert sum(b.n_pixels for b in result.bins) == result.n_pixels == truth.size
    weights = [b.n_pixels / truth.size for b in filled]
    gaps = np.abs(shares - means)
    assert result.expected_error == pytest.approx(np.dot(weights, gaps), abs=1e-6)


def test_probabilities_on_a_coarser_grid_count_for_every_pixel_of_the_chart() -> None:
    truth, probabilities = drawn(1)
    rows, columns = np.arange(60) // 7, np.arange(80) // 9
    coarse = probabilities[:, : rows[-1] + 1, : columns[-1] + 1]
    scorer = CalibrationScorer()
    scorer.add_probabilities(SOD, truth, coarse, rows, columns)
    found = scorer.calibration()
    assert found is not None
    fine = reliability(truth, coarse[:, rows][:, :, columns])
    assert found.reliability["SOD"].bins == pytest.approx(fine.bins)
    assert found.reliability["SOD"].n_pixels == truth.size


def test_pixels_without_a_class_or_a_probability_do_not_count() -> None:
    truth, probabilities = drawn(2)
    truth[:10] = 255
    probabilities[:, 30:] = np.nan
    assert reliability(truth, probabilities).n_pixels == 20 * 80


def test_scorers_merge_to_the_same() -> None:
    first, second, both = (CalibrationScorer() for _ in range(3))
    for scorer, seed in ((first, 1), (second, 2)):
        for target in (scorer, both):
            target.add_probabilities(SOD, *drawn(seed))
            target.add_spread(*errors(seed), n_votes=3 + seed)
    first.merge(second)
    merged, at_once = first.calibration(), both.calibration()
    assert merged is not None
    assert at_once is not None
    ours, theirs = merged.reliability["SOD"], at_once.reliability["SOD"]
    assert [b.n_pixels for b in ours.bins] == [b.n_pixels for b in theirs.bins]
    assert ours.class_errors == pytest.approx(theirs.class_errors)
    assert merged.coverage is not None
    assert at_once.coverage is not None
    assert merged.coverage.observed == at_once.coverage.observed
    assert merged.coverage.expected == pytest.approx(at_once.coverage.expected)


def test_without_pixels_there_is_no_calibration() -> None:
    assert CalibrationScorer().calibration() is None


def test_shapes_that_do_not_fit_are_refused() -> None:
    truth, probabilities = drawn()
    scorer = CalibrationScorer()
    with pytest.raises(ValueError, match="FLOE has 7 classes, probabilities have shape"):
        scorer.add_probabilities(FLOE, truth, probabilities)
    with pytest.raises(ValueError, match="do not fit a chart"):
        scorer.add_probabilities(SOD, truth[:5], probabilities)
    with pytest.raises(ValueError, match="shapes differ"):
        scorer.add_spread(truth, np.zeros((2, 2)), np.zeros((2, 3)))


def coverage(
    truth: ChartArray, mean: FloatArray, spread: FloatArray, n_votes: int | None = MANY
) -> Coverage:
    scorer = CalibrationScorer()
    scorer.add_spread(truth, mean, spread, n_votes=n_votes)
    found = scorer.calibration()
    assert found is not None
    assert found.coverage is not None
    return found.coverage


def test_a_fair_spread_covers_what_it_promises() -> None:
    result = coverage(*errors(0))
    assert result.expected is not None
    assert result.expected[1] == pytest.approx(0.6827, abs=1e-4)
    np.testing.assert_allclose(result.observed, result.expected, atol=0.01)
    assert result.mean_spread_percent == pytest.approx(result.mean_error_percent, rel=0.02)
    assert result.expected_error_percent == pytest.approx(
        result.mean_spread_percent, rel=1e-5
    )


def test_a_spread_that_is_too_small_covers_less() -> None:
    result = coverage(*errors(0, told=0.5))
    assert result.expected is not None
    assert result.observed[1] == pytest.approx(result.expected[0], abs=0.01)
    assert result.verdict == "too small"
    assert coverage(*errors(0, told=2)).verdict == "too large"


def ensemble(n_networks: int) -> tuple[ChartArray, Ballot]:
    """Return charts and votes of networks with the same mean and deviation as the truth."""
    rng = np.random.default_rng(n_networks)
    mean = rng.uniform(4, 6, (1, 150, 200))
    truth = np.rint(mean[0] + 1.5 * rng.normal(size=mean.shape[1:])).clip(0, 10)
    ballot, even = Ballot(), torch.zeros(1, 6, 150, 200)
    for _ in range(n_networks):
        number = torch.tensor(mean + 1.5 * rng.normal(size=mean.shape))
        ballot.add(Prediction(number, even, torch.zeros(1, 7, 150, 200)))
    return truth.astype(np.uint8), ballot


@pytest.mark.parametrize(
    ("n_networks", "within_one"), [(2, 0.33), (3, 0.45), (5, 0.54), (20, 0.65)]
)
def test_the_spread_of_a_perfect_ensemble_is_as_expected(
    n_networks: int, within_one: float
) -> None:
    truth, ballot = ensemble(n_networks)
    spread = ballot.spread()
    assert spread is not None
    percent = CONCENTRATION.decode(ballot.concentration())
    result = coverage(truth, percent, SPREAD.decode(spread), n_networks)
    assert result.expected is not None
    assert result.expected[1] == pytest.approx(within_one, abs=0.006)
    # Charts in steps of 10 % widen errors of 15 % a little.
    np.testing.assert_allclose(result.observed, result.expected, atol=0.02)
    assert result.mean_error_percent == pytest.approx(
        result.expected_error_percent, rel=0.03
    )
    assert result.verdict == "as expected"
    words = coverage_in_words(result)
    assert words.endswith(f"{100 * result.expected[1]:.0f} % if it is right: as expected")


@pytest.mark.parametrize("n_networks", [2, 3, 5, 20])
def test_half_the_spread_of_a_perfect_ensemble_is_too_small(n_networks: int) -> None:
    truth, ballot = ensemble(n_networks)
    spread = ballot.spread()
    assert spread is not None
    percent = CONCENTRATION.decode(ballot.concentration())
    result = coverage(truth, percent, SPREAD.decode(spread) / 2, n_networks)
    assert coverage_in_words(result).endswith("the spread is too small")


@pytest.mark.parametrize("concentration", [0.05, 1.0])
def test_a_spread_of_class_probabilities_is_judged_by_them(concentration: float) -> None:
    # With two probable classes far apart, no or all pixels are within one spread.
    rng = np.random.default_rng(0)
    true = rng.dirichlet(np.full(11, concentration), (100, 150))
    truth = (rng.random((100, 150, 1)) > true.cumsum(axis=2)).sum(axis=2).clip(max=10)
    shares = torch.tensor(np.moveaxis(true, 2, 0), dtype=torch.float32)
    probabilities = PROBABILITY.decode(probabilities_of(shares))
    moments = moments_of(shares)
    percent = CONCENTRATION.decode(concentration_of(moments))
    spread = SPREAD.decode(spread_of(moments))
    scorer = CalibrationScorer()
    fine = np.arange(200) // 2, np.arange(150)
    rows = truth.astype(np.uint8).repeat(2, axis=0)
    scorer.add_spread(rows, percent, spread, *fine, probabilities=probabilities)
    found = scorer.calibration()
    assert found is not None
    assert found.coverage is not None
    result = found.coverage
    assert result.expected is not None
    np.testing.assert_allclose(result.observed, result.expected, atol=0.015)
    assert result.expected_error_percent == pytest.approx(
        result.mean_error_percent, rel=0.03
    )
    assert result.verdict == "as expected"
    assert abs(result.expected[1] - 0.6827) > 0.02  # that of normal errors


def test_a_number_beside_its_classes_has_a_fair_spread_if_they_are_right() -> None:
    rng = np.random.default_rng(1)
    true = rng.dirichlet(np.full(11, 0.5), (100, 150))
    truth = (rng.random((100, 150, 1)) > true.cumsum(axis=2)).sum(axis=2).clip(max=10)
    number = true @ np.arange(11) + rng.normal(0, 1.5, (100, 150))  # not their mean
    planes = np.concatenate([number[None], np.log(np.moveaxis(true, 2, 0) + 1e-30)])
    even = torch.zeros(1, 6, 100, 150), torch.zeros(1, 7, 100, 150)
    ballot = Ballot()
    ballot.add(Prediction(torch.tensor(planes[None], dtype=torch.float32), *even))
    spread, scorer = ballot.spread(), CalibrationScorer()
    assert spread is not None
    scorer.add_spread(
        truth.astype(np.uint8),
        CONCENTRATION.decode(ballot.concentration()),
        SPREAD.decode(spread),
        probabilities=PROBABILITY.decode(ballot.probabilities()["SIC"]),
    )
    found = scorer.calibration()
    assert found is not None
    assert found.coverage is not None
    assert found.coverage.expected is not None
    np.testing.assert_allclose(found.coverage.observed, found.coverage.expected, atol=0.015)
    assert found.coverage.expected_error_percent == pytest.approx(
        found.coverage.mean_error_percent, rel=0.03
    )


def test_a_spread_of_unknown_origin_is_not_judged() -> None:
    scorer = CalibrationScorer()
    scorer.add_spread(*errors(0), n_votes=5)
    scorer.add_spread(*errors(1))
    found = scorer.calibration()
    assert found is not None
    assert found.coverage is not None
    assert (found.coverage.expected, found.coverage.verdict) == (None, "")
    assert found.coverage.expected_error_percent is None
    assert "what to expect is not known" in coverage_in_words(found.coverage)


def test_spreads_by_hand() -> None:
    truth = np.array([[1, 1, 1, 1, 1, 255]], np.uint8)
    mean = np.array([[10, 14, 20, 30, 10, 10]], np.float32)
    spread = np.array([[4, 4, 4, 4, 0, 4]], np.float32)
    # Errors of 0, 1, 2.5 and 5 spreads; no error and no spread is within any.
    result = coverage(truth, mean, spread)
    assert result.within == (0.5, 1.0, 1.5, 2.0, 3.0)
    assert result.observed == (0.4, 0.6, 0.6, 0.6, 0.8)
    assert result.n_pixels == 5


def test_an_error_without_a_spread_is_never_covered() -> None:
    flat = np.full((1, 2), 20.0, np.float32)
    result = coverage(np.array([[2, 3]], np.uint8), flat, np.zeros_like(flat))
    assert result.observed == (0.5,) * 5
