"""The card of a run says what its files say, and nothing else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from support.command_results import Result

from seaice_data.errors import ForeignFileError, SettingsError
from seaice_data.store.store import Store
from seaice_model.errors import MapError, RunError
from seaice_model.networks.unet import MultiTaskUNet
from seaice_model.pages.card import NAME, write_card
from seaice_model.prediction.predictor import Predictor
from seaice_model.runs.checkpoint import load_best, save, weights_fingerprint
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import read_log


@pytest.fixture(scope="module")
def scores(run: Path, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return scores of maps of test scenes, as the command prints them."""
    folder = tmp_path_factory.mktemp("scores")
    words = ("--run", run, "--out", folder / "maps", "--no-plots", "--device", "cpu")
    assert Result("predict", store.path, *words).code == 0
    done = Result("score", folder / "maps", "--truth", store.path, "--json")
    assert done.code == 0
    (folder / "scores.json").write_text(done.out)
    return folder / "scores.json"


@pytest.fixture
def folder(run: Path, tmp_path: Path) -> Path:
    """Return a copy of the run, to write to."""
    return Path(shutil.copytree(run, tmp_path / "run"))


def table(text: str, title: str) -> list[list[str]]:
    """Return the cells of the first table after a title."""
    lines = text.split(f"{title}\n", 1)[1].splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_a_card_has_the_scores_of_the_best_epoch(folder: Path) -> None:
    assert write_card(folder) == folder / NAME
    text = (folder / NAME).read_text()
    checkpoint = load_best(folder)
    best = read_log(RunFolder(folder).log)[(checkpoint.state.best_epoch or 1) - 1]
    heading, _, row = table(text, "## Scores")
    assert heading == ["run", "epoch", "combined", "SIC R2", "SOD F1", "FLOE F1"]
    numbers = (best.combined, best.sic, best.sod, best.floe)
    assert row == ["run", str(best.epoch), *(f"{number:.1f}" for number in numbers)]
    assert weights_fingerprint(checkpoint) in text
    assert "How good it is on scenes that it has not seen is not known" in text


def test_a_card_counts_the_scenes_of_each_month(folder: Path) -> None:
    settings = load_best(folder).settings
    rows = table(write_card(folder).read_text(), "## Data")
    for row, scenes in zip(
        rows[2:], (settings.train_scenes, settings.validation_scenes), strict=True
    ):
        months = [0 if cell == "-" else int(cell) for cell in row[1:13]]
        assert sum(months) == len(scenes)
        assert all(months[scene.acquired.month - 1] for scene in scenes)
        assert row[14].startswith(str(min(scene.acquired.year for scene in scenes)))


def test_hugging_face_reads_the_head(folder: Path, scores: Path) -> None:
    path = write_card(folder, scores=scores, licence="cc-by-4.0", repository="me/model-1")
    text = path.read_text()
    data = ModelCard(text).data
    assert (data.library_name, data.license) == ("seaice", "cc-by-4.0")
    pooled = json.loads(scores.read_text())["pooled"]
    found = {result.metric_type: result.metric_value for result in data.eval_results or ()}
    assert found == {name.lower(): round(value, 2) for name, value in pooled.items()}
    assert data.model_name == "model-1"
    assert "--run hf://me/model-1 " in text


def test_a_card_shows_scores_of_maps(folder: Path, scores: Path) -> None:
    text = write_card(folder, scores=scores).read_text()
    report = json.loads(scores.read_text())
    rows = table(text, "### Scores of maps")
    assert rows[2] == ["this network", *(f"{v:.1f}" for v in report["pooled"].values())]
    sod = report["grids"]["original"]["classes"]["SOD"]
    classes = table(text, f"SOD: mean IoU {sod['mean_iou']:.1f} %, pixel accuracy "
                          f"{sod['pixel_accuracy']:.1f} %")  # fmt: skip
    assert [row[0] for row in classes[2:]][:2] == ["open water", "new ice"]
    assert [row[3] for row in classes[2:]] == [f"{f1:.1f}" for f1 in sod["class_f1"]]
    assert "not seen is not known" not in text


