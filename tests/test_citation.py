"""Files that other services read say what the project says."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from seaice_data.download.fetch import DOI, MIRROR

ROOT = Path(__file__).parent.parent
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_citation_names_this_version_and_what_the_readme_names() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["version"] == version("seaice")
    readme = (ROOT / "README.md").read_text()
    for reference in citation["references"]:
        assert f"https://doi.org/{reference['doi']}" in readme
        for author in reference["authors"]:
            assert set(author) == {"given-names", "family-names"}


def test_the_page_on_data_names_what_is_fetched() -> None:
    text = (ROOT / "docs" / "data.md").read_text()
    assert f"https://doi.org/{DOI}" in text
    assert f"https://huggingface.co/datasets/{MIRROR}" in text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_of_issues_ask_questions(path: Path) -> None:
    template = yaml.safe_load(path.read_text())
    if path.name == "config.yml":
        assert all({"name", "url", "about"} == set(c) for c in template["contact_links"])
        return
    assert {"name", "description", "body"} <= set(template)
    questions = [part for part in template["body"] if part["type"] != "markdown"]
    assert all(re.fullmatch("[a-z]+", part["id"]) for part in questions)
    assert all(part["attributes"]["label"] for part in questions)
