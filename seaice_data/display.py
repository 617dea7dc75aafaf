"""How results show themselves: on one line in Python, as a small table in a notebook.

A report may list thousands of scenes. What is shown says how many there are; the attributes
have them all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from html import escape
from pathlib import Path
from typing import Any

from seaice_data.errors import Failure
from seaice_data.texts import counted, printable, shortened

_FEW = 3
_LONGEST = 80
_MOST_FAILURES = 5


class Displayed:
    """What dataclasses inherit to be shown briefly; declare them with ``repr=False``."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the fields, long ones as what they are."""
        shown = (f"{name}={in_short(value)}" for name, value in self._displayed())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        """Return the same as a table, with the reasons of failures."""
        rows = (
            (name, failures_in_short(value) or in_short(value))
            for name, value in self._displayed()
        )
        return as_table(type(self).__name__, rows)

    def _displayed(self) -> Iterator[tuple[str, Any]]:
        """Yield names and values; other ones than the fields where a class says so."""
        for field in fields(self):  # type: ignore[arg-type]
            yield field.name, getattr(self, field.name)


def in_short(value: Any) -> str:
    """Return a value on one line of few characters.

    Examples
    --------
    >>> in_short(12.3456789), in_short(Path("maps")), in_short(("a", "b"))
    ('12.3457', "'maps'", "('a', 'b')")
    >>> in_short(range(240)), in_short({"a": 1.0, "b": None})
    ('<240 values>', '{a: 1, b: None}')
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str | Path):
        return repr(shortened(str(value), _LONGEST))
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"<{value.dtype} {' x '.join(map(str, value.shape))}>"
    if isinstance(value, Collection) and not isinstance(value, bytes):
        return _few(value)
    return printable(shortened(repr(value), _LONGEST))


def failures_in_short(value: Any) -> str:
    """Return why something failed, if `value` lists failures; else an empty text."""
    if not isinstance(value, tuple) or not value or not isinstance(value[0], Failure):
        return ""
    reasons = [failure.reason for failure in value[:_MOST_FAILURES]]
    if (n_more := len(value) - len(reasons)) > 0:
        reasons.append(f"and {n_more} more")
    return "; ".join(map(printable, reasons))


def as_table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a small table of names and values as HTML, every text escaped."""
    return f"<table><caption>{escape(printable(title))}</caption>{as_rows(rows)}</table>"


def as_rows(rows: Iterable[tuple[str, str]]) -> str:
    """Return the rows of such a table."""
    return "".join(
        f'<tr><th style="text-align: left">{escape(printable(name))}</th>'
        f'<td style="text-align: left">{escape(printable(text))}</td></tr>'
        for name, text in rows
    )


def _few(values: Collection[Any]) -> str:
    """Return a few values; how many there are, if they are more or long."""
    if len(values) <= _FEW:
        if isinstance(values, Mapping):
            shown = [f"{name}: {in_short(value)}" for name, value in values.items()]
            text = f"{{{', '.join(shown)}}}"
        else:
            shown = [in_short(value) for value in values]
            text = f"({', '.join(shown)}{',' * (len(shown) == 1)})"
        if len(text) <= _LONGEST:
            return printable(text)
    return f"<{counted(len(values), 'value')}>"
