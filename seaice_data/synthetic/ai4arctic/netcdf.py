"""What the netCDF files of both versions of a synthetic scene have in common."""

from collections.abc import Mapping
from datetime import UTC, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.channels import CHANNELS
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.radiometer import RADIOMETER_VARIABLES
from seaice_data.system.netcdf_files import create
from seaice_data.zones import zone_description

if TYPE_CHECKING:
    import netCDF4

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


def write_range(file: "netCDF4.Dataset", scene: Observation) -> None:
    """Note the range of the raw backscatter, in dB."""
    names = ("nersc_sar_primary", "nersc_sar_secondary")
    for name, (low, high) in zip(names, scene.sar_range, strict=True):
        file[name].setncatts({"min": low, "max": high})


def write_cells(
    file: "netCDF4.Dataset", scene: Observation, dtype: type[np.floating[Any]]
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
    names, delays = zip(*passes(plan).items(), strict=True)
    return (names[0] if len(names) == 1 else str([*names])), [*delays]


def passes(plan: ScenePlan) -> dict[str, float]:
    """Return how many seconds after the scene each AMSR2 pass sees it, by its name."""
    rng = plan.rng(70)
    delays = rng.uniform(-7000, 7000, size=rng.integers(1, 3)).round().tolist()
    times = [plan.acquired.astimezone(UTC) + timedelta(seconds=delay) for delay in delays]
    return {
        f"GW1AM2_{time:%Y%m%d%H%M}_{number:03d}D": delay
        for number, (time, delay) in enumerate(zip(times, delays, strict=True))
    }
