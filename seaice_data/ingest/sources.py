"""What scene files are made from beside their products, and in which way."""

import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from seaice_data.conventions import DENOISINGS
from seaice_data.errors import SceneError, SeaIceError, SettingsError
from seaice_data.scene_id import SceneId
from seaice_data.settings import nearest
from seaice_data.system.files import file_errors
from seaice_data.texts import printable, shortened

_LIBRARIES = ("pyogrio", "pyproj", "rasterio", "shapely")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What a scene file is made from, beside the product.

    Raises
    ------
    SettingsError
        If no product can be ingested in this way.
    """

    amsr2: tuple[str, ...] = ()
    """Swaths, or folders of them."""

    era5: tuple[str, ...] = ()
    """Files of weather, or folders of them."""

    chart: str = ""
    """Ice chart, or a folder of charts."""

    service: str = ""
    """Ice service that drew the chart; from its name if empty."""

    coast: str = ""
    """Polygons of land; those of OpenStreetMap if empty."""

    denoise: str = "esa"
    """How noise is removed: one of `DENOISINGS`."""

    max_delay_hours: float = 12.0
    """Longest time between a swath and the scene, above 0."""

    def __post_init__(self) -> None:
        """Reject what no product can be ingested with."""
        if self.denoise not in DENOISINGS:
            raise SettingsError(
                f"denoise must be one of {', '.join(DENOISINGS)}, got {self.denoise!r}",
                hint=nearest(self.denoise, DENOISINGS),
            )
        if not (math.isfinite(self.max_delay_hours) and self.max_delay_hours > 0):
            raise SettingsError(
                f"max_delay_hours must be above 0, got {self.max_delay_hours}"
            )
        if self.service:
            _check_service(self.service)
        if self.service and not self.chart:
            raise SettingsError(
                f"service {self.service!r} is given without a chart",
                hint="name the chart with --chart",
            )

    @property
    def options(self) -> dict[str, str]:
        """What decides a scene file beside its product; equal options, equal files.

        Of charts and coasts the name is among them, of swaths and weather only that they
        are given: they may be moved, and folders of them grow.
        """
        chosen = {"denoise": self.denoise}
        if self.amsr2:
            chosen["amsr2"] = f"within {self.max_delay_hours:g} h"
        if self.era5:
            chosen["era5"] = "given"
        if self.chart:
            chosen["chart"] = _name_of(self.chart)
        if self.service:
            chosen["service"] = self.service.lower()
        if self.coast:
            chosen["coast"] = _name_of(self.coast)
        return chosen

    @property
    def made_with(self) -> str:
        """The options as a scene file has them, in one line."""
        return json.dumps(self.options)

    def check(self) -> None:
        """Reject what would stop every product alike.

        Raises
        ------
        SceneError
            If one of the paths leads nowhere, or the coast is a folder without one.
        SeaIceError
            If the extra ``ingest`` is not installed.
        """
        named = {"amsr2": self.amsr2, "era5": self.era5}
        named |= {"chart": (self.chart,), "coast": (self.coast,)}
        for kind, paths in named.items():
            for path in filter(None, paths):
                with file_errors(Path(path)):
                    if not Path(path).exists():
                        raise SceneError(f"{kind}: no file or folder at {path!r}")
        needed = _LIBRARIES if self.coast else (*_LIBRARIES, "roaring_landmask")
        if missing := [name for name in needed if not _is_installed(name)]:
            raise SeaIceError(
                f"own scenes need packages that are not installed: {', '.join(missing)}",
                hint="install them with `pip install 'seaice[ingest]'`",
            )
        if self.coast and Path(self.coast).is_dir():
            _check_folder_of_coast(self.coast)


def _check_folder_of_coast(path: str) -> None:
    """Reject a folder that GDAL does not read as a file, as it does ``.gdb``."""
    import pyogrio  # late: an extra
    from pyogrio.errors import DataSourceError

    try:
        pyogrio.list_layers(path)
    except DataSourceError:
        raise SceneError(
            f"coast: {path!r} is a folder, not a file of polygons",
            hint="--coast takes one file of polygons, a GeoPackage for instance",
        ) from None


def differences(made_with: str, options: dict[str, str]) -> str:
    """Return in words how the options in a scene file differ from those given now.

    Examples
    --------
    >>> differences('{"denoise": "esa", "era5": "given"}', {"denoise": "none"})
    'denoise was esa, is none; era5 was given, is not'
    >>> differences('{"denoise": "esa"}', {"denoise": "esa", "chart": "cis.gpkg"})
    'chart was not given, is cis.gpkg'
    >>> differences("", {"denoise": "esa"})
    'they are not known'
    """
    try:
        known = json.loads(made_with)
    except (ValueError, RecursionError):
        known = None
    if not isinstance(known, dict):
        return "they are not known"
    return "; ".join(_different(known, options))


def _different(known: dict[str, object], options: dict[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*known, *options]):
        was, now = known.get(name), options.get(name)
        if was != now:
            before = "not given" if was is None else shortened(printable(str(was)))
            yield f"{shortened(printable(name))} was {before}, is {now or 'not'}"


def _check_service(service: str) -> None:
    """Reject a service that ids cannot end in."""
    name = service.lower()
    try:
        is_one = SceneId(f"20000101T000000_{name}").service == name
    except ValueError:
        is_one = False
    if not is_one:
        raise SettingsError(
            f"{shortened(service)!r} cannot be the ice service of a scene",
            hint="2 to 12 letters and digits, such as cis or nic",
        )


def _name_of(path: str) -> str:
    """Return the name of a file or folder, also of ``.``."""
    return Path(os.path.abspath(path)).name  # noqa: PTH100 - links keep their names


def _is_installed(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    return find_spec(name) is not None
