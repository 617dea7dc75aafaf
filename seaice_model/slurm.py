"""A submit script that shares out a study to the tasks of a SLURM array."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from seaice_model.errors import StudyError
from seaice_model.files import replacing

_SCRIPT = """\
#!/bin/bash
# One run a task. Time, memory and partition are yours to change. Submit with: sbatch {name}
#SBATCH --job-name=seaice-study
#SBATCH --array=1-{n_runs}
#SBATCH --gpus-per-task=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=32G
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --output={logs}/slurm-%A-%a.txt

srun {command} --jobs 1 --part "$SLURM_ARRAY_TASK_ID/{n_runs}"
status=$?
# 75: told to stop before the time was up, with everything saved.
if [ "$status" -eq 75 ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
fi
exit "$status"
"""


def write_slurm_script(path: Path, command: Sequence[str], n_runs: int, out: Path) -> None:
    """Write a submit script with a task for each run.

    A task that is stopped (time limit, pre-emption) puts itself back into the queue and
    goes on. The last one that finishes writes the whole table.

    Parameters
    ----------
    path
        The script.
    command
        The command of the study as the shell has it, without part and jobs.
    n_runs
        Runs of the study.
    out
        Folder of the study, for what the tasks print; it is made, or SLURM prints nothing.

    Raises
    ------
    StudyError
        If `path` or `out` has a line break: it would become a command of the script.
    """
    for name in (path, out):
        if not str(name).isprintable():
            raise StudyError(f"{str(name)!r} cannot stand in a submit script")
    out.mkdir(parents=True, exist_ok=True)
    text = _SCRIPT.format(
        name=shlex.quote(str(path)),
        n_runs=n_runs,
        logs=out,
        command=shlex.join(command),
    )
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")
    path.chmod(0o755)
