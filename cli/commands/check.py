"""`seaice check`: test what is inferred about files on the files themselves."""

from pathlib import Path
from typing import Annotated

import typer

from seaice_data.texts import counted

from ..console import Progress, note, say, say_json, seconds, with_hint
from ..options import AsJson, Jobs, n_processes


def check(
    raw: Annotated[Path, typer.Argument(help="Folder of scene files (netCDF)")],
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Test what seaice infers about AI4Arctic files on your files.

    No real AI4Arctic file has been read with seaice yet; docs/unchecked.md lists what is
    inferred, from the position of the 2 km cells to the axes of the wind. This command
    says for each inference, with numbers, whether it holds, does not hold or cannot be
    decided from your files. Some inferences need ten scenes or more, some need both
    versions of a scene. The exit code is 1 only if a file is left out because it cannot be
    read or compared.

    Example: seaice check raw/
    """
    from dataclasses import asdict

    from seaice_data.checks.check import check_scenes

    with Progress("files") as progress:
        report = check_scenes(raw, jobs=n_processes(jobs), progress=progress)
    for failure in report.failed:
        note(f"left out: {with_hint(failure.reason, failure.hint)}")
    counts = {
        outcome: sum(finding.outcome == outcome for finding in report.findings)
        for outcome in ("holds", "does not hold", "cannot tell")
    }
    if as_json:
        say_json(
            {
                "ready": report.n_ready,
                "raw": report.n_raw,
                "ingested": report.n_ingested,
                "findings": [asdict(finding) for finding in report.findings],
                "failed": [{"file": f.name, "reason": f.reason} for f in report.failed],
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        for finding in report.findings:
            say(
                f"{finding.outcome}: {finding.name}",
                f"    inferred: {finding.inferred}",
                f"    found: {finding.evidence}",
            )
        say(
            f"{counted(report.n_ready, 'ready-to-train file')}, "
            f"{counted(report.n_raw, 'raw file')} and "
            f"{counted(report.n_ingested, 'own scene')} in {seconds(report.elapsed_s)}: "
            + ", ".join(f"{outcome} {n}" for outcome, n in counts.items())
        )
    if report.failed:
        raise typer.Exit(1)
