"""The loss of regions, with shares small enough to check by eye."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from support.learnable_scenes import TINY
from torch import Tensor

from seaice_data.charts import CHARTS, FLOE, SOD
from seaice_data.sampling.regions import MOST_REGIONS, N_SHARES
from seaice_model.config.run_config import Compile, TrainConfig
from seaice_model.networks.device import Batch, Regions
from seaice_model.networks.unet import Prediction
from seaice_model.training.learned_weights import LearnedWeights
from seaice_model.training.learner import Learner
from seaice_model.training.processes import Processes
from seaice_model.training.region_loss import LEAST_VISIBLE, region_loss

# Only SOD counts, once, unless a test says otherwise.
ICE = TrainConfig(region_loss=1.0, loss_weights=(1.0, 1.0, 0.0))
AREA = replace(ICE, region_shares="area")

YOUNG, OLD = 2, 5
SOD_CHART = CHARTS.index(SOD)


def polygon(
    number: list[list[int]], sod: dict[int, float], *, visible: float = 1.0
) -> Regions:
    """Return one patch whose region 1 has these shares of SOD, and unknown floes."""
    shares = torch.full((1, MOST_REGIONS, N_SHARES), math.nan)
    shares[0, 0, : SOD.n_classes] = 0
    for stage, share in sod.items():
        shares[0, 0, stage] = share
    seen = torch.zeros(1, MOST_REGIONS)
    seen[0, 0] = visible
    return Regions(torch.tensor([number], dtype=torch.uint8), shares, seen)


def probabilities(pixels: list[dict[int, float]]) -> Prediction:
    """Return one row of pixels with these probabilities of SOD; others are tiny."""
    table = torch.full((len(pixels), SOD.n_classes), 1e-9)
    for row, stages in zip(table, pixels, strict=True):
        for stage, probability in stages.items():
            row[stage] = probability
    logits = table.log().T[None, :, None, :].clone().requires_grad_()
    floe = torch.zeros(1, FLOE.n_classes, 1, len(pixels), requires_grad=True)
    return Prediction(torch.zeros(1, 1, len(pixels)), logits, floe)


def mixed_charts(n_pixels: int) -> Tensor:
    """Return charts of mixed ice: concentrations, but neither stages nor floes."""
    charts = torch.full((1, 3, 1, n_pixels), 255)
    charts[:, 0] = 10
    return charts


def test_two_pixels_of_the_right_types_have_no_loss() -> None:
    regions = polygon([[1, 1]], {YOUNG: 0.5, OLD: 0.5})
    for pixels in ([{YOUNG: 1.0}, {OLD: 1.0}], [{YOUNG: 0.5, OLD: 0.5}] * 2):
        loss = region_loss(probabilities(pixels), mixed_charts(2), regions, ICE)
        assert loss.item() == pytest.approx(0, abs=1e-5)


def test_the_loss_is_the_divergence_of_the_shares() -> None:
    regions = polygon([[1, 1]], {YOUNG: 0.5, OLD: 0.5})
    found = probabilities([{YOUNG: 1.0}, {YOUNG: 0.5, OLD: 0.5}])  # together 3 : 1
    expected = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    loss = region_loss(found, mixed_charts(2), regions, ICE)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_shares_are_those_of_the_ice() -> None:
    regions = polygon([[1, 1]], {0: 0.6, YOUNG: 0.2, OLD: 0.2})
    # As much water as ice in the first pixel; its ice counts half as much as the second.
    found = probabilities([{0: 0.5, YOUNG: 0.5}, {YOUNG: 0.25, OLD: 0.75}])
    loss = region_loss(found, mixed_charts(2), regions, ICE)
    assert loss.item() == pytest.approx(0, abs=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert found.sod.grad is not None
    assert not found.sod.grad[:, 0].any()  # nothing is learned about water


def test_shares_of_the_area_include_water() -> None:
    regions = polygon([[1, 1]], {0: 0.5, YOUNG: 0.25, OLD: 0.25})
    right = probabilities([{0: 1.0}, {YOUNG: 0.5, OLD: 0.5}])
    dry = probabilities([{YOUNG: 0.5, OLD: 0.5}] * 2)
    charts = mixed_charts(2)
    assert region_loss(right, charts, regions, AREA).item() == pytest.approx(0, abs=1e-5)
    assert region_loss(dry, charts, regions, AREA).item() > 1
    assert region_loss(dry, charts, regions, ICE).item() == pytest.approx(0, abs=1e-5)


def test_a_pixel_with_a_class_keeps_its_own_loss_only() -> None:
    regions = polygon([[1, 1, 1]], {YOUNG: 0.5, OLD: 0.5})
    charts = mixed_charts(3)
    charts[0, SOD_CHART, 0, 0] = OLD
    found = probabilities([{1: 1.0}, {YOUNG: 1.0}, {OLD: 1.0}])
    loss = region_loss(found, charts, regions, ICE)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert found.sod.grad is not None
    assert not found.sod.grad[..., 0].any()


@pytest.mark.parametrize(
    ("number", "shares", "visible", "labelled"),
    [
        pytest.param([[0, 0, 0]], {YOUNG: 1.0}, 1.0, 0, id="no region"),
        pytest.param([[1, 1, 1]], {YOUNG: 1.0}, LEAST_VISIBLE / 2, 0, id="mostly hidden"),
        pytest.param([[1, 1, 1]], {YOUNG: math.nan}, 1.0, 0, id="unknown shares"),
        pytest.param([[1, 1, 1]], {YOUNG: 1.0}, 1.0, 2, id="a polygon with a class"),
        pytest.param([[1, 1, 1]], {0: 1.0}, 1.0, 0, id="water"),
    ],
)
def test_what_has_nothing_to_learn_has_loss_0_and_no_gradient(
    number: list[list[int]], shares: dict[int, float], visible: float, labelled: int
) -> None:
    charts = mixed_charts(3)
    charts[0, SOD_CHART, 0, :labelled] = OLD
    found = probabilities([{OLD: 1.0}] * 3)
    loss = region_loss(found, charts, polygon(number, shares, visible=visible), ICE)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert found.sod.grad is not None
    assert not found.sod.grad.any()


def test_a_batch_without_a_chart_has_loss_0() -> None:
    charts = torch.full((1, 3, 1, 2), 255)
    regions = polygon([[1, 1]], {YOUNG: 1.0})
    loss = region_loss(probabilities([{OLD: 1.0}] * 2), charts, regions, ICE)
    assert loss.item() == 0


def test_a_stage_that_is_not_predicted_at_all_has_a_finite_gradient() -> None:
    regions = polygon([[1, 1]], {YOUNG: 0.5, OLD: 0.5})
    logits = torch.zeros(1, SOD.n_classes, 1, 2)
    logits[:, 0] = 200  # water, as far as floating point can tell
    found = probabilities([{0: 1.0}] * 2)._replace(sod=logits.requires_grad_())
    loss = region_loss(found, mixed_charts(2), regions, ICE)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert loss.isfinite()


def test_a_region_weighs_by_its_pixels_and_charts_by_theirs() -> None:
    regions = polygon([[1, 1]], {YOUNG: 0.5, OLD: 0.5})
    charts = mixed_charts(4)
    charts[0, SOD_CHART, 0, 2:] = YOUNG  # twice as many pixels with a chart
    charts[0, SOD_CHART, 0, :2] = 255
    padded = regions._replace(number=torch.tensor([[[1, 1, 0, 0]]], dtype=torch.uint8))
    found = probabilities([{YOUNG: 0.75, OLD: 0.25}] * 4)
    one = region_loss(
        probabilities([{YOUNG: 0.75, OLD: 0.25}] * 2), mixed_charts(2), regions, ICE
    )
    whole = region_loss(found, charts, padded, replace(ICE, loss_weights=(1.0, 3.0, 0.0)))
    assert whole.item() == pytest.approx(3 * one.item() / 2)


def test_learned_weights_count_for_regions_and_do_not_learn_from_them() -> None:
    regions = polygon([[1, 1]], {YOUNG: 0.5, OLD: 0.5})
    found = probabilities([{YOUNG: 1.0}, {YOUNG: 0.5, OLD: 0.5}])
    learned = LearnedWeights((1.0, 0.25, 1.0), torch.device("cpu"))
    charts = mixed_charts(2)
    plain = region_loss(found, charts, regions, ICE)
    weighted = region_loss(found, charts, regions, ICE, learned=learned)
    assert weighted.item() == pytest.approx(0.25 * plain.item())
    weighted.backward()  # type: ignore[no-untyped-call]
    assert learned.log_variances.grad is None


def test_pixels_outside_do_not_matter() -> None:
    regions = polygon([[1, 1, 0]], {YOUNG: 0.5, OLD: 0.5})
    losses = [
        region_loss(
            probabilities([{YOUNG: 0.9, OLD: 0.1}, {OLD: 1.0}, outside]),
            mixed_charts(3), regions, ICE,
        )
        for outside in ({OLD: 1.0}, {1: 1.0})
    ]  # fmt: skip
    assert torch.equal(*losses)


def test_the_output_for_fill_is_not_a_share() -> None:
    regions = polygon([[1, 1]], {YOUNG: 0.5, OLD: 0.5})
    found = probabilities([{YOUNG: 1.0}, {OLD: 1.0}])
    fill = torch.full((1, 1, 1, 2), 5.0)
    with_fill = found._replace(sod=torch.cat([found.sod, fill], dim=1))
    loss = region_loss(with_fill, mixed_charts(2), regions, ICE)
    assert loss.item() == pytest.approx(0, abs=1e-5)


def test_floes_have_shares_of_their_own() -> None:
    regions = polygon([[1, 1]], {YOUNG: 1.0})
    regions.shares[0, 0, SOD.n_classes :] = torch.tensor([0.0, 0, 1, 0, 0, 0, 0])
    found = probabilities([{YOUNG: 1.0}] * 2)  # all six floe sizes are equally likely
    loss = region_loss(
        found, mixed_charts(2), regions, replace(ICE, loss_weights=(1.0, 1.0, 2.0))
    )
    assert loss.item() == pytest.approx(2 * math.log(6), abs=1e-4)


def random_batch(n_patches: int) -> Batch:
    """Return patches with a mixed polygon each, and a polygon with a class."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(n_patches, 16, 16, 2, generator=generator)
    charts = torch.full((n_patches, 16, 16, 3), 4, dtype=torch.uint8)
    charts[:, 4:, 3:, 1:] = 255
    number = torch.zeros(n_patches, 16, 16, dtype=torch.uint8)
    number[:, 4:, 3:] = 1
    number[:, :4] = 2
    shares = torch.full((n_patches, MOST_REGIONS, N_SHARES), math.nan)
    given = torch.rand(n_patches, 2, N_SHARES, generator=generator)
    shares[:, :2, : SOD.n_classes] = given[..., : SOD.n_classes].softmax(dim=2)
    shares[:, :2, SOD.n_classes :] = given[..., SOD.n_classes :].softmax(dim=2)
    visible = torch.zeros(n_patches, MOST_REGIONS)
    visible[:, :2] = torch.rand(n_patches, 2, generator=generator).clamp(min=0.4)
    ones = torch.ones(n_patches)
    return Batch(inputs, charts, ones, regions=Regions(number, shares, visible))


