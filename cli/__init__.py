"""Sea ice charts from Sentinel-1: all public names of `seaice_data` and `seaice_model`.

Each name is imported when it is first used. The command `seaice`, or ``python -m seaice``,
calls these packages and does no work of its own.
"""

from typing import Any

import seaice_data
import seaice_model

__all__ = sorted({*seaice_data.__all__, *seaice_model.__all__})


def __getattr__(name: str) -> Any:
    """Import a public name of either package."""
    for package in (seaice_data, seaice_model):
        if name in package.__all__:
            return getattr(package, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
