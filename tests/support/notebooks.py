"""The cells of the pages that are notebooks, without Jupyter."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
_CELL = re.compile(r"^```\{code-cell\}.*\n((?::.*\n)*)((?:.*\n)*?)```$", re.MULTILINE)
_SHELL = "%%bash\n"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a notebook."""

    tags: frozenset[str]
    code: str
    """Python, or what a shell runs."""

    is_shell: bool


def cells(page: str) -> list[Cell]:
    """Return the cells of a page, such as ``store``, in order."""
    text = (DOCS / f"{page}.md").read_text()
    return [
        Cell(
            frozenset(re.findall(r"[\w-]+", options.partition(":tags:")[2])),
            code.removeprefix(_SHELL),
            is_shell=code.startswith(_SHELL),
        )
        for options, code in _CELL.findall(text)
    ]


def python_of(page: str) -> str:
    """Return the Python of all cells of a page together."""
    return "\n".join(cell.code for cell in cells(page) if not cell.is_shell)


def run(page: str, folder: Path, *, without: str = "") -> dict[str, Any]:
    """Run the cells of a page in a folder, the working directory; return their names.

    Cells with the tag `without` are left out.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found: dict[str, Any] = {"__name__": "page"}
    for cell in cells(page):
        if without in cell.tags:
            continue
        if cell.is_shell:
            command = ["bash", "-eo", "pipefail", "-c", cell.code]
            subprocess.run(
                command, cwd=folder, check=True, env={**os.environ, "PATH": path}
            )
        else:
            exec(compile(cell.code, f"{page}.md", "exec"), found)  # noqa: S102
    return found
