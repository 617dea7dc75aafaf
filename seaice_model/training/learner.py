"""A network that learns from batches: forward, loss, backward, optimiser."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from seaice_data.charts import CHARTS, SIC
from seaice_model.config.run_config import RunConfig
from seaice_model.networks.build import Network, build_network
from seaice_model.networks.device import (
    Batch,
    Regions,
    arithmetic,
    as_classes,
    as_planes,
    is_compiled,
)
from seaice_model.networks.registry import NamedNetwork, own_random_state, try_network
from seaice_model.networks.unet import MultiTaskUNet, on_device
from seaice_model.training.cuda_graph import CudaGraphStep
from seaice_model.training.learned_weights import LearnedWeights
from seaice_model.training.losses import count_valid, total_loss
from seaice_model.training.processes import Processes
from seaice_model.training.region_loss import region_loss
from seaice_model.training.weight_average import WeightAverage

_SIC = CHARTS.index(SIC)

_Forward = Callable[[Tensor, Tensor, Tensor | None, Tensor | None, Regions | None], Tensor]
_NOTHING: Mapping[str, Tensor] = MappingProxyType({})


class Learner:
    """The network and its optimiser, on the device of a process.

    Parameters
    ----------
    config
        Network and training.
    processes
        The processes that train together; each must be given its share of the same batches.
    mean_valid
        Mean number of valid pixels of each chart in a patch sampled over scenes. If given,
        losses are divided by it and by the probabilities of the patches; see
        `TrainConfig.divide_by_probability`.

    Notes
    -----
    If the network is compiled, `torch.compiler.reset` is called first: functions that the
    caller has compiled are compiled again when they are next called.
    """

    def __init__(
        self,
        config: RunConfig,
        processes: Processes,
        mean_valid: Sequence[float] | None = None,
    ) -> None:
        self.config = config.train
        self.processes = processes
        device = processes.device
        self._mean_valid = (
            None if mean_valid is None else torch.tensor(mean_valid, device=device).float()
        )
        network = self._built(config)
        self.network: Network = network
        if isinstance(network, NamedNetwork):
            with arithmetic(device, self.config.precision):
                try_network(network)
        self._average: WeightAverage | None = None
        if (decay := self.config.weight_average) > 0:
            self._average = WeightAverage(self.network, self._built(config), decay)
        first = self.config.loss_weights
        self._learned = (
            LearnedWeights(first, device) if self.config.learned_weights else None
        )
        self._fill = config.model.fill
        is_ours = isinstance(network, MultiTaskUNet)
        self._synchronised = processes.synchronised(self.network, uses_all=is_ours)
        # What others wrote may not compile: only if asked for.
        compiled = is_compiled(self.config.compile, device) and (
            is_ours or self.config.compile == "always"
        )
        self._forward: _Forward = self._compiled() if compiled else self._losses
        # A graph cannot contain communication between processes.
        self._is_recorded = compiled and device.type == "cuda" and processes.count == 1
        self._recorded: CudaGraphStep | None = None
        self._optimiser = self._new_optimiser()

    @property
    def result(self) -> Network:
        """The network that validation and maps use: the average, if there is one."""
        return self.network if self._average is None else self._average.network

    def learn(self, batch: Batch, learning_rate: float, iteration: int = 0) -> Tensor:
        """Train on a batch, or on this process's share of it.

        Parameters
        ----------
        batch
            Patches on the device.
        learning_rate
            Learning rate of this step.
        iteration
            Number of the batch: random numbers of the network, such as those of dropout,
            follow from it and the seed.

        Returns
        -------
        Tensor
            Losses before the step, still on the device: total, SIC, SOD, FLOE. Their mean
            over all processes is the loss of the batch. The loss of regions is part of the
            total only.

        Raises
        ------
        ValueError
            If the loss of regions is used, and the batch has no regions.
        """
        if isinstance(self.network, MultiTaskUNet):  # it samples none
            return self._learn(batch, learning_rate)
        number = (iteration, self.processes.rank)
        with own_random_state(self.config.seed, self.processes.device, number):
            return self._learn(batch, learning_rate)

    def momentum(self) -> dict[str, Tensor]:
        """Return the momentum by the name of its weights; empty before the first batch."""
        return {
            name: self._optimiser.state[weights]["momentum_buffer"]
            for name, weights in self.network.named_parameters()
            if weights in self._optimiser.state
        }

    def average(self) -> dict[str, Tensor]:
        """Return the state dict of the average of the weights; empty without one."""
        return {} if self._average is None else self._average.network.state_dict()

    def loss_weights(self) -> dict[str, Tensor]:
        """Return the state of the learned weights of the losses; empty without them."""
        return {} if self._learned is None else self._learned.state(self._optimiser)

    def learned_weights(self) -> tuple[float, ...] | None:
        """Return the weight of the loss of each chart, if they are learned."""
        return None if self._learned is None else tuple(self._learned.weights().tolist())

    def average_buffers(self) -> None:
        """Replace running means by their means over all processes."""
        self.processes.average_buffers(self.network)
        if self._average is not None:
            self.processes.average_buffers(self._average.network)

    def restore(
        self,
        weights: Mapping[str, Tensor],
        momentum: Mapping[str, Tensor],
        *,
        average: Mapping[str, Tensor] = _NOTHING,
        loss_weights: Mapping[str, Tensor] = _NOTHING,
        n_batches: int = 0,
    ) -> None:
        """Return to a checkpoint, written after `n_batches` batches.

        `average` and `loss_weights` are needed if the settings have them.
        """
        self._recorded = None  # it works on the memory of the old momentum
        self.network.load_state_dict(dict(weights))
        for name, own in self.network.named_parameters():
            if name in momentum:
                buffer = torch.empty_like(own.detach())  # same memory format
                buffer.copy_(momentum[name])
                self._optimiser.state[own]["momentum_buffer"] = buffer
        if self._average is not None:
            self._average.restore(average, n_batches)
        if self._learned is not None:
            self._learned.restore(loss_weights, self._optimiser)

    def nonfinite_weights(self) -> str | None:
        """Return the name of the first weights that are not finite; None if all are."""
        for name, weights in (self.network.state_dict() | self.loss_weights()).items():
            if not bool(torch.isfinite(weights).all()):
                return name
        return None

    def _built(self, config: RunConfig) -> Network:
        size, seed = config.train.patch_size, config.train.seed
        network = build_network(config.model, seed=seed, patch_size=size)
        return on_device(network, self.processes.device)

    def _compiled(self) -> _Forward:
        gc.collect()  # earlier learners, with the memory of their graphs
        # A process compiles one function only a few times: restart the count.
        torch.compiler.reset()
        compiled: _Forward = torch.compile(self._losses, dynamic=False)
        if self.processes.count == 1:
            return compiled
        # Gradients are too small to be worth sending in parts, and splitting the network
        # for that fails on our own operations in some releases.
        undivided: _Forward = torch._dynamo.config.patch(optimize_ddp=False)(compiled)
        return undivided

    def _new_optimiser(self) -> torch.optim.SGD:
        rate = self.config.learning_rate
        trained: list[dict[str, Any]] = [{"params": [*self.network.parameters()]}]
        if self._learned is not None:
            trained.append({"params": [self._learned.log_variances], "weight_decay": 0.0})
        return torch.optim.SGD(
            trained,
            # A graph reads it from the memory of the device.
            lr=torch.tensor(rate, device=self.processes.device)
            if self._is_recorded
            else rate,
            momentum=self.config.momentum,
            weight_decay=self.config.weight_decay,
            fused=True,
        )

    def _learn(self, batch: Batch, learning_rate: float) -> Tensor:
        patches = [batch.inputs, batch.charts, batch.probability]
        if self.config.region_loss > 0:
            if batch.regions is None:
                raise ValueError("the loss of regions needs batches with regions")
            patches += batch.regions
        for group in self._optimiser.param_groups:
            if self._is_recorded:
                group["lr"].fill_(learning_rate)
            else:
                group["lr"] = learning_rate
        if not self._is_recorded:
            return self._step(*patches)
        if self._recorded is None:
            self._recorded = CudaGraphStep(self._step, patches, self._changed)
        return self._recorded(*patches).clone()

    def _step(
        self, inputs: Tensor, charts: Tensor, probability: Tensor, *regions: Tensor
    ) -> Tensor:
        weights = n_valid = None
        if self._mean_valid is not None:
            weights, n_valid = 1 / probability, self._mean_valid * len(charts)
        elif self.processes.count > 1 or self._learned is not None:
            counted = count_valid(as_classes(charts))
            n_valid = self.processes.mean(counted.float())
        polygons = Regions(*regions) if regions else None
        losses = self._forward(inputs, charts, weights, n_valid, polygons)
        self._optimiser.zero_grad(set_to_none=True)
        losses[0].backward()
        if self._learned is not None:  # it is not part of the synchronised network
            self._learned.share_gradient(self.processes)
        self._optimiser.step()
        if self._average is not None:
            self._average.update()
        return losses.detach()

    def _losses(
        self,
        inputs: Tensor,
        charts: Tensor,
        weights: Tensor | None,
        n_valid: Tensor | None,
        regions: Regions | None,
    ) -> Tensor:
        with arithmetic(self.processes.device, self.config.precision):
            prediction = self._synchronised(as_planes(inputs, self._fill))
        classes = as_classes(charts)
        total, *losses = total_loss(
            prediction, classes, self.config, n_valid, weights, self._learned
        )
        if regions is not None:
            n_charted = None if n_valid is None else n_valid[_SIC]
            total = total + self.config.region_loss * region_loss(
                prediction, classes, regions, self.config, n_charted, weights, self._learned
            )
        return torch.stack([total, *losses])

    def _changed(self) -> Iterator[Tensor]:
        """Yield every tensor that a step changes."""
        yield from self.network.parameters()
        yield from self.network.buffers()
        yield from self.momentum().values()
        if self._average is not None:
            yield from self._average.changed()
        yield from self.loss_weights().values()
