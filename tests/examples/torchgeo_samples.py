"""Return random patches of a store in the form of torchgeo: dicts of image and mask."""

import sys
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from seaice import PatchSampler, Store


class SeaIce(Dataset):
    """Samples of ``image`` (channel, y, x) and ``mask`` (chart, y, x); 255 is fill."""

    def __init__(self, path: str, n_patches: int, size: int = 32) -> None:
        self.patches = PatchSampler(Store.open(path), channels=["hh", "hv"], size=size)
        self.n_patches = n_patches

    def __len__(self) -> int:
        return self.n_patches

    def __getitem__(self, number: int) -> dict[str, Any]:
        if number >= self.n_patches:
            raise IndexError(number)
        patch = self.patches[number]
        image = torch.from_numpy(patch["inputs"]).permute(2, 0, 1).float().nan_to_num(0.0)
        return {"image": image, "mask": torch.from_numpy(patch["charts"]).permute(2, 0, 1)}


if __name__ == "__main__":
    for sample in DataLoader(SeaIce(sys.argv[1], n_patches=8), batch_size=4):
        print({name: tuple(tensor.shape) for name, tensor in sample.items()})
