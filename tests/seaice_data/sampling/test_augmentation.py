"""How patches are turned and mixed: distributions, and matrices to check by eye."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seaice_data.errors import SettingsError
from seaice_data.sampling.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    Direction,
    Turns,
    sample_absent,
    sample_mixing,
    sample_turns,
)
from seaice_data.sampling.random_numbers import Stream, uniform
from seaice_data.settings import (
    assign,
    fingerprint,
    from_mapping,
    read_toml,
    to_mapping,
)

N = 20000
NUMBERS = range(N)


def within(share: float, expected: float, n: int = N) -> bool:
    """Return whether a share is within five deviations of the expected one."""
    return abs(share - expected) < 5 * (expected * (1 - expected) / n) ** 0.5


@pytest.mark.parametrize("name", ["official", "paper", "default"])
def test_flips_are_sampled_independently(name: str) -> None:
    turns = sample_turns(AUGMENTATIONS[name], 3, NUMBERS)
    x, y = turns.flip_x < 0, turns.flip_y < 0
    assert within(x.mean(), 0.5)
    assert within(y.mean(), 0.5)
    assert within((x & y).mean(), 0.25)


@pytest.mark.parametrize("name", ["official", "paper", "default"])
def test_rotations_are_whole_degrees_from_minus_90_to_89(name: str) -> None:
    angle = sample_turns(AUGMENTATIONS[name], 3, NUMBERS).angle_deg
    turned = angle[sample_turns(AUGMENTATIONS[name], 3, NUMBERS).angle_deg != 0]
    assert within(len(turned) / N, 0.5 * 179 / 180)
    np.testing.assert_array_equal(turned, np.round(turned))
    counts = np.bincount(turned.astype(int) + 90, minlength=180)
    assert len(counts) == 180
    assert counts[90] == 0
    expected = len(turned) / 179
    chi2 = ((np.delete(counts, 90) - expected) ** 2 / expected).sum()
    assert abs(chi2 - 178) < 5 * (2 * 178) ** 0.5


@pytest.mark.parametrize(
    ("name", "otherwise"), [("official", 1.1), ("paper", 1), ("default", 1)]
)
def test_scales_are_uniform_and_otherwise_as_the_profile_says(
    name: str, otherwise: float
) -> None:
    scale = sample_turns(AUGMENTATIONS[name], 3, NUMBERS).scale
    turned = scale[scale != otherwise]
    assert within(len(turned) / N, 0.5)
    assert 0.9 <= turned.min() < 0.9005
    assert 1.0995 < turned.max() <= 1.1
    counts = np.histogram(turned, 20, (0.9, 1.1))[0]
    expected = len(turned) / 20
    assert ((counts - expected) ** 2 / expected).sum() < 19 + 5 * (2 * 19) ** 0.5


def test_cutmix_boxes_have_the_shares_of_a_uniform_law() -> None:
    groups = np.arange(N) * 16
    mixing = sample_mixing(Augmentation(), 3, groups, 256)
    height = mixing.box[:, 1] - mixing.box[:, 0]
    width = mixing.box[:, 3] - mixing.box[:, 2]
    assert within((height * width > 0).mean(), 0.5 * (1 - (2 / 256) ** 2))
    # The share of boxes that no border cuts is uniform in 0..1, except that large ones are
    # cut more often; by how much is known.
    inner = (
        (mixing.box[:, [0, 2]] > 0).all(axis=1)
        & (mixing.box[:, [1, 3]] < 256).all(axis=1)
        & (height > 0)
    )
    side = height[inner] / 256
    share = (side < 0.5).mean()
    # For the side s, s^2 is uniform: density 2 s, times the room (1 - s)^2 for the centre.
    assert within(share, 11 / 16, inner.sum())


def test_a_group_shares_its_box_and_none_is_its_own_partner() -> None:
    mixing = sample_mixing(Augmentation(cutmix=1), 3, range(32, 48), 64)
    assert (mixing.box == mixing.box[0]).all()
    assert sorted(mixing.partner) == list(range(32, 48))
    assert not (mixing.partner == np.arange(32, 48)).any()
    alone = sample_mixing(Augmentation(cutmix=1), 3, [37], 64)
    assert alone.partner[0] == mixing.partner[5]


def test_turns_follow_from_seed_and_number() -> None:
    a = Augmentation()
    many, one = sample_turns(a, 3, range(50)), sample_turns(a, 3, [41])
    assert (many.angle_deg[41], many.scale[41]) == (one.angle_deg[0], one.scale[0])
    assert (sample_turns(a, 4, range(50)).scale != many.scale).any()


def turned(
    flip_x: float = 1, flip_y: float = 1, angle: float = 0, scale: float = 1
) -> Turns:
    return Turns(*(np.array([value], float) for value in (flip_x, flip_y, angle, scale)))


def test_matrices_by_eye() -> None:
    # Clockwise by a quarter turn: what is now right of the centre of a patch was above it.
    np.testing.assert_array_equal(turned(angle=90).to_scene()[0], [[0, -1], [1, 0]])
    np.testing.assert_array_equal(turned(flip_x=-1).to_scene()[0], [[1, 0], [0, -1]])
    np.testing.assert_array_equal(turned(flip_y=-1).to_scene()[0], [[-1, 0], [0, 1]])
    np.testing.assert_array_equal(turned(scale=2).to_scene()[0], [[0.5, 0], [0, 0.5]])
    # An arrow to the right then points down.
    right = np.array([0, 1])
    np.testing.assert_array_equal(turned(angle=90).of_vectors()[0] @ right, [1, 0])
    np.testing.assert_array_equal(
        turned(flip_x=-1, scale=2).of_vectors()[0] @ right, [0, -1]
    )


def test_vectors_turn_as_places_do() -> None:
    turns = sample_turns(Augmentation(), 5, range(100))
    back, vectors = turns.to_scene(), turns.of_vectors()
    ahead = np.linalg.inv(back) / turns.scale[:, None, None]
    np.testing.assert_allclose(vectors, ahead, atol=1e-12)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_profiles_survive_as_settings(name: str) -> None:
    augmentation = AUGMENTATIONS[name]
    assert from_mapping(Augmentation, to_mapping(augmentation)) == augmentation


def test_only_the_empty_profile_is_plain() -> None:
    assert AUGMENTATIONS["none"].is_plain
    assert not any(
        AUGMENTATIONS[name].is_plain for name in ("official", "paper", "default")
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flip_x": 1.5}, "flip_x must be a probability in 0..1, got 1.5"),
        ({"rotation_range_deg": (5, -5)}, "its smallest, then largest value"),
        ({"rotation_range_deg": (-(2**63), 0)}, "must be in -360..360"),
        ({"rotation_range_deg": (5,)}, "its smallest, then largest value"),
        ({"scale_range": (0.0, 1.0)}, "scale_range must be in 0.1..10"),
        ({"scale_otherwise": 0.0}, "scale_otherwise must be in 0.1..10, got 0"),
        ({"cutmix_group": 1}, "cutmix_group must be at least 2, got 1"),
    ],
)
def test_what_cannot_be_followed_is_rejected(
    change: dict[str, float], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Augmentation(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "axes", [("samples",), ("samples", "-samples"), ("samples", "lines", "lines")]
)
def test_axes_of_the_wind_must_be_one_of_each(axes: tuple[Direction, ...]) -> None:
    with pytest.raises(SettingsError, match="wind_axes must be one direction along the"):
        Augmentation(wind_axes=axes)


@pytest.mark.parametrize(("turn_wind", "axes"), [(True, ("samples", "lines")), (False, ())])
def test_settings_of_0_1_turn_the_wind_as_they_did(
    turn_wind: bool, axes: tuple[Direction, ...], tmp_path: Path
) -> None:
    meant = Augmentation(wind_axes=axes)
    assert from_mapping(Augmentation, {"turn_wind": turn_wind}) == meant
    path = tmp_path / "augmentation.toml"
    path.write_text(f"turn_wind = {str(turn_wind).lower()}")
    with pytest.warns(FutureWarning, match="'turn_wind' is now 'wind_axes'"):
        assert read_toml(Augmentation, path) == meant
    with pytest.warns(FutureWarning):
        assert assign(Augmentation(), {"turn_wind": turn_wind}) == meant
    with pytest.warns(FutureWarning):
        changed = Augmentation(turn_wind=turn_wind)  # type: ignore[call-arg]
    assert changed == meant
    with pytest.warns(FutureWarning):
        assert bool(changed.turn_wind) == turn_wind


def test_settings_of_0_1_keep_their_fingerprints() -> None:
    # Computed by version 0.1.
    assert fingerprint(Augmentation(wind_axes=("samples", "lines"))) == "750b773826ee8364"
    assert fingerprint(Augmentation()) == "0b60db8b1cf760bf"


def test_an_old_value_that_is_not_one_is_refused() -> None:
    with pytest.raises(SettingsError, match="wind_axes must be a list, got 'yes'"):
        from_mapping(Augmentation, {"turn_wind": "yes"})


def test_a_patch_lacks_a_group_if_its_own_value_is_below_the_probability() -> None:
    half = Augmentation(drop_amsr2=0.5, drop_era5=0.5)
    (start,) = uniform(3, Stream.ABSENT, [0], 2).round(2).tolist()
    assert start == [0.82, 0.72]
    # 0.82, 0.44, 0.06, 0.68 and 0.72, 0.13, 0.55, 0.96: steps of 0.618 and 0.414.
    assert sample_absent(half, 3, range(4)).tolist() == BELOW_HALF
    assert sample_absent(half, 3, [3, 1]).tolist() == [BELOW_HALF[3], BELOW_HALF[1]]
    assert not sample_absent(Augmentation(), 3, range(4)).any()
    assert (sample_absent(half, 3, NUMBERS) != sample_absent(half, 4, NUMBERS)).any()


BELOW_HALF = [[False, False], [True, True], [True, False], [False, False]]


def test_groups_are_absent_as_often_as_asked_and_independently() -> None:
    absent = sample_absent(Augmentation(drop_amsr2=0.2, drop_era5=0.1), 3, NUMBERS)
    amsr2, era5 = absent.T
    assert within(amsr2.mean(), 0.2)
    assert within(era5.mean(), 0.1)
    assert within((amsr2 & era5).mean(), 0.02)
    flipped = sample_turns(Augmentation(), 3, NUMBERS).flip_x < 0
    assert within((amsr2 & flipped).mean(), 0.1)


@pytest.mark.parametrize("first", [0, 10**12])
def test_every_batch_lacks_about_as_much(first: int) -> None:
    numbers = first + np.arange(16 * 100)
    absent = sample_absent(Augmentation(drop_amsr2=0.2, drop_era5=0.1), 3, numbers)
    per_batch = absent.reshape(100, 16, 2).sum(axis=1)
    assert {*per_batch[:, 0].tolist()} <= {2, 3, 4}  # 3.2 on average
    assert {*per_batch[:, 1].tolist()} <= {0, 1, 2}  # 1.6


def test_one_probability_changes_nothing_of_the_other_group() -> None:
    one = sample_absent(Augmentation(drop_amsr2=0.2), 3, NUMBERS)
    both = sample_absent(Augmentation(drop_amsr2=0.2, drop_era5=1), 3, NUMBERS)
    np.testing.assert_array_equal(one[:, 0], both[:, 0])
    assert both[:, 1].all()
    more = sample_absent(Augmentation(drop_amsr2=0.5), 3, NUMBERS)
    assert more[one[:, 0], 0].all()  # a higher probability only adds patches


def test_patches_that_lack_a_group_are_not_plain() -> None:
    still = AUGMENTATIONS["none"]
    assert not replace(still, drop_amsr2=0.1).is_plain
    assert not replace(still, drop_era5=0.1).is_plain
    assert replace(still, drop_era5=0.1).turns_none
    assert replace(still, drop_era5=0.1).dropped == ("era5",)


@pytest.mark.parametrize("name", ["drop_amsr2", "drop_era5"])
def test_a_probability_above_1_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be a probability"):
        Augmentation(**{name: 1.5})
