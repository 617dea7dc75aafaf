"""Which windows are sampled, and how often: counted on planes of a few pixels."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import SettingsError
from seaice_data.sampling.augmentation import find_augmentation
from seaice_data.sampling.plan import BatchPlanner
from seaice_data.sampling.window_counts import count_rows, weigh_row
from seaice_data.sampling.windows import Sampling, WindowSampler, has_windows
from seaice_data.settings import from_mapping, to_mapping

SIZE = 4


def scene(height: int, width: int, seed: int, fill: float = 0.3) -> ChartArray:
    """Make charts at random, in which class 5 of SOD is rare."""
    rng = np.random.default_rng(seed)
    charts = rng.integers(0, 3, (height, width, 3)).astype(np.uint8)
    charts[rng.random((height, width)) < fill] = CHART_FILL
    charts[height // 2, width // 2, 1] = 5
    return charts


def windows_of(
    scenes: list[ChartArray], sampling: Sampling, seed: int = 0
) -> WindowSampler:
    counts = {
        chart.name: [
            [*np.bincount(s[..., k].ravel(), minlength=256)[: chart.n_classes], 0]
            for s in scenes
        ]
        for k, chart in enumerate(CHARTS)
    }
    return WindowSampler(
        sampling,
        SIZE,
        seed,
        shapes=[s.shape[:2] for s in scenes],
        class_counts=counts,
        charts=scenes.__getitem__,
    )


def windows(charts: ChartArray) -> dict[tuple[int, int], ChartArray]:
    height, width = charts.shape[:2]
    return {
        (y, x): charts[y : y + SIZE, x : x + SIZE]
        for y in range(max(height - SIZE, 0) + 1)
        for x in range(max(width - SIZE, 0) + 1)
    }


def valid(window: ChartArray, chart: int = 0) -> int:
    return int((window[..., chart] != CHART_FILL).sum())


@pytest.mark.parametrize(
    "least", [(2, 0, 0), (10, 0, 0), (9, 12, 1), (0, 0, 0), (17, 0, 0)]
)
@pytest.mark.parametrize("shape", [(9, 11), (4, 9), (3, 7), (4, 4), (2, 2)])
def test_counts_are_those_of_every_window(
    shape: tuple[int, int], least: tuple[int, ...]
) -> None:
    charts = scene(*shape, seed=1)
    allowed = {
        corner: window
        for corner, window in windows(charts).items()
        if all(valid(window, k) >= least[k] for k in range(3))
    }
    n_rows, n_columns = max(shape[0] - SIZE, 0) + 1, max(shape[1] - SIZE, 0) + 1
    rows, pixels = np.zeros(n_rows, np.int64), np.zeros((n_rows, 6), np.int64)
    n_valid = np.zeros(3, np.int64)
    count_rows(charts, SIZE, np.array(least), 1, rows, pixels, n_valid)
    assert n_valid.tolist() == [
        sum(valid(w, k) for w in allowed.values()) for k in range(3)
    ]
    for y in range(n_rows):
        row = {x: w for (top, x), w in allowed.items() if top == y}
        assert rows[y] == len(row)
        for index in range(6):
            each = [int((w[..., 1] == index).sum()) for w in row.values()]
            assert pixels[y, index] == sum(each)
            weights = np.zeros(n_columns, np.int64)
            weigh_row(charts, SIZE, np.array(least), 1, index, y, weights)
            assert weights[list(row)].tolist() == each
            assert weights.sum() == sum(each)


SCENES = [scene(9, 11, 1), scene(6, 6, 2), scene(3, 8, 3), scene(12, 5, 4, fill=0.8)]
DRAWINGS = {
    "scenes": Sampling(),
    "area": Sampling(over="area"),
    "classes": Sampling(over="classes"),
    "SIC classes only": Sampling(over="classes", chart="SIC", class_share=1.0),
    "half valid": Sampling(min_valid_share=(0.5, 0.1, 0)),
    "classes, half valid": Sampling(over="classes", min_valid_share=(0.4, 0.1, 0)),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_windows_come_as_often_as_their_probability_says(name: str) -> None:
    """Compare frequencies by chi-square over all windows of all scenes."""
    sampling, n = DRAWINGS[name], 20000
    scenes = SCENES[:3] if "half" in name else SCENES
    places = windows_of(scenes, sampling).sample(range(n))
    least = sampling.least_valid(SIZE)
    allowed = {
        (k, *corner)
        for k, charts in enumerate(scenes)
        for corner, window in windows(charts).items()
        if all(valid(window, c) >= least[c] for c in range(3))
    }
    n_allowed = Counter(k for k, *_ in allowed)
    sampled = Counter(
        (int(k), int(y), int(x))
        for k, (y, x) in zip(places.scene, places.corner, strict=True)
    )
    assert {*sampled} <= allowed
    stated = {
        (int(k), int(y), int(x)): float(p) / len(scenes) / n_allowed[int(k)]
        for k, (y, x), p in zip(
            places.scene, places.corner, places.probability, strict=True
        )
    }
    # Windows that were never sampled have little probability; the others have nearly all.
    assert 0.98 < sum(stated.values()) < 1 + 1e-9
    if len(stated) == len(allowed):
        assert abs(sum(stated.values()) - 1) < 1e-9
    chi2 = sum((sampled[w] - n * p) ** 2 / (n * p) for w, p in stated.items())
    assert abs(chi2 - len(stated)) < 5 * (2 * len(stated)) ** 0.5


def test_the_test_above_can_fail() -> None:
    """Windows sampled by class are not distributed like those sampled over scenes."""
    n = 20000
    places = windows_of(SCENES, Sampling(over="classes")).sample(range(n))
    sampled = Counter(zip(places.scene.tolist(), map(tuple, places.corner), strict=True))
    n_windows = Counter(k for k, charts in enumerate(SCENES) for _ in windows(charts))
    expected = {w: n / len(SCENES) / n_windows[w[0]] for w in sampled}
    chi2 = sum((sampled[w] - e) ** 2 / e for w, e in expected.items())
    assert chi2 > len(sampled) + 50 * (2 * len(sampled)) ** 0.5


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_every_class_is_met_as_often_as_promised(share: float) -> None:
    n = 4000
    common = [np.where(s == 5, np.uint8(0), s) for s in SCENES[2:]]
    scenes = [scene(40, 30, 5), *common]

    def met(sampling: Sampling) -> dict[int, float]:
        places = windows_of(scenes, sampling).sample(range(n))
        counts: Counter[int] = Counter()
        for k, (y, x) in zip(places.scene, places.corner, strict=True):
            counts.update(np.unique(scenes[k][y : y + SIZE, x : x + SIZE, 1]).tolist())
        return {index: counts[index] / n for index in (0, 1, 2, 5)}

    by_class = met(Sampling(over="classes", class_share=share))
    promised = share / 4
    for portion in by_class.values():
        assert portion > promised - 4 * (promised / n) ** 0.5
    assert met(Sampling())[5] < 0.01 < 5 * 0.01 < by_class[5]


def test_corrected_losses_are_those_over_scenes() -> None:
    """Divided by its probability, a loss has the same mean by class as over scenes."""

    def mean_share(sampling: Sampling, of: Callable[[ChartArray], float]) -> float:
        places = windows_of(SCENES, sampling, seed=1).sample(range(20000))
        values = [
            of(SCENES[k][y : y + SIZE, x : x + SIZE]) / p
            for k, (y, x), p in zip(
                places.scene, places.corner, places.probability, strict=True
            )
        ]
        return float(np.mean(values))

    def rare(window: ChartArray) -> float:
        return float((window[..., 1] == 5).mean())

    plain = mean_share(Sampling(), rare)
    for over in ("area", "classes"):
        assert abs(mean_share(Sampling(over=over), rare) - plain) < 0.05 * plain  # type: ignore[arg-type]


def test_a_mixed_patch_counts_by_both_of_its_windows() -> None:
    """Divided by its probability, it has the rare class as often as over scenes."""
    scenes, n = [scene(30, 28, 5)], 20000
    sampling = Sampling(over="classes", class_share=0.9)
    planner = BatchPlanner(
        windows_of(scenes, sampling),
        np.array([charts.shape[:2] for charts in scenes]),
        SIZE,
        0,
        replace(find_augmentation("none"), cutmix=1),
        (),
    )
    plan = planner.plan(range(n))
    assert len(plan.mixed) > n / 2
    total = 0.0
    for k, partner, (top, bottom, left, right) in zip(
        plan.mixed, plan.partners.affine[:, :, 2], plan.box, strict=True
    ):
        own, other = (
            scenes[0][int(y) : int(y) + SIZE, int(x) : int(x) + SIZE, 1]
            for y, x in (plan.cuts.affine[k, :, 2], partner)
        )
        patch = own.copy()
        patch[top:bottom, left:right] = other[top:bottom, left:right]
        total += np.count_nonzero(patch == 5) / plan.cuts.probability[k]
    rare = [np.count_nonzero(w[..., 1] == 5) for w in windows(scenes[0]).values()]
    assert total / len(plan.mixed) == pytest.approx(np.mean(rare), rel=0.1)


@pytest.mark.parametrize("name", ["classes", "half valid"])
def test_valid_pixels_are_the_mean_of_all_windows_of_each_scene(name: str) -> None:
    scenes, sampling = SCENES[:3], DRAWINGS[name]
    least = sampling.least_valid(SIZE)
    means = []
    for charts in scenes:
        counts = [[valid(w, c) for c in range(3)] for w in windows(charts).values()]
        means.append(np.mean([c for c in counts if (c >= least).all()], axis=0))
    found = windows_of(scenes, sampling).mean_valid()
    np.testing.assert_allclose(found, np.mean(means, axis=0))


def test_a_class_outside_all_windows_is_never_sampled() -> None:
    charts = np.full((12, 12, 3), CHART_FILL, np.uint8)
    charts[:4, :4, :2] = 1
    charts[11, 11, 1] = 5  # in no window around it is half of the SIC valid
    sampling = Sampling(over="classes", class_share=1, min_valid_share=(0.5, 0, 0))
    places = windows_of([charts], sampling).sample(range(300))
    for (y, x), p in zip(places.corner, places.probability, strict=True):
        assert valid(charts[y : y + SIZE, x : x + SIZE]) >= 8
        assert p > 0


@pytest.mark.parametrize(
    ("n_valid", "expected", "looks"),
    [(0, False, False), (1, False, False), (2, True, True), (8, True, False)],
)
def test_most_scenes_are_decided_without_looking(
    n_valid: int, expected: bool, looks: bool
) -> None:
    charts = np.full((8, 8, 3), CHART_FILL, np.uint8)
    charts.reshape(-1, 3)[:n_valid, 0] = 1
    looked = []

    def look() -> ChartArray:
        looked.append(True)
        return charts

    assert has_windows(Sampling(), SIZE, (8, 8), [n_valid, 0, 0], look) == expected
    assert bool(looked) == looks


def test_two_valid_pixels_far_apart_are_no_patch() -> None:
    charts = np.full((20, 20, 3), CHART_FILL, np.uint8)
    charts[0, 0, 0] = charts[19, 19, 0] = 1
    assert not has_windows(Sampling(), SIZE, (20, 20), [2, 0, 0], lambda: charts)


def test_sampling_survives_as_settings() -> None:
    sampling = Sampling(over="classes", chart="FLOE", min_valid_share=(0.1, 0.0, 0.5))
    assert from_mapping(Sampling, to_mapping(sampling)) == sampling
    assert sampling.least_valid(10).tolist() == [10, 0, 50]
    assert Sampling(min_valid_share=(0.07, 0, 0)).least_valid(10)[0] == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_share": 1.2}, "class_share must be in 0..1, got 1.2"),
        ({"min_valid_share": (0.5,)}, r"one number in 0..1 per chart \(SIC, SOD, FLOE\)"),
        ({"min_valid_share": (0.5, 2, 0)}, "one number in 0..1 per chart"),
    ],
)
def test_what_cannot_be_followed_is_rejected(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Sampling(**change)  # type: ignore[arg-type]


def test_no_class_and_no_area_are_reported() -> None:
    blank = np.full((8, 8, 3), CHART_FILL, np.uint8)
    nothing = (0.0, 0.0, 0.0)
    with pytest.raises(SettingsError, match="no scene has a class of SOD"):
        windows_of([blank], Sampling(over="classes", min_valid_share=nothing))
    with pytest.raises(SettingsError, match="none has an area to sample by"):
        windows_of([blank], Sampling(over="area", min_valid_share=nothing))
