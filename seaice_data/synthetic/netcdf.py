"""What the netCDF files of both versions of a synthetic scene have in common."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.channels import CHANNELS
from seaice_data.errors import SceneError
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.radiometer import RADIOMETER_VARIABLES
from seaice_data.system.files import staged
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


@contextmanager
def whole_file(path: Path) -> Iterator["netCDF4.Dataset"]:
    """Open a file that gets its name when it is complete, and is removed otherwise.

    Other threads cannot use the netCDF library meanwhile.

    Raises
    ------
    SceneError
        If it cannot be written to the disk.
    """
    # Late: takes 0.1 s.
    from seaice_data.system.netcdf_library import disk_errors, one_at_a_time, open_dataset

    with staged(path.parent) as place:
        part = place / path.name
        with (
            one_at_a_time,
            _naming(path.parent),
            disk_errors(part),
            open_dataset(part, "w") as file,
        ):
            # Every value is written, so files need not be filled with NaN first.
            file.set_fill_off()
            yield file
        part.replace(path)


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Turn errors of writing a file into a `SceneError` that names its folder."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not str(error).startswith("NetCDF:"):
            raise
        raise SceneError(
            f"cannot write {str(folder)!r}: {getattr(error, 'strerror', None) or error}",
            hint="fix this, then run the same command again to continue",
        ) from error


def define_dimensions(file: "netCDF4.Dataset", sizes: Mapping[str, int]) -> None:
    """Define the dimensions of a file."""
    for name, size in sizes.items():
        file.createDimension(name, size)


def create(
    file: "netCDF4.Dataset",
    name: str,
    dims: tuple[str, ...],
    dtype: Any,
    attributes: Mapping[str, Any],
) -> Any:
    """Create a contiguous variable; the fill of floats is NaN."""
    from seaice_data.system.netcdf_library import set_attributes  # late: see above

    fill = np.nan if dtype in (np.float32, np.float64) else None
    variable = file.createVariable(name, dtype, dims, contiguous=True, fill_value=fill)
    set_attributes(variable, attributes)
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
    rng = plan.rng(70)
    delays = rng.uniform(-7000, 7000, size=rng.integers(1, 3)).round().tolist()
    names = [
        f"GW1AM2_{plan.acquired:%Y%m%d}_{number:03d}D" for number in range(len(delays))
    ]
    return (names[0] if len(names) == 1 else str(names)), delays
