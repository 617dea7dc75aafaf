"""How long trainings take on this machine: one, once its pace is known, and many."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING

from seaice_data.texts import counted

from .console import note, seconds

if TYPE_CHECKING:
    from seaice_model.training.progress import TrainProgress

_SHORT_S = 60.0
_LONG_S = 3600.0


class Forecast:
    """Prints how long the batches of a training take, and what to do if that is long.

    Parameters
    ----------
    device
        Where it trains: "auto", "cpu", "cuda" and so on.
    n_seeds
        How many such trainings there are, if there are several.
    is_advised
        Whether to suggest the small network for CPUs when training on one.
    """

    def __init__(self, device: str, *, n_seeds: int = 0, is_advised: bool = False) -> None:
        import torch  # late: only a training needs it

        from seaice_model.networks.device import find_device

        found = find_device(device)
        is_cpu = found.type == "cpu"
        cores = counted(torch.get_num_threads(), "CPU core")
        self.machine = cores if is_cpu else torch.cuda.get_device_name(found)
        """What it trains on, in words."""
        self._n_seeds = n_seeds
        self._is_advised = is_advised and is_cpu
        self._is_said = False

    def __call__(self, step: "TrainProgress", left_s: float) -> None:
        """Print it, unless it is less than a minute or has been printed before."""
        if self._is_said or left_s < _SHORT_S:
            return
        self._is_said = True
        pace_s = left_s / (step.n_total - step.n_done)
        all_s = left_s * self._n_seeds
        seeds = f", {seconds(all_s)} for all seeds" if self._n_seeds else ""
        note(
            f"the batches take about {seconds(left_s)}{seeds}: {pace_s:.3g} s each on "
            f"{self.machine}; validation is not included"
        )
        if self._is_advised and left_s > _LONG_S:
            from seaice_model.config.presets import find_preset

            tiny = find_preset("tiny").config.train
            note(
                "hint: train on a GPU; or stop with Ctrl-C and use --preset tiny --run "
                "tiny, a small network for CPUs: "
                f"{tiny.n_epochs * tiny.n_iterations} batches of {tiny.batch_size} patches "
                f"of {tiny.patch_size} x {tiny.patch_size} pixels"
            )


Run = tuple[str, int]
"""Candidate and seed of a run."""


class StudyForecast:
    """How long the rest of a study takes.

    A run takes as long as those of its candidate have taken, from the moment when its
    process was free: starting, compiling and scoring count. For a candidate of which none
    is finished, the epochs of one at work are extrapolated, or those of one that was
    resumed; for the others the time is in proportion to `costs`. Epochs that were done in
    an earlier call took no time in this one, and runs that fail say nothing.

    Parameters
    ----------
    runs
        The unfinished runs.
    costs
        How much work a run of each candidate is, in any unit.
    views
        Candidates whose runs are those of others, and are only predicted and scored.
    clock
        Returns the time in seconds.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        costs: Mapping[str, float],
        *,
        views: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting, self._costs, self._clock = {*runs}, costs, clock
        self._views = views
        self._begin = clock()
        self._free: list[float] = []
        self._at_work: dict[Run, _AtWork] = {}
        self._taken: dict[str, list[float]] = defaultdict(list)
        self._extrapolated: dict[str, list[float]] = defaultdict(list)
        self._n_finished = 0
        self._n_parallel = 1

    @property
    def done(self) -> float:
        """How much of the runs at work is done, in runs."""
        return sum(run.share for run in self._at_work.values())

    def step(
        self,
        run: Run,
        epoch: int,
        n_epochs: int,
        *,
        is_finished: bool = False,
        is_failed: bool = False,
    ) -> None:
        """Note that an epoch of a run is done, or that it has come to an end."""
        now = self._clock()
        has_ended = is_finished or is_failed
        if run not in self._at_work:
            self._waiting.discard(run)
            # The process that was free first has taken it.
            start = self._free.pop(0) if self._free else self._begin
            n_before = epoch if has_ended and run[0] not in self._views else epoch - 1
            before = n_before / n_epochs if n_before > 0 else 0.0
            self._at_work[run] = _AtWork(start, before, before)
            self._n_parallel = max(self._n_parallel, len(self._at_work))
        at_work = self._at_work[run]
        if not has_ended:
            at_work.share = epoch / n_epochs
            return
        del self._at_work[run]
        self._free.append(now)
        if is_finished:
            self._n_finished += 1
            taken = now - at_work.start
            if run[0] in self._views or at_work.before == 0:
                self._taken[run[0]].append(taken)
            elif at_work.before < 1:
                self._extrapolated[run[0]].append(taken / (1 - at_work.before))

    def left_s(self, n_finished: int) -> float | None:
        """Return the seconds that the rest takes; None before anything is known.

        Parameters
        ----------
        n_finished
            Runs of this study that are finished by now, also by other processes.
        """
        now = self._clock()
        known = self._known(now)
        if not known:
            return None
        per_cost = sum(known.values()) / sum(self._costs[name] for name in known)

        def expected(run: Run) -> float:
            return known.get(run[0], per_cost * self._costs[run[0]])

        n_ours = self._n_finished
        n_others = max(n_finished - n_ours, 0)
        at_work = [
            max(expected(name) * (1 - run.before) - (now - run.start), 0.0)
            for name, run in self._at_work.items()
        ]
        # Nobody says here which runs others have finished, only how many.
        still = max(1 - n_others / max(len(self._waiting), 1), 0.0)
        waiting = still * sum(map(expected, self._waiting))
        pace = self._n_parallel * (1 + n_others / n_ours if n_ours else 1)
        return max((sum(at_work) + waiting) / pace, max(at_work, default=0.0))

    def _known(self, now: float) -> dict[str, float]:
        """Return the seconds that a whole run takes, of candidates that are known."""
        known: dict[str, float] = {}
        for (name, _seed), run in self._at_work.items():
            if run.share > run.before:
                whole = (now - run.start) / (run.share - run.before)
                known[name] = max(known.get(name, 0.0), whole)
        known |= {name: mean(whole) for name, whole in self._extrapolated.items()}
        return known | {name: mean(taken) for name, taken in self._taken.items()}


@dataclass(slots=True)
class _AtWork:
    """A run that a process works on."""

    start: float
    """When its process was free."""

    before: float
    """Share of it that was done before."""

    share: float
    """Share of it that is done by now."""