def changed(path: Path, **changes: object) -> None:
    """Change the settings of a run, and its weights."""
    checkpoint = load_best(path)
    settings = replace(checkpoint.settings, **changes)  # type: ignore[arg-type]
    weights = {name: tensor + 1 for name, tensor in checkpoint.weights.items()}
    save(replace(checkpoint, settings=settings, weights=weights), RunFolder(path).best)


@pytest.fixture
def seeds(run: Path, tmp_path: Path) -> Path:
    """Return a folder of two seeds with other weights and other validation scenes."""
    for seed in (0, 1):
        shutil.copytree(run, tmp_path / "runs" / f"seed-{seed}")
    settings = load_best(run).settings
    first, *others = settings.train_scenes
    drawn = (*others, *settings.validation_scenes)
    changed(tmp_path / "runs" / "seed-1", train_scenes=drawn, validation_scenes=(first,))
    return tmp_path / "runs"


def test_seeds_have_one_card_with_mean_and_deviation(seeds: Path) -> None:
    text = write_card(seeds).read_text()
    rows = table(text, "## Scores")
    assert [row[0] for row in rows[2:]] == ["seed-0", "seed-1", "mean (standard deviation)"]
    assert rows[4][2] == f"{rows[2][2]} (0.0)"
    checkpoints = [load_best(seeds / f"seed-{k}") for k in (0, 1)]
    joint = Predictor.load([seeds], torch.device("cpu")).weights
    for printed in (joint, *map(weights_fingerprint, checkpoints)):
        assert printed in text
    titles = [row[0] for row in table(text, "## Data")[2:]]
    assert titles == [f"{part} of seed-{k}" for k in (0, 1)
                      for part in ("training", "validation")]  # fmt: skip
    assert "others for each network" in text
    assert "in the folder of each run" in text


def test_what_a_card_says_in_python_runs(
    folder: Path, seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, name, n in ((folder, "network", 1), (seeds, "networks", 2)):
        text = write_card(path).read_text()
        code = text.split("```python\n")[1].split("```")[0]
        monkeypatch.chdir(path.parent)
        names: dict[str, Any] = {}
        exec(code.replace('"run', f'"{path.name}'), names)  # noqa: S102 - as users do
        found = names[name] if n > 1 else [names[name]]
        assert [type(one) for one in found] == [MultiTaskUNet] * n


def test_seeds_must_differ_in_nothing_else(seeds: Path) -> None:
    config = load_best(seeds / "seed-1").settings.config
    turned = replace(config.augmentation, flip_x=0.25)
    changed(seeds / "seed-1", config=replace(config, augmentation=turned))
    with pytest.raises(RunError, match=r"in more than their seeds: flip_x: 0.5 instead"):
        write_card(seeds)
    changed(seeds / "seed-1", config=config)
    store = load_best(seeds / "seed-1").settings.store
    changed(seeds / "seed-1", store=replace(store, fingerprint="other", path="moved"))
    with pytest.raises(RunError, match=r"their seeds: fingerprint: .* instead of .other"):
        write_card(seeds)


def test_scores_of_one_seed_are_not_those_of_all(seeds: Path, scores: Path) -> None:
    rows = table(write_card(seeds, scores=scores).read_text(), "### Scores of maps")
    assert rows[2][0] == "seed-0"
    report = json.loads(scores.read_text())
    report["weights"] = Predictor.load([seeds], torch.device("cpu")).weights
    path = seeds.parent / "scores.json"
    path.write_text(json.dumps(report))
    rows = table(write_card(seeds, scores=path).read_text(), "### Scores of maps")
    assert rows[2][0] == "these 2 networks together"


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ("0123456789abcdef", "has scores of another network: .* 0123456789abcdef, those"),
        ("", "does not say which network made the maps"),
        (None, "does not say which network made the maps"),
    ],
)
def test_scores_of_another_network_are_refused(
    folder: Path, scores: Path, weights: str | None, reason: str
) -> None:
    report = json.loads(scores.read_text())
    del report["weights"]
    path = folder.parent / "scores.json"
    path.write_text(
        json.dumps(report if weights is None else report | {"weights": weights})
    )
    with pytest.raises(MapError, match=reason):
        write_card(folder, scores=path)
    assert not (folder / NAME).exists()


