"""The references name everything: all commands and options, all public names."""

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from seaice.main import app

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def named_on_pages() -> list[str]:
    pages = "\n".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    return " ".join(re.findall(r"```\{names\}\n(.*?)```", pages, re.DOTALL)).split()


def test_pages_of_python_describe_every_public_name_once(reference: ModuleType) -> None:
    assert Counter(named_on_pages()) == Counter(list(reference.public_names()))


def test_the_page_of_commands_describes_all_of_them(reference: ModuleType) -> None:
    help_text = CliRunner().invoke(app, ["--help"]).output
    listed = re.findall(r"^  (\w+)  +\S", help_text.split("Commands:")[1], re.MULTILINE)
    assert list(reference.commands()) == listed
    assert "```{commands}" in (DOCS / "cli.md").read_text()


@pytest.mark.parametrize("name", ["prepare", "predict", "convert", "study", "bench"])
def test_a_command_has_every_option_that_its_help_prints(
    reference: ModuleType, name: str
) -> None:
    printed = CliRunner().invoke(app, [name, "--help"], terminal_width=80).output
    described = "\n".join(reference.described(name, reference.commands()[name]))
    options = re.findall(r"^  (-[^ ,]+(?:(?: /|,) -\S+)?)", printed, re.MULTILINE)
    assert "-h, --help" in options
    for option in options:
        assert f"`{option}" in described


def test_text_of_help_is_not_markup(reference: ModuleType) -> None:
    escaped = reference.escaped
    assert escaped("files 2018*_[a], $HOME | #1") == r"files 2018\*\_\[a\], \$HOME \| \#1"
    assert escaped("pass --accept-masks; see s3://bucket/a.zarr") == (
        "pass `--accept-masks`; see `s3://bucket/a.zarr`"
    )
