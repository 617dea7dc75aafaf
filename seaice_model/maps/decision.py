"""What networks decide on the grid of the store, and how sure they are of it.

Everything is a byte, as in the files of maps: probabilities, entropy and percent in steps
that `Steps` turns into numbers and back. 255 means "not known" everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHARTS

UNKNOWN = 255
"""Byte for a value that is not known."""

SicBasis = Literal["votes", "probabilities"]
"""Source of the uncertainty of SIC: the numbers that several networks predict, or class
probabilities."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Numbers from 0 upwards as bytes, in equal steps."""

    step: float
    """Difference between one byte and the next; the largest number is 254 steps."""

    def encode(self, values: FloatArray) -> ChartArray:
        """Return the nearest bytes; larger numbers become 254, NaN becomes 255.

        Examples
        --------
        >>> Steps(0.5).encode(np.array([0.0, 0.3, 200.0, np.nan]))
        array([  0,   1, 254, 255], dtype=uint8)
        """
        rounded = np.rint(np.clip(values / self.step, 0, UNKNOWN - 1))
        return np.where(np.isnan(rounded), UNKNOWN, rounded).astype(np.uint8)

    def decode(self, codes: ChartArray) -> FloatArray:
        """Return the numbers, float32; NaN for 255.

        Examples
        --------
        >>> Steps(0.5).decode(np.array([0, 1, 254, 255], np.uint8))
        array([  0. ,   0.5, 127. ,   nan], dtype=float32)
        """
        numbers = codes * np.float32(self.step)
        return np.where(codes == UNKNOWN, np.float32(np.nan), numbers)


PROBABILITY = Steps(0.004)
"""Probabilities of classes: 250 is 1."""

ENTROPY = Steps(0.004)
"""Entropy relative to that of equally probable classes: 250 is 1, completely undecided."""

CONCENTRATION = Steps(0.5)
"""Ice concentration in percent: 200 is 100 %."""

SPREAD = Steps(0.2)
"""Deviation of the ice concentration in percent; it cannot be above 50 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Classes on the grid of the store, before masks, and how sure they are.

    All other planes are 255 wherever every pixel of the map is masked.
    """

    classes: ChartArray
    """Shape ``(chart, y, x)``; every pixel has a class, on land and without SAR too."""

    concentration: ChartArray
    """Ice concentration before it becomes a class, in steps `CONCENTRATION`: the mean over
    networks and, where SIC is predicted as classes alone, over their probabilities."""

    entropy: ChartArray
    """Entropy of the class probabilities in steps `ENTROPY`, shape ``(chart, y, x)``. 255
    for SIC where there are no probabilities. Votes of n networks for classes of SIC have an
    entropy of at most log(min(n, 11)) / log(11): 0.29 for two networks, 0.67 for five."""

    spread: ChartArray | None
    """Standard deviation of the ice concentration, in steps `SPREAD`: of the numbers that
    several networks predict, or of the probabilities where SIC is predicted as classes.
    Where it is predicted as both, it is the deviation of the probabilities from
    `concentration`. None for one network that predicts a number alone."""

    probabilities: Mapping[str, ChartArray] | None
    """Class probabilities by chart in steps `PROBABILITY`, shape ``(class, y, x)``: the
    mean over networks. For SIC predicted as a number alone, the share of the networks that
    vote for each class; absent for a single network. None if they were not requested."""

    n_networks: int
    """Networks that took part."""

    sic_basis: SicBasis | None = None
    """Source of the uncertainty of SIC; None if there is none, or if the map of several
    networks does not record it (version 0.1)."""

    rows: IntArray
    """Row of these planes that each row of the map shows."""

    columns: IntArray
    """Column of these planes that each column of the map shows."""

    def entropy_of(self, chart: str) -> FloatArray:
        """Return the entropy of a chart, 0 sure to 1 undecided; NaN where not known."""
        names = [known.name for known in CHARTS]
        return ENTROPY.decode(self.entropy[names.index(chart)])

    def probabilities_of(self, chart: str) -> FloatArray | None:
        """Return the class probabilities of a chart, ``(class, y, x)``, if there are any.

        They are rounded to 0.004, so their sum differs from 1 by up to 0.002 per class.
        """
        codes = (self.probabilities or {}).get(chart)
        return None if codes is None else PROBABILITY.decode(codes)

    def concentration_percent(self) -> FloatArray:
        """Return the ice concentration before it becomes a class, in percent."""
        return CONCENTRATION.decode(self.concentration)

    def spread_percent(self) -> FloatArray | None:
        """Return the standard deviation of the ice concentration, in percent, if known."""
        return None if self.spread is None else SPREAD.decode(self.spread)


def check_bytes(name: str, planes: Any, shape: tuple[int, ...]) -> None:
    """Reject what is not an array of bytes of this shape: a file would truncate it.

    Raises
    ------
    ValueError
        If `planes` are something else; the message calls them `name`.
    """
    if not isinstance(planes, np.ndarray) or planes.dtype != np.uint8:
        found = getattr(planes, "dtype", type(planes).__name__)
        raise ValueError(f"{name} must be bytes (uint8), got {found}")
    if planes.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {planes.shape}")
