"""Markdown: text and tables that show as they are."""

import re
from collections.abc import Iterable, Sequence

from seaice_data.texts import printable

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> print(escaped("a_b | <i>"))
    a\_b \| \<i\>
    """
    return _SPECIAL.sub(r"\\\1", printable(text))


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    r"""Return a table; its first column is aligned left, the others right.

    Examples
    --------
    >>> print(table(["scene", "%"], [["a_b", "91.7"]]))
    | scene | % |
    | --- | ---: |
    | a\_b | 91.7 |
    """
    ruler = ["---", *["---:"] * (len(headings) - 1)]
    cells = [[escaped(cell) for cell in line] for line in (headings, *lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], ruler, *cells[1:]))
