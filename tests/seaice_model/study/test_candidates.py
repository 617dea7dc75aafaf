import pytest

from seaice_data.errors import SettingsError
from seaice_data.store.recipe import Recipe
from seaice_model.config.presets import PRESETS, find_preset
from seaice_model.errors import StudyError
from seaice_model.study.candidates import (
    StoreNeeds,
    View,
    check_names,
    quick,
    read_candidates,
    read_variant,
)
from seaice_model.study.questions import QUESTIONS


def names(text: str) -> list[str]:
    return [candidate.name for candidate in read_candidates(text)]


def test_the_nine_models_are_a_range() -> None:
    assert names("model1-model9") == [f"model{n}" for n in range(1, 10)]
    assert names("model3, default,model8-model9") == [
        "model3",
        "default",
        "model8",
        "model9",
    ]


def test_a_candidate_of_a_preset_is_that_preset() -> None:
    (candidate,) = read_candidates("model2")
    assert candidate.settings.config == find_preset("model2").config
    assert candidate.settings.store == StoreNeeds(ratio=1)
    assert candidate.summary == find_preset("model2").summary


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("modell1", "unknown candidate 'modell1'", "did you mean 'model1'?"),
        ("ratio", "unknown candidate 'ratio'", "did you mean 'ratios'?"),
        ("model8-model10", "unknown candidate 'model10'", "model1"),
        ("model9-model1", "unknown candidate 'model9-model1'", ""),
        ("model1,", "unknown candidate ''", "known are"),
        (f"model1-model{'9' * 5000}", "unknown candidate 'model1-model999", "known are"),
        ("model1,model1", "candidate 'model1' is named twice", ""),
        ("ratios,ratio5", "candidate 'ratio5' is named twice", ""),
    ],
)
def test_other_names_are_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(StudyError, match=message) as caught:
        read_candidates(text)
    assert hint in str(caught.value.hint)


def test_a_variant_changes_model_1() -> None:
    candidate = read_variant("long: n_epochs=600, train.batch_size=8, sar=nearest, ratio=5")
    assert (candidate.name, candidate.summary) == (
        "long",
        "n_epochs=600, train.batch_size=8, sar=nearest, ratio=5",
    )
    assert candidate.settings.store == StoreNeeds(ratio=5, sar="nearest")
    train = candidate.settings.config.train
    assert (train.n_epochs, train.batch_size) == (600, 8)
    assert candidate.settings.config.model == find_preset("model1").config.model


def test_a_variant_can_change_another_preset() -> None:
    candidate = read_variant("late: preset=model4, fusion=bottleneck")
    assert (
        candidate.settings.config.model.channels
        == find_preset("model4").config.model.channels
    )
    assert candidate.settings.config.model.fusion == "bottleneck"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("wide", "'wide' is not a variant", "name: key=value"),
        ("wide:", "'wide:' is not a variant", "name: key=value"),
        ("wide: n_epoch=3", "unknown setting 'n_epoch'", "did you mean 'n_epochs'?"),
        ("wide: rati=3", "unknown setting 'rati'", "did you mean 'ratio'?"),
        ("wide: n_epochs=many", "n_epochs must be int, got 'many'", ""),
        ("wide: sar=median", "sar must be one of mean, nearest", ""),
        ("wide: preset=model10", "unknown preset 'model10'", "did you mean"),
        ("wide: n_epochs=[[[[[[", "n_epochs must be int", ""),
        ("wide: learning_rate=nan", "learning_rate must be a finite number", ""),
        ("wide: where='id in @K\udcf8benhavn'", "has a half character", ""),
        ("wide: seed=3", "sets 'seed', which the study decides", ""),
        ("wide: train.validation=store", "which the study decides", ""),
        ("a/b: ratio=5", "'a/b' is not a name for a candidate", "use letters"),
        ("..: ratio=5", r"'\.\.' is not a name", "use letters"),
    ],
)
def test_what_is_not_a_variant_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises((StudyError, SettingsError), match=message) as caught:
        read_variant(text)
    assert hint in str(caught.value.hint)


def test_names_differ_in_more_than_capitals() -> None:
    candidates = (read_variant("a: ratio=5"), read_variant("A: ratio=8"))
    with pytest.raises(StudyError, match="candidate 'A' is named twice"):
        check_names(candidates)


def test_a_store_meets_what_is_asked_of_it_alone() -> None:
    assert StoreNeeds(ratio=10).are_met_by(Recipe(sar="nearest"))
    assert not StoreNeeds(ratio=10, sar="mean").are_met_by(Recipe(sar="nearest"))
    assert not StoreNeeds(ratio=5).are_met_by(Recipe())


