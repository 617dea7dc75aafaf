"""Old names of what is public; they work for one version, with a warning."""

import functools
import inspect
import os
import warnings
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path
from traceback import walk_stack
from typing import Any, TypeVar

Called = TypeVar("Called", bound=Callable[..., Any])

_OURS = tuple(
    str(Path(__file__).parents[1] / package) + os.sep
    for package in ("seaice_data", "seaice_model", "seaice", "cli")
)


def new_name(what: str, old: str, new: str) -> str:
    """Warn that something has a new name, and return that name.

    The warning points to the line of the user's code that led here.
    """
    message = f"{what} {old!r} is now {new!r}; the old name works in this version only"
    stack = walk_stack(inspect.currentframe())
    files = (frame.f_code.co_filename for frame, _line in stack)
    n_ours = sum(1 for _ in takewhile(lambda file: file.startswith(_OURS), files))
    warnings.warn(message, FutureWarning, stacklevel=n_ours + 1)
    return new


def former_names(
    find: Callable[[str], Any], names: Mapping[str, str]
) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that also finds public names under their old names.

    Parameters
    ----------
    find
        The module's ``__getattr__``.
    names
        New names by old ones.
    """

    def find_any(name: str) -> Any:
        return find(new_name("name", name, names[name]) if name in names else name)

    return find_any


def former_arguments(
    values: Mapping[bool, Any] | None = None, **names: str
) -> Callable[[Called], Called]:
    """Let a function or class also take keyword arguments under their old names.

    Parameters
    ----------
    values
        New values by the old ones, where the values have changed with the name.
    **names
        New names by old ones.

    Examples
    --------
    >>> @former_arguments(colour="color")
    ... def paint(color: str) -> str:
    ...     return color
    >>> with warnings.catch_warnings(action="ignore"):
    ...     paint(colour="blue")
    'blue'
    """

    def decorate(called: Called) -> Called:
        inner: Any = vars(called)["__init__"] if isinstance(called, type) else called

        @functools.wraps(inner)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            for old in names.keys() & kwargs.keys():
                new = new_name("argument", old, names[old])
                if new in kwargs:
                    raise TypeError(f"argument {new!r} is given twice, also as {old!r}")
                value = kwargs.pop(old)
                if values and isinstance(value, bool):
                    value = values[value]
                kwargs[new] = value
            return inner(*args, **kwargs)

        if not isinstance(called, type):
            return wrapped  # type: ignore[return-value]
        called.__init__ = wrapped  # type: ignore[misc]
        return called

    return decorate


def former_attribute(old: str, new: str) -> Any:
    """Return the property by which an attribute can be read under its old name, too.

    Examples
    --------
    >>> class Picture:
    ...     color = "blue"
    ...     colour = former_attribute("colour", "color")
    >>> with warnings.catch_warnings(action="ignore"):
    ...     Picture().colour
    'blue'
    """
    return property(lambda self: getattr(self, new_name("attribute", old, new)))
