"""Pages that are notebooks: `make docs` runs them whole, these tests on a small store."""

import shutil
from pathlib import Path

import pytest
from support.notebooks import DOCS, cells, python_of, run

NOTEBOOKS = sorted(
    path.stem for path in DOCS.glob("*.md") if "\nkernelspec:\n" in path.read_text()
)


@pytest.fixture
def folder(store_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, in which there is a store."""
    shutil.copytree(store_path, tmp_path / "store.zarr")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    return tmp_path


def test_cells_are_found_with_their_tags() -> None:
    first, *_ = cells("store")
    assert first.tags == {"makes-store", "remove-output"}
    assert first.code.startswith("from seaice import ")
    assert {"start", "own-network", "store"} <= {*NOTEBOOKS}
    assert [cell.code.split()[1] for cell in cells("start") if cell.is_shell] == [
        *("synth", "prepare", "train", "predict", "score")
    ]


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_every_cell_of_a_page_is_found(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text()
    assert len(cells(page)) == text.count("{code-cell}") > 0
    compile(python_of(page), f"{page}.md", "exec")


def test_a_network_of_ones_own_is_trained_scored_and_drawn(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = run("own-network", folder, without="makes-store")
    printed = capfd.readouterr().out
    assert "original charts (the challenge)" in printed
    assert "(32, 32) (4, 32, 32)" in printed
    assert {*found["batch"]} == {"image", "mask_SIC", "mask_SOD", "mask_FLOE"}
    assert len(list(folder.glob("my-maps/*.nc"))) == 1
    assert found["tiled"]["SOD"].shape == found["shares"]["SOD"].shape


def test_the_page_about_stores_runs_on_any_store(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = run("store", folder, without="makes-store")
    printed = capfd.readouterr().out
    assert "6 scenes\n" in printed
    assert " K\n" in printed
    assert len(found["table"]) == 6
    assert (folder / "scenes.gpkg").is_file()
    assert found["patches"][0]["inputs"].shape == (32, 32, 3)
