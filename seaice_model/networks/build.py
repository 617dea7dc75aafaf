"""Networks by name."""

from seaice_model.config.run_config import ModelConfig
from seaice_model.networks.unet import MultiTaskUNet

Network = MultiTaskUNet
"""What training and prediction need of a network."""


def build_network(config: ModelConfig, *, seed: int | None) -> Network:
    """Build the network of a configuration.

    Parameters
    ----------
    config
        Its architecture.
    seed
        Decides the initial weights; the global random state is neither read nor changed.
        With None, weights are not allocated (PyTorch's device "meta").
    """
    return MultiTaskUNet(config, seed=seed)
