"""The documents agree with the code."""

import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest
import typer
import zarr
from support.coded_scenes import write_coded
from support.notebooks import python_of
from typer.core import TyperGroup

from seaice.main import app
from seaice_data.preparation.prepare import prepare
from seaice_data.settings import ADDED
from seaice_data.store.group import FORMAT_VERSION
from seaice_data.store.origin import Origin
from seaice_data.synthetic.scene_set import write_scenes
from seaice_model.config.run_config import RunConfig
from seaice_model.study.questions import QUESTIONS

ROOT = Path(__file__).parent.parent
TYPED_PAGES = ("start", "own-network", "store")
"""Notebooks whose lines pass the strictest type checks, as README's own do."""

MOST_SECONDS = 60
"""What a snippet may take, also on scenes of full size."""


def table(title: str) -> dict[str, list[str]]:
    """Return the rows of a table of STORE.md by the name in their first column."""
    text = (ROOT / "seaice_data" / "STORE.md").read_text()
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [
        line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "
    ]
    return {row[0].strip("`"): row[1:] for row in rows if row[0].startswith("`")}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> zarr.Group:
    folder = tmp_path_factory.mktemp("docs")
    write_scenes(folder / "raw", 1, 203, "raw")
    write_coded(folder / "raw", 203, 251, "20190501T000000_cis")
    prepare(folder / "raw", str(folder / "store.zarr"))
    return zarr.open_group(str(folder / "store.zarr"), mode="r")


def test_store_md_names_every_array_with_its_axes_and_type(root: zarr.Group) -> None:
    scene = next(scene for _, scene in root["scenes"].groups() if "polygons" in scene)
    assert isinstance(scene, zarr.Group)
    arrays = dict(scene.arrays())
    documented = table("Arrays of a scene")
    assert set(documented) == set(arrays)
    for name, (axes, dtype, *_) in documented.items():
        assert ", ".join(arrays[name].metadata.dimension_names) == axes
        types = re.split(" or ", dtype)
        assert str(arrays[name].dtype).replace("StringDType()", "string") in types


def test_store_md_names_every_attribute(root: zarr.Group) -> None:
    assert set(table("Attributes of the root")) == set(root.attrs)
    for _, scene in root["scenes"].groups():
        assert set(table("Attributes of a scene")) == set(scene.attrs)
    unusual = Origin(absent_channels=("hv",), denoising="esa").unusual()
    assert set(table("Further attributes of some scenes")) == {"n_unseen", *unusual}


def test_store_md_gives_the_format_version(root: zarr.Group) -> None:
    assert root.attrs["format_version"] == FORMAT_VERSION
    text = (ROOT / "seaice_data" / "STORE.md").read_text()
    assert f"format version {FORMAT_VERSION}\n" in text


def study_md() -> str:
    return (ROOT / "seaice_model" / "STUDY.md").read_text()


def test_study_md_names_every_row_of_every_question() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| (.*) \|$", study_md(), re.MULTILINE)
    documented = {name: re.findall(r"`([a-z]+[\w-]*)`", text) for name, text in rows}
    assert documented == {
        name: [row.name for row in ready] for name, ready in QUESTIONS.items()
    }


def test_study_md_shows_eight_runs_of_all_nine_models() -> None:
    text = study_md()
    assert "QUICK STUDY" in text
    assert "are not finished" not in text
    # Model 1 is in two tables: Model 2 is compared with it in a study of its own.
    rows = re.findall(r"^\| (model\d) \| [^|]* \| (\d+) \|", text, re.MULTILINE)
    assert {name for name, _ in rows} == {f"model{n}" for n in range(1, 10)}
    assert all(int(n_runs) >= 8 for _, n_runs in rows)


