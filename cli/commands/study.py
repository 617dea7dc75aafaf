"""`seaice study`: many networks, many seeds, one table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seaice_data.texts import counted

from ..console import Progress, note, say, say_json, seconds
from ..forecast import StudyForecast
from ..options import STOPPED, Part, read_part

if TYPE_CHECKING:
    from seaice_model.study.plan import StudyPlan
    from seaice_model.study.study import StudyProgress, StudyReport


def study(
    stores: Annotated[
        list[str],
        typer.Argument(
            metavar="STORE", help="Store, or several of the same scenes: other ratios"
        ),
    ],
    presets: Annotated[
        str,
        typer.Option(
            help="Candidates, separated by commas: presets (model1-model9, swin, best), "
            "and the open questions ratios, patches, time, fusion, sampling, losses, "
            "resampling, sensors, regions, small, denoising"
        ),
    ] = "model1-model9",
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME: KEY=VALUE, ...'",
            help="A candidate of your own: a name, and changes to Model 1; repeatable",
        ),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Two candidates to compare, besides all with Model 1; repeatable",
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the hidden truth of synthetic scenes: score against it, too"
        ),
    ] = None,
    twins: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STORE",
            help="Store of twins of the test scenes, for candidates such as "
            "model1-on-twins; repeatable",
        ),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="How to read the paper: default, paper, or official")
    ] = "default",
    runs: Annotated[
        int, typer.Option(min=1, help="Networks per candidate: seeds from 0")
    ] = 20,
    out: Annotated[Path, typer.Option(help="Folder of the study")] = Path("study"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Scale down networks and training, for CPUs")
    ] = False,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out candidates that no store fits")
    ] = False,
    part: Part = "",
    slurm: Annotated[
        Path | None, typer.Option(help="Write a submit script for SLURM, and exit")
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
            min=0,
            help="Runs at the same time; 0: one per GPU, or with --quick one per core",
        ),
    ] = 0,
    device: Annotated[
        str, typer.Option(help="auto (all GPUs, else the CPU), cpu, cuda:1, ...")
    ] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the table as JSON")
    ] = False,
) -> None:
    """Train every candidate with several seeds and compare them, as Table 4 of the paper.

    The seed of a run determines its weights, patches and validation scenes; the run is
    scored on the test scenes. The table contains means and standard deviations, the paper's
    numbers, and the differences to Model 1 with intervals; it is written to OUT as CSV,
    Markdown, LaTeX, JSON and a figure. Model 2 also needs a store of ratio 1.

    Some candidates share the runs of another, and only their maps are predicted otherwise:
    dropped-without-amsr2 is dropped, predicted without AMSR2. A variant says so with
    "of": --variant "bare: of=dropped, without=[amsr2, era5]".

    After an interruption, run it again to continue. Run it several times at once to share
    the work: every process takes runs that no other has taken.

    Example: seaice study store.zarr ratio1.zarr --runs 20 --out study/
    """
    from seaice_data.system.ownership import SUBMIT_SCRIPT, refuse_foreign
    from seaice_model.study.candidates import read_candidates
    from seaice_model.study.plan import plan_study, read_comparison
    from seaice_model.study.slurm import study_command, write_slurm_script
    from seaice_model.study.study import find_devices, run_study
    from seaice_model.study.table import (
        as_mapping,
        as_text,
        refuse_foreign_tables,
        update_tables,
    )

    share = read_part(part) if part else (1, 1)
    if slurm is not None:
        refuse_foreign(slurm, SUBMIT_SCRIPT, overwrite=overwrite)
    refuse_foreign_tables(out, overwrite=overwrite)
    plan = plan_study(
        out,
        stores,
        read_candidates(presets, profile, variant or ()),
        n_runs=runs,
        skip_missing=skip_missing,
        is_quick=quick,
        profile=profile,
        twins=twins or (),
        truth=truth,
        comparisons=[read_comparison(text) for text in compare or ()],
    )
    for candidate in plan.left_out:
        note(f"left out: {candidate.name} has no store")
    if slurm is not None:
        command = study_command(
            plan, stores, presets=presets, variants=variant or (), twins=twins or (),
            device=device,
        )  # fmt: skip
        write_slurm_script(slurm, command, plan.n_trained, out)
        tasks = counted(plan.n_trained, "task")
        say(f"{slurm} written: {tasks}; submit it with `sbatch {slurm}`")
        return
    devices = find_devices(device)
    n_runs, n_candidates = len(plan.part(*share)), len(plan.candidates)
    of_all = f"{counted(n_runs, 'run')} of {counted(n_candidates, 'candidate')}"
    note(f"{of_all}, on {', '.join(devices)}")
    with Progress("runs", is_even=False) as progress:
        report = run_study(
            plan,
            part=share,
            jobs=jobs or None,
            devices=devices,
            progress=_Lines(progress, _forecast(plan, share)),
        )
    table = update_tables(plan)
    if as_json:
        say_json(as_mapping(table))
    elif table.n_finished:
        say(*as_text(table).split("\n"))
    _close(plan, report)


class _Lines:
    """Shows a line for each finished run, and the epochs in between."""

    def __init__(self, progress: Progress, forecast: StudyForecast) -> None:
        self._progress, self._forecast = progress, forecast

    def __call__(self, study: "StudyProgress") -> None:
        step, forecast = study.step, self._forecast
        run, text = (step.candidate, step.seed), f"{step.candidate}, seed {step.seed}"
        forecast.step(
            run,
            step.epoch,
            step.n_epochs,
            is_finished=step.is_finished,
            is_failed=step.is_failed,
        )
        left_s = forecast.left_s(study.n_finished)
        left = f"{seconds(left_s)} left" if left_s else ""
        if step.is_finished:
            note(f"{text}: finished{', ' * bool(left)}{left}")
        elif step.is_failed:
            text += ", failed"
        else:
            text += f", epoch {step.epoch}/{step.n_epochs}"
        # Runs of other processes are counted once they are finished.
        done = study.n_finished + forecast.done
        self._progress(done, study.n_runs, f"{left}{', ' * bool(left)}{text}")


def _forecast(plan: "StudyPlan", part: tuple[int, int]) -> StudyForecast:
    """Return how long the unfinished runs of a part take, by the pixels they train on."""
    costs, names = {}, {one.name for one in plan.candidates}
    views = {one.name for one in plan.candidates if one.trained in names - {one.name}}
    for one in plan.candidates:
        train = one.settings.config.train
        n_patches = train.n_epochs * train.n_iterations * train.batch_size
        is_view = one.name in views  # only predicted and scored again
        costs[one.name] = n_patches * train.patch_size**2 * (0.05 if is_view else 1.0)
    runs = [(r.candidate.name, r.seed) for r in plan.part(*part) if not r.is_finished]
    return StudyForecast(runs, costs, views=views)


def _close(plan: "StudyPlan", report: "StudyReport") -> None:
    """Report how far the study is, and exit with the code for it."""
    for failure in report.failed:
        hint = f" ({failure.hint})" if failure.hint else ""
        note(f"failed: {failure.candidate}, seed {failure.seed}: {failure.reason}{hint}")
    note(
        f"{report.n_finished} of {counted(report.n_runs, 'run')} finished, "
        f"tables in {plan.out}, in {seconds(report.elapsed_s)}"
    )
    if report.is_stopped:
        note("stopped; run the same command again to continue")
        raise typer.Exit(STOPPED)
    if report.failed:
        raise typer.Exit(1)
