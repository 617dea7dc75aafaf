import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.learnable_scenes import TINY

from seaice_data.channels import find_channel
from seaice_data.store.store import Store
from seaice_model.errors import RunError
from seaice_model.runs.checkpoint import load, load_best, save, weights_fingerprint
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import read_log
from seaice_model.runs.settings import load_settings
from seaice_model.training.train import train


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


def test_weights_can_be_read_without_seaice(run: Path) -> None:
    with safe_open(RunFolder(run).best, framework="np") as file:
        header = json.loads(file.metadata()["seaice"])
        assert file.get_tensor("weights.heads.0.weight").shape == (1, 4, 1, 1)
    assert header["settings"]["config"]["model"]["channels"] == ["hh", "hv"]


def test_the_fingerprint_follows_the_weights(run: Path) -> None:
    checkpoint = load(RunFolder(run).last)
    before = weights_fingerprint(checkpoint)
    assert before == weights_fingerprint(load(RunFolder(run).last))
    checkpoint.weights["heads.0.bias"].add_(1e-6)
    assert weights_fingerprint(checkpoint) != before


def test_weights_of_any_type_have_a_fingerprint(run: Path) -> None:
    checkpoint = load(RunFolder(run).last)
    half = {name: w.bfloat16() for name, w in checkpoint.weights.items()}
    found = weights_fingerprint(replace(checkpoint, weights=half))
    assert found != weights_fingerprint(checkpoint)
    assert found == weights_fingerprint(replace(checkpoint, weights=dict(half)))


def test_a_missing_run_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run at '.*nowhere'") as caught:
        load_best(tmp_path / "nowhere")
    assert "seaice train" in str(caught.value.hint)


def test_a_run_without_an_epoch_is_distinguished_from_a_missing_one(
    run: Path, tmp_path: Path
) -> None:
    text = RunFolder(run).settings.read_text()
    RunFolder(tmp_path).settings.write_text(text)
    with pytest.raises(RunError, match="has no finished epoch"):
        load_best(tmp_path)


def test_another_file_is_not_a_checkpoint(tmp_path: Path, run: Path) -> None:
    path = tmp_path / "best.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(RunError, match="is damaged: it is not a safetensors file"):
        load(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"format": "pt"})
    with pytest.raises(RunError, match="is damaged: seaice did not write it"):
        load(path)
    path.write_bytes(RunFolder(run).best.read_bytes()[:-8])
    with pytest.raises(RunError, match="is damaged: its tensors cannot be read: "):
        load(path)
    with pytest.raises(RunError, match="no checkpoint at"):
        load(tmp_path / "none.safetensors")


def test_a_checkpoint_that_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    path.mkdir()
    with pytest.raises(RunError, match=r"cannot read '.*': Is a directory") as caught:
        load(path)
    assert caught.value.hint is None


def safetensors(header: bytes, content: bytes = b"", n_bytes: int | None = None) -> bytes:
    """Return a file with any header."""
    n_bytes = len(header) if n_bytes is None else n_bytes
    return n_bytes.to_bytes(8, "little") + header + content


OURS = b'{"__metadata__": {"seaice": "{}"}, "a": %s}'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a safetensors file"),
        (safetensors(b"{}", n_bytes=2**63), "not a safetensors file"),
        (safetensors(b"{}", n_bytes=2**64 - 1), "not a safetensors file"),
        (safetensors(b"[" * 100_000), "nested too deeply"),
        (safetensors(b'{"__metadata__": []}'), "__metadata__ must be a table"),
        (safetensors(b'{"__metadata__": {"seaice": 5}}'), "must be str, got 5"),
        (safetensors(b'{"__metadata__": {"seaice": "\\ud800"}}'), "half character"),
        (safetensors(OURS % b"5"), "its tensors cannot be read"),
        (safetensors(OURS % b'{"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}'),
         "its tensors cannot be read"),
        (safetensors(OURS % b'{"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}',
                     bytes(4)), "its tensors cannot be read"),
        (safetensors(OURS % b'{"dtype": "F32", "shape": [9223372036854775807, 8], '
                     b'"data_offsets": [0, 4]}', bytes(4)), "its tensors cannot be read"),
        (safetensors(OURS % b'{"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}'),
         "its tensors cannot be read"),
        (safetensors(b'{"__metadata__": {"seaice": "%s"}}' % (b"[" * 100_000)),
         "nested too deeply"),
        (safetensors(b'{"__metadata__": {"seaice": "[]"}}'), "must be a table, got a list"),
        (safetensors(b'{"__metadata__": {"seaice": "{}"}}'), "'format_version' is missing"),
    ],
)  # fmt: skip
def test_a_hostile_checkpoint_is_refused_with_a_reason(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "best.safetensors"
    path.write_bytes(content)
    with pytest.raises(
        RunError, match=rf"best\.safetensors' is damaged: .*{words}"
    ) as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["best.safetensors", "settings.json", "log.jsonl"])
