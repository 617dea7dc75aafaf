"""Print what the imports of our modules change in their process, beside `sys.modules`.

They should change nothing: pytest imports every module to look for doctests, and users
import ours beside others. A test runs ``python -m support.import_effects``, with the
checkout and its tests on the path.
"""

import importlib
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "seaice_data": ROOT / "seaice_data",
    "seaice_model": ROOT / "seaice_model",
    "seaice": ROOT / "cli",
    "support": ROOT / "tests/support",
    "fuzz": ROOT / "tests/fuzz",
}
LIMITS = sorted(
    value for name, value in vars(resource).items() if name.startswith("RLIMIT_")
)
audit_hooks: list[object] = []


def module_names() -> Iterator[str]:
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            if parts[-1] != "__main__":
                yield ".".join((package, *parts)).removesuffix(".__init__")


def state() -> dict[str, Any]:
    return {
        "audit hooks": len(audit_hooks),
        "signals": {name: signal.getsignal(name) for name in signal.valid_signals()},
        "limits": [resource.getrlimit(which) for which in LIMITS],
        "threads": len(threading.enumerate()),
        "folder": Path.cwd(),
        "hooks of errors": (sys.excepthook, sys.unraisablehook, threading.excepthook),
        "output": (sys.stdout, sys.stderr),
    }


def main() -> None:
    sys.addaudithook = audit_hooks.append  # type: ignore[assignment]
    before = state()
    for name in module_names():
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] in PACKAGES:
                raise  # else a library of an extra that is not installed
        now = state()
        for what in before:
            if now[what] != before[what]:
                sys.stdout.write(f"{name} changes {what}\n")
        before = now


if __name__ == "__main__":
    main()
