"""How long trainings take on this machine: one, once its pace is known, and many."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING

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
        n = torch.get_num_threads()
        cores = f"{n} CPU core{'s' if n > 1 else ''}"
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
    is finished, the epochs of one at work are extrapolated; for the others the time is in
    proportion to `costs`.

    Parameters
    ----------
    runs
        The unfinished runs.
    costs
        How much work a run of each candidate is, in any unit.
    clock
        Returns the time in seconds.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        costs: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting, self._costs, self._clock = {*runs}, costs, clock
        self._begin = clock()
        self._free: list[float] = []
        self._starts: dict[Run, float] = {}
        self._shares: dict[Run, float] = {}
        self._taken: dict[str, list[float]] = defaultdict(list)
        self._n_parallel = 1

    @property
    def done(self) -> float:
        """How much of the runs at work is done, in runs."""
        return sum(self._shares.values())

    def step(self, run: Run, share: float, *, is_finished: bool) -> None:
        """Note that a share of a run is trained, or that it is finished."""
        now = self._clock()
        if run not in self._starts:
            self._waiting.discard(run)
            # The process that was free first has taken it.
            self._starts[run] = self._free.pop(0) if self._free else self._begin
        self._shares[run] = share
        self._n_parallel = max(self._n_parallel, len(self._starts))
        if is_finished:
            self._taken[run[0]].append(now - self._starts.pop(run))
            del self._shares[run]
            self._free.append(now)

    def left_s(self, n_finished: int) -> float | None:
        """Return the seconds that the rest takes; None before anything is known.

        Parameters
        ----------
        n_finished
            Runs of this study that are finished by now, also by other processes.
        """
        now = self._clock()
        known = {name: mean(taken) for name, taken in self._taken.items()}
        for run, share in self._shares.items():
            if run[0] not in self._taken and share > 0:
                whole = (now - self._starts[run]) / share
                known[run[0]] = max(known.get(run[0], 0.0), whole)
        if not known:
            return None
        per_cost = sum(known.values()) / sum(self._costs[name] for name in known)

        def expected(run: Run) -> float:
            return known.get(run[0], per_cost * self._costs[run[0]])

        n_ours = sum(map(len, self._taken.values()))
        n_others = max(n_finished - n_ours, 0)
        at_work = [max(expected(r) - (now - s), 0.0) for r, s in self._starts.items()]
        # Nobody says here which runs others have finished, only how many.
        still = max(1 - n_others / max(len(self._waiting), 1), 0.0)
        waiting = still * sum(map(expected, self._waiting))
        pace = self._n_parallel * (1 + n_others / n_ours if n_ours else 1)
        return max((sum(at_work) + waiting) / pace, max(at_work, default=0.0))
