"""A network as ONNX, for programs that use neither seaice nor PyTorch.

One input, ``inputs``: float32, ``(batch, channel, y, x)``, standardised as in the store,
NaN is fill. Height and width are at least the stride of the network (16 by default);
padding is part of the graph. Networks that see tiles of one size take this size only:
`seaice_model.prediction.tiling` predicts scenes with them. Outputs are ``sic``, ``sod`` and
``floe`` as the network returns them (SIC as class number, as logits, or as both, the number
first; the others as logits), and ``classes``: uint8, ``(batch, chart, y, x)``, the class of
every pixel.

The metadata of the file contain everything that inputs need: see `onnx_metadata`.
"""

import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seaice_data.channels import DISPENSABLE, find_channels
from seaice_data.charts import CHARTS
from seaice_data.display import Displayed
from seaice_data.grid import SPACING_M
from seaice_data.settings import to_mapping
from seaice_data.system.extras import extra
from seaice_data.system.files import replacing
from seaice_data.texts import printable, shortened
from seaice_model.config.network_names import UNET
from seaice_model.errors import RunError
from seaice_model.networks.build import Network
from seaice_model.networks.unet import MultiTaskUNet
from seaice_model.runs.checkpoint import Checkpoint, load_best, weights_fingerprint
from seaice_model.runs.folder import RunFolder, run_errors
from seaice_model.runs.locations import BEST, is_url, shown

OUTPUTS = ("sic", "sod", "floe", "classes")
"""Names of the outputs."""

