"""References made from the code at the build: of the commands, and of the public names.

- ``{commands}`` describes every command of ``seaice`` as its ``--help`` does.
- ``{names}`` describes the public names that its lines list, from their docstrings.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parent.parent


def commands() -> dict[str, Any]:
    """Return the commands of ``seaice`` by their names, as click knows them."""
    from seaice.main import app

    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def public_names() -> list[str]:
    """Return the public names of both libraries, as ``__init__.pyi`` lists them."""
    stubs = [
        (ROOT / package / "__init__.pyi").read_text()
        for package in ("seaice_data", "seaice_model")
    ]
    return re.findall(r"\bas (\w+)", "\n".join(stubs))


def described(name: str, command: Any) -> Iterator[str]:
    """Yield the lines of Markdown that describe a command."""
    context = command.make_context(f"seaice {name}", [], resilient_parsing=True)
    yield f"## {name}"
    yield ""
    yield "```text"
    yield from command.get_help(context).splitlines()
    yield "```"
    yield ""


def kind_of(value: object) -> str:
    """Return the directive of autodoc that describes an object."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, Exception) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else "autodata"


class Commands(SphinxDirective):
    """``{commands}``: every command, its arguments and its options."""

    def run(self) -> list[nodes.Node]:
        """Return the description of all commands."""
        lines = [
            line
            for name, command in commands().items()
            for line in described(name, command)
        ]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class Names(SphinxDirective):
    """``{names}``: a table of public names, then each in full."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the description of the names that the lines list."""
        import seaice

        names = " ".join(self.content).split()
        lines = [".. autosummary::", "", *(f"   seaice.{name}" for name in names), ""]
        for name in names:
            kind = kind_of(getattr(seaice, name))
            lines.append(f".. {kind}:: seaice.{name}")
            if kind == "autoclass":
                lines += ["   :members:", "   :undoc-members:"]
            lines.append("")
        text = "\n".join(["```{eval-rst}", *lines, "```"])
        return self.parse_text_to_nodes(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("commands", Commands)
    app.add_directive("names", Names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
