"""Return random patches of a store in the form of torchgeo: dicts of image and mask."""

import sys
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from seaice import PatchNumbers, PatchSampler, Store


class SeaIce(Dataset):
    """Samples of ``image`` (channel, y, x) and ``mask`` (chart, y, x); 255 is fill.

    They are endless and have no length: `PatchNumbers` chooses those of an epoch.
    """

    def __init__(self, path: str, size: int = 32) -> None:
        self.patches = PatchSampler(Store.open(path), channels=["hh", "hv"], size=size)

    def __getitem__(self, number: int) -> dict[str, Any]:
        patch = self.patches[number]
        image = torch.from_numpy(patch["inputs"]).permute(2, 0, 1).float().nan_to_num(0.0)
        return {"image": image, "mask": torch.from_numpy(patch["charts"]).permute(2, 0, 1)}


if __name__ == "__main__":
    loader = DataLoader(SeaIce(sys.argv[1]), sampler=PatchNumbers(8), batch_size=4)
    for epoch in range(2):
        for sample in loader:  # other patches in each epoch
            shapes = {name: tuple(tensor.shape) for name, tensor in sample.items()}
            print(epoch, shapes, float(sample["image"].mean()))
