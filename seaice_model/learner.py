"""A network that learns from batches: forward, loss, backward, one step downhill."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from seaice_model.batches import Batch
from seaice_model.config import RunConfig
from seaice_model.device import arithmetic
from seaice_model.losses import count_valid, total_loss
from seaice_model.processes import Processes
from seaice_model.unet import MultiTaskUNet, on_device

_Forward = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


class Learner:
    """The network and its optimiser, on the device of a process.

    Parameters
    ----------
    config
        Network and training.
    processes
        Who trains together; all must be given the same batches but for their share.
    """

    def __init__(self, config: RunConfig, processes: Processes) -> None:
        self.config = config.train
        self.processes = processes
        network = MultiTaskUNet(config.model, seed=self.config.seed)
        self.network = on_device(network, processes.device)
        self._together = processes.together(self.network)
        self._forward = self._compiled(self._losses)
        self._optimiser = torch.optim.SGD(
            self.network.parameters(),
            lr=self.config.learning_rate,
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
        weights = 1 / batch.probability if self.config.divide_by_probability else None
        n_valid = self.processes.mean(count_valid(batch.charts, weights).float())
        losses = self._forward(batch.inputs, batch.charts, n_valid, weights)
        self._optimiser.zero_grad(set_to_none=True)
        losses[0].backward()  # type: ignore[no-untyped-call]
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate
        self._optimiser.step()
        # What a CUDA graph gives out is overwritten by the next batch.
        return losses.detach().clone()

    def momentum(self) -> dict[str, Tensor]:
        """Return the momentum by the name of its weights; none before the first batch."""
        return {
            name: self._optimiser.state[weights]["momentum_buffer"]
            for name, weights in self.network.named_parameters()
            if weights in self._optimiser.state
        }

    def restore(
        self, weights: Mapping[str, Tensor], momentum: Mapping[str, Tensor]
    ) -> None:
        """Take over weights and momentum of a checkpoint."""
        self.network.load_state_dict(dict(weights))
        for name, own in self.network.named_parameters():
            if name in momentum:
                buffer = torch.empty_like(own.detach())  # same memory format
                buffer.copy_(momentum[name])
                self._optimiser.state[own]["momentum_buffer"] = buffer

    def broken_weights(self) -> str | None:
        """Return the name of weights that are not finite, if there are some."""
        for name, weights in self.network.state_dict().items():
            if not bool(torch.isfinite(weights).all()):
                return name
        return None

    def _losses(
        self, inputs: Tensor, charts: Tensor, n_valid: Tensor, weights: Tensor | None
    ) -> Tensor:
        with arithmetic(self.processes.device, self.config.precision):
            prediction = self._together(inputs)
        return torch.stack(total_loss(prediction, charts, self.config, n_valid, weights))

    def _compiled(self, forward: _Forward) -> _Forward:
        """Fuse operations, where that pays; see `TrainConfig.compile`."""
        is_on_gpu = self.processes.device.type == "cuda"
        if self.config.compile == "never" or (
            self.config.compile == "auto" and not is_on_gpu
        ):
            return forward
        # With CUDA graphs a step is launched at once: 262 launches take longer than what
        # they do. They cannot hold the exchange of gradients between processes.
        has_graphs = is_on_gpu and self.processes.count == 1
        mode = "reduce-overhead" if has_graphs else None
        return torch.compile(forward, mode=mode, dynamic=False)
