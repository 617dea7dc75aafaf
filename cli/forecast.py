"""How long a training takes on this machine, printed once its pace is known."""

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
