from pathlib import Path

import pytest
from matplotlib.figure import Figure
from support.learnable_scenes import TEST_SCENE

from seaice_data.errors import ForeignFileError
from seaice_data.sources.charts import charts_of
from seaice_data.store.store import Store
from seaice_data.system.ownership import FIGURE, PAGE, SUBMIT_SCRIPT, refuse_foreign
from seaice_model.errors import MapError
from seaice_model.maps.netcdf import describe
from seaice_model.pages.index import write_index
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.study.paper_figures import plot_figures
from seaice_model.study.slurm import write_slurm_script
from seaice_model.study.table import refuse_foreign_tables
from seaice_model.style import save_plot

PLAIN = PredictSettings(plots=False)


def test_files_that_seaice_wrote_are_recognised(
    tmp_path: Path, store: Store, run: Path
) -> None:
    picture, script = tmp_path / "picture.png", tmp_path / "job.sh"
    save_plot(Figure(), picture)
    refuse_foreign(picture, FIGURE)
    write_slurm_script(script, ["seaice"], 3, tmp_path / "study")
    refuse_foreign(script, SUBMIT_SCRIPT)
    predict_store(store, run, tmp_path, PLAIN, scenes=[TEST_SCENE])
    refuse_foreign(write_index(tmp_path), PAGE)
    refuse_foreign(tmp_path / "nothing", PAGE)


@pytest.mark.parametrize("name", ["index.html", f"{TEST_SCENE}.png"])
def test_prediction_does_not_start_if_files_of_others_are_in_the_way(
    tmp_path: Path, store: Store, run: Path, name: str
) -> None:
    theirs = tmp_path / name
    theirs.write_text("mine")
    with pytest.raises(ForeignFileError, match=f"{name}' that seaice did not write"):
        predict_store(store, run, tmp_path, scenes=[TEST_SCENE])
    assert [path.name for path in tmp_path.iterdir()] == [name]
    predict_store(store, run, tmp_path, PLAIN, scenes=[TEST_SCENE])
    assert theirs.read_text() == "mine"
    settings = PredictSettings(overwrite=True)
    predict_store(store, run, tmp_path, settings, scenes=[TEST_SCENE])
    refuse_foreign(theirs, PAGE if name == "index.html" else FIGURE)


def test_figures_of_version_0_1_next_to_their_map_are_replaced(
    tmp_path: Path, store: Store, run: Path
) -> None:
    picture = tmp_path / f"{TEST_SCENE}.png"
    predict_store(store, run, tmp_path, PLAIN, scenes=[TEST_SCENE])
    Figure().savefig(picture)
    again = PredictSettings(probabilities=True)  # which the map lacks
    predict_store(store, run, tmp_path, again, scenes=[TEST_SCENE])
    assert describe(picture.with_suffix(".nc")).has_probabilities
    refuse_foreign(picture, FIGURE)


def test_a_file_in_place_of_the_thumbnail_folder_is_found_before_predicting(
    tmp_path: Path, store: Store, run: Path
) -> None:
    (tmp_path / "index").write_text("mine")
    with pytest.raises(MapError, match="is in the way of the folder for thumbnails"):
        predict_store(store, run, tmp_path, scenes=[TEST_SCENE])
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


@pytest.mark.parametrize(
    "name", [f"scene_{TEST_SCENE}.png", "confusion_a.png", "classes.png"]
)
def test_plotting_does_not_start_if_files_of_others_are_in_the_way(
    tmp_path: Path, store: Store, run: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ForeignFileError, match=f"{name}' that seaice did not write"):
        plot_figures({"a": run}, charts_of(store), tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_figures_show_names_of_models_literally(
    tmp_path: Path, store: Store, run: Path
) -> None:
    report = plot_figures({r"$\frac$ 5$": run}, charts_of(store), tmp_path)
    assert all(path.is_file() for path in report.figures.values())


def test_tables_of_others_are_not_replaced(tmp_path: Path) -> None:
    refuse_foreign_tables(tmp_path / "new")
    (tmp_path / "table.csv").write_text("mine")
    with pytest.raises(ForeignFileError, match=r"table\.csv' that seaice did not write"):
        refuse_foreign_tables(tmp_path)
    refuse_foreign_tables(tmp_path, overwrite=True)
    (tmp_path / ".table.lock").touch()  # as after a study
    refuse_foreign_tables(tmp_path)
