import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.learnable_scenes import SCENES, TEST_SCENE
from support.small_studies import CANDIDATES, candidate, with_train

from seaice_data.store.store import Store
from seaice_data.system.files import claimed
from seaice_model.errors import RunError
from seaice_model.runs.checkpoint import load, weights_fingerprint
from seaice_model.runs.folder import RunFolder
from seaice_model.study.plan import StudyPlan, plan_study
from seaice_model.study.records import StudyRun, failures, load_record
from seaice_model.study.runs import work
from seaice_model.study.study import StudyProgress, run_study
from seaice_model.study.table import update_tables
from seaice_model.training.stop import StopRequest


def weights_of(run: StudyRun) -> str:
    return weights_fingerprint(load(RunFolder(run.path).best))


def test_a_study_has_a_run_and_a_record_for_each_candidate_and_seed(
    plan: StudyPlan,
) -> None:
    found = sorted(p.relative_to(plan.out).as_posix() for p in plan.out.glob("runs/*/*"))
    assert found == [
        f"runs/{name}/seed-{seed}{end}"
        for name in ("hh", "model1")
        for seed in (0, 1)
        for end in ("", ".json", ".lock")
    ]


def test_every_run_has_its_seed_and_samples_its_validation_scenes(plan: StudyPlan) -> None:
    for run in plan.runs:
        record = load_record(run.record)
        assert record.config.train.seed == run.seed
        assert record.config.train.validation == "drawn"
        assert set(record.confusion["test"]) == {TEST_SCENE}
        assert set(record.confusion["validation"]) < {*SCENES}
    by_seed = {
        (run.candidate.name, run.seed): tuple(
            load_record(run.record).confusion["validation"]
        )
        for run in plan.runs
    }
    assert by_seed["model1", 0] == by_seed["hh", 0]
    assert by_seed["model1", 1] == by_seed["hh", 1]


def test_a_finished_study_is_left_as_it_is(plan: StudyPlan) -> None:
    before = {path: path.stat().st_mtime_ns for path in plan.out.rglob("*.*")}
    steps: list[StudyProgress] = []
    report = run_study(plan, devices=["cpu"], progress=steps.append)
    assert (report.n_finished, report.is_stopped, steps) == (4, False, [])
    assert {path: path.stat().st_mtime_ns for path in plan.out.rglob("*.*")} == before


STUDY = """
import os, signal, sys, time
from pathlib import Path
import torch
from seaice_data.sources.charts import charts_of
from seaice_data.store.store import Store
from support.small_studies import CANDIDATES
from seaice_model.study.plan import plan_study
from seaice_model.study.study import run_study

torch.set_num_threads(1)
out, store, kill_after, n_together, jobs = sys.argv[1:]
n_reports = 0

def progress(reported):
    global n_reports
    n_reports += 1
    if n_reports == int(kill_after):
        os.kill(os.getpid(), signal.SIGKILL)
    if reported.step.is_finished:
        print(reported.step.candidate, reported.step.seed, flush=True)
    Path(out, f"{os.getpid()}.here").touch()
    while len([*Path(out).glob("*.here")]) < int(n_together):
        time.sleep(0.01)  # within its first run, until others are in one, too

if __name__ == "__main__":
    plan = plan_study(Path(out), [Store.open(store)], CANDIDATES, n_runs=2)
    run_study(plan, jobs=int(jobs), devices=["cpu"], progress=progress)
"""


def start_study(
    out: Path, store: Store, *, kill_after: int = 0, n_together: int = 1, jobs: int = 1
) -> "subprocess.Popen[str]":
    here = Path(__file__).parent
    options = [str(option) for option in (kill_after, n_together, jobs)]
    return subprocess.Popen(
        [sys.executable, "-c", STUDY, str(out), store.path, *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parents[1]}"},
    )


