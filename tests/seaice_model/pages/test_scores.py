from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from support.drawn_uncertainty import MANY, drawn, errors
from support.learnable_scenes import SCENES, TEST_SCENE
from support.webpages import check_page

from seaice_data.charts import SOD
from seaice_data.sources.charts import charts_of
from seaice_data.store.store import Store
from seaice_model.pages.scores import write_report
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.scores.calibration import CalibrationScorer
from seaice_model.scores.score import ScoreReport, score_maps


@pytest.fixture(scope="module")
def report(
    tmp_path_factory: pytest.TempPathFactory, run: Path, store: Store
) -> ScoreReport:
    path = tmp_path_factory.mktemp("maps")
    predict_store(
        store, run, path, PredictSettings(plots=False), scenes=[TEST_SCENE, SCENES[0]]
    )
    return score_maps(path, charts_of(store))


def test_the_report_is_one_valid_page(
    report: ScoreReport, store: Store, tmp_path: Path
) -> None:
    write_report(report, tmp_path / "scores.html", charts_of(store))
    images = check_page(tmp_path / "scores.html")
    assert all(image.startswith("data:") for image in images)
    assert len(images) == 2 + 2  # confusion of SIC, of SOD and FLOE; two scenes
    text = (tmp_path / "scores.html").read_text()
    for words in (
        "original charts (the challenge)", "charts enlarged again (official test)",
        "baseline: climatology", "Mean IoU of the classes", "SOD accuracy",
        "the class is missed", TEST_SCENE, "medium floe",
        "predict them again with --probabilities",
    ):  # fmt: skip
        assert words in text
    assert f"<td>{report.pooled.combined:.1f}</td>" in text


def test_a_report_says_what_its_maps_are_not(
    report: ScoreReport, store: Store, tmp_path: Path
) -> None:
    write_report(report, tmp_path / "scores.html", charts_of(store))
    text = (tmp_path / "scores.html").read_text()
    assert "not official ice charts: do not navigate by them" in text
    assert "in another way" not in text
    otherwise = replace(
        report, denoised_otherwise={TEST_SCENE: "denoising esa, trained on nersc"}
    )
    write_report(otherwise, tmp_path / "scores.html", charts_of(store))
    assert (
        "noise was removed from 1 of 2 scenes in another way than in training "
        "(denoising esa, trained on nersc)"
    ) in (tmp_path / "scores.html").read_text()


def test_a_page_does_not_call_the_hidden_truth_a_chart(
    report: ScoreReport, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "scores.html"
    write_report(replace(report, is_of_hidden_truth=True), path, charts_of(store))
    text = path.read_text()
    assert f"against the hidden truth in {report.truth}" in text
    assert ">hidden truth</t" in text
    assert f"Map and hidden truth of {TEST_SCENE}" in text
    assert "where the hidden truth shows a class" in text
    assert "original charts" not in text


def test_a_figure_that_fails_does_not_cost_the_report(
    report: ScoreReport, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_latex(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("latex could not be found")

    monkeypatch.setattr(FigureCanvasAgg, "print_to_buffer", no_latex)
    failed = write_report(report, tmp_path / "scores.html", charts_of(store))
    assert len(failed) == 2 + 2
    assert check_page(tmp_path / "scores.html") == []
    text = (tmp_path / "scores.html").read_text("utf-8")
    assert "Confusion matrix of SIC: cannot plot: latex could not be found." in text


def test_the_report_shows_calibration(
    report: ScoreReport, store: Store, tmp_path: Path
) -> None:
    scorer = CalibrationScorer()
    scorer.add_probabilities(SOD, *drawn())
    scorer.add_spread(*errors(0), n_votes=MANY)
    sure = replace(report, calibration=scorer.calibration())
    write_report(sure, tmp_path / "scores.html", charts_of(store))
    assert len(check_page(tmp_path / "scores.html")) == 5
    text = (tmp_path / "scores.html").read_text()
    assert "if the spread is right" in text
    assert "68 % if it is right: as expected" in text


def test_a_spread_of_unknown_origin_is_reported_but_not_judged(
    report: ScoreReport, store: Store, tmp_path: Path
) -> None:
    scorer = CalibrationScorer()
    scorer.add_spread(*errors(0))
    sure = replace(report, calibration=scorer.calibration())
    write_report(sure, tmp_path / "scores.html", charts_of(store))
    check_page(tmp_path / "scores.html")
    text = (tmp_path / "scores.html").read_text()
    assert "what to expect is not known" in text
    assert "as expected" not in text
