"""`seaice study`: many networks, many seeds, one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seaice_data.system.processor import n_cores

from .console import Progress, note, say, say_json, seconds
from .options import STOPPED, Part, read_part

if TYPE_CHECKING:
    from seaice_model.study.study import StudyPlan, StudyProgress, StudyReport


def study(
    stores: Annotated[
        list[str],
        typer.Argument(
            metavar="STORE...", help="Store, or several of the same scenes: other ratios"
        ),
    ],
    presets: Annotated[
        str,
        typer.Option(
            help="Rows, with commas: presets (model1-model9), and the open questions "
            "ratios, patches, time, fusion, sampling, losses, resampling"
        ),
    ] = "model1-model9",
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME: KEY=VALUE, ...'",
            help="A row of your own: what it changes in Model 1; can be repeated",
        ),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="How to read the paper: default, paper, or official")
    ] = "default",
    runs: Annotated[int, typer.Option(min=1, help="Networks a row: seeds from 0 on")] = 20,
    out: Annotated[Path, typer.Option(help="Folder of the study")] = Path("study"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Scale networks and training down, for CPUs")
    ] = False,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out rows that lack a store")
    ] = False,
    part: Part = "",
    slurm: Annotated[
        Path | None, typer.Option(help="Write a submit script for SLURM, and end")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace tables or a script that seaice did not write"
        ),
    ] = False,
    jobs: Annotated[
        int,
        typer.Option(
            min=0, help="Runs at the same time; 0: one a GPU, or with --quick one a core"
        ),
    ] = 0,
    device: Annotated[
        str, typer.Option(help="auto (all GPUs, else the CPU), cpu, cuda:1, ...")
    ] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the table as JSON")
    ] = False,
) -> None:
    """Train every row with several seeds, and compare: Table 4 of the paper.

    Each run draws its weights, patches and validation scenes from its seed, and is scored
    on the test scenes. The table holds means and standard deviations, the paper's figures,
    and the differences to Model 1 with intervals; OUT holds it as CSV, Markdown, LaTeX,
    JSON and picture. Model 2 needs a store of ratio 1 beside the other.

    Run it again to go on after an interruption, or beside itself to share the work: every
    process takes runs that no other has taken.

    Example: seaice study store.zarr ratio1.zarr --runs 20 --out study/
    """
    from seaice_data.store.store import Store
    from seaice_model.ownership import SUBMIT_SCRIPT, refuse_foreign
    from seaice_model.study.candidates import check_names, read_rows, read_variant
    from seaice_model.study.candidates import quick as scaled
    from seaice_model.study.study import find_devices, plan_study, run_study
    from seaice_model.study.table import (
        as_mapping,
        as_text,
        refuse_foreign_tables,
        update_tables,
    )

    if slurm is not None:
        refuse_foreign(slurm, SUBMIT_SCRIPT, overwrite=overwrite)
    refuse_foreign_tables(out, overwrite=overwrite)
    own = [read_variant(text, profile) for text in variant or []]
    rows = check_names([*(read_rows(presets, profile) if presets else ()), *own])
    plan = plan_study(
        out,
        [Store.open(store) for store in stores],
        [scaled(row) for row in rows] if quick else rows,
        n_runs=runs,
        skip_missing=skip_missing,
        is_quick=quick,
    )
    for row in plan.left_out:
        note(f"left out: {row.name} has no store")
    if slurm is not None:
        _write_slurm(slurm, plan, stores, presets, variant or [], profile, device)
        return
    devices = find_devices(device)
    on_gpus = devices[0].startswith("cuda")
    share = read_part(part) if part else (1, 1)
    note(f"{len(plan.part(*share))} runs of {len(plan.rows)} rows, on {', '.join(devices)}")
    with Progress("runs") as progress:
        report = run_study(
            plan,
            part=share,
            jobs=jobs or (len(devices) if on_gpus else n_cores() if quick else 1),
            devices=devices,
            progress=_Lines(progress),
        )
    table = update_tables(plan)
    if as_json:
        say_json(as_mapping(table))
    elif table.n_finished:
        say(*as_text(table).split("\n"))
    _close(plan, report)


class _Lines:
    """Shows a line for each finished run, and the epochs in between."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, told: "StudyProgress") -> None:
        step = told.step
        text = f"{step.row}, seed {step.seed}"
        if step.is_finished:
            note(f"{text}: finished")
        else:
            text += f", epoch {step.epoch}/{step.n_epochs}"
        self._progress(told.n_finished, told.n_runs, text)


def _write_slurm(
    path: Path,
    plan: "StudyPlan",
    stores: Sequence[str],
    presets: str,
    variants: Sequence[str],
    profile: str,
    device: str,
) -> None:
    """Write the command of this study into a submit script."""
    from seaice_data.errors import SettingsError
    from seaice_data.texts import without_secrets
    from seaice_model.study.slurm import write_slurm_script

    for store in stores:
        if store != without_secrets(store):
            raise SettingsError(
                f"the script would show the password or key of {without_secrets(store)!r}",
                hint="put it into fsspec's configuration, ~/.config/fsspec/conf.json",
            )
    command = ["seaice", "study", *stores, "--presets", presets]
    for text in variants:
        command += ["--variant", text]
    command += ["--profile", profile, "--runs", str(len(plan.seeds))]
    command += ["--out", str(plan.out), "--device", device]
    command += ["--quick"] * plan.is_quick + ["--skip-missing"] * bool(plan.left_out)
    write_slurm_script(path, command, len(plan.runs), plan.out)
    say(f"{path} written: {len(plan.runs)} tasks; submit it with `sbatch {path}`")


def _close(plan: "StudyPlan", report: "StudyReport") -> None:
    """Say how far the study is, and end with the exit code for it."""
    for failure in report.failed:
        hint = f" ({failure.hint})" if failure.hint else ""
        note(f"failed: {failure.row}, seed {failure.seed}: {failure.reason}{hint}")
    note(
        f"{report.n_finished} of {report.n_runs} runs finished, tables in {plan.out}, "
        f"in {seconds(report.elapsed_s)}"
    )
    if report.is_stopped:
        note("stopped; run the same command again to go on")
        raise typer.Exit(STOPPED)
    if report.failed:
        raise typer.Exit(1)
