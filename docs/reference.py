"""References made from the code at the build: of the commands, and of the public names.

- ``{commands}`` describes every command of ``seaice`` as its ``--help`` does.
- ``{names}`` describes the public names that its lines list, from their docstrings.
"""

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
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


def context_of(name: str) -> Any:
    """Return the context in which a command of ``seaice`` says what it takes."""
    from seaice.main import app

    group: Any = typer.main.get_command(app)
    parent = group.make_context("seaice", [], resilient_parsing=True)
    command = group.commands[name]
    return command.make_context(name, [], parent=parent, resilient_parsing=True)


def public_names() -> list[str]:
    """Return the public names of both libraries, as ``__init__.pyi`` lists them."""
    stubs = [
        (ROOT / package / "__init__.pyi").read_text()
        for package in ("seaice_data", "seaice_model")
    ]
    return re.findall(r"\bas (\w+)", "\n".join(stubs))


class Sections:
    """Keeps what a command writes of its arguments and options, in place of printing it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        """Write a title."""
        self.lines += [f"**{title}**", ""]
        yield

    def write_dl(self, rows: list[tuple[str, str]]) -> None:
        """Write names and what they mean."""
        for name, meaning in rows:
            self.lines += [f"`{name}`", f": {escaped(meaning)}", ""]


def escaped(text: str) -> str:
    """Return a text in Markdown, in which nothing is markup but options and URLs."""
    text = re.sub(r"([\\`*_<\[\]$#|])", r"\\\1", text)
    return re.sub(r"(?<![\w-])(--[\w-]+|\w+://[\w./:]+)", r"`\1`", text)


def described(name: str, command: Any) -> Iterator[str]:
    """Yield the lines of Markdown that describe a command."""
    context = context_of(name)
    yield from (f"## {name}", "")
    yield from ("```text", command.get_usage(context).removeprefix("Usage: "), "```", "")
    for paragraph in inspect.cleandoc(command.help).split("\n\n"):
        text = " ".join(paragraph.split())
        if text.startswith("Example: "):
            yield from ("```console", f"$ {text.removeprefix('Example: ')}", "```", "")
        else:
            yield from (escaped(text), "")
    sections = Sections()
    command.format_options(context, sections)
    yield from sections.lines


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
        lines = [
            ".. currentmodule:: seaice",
            "",
            ".. autosummary::",
            "   :nosignatures:",
            "",
        ]
        lines += [*(f"   {name}" for name in names), ""]
        for name in names:
            kind = kind_of(getattr(seaice, name))
            lines.append(f".. {kind}:: {name}")
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
