"""Web pages that open from a disk: plain HTML that needs no network.

``write_page`` fills a template of ``templates/`` and escapes all values. ``Table`` and
``PageFigure`` are parts of pages.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seaice_data.system.files import replacing
from seaice_model.scores.report_text import decimal
from seaice_model.style import as_png

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of each line names it."""

    caption: str
    """Caption above the table; none if empty."""

    columns: Sequence[str]
    """Headings of the columns."""

    lines: Sequence[Sequence[str]]
    """Cells, line by line."""


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure embedded in the page."""

    data: str
    """The figure as a URL; empty if it could not be plotted."""

    alternative: str
    """What it shows, for readers who cannot see it."""

    caption: str = ""
    """Caption below the figure; none if empty."""

    @classmethod
    def of(cls, figure: "Figure", alternative: str, caption: str = "") -> "PageFigure":
        """Embed a figure of matplotlib.

        Raises
        ------
        PlotError
            If it cannot be plotted.
        """
        data = base64.b64encode(as_png(figure, dpi=100)).decode("ascii")
        return cls(f"data:image/png;base64,{data}", alternative, caption)


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page; a file at `path` stays until the new one is complete.

    Parameters
    ----------
    path
        The page.
    template
        Name of its template.
    values
        What the template shows. Text is escaped, also in attributes.

    Raises
    ------
    OSError
        If the page cannot be written.
    """
    text = _environment().get_template(template).render(values)
    with replacing(path) as new:
        # A path may contain bytes that are not text.
        new.write_bytes(text.encode("utf-8", "backslashreplace"))


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # late: only for pages
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("seaice_model.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["decimal"] = decimal
    # As they are: they are not templates, and have nothing to fill in.
    templates = files(__package__) / "templates"
    environment.globals["assets"] = {
        name: Markup((templates / name).read_text("utf-8"))  # noqa: S704 - our own
        for name in ("page.css", "index.css", "index.js")
    }
    environment.globals["generator"] = f"seaice {version('seaice')}"
    return environment
