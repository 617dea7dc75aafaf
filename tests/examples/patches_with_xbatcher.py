"""Cut a scene into a grid of patches with xbatcher, for a PyTorch DataLoader."""

import sys

import torch
import xarray as xr
import xbatcher
from torch.utils.data import DataLoader, Dataset

store = sys.argv[1]
scene_id = xr.open_zarr(store, consolidated=False).attrs["splits"]["train"][0]
scene = xr.open_zarr(store, group=f"scenes/{scene_id}", consolidated=False)
inputs = scene.inputs.sel(channel=["hh", "hv"]).fillna(0)
size = {"y": 16, "x": 16}


class Patches(Dataset):
    """Inputs and charts of the same windows."""

    def __init__(self) -> None:
        self.inputs = xbatcher.BatchGenerator(inputs, {**size, "channel": 2})
        self.charts = xbatcher.BatchGenerator(scene.charts, {**size, "chart": 3})

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        return (
            torch.from_numpy(self.inputs[number].values).permute(2, 0, 1).float(),
            torch.from_numpy(self.charts[number].values).permute(2, 0, 1).long(),
        )


for x, y in DataLoader(Patches(), batch_size=4):
    print(tuple(x.shape), tuple(y.shape))
    break
