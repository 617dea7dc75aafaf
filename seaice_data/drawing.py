"""Which patches are drawn: settings."""

from dataclasses import dataclass
from typing import Literal

from seaice_data.charts import CHARTS
from seaice_data.errors import SettingsError

Over = Literal["scenes", "area", "classes"]
ChartName = Literal["SIC", "SOD", "FLOE"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """Which windows of which scenes become patches, and how often."""

    over: Over = "scenes"
    """What patches are spread over evenly: scenes, whatever their size (Chen et al. 2024,
    section 3.2); area, so that a scene counts by its charted pixels; or the classes of a
    chart, so that rare ones are met."""

    chart: ChartName = "SOD"
    """The chart whose classes are spread over; for ``over = "classes"`` alone."""

    class_share: float = 0.5
    """Share of the patches that are drawn by class; the others are drawn over scenes. Below
    1 every patch can come, and none is rarer than ``1 - class_share`` times as often."""

    min_valid_share: tuple[float, ...] = ()
    """Least share of valid pixels in a patch, one number a chart (SIC, SOD, FLOE). Empty:
    at least two valid SIC pixels, the rule of the reference implementation."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if not 0 <= self.class_share <= 1:
            raise SettingsError(f"class_share must be in 0..1, got {self.class_share}")
        shares = self.min_valid_share
        if shares and (
            len(shares) != len(CHARTS) or not all(0 <= share <= 1 for share in shares)
        ):
            names = ", ".join(chart.name for chart in CHARTS)
            raise SettingsError(
                f"min_valid_share must be empty or one number in 0..1 a chart ({names}), "
                f"got {list(shares)}"
            )
