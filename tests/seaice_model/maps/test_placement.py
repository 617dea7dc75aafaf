"""Flags of own scenes on the grids of maps."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from support.own_scenes import NO_CHART_ID, SHAPE, backscatter, write_own

from seaice_data.flags import FLAG_BELOW_NOISE
from seaice_data.sources.inputs import FileSource
from seaice_data.store.recipe import Recipe
from seaice_model.maps.attributes import status_attributes
from seaice_model.maps.placement import place


@pytest.mark.parametrize("grid", ["original", "80m", "store"])
def test_a_map_says_where_backscatter_is_below_the_noise(
    tmp_path: Path, grid: Literal["original", "80m", "store"]
) -> None:
    hv = np.full(SHAPE, 0.01)
    hv[:3, :5], hv[:2, 5:10] = 0, 0  # 15 and 10 of the 25 pixels of the first blocks
    write_own(tmp_path, backscatter(hv=hv))
    source = FileSource(tmp_path, Recipe(ratio=5, channels=("hh", "hv")))
    placed = place(source.read(NO_CHART_ID, charts=False), grid)
    expected = np.argwhere(hv == 0).tolist() if grid != "store" else [[0, 0]]
    assert np.argwhere(placed.flags & FLAG_BELOW_NOISE).tolist() == expected
    assert set(np.unique(placed.flags)) == {0, FLAG_BELOW_NOISE}


def test_the_status_of_a_map_names_every_flag() -> None:
    about = status_attributes()
    named = dict(zip(about["flag_meanings"].split(), about["flag_masks"], strict=True))
    assert named == {"no_sar": 1, "land": 2, "beyond_last_block": 4, "below_noise": 8}
