"""Train a random forest on single pixels of a store: no network, no code of seaice."""

import sys

import numpy as np
import xarray as xr
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

store = sys.argv[1]
splits = xr.open_zarr(store, consolidated=False).attrs["splits"]


def pixels(scene_ids: list[str], n_pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Sample labelled pixels of scenes: all channels, and the class of SOD."""
    rng = np.random.default_rng(0)
    inputs, classes = [], []
    for scene_id in scene_ids:
        scene = xr.open_zarr(store, group=f"scenes/{scene_id}", consolidated=False)
        sod = scene.charts.sel(chart="SOD").values
        y, x = np.nonzero(sod != 255)
        chosen = rng.choice(y.size, min(n_pixels, y.size), replace=False)
        inputs.append(scene.inputs.values[y[chosen], x[chosen]])
        classes.append(sod[y[chosen], x[chosen]])
    return np.nan_to_num(np.concatenate(inputs)), np.concatenate(classes)


forest = RandomForestClassifier(50, random_state=0).fit(*pixels(splits["train"], 500))
inputs, classes = pixels(splits["test"], 2000)
score = f1_score(classes, forest.predict(inputs), average="weighted")
print(f"weighted F1 of SOD on test pixels: {100 * score:.1f} %")
