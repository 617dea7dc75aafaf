"""The network of the official code: PyTorch's modules, channels first.

Only `seaice bench train` uses it, to compare it with our network.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seaice_data.charts import FLOE, SOD
from seaice_model.config.run_config import ModelConfig, TrainConfig
from seaice_model.networks.unet import Prediction
from seaice_model.training.losses import total_loss


def _double_conv(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(n_out, n_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


class PlainUNet(nn.Module):
    """A U-Net with one decoder and SIC by regression; its stride must divide patches."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        filters = config.filters
        n_inputs = (len(config.channels), *filters)
        self.contract = nn.ModuleList(
            _double_conv(n_in, n_out)
            for n_in, n_out in zip(n_inputs, (*filters, filters[-1]), strict=True)
        )
        skips = filters[::-1]
        self.expand = nn.ModuleList(
            _double_conv(n_below + n_skip, n_skip)
            for n_below, n_skip in zip((filters[-1], *skips[:-1]), skips, strict=True)
        )
        self.sic = nn.Linear(filters[0], 1)
        self.sod = nn.Conv2d(filters[0], SOD.n_classes, kernel_size=1)
        self.floe = nn.Conv2d(filters[0], FLOE.n_classes, kernel_size=1)
        self.pool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return SIC as a number, and logits of SOD and FLOE."""
        levels = [self.contract[0](inputs)]
        for block in self.contract[1:]:
            levels.append(block(self.pool(levels[-1])))
        plane = levels.pop()
        for block in self.expand:
            plane = block(torch.cat([self.upsample(plane), levels.pop()], dim=1))
        sic = self.sic(plane.permute(0, 2, 3, 1)).squeeze(-1)
        return sic, self.sod(plane), self.floe(plane)

    def take_weights(self, network: nn.Module) -> None:
        """Start from the weights of `network`, which has them in the same order."""
        ours = self.state_dict()
        theirs = network.state_dict().values()
        self.load_state_dict(
            {
                name: tensor.reshape(own.shape)
                for (name, own), tensor in zip(ours.items(), theirs, strict=True)
            }
        )


def plain_step(
    network: PlainUNet, config: TrainConfig
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function that trains on inputs and charts of a batch and returns the loss.

    On a GPU it uses float16 without scaling, as the official code does.
    """
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )

    def step(inputs: Tensor, charts: Tensor) -> Tensor:
        with torch.autocast(inputs.device.type, torch.float16, enabled=inputs.is_cuda):
            prediction = Prediction(*network(inputs))
        loss = total_loss(prediction, charts, config).total
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step