def test_learning_md_gives_the_defaults_of_its_settings() -> None:
    text = (ROOT / "docs" / "learning.md").read_text()
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \| ([\w.]+) \|", text, re.MULTILINE)
    config = RunConfig()
    documented = {(table, name): default for table, name, default in rows}
    for (table, name), default in documented.items():
        value = getattr(getattr(config, table), name)
        assert default == {"True": "yes", "False": "no"}.get(str(value), str(value))
    added = {
        (table, setting.name)
        for table in ("model", "train", "augmentation")
        for setting in fields(getattr(config, table))
        if setting.metadata == ADDED
    }
    others = {("model", "fill_class"), ("train", "allow_leaks")}  # docs/profiles.md
    assert {*documented} == added - others | {("model", "sic")}


def blocks(kind: str, document: str = "README.md") -> list[str]:
    """Return the code blocks of a kind in a document, in order."""
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


def run_python(code: str, folder: Path) -> None:
    """Run a snippet in a folder, without warnings; print how long it took."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, check=True)
    elapsed_s = time.perf_counter() - start
    print(f"{elapsed_s:.1f} s: {code.strip().splitlines()[-1]}")  # noqa: T201
    assert elapsed_s < MOST_SECONDS


def run_store_md(folder: Path) -> None:
    """Run the snippets of STORE.md on the store of a folder."""
    code = [
        block for block in blocks("python", "seaice_data/STORE.md") if "s3://" not in block
    ]
    assert len(code) == 2
    run_python("".join(code), folder)


def run_readme(folder: Path, config_path: Path) -> None:
    """Run the commands and snippets of the README on the scenes of a folder."""
    commands = [shlex.split(c) for c in re.findall(r"\$ (.*)", "".join(blocks("console")))]
    assert [command[1] for command in commands] == ["prepare", "train", "predict"]
    # The recipe of the paper takes days on a CPU: train a small network instead.
    commands[1] += ["--config", str(config_path)]
    for command in commands:
        seaice = Path(sys.executable).with_name(command[0])
        subprocess.run([seaice, *command[1:]], cwd=folder, check=True)
    for code in blocks("python"):
        run_python(code, folder)
    assert len(list((folder / "maps").glob("*.png"))) == 1


def run_ingest_md(folder: Path) -> None:
    """Run the commands and snippets of the documents about own scenes."""
    commands = re.findall(r"\$ (.*)", "".join(blocks("console", "docs/ingest.md")))
    assert [command.split()[:2] for command in commands] == [
        ["seaice", "synth"],
        ["cd", "products/20190902T032653_cis"],
        ["seaice", "ingest"],
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = ["bash", "-ec", "\n".join(commands)]
    subprocess.run(script, cwd=folder, check=True, env={**os.environ, "PATH": path})
    products = folder / commands[1].split()[1]
    code = blocks("python", "docs/ingest.md") + blocks("python", "docs/scene-file.md")
    assert len(code) == 2
    for snippet in code:
        run_python(snippet, products)


def test_store_md_runs_on_any_store(store_path: str) -> None:
    run_store_md(Path(store_path).parent)


def test_the_readme_runs_in_order(
    raw_folder: Path, config_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raw").symlink_to(raw_folder)
    run_readme(tmp_path, config_path)
    numbers = re.findall(
        r"^(-?[\d.]+) (\d+\.\d+) (\d+)$", capfd.readouterr().out, re.MULTILINE
    )
    ((_, kelvin, _),) = numbers
    assert 220 < float(kelvin) < 300


def test_documents_about_own_scenes_run_in_order(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_ingest_md(tmp_path)
    assert "raw-2/20190902T032653_cis.nc" in capfd.readouterr().out
    files = [path.name for path in tmp_path.rglob("20190902T032653_cis.nc")]
    assert len(files) == 2


def test_synthetic_md_reads_the_hidden_truth(tmp_path: Path) -> None:
    write_scenes(tmp_path / "raw", 1, 300, "raw", truth=tmp_path / "raw-truth")
    (code,) = blocks("python", "docs/synthetic.md")
    run_python(code, tmp_path)


def test_learning_md_runs_on_a_store_with_polygons(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_scenes(tmp_path / "raw", 2, 300, "raw")
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"))
    code = blocks("python", "docs/learning.md")
    assert len(code) == 1
    run_python(code[0], tmp_path)
    printed = capfd.readouterr().out
    assert re.search(r"^[1-9]\d* regions, error \d\.\d{3}$", printed, re.MULTILINE)


@pytest.mark.skipif("SEAICE_DOCS_FULL_SIZE" not in os.environ, reason="takes minutes, 4 GB")
def test_documents_run_on_scenes_of_full_size(tmp_path: Path, config_path: Path) -> None:
    """``SEAICE_DOCS_FULL_SIZE=1 pytest -s tests/test_docs.py`` runs it, with times."""
    write_scenes(tmp_path / "raw", 6, 5000)
    run_readme(tmp_path, config_path)
    run_store_md(tmp_path)


def test_the_readme_is_read_in_a_minute_and_names_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 90
    for name in re.findall(r"`([\w/]+\.(?:md|png|toml|txt))`|\]\(([\w/]+\.\w+)\)", text):
        assert (ROOT / "".join(name)).is_file()


DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for place in ("*.md", "docs/*.md", "docs/api/*.md", "seaice_*/*.md")
    for path in ROOT.glob(place)
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str) -> None:
    text = (ROOT / document).read_text()
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)(#[^)]*)?\)", text)
    for link, _ in links:
        assert ((ROOT / document).parent / link).is_file(), link


_OF_COMMANDS = ("", "console", "bash", "sh", "{code-cell}")


def commands_of(document: str) -> list[list[str]]:
    """Return the words of the `seaice` commands in the code of a document."""
    text = (ROOT / document).read_text().replace("\\\n", " ")
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    fenced = "".join(body for kind, body in blocks if kind in _OF_COMMANDS)
    lines = [*fenced.splitlines(), *re.findall(r"^ {4}(.*)", text, re.MULTILINE)]
    lines = [line.strip().removeprefix("$ ") for line in lines]
    spans = re.findall(r"`(seaice [a-z][^`\n]*)`", text)
    found = [line for line in lines if line.startswith(("seaice ", "srun seaice "))]
    commands = [re.split(r"\|\||[|;&]| 2?>|  # ", line)[0] for line in [*found, *spans]]
    return [shlex.split(c.removeprefix("srun ")) for c in commands if c.count('"') % 2 == 0]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_have_the_options_that_documents_name(document: str) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for words in commands_of(document):
        name = words[1]
        if name.startswith("-") or name in ("COMMAND", "store"):  # `seaice store`: a format
            continue
        assert name in group.commands, words
        known = {
            o for p in group.commands[name].params for o in (*p.opts, *p.secondary_opts)
        }
        given = {word.split("=")[0] for word in words if re.match("--[a-z]", word)}
        assert given <= known | {"--help"}, words


def test_exactness_md_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "exactness.md").read_text()
    paths = list((ROOT / "tests").rglob("test_*.py"))
    assert set(re.findall(r"test_\w+\.py", text)) <= {path.name for path in paths}
    code = "".join(path.read_text() for path in paths)
    names = re.findall(r"::(test_\w+)", text)
    assert len(names) > 7
    assert [name for name in names if f"def {name}(" not in code] == []


@pytest.mark.slow
def test_the_readme_passes_the_strictest_type_checks(tmp_path: Path) -> None:
    """After `mypy`, whose cache is used, this takes a few seconds."""
    (tmp_path / "seaice").symlink_to(ROOT / "cli")  # where its types are once installed
    snippets = {f"readme_{k}.py": code for k, code in enumerate(blocks("python"))}
    snippets |= {f"{page.replace('-', '_')}.py": python_of(page) for page in TYPED_PAGES}
    for name, code in snippets.items():
        (tmp_path / name).write_text(code)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        ROOT / ".mypy_cache",
    ]
    places = f"{tmp_path}{os.pathsep}{ROOT}"
    done = subprocess.run(
        [*command, *(tmp_path / name for name in snippets)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"no issues found in {len(snippets)} source files" in done.stdout