def learner_with(
    region: float,
    loss_weights: tuple[float, ...] = (1.0, 3.0, 3.0),
    compiled: Compile = "never",
) -> Learner:
    settings = replace(
        TINY.train,
        region_loss=region,
        loss_weights=loss_weights,
        weight_decay=0.0,
        compile=compiled,
    )
    config = replace(TINY, train=settings)
    learner = Learner(config, Processes(device=torch.device("cpu")))
    learner.network.eval()  # one patch does not change the prediction of another
    return learner


def test_the_loss_is_part_of_the_total_only() -> None:
    batch = random_batch(2)
    without = learner_with(0.0).learn(replace(batch, regions=None), 0.0)
    ignored = learner_with(0.0).learn(batch, 0.0)
    half = learner_with(0.5).learn(batch, 0.0)
    whole = learner_with(1.0).learn(batch, 0.0)
    assert torch.equal(without, ignored)
    assert torch.equal(without[1:], whole[1:])
    assert whole[0] > without[0]
    torch.testing.assert_close(whole[0] - without[0], 2 * (half[0] - without[0]))


def test_a_batch_without_regions_is_refused() -> None:
    with pytest.raises(ValueError, match="needs batches with regions"):
        learner_with(1.0).learn(replace(random_batch(2), regions=None), 0.0)


