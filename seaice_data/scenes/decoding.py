"""Turn numbers stored in a netCDF file into values: gaps, packing, unsigned integers.

``Decoding.of`` reads the attributes of a variable by the netCDF conventions, as
netCDF4-python does. xarray ignores valid ranges and default fill values; otherwise it
returns the same values, with one exception: here, a gap that is declared in double
precision is also found in single precision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seaice_data.arrays import Mask, Values

ATTRIBUTES: Mapping[str, int | None] = {
    "_FillValue": 1,
    "missing_value": None,
    "valid_range": 2,
    "valid_min": 1,
    "valid_max": 1,
    "scale_factor": 1,
    "add_offset": 1,
}
"""Attributes that say what the numbers of a variable mean, with the number of values that
each one has; None for any."""

_DEFAULT_FILLS = {
    "i2": -32767,
    "u2": 65535,
    "i4": -2147483647,
    "u4": 4294967295,
    "i8": -9223372036854775806,
    "u8": 18446744073709551614,
    "f4": 9.969209968386869e36,
    "f8": 9.969209968386869e36,
}
"""What the netCDF library writes where no data were written; bytes have no such value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """How the stored numbers of a variable become values."""

    gaps: tuple[Any, ...] = ()
    """Stored numbers that mark gaps, in addition to NaN."""

    lowest: Any = None
    """Stored numbers below it are gaps."""

    highest: Any = None
    """Stored numbers above it are gaps."""

    scale: Any = None
    """Factor by which stored numbers are multiplied, if any."""

    offset: Any = None
    """What is then added, if anything."""

    is_unsigned: bool = False
    """Whether signed integers stand for unsigned ones of the same bytes."""

    rounding: float = 0.0
    """How far packing may have moved a value."""

    @classmethod
    def of(
        cls, dtype: np.dtype[Any], numbers: Mapping[str, Values], *, is_unsigned: bool
    ) -> "Decoding":
        """Return what the attributes of a variable mean.

        Parameters
        ----------
        dtype
            Type of the stored numbers.
        numbers
            Those of `ATTRIBUTES` that the variable has, as flat arrays. Numbers that the
            type of the variable cannot represent have no effect.
        is_unsigned
            Whether the attribute ``_Unsigned`` is true.

        Examples
        --------
        >>> attributes = {"_FillValue": np.array([-1]), "scale_factor": np.array([0.5])}
        >>> decoding = Decoding.of(np.dtype(np.int16), attributes, is_unsigned=False)
        >>> decoding.decode(np.array([[3, -1]], np.int16))
        array([[1.5, nan]])
        """
        is_unsigned = is_unsigned and dtype.kind == "i"
        stored = {
            name: _storable(values, dtype, is_unsigned=is_unsigned)
            for name, values in numbers.items()
        }
        gaps = stored.get("_FillValue", [])
        if not gaps and dtype.str[1:] in _DEFAULT_FILLS and not is_unsigned:
            gaps = [dtype.type(_DEFAULT_FILLS[dtype.str[1:]])]
        gaps = gaps + stored.get("missing_value", [])
        bounds = stored.get("valid_range", [])
        if len(bounds) != ATTRIBUTES["valid_range"]:
            bounds = [
                next(iter(stored.get(name, [])), None)
                for name in ("valid_min", "valid_max")
            ]
        scale, offset = (
            numbers[name][0] if name in numbers else None
            for name in ("scale_factor", "add_offset")
        )
        return cls(
            gaps=tuple(dict.fromkeys(gap for gap in gaps if not np.isnan(gap))),
            lowest=bounds[0],
            highest=bounds[1],
            scale=scale,
            offset=offset,
            is_unsigned=is_unsigned,
            rounding=_rounding(dtype, scale, offset),
        )

    @property
    def is_packed(self) -> bool:
        """Whether values differ from the stored numbers where there are no gaps."""
        return self.is_unsigned or self.scale is not None or self.offset is not None

    def decode(self, stored: Values) -> Values:
        """Return values, NaN in gaps; `stored` itself if nothing differs."""
        if self.is_unsigned:
            stored = stored.view(stored.dtype.str.replace("i", "u"))
        values = stored
        if self.scale is not None:
            values = values * _as_float(self.scale)
        if self.offset is not None:
            values = values + _as_float(self.offset)
        is_gap = self._find_gaps(stored)
        if is_gap is not None and is_gap.any():
            # A whole number cannot be NaN.
            values = values.astype(values.dtype if values.dtype.kind == "f" else np.float64)
            values[is_gap] = np.nan
        return values

    def fill_gaps(self, stored: Values, fill: float) -> None:
        """Put `fill` into the gaps of stored numbers that are not packed, in place."""
        if self.gaps == (fill,) and not self._is_bounded:
            return
        is_gap = self._find_gaps(stored)
        if is_gap is not None:
            np.copyto(stored, fill, casting="unsafe", where=is_gap)

    @property
    def _is_bounded(self) -> bool:
        return self.lowest is not None or self.highest is not None

    def _find_gaps(self, stored: Values) -> Mask | None:
        """Return where the gaps are; None if there are none other than NaN."""
        if not (self.gaps or self._is_bounded):
            return None
        # Usually there is one gap value, above all others: checking the highest is enough.
        # `fmax` ignores NaN, which raw files have as fill.
        is_one = len(self.gaps) == 1 and not self._is_bounded
        if is_one and np.fmax.reduce(stored, axis=None) < self.gaps[0]:
            return None
        is_gap = np.zeros(stored.shape, bool)
        for gap in self.gaps:
            is_gap |= stored == gap
        if self.lowest is not None:
            is_gap |= stored < self.lowest
        if self.highest is not None:
            is_gap |= stored > self.highest
        return is_gap


def _storable(values: Values, dtype: np.dtype[Any], *, is_unsigned: bool) -> list[Any]:
    """Return those numbers that the type of a variable can represent, in this type."""
    with np.errstate(invalid="ignore", over="ignore"):
        cast = values.astype(dtype)
    if dtype.kind == "f":
        return [*cast]
    is_held = cast == values
    if is_unsigned:  # some write what is stored, some what it stands for
        cast = cast.view(dtype.str.replace("i", "u"))
        is_held |= cast == values
    return [*cast[is_held]]


def _rounding(dtype: np.dtype[Any], scale: Any, offset: Any) -> float:
    """Return how far packing may move a value: half a step, or what floats lose."""
    if dtype.kind != "f":
        # A little more than half: unpacked values are rounded, too.
        return 0.0 if scale is None else 0.51 * abs(float(scale))
    return 0.0 if offset is None else 4 * abs(float(offset)) * float(np.finfo(dtype).eps)


def _as_float(number: Any) -> Any:
    """Keep the precision of a factor; whole numbers get double precision."""
    return number if number.dtype.kind == "f" else np.float64(number)