def test_the_hidden_truth_is_not_called_a_chart(folder: Path, scores: Path) -> None:
    report = json.loads(scores.read_text())
    path = folder.parent / "scores.json"
    path.write_text(json.dumps(report | {"is_of_hidden_truth": True}))
    text = write_card(folder, scores=path).read_text()
    assert "all pixels of the hidden truth of synthetic scenes together" in text
    assert "original charts" not in text
    results = ModelCard(text).data.eval_results or ()
    assert {result.dataset_type for result in results} == {"hidden-truth"}


def test_a_card_is_written_again_but_an_edited_one_is_not(folder: Path) -> None:
    path = write_card(folder)
    before = path.read_text()
    write_card(folder, licence="mit")
    assert "license" in path.read_text()
    write_card(folder)
    assert path.read_text() == before
    path.write_text(before + "\nMy remark.\n")
    with pytest.raises(ForeignFileError, match="edited since"):
        write_card(folder)
    path.write_text("# Mine\n")
    with pytest.raises(ForeignFileError, match="did not write"):
        write_card(folder)
    assert path.read_text() == "# Mine\n"
    write_card(folder, overwrite=True)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[", "it is not JSON"),
        ("{}", "is missing"),
        (
            '{"run": "", "pooled": {}, "grids": {}, "baselines": {}, '
            '"edge": {"mean_km": null}, "seen": []}',
            "no scores on the original charts",
        ),
    ],
)
def test_other_files_are_not_scores(folder: Path, content: str, reason: str) -> None:
    path = folder.parent / "scores.json"
    path.write_text(content)
    with pytest.raises(MapError, match=f"not a report of scores: .*{reason}"):
        write_card(folder, scores=path)
    assert not (folder / NAME).exists()


def test_scores_must_fit_the_charts(folder: Path, scores: Path) -> None:
    report = json.loads(scores.read_text())
    report["grids"]["original"]["classes"]["SOD"]["class_f1"].pop()
    path = folder.parent / "scores.json"
    path.write_text(json.dumps(report))
    with pytest.raises(MapError, match="SOD must have 6 classes"):
        write_card(folder, scores=path)


def test_what_files_say_cannot_form_the_card(folder: Path, scores: Path) -> None:
    report = json.loads(scores.read_text())
    report["run"] = "# Best |\x1b[31m <script>"
    path = folder.parent / "scores.json"
    path.write_text(json.dumps(report))
    text = write_card(folder, scores=path).read_text()
    assert r"\# Best \|\\x1b\[31m \<script\>" in text


def test_what_cannot_be_a_licence_or_a_repository_is_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match="not the identifier of a licence"):
        write_card(folder, licence="my own")
    with pytest.raises(SettingsError, match="not a repository"):
        write_card(folder, repository="model")


def test_a_run_at_a_url_has_no_folder_for_a_card() -> None:
    done = Result("card", "hf://owner/name")
    assert done.code == 1
    assert "is written from its folder, not from 'hf://owner/name'" in done.err


def test_without_a_run_there_is_no_card(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run at"):
        write_card(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_command_names_the_file(folder: Path) -> None:
    done = Result("card", folder, "--license", "mit")
    assert (done.code, done.out) == (0, f"{folder / NAME} written\n")
    assert json.loads(Result("card", folder, "--json").out) == {"file": str(folder / NAME)}