_OTHER_FORMATS = (
    *(".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".pkl"),
    *(".h5", ".keras", ".pb", ".tflite", ".mlmodel", ".engine", ".npz", ".nc", ".zip"),
)
"""Endings by which other programs would take the file for something else."""

TOLERANCE = 1e-3
"""Largest difference from PyTorch that counts as rounding, in class numbers and logits;
logits of competing classes typically differ by about 1."""

_SIC_OUTPUT = {
    "regression": "class number",
    "classes": "logits",
    "both": "class number, then logits",
}
_LARGEST_SIDE = 20_000
_SIZES = ((0, 0), (1, 0), (7, 13), (53, 86))  # added to the stride: even, odd, any


@dataclass(frozen=True, slots=True, repr=False)
class OnnxReport(Displayed):
    """What `export_run` wrote."""

    path: Path
    """The file."""

    n_bytes: int
    """Size of the file."""

    largest_difference: float
    """Largest difference from PyTorch, over all outputs except ``classes``."""

    sizes: tuple[tuple[int, int], ...]
    """Heights and widths that were compared."""

    elapsed_s: float
    """Total time in seconds."""


class _OnnxNetwork(nn.Module):
    """The network, with fill replaced before it and classes decided after it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        if self.network.config.fill == "zero":
            inputs = torch.where(inputs.isnan(), 0.0, inputs)
        prediction = self.network(inputs)
        return (*prediction, prediction.classes())


def export_run(
    run_path: str | Path, path: str | Path, *, overwrite: bool = False
) -> OnnxReport:
    """Write the best network of a run as ONNX, and compare it with PyTorch.

    Parameters
    ----------
    run_path
        Folder or URL of the run (`seaice_model.runs.locations`).
    path
        File to write, as ``model.onnx``.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    RunError
        If `path` has the ending of another format, there is no run, a file is in the
        way or cannot be written, the extra ``onnx`` is not installed, or the network cannot
        be exported or differs in onnxruntime.
    """
    path = Path(path)
    start = time.perf_counter()
    if path.suffix.lower() in _OTHER_FORMATS:
        weights = BEST if is_url(run_path) else str(RunFolder(Path(run_path)).best)
        raise RunError(
            f"{str(path)!r} would be an ONNX file with the ending of another format",
            hint=f"name it {str(path.with_suffix('.onnx'))!r}; the weights themselves are "
            f"in {weights!r}",
        )
    if path.exists() and not overwrite:
        raise RunError(
            f"there is a file at {str(path)!r}", hint="replace it with --overwrite"
        )
    _check_packages()
    checkpoint = load_best(run_path)
    exported = _OnnxNetwork(checkpoint.network()).eval()
    content = _encoded(exported, onnx_metadata(checkpoint, run_path))
    with _export_errors(exported.network):
        difference, sizes = _compare(exported, content)
    if difference > TOLERANCE:
        raise RunError(
            f"onnxruntime differs from PyTorch by {difference:.2g}",
            hint="nothing is written; try other versions of torch and onnxruntime",
        )
    with run_errors(path, "write"), replacing(path) as new:
        new.write_bytes(content)
    elapsed_s = time.perf_counter() - start
    return OnnxReport(path, len(content), difference, sizes, elapsed_s)


def onnx_metadata(checkpoint: Checkpoint, run_path: str | Path) -> dict[str, str]:
    """Return the metadata for preparing inputs; everything except text is JSON.

    ``channels`` are the names on the channel axis, with ``units``, ``means`` and ``stds``:
    ``input = (value in its unit - mean) / std``. ``recipe`` has the resampling of planes,
    ``pixel_spacing_m`` their spacing; ``smallest_side`` and ``largest_side`` are pixels,
    null for any size; ``classes`` names the classes of each chart;
    ``trained_on_denoising`` says how noise was removed from the SAR of training scenes.
    """
    settings = checkpoint.settings
    model, record = settings.config.model, settings.store
    tile = None if model.network == UNET else settings.config.train.patch_size
    catalogue = find_channels(model.channels)
    values: dict[str, Any] = {
        "channels": model.channels,
        "channel_names": [channel.long_name for channel in catalogue],
        "units": [channel.unit for channel in catalogue],
        "means": record.means,
        "stds": record.stds,
        "recipe": to_mapping(record.recipe),
        "pixel_spacing_m": record.recipe.ratio * SPACING_M,
        "smallest_side": tile or model.stride,
        "largest_side": tile,
        "classes": {chart.name: chart.class_names for chart in CHARTS},
        "sic_output": _SIC_OUTPUT[model.sic],
        "epoch": checkpoint.state.n_epochs,
        "trained_on_denoising": settings.denoisings,
    }
    return {
        **{name: json.dumps(value) for name, value in values.items()},
        "missing": "NaN",
        "run": printable(shown(run_path)),
        "weights": weights_fingerprint(checkpoint),
        "software": f"seaice {version('seaice')}",
        "references": "Chen et al. (2024), doi:10.5194/tc-18-1621-2024",
    }


def _check_packages() -> None:
    with extra("onnx", RunError):
        import onnxruntime  # noqa: F401 - late: an extra
        import onnxscript  # noqa: F401


def _encoded(exported: _OnnxNetwork, metadata: dict[str, str]) -> bytes:
    """Return the bytes of an ONNX file."""
    network = exported.network
    height = width = network.tile
    sides = {}
    if height is None or width is None:
        stride = network.config.stride
        # No two sizes are equal, so that the graph cannot confuse them.
        height, width = 2 * stride + 3, 3 * stride + 5
        sides = {
            axis: torch.export.Dim(name, min=stride, max=_LARGEST_SIDE)
            for axis, name in ((2, "height"), (3, "width"))
        }
    example = torch.zeros(2, len(network.config.channels), height, width)
    with _quiet(), _export_errors(network):
        program = torch.onnx.export(
            exported,
            (example,),
            dynamo=True,
            input_names=["inputs"],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("batch"), **sides},),
            verbose=False,
        )
    if program is None:
        raise RunError("PyTorch returned no ONNX program")
    program.model.metadata_props.update(metadata)
    content: bytes = program.model_proto.SerializeToString()
    return content


def _compare(
    exported: _OnnxNetwork, content: bytes
) -> tuple[float, tuple[tuple[int, int], ...]]:
    """Return the largest difference of onnxruntime from PyTorch, and the sizes compared."""
    import onnxruntime  # late: an extra

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    config, tile = exported.network.config, exported.network.tile
    sizes = tuple((config.stride + down, config.stride + right) for down, right in _SIZES)
    if tile is not None:
        sizes = ((tile, tile),)
    generator = torch.Generator().manual_seed(0)
    channels = find_channels(config.channels)
    lacking = [k for k, channel in enumerate(channels) if channel.group in DISPENSABLE]
    furthest = 0.0
    for height, width in sizes:
        shape = (2, len(channels), height, width)
        inputs = torch.randn(shape, generator=generator)
        inputs[..., : height // 4, : width // 4] = torch.nan
        inputs[1, lacking] = torch.nan
        with torch.inference_mode():
            expected = exported(inputs)
        found = session.run(None, {"inputs": inputs.numpy()})
        for ours, theirs in zip(expected[:-1], found[:-1], strict=True):
            furthest = max(furthest, float(np.abs(ours.numpy() - theirs).max()))
    return furthest, sizes


@contextmanager
def _export_errors(network: Network) -> Iterator[None]:
    """Say in one line that a network of others cannot be exported."""
    if isinstance(network, MultiTaskUNet):
        yield
        return
    try:
        yield
    except Exception as error:  # PyTorch raises whatever code of others makes it raise
        # It wraps the reason into advice for its developers.
        reason = error.__cause__ or error
        words = shortened(printable(" ".join(str(reason).split())))
        raise RunError(
            f"the network {network.config.network!r} cannot be exported as ONNX: "
            f"{type(reason).__name__}: {words}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings of the exporter about optional packages."""
    talkative = logging.getLogger("torch.onnx")
    before = talkative.level
    talkative.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        talkative.setLevel(before)
