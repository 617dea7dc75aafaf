"""What is missing or unusual in a scene, in words."""

from collections.abc import Iterator

import numpy as np

from seaice_data.ingest.frame import Frame
from seaice_data.ingest.parts import Backscatter, BurntChart, CellFields, DistanceZones

_LEAST_SHARE = 0.0005  # what is shown as 0.1 %
_MOST_HOURS = 72  # longer times are shown in days


def notes_of(
    backscatter: Backscatter,
    amsr2: CellFields | None,
    era5: CellFields | None,
    chart: BurntChart | None,
    zones: DistanceZones | None = None,
) -> Iterator[str]:
    """Yield what to know about a scene, most important first; each is a few words.

    Parameters
    ----------
    backscatter
        The product.
    amsr2
        Brightness temperatures, also if all are missing; None if there were no swaths to
        take them from.
    era5, chart
        The weather and the ice chart, if there are any.
    zones
        The distance to land.
    """
    if zones is not None and not zones.zones.any():
        yield f"the whole scene is land, by the coast of {zones.coast}"
    if "hv" not in backscatter.sigma0:
        yield "the product has no HV"
    absent = {"AMSR2": amsr2, "ERA5": era5}
    if names := [name for name, found in absent.items() if found is None]:
        yield f"without {' and '.join(names)}"
    if amsr2 is not None:
        yield from notes_of_swaths(amsr2)
    if chart is not None:
        yield from _notes_of_chart(chart, backscatter.frame)
    if backscatter.denoising_note:
        yield backscatter.denoising_note
    for name, share in backscatter.not_positive.items():
        if share >= _LEAST_SHARE:
            yield f"{_percent(share)} of the {name.upper()} pixels are not above the noise"


def is_empty(found: CellFields) -> bool:
    """Return whether nothing was measured in a scene."""
    return all(bool(np.isnan(field).all()) for field in found.fields.values())


def notes_of_swaths(amsr2: CellFields) -> Iterator[str]:
    """Yield what to know about brightness temperatures."""
    if is_empty(amsr2):
        yield f"without AMSR2: {amsr2.attributes.get('AMSR2_note') or 'all are missing'}"
        return
    delays = np.atleast_1d(amsr2.attributes.get("AMSR2_S1_delays", np.nan))
    if np.isfinite(delays).all():
        hours = sorted({_hours(delay) for delay in (delays.min(), delays.max())})
        yield f"AMSR2 {' to '.join(_when(each) for each in hours)} the scene"
    share = max(float(np.isnan(field).mean()) for field in amsr2.fields.values())
    if share >= _LEAST_SHARE:
        yield f"no AMSR2 in {_percent(share)} of the scene"


def _notes_of_chart(chart: BurntChart, frame: Frame) -> Iterator[str]:
    if chart.valid is None:
        yield f"chart {chart.name} of an unknown time"
    else:
        delay_s = (chart.valid - frame.middle).total_seconds()
        yield f"chart {chart.name}, {_when(_hours(delay_s))} the scene"
    for name, areas in chart.without_class_km2.items():
        if areas:
            codes = ", ".join(f"{code} ({area:.0f} km2)" for code, area in areas.items())
            yield f"no {name} class for code{'s' * (len(areas) > 1)} {codes}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 1)


def _when(hours: float) -> str:
    far = abs(hours)
    length = f"{far:.1f} h" if far <= _MOST_HOURS else f"{far / 24:.0f} days"
    return f"{length} {'before' if hours < 0 else 'after'}"
