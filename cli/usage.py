"""How commands show their usage: plain names of arguments and values, errors in words.

Typer writes ``{raw}``, ``<list[str]>`` and what its parser of types says. Here arguments
are written as in the documents, and an error says what value is wrong.
"""

import re
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand

from seaice_data.texts import printable, shortened

UsageError: type[Any] = typer.BadParameter.__mro__[1]  # Typer has a copy of click inside

_NAMES: Mapping[str, str] = {
    "int": "INTEGER",
    "float": "NUMBER",
    "str": "TEXT",
    "path": "PATH",
    "Path": "PATH",
}
"""What values of an option are called, by the name of their type."""

_WORDS: Mapping[str, str] = {
    "int_parsing": "{input!r:.80} is not a whole number",
    "int_from_float": "{input!r:.80} is not a whole number",
    "float_parsing": "{input!r:.80} is not a number",
    "greater_than_equal": "{input!r:.80} is below {ge}",
    "less_than_equal": "{input!r:.80} is above {le}",
}
"""What is wrong with a value, by the kind of error of the library that reads it."""


class PlainCommand(TyperCommand):
    """A command whose help names arguments and values plainly."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            if parameter.param_type_name == "argument" and parameter.metavar is None:
                parameter.metavar = str(parameter.name).upper()

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line: ``[OPTIONS] RAW STORE``."""
        pieces = super().collect_usage_pieces(ctx)
        return [re.sub(r"^\{(.*)\}(\.\.\.)?$", r"\1\2", piece) for piece in pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write what arguments and options mean."""
        sections: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                kind, (name, text) = parameter.param_type_name, record
                if kind == "argument":
                    name = f"{parameter.metavar}{'...' * (parameter.nargs != 1)}"
                sections[kind].append((with_plain_types(name), text))
        for title, lines in zip(("Arguments", "Options"), sections.values(), strict=True):
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)


def with_plain_types(name: str) -> str:
    """Return an option with its kind of values as people write them.

    Examples
    --------
    >>> with_plain_types("--run <list[Path]>"), with_plain_types("--jobs <int range>")
    ('--run PATH', '--jobs INTEGER')
    >>> with_plain_types("--to <list[tif|shp]>"), with_plain_types("--part I/N")
    ('--to [tif|shp]', '--part I/N')
    """

    def plain(found: re.Match[str]) -> str:
        return _NAMES.get(found[1], f"[{found[1]}]")

    return re.sub(r"<(?:list\[)?([^<>\[\]]+?)(?: range)?\]?>$", plain, name)


def error_in_words(error: Any) -> str:
    """Return the message of a usage error on one line, with the value that is wrong."""
    found = getattr(error.__cause__, "errors", None)
    if callable(found) and (details := found()):
        first = details[0]
        if (words := _WORDS.get(first["type"])) is not None:
            return printable(words.format(input=first["input"], **first.get("ctx", {})))
    return printable(shortened(str(error.message).removeprefix("Value error, "), 2000))
