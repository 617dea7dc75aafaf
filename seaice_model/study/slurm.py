"""A submit script that runs a study as the tasks of a SLURM array."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from seaice_data.errors import SettingsError
from seaice_data.system.files import replacing
from seaice_data.texts import printable, without_secrets
from seaice_model.errors import StudyError
from seaice_model.study.plan import StudyPlan

_SCRIPT = """\
#!/bin/bash
# One network a task. Time, memory, partition are yours to set. Submit with: sbatch {name}
#SBATCH --job-name=seaice-study
#SBATCH --array=1-{n_runs}
#SBATCH --gpus-per-task=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=32G
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --output={logs}

srun {command} --jobs 1 --part "$SLURM_ARRAY_TASK_ID/{n_runs}"
status=$?
# 75: stopped before the time was up, with everything saved.
if [ "$status" -eq 75 ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
fi
exit "$status"
"""


def study_command(
    plan: StudyPlan,
    stores: Sequence[str],
    *,
    presets: str,
    variants: Sequence[str] = (),
    twins: Sequence[str] = (),
    device: str = "auto",
) -> list[str]:
    """Return the words of the ``seaice study`` command that runs a plan.

    Parameters
    ----------
    plan
        The study.
    stores, twins
        Paths or URLs of its stores and of those of twins, as they were given.
    presets, variants
        What its candidates were read from, see `seaice_model.study.candidates`.
    device
        Where to train.

    Raises
    ------
    SettingsError
        If a URL contains a password or key, which the script would show.
    """
    for store in (*stores, *twins):
        if store != without_secrets(store):
            raise SettingsError(
                f"the script would show the password or key of {without_secrets(store)!r}",
                hint="put it into fsspec's configuration, ~/.config/fsspec/conf.json",
            )
    command = ["seaice", "study", *stores, "--presets", presets]
    for text in variants:
        command += ["--variant", text]
    for store in twins:
        command += ["--twins", store]
    for pair in plan.comparisons:
        command += ["--compare", ",".join(pair)]
    if plan.truth is not None:
        command += ["--truth", plan.truth]
    command += ["--profile", plan.profile, "--runs", str(len(plan.seeds))]
    command += ["--out", str(plan.out), "--device", device]
    command += ["--quick"] * plan.is_quick + ["--skip-missing"] * bool(plan.left_out)
    return command


def write_slurm_script(path: Path, command: Sequence[str], n_runs: int, out: Path) -> None:
    """Write a submit script with a task for each network that is trained.

    A task that is stopped (time limit, pre-emption) requeues itself and continues. The
    last one to finish writes the complete table.

    Parameters
    ----------
    path
        The script.
    command
        Words of the command, as `study_command` returns them.
    n_runs
        Networks that the study trains (`StudyPlan.n_trained`).
    out
        Folder of the study, for the output of the tasks. It is created here, because SLURM
        discards output for a folder that does not exist.

    Raises
    ------
    StudyError
        If the name of the folder contains a line break.
    """
    if len(str(out).splitlines()) > 1:
        raise StudyError(
            f"SLURM cannot write to {str(out)!r}: its directives end at a line break",
            hint="name a folder without line breaks with --out",
        )
    out.mkdir(parents=True, exist_ok=True)
    logs = str(out).replace("%", "%%")  # SLURM replaces a single % and the next letter
    text = _SCRIPT.format(
        name=printable(shlex.quote(str(path))),
        n_runs=n_runs,
        logs=shlex.quote(f"{logs}/slurm-%A-%a.txt"),
        command=shlex.join(command),
    )
    with replacing(path) as new:  # paths that are not UTF-8 are written as they are
        new.write_text(text, encoding="utf-8", errors="surrogateescape")
    path.chmod(0o755)
