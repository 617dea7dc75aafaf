"""Official weights give the official outputs (`reference_networks.npz`)."""

import json
import os
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from seaice_model.errors import RunError
from seaice_model.networks.pickled_tensors import read_tensors
from seaice_model.networks.published_weights import load_official_state_dict

FIGURES = Path(__file__).parents[2] / "data" / "reference_networks.npz"


def official_state(key: str) -> dict[str, Tensor]:
    with np.load(FIGURES) as figures:
        shapes = json.loads(str(figures[f"{key}/names"]))
        values = torch.from_numpy(figures[f"{key}/values"])
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    state = {
        name: part.reshape(shape)
        for (name, shape), part in zip(shapes.items(), values.split(sizes), strict=True)
    }
    for name in list(state):
        if name.endswith("running_var"):
            state[name.replace("running_var", "num_batches_tracked")] = torch.tensor(0)
    return state


def classes_state() -> dict[str, Tensor]:
    """Return the shared network without its regression layer, which is Model 8."""
    return {
        name: tensor
        for name, tensor in official_state("shared").items()
        if not name.startswith("regression_layer")
    }


def official_inputs(height: int, width: int) -> Tensor:
    k, i, j = np.meshgrid(np.arange(16), np.arange(height), np.arange(width), indexing="ij")
    values = (i * 7919 + j * 104729 + k * 15485863) % 65536 / 32768 - 1
    return torch.from_numpy(values.astype(np.float32))[None]


def figure(key: str) -> NDArray[Any]:
    with np.load(FIGURES) as figures:
        return np.asarray(figures[key])


@pytest.mark.parametrize(("height", "width", "step"), [(32, 32, 8), (37, 45, 3)])
@pytest.mark.parametrize("name", ["unet", "unet_regression", "unet_sep_dec_mse"])
def test_published_weights_give_their_outputs(
    name: str, height: int, width: int, step: int
) -> None:
    state = {
        "unet": classes_state,
        "unet_regression": lambda: official_state("shared"),
        "unet_sep_dec_mse": lambda: official_state("separate"),
    }[name]()
    with torch.no_grad():
        prediction = load_official_state_dict(state)(official_inputs(height, width))
    for chart, plane in zip(("SIC", "SOD", "FLOE"), prediction, strict=True):
        # SOD and FLOE are the same with and without the regression of SIC.
        source = "unet" if chart != "SIC" and name == "unet_regression" else name
        expected = figure(f"{source}/{height}x{width}/{chart}")
        ours = plane.reshape(-1, height, width)[:, ::step, ::step].numpy()
        # The last output of the official heads is for fill, which no map has as a class.
        np.testing.assert_allclose(ours, expected[: len(ours)], atol=1e-5)


def test_the_outputs_for_fill_are_those_of_the_official_code() -> None:
    network = load_official_state_dict(classes_state())
    assert network.config.fill_class
    assert [head.out_channels for head in network.heads] == [12, 7, 8]
    network.training = True  # batch norms, its parts, stay in evaluation mode
    with torch.no_grad():
        prediction = network(official_inputs(37, 45))
    for chart, plane in zip(("SIC", "SOD", "FLOE"), prediction, strict=True):
        expected = figure(f"unet/37x45/{chart}")
        np.testing.assert_allclose(plane[0, :, ::3, ::3].numpy(), expected, atol=1e-5)


def test_kinds_of_network_are_read_from_the_names() -> None:
    states = (official_state("shared"), classes_state(), official_state("separate"))
    networks = [load_official_state_dict(state) for state in states]
    regression, classes, separate = (network.config for network in networks)
    assert (regression.sic, regression.decoders) == ("regression", "shared")
    assert (classes.sic, classes.filters) == ("classes", (4, 4, 8, 8))
    assert separate.decoders == "separate"


def test_a_checkpoint_file_is_read(tmp_path: Path) -> None:
    state = official_state("shared")
    wrapped = {f"module.{name}": w for name, w in state.items()}
    torch.save({"model_state_dict": wrapped, "epoch": 7}, tmp_path / "best.pth")
    network = load_official_state_dict(tmp_path / "best.pth")
    assert not network.training
    expected = load_official_state_dict(state).state_dict()
    for name, weights in network.state_dict().items():
        assert torch.equal(weights, expected[name]), name


class Settings(dict[str, object]):
    """In place of classes that published files pickle and that are not installed here."""


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_pickled_configuration_is_skipped_and_no_code_run(tmp_path: Path) -> None:
    bomb = tmp_path / "executed"
    settings = Settings(
        optimizer={"type": "SGD"}, transform=np.linspace, path=Path("x"), at=Bomb(bomb)
    )
    state = OrderedDict(official_state("shared"))
    weights = torch.nn.Parameter(state["sod_feature_map.feature_out.weight"])
    state["sod_feature_map.feature_out.weight"] = weights  # a view of other numbers
    torch.save(
        {"cfg": settings, "model_state_dict": state, "rng": np.random.default_rng(1)},
        tmp_path / "published.pth",
    )
    network = load_official_state_dict(str(tmp_path / "published.pth"))
    assert not bomb.exists()
    inputs = official_inputs(32, 32)
    with torch.no_grad():
        expected = load_official_state_dict(official_state("shared"))(inputs)
        for ours, theirs in zip(network(inputs), expected, strict=True):
            assert torch.equal(ours, theirs)
    torch.load(tmp_path / "published.pth", weights_only=False)
    assert bomb.exists()  # the bomb is a real one


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no archive", b"weights"])
def test_what_is_not_a_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "best.pth").write_bytes(content)
    with pytest.raises(RunError, match="cannot read weights from"):
        load_official_state_dict(tmp_path / "best.pth")
    with pytest.raises(RunError, match="no weights at"):
        load_official_state_dict(tmp_path / "absent.pth")


