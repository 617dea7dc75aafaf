"""`seaice bench growth` copies scenes, and measures each step on them."""

from pathlib import Path

import pytest

from seaice.bench.growth import measure


@pytest.mark.slow
def test_every_step_is_measured(
    raw_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(raw_folder, 1, numbers=(7,))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "prepare",
        "open a store",
        "info",
        "index",
        "xarray's open_datatree",
        "sampler and first batch",
        "20 batches",
        "train 1 batch, validation",
        "predict",
        "score",
    ]
    assert all(" 7 scenes, peak " in line for line in lines)
