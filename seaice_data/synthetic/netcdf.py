"""What both versions of a synthetic scene have in their netCDF files."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5netcdf
import numpy as np

from seaice_data.channels import CHANNELS
from seaice_data.errors import SceneError
from seaice_data.synthetic.observation import Observation, zone_description
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.radiometer import RADIOMETER_VARIABLES
from seaice_data.system.staging import staged

SAR_DIMS = ("sar_lines", "sar_samples")

CELL_DIMS = ("2km_grid_lines", "2km_grid_samples")

TIE_DIMS = ("sar_sample_2dgrid_points", "sar_line_2dgrid_points")

_WEATHER_ATTRIBUTES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "u10m_rotated": ("m/s", "10 metre wind along the SAR samples"),
        "v10m_rotated": ("m/s", "10 metre wind along the SAR lines"),
        "t2m": ("K", "2 metre air temperature"),
        "skt": ("K", "skin temperature"),
        "tcwv": ("kg/m2", "total column water vapour"),
        "tclw": ("kg/m2", "total column cloud liquid water"),
    }
)

STANDARD = {c.variable: (c.mean, c.std) for c in CHANNELS if c.variable}


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[h5netcdf.File]:
    """Open a file that gets its name when it is complete, and goes away otherwise."""
    with staged(path.parent) as place:
        part = place / path.name
        with _Disk(part, "x+") as disk:
            try:
                with h5netcdf.File(disk, "w") as file:
                    yield file
            finally:
                disk.raise_refused(path.parent)
        part.replace(path)


class _Disk(io.FileIO):
    """A new file that keeps to itself what it could not write, until it is asked.

    HDF5 writes again when it closes a file, and crashes when the disk is still full.
    """

    _refused: OSError | None = None

    def write(self, content: Any) -> int:
        """Write all of `content`, or nothing any more."""
        view = memoryview(content).cast("B")
        n_written = 0
        try:
            while self._refused is None and n_written < len(view):
                n_written += super().write(view[n_written:]) or 0
        except OSError as error:
            self._refused = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Give the file its size, unless the disk refused something."""
        if self._refused is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self._refused = error
        return size or 0

    def raise_refused(self, folder: Path) -> None:
        """Raise an error about what could not be written to a folder."""
        if self._refused is not None:
            reason = self._refused.strerror
            raise SceneError(
                f"cannot write {str(folder)!r}: {reason}",
                hint="fix this, then run the same command again to continue",
            ) from self._refused


def create(
    file: h5netcdf.File,
    name: str,
    dims: tuple[str, ...],
    dtype: Any,
    attributes: Mapping[str, Any],
) -> Any:
    """Create a contiguous variable; floats say that NaN is their fill."""
    options: dict[str, Any] = {}
    if np.dtype(dtype).kind == "f":
        # Every value is written, so the file need not be filled with NaN before.
        options = {"fillvalue": np.dtype(dtype).type(np.nan), "fill_time": "never"}
    variable = file.create_variable(name, dims, dtype, **options)
    variable.attrs.update(attributes)
    return variable


def cell_sizes(scene: Observation) -> dict[str, int]:
    """Return the dimensions of the 2 km grid."""
    return dict(zip(CELL_DIMS, scene.n_cells, strict=True))


def sar_attributes(scene: Observation) -> dict[str, dict[str, Any]]:
    """Return the attributes of the planes on the SAR grid."""
    upstream = {"upstream_id": scene.plan.upstream_id, "description": "Sigma0 in dB"}
    return {
        "nersc_sar_primary": {"polarisation": "HH"} | upstream,
        "nersc_sar_secondary": {"polarisation": "HV"} | upstream,
        "sar_incidenceangle": {},
        "distance_map": {
            "long_name": "distance to land in zones",
            "zonal_range_description": zone_description(),
        },
    }


def write_range(file: h5netcdf.File, scene: Observation) -> None:
    """Note the range of the raw backscatter, in dB."""
    names = ("nersc_sar_primary", "nersc_sar_secondary")
    for name, (low, high) in zip(names, scene.sar_range, strict=True):
        file[name].attrs.update({"min": low, "max": high})


def write_cells(
    file: h5netcdf.File, scene: Observation, dtype: type[np.floating[Any]]
) -> None:
    """Write the 2 km fields: kelvin in float64, or standardised in float32."""
    names, delays = swaths(scene.plan)
    for name, field in scene.cells().items():
        attributes: dict[str, Any]
        if name in RADIOMETER_VARIABLES:
            attributes = {
                "AMSR2_swaths": names,
                "AMSR2_S1_delays": delays[0] if len(delays) == 1 else np.array(delays),
                "min": field.min(),
                "max": field.max(),
                "description": "AMSR2 brightness temperature in K",
            }
        else:
            units, long_name = _WEATHER_ATTRIBUTES[name]
            attributes = {"units": units, "long_name": long_name}
        mean, std = STANDARD[name] if dtype is np.float32 else (0.0, 1.0)
        create(file, name, CELL_DIMS, dtype, attributes)[:] = (field - mean) / std


def swaths(plan: ScenePlan) -> tuple[str, list[float]]:
    """Return the names of one or two AMSR2 swaths, and their delays in seconds."""
    rng = plan.rng(70)
    delays = rng.uniform(-7000, 7000, size=rng.integers(1, 3)).round().tolist()
    names = [
        f"GW1AM2_{plan.acquired:%Y%m%d}_{number:03d}D" for number in range(len(delays))
    ]
    return (names[0] if len(names) == 1 else str(names)), delays
