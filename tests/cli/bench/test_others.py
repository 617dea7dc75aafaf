"""`seaice bench others` reads windows with each library that is installed."""

import pytest
from typer.testing import CliRunner

from seaice.main import app


@pytest.mark.slow
def test_libraries_read_the_same_windows(store_path: str) -> None:
    result = CliRunner().invoke(app, ["bench", "others", store_path, "--rounds", "1"])
    assert result.exit_code == 0, result.output
    assert "windows of 64 x 64 x 31 float16 and charts, 3 scenes" in result.output
    for words in (
        "seaice, memory used again:",
        "seaice, new memory for each batch:",
        "zarr-python:",
        "xarray, without dask:",
        "xarray, with dask:",
        "xbatcher, a grid:",
        "tensorstore, with a cache:",
        "DataLoader over zarr-python, 2 workers:",
        "DataLoader over seaice, 2 workers:",
    ):
        assert words in result.output
