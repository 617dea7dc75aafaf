"""A training says at once how long it takes here, and its settings in a few lines."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from seaice.console import EpochLines, Pace, Progress
from seaice.forecast import Forecast, StudyForecast
from seaice_model.runs.log import LogEntry
from seaice_model.training.progress import TrainProgress

SEAICE = Path(sys.executable).with_name("seaice")
STEP = TrainProgress(
    epoch=1, n_epochs=300, iteration=4, n_iterations=500, loss=1.0, learning_rate=0.1
)
ENTRY = LogEntry(
    epoch=1, loss=1, loss_sic=1, loss_sod=1, loss_floe=1, learning_rate=0.1, combined=50,
    sic=50, sod=50, floe=50, is_best=True, train_s=2, wait_s=0, validation_s=100,
    n_patches=32,
)  # fmt: skip


class Clock:
    """Seconds, counted by the test."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_pace_is_that_of_what_was_done_since_the_start() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now += 60
    pace.restart(4000)  # batches of a run to resume, done in another week
    assert pace.left_s(4000, 5000) is None
    clock.now += 10
    assert pace.left_s(4005, 5000) == pytest.approx(1990)
    assert pace.per_s(4005) == 0.5


def test_a_long_training_on_a_cpu_says_how_long_and_what_else_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    forecast = Forecast("cpu", is_advised=True)
    assert forecast.machine.split()[1:] in (["CPU", "core"], ["CPU", "cores"])
    for _ in range(2):  # said once
        forecast(STEP, (STEP.n_total - STEP.n_done) * 3.05)
    line, hint = capsys.readouterr().err.splitlines()
    assert line == (
        f"the batches take about 127 h 04 min: 3.05 s each on {forecast.machine}; "
        "validation is not included"
    )
    assert hint.startswith(
        "hint: train on a GPU; or stop with Ctrl-C and use --preset tiny --run tiny, a"
    )
    assert hint.endswith("480 batches of 8 patches of 96 x 96 pixels")


def test_several_seeds_take_that_many_times_as_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Forecast("cpu", n_seeds=5)(STEP, 36000.0)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "the batches take about 10 h 00 min, 50 h 00 min for all seeds: "
    )


def test_a_short_training_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Forecast("cpu", is_advised=True)(STEP, 59.0)
    assert capsys.readouterr().err == ""


def test_the_forecast_is_made_once_from_the_first_batches() -> None:
    made: list[tuple[int, float]] = []
    with Progress("batches") as progress:
        lines = EpochLines(progress, forecast=lambda step, s: made.append((step.n_done, s)))
        for iteration in range(1001, 1009):  # of a run to resume
            lines(replace(STEP, epoch=3, iteration=iteration, n_iterations=2000))
    ((n_done, left_s),) = made
    assert 2 * 2000 + 1001 < n_done <= 2 * 2000 + 1005
    assert left_s > 0


def test_the_validation_between_short_epochs_is_not_taken_for_batches() -> None:
    clock, made = Clock(), list[float]()
    with Progress("batches") as progress:
        progress._pace = Pace(clock)
        lines = EpochLines(progress, forecast=lambda _step, left_s: made.append(left_s))
        for epoch in (1, 2, 3):
            for iteration in (1, 2):
                clock.now += 1
                step = replace(STEP, epoch=epoch, iteration=iteration, n_iterations=2)
                lines(step)
            clock.now += 100
            lines(replace(step, entry=ENTRY))
    assert made == [pytest.approx(600 - 4)]


