import json
from pathlib import Path

import pytest
import torch
from learnable_scenes import TINY
from safetensors import safe_open

from seaice_data.channels import find_channel
from seaice_data.store import Store
from seaice_model.checkpoint import (
    RunFolder,
    load,
    load_best,
    load_settings,
    save,
    weights_fingerprint,
)
from seaice_model.errors import RunError


def test_a_checkpoint_survives_being_written_and_read(run: Path, tmp_path: Path) -> None:
    checkpoint = load(RunFolder(run).last)
    save(checkpoint, tmp_path / "copy.safetensors")
    again = load(tmp_path / "copy.safetensors")
    assert (again.settings, again.state) == (checkpoint.settings, checkpoint.state)
    for ours, theirs in (
        (again.weights, checkpoint.weights),
        (again.momentum, checkpoint.momentum),
    ):
        assert set(ours) == set(theirs)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_carries_what_predicting_and_resuming_need(
    run: Path, store: Store
) -> None:
    checkpoint = load(RunFolder(run).last)
    assert checkpoint.settings.config == TINY
    assert checkpoint.settings.store.fingerprint == store.fingerprint
    assert checkpoint.settings.store.means == (
        find_channel("hh").mean,
        find_channel("hv").mean,
    )
    assert checkpoint.state.next_patch == 3 * 4 * 4
    trained = {name for name, _ in checkpoint.network().named_parameters()}
    assert set(checkpoint.momentum) == trained
    assert not checkpoint.network().training


def test_weights_can_be_read_without_us(run: Path) -> None:
    with safe_open(RunFolder(run).best, framework="np") as file:
        header = json.loads(file.metadata()["seaice"])
        assert file.get_tensor("weights.heads.0.weight").shape == (1, 4, 1, 1)
    assert header["settings"]["config"]["model"]["channels"] == ["hh", "hv"]


def test_settings_are_json_for_people(run: Path) -> None:
    folder = RunFolder(run)
    assert json.loads(folder.settings.read_text())["config"]["train"]["n_epochs"] == 3
    assert load_settings(folder.settings) == load(folder.last).settings


def test_the_fingerprint_follows_the_weights(run: Path) -> None:
    checkpoint = load(RunFolder(run).last)
    before = weights_fingerprint(checkpoint)
    assert before == weights_fingerprint(load(RunFolder(run).last))
    checkpoint.weights["heads.0.bias"].add_(1e-6)
    assert weights_fingerprint(checkpoint) != before


def test_a_missing_run_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run at '.*nowhere'") as caught:
        load_best(tmp_path / "nowhere")
    assert "seaice train" in str(caught.value.hint)


def test_a_run_without_an_epoch_is_told_from_a_missing_one(
    run: Path, tmp_path: Path
) -> None:
    text = RunFolder(run).settings.read_text()
    RunFolder(tmp_path).settings.write_text(text)
    with pytest.raises(RunError, match="has no finished epoch"):
        load_best(tmp_path)


def test_another_file_is_no_checkpoint(tmp_path: Path, run: Path) -> None:
    path = tmp_path / "best.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(RunError, match="is not a checkpoint of seaice"):
        load(path)
    path.write_bytes(RunFolder(run).best.read_bytes()[:-8])
    with pytest.raises(RunError, match="is not a checkpoint of seaice"):
        load(path)
    with pytest.raises(RunError, match="no checkpoint at"):
        load(tmp_path / "none.safetensors")


def test_settings_of_another_version_are_refused(tmp_path: Path, run: Path) -> None:
    text = RunFolder(run).settings.read_text().replace('"patch_size"', '"patch"')
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(RunError, match="do not fit: unknown setting 'patch'"):
        load_settings(tmp_path / "settings.json")
