"""Scenes whose pixel values encode their position, so that errors of one pixel show."""

from pathlib import Path

import h5py
import numpy as np

from seaice_data.channels import CHANNELS, Group

SCENE_ID = "20190314T101830_cis"


def coded_arrays(height: int, width: int) -> dict[str, np.ndarray]:
    """Return the variables of a ready scene: HH encodes the row, HV the column of a pixel.

    AMSR2 fields encode the row of a cell, ERA5 fields its column. Numbers are divided by
    1024, so that they are small and exact in float32.
    """
    rows, columns = np.mgrid[:height, :width]
    cells_y, cells_x = np.mgrid[: height // 25, : width // 25]
    points_y, points_x = np.mgrid[:21, :21]
    arrays = {
        "SIC": ((rows // 7) % 11).astype(np.uint8),
        "SOD": ((columns // 7) % 6).astype(np.uint8),
        "FLOE": ((rows // 7 + columns // 7) % 7).astype(np.uint8),
        "sar_grid2d_latitude": 75 - 0.2 * points_y + 0.05 * points_x,
        "sar_grid2d_longitude": -60 + 0.75 * points_x + 0.1 * points_y,
        "nersc_sar_primary": (1 + rows) / np.float32(1024),
        "nersc_sar_secondary": (1 + columns) / np.float32(1024),
        "sar_incidenceangle": np.full((height, width), 0.5, np.float32),
        "distance_map": np.full((height, width), 1.0, np.float32),
    }
    for channel in CHANNELS:
        if channel.group == Group.AMSR2:
            arrays[str(channel.variable)] = (cells_y / 1024).astype(np.float32)
        elif channel.group == Group.ERA5:
            arrays[str(channel.variable)] = (cells_x / 1024).astype(np.float32)
    return arrays


def write_coded(
    folder: Path,
    height: int = 503,
    width: int = 528,
    scene_id: str = SCENE_ID,
    **changed: np.ndarray | None,
) -> Path:
    """Write a coded scene; `changed` replaces variables, and None leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{scene_id}_prep.nc"
    with h5py.File(path, "w") as file:
        file.attrs["scene_id"] = path.name
        for name, values in {**coded_arrays(height, width), **changed}.items():
            if values is not None:
                file[name] = values
    return path