# Each run reports three epochs and its end: the sixth report is from the second run.
def test_a_killed_study_continues_without_repeating_a_finished_run(
    tmp_path: Path, store: Store, plan: StudyPlan
) -> None:
    killed = start_study(tmp_path, store, kill_after=6)
    out, _ = killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert out.split() == ["model1", "0"]
    ours = plan_study(tmp_path, [store], CANDIDATES, n_runs=2)
    first = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs/model1").rglob("seed-0*/*")}
    steps: list[StudyProgress] = []
    report = run_study(ours, devices=["cpu"], progress=steps.append)
    assert report.n_finished == 4
    assert {(s.step.candidate, s.step.seed) for s in steps} == {
        ("hh", 0),
        ("model1", 1),
        ("hh", 1),
    }
    # The interrupted run continued with its third epoch.
    of_hh = [s.step for s in steps if (s.step.candidate, s.step.seed) == ("hh", 0)]
    assert [step.epoch for step in of_hh] == [3, 3]
    assert {p: p.stat().st_mtime_ns for p in first} == first
    for mine, other in zip(ours.runs, plan.runs, strict=True):
        assert weights_of(mine) == weights_of(other)
        assert mine.record.read_text() == other.record.read_text()


def test_two_processes_share_the_runs_of_a_folder(tmp_path: Path, store: Store) -> None:
    both = [start_study(tmp_path, store, n_together=2) for _ in range(2)]
    done = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert all(done)
    assert sorted(done[0] + done[1]) == ["hh 0", "hh 1", "model1 0", "model1 1"]


def test_the_processes_of_a_killed_study_end_and_leave_their_runs_free(
    tmp_path: Path, store: Store
) -> None:
    killed = start_study(tmp_path, store, kill_after=1, jobs=2)
    killed.communicate()  # its pipe closes when the last process has ended
    assert killed.returncode == -signal.SIGKILL
    plan = plan_study(tmp_path, [store], CANDIDATES, n_runs=2)
    assert not all(run.is_finished for run in plan.runs)
    for lock in tmp_path.rglob("*.lock"):
        with claimed(lock) as is_ours:
            assert is_ours
    assert run_study(plan, devices=["cpu"]).n_finished == 4


def test_several_jobs_do_the_work_of_one(
    tmp_path: Path, store: Store, plan: StudyPlan
) -> None:
    ours = plan_study(tmp_path, [store], CANDIDATES, n_runs=2)
    steps: list[StudyProgress] = []
    report = run_study(ours, jobs=2, devices=["cpu"], progress=steps.append)
    assert (report.n_finished, report.failed, report.is_stopped) == (4, (), False)
    assert sum(s.step.is_finished for s in steps) == 4
    for mine, other in zip(ours.runs, plan.runs, strict=True):
        assert mine.record.read_text() == other.record.read_text()


def test_a_run_that_another_process_works_on_is_left_to_it(
    tmp_path: Path, store: Store
) -> None:
    plan = plan_study(tmp_path, [store], CANDIDATES, n_runs=1)
    run = plan.runs[0]
    run.lock.parent.mkdir(parents=True)
    with claimed(run.lock):
        report = run_study(plan, devices=["cpu"])
    assert (report.n_finished, report.n_runs, report.failed) == (1, 2, ())
    assert not run.path.exists()
    assert run_study(plan, devices=["cpu"]).n_finished == 2


def test_a_run_that_fails_is_named_and_the_others_are_finished(
    tmp_path: Path, store: Store
) -> None:
    candidates = (candidate("wild", config=with_train(learning_rate=1e30)), CANDIDATES[0])
    plan = plan_study(tmp_path, [store], candidates, n_runs=1)
    report = run_study(plan, devices=["cpu"])
    assert (report.n_finished, report.is_stopped) == (1, False)
    assert [(failure.candidate, failure.seed) for failure in report.failed] == [("wild", 0)]
    assert "training diverged in epoch 1" in report.failed[0].reason
    assert "lower learning_rate" in str(report.failed[0].hint)
    steps: list[StudyProgress] = []
    again = run_study(plan, jobs=2, devices=["cpu"], progress=steps.append)
    assert len(again.failed) == 1
    (failed,) = [s.step for s in steps if s.step.is_failed]
    assert (failed.candidate, failed.epoch, failed.is_finished) == ("wild", 0, False)


def test_a_full_disk_ends_a_study(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[object] = []

    def fill(*_args: object, **_options: object) -> bytes:
        written.append(_args)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("seaice_model.runs.checkpoint.to_bytes", fill)
    plan = plan_study(tmp_path, [store], CANDIDATES, n_runs=1)
    with pytest.raises(RunError, match=r"(?m)safetensors': No space left on device$"):
        run_study(plan, devices=["cpu"])
    assert len(written) == 1
    assert failures(plan.runs) == ()


def test_a_request_to_stop_takes_effect_between_runs(tmp_path: Path, store: Store) -> None:
    plan = plan_study(tmp_path, [store], CANDIDATES, n_runs=1)
    stop = StopRequest()

    def request_stop(_step: object) -> None:
        stop.is_made = True

    assert not work(plan.runs, "attempt", "cpu", stop, request_stop)
    assert [run.is_finished for run in plan.runs] == [True, False]


def test_a_signal_stops_a_study_within_a_run(tmp_path: Path, store: Store) -> None:
    plan = plan_study(tmp_path, [store], CANDIDATES, n_runs=1)

    def end(reported: StudyProgress) -> None:
        if reported.step.epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    report = run_study(plan, devices=["cpu"], progress=end)
    assert (report.n_finished, report.is_stopped) == (0, True)
    assert signal.getsignal(signal.SIGTERM) is before
    assert run_study(plan, devices=["cpu"]).n_finished == 2


def test_a_signal_stops_all_processes_of_a_study(tmp_path: Path, store: Store) -> None:
    candidates = [
        candidate(name, config=with_train(n_epochs=400)) for name in ("first", "second")
    ]
    plan = plan_study(tmp_path, [store], candidates, n_runs=1)
    once = iter([True])  # a second signal would end this process

    def end(reported: StudyProgress) -> None:
        if reported.step.epoch == 2 and next(once, False):
            os.kill(os.getpid(), signal.SIGTERM)

    report = run_study(plan, jobs=2, devices=["cpu"], progress=end)
    assert (report.n_finished, report.is_stopped) == (0, True)


def test_more_runs_join_those_that_are_there(
    plan: StudyPlan, store: Store, tmp_path: Path
) -> None:
    shutil.copytree(plan.out, tmp_path / "study")
    steps: list[StudyProgress] = []
    more = plan_study(tmp_path / "study", [store], CANDIDATES[:1], n_runs=3)
    assert run_study(more, devices=["cpu"], progress=steps.append).n_finished == 3
    assert {s.step.seed for s in steps} == {2}


def test_a_missing_record_is_counted_again_from_the_run(
    plan: StudyPlan, store: Store, tmp_path: Path
) -> None:
    shutil.copytree(plan.out, tmp_path / "study")
    ours = plan_study(tmp_path / "study", [store], CANDIDATES, n_runs=2)
    ours.runs[2].record.unlink()
    steps: list[StudyProgress] = []
    assert run_study(ours, devices=["cpu"], progress=steps.append).n_finished == 4
    assert [(s.step.candidate, s.step.seed, s.step.is_finished) for s in steps] == [
        ("hh", 0, True)
    ]
    assert ours.runs[2].record.read_text() == plan.runs[2].record.read_text()


def test_tables_of_a_study_are_written_again(plan: StudyPlan, store: Store) -> None:
    texts = []
    for _ in range(2):
        update_tables(plan_study(plan.out, [store], CANDIDATES, n_runs=2))
        texts.append((plan.out / "table.md").read_text())
    assert texts[0] == texts[1]
    assert "| model1 | model1 in short | 2 |" in texts[0]
