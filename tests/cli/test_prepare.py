"""`seaice prepare` says which scenes lack something."""

import json
from collections.abc import Callable
from pathlib import Path

from support.command_results import Result
from support.own_scenes import NO_CHART_ID, chart, write_own


def test_a_note_counts_the_scenes_that_lack_a_group(
    seaice: Callable[..., Result], tmp_path: Path
) -> None:
    write_own(tmp_path / "raw", has_cells=False)
    write_own(tmp_path / "raw", burnt=chart())
    where = (tmp_path / "raw", tmp_path / "store.zarr", "--ratio", 2)
    done = seaice("prepare", *where, "--json")
    lacking = [NO_CHART_ID]
    assert json.loads(done.out)["absent"] == {"amsr2": lacking, "era5": lacking}
    assert "note: of 2 scenes written, 1 have no amsr2, 1 have no era5\n" in done.err
    assert "have no" not in seaice("prepare", *where).err  # nothing was written
