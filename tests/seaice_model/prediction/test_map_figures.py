"""Figures and pages that fail do not cost the map."""

from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from support.learnable_scenes import SCENES, TEST_SCENE, UNCHARTED

from seaice_data.errors import ForeignFileError, SettingsError
from seaice_data.store.store import Store
from seaice_model.prediction.predict import PredictSettings, predict_store


def test_an_entry_of_the_page_that_cannot_be_written_does_not_cost_the_map(
    tmp_path: Path, store: Store, run: Path
) -> None:
    in_the_way = tmp_path / "index" / f"{SCENES[0]}.json"
    in_the_way.mkdir(parents=True)
    report = predict_store(store, run, tmp_path, scenes=(SCENES[0], TEST_SCENE))
    assert (report.n_written, report.failed) == (2, ())
    failure, page = report.plots_failed
    assert (failure.name, page.name) == (SCENES[0], "index.html")
    assert str(in_the_way) in failure.reason


def test_a_polar_figure_is_written_beside_the_other(
    tmp_path: Path, store: Store, run: Path
) -> None:
    """Figures that are asked for later are added to kept maps."""
    polar = PredictSettings(geometries=("polar",), dpi=40)
    names = []
    for settings in (PredictSettings(dpi=40), polar):
        report = predict_store(store, run, tmp_path, settings, scenes=[TEST_SCENE])
        assert report.plots_failed == ()
        names.append({path.name for path in tmp_path.glob("*.png")})
    assert (report.n_kept, report.n_written) == (1, 0)
    assert names == [
        {f"{TEST_SCENE}.png"},
        {f"{TEST_SCENE}.png", f"{TEST_SCENE}_polar.png"},
    ]
    page = (tmp_path / "index.html").read_text()
    assert f'<a href="{TEST_SCENE}_polar.png">on a polar grid</a>' in page
    (tmp_path / f"{UNCHARTED}_polar.png").write_bytes(b"of somebody else")
    with pytest.raises(ForeignFileError, match=r"_polar\.png"):
        predict_store(store, run, tmp_path, polar, scenes=[UNCHARTED])


def test_figures_that_cannot_be_made_are_refused() -> None:
    with pytest.raises(SettingsError, match="geometry 'poler'"):
        PredictSettings(geometries=("poler",))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="dpi must be from 20 to 600, got 5"):
        PredictSettings(dpi=5)
    with pytest.raises(SettingsError, match="no geometry of the figures is given"):
        PredictSettings(geometries=())
    assert PredictSettings(geometries=(), plots=False).figures.geometries == ()


def no_latex(*_arguments: object, **_options: object) -> None:
    raise RuntimeError("latex could not be found")


def test_a_plot_that_fails_does_not_cost_the_map(
    tmp_path: Path, store: Store, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without_latex:
        without_latex.setattr(FigureCanvasAgg, "print_to_buffer", no_latex)
        report = predict_store(store, run, tmp_path / "maps", device="cpu")
    assert (report.n_written, report.failed) == (2, ())
    assert {failure.name for failure in report.plots_failed} == {TEST_SCENE, UNCHARTED}
    assert report.plots_failed[0].reason == "cannot plot: latex could not be found"
    again = predict_store(store, run, tmp_path / "maps", device="cpu")
    assert (again.n_kept, again.plots_failed) == (2, ())
    assert (tmp_path / "maps" / f"{TEST_SCENE}.png").is_file()
