import torch

from seaice.bench.plain_unet import PlainUNet
from seaice_model.config.run_config import ModelConfig
from seaice_model.networks.unet import MultiTaskUNet


def test_the_plain_network_computes_what_ours_does() -> None:
    config = ModelConfig(channels=("hh", "hv", "t2m"), filters=(4, 4, 8, 8))
    ours = MultiTaskUNet(config, seed=3)
    plain = PlainUNet(config)
    plain.take_weights(ours)
    inputs = torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    for theirs, own in zip(plain(inputs), ours(inputs), strict=True):
        torch.testing.assert_close(theirs, own, rtol=1e-4, atol=1e-4)