def started(*command: str | Path) -> tuple[str, int]:
    """Return what a training prints until it says how long it takes, and its exit code."""
    process = subprocess.Popen(
        [SEAICE, *command], text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = ""
    try:
        for line in process.stderr:
            said += line
            if line.startswith("the batches take about"):
                break
        process.send_signal(signal.SIGTERM)
        said += process.stderr.read()  # `communicate` would lose what has been buffered
        process.wait(timeout=120)
    finally:
        process.kill()
        process.stderr.close()
    return said, process.returncode


SMALL = ["--set", "filters=[8, 8], patch_size=32, batch_size=2", "--epochs", "900000"]


def test_a_training_says_how_long_it_takes_before_its_first_epoch_ends(
    store_path: str, tmp_path: Path
) -> None:
    options = ["--run", tmp_path / "run", "--device", "cpu", *SMALL]
    said, code = started("train", store_path, *options)
    _note, first, settings, *shown = said.splitlines()
    assert first.startswith("900000 epochs of 500 batches on ")
    assert settings.startswith("settings that differ from the defaults (all: ")
    assert shown[:6] == [
        "[model]", "filters = [8, 8]",
        "[train]", "patch_size = 32", "batch_size = 2", "n_epochs = 900000",
    ]  # fmt: skip
    assert (
        "hint: train on a GPU; or stop with Ctrl-C and use --preset tiny --run tiny, a"
        in said
    )
    assert code == 75


def test_all_settings_are_shown_on_request(store_path: str, tmp_path: Path) -> None:
    options = ["--run", tmp_path / "run", "--device", "cpu", *SMALL, "--seeds", "0-2"]
    said, code = started("--verbose", "train", store_path, *options)
    assert "3 trainings of 900000 epochs of 500 batches on " in said
    for shown in (
        "learning_rate = 0.001",
        "[sampling]",
        "[augmentation]",
        "for all seeds: ",
    ):
        assert shown in said
    assert code == 75
    said, _code = started("train", store_path, *options, "--resume")  # some may be done
    assert "all seeds" not in said
    assert f"{tmp_path}/run/seed-*/settings.json)" in said


def train_runs(
    clock: Clock, runs: list[tuple[str, int]], seconds_per_epoch: dict[str, float]
) -> list[float]:
    """Train runs of ten epochs one after the other; return the errors of the forecasts.

    A run takes 5 s to start and 7 s to be scored.
    """
    forecast = StudyForecast(runs, {"fast": 1.0, "slow": 4.0}, clock=clock)
    whole = {name: 12 + 10 * epoch_s for name, epoch_s in seconds_per_epoch.items()}
    end = clock.now + sum(whole[name] for name, _seed in runs)
    errors = []
    for n_finished, run in enumerate(runs):
        clock.now += 5
        for epoch in range(1, 11):
            clock.now += seconds_per_epoch[run[0]]
            forecast.step(run, epoch, 10)
            errors.append(float(forecast.left_s(n_finished) or 0) - (end - clock.now))
        clock.now += 7
        forecast.step(run, 10, 10, is_finished=True)
        errors.append(float(forecast.left_s(n_finished + 1) or 0) - (end - clock.now))
    return errors


def test_the_time_left_of_a_study_is_exact_after_the_first_run() -> None:
    errors = train_runs(Clock(), [("fast", seed) for seed in range(5)], {"fast": 2})
    assert errors[10:] == pytest.approx([0] * 45)
    # Before that, starting is taken for slow epochs, so what is left does not grow.
    assert errors[:10] == sorted(errors[:10], reverse=True)


def test_candidates_that_are_not_known_yet_are_estimated_by_their_work() -> None:
    runs = [(name, seed) for seed in range(3) for name in ("fast", "slow")]
    errors = train_runs(Clock(), runs, {"fast": 2, "slow": 8})
    # Without their work, it would be 60 s too little for each of three slow runs.
    assert abs(errors[10]) < 3 * 40
    assert errors[21:] == pytest.approx([0] * 45)


def test_runs_of_several_processes_are_counted_together() -> None:
    clock = Clock()
    runs = [("fast", seed) for seed in range(6)]
    forecast = StudyForecast(runs, {"fast": 1.0}, clock=clock)
    assert forecast.left_s(0) is None
    for seed in (0, 1):
        clock.now += 5
        forecast.step(runs[seed], 1, 2)
    assert forecast.done == 1
    clock.now += 10
    forecast.step(runs[0], 2, 2, is_finished=True)  # after 20 s
    forecast.step(runs[1], 2, 2, is_finished=True)
    assert forecast.left_s(2) == 4 * 20 / 2
    # Others have finished two, so they are as fast as these two processes.
    assert forecast.left_s(4) == 2 * 20 / 4
    assert forecast.left_s(6) == 0


def test_failed_runs_do_not_make_the_others_faster() -> None:
    clock = Clock()
    runs = [(name, seed) for seed in range(4) for name in ("wild", "fast")]
    forecast = StudyForecast(runs, {"wild": 1.0, "fast": 1.0}, clock=clock)
    for seed in range(3):
        for epoch in (1, 2):
            clock.now += 10
            forecast.step(("wild", seed), epoch, 4)
        forecast.step(("wild", seed), 0, 4, is_failed=True)  # after 20 s
        assert forecast.done == 0
        for epoch in range(1, 5):
            clock.now += 10
            forecast.step(("fast", seed), epoch, 4)
        assert forecast.done == 1
        forecast.step(("fast", seed), 4, 4, is_finished=True)
    # One process, as fast as before: two runs of 40 s are left, by what is known.
    assert forecast.left_s(3) == 2 * 40


def test_a_run_that_fails_at_once_leaves_its_process_free() -> None:
    clock = Clock()
    forecast = StudyForecast([("a", 0), ("a", 1), ("a", 2)], {"a": 1.0}, clock=clock)
    clock.now += 100
    forecast.step(("a", 0), 0, 4, is_failed=True)
    assert forecast.left_s(0) is None
    for epoch in range(1, 5):
        clock.now += 10
        forecast.step(("a", 1), epoch, 4)
    forecast.step(("a", 1), 4, 4, is_finished=True)
    assert forecast.left_s(1) == 40


def test_epochs_of_an_earlier_call_took_no_time_in_this_one() -> None:
    clock = Clock()
    runs = [("a", seed) for seed in range(3)]
    forecast = StudyForecast(runs, {"a": 1.0}, clock=clock)
    clock.now += 10
    forecast.step(runs[0], 91, 100)  # continued after 90 epochs
    assert forecast.done == 0.91
    assert forecast.left_s(0) == pytest.approx(90 + 2 * 1000)
    for epoch in range(92, 101):
        clock.now += 10
        forecast.step(runs[0], epoch, 100)
    forecast.step(runs[0], 100, 100, is_finished=True)
    assert forecast.left_s(1) == pytest.approx(2 * 1000)
    for epoch in range(1, 101):
        clock.now += 8  # faster, and a whole run
        forecast.step(runs[1], epoch, 100)
    forecast.step(runs[1], 100, 100, is_finished=True)
    assert forecast.left_s(2) == pytest.approx(800)


def test_a_run_that_is_only_scored_tells_nothing_but_a_view_does() -> None:
    clock = Clock()
    runs = [("a", 0), ("a", 1), ("view", 0), ("view", 1)]
    costs = {"a": 1.0, "view": 0.05}
    forecast = StudyForecast(runs, costs, views={"view"}, clock=clock)
    clock.now += 5
    forecast.step(("a", 0), 100, 100, is_finished=True)  # trained before
    assert forecast.left_s(1) is None
    clock.now += 5
    forecast.step(("view", 0), 100, 100, is_finished=True)
    assert forecast.left_s(2) == pytest.approx(5 + 5 / 0.05)
