"""The result of checking an inference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seaice_data.arrays import FloatArray

Outcome = Literal["holds", "does not hold", "cannot tell"]

CLEAR = 3.0
"""Standard errors that a difference must exceed to decide something."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An inference about the files, and what they say about it."""

    name: str
    """A word or two."""

    inferred: str
    """What seaice assumes."""

    outcome: Outcome
    """Whether the files confirm it."""

    evidence: str
    """The reason, with numbers and units."""


def outcome_of(holds: bool) -> Outcome:
    """Return the outcome of a check that decides."""
    return "holds" if holds else "does not hold"


def mean_and_error(values: FloatArray | Sequence[float]) -> tuple[float, float]:
    """Return the mean along the first axis and its standard error.

    Examples
    --------
    >>> mean_and_error([1.0, 2.0, 3.0])
    (2.0, 0.5773502691896258)
    """
    array = np.asarray(values, np.float64)
    return float(array.mean()), float(array.std(ddof=1) / len(array) ** 0.5)
