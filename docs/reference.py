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
from sphinx.pycode import ModuleAnalyzer
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


def public_names() -> dict[str, str]:
    """Return the module of every public name of both libraries, by ``__init__.pyi``."""
    modules = {}
    for package in ("seaice_data", "seaice_model"):
        text = (ROOT / package / "__init__.pyi").read_text()
        for module, name in re.findall(r"from (\.[\w.]+) import \(?\s*(\w+) as", text):
            modules[name] = f"{package}{module}"
    return modules


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


def documented(name: str) -> tuple[str, str]:
    """Return the directive that describes a public name, and its docstring."""
    import seaice

    value = getattr(seaice, name)
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, Exception) else "autoclass"
    elif inspect.isroutine(value):
        kind = "autofunction"
    else:  # a constant, whose docstring follows it
        texts = ModuleAnalyzer.for_module(public_names()[name]).find_attr_docs()
        return "data", "\n".join(texts["", name]).strip()
    return kind, inspect.getdoc(value) or ""


def shortened(*event: Any) -> tuple[str | None, str | None]:
    """Leave defaults out of a signature that are long, or made anew each time."""
    *_, signature, returned = event
    if signature is not None:
        signature = re.sub(r"= (<factory>|\([^()]{60,}\))", "= ...", signature)
    return signature, returned


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
        names = " ".join(self.content).split()
        table = [".. list-table::", "   :widths: auto", ""]
        full = []
        for name in names:
            kind, text = documented(name)
            summary = " ".join(text.split("\n\n")[0].split())
            table += [f"   * - `{name}`", f"     - {summary}"]
            full.append(f".. {kind}:: {name}")
            if kind == "autoclass":
                full += ["   :members:", "   :undoc-members:"]
            if kind == "data":
                full += ["", *(f"   {line}" for line in text.splitlines())]
            full.append("")
        lines = [".. currentmodule:: seaice", "", *table, "", *full]
        text = "\n".join(["```{eval-rst}", *lines, "```"])
        return self.parse_text_to_nodes(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("commands", Commands)
    app.add_directive("names", Names)
    app.connect("autodoc-process-signature", shortened)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
