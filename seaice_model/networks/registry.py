"""Networks that others wrote: a function that builds a module, and what we add to it.

A package registers a function (`seaice_model.config.network_names` says how)::

    def small_cnn(n_channels: int, heads: Mapping[str, int]) -> nn.Module: ...

``n_channels`` counts the planes that it sees: channels, and masks if `ModelConfig.fill` is
"mask". ``heads`` has the number of outputs of each chart, by name: ``{"SIC": 1, "SOD": 6,
"FLOE": 7}`` for SIC as a number. The module maps planes ``(batch, n_channels, y, x)``,
float32 without NaN, to a tensor ``(batch, outputs, y, x)`` for each chart: a tuple or list
in the order of ``heads``, or a mapping by chart. It sees squares of one size only, that of
the patches that it is trained on; scenes are predicted in tiles of that size and blended.

All else is ours: fill, losses, training, tiles, maps. Weights are sampled, and dropout
drops, by the seed of the run; the global random state is not changed.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from seaice_data.charts import CHARTS
from seaice_data.errors import SeaIceError
from seaice_data.texts import printable, shortened
from seaice_model.config.network_names import SWIN, find_network, package_of
from seaice_model.config.run_config import ModelConfig
from seaice_model.errors import RunError
from seaice_model.networks.fill import Filling
from seaice_model.networks.unet import Prediction, as_prediction, n_outputs
from seaice_model.networks.upsampling import Place

_N_TRIED = 2  # batch norm needs more than one value in a channel


class NamedNetwork(nn.Module):
    """A module as a network: with its configuration, and outputs that are checked.

    Parameters
    ----------
    config
        What it was built from.
    module
        Maps planes to one tensor for each chart.
    tile
        Pixels along one side of the planes that it sees.
    """

    def __init__(self, config: ModelConfig, module: nn.Module, tile: int) -> None:
        super().__init__()
        self.config = config
        self.tile = tile
        self.filling = Filling(config)
        self.module = module
        self._heads = heads_of(config)
        self._described = _described(config.network)

    def forward(self, inputs: Tensor, place: Place | None = None) -> Prediction:  # noqa: ARG002
        """Predict the charts of a batch.

        Parameters
        ----------
        inputs
            Shape ``(batch, channel, y, x)``, standardised, fill set to 0, or NaN if the
            network replaces it (see `Filling`); height and width are those of a tile.
        place
            Not used: tiles are blended.

        Raises
        ------
        RunError
            If the module raises anything, or returns something else than it should; in
            evaluation mode also if it returns values that are not finite.
        """
        if torch.compiler.is_compiling():
            return self._predict(inputs)
        given = f"it was given planes of shape {tuple(inputs.shape)}"
        with network_errors(self._described, "fails", hint=f"{given}: see patch_size"):
            prediction = self._predict(inputs)
        if not self.training:  # in training, losses are checked
            _check_values(self._described, prediction)
        return prediction

    def _predict(self, inputs: Tensor) -> Prediction:
        # Modules of others may rely on the usual order in memory, for `view`.
        found = self.module(self.filling(inputs).contiguous())
        shape = (inputs.shape[0], *inputs.shape[-2:])
        planes = [
            self._checked(name, plane, (shape[0], n, *shape[1:]))
            for (name, n), plane in zip(
                self._heads.items(), self._planes(found), strict=True
            )
        ]
        return as_prediction(planes, self.config, is_training=self.training)

    def _planes(self, found: Any) -> Sequence[Any]:
        if isinstance(found, Mapping):
            if missing := [name for name in self._heads if name not in found]:
                raise self._error(f"returns no {missing[0]!r}", "by chart")
            return [found[name] for name in self._heads]
        if not isinstance(found, Sequence):
            raise self._error(f"returns a {type(found).__name__}", "in this order")
        if len(found) != len(self._heads):
            raise self._error(
                f"returns {len(found)} tensors instead of {len(self._heads)}",
                "in this order",
            )
        return found

    def _checked(self, name: str, plane: Any, shape: tuple[int, ...]) -> Tensor:
        if not isinstance(plane, Tensor) or not plane.is_floating_point():
            kind = plane.dtype if isinstance(plane, Tensor) else type(plane).__name__
            raise self._error(f"returns {kind} for {name}", "of floats")
        if tuple(plane.shape) != shape:
            raise self._error(
                f"returns shape {tuple(plane.shape)} for {name} instead of {shape}",
                "in this order",
            )
        return plane

    def _error(self, what: str, how: str) -> RunError:
        wanted = ", ".join(f"{name} ({n})" for name, n in self._heads.items())
        return RunError(
            f"{self._described} {what}",
            hint="it should return a tensor (batch, outputs, y, x) for each chart, "
            f"{how}: {wanted}",
        )


def build_named(config: ModelConfig, *, seed: int | None, tile: int) -> NamedNetwork:
    """Build a network that is not the U-Net; see `seaice_model.networks.build`.

    Raises
    ------
    ConfigError
        If no network has this name.
    RunError
        If the package that it is from cannot be imported, or builds no network.
    """
    described = _described(config.network)
    with (
        own_random_state(seed or 0),
        network_errors(described, "cannot be built"),
        redirect_stdout(sys.stderr),  # packages may greet; results of commands stay alone
    ):
        build: Any
        if config.network == SWIN:
            from seaice_model.networks.swin import build_swin as build  # late: an extra
        else:
            point = find_network(config.network)
            assert point is not None  # noqa: S101 - it is not one of ours
            build = point.load()
        options = {"filters": config.filters} if config.network == SWIN else {}
        module = build(Filling(config).n_planes, heads_of(config), **options)
    _check_module(described, module)
    return NamedNetwork(config, module, tile)


def heads_of(config: ModelConfig) -> dict[str, int]:
    """Return the number of outputs of each chart by its name.

    Examples
    --------
    >>> heads_of(ModelConfig())
    {'SIC': 1, 'SOD': 6, 'FLOE': 7}
    """
    return dict(zip((chart.name for chart in CHARTS), n_outputs(config), strict=True))


def try_network(network: NamedNetwork) -> None:
    """Predict and differentiate patches of zeros; weights and running means stay.

    Raises
    ------
    RunError
        If the module fails, it starts with or returns values that are not finite, or a
        chart does not depend on any weight.
    """
    before = {name: value.clone() for name, value in network.state_dict().items()}
    was_training = network.training
    device = next(network.parameters()).device
    shape = (_N_TRIED, len(network.config.channels), network.tile, network.tile)
    described = _described(network.config.network)
    for name, value in before.items():
        if not bool(torch.isfinite(value).all()):
            raise RunError(
                f"{described} starts with a state {name!r} that is not finite",
                hint="a constant, such as a mask, is no state if it is registered with "
                "persistent=False",
            )
    with own_random_state(0, device):
        for is_training in (False, True):
            network.train(is_training)
            prediction = network(torch.zeros(shape, device=device))
            _check_values(described, prediction)
        for chart, plane in zip(CHARTS, prediction, strict=True):
            if not plane.requires_grad:
                raise RunError(f"{described} has no weights that change {chart.name}")
        with network_errors(described, "has no gradient"):
            torch.autograd.backward([plane.float().sum() for plane in prediction])
    network.zero_grad(set_to_none=True)
    network.train(was_training)
    network.load_state_dict(before)


@contextmanager
def own_random_state(
    seed: int, device: torch.device | None = None, number: tuple[int, ...] = ()
) -> Iterator[None]:
    """Let random numbers of PyTorch follow from a seed; the global state stays as it is.

    Parameters
    ----------
    seed
        The seed of a run.
    device
        GPU whose random numbers are meant too, if any.
    number
        What the numbers are for: other numbers, other random numbers.
    """
    is_gpu = device is not None and device.type == "cuda"
    with torch.random.fork_rng([device] if is_gpu else []):
        if number:
            digest = hashlib.sha256(repr((seed, number)).encode()).digest()
            seed = int.from_bytes(digest[:8], "little") % 2**63
        torch.manual_seed(seed)
        yield


@contextmanager
def network_errors(
    described: str, doing: str, *, hint: str | None = None
) -> Iterator[None]:
    """Translate whatever code of others raises into a `RunError`; memory excepted.

    It may raise SystemExit, too, which would end a command without a word.

    Examples
    --------
    >>> with network_errors("network 'mine'", "fails"):
    ...     [1, 2][3]
    Traceback (most recent call last):
    seaice_model.errors.RunError: network 'mine' fails: IndexError: list index out of range
    """
    try:
        yield
    except (SeaIceError, MemoryError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:  # code of others may raise anything
        if "allocate memory" in str(error):
            raise
        words = shortened(printable(" ".join(str(error).split())))
        reason = f"{type(error).__name__}{': ' * bool(words)}{words}"
        raise RunError(f"{described} {doing}: {reason}", hint=hint) from error


def _described(name: str) -> str:
    """Return a network in words, with the package that it is from."""
    return f"network {name!r} ({package_of(name)})"


def _check_values(described: str, prediction: Prediction) -> None:
    """Refuse outputs that have no class."""
    for chart, plane in zip(CHARTS, prediction, strict=True):
        if not bool(torch.isfinite(plane).all()):
            raise RunError(
                f"{described} returns values for {chart.name} that are not finite",
                hint="where no pixel is valid, it is given zeros",
            )


def _check_module(described: str, module: Any) -> None:
    """Refuse what cannot be trained, saved or moved to a device."""
    if not isinstance(module, nn.Module):
        raise RunError(
            f"{described} is a {type(module).__name__}, not a torch.nn.Module",
            hint="the function that is registered should return a module",
        )
    if any(map(is_lazy, (*module.parameters(), *module.buffers()))):
        raise RunError(
            f"{described} has layers whose size is not known before they are used",
            hint="give the layers their sizes: n_channels is an argument",
        )
    if not any(weights.requires_grad for weights in module.parameters()):
        raise RunError(f"{described} has no weights to train")
    for name, value in module.state_dict().items():
        if not isinstance(value, Tensor):
            raise RunError(
                f"{described} has a state {name!r} that is not a tensor: "
                f"{type(value).__name__}"
            )
        if value.is_meta or value.layout != torch.strided:
            kind = "without values" if value.is_meta else f"of layout {value.layout}"
            raise RunError(
                f"{described} has a state {name!r} {kind}, which cannot be saved",
                hint="the function that is registered should return a module of ordinary "
                "tensors on the CPU",
            )