def test_training_brings_the_shares_of_a_region_closer() -> None:
    batch, learner = random_batch(2), learner_with(50.0, (0.0, 1.0, 1.0))
    losses = torch.stack([learner.learn(batch, 0.001) for _ in range(20)])
    of_regions = losses[:, 0] - losses[:, 2] - losses[:, 3]
    assert of_regions[-1] < of_regions[0] / 2


def test_patches_of_rare_windows_weigh_more() -> None:
    batch = random_batch(1)
    learner = Learner(
        replace(TINY, train=replace(TINY.train, region_loss=1.0)),
        Processes(device=torch.device("cpu")),
        [256.0, 64.0, 64.0],
    )
    learner.network.eval()
    usual = learner.learn(batch, 0.0)
    rare = learner.learn(replace(batch, probability=batch.probability / 4), 0.0)
    torch.testing.assert_close(rare, 4 * usual)


@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
def test_compiled_code_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # All of the compiler but its last step, which takes a minute.
    plain = partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", plain)
    batch = random_batch(2)
    learners = [
        learner_with(1.0, compiled="never"),
        learner_with(1.0, compiled="always"),
    ]
    losses = [learner.learn(batch, 0.1) for learner in learners]
    torch.testing.assert_close(*losses)
    for ours, theirs in zip(
        *(learner.network.parameters() for learner in learners), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
