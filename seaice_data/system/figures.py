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


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure, its size in inches; it needs no display and no pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: see above
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_png(figure: "Figure", dpi: int) -> bytes:
    """Return a figure as the bytes of a PNG file.

    Raises
    ------
    PlotError
        If matplotlib cannot plot it.
    """
    stream = BytesIO()
    with drawing():
        # `seaice_data.system.ownership` recognises the file by this mark.
        mark = {"Software": f"seaice {version('seaice')}"}
        figure.savefig(stream, format="png", dpi=dpi, metadata=mark)
    return stream.getvalue()


def save_plot(figure: "Figure", path: Path) -> None:
    """Write a figure; a file at `path` stays until the new one is complete.

    Raises
    ------
    PlotError
        If it cannot be plotted or written.
    """
    content = as_png(figure, dpi=110)
    with plot_errors(), replacing(path) as new:
        new.write_bytes(content)
