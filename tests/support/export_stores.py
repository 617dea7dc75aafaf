"""A small store for exports: scenes of all splits, one of them without a chart."""

from pathlib import Path

import numpy as np
from support.coded_scenes import write_coded

from seaice_data.preparation.prepare import prepare
from seaice_data.store.division import split_store
from seaice_data.store.recipe import Recipe
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store

LARGE, SMALL = "20190101T000000_dmi", "20190301T000000_cis"
"""Training scenes of 50 x 60 and 26 x 27 pixels; the upper left quarter of the first has no
label, and the second no floe size."""

HELD_OUT, BARE = "20190501T000000_dmi", "20190701T000000_cis"
"""Validation scene, and a test scene without charts, of 50 x 60 pixels."""


def make_export_store(folder: Path, recipe: Recipe | None = None) -> Store:
    """Prepare these scenes at the full pixel spacing, and divide them."""
    rows = np.mgrid[:50, :60][0]
    sic = ((rows // 7) % 11).astype(np.uint8)
    sic[:25, :30] = 255
    fill = np.full((26, 27), 255, np.uint8)
    write_coded(folder / "raw", 50, 60, LARGE, SIC=sic)
    write_coded(folder / "raw", 26, 27, SMALL, FLOE=fill)
    write_coded(folder / "raw", 50, 60, HELD_OUT)
    write_coded(folder / "raw", 50, 60, BARE, SIC=None, SOD=None, FLOE=None)
    path = str(folder / "store.zarr")
    prepare(folder / "raw", path, recipe or Recipe(ratio=1, channels=("hh", "hv", "t2m")))
    settings = SplitSettings(test=(BARE,), validation=(HELD_OUT,))
    split_store(Store.open(path), settings)
    return Store.open(path)
