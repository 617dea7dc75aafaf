import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from learnable_scenes import TINY
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from seaice_data.channels import find_channel
from seaice_data.store import Store
from seaice_model.checkpoint import (
    load,
    load_best,
    load_settings,
    save,
    weights_fingerprint,
)
from seaice_model.errors import RunError
from seaice_model.run_folder import RunFolder


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


def test_a_checkpoint_that_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    path.mkdir()
    with pytest.raises(RunError, match=r"cannot read '.*': Is a directory") as caught:
        load(path)
    assert caught.value.hint is None


def test_unknown_settings_are_refused(tmp_path: Path, run: Path) -> None:
    text = RunFolder(run).settings.read_text().replace('"patch_size"', '"patch"')
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(RunError, match="is damaged: unknown setting 'patch'"):
        load_settings(tmp_path / "settings.json")


@pytest.mark.parametrize(
    "content", [b"[]", b"5", b"null", b'"x"', b"{}", b'{"config": 5}', b"{", b"\xff\xfe"]
)
def test_damaged_settings_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "settings.json").write_bytes(content)
    with pytest.raises(RunError, match=r"settings\.json' is damaged: ") as caught:
        load_settings(tmp_path / "settings.json")
    assert "--overwrite" in str(caught.value.hint)


MODEL = ("settings", "config", "model")


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        ((), [], "list indices must be"),
        (("state",), None, "must be"),
        (("settings", "software"), 5, "software must be str, got 5"),
        (("state", "losses"), [1.0], "losses must be 4 numbers, got 1"),
        (
            (*MODEL, "filters"),
            [4, 9],
            r"has shape \(8, 4, 3, 3\) instead of \(9, 4, 3, 3\)",
        ),
        ((*MODEL, "filters"), [65536, 65536], r"instead of \(65536, 2, 3, 3\)"),
        (("settings", "store", "means"), [0.0], r"one number a channel \(2\), got 1"),
    ],
)
def test_a_damaged_header_is_named_with_what_is_wrong(
    tmp_path: Path, run: Path, keys: tuple[str, ...], value: object, words: str
) -> None:
    path = tmp_path / "best.safetensors"
    with safe_open(RunFolder(run).best, framework="pt") as file:
        whole: Any = {"": json.loads(file.metadata()["seaice"])}
    *parents, last = ("", *keys)
    table = whole
    for key in parents:
        table = table[key]
    table[last] = value
    tensors = load_file(RunFolder(run).best)
    save_file(tensors, path, metadata={"seaice": json.dumps(whole[""])})
    with pytest.raises(
        RunError, match=rf"best\.safetensors' is damaged: .*{words}"
    ) as caught:
        load(path)
    assert "copy" in str(caught.value.hint)


@pytest.mark.parametrize("key", ["format_version", "settings", "state"])
def test_a_header_that_lacks_a_key_is_damaged(tmp_path: Path, run: Path, key: str) -> None:
    with safe_open(RunFolder(run).best, framework="pt") as file:
        header = json.loads(file.metadata()["seaice"])
    del header[key]
    path = tmp_path / "best.safetensors"
    save_file(load_file(RunFolder(run).best), path, metadata={"seaice": json.dumps(header)})
    with pytest.raises(RunError, match=f"is damaged: '{key}' is missing"):
        load(path)


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("weights.heads.0.bias", None, "'heads.0.bias' is missing"),
        ("weights.more", torch.zeros(1), "'more' has no place in it"),
        (
            "weights.heads.0.bias",
            torch.zeros(1, dtype=torch.float16),
            r"is torch\.float16 instead of torch\.float32",
        ),
        ("weights.heads.0.bias", torch.zeros(2), r"has shape \(2,\) instead of \(1,\)"),
        (
            "weights.heads.0.bias",
            torch.tensor([torch.nan]),
            "'heads.0.bias' are not finite",
        ),
        ("momentum.heads.0.bias", torch.zeros(2), "'heads.0.bias' has another shape"),
        ("momentum.heads.0.bias", torch.tensor([torch.inf]), "is not finite"),
        ("momentum.more", torch.zeros(1), "momentum but no weights 'more'"),
    ],
)
def test_damaged_weights_are_named(
    tmp_path: Path, run: Path, name: str, tensor: torch.Tensor | None, words: str
) -> None:
    path = tmp_path / "last.safetensors"
    with safe_open(RunFolder(run).best, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(RunFolder(run).best)
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(RunError, match=rf"last\.safetensors' is damaged: .*{words}"):
        load(path)


def test_a_missing_best_checkpoint_is_told_with_the_way_out(
    tmp_path: Path, run: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(run, folder.path)
    last = load(folder.last)
    folder.best.unlink()
    save(replace(last, state=replace(last.state, best_epoch=3)), folder.last)
    with pytest.raises(RunError, match=r"checkpoint of the run at .* is missing") as caught:
        load_best(folder.path)
    assert "seaice train --resume" in str(caught.value.hint)
    save(replace(last, state=replace(last.state, best_epoch=1)), folder.last)
    with pytest.raises(RunError, match="that of epoch 1, and the last one is") as caught:
        load_best(folder.path)
    assert "copy" in str(caught.value.hint)
    shutil.copy(folder.last, folder.best)  # what the hint says
    assert load_best(folder.path).state.n_epochs == 3
