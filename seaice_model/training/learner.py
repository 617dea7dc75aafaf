"""A network that learns from batches: forward, loss, backward, optimiser."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from seaice_model.config.run_config import RunConfig
from seaice_model.networks.build import build_network
from seaice_model.networks.device import (
    Batch,
    arithmetic,
    as_classes,
    as_planes,
    is_compiled,
)
from seaice_model.networks.unet import on_device
from seaice_model.training.cuda_graph import CudaGraphStep
from seaice_model.training.losses import count_valid, total_loss
from seaice_model.training.processes import Processes

_Forward = Callable[[Tensor, Tensor, Tensor | None, Tensor | None], Tensor]


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
        self.network = on_device(build_network(config.model, seed=self.config.seed), device)
        self._fill = config.model.fill
        self._synchronised = processes.synchronised(self.network)
        compiled = is_compiled(self.config.compile, device)
        self._forward: _Forward = self._losses
        if compiled:
            gc.collect()  # earlier learners, with the memory of their graphs
            # A process compiles one function only a few times: restart the count.
            torch.compiler.reset()
            self._forward = torch.compile(self._losses, dynamic=False)
            if processes.count > 1:
                # Gradients are too small to be worth sending in parts, and splitting the
                # network for that fails on our own operations in some releases.
                undivided = torch._dynamo.config.patch(optimize_ddp=False)
                self._forward = undivided(self._forward)
        # A graph cannot contain communication between processes.
        self._is_recorded = compiled and device.type == "cuda" and processes.count == 1
        self._recorded: CudaGraphStep | None = None
        rate = self.config.learning_rate
        self._optimiser = torch.optim.SGD(
            self.network.parameters(),
            # A graph reads it from the memory of the device.
            lr=torch.tensor(rate, device=device) if self._is_recorded else rate,
            momentum=self.config.momentum,
            weight_decay=self.config.weight_decay,
            fused=True,
        )

    def learn(self, batch: Batch, learning_rate: float) -> Tensor:
        """Train on a batch, or on this process's share of it.

        Returns
        -------
        Tensor
            Losses before the step, still on the device: total, SIC, SOD, FLOE. Their mean
            over all processes is the loss of the batch.
        """
        patches = (batch.inputs, batch.charts, batch.probability)
        (group,) = self._optimiser.param_groups
        if not self._is_recorded:
            group["lr"] = learning_rate
            return self._step(*patches)
        group["lr"].fill_(learning_rate)
        if self._recorded is None:
            self._recorded = CudaGraphStep(self._step, patches, self._changed)
        return self._recorded(*patches).clone()

    def momentum(self) -> dict[str, Tensor]:
        """Return the momentum by the name of its weights; empty before the first batch."""
        return {
            name: self._optimiser.state[weights]["momentum_buffer"]
            for name, weights in self.network.named_parameters()
            if weights in self._optimiser.state
        }

    def restore(
        self, weights: Mapping[str, Tensor], momentum: Mapping[str, Tensor]
    ) -> None:
        """Replace weights and momentum by those of a checkpoint."""
        self._recorded = None  # it works on the memory of the old momentum
        self.network.load_state_dict(dict(weights))
        for name, own in self.network.named_parameters():
            if name in momentum:
                buffer = torch.empty_like(own.detach())  # same memory format
                buffer.copy_(momentum[name])
                self._optimiser.state[own]["momentum_buffer"] = buffer

    def nonfinite_weights(self) -> str | None:
        """Return the name of the first weights that are not finite; None if all are."""
        for name, weights in self.network.state_dict().items():
            if not bool(torch.isfinite(weights).all()):
                return name
        return None

    def _step(self, inputs: Tensor, charts: Tensor, probability: Tensor) -> Tensor:
        weights = n_valid = None
        if self._mean_valid is not None:
            weights, n_valid = 1 / probability, self._mean_valid * len(charts)
        elif self.processes.count > 1:
            counted = count_valid(as_classes(charts))
            n_valid = self.processes.mean(counted.float())
        losses = self._forward(inputs, charts, weights, n_valid)
        self._optimiser.zero_grad(set_to_none=True)
        losses[0].backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return losses.detach()

    def _losses(
        self, inputs: Tensor, charts: Tensor, weights: Tensor | None, n_valid: Tensor | None
    ) -> Tensor:
        with arithmetic(self.processes.device, self.config.precision):
            prediction = self._synchronised(as_planes(inputs, self._fill))
        losses = total_loss(prediction, as_classes(charts), self.config, n_valid, weights)
        return torch.stack(losses)

    def _changed(self) -> Iterator[Tensor]:
        """Yield every tensor that a step changes."""
        yield from self.network.parameters()
        yield from self.network.buffers()
        yield from self.momentum().values()
