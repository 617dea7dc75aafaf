"""Cheap truths about the site that `make docs` builds; Sphinx checks the links itself."""

import re
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(
    str(path.relative_to(DOCS).with_suffix(""))
    for path in DOCS.rglob("*.md")
    if "_build" not in path.parts
)


def menu(page: str) -> list[str]:
    """Return the pages that a page has in its menu, and those that they have in theirs."""
    text = (DOCS / f"{page}.md").read_text()
    entries = re.findall(r"```\{toctree\}\n(?::[^\n]*\n)*(.*?)```", text, re.DOTALL)
    folder = Path(page).parent
    names = [str(folder / name) for name in "".join(entries).split()]
    return [*names, *(below for name in names for below in menu(name))]


def test_every_page_is_in_the_menu_once() -> None:
    assert sorted(menu("index")) == [page for page in PAGES if page != "index"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_starts_with_one_title(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text()
    if (included := re.match(r"```\{include\} (\S+)", text)) is not None:
        text = (DOCS / included[1]).read_text()
    prose = re.sub(
        r"\A---\n.*?\n---\n|^(`{3,})[^\n]*\n.*?^\1$", "", text, flags=re.S | re.M
    )
    assert len(re.findall(r"^# \S", prose, re.MULTILINE)) == 1
    assert prose.lstrip().startswith("# ")


def test_the_page_on_installing_names_every_extra() -> None:
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
    text = (DOCS / "install.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(project["optional-dependencies"])


def test_what_notebooks_write_is_not_in_the_repository() -> None:
    assert "\n/docs/_build/\n" in (DOCS.parent / ".gitignore").read_text()
    configuration = (DOCS / "conf.py").read_text()
    assert "nb_execution_in_temp = True" in configuration
    assert 'nb_execution_mode = "force"' in configuration