def test_tensors_with_too_few_numbers_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(4)}, tmp_path / "best.pth")
    with zipfile.ZipFile(tmp_path / "best.pth") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "bad.pth", "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part[:8] if name.endswith("data/0") else part)
    with pytest.raises(RunError, match="8 bytes are not 4 numbers"):
        read_tensors(tmp_path / "bad.pth")


def test_a_file_without_named_weights_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    with pytest.raises(RunError, match="has no named weights"):
        load_official_state_dict(tmp_path / "list.pth")


def test_missing_weights_are_named() -> None:
    state = official_state("shared")
    del state["bridge.double_conv.double_conv.3.weight"]
    with pytest.raises(RunError, match=r"no 'bridge\.double_conv\.double_conv\.3\.weight'"):
        load_official_state_dict(state)


def test_another_number_of_channels_is_refused() -> None:
    with pytest.raises(RunError, match="are for 16 channels, 2 are named"):
        load_official_state_dict(official_state("shared"), ("hh", "hv"))


def packed(path: Path, pickled: bytes, data: bytes = b"", compress: int = 0) -> Path:
    """Write an archive like that of torch.save, with any pickle."""
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("best/data.pkl", pickled)
        archive.writestr("best/data/0", data)
    return path


def tensor_of(size: str, n_numbers: int = 4) -> bytes:
    """Return the pickle that makes a tensor of this size from the numbers in the file."""
    storage = b"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI%d\ntQ" % n_numbers
    stride = b"(" + b"I0\n" * size.count("I") + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"I0\n" + size.encode() + (
        stride + b"I00\nctorch\nx\n)RtR"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pickled", "words"),
    [
        (b"", "pickle exhausted"),
        (b"(" * 100_000, "pickle exhausted|truncated|ran out"),
        (b"]" * 100_000 + b"a" * 99_999 + b".", "has no named weights"),
        (b"}r\xff\xff\xff\x7f.", "too short for 2147483647 objects"),
        (b"}p4000000000\n.", "too short for 4000000000 objects"),
        (b"h\x05.", "Memo value not found at index 5"),
        (b"\x8e" + b"\xff" * 7 + b"\x7f.", "bytes8|expected"),
        (b"I" + b"9" * 5000 + b"\n.", "digits"),
        (
            b"}(Va\n" + tensor_of("(I1000000\nI1000000\nt") + b"u.",
            "much larger than the file",
        ),
        (b"}(Va\n" + tensor_of("(I9\nt", 9) + b"u.", "16 bytes are not 9 numbers"),
        (b"c__builtin__\neval\n(V1/0\ntR.", "has no named weights"),
        (b"\x80\x63.", "unsupported pickle protocol: 99"),
    ],
)
def test_hostile_pickles_are_refused_with_a_reason(
    tmp_path: Path, pickled: bytes, words: str
) -> None:
    path = packed(tmp_path / "best.pth", pickled, bytes(16))
    with pytest.raises(RunError, match=rf"best\.pth'.*({words})") as caught:
        load_official_state_dict(path)
    assert "\n" not in str(caught.value)


def test_a_bomb_of_zeros_is_not_inflated(tmp_path: Path) -> None:
    path = packed(tmp_path / "best.pth", b"}.", bytes(2**24), zipfile.ZIP_DEFLATED)
    with pytest.raises(RunError, match="its parts are compressed"):
        load_official_state_dict(path)


@pytest.mark.parametrize(
    "pickled",
    [
        b"}(Vmodel_state_dict\nI5\nu.",  # not a table
        b"}(I5\nI6\nu.",  # names that are numbers
        b"ccollections\nOrderedDict\n)R}(Vitems\nI5\nub.",  # a method that is replaced
        b"}(Vinput_block.double_conv.0.weight\n" + tensor_of("(I4\nt") + b"u.",
    ],
)
def test_wrong_names_and_shapes_are_refused_with_a_reason(
    tmp_path: Path, pickled: bytes
) -> None:
    with pytest.raises(RunError, match=r"the (first )?weights"):
        load_official_state_dict(packed(tmp_path / "best.pth", pickled, bytes(16)))


def test_huge_expanded_weights_are_refused_without_allocating_memory() -> None:
    state = official_state("shared")
    first = "input_block.double_conv.0.weight"
    state[first] = torch.zeros(1).expand(65536, *state[first].shape[1:])
    with pytest.raises(RunError, match=r"have shape .* is needed"):
        load_official_state_dict(state)


def test_a_pipe_in_place_of_weights_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "best.pth")
    with pytest.raises(RunError, match="it is not a regular file"):
        load_official_state_dict(tmp_path / "best.pth")
