"""Networks by name."""

from seaice_model.config.network_names import UNET
from seaice_model.config.run_config import ModelConfig
from seaice_model.networks.registry import NamedNetwork, build_named
from seaice_model.networks.unet import MultiTaskUNet

Network = MultiTaskUNet | NamedNetwork
"""What training and prediction need of a network: a module with ``config``; ``tile``, the
side of the tiles that it predicts, None if it predicts planes of any size in one piece or
exactly in tiles; and ``forward(inputs, place=None)``, which returns a `Prediction`."""


def build_network(
    config: ModelConfig, *, seed: int | None, patch_size: int = 256
) -> Network:
    """Build the network of a configuration.

    Parameters
    ----------
    config
        Its architecture.
    seed
        Decides the initial weights; the global random state is neither read nor changed.
        None for callers that need only shapes, or have weights already: the U-Net is then
        not allocated (PyTorch's device "meta"). Others are, since their layers may compute
        with values.
    patch_size
        Pixels along one side of the patches that it is trained on; the U-Net takes any.

    Raises
    ------
    ConfigError
        If no network has this name.
    RunError
        If the network cannot be built.
    """
    if config.network == UNET:
        return MultiTaskUNet(config, seed=seed)
    return build_named(config, seed=seed, tile=patch_size)