def test_pipes_and_devices_are_not_read(tmp_path: Path, name: str) -> None:
    read = {"best": load, "settings": load_settings, "log": read_log}[name.split(".")[0]]
    os.mkfifo(tmp_path / name)
    with pytest.raises(RunError, match=r"is damaged: it is not a regular file"):
        read(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(RunError, match=r"is damaged: it is not a regular file"):
        read(tmp_path / name)


UNREADABLE = """
import sys
from pathlib import Path
from seaice_model.runs.checkpoint import load
from seaice_model.runs.settings import load_settings
from seaice_model.errors import RunError
from seaice_model.runs.log import read_log
for name, read in (
    ("best.safetensors", load), ("settings.json", load_settings), ("log.jsonl", read_log)
):
    try:
        read(Path(sys.argv[1], name))
    except RunError as error:
        print(error, error.hint, sep="|")
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="root can read everything")
def test_a_file_without_read_permission_is_not_called_damaged(
    tmp_path: Path, run: Path
) -> None:
    shutil.copytree(run, tmp_path / "run")
    for path in (tmp_path / "run").glob("*.*"):
        path.chmod(0)
    done = subprocess.run(
        ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--",
         sys.executable, "-c", UNREADABLE, tmp_path / "run"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = ("best.safetensors", "settings.json", "log.jsonl")
    assert done.stdout.splitlines() == [
        f"cannot read '{tmp_path / 'run' / name}': Permission denied|None" for name in names
    ]


def test_a_folder_whose_name_is_not_utf_8_can_contain_a_run(
    tmp_path: Path, store: Store, run: Path
) -> None:
    folder = RunFolder(Path(os.fsdecode(os.fsencode(tmp_path) + b"/run_K\xf8benhavn")))
    train(store, folder.path, replace(TINY, train=replace(TINY.train, n_epochs=1)))
    train(store, folder.path, TINY, resume=True)
    assert weights_fingerprint(load_best(folder.path)) == weights_fingerprint(
        load_best(run)
    )


MODEL = ("settings", "config", "model")


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        ((), [], "must be a table, got a list"),
        (("state",), None, "must be"),
        (("settings", "train_scenes"), ["../20180607T184326_dmi"], "not a scene id"),
        ((*MODEL, "filters"), [1] * 1000, "at most 14 levels, got 1000"),
        (("state", "best_score"), float("nan"), "must be a finite number, got nan"),
        (("state", "next_patch"), 2**70, "beyond 64 bits"),
        (("format_version",), "1", "format_version must be int, got '1'"),
        (("settings", "software"), 5, "software must be str, got 5"),
        (("state", "losses"), [1.0], "losses must be 4 numbers, got 1"),
        (
            (*MODEL, "filters"),
            [4, 9],
            r"has shape \(8, 4, 3, 3\) instead of \(9, 4, 3, 3\)",
        ),
        ((*MODEL, "filters"), [65536, 65536], r"instead of \(65536, 2, 3, 3\)"),
        (("settings", "store", "means"), [0.0], r"one number per channel \(2\), got 1"),
        (("settings", "network_package"), "other 1", "network_package must be empty"),
        ((*MODEL, "network"), "small-cnn", "is 'small-cnn' and network_package ''"),
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
        ("weights.more", torch.zeros(1), "'more' is not part of it"),
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
        ("momentum.heads.0.bias", torch.zeros(2), "'heads.0.bias' differs in shape"),
        ("momentum.heads.0.bias", torch.tensor([torch.inf]), "is not finite"),
        ("momentum.more", torch.zeros(1), "momentum for 'more', but no weights"),
        (
            "average.heads.0.bias",
            torch.zeros(1),
            "in the average of the weights, 'heads.0.bias' is not part of it",
        ),
        (
            "loss_weights.log_variances",
            torch.zeros(3),
            "in the weights of the losses, 'log_variances' is not part of it",
        ),
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


def test_a_missing_best_checkpoint_is_reported_with_a_remedy(
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
    with pytest.raises(RunError, match="epoch 1, and the last checkpoint is") as caught:
        load_best(folder.path)
    assert "copy" in str(caught.value.hint)
    shutil.copy(folder.last, folder.best)  # as the hint suggests
    assert load_best(folder.path).state.n_epochs == 3
