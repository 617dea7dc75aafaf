"""Coefficients of NERSC's removal of thermal noise in HV, as shipped with their source.

The noise that ESA annotates, as sigma nought, is multiplied by a scale and increased by an
offset, both of which depend on the satellite, the version of ESA's processor and the
sub-swath (Park et al. 2018; Korosov et al. 2022).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

from seaice_data.system.documents import parse_json, typed

_FILE = "nersc-noise-hv.json"
_TENTH = 0.05001  # NERSC rounds versions to one decimal: 2.84 is 2.8

# ESA changed the noise of Sentinel-1B on that day, but not the version; NERSC takes the
# coefficients of the next version from then on.
_CHANGE_OF_S1B = datetime(2017, 1, 16, 13, 42, 34, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NerscNoise:
    """Scale and offset of the noise by sub-swath."""

    version: str
    """Version of the processor for which they were found, as ``2.9``."""

    is_exact: bool
    """Whether that is the version of the product."""

    scale: Mapping[str, float]
    offset: Mapping[str, float]
    """Sigma nought, linear."""


@dataclass(frozen=True, slots=True)
class _Coefficients:
    scale: dict[str, float]
    offset: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Document:
    coefficients: dict[str, dict[str, _Coefficients]]


def nersc_noise(satellite: str, ipf: str, acquired: datetime) -> NerscNoise | None:
    """Return the coefficients of a version, or of the nearest one of the same satellite.

    Parameters
    ----------
    satellite
        ``S1A`` to ``S1D``.
    ipf
        Version of ESA's processor, as ``003.52``.
    acquired
        Start of the acquisition, UTC.

    Returns
    -------
    NerscNoise
        None if there are none for the satellite.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> day = datetime(2022, 11, 30, tzinfo=UTC)
    >>> found = nersc_noise("S1A", "003.52", day)
    >>> found.version, found.is_exact, found.scale["EW1"], found.offset["EW1"]
    ('3.3', False, 0.9865964902, 0.0001212831)
    >>> nersc_noise("S1A", "002.84", day).version, nersc_noise("S1C", "003.91", day)
    ('2.8', None)
    """
    content = resources.files(__package__).joinpath(_FILE).read_bytes()
    known = typed(parse_json(content), _Document).coefficients.get(satellite)
    if known is None:
        return None
    version = float(ipf)
    if satellite == "S1B" and 2.7 <= version < 2.8 and acquired >= _CHANGE_OF_S1B:
        version = 2.8
    nearest = min(known, key=lambda name: abs(float(name) - version))
    found = known[nearest]
    is_exact = abs(float(nearest) - version) <= _TENTH
    return NerscNoise(nearest, is_exact, found.scale, found.offset)
