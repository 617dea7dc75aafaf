"""`seaice study`: candidates, tables and exit codes in process, its script in a shell."""

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from support.command_results import Result

from seaice.commands.study import _Lines
from seaice.console import Progress
from seaice.forecast import StudyForecast
from seaice_model.study.runs import RunProgress
from seaice_model.study.study import StudyProgress

SMALL = "filters=[8, 8], patch_size=32, batch_size=4, n_iterations=6, n_epochs=1"
VARIANTS = (
    "--presets", "",
    "--variant", f"model1: ratio=5, {SMALL}",
    "--variant", f"model3: preset=model3, ratio=5, {SMALL}",
)  # fmt: skip


@pytest.fixture(scope="module")
def out(store_path: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished study."""
    path = tmp_path_factory.mktemp("study") / "study"
    assert Result("study", store_path, *VARIANTS, "--runs", 2, "--out", path).code == 0
    return path


def test_a_study_prints_its_table_and_writes_it(seaice, store_path, out) -> None:
    result = seaice("study", store_path, *VARIANTS, "--runs", 2, "--out", out)
    assert result.code == 0
    assert re.search(r"^model3 +preset=model3, ratio=5, .* 2 ", result.out, re.MULTILINE)
    assert "Differences to model1" in result.out
    assert "4 of 4 runs finished" in result.err
    for end, start in (
        ("csv", b"study,row,"), ("json", b'{\n  "software"'), ("md", b"Combined, SIC"),
        ("png", b"\x89PNG"), ("tex", b"% needs \\usepackage{booktabs}"),
    ):  # fmt: skip
        assert (out / f"table.{end}").read_bytes().startswith(start)


def test_the_time_left_counts_the_epochs_of_unfinished_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = [("model1", seed) for seed in range(4)]
    progress = Progress("runs", is_even=False)
    lines = _Lines(progress, StudyForecast(runs, {"model1": 1.0}))
    for epoch in (1, 2, 3):
        lines(StudyProgress(0, 4, RunProgress("model1", 0, epoch, 3, False)))
    lines(StudyProgress(1, 4, RunProgress("model1", 0, 3, 3, True)))
    assert re.fullmatch("model1, seed 0: finished, .* left\n", capsys.readouterr().err)


def test_the_table_can_be_printed_as_json(seaice, store_path, out) -> None:
    result = seaice("study", store_path, *VARIANTS, "--runs", 2, "--out", out, "--json")
    mapping = json.loads(result.out)
    assert mapping == json.loads((out / "table.json").read_text())
    assert len(mapping["rows"][0]["splits"]["test"]["runs_percent"]) == 2


def test_maps_without_a_sensor_are_compared_and_scored_against_the_hidden_truth(
    seaice, store_path, out, tmp_path
) -> None:
    # The scenes of the store once more, with their hidden truth.
    assert (
        seaice("synth", tmp_path / "raw", "--scenes", 6, "--size", 320, "--truth").code == 0
    )
    copy = shutil.copytree(out, tmp_path / "study")
    command = (
        "study", store_path, *VARIANTS,
        "--variant", "bare: of=model1, without=[amsr2, era5]", "--compare", "bare,model3",
        "--truth", tmp_path / "raw-truth", "--runs", 2, "--out", copy,
    )  # fmt: skip
    script = tmp_path / "submit.sh"
    assert "4 tasks" in seaice(*command, "--slurm", script).out  # bare trains nothing
    assert "--compare bare,model3 --truth" in script.read_text()
    result = seaice(*command)
    assert result.code == 0
    assert "6 of 6 runs finished" in result.err
    assert "epoch" not in result.err
    assert not (copy / "runs" / "bare" / "seed-0").exists()
    further = result.out.split("Further comparisons")[1]
    assert re.search(r"^bare +model3 +[+-]", further, re.MULTILINE)
    assert re.search(r"^bare +mixed ice +- ", further, re.MULTILINE)
    assert "only differences between candidates can be compared" in result.out
    mapping = json.loads((copy / "table.json").read_text())
    assert [row["runs_of"] for row in mapping["rows"]] == ["model1", "model3", "model1"]
    # Another truth of the same scenes would be mixed with it.
    other = shutil.copytree(tmp_path / "raw-truth", tmp_path / "other")
    for file in other.iterdir():
        with file.open("ab") as stream:
            stream.write(b"\0")
    moved = [other if word == tmp_path / "raw-truth" else word for word in command]
    refused = seaice(*moved)
    assert refused.code == 1
    assert re.search(
        r"'model1' is already .*: another hidden truth of \d scene", refused.err
    )


def test_two_parts_complete_a_study(seaice, store_path, tmp_path) -> None:
    command = ("study", store_path, *VARIANTS, "--runs", 1, "--out", tmp_path)
    first = seaice(*command, "--part", "1/2")
    assert "1 of 2 runs finished" in first.err
    assert "1 of 2 runs are not finished" in first.out
    second = seaice(*command, "--part", "2/2")
    assert "2 of 2 runs finished" in second.err
    assert "not finished" not in second.out


def test_a_full_disk_ends_a_study_with_one_error(
    seaice, store_path, tmp_path, monkeypatch
) -> None:
    def fill(*_args: object, **_options: object) -> bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("seaice_model.runs.checkpoint.to_bytes", fill)
    result = seaice("study", store_path, *VARIANTS, "--runs", 1, "--out", tmp_path)
    assert result.code == 1
    (error,) = re.findall(r"^error: .*", result.err, re.MULTILINE)
    assert re.search(r"best\.safetensors': No space left on device$", error)
    assert "failed" not in result.err


def test_a_candidate_without_a_store_is_refused_at_once(
    seaice, store_path, tmp_path
) -> None:
    command = (
        "study",
        store_path,
        "--presets",
        "model1",
        *VARIANTS[4:],
        "--out",
        tmp_path,
    )
    result = seaice(*command, "--runs", 1)
    assert result.code == 1
    assert "'model1' (ratio=10)" in result.err
    assert "--skip-missing" in result.err
    assert not list(tmp_path.iterdir())
    result = seaice(*command, "--runs", 1, "--skip-missing")
    assert result.code == 0
    assert "left out: model1 has no store" in result.err
    assert "Left out because no store fits: model1" in result.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--presets", "model10"], "unknown candidate 'model10'"),
        (["--variant", "a: n_epoch=3"], "unknown setting 'n_epoch'"),
        (["--profile", "papr"], "unknown profile 'papr'"),
        (["--presets", ""], "a study needs at least one candidate"),
    ],
)
def test_unknown_candidates_are_refused(
    seaice, store_path, tmp_path, options, message
) -> None:
    result = seaice("study", store_path, *options, "--out", tmp_path)
    assert result.code == 1
    assert message in result.err


def test_a_failed_run_is_named_and_the_exit_code_is_1(seaice, store_path, tmp_path) -> None:
    wild = f"wild: ratio=5, {SMALL}, learning_rate=1e30"
    result = seaice(
        "study",
        store_path,
        *VARIANTS[:4],
        "--variant",
        wild,
        "--runs",
        1,
        "--out",
        tmp_path,
    )
    assert result.code == 1
    assert "failed: wild, seed 0: training diverged" in result.err
    assert "1 of 2 runs finished" in result.err
    assert "wild, seed 0: finished" not in result.err


def test_the_submit_script_runs_each_run_and_requeues_stopped_ones(
    seaice, store_path, out, tmp_path
) -> None:
    script = tmp_path / "submit.sh"
    command = [
        "study",
        store_path,
        *VARIANTS,
        "--runs",
        2,
        "--out",
        out,
        "--slurm",
        script,
    ]
    script.write_text("mine")
    result = seaice(*command)
    assert result.code == 1
    assert "submit.sh' that seaice did not write" in result.err
    assert script.read_text() == "mine"
    assert seaice(*command, "--overwrite").code == 0
    result = seaice(*command)
    assert result.code == 0
    assert "4 tasks" in result.out
    assert "#SBATCH --array=1-4\n" in script.read_text()
    # Stand-ins for the tools of SLURM that the script calls.
    for name, text in (("srun", 'echo "$@"; exit $CODE'), ("scontrol", 'echo "$@"')):
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_ARRAY_JOB_ID": "77",
        "SLURM_ARRAY_TASK_ID": "3",
    }
    for code, last in (("0", ""), ("75", "requeue 77_3\n")):
        done = subprocess.run(
            [script],
            env={**environment, "CODE": code},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == int(code)
        line, _, rest = done.stdout.partition("\n")
        assert line.startswith("seaice study ")
        assert line.endswith("--jobs 1 --part 3/4")
        assert rest == last


def test_the_submit_script_does_not_run_names_as_commands(
    seaice, store_path, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("; touch a #", "$(touch b)", "'; touch c; '", "x\ntouch d\n", "`touch e`")
    for number, name in enumerate(names):
        script, out = f"job{number} {name}.sh", f"out {name.strip()}"
        command = ("study", store_path, *VARIANTS[:4], "--runs", 1, "--out", out)
        result = seaice(*command, "--slurm", script)
        if "\n" in out:
            assert result.code == 1
            assert "its directives end at a line break" in result.err
            assert seaice(*command[:-1], "out", "--slurm", script).code == 0
        else:
            assert result.code == 0
            (logs,) = re.findall("--output=(.*)", Path(script).read_text())
            assert shlex.split(logs) == [f"{out}/slurm-%A-%a.txt"]
        (tmp_path / "srun").write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
        (tmp_path / "srun").chmod(0o755)
        done = subprocess.run(
            ["bash", "-u", script],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_ID": "1"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr == ""
    assert not {"a", "b", "c", "d", "e"} & {path.name for path in tmp_path.iterdir()}
