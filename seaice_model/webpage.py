"""Pages that work from a disk: one file, no network, plain HTML.

``page`` makes the document, ``table`` and ``embedded`` what stands in it. Texts given to
them are escaped; a piece that is HTML already is a `Markup`.
"""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO

from matplotlib.figure import Figure

_STYLE = """\
:root { --ink: #222; --soft: #5a5a5a; --line: #d5dbe1; --tint: #f3f6f9; --mark: #1f5f99 }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1rem 1.25rem 3rem; color: var(--ink);
  background: #fff; font: 1rem/1.5 system-ui, "Segoe UI", Roboto, sans-serif }
h1 { font-size: 1.6rem; margin: .5rem 0 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem }
a { color: var(--mark) } p { max-width: 46rem } .soft { color: var(--soft) }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem }
caption { text-align: left; color: var(--soft); padding: .25rem 0 }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right }
th:first-child, td:first-child { text-align: left } thead th { background: var(--tint) }
tbody th { font-weight: normal } img { max-width: 100%; height: auto }
figure { margin: 1rem 0 } figcaption { color: var(--soft); font-size: .93rem }
"""


class Markup(str):
    """A piece of HTML, not to be escaped again."""

    __slots__ = ()


def page(title: str, body: Iterable[str], *, style: str = "", script: str = "") -> str:
    """Return a whole document.

    Parameters
    ----------
    title
        Of the document, as text.
    body
        Pieces of HTML.
    style, script
        Added to the style of all pages; plain CSS and JavaScript.
    """
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_STYLE}{style}</style>",
        "</head>",
        "<body>",
        *body,
        *([f"<script>\n{script}</script>"] if script else []),
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(lines)


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table; the first cell of each row names it.

    Examples
    --------
    >>> "<td>1 &lt; 2</td>" in table("", ["", "value"], [["a", "1 < 2"]])
    True
    """
    head = "".join(f'<th scope="col">{_escaped(name)}</th>' for name in columns)
    lines = [
        f'<tr><th scope="row">{_escaped(first)}</th>'
        + "".join(f"<td>{_escaped(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    ]
    told = f"<caption>{_escaped(caption)}</caption>" if caption else ""
    return Markup(
        f'<div class="wide"><table>{told}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def embedded(figure: Figure, alternative: str, caption: str = "") -> Markup:
    """Return a figure with its picture inside.

    Parameters
    ----------
    figure
        A matplotlib figure.
    alternative
        What it shows, for those who do not see it.
    caption
        Below it.
    """
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=100)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    told = f"<figcaption>{_escaped(caption)}</figcaption>" if caption else ""
    return Markup(
        f'<figure><img src="data:image/png;base64,{data}" '
        f'alt="{escape(alternative)}">{told}</figure>'
    )


def paragraph(text: str, *, kind: str = "") -> Markup:
    """Return a paragraph, of a kind of the style if one is named."""
    chosen = f' class="{kind}"' if kind else ""
    return Markup(f"<p{chosen}>{_escaped(text)}</p>")


def link(target: str, text: str) -> Markup:
    """Return a link to a relative path or a place in the document."""
    return Markup(f'<a href="{escape(target)}">{_escaped(text)}</a>')


def percent(value: float | None) -> str:
    """Write a score, or a dash where there is none.

    Examples
    --------
    >>> percent(91.66), percent(None)
    ('91.7', '-')
    """
    return "-" if value is None else f"{value:.1f}"


def _escaped(text: str) -> str:
    return text if isinstance(text, Markup) else escape(text)
