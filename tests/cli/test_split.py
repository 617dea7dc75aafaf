"""Cross-validation from the command line: folds, their trainings, maps of their scenes."""

import json
from pathlib import Path

from seaice_data.store.store import Store
from seaice_model.maps.netcdf import describe

TINY = (
    *("--preset", "tiny", "--set", "filters=[4, 8], patch_size=16, batch_size=2"),
    *("--set", "n_iterations=2, n_epochs=1"),
)


def test_a_fold_is_predicted_by_the_network_that_was_not_trained_on_it(
    seaice, store_path, tmp_path: Path
) -> None:
    folds = ("split", store_path, "--folds", 2, "--out", tmp_path)
    result = seaice(*folds)
    assert result.out.splitlines()[1] == f"{tmp_path}/fold-2.toml: validates on 2 scenes"
    assert f"--config {tmp_path}/fold-1.toml --run run-1`" in result.err
    listed = json.loads(seaice(*folds, "--json").out)["folds"]
    store = Store.open(store_path)
    both = {*store.splits["train"], *store.splits["validation"]}
    assert {scene for fold in listed for scene in fold["validation"]} == both
    run, maps = tmp_path / "run", tmp_path / "maps"
    config = ("--config", listed[0]["config"])
    assert seaice("train", store_path, "--run", run, *config, *TINY).code == 0
    where = f"id == {listed[0]['validation'][1]}"
    asked = ("--split", "validation", "--where", where, "--no-plots")
    assert seaice("predict", store_path, "--run", run, "--out", maps, *asked).code == 0
    (only,) = maps.glob("*.nc")
    assert only.stem == listed[0]["validation"][1]
    assert describe(only).provenance.scene_use == "validated"
    scored = seaice("score", maps)
    assert "1 of 1 scene was trained or validated on" in scored.err


def test_folds_go_with_a_seed_alone(seaice, store_path, tmp_path: Path) -> None:
    folds = ("split", store_path, "--folds", 2, "--out", tmp_path)
    assert seaice(*folds, "--allow-leaks").code == 2
    result = seaice("split", store_path, "--folds", 9, "--out", tmp_path)
    assert (result.code, "cannot be divided into 9 folds" in result.err) == (1, True)
    assert not list(tmp_path.iterdir())
