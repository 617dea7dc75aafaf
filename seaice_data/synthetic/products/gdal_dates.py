"""Dates in files of GDAL: that of the scene, so that equal plans give equal files."""

from collections.abc import Iterator
from contextlib import contextmanager

from seaice_data.synthetic.plan import ScenePlan

_OPTION = "OGR_CURRENT_DATE"


@contextmanager
def dated(plan: ScenePlan) -> Iterator[None]:
    """Let GDAL write the time of a scene where it would write that of today."""
    import pyogrio  # late: an extra

    before = pyogrio.get_gdal_config_option(_OPTION)
    time = f"{plan.acquired:%Y-%m-%dT%H:%M:%S}.000Z"
    pyogrio.set_gdal_config_options({_OPTION: time})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({_OPTION: before})