def test_a_quick_model_1_is_small_and_learns_rare_classes_soon() -> None:
    (candidate,) = read_candidates("model1")
    small = quick(candidate).settings.config
    assert small.model == find_preset("tiny").config.model
    assert (small.train.patch_size, small.train.batch_size) == (64, 8)
    assert (small.train.n_iterations, small.train.n_epochs) == (80, 12)
    assert small.train.loss_weights == (0.2, 3.0, 3.0)
    assert quick(candidate).settings.store == candidate.settings.store


def test_only_squared_errors_of_sic_weigh_less_in_a_quick_study() -> None:
    weights = {
        candidate.name: quick(candidate).settings.config.train.loss_weights[0]
        for candidate in read_candidates("model1, model8, sic-both")
    }
    assert weights == {"model1": 0.2, "model8": 1.0, "sic-both": 0.2}


@pytest.mark.parametrize("name", [*PRESETS, *QUESTIONS])
def test_every_ready_candidate_can_be_scaled_down(name: str) -> None:
    for candidate in read_candidates(name):
        small = quick(candidate).settings.config
        assert small.model.channels == candidate.settings.config.model.channels
        assert small.train.n_epochs == (1 if name == "tiny" else 12)


def test_candidates_of_a_question_differ_from_model_1_and_each_other() -> None:
    candidates = read_candidates(",".join(QUESTIONS))
    (model1,) = read_candidates("model1")
    settings = {candidate.settings for candidate in candidates} | {model1.settings}
    assert len(settings) == len(candidates) + 1


def test_quick_keeps_the_proportions_of_patches() -> None:
    sizes = [
        quick(candidate).settings.config.train.patch_size
        for candidate in read_candidates("patches")
    ]
    assert sizes == [32, 48, 96, 128]


def test_a_profile_changes_every_candidate_and_needs_its_store() -> None:
    candidates = read_candidates("model1,model4,cyclic-month", profile="paper")
    for candidate in candidates:
        assert "distance_map" not in candidate.settings.config.model.channels
        needs = StoreNeeds(ratio=10, sar="nearest", charts="nearest", ancillary="bilinear")
        assert candidate.settings.store == needs
    assert candidates[2].settings.config.model.channels[-4:] == (
        "month_sin",
        "month_cos",
        "latitude",
        "longitude",
    )
    assert read_variant("a: preset=model4, profile=paper, ratio=10").settings == (
        candidates[1].settings
    )


def test_a_candidate_shares_the_runs_of_another() -> None:
    dropped, without, *_ = read_candidates("sensors")
    assert (dropped.trained, without.trained) == ("dropped", "dropped")
    assert without.name == "dropped-without-amsr2"
    assert without.settings.config == dropped.settings.config
    assert without.settings.view == View(without=("amsr2",))
    assert dropped.settings.config.augmentation.drop_amsr2 == 0.2
    both = read_candidates("", variants=["a: n_epochs=3", "b: of=a, flips=true"])
    assert [candidate.trained for candidate in both] == ["a", "a"]
    assert both[1].settings.config.train.n_epochs == 3
    # Of a candidate that shares runs itself: the same runs, and what it changes as well.
    last = read_variant("c: of=b, without=[era5]", known=both)
    assert (last.trained, last.settings.view) == ("a", View(without=("era5",), flips=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: of=model1, n_epochs=3", "shares the runs of 'model1' and cannot change how"),
        ("a: of=model1, ratio=5", "cannot change how they are trained"),
        ("a: of=model1, preset=model4", "sets of and preset"),
        ("a: of=modell1, flips=true", "unknown candidate 'modell1'"),
        ("a: of=sensors, flips=true", "'sensors' is not a candidate, but 11"),
        ("a: of=model1, without=[hh]", r"without\[0\] must be one of amsr2, era5"),
    ],
)
def test_runs_that_cannot_be_shared_are_refused(text: str, message: str) -> None:
    with pytest.raises((StudyError, SettingsError), match=message):
        read_variant(text)


def test_a_quick_average_covers_the_same_share_of_the_training() -> None:
    # 10 000 of 150 000 batches: 64 of 960.
    (averaged,) = read_candidates("averaged")
    assert averaged.settings.config.train.weight_average == 0.9999
    decay = quick(averaged).settings.config.train.weight_average
    assert 1 / (1 - decay) == pytest.approx(64)
    assert quick(read_variant("a: weight_average=0.9")).settings.config.train == (
        quick(read_variant("a: weight_average=0.0")).settings.config.train
    )
