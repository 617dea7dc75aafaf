"""How figures are plotted and saved.

matplotlib is imported only in `drawing` here, when something is plotted: its settings are
global, and those of the machine (``matplotlibrc``, ``MPLBACKEND``) can be unreadable.
"""

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seaice_data.errors import PlotError
from seaice_data.system.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COMPRESSION = 2  # of PNG, from 1 to 9: 4 takes a third longer for files of the same size
_ONE_AT_A_TIME = threading.RLock()  # all threads share the settings of matplotlib


@contextmanager
def drawing() -> Iterator[None]:
    """Plot with the default settings of matplotlib; also as a decorator.

    The settings of the machine and of the caller are meant for other figures: an origin at
    the bottom would turn a map upside down. They are restored afterwards.

    Raises
    ------
    PlotError
        If matplotlib cannot be imported, or cannot plot.
    """
    with plot_errors(), _ONE_AT_A_TIME, warnings.catch_warnings():
        # Letters that the font lacks are shown as boxes.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        mpl = _imported()
        defaults = dict(mpl.rcParamsDefault.copy())
        del defaults["backend"]  # only pyplot uses it, and setting it would start one
        # Letters fitted to the pixels are no easier to read, and take a quarter longer.
        defaults["text.hinting"] = "none"
        with mpl.rc_context(defaults):
            yield


@contextmanager
def plot_errors() -> Iterator[None]:
    """Translate everything that matplotlib raises into a `PlotError` of one line."""
    try:
        yield
    except MemoryError as error:
        raise PlotError("there is not enough memory to plot") from error
    except OSError as error:
        name = f"{error.filename!r}: " if error.filename else ""
        raise PlotError(f"cannot plot: {name}{error.strerror or error}") from error
    except (
        ArithmeticError, AttributeError, ImportError, LookupError, RuntimeError, TypeError,
        ValueError,
    ) as error:  # fmt: skip
        raise PlotError(f"cannot plot: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _imported() -> Any:
    """Import matplotlib, whatever ``MPLBACKEND`` says: no figure here needs a backend."""
    is_new = "matplotlib" not in sys.modules
    backend = os.environ.pop("MPLBACKEND", "") if is_new else ""
    try:
        import matplotlib as mpl
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise PlotError(
            f"matplotlib cannot be loaded: {_first_line(error)}",
            hint="check `matplotlibrc` in this folder, or in that of its configuration",
        ) from error
    finally:
        if backend:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with suppress(ValueError):  # that of a notebook with other packages
            mpl.rcParams["backend"] = backend
    return mpl


def new_figure(
    width: float, height: float, *, is_laid_out: bool = False, dpi: float = 100
) -> "Figure":
    """Return an empty figure; it needs no display and no pyplot.

    Parameters
    ----------
    width, height
        Its size in inches.
    is_laid_out
        Whether everything in it has its place; otherwise matplotlib finds one.
    dpi
        Pixels an inch, also of a file that its `savefig` writes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: see above
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(width, height), dpi=dpi, layout=None if is_laid_out else "constrained"
    )
    FigureCanvasAgg(figure)
    return figure


def as_png(figure: "Figure", dpi: float) -> bytes:
    """Return a figure as the bytes of a PNG file.

    Raises
    ------
    PlotError
        If matplotlib cannot plot it, or Pillow cannot be imported.
    """
    content = BytesIO()
    with drawing():
        from PIL import Image, PngImagePlugin  # late: only for figures

        buffer, size = _drawn(figure, dpi)
        # `seaice_data.system.ownership` recognises the file by this mark.
        mark = PngImagePlugin.PngInfo()
        mark.add_text("Software", f"seaice {version('seaice')}")
        # matplotlib itself stores transparency, too, and takes three times as long.
        Image.frombuffer("RGBA", size, buffer).convert("RGB").save(
            content, "png", pnginfo=mark, dpi=(dpi, dpi), compress_level=_COMPRESSION
        )
    return content.getvalue()


def _drawn(figure: "Figure", dpi: float) -> tuple[bytes, tuple[int, int]]:
    """Return the pixels of a figure, and how many there are along x and y."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    before = figure.get_dpi()
    figure.set_dpi(dpi)
    try:
        canvas = FigureCanvasAgg(figure)
        buffer, (width, height) = canvas.print_to_buffer()  # type: ignore[no-untyped-call]
    finally:
        figure.set_dpi(before)
    return buffer, (int(width), int(height))


def save_plot(figure: "Figure", path: Path, dpi: float = 110) -> None:
    """Write a figure; a file at `path` stays until the new one is complete.

    Parameters
    ----------
    figure
        The figure.
    path
        The PNG file.
    dpi
        Pixels an inch.

    Raises
    ------
    PlotError
        If it cannot be plotted or written.
    """
    content = as_png(figure, dpi)
    with plot_errors(), replacing(path) as new:
        new.write_bytes(content)
