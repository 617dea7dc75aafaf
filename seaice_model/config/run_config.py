"""Settings of the network and of its training, with the defaults of Chen et al. (2024).

``RunConfig`` is the content of a TOML file for ``seaice train``: tables ``[model]``,
``[train]``, ``[sampling]`` and ``[augmentation]``; the last two are settings of patches
(`seaice_data.sampling.windows`, `seaice_data.sampling.augmentation`). Named configurations
are in `seaice_model.config.presets`.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Literal

from seaice_data.channels import DISPENSABLE, OFFICIAL_CHANNELS, Group, find_channels
from seaice_data.charts import CHARTS
from seaice_data.deprecation import former_arguments, former_attribute
from seaice_data.sampling.augmentation import Augmentation
from seaice_data.sampling.windows import Sampling
from seaice_data.scene_id import SceneId
from seaice_data.settings import ADDED, formerly
from seaice_data.texts import counted, shortened
from seaice_model.config.network_names import SWIN, UNET
from seaice_model.errors import ConfigError

Decoders = Literal["shared", "separate"]
SicHead = Literal["regression", "classes", "both"]
Fusion = Literal["input", "bottleneck"]
Fill = Literal["zero", "mask", "constant"]
RegionShares = Literal["ice", "area"]
ClassLoss = Literal["cross-entropy", "focal", "ordinal"]
ValidationSource = Literal["store", "drawn", "listed"]
Precision = Literal["auto", "float32", "bfloat16"]
Compile = Literal["auto", "always", "never"]

_NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,99}", re.ASCII)
SWIN_PATCH = 4
"""Pixels of the input along one side of a token of the Swin transformer."""
SWIN_HEADS = 3
"""Heads of its attention at the finest level, which share its filters."""
_MOST_FILTERS = 2**16  # numbers of weights grow with its square and must fit into 64 bits
_MOST_LEVELS = 14  # more would need patches that are too large
_MOST = {"patch_size": 2**15, "batch_size": 2**20, "n_iterations": 10**6, "n_epochs": 10**6}
"""Far beyond what is useful; patches and bytes of a batch must fit into 64 bits."""
_SEEDS = 2**63  # the number of seeds that PyTorch accepts


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """The architecture of a network; equal configurations have equal weight shapes."""

    channels: tuple[str, ...] = OFFICIAL_CHANNELS
    """Input planes, in the order of the channel axis; by default those of the configuration
    that won the challenge. Table 2 of the paper lists 14, without incidence angle and
    distance map."""

    filters: tuple[int, ...] = (32, 32, 64, 64)
    """Filters of each level from fine to coarse; the bridge repeats the last
    (Chen et al. 2024, section 3.1). Networks of other packages have their own."""

    decoders: Decoders = "shared"
    """One decoder for all charts, or one for each (Chen et al. 2024, Table 4, Model 9)."""

    sic: SicHead = "regression"
    """SIC as a number, trained by squared error, as classes (Table 4, Model 8), or both,
    trained by the mean of the two losses: the number decides, and the classes say how sure
    it is."""

    fusion: Fusion = "input"
    """Where ancillary channels (AMSR2, ERA5) enter: as input planes, or averaged to the
    grid of the bridge and appended to its planes (future work in section 3.3)."""

    fill_class: bool = field(default=False, metadata=ADDED)
    """Whether heads that predict classes have one more output, for fill, as in the official
    code. No labelled pixel is fill, but the output is in the softmax of the losses and is
    trained to be small. In evaluation mode the network leaves it out, so no map contains
    it."""

    fill: Fill = field(default="zero", metadata=ADDED)
    """What the network sees where AMSR2 or ERA5 is missing: the mean of each channel, which
    is 0; also a plane for each of the two that is 1 where all of its channels are missing
    ("mask"); or a learned number for each channel ("constant")."""

    network: str = field(default=UNET, metadata=ADDED)
    """Name of the network: "unet", "swin-unetr" (extra ``networks``;
    `seaice_model.networks.swin`), or one that an installed package registers as an entry
    point ``seaice.networks`` (`seaice_model.networks.registry`)."""

    def __post_init__(self) -> None:
        """Refuse a network that cannot be built."""
        if not self.channels:
            raise ConfigError("channels must name at least one channel")
        find_channels(self.channels)
        twice = sorted({name for name in self.channels if self.channels.count(name) > 1})
        if twice:
            raise ConfigError(f"channel {twice[0]!r} is named more than once")
        if not self.filters or min(self.filters) < 1:
            shown = shortened(str(list(self.filters)))
            raise ConfigError(f"filters must be positive numbers, got {shown}")
        if len(self.filters) > _MOST_LEVELS:
            raise ConfigError(
                f"filters must name at most {_MOST_LEVELS} levels, got {len(self.filters)}"
            )
        if max(self.filters) > _MOST_FILTERS:
            raise ConfigError(
                f"filters must not be above {_MOST_FILTERS}, got {max(self.filters)}"
            )
        self._check_network()
        if self.fusion == "bottleneck" and not (self.at_input and self.at_bridge):
            raise ConfigError(
                "fusion 'bottleneck' needs ancillary channels and others",
                hint="add channels of AMSR2 or ERA5, or set fusion to 'input'",
            )
        if self.fill != "zero" and not self.dispensable:
            raise ConfigError(
                f"fill {self.fill!r} needs channels of AMSR2 or ERA5",
                hint="add some, or set fill to 'zero'",
            )

    def _check_network(self) -> None:
        """Refuse settings that this network does not have."""
        if not _NAME.fullmatch(self.network):
            raise ConfigError(
                f"{shortened(repr(self.network))} is not a name for a network",
                hint="letters and digits, and '.+-_' after the first",
            )
        if self.network == UNET:
            return
        for name, only in (("decoders", "shared"), ("fusion", "input")):
            if (value := getattr(self, name)) != only:
                raise ConfigError(
                    f"{name} {value!r} is a setting of the U-Net, which network "
                    f"{self.network!r} does not have",
                    hint=f"set {name} to {only!r}, or network to {UNET!r}",
                )
        if self.network != SWIN:
            return
        first, unit = self.filters[0], SWIN_HEADS * SWIN_PATCH
        if self.filters != (first, 2 * first, 4 * first, 8 * first) or first % unit:
            raise ConfigError(
                f"network {SWIN!r} needs four levels of filters, the first a multiple of "
                f"{unit}, each other the double of the one before, got "
                f"{shortened(str(list(self.filters)))}",
                hint="use the preset swin, or set filters to [96, 192, 384, 768]",
            )

    @property
    def at_input(self) -> tuple[str, ...]:
        """Channels that enter at the input."""
        at_bridge = self.at_bridge
        return tuple(name for name in self.channels if name not in at_bridge)

    @property
    def at_bridge(self) -> tuple[str, ...]:
        """Channels that enter at the bridge."""
        if self.fusion == "input":
            return ()
        return tuple(c.name for c in find_channels(self.channels) if c.group in DISPENSABLE)

    @property
    def masked(self) -> tuple[Group, ...]:
        """Groups with a plane for where they are missing, after those of the channels."""
        return self.dispensable if self.fill == "mask" else ()

    @property
    def dispensable(self) -> tuple[Group, ...]:
        """Groups of `DISPENSABLE` of which it reads channels."""
        read = {channel.group for channel in find_channels(self.channels)}
        return tuple(group for group in DISPENSABLE if group in read)

    @property
    def stride(self) -> int:
        """Pixels of the input along one side of a pixel of the coarsest level.

        1 for networks of others, whose levels are not known.
        """
        if self.network == SWIN:
            return int(SWIN_PATCH * 2 ** (len(self.filters) - 1))
        return int(2 ** len(self.filters)) if self.network == UNET else 1


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How a network is trained; the defaults are Table 3 of Chen et al. (2024)."""

    patch_size: int = 256
    """Pixels of the store along one side of a patch (Table 3)."""

    batch_size: int = 16
    """Patches in a batch (Table 3), of all processes together if several train."""

    n_iterations: int = 500
    """Batches in an epoch (Table 3)."""

    n_epochs: int = 300
    """Epochs in all (Table 3)."""

    learning_rate: float = 0.001
    """Learning rate at each restart; it falls to 0 as a cosine (Table 3)."""

    n_restart_epochs: int = 20
    """Epochs from one restart of the learning rate to the next (Table 3)."""

    momentum: float = 0.9
    """Momentum of the gradient descent (official configuration; not in the paper)."""

    weight_decay: float = 0.01
    """Decay of every parameter, batch norm and biases included (Table 3)."""

    loss_weights: tuple[float, ...] = (1.0, 3.0, 3.0)
    """Weights of the losses of SIC, SOD and FLOE in their sum (Table 3)."""

    class_loss: ClassLoss = "cross-entropy"
    """Loss of charts predicted as classes: cross entropy (Table 3); focal, which reduces
    the weight of pixels that are confidently right (tried in section 4); or ordinal, which
    adds the expected distance in classes."""

    focal_gamma: float = 2.0
    """How much the focal loss reduces the weight of confident pixels; 0 is the cross
    entropy (Lin et al. 2017 recommend 2)."""

    region_loss: float = field(default=0.0, metadata=ADDED)
    """Weight of the loss of regions beside that of pixels: for each polygon of a patch, how
    far the shares of predicted classes are from those of the chart, which are known for
    polygons that mix ice types, too (`seaice_model.training.region_loss`). Needs a store
    with polygons; patches are cut on the CPU then, for a GPU, too."""

    region_shares: RegionShares = field(default="ice", metadata=ADDED)
    """Shares that the loss of regions compares: of classes among the ice, like the rule of
    65 %, so that water enters through SIC alone; or of the area, water included."""

    learned_weights: bool = field(default=False, metadata=ADDED)
    """Whether `loss_weights` are only the first values of weights that are learned from the
    noise of each chart (Kendall et al. 2018; `seaice_model.training.learned_weights`). A
    weight of 0 stays 0."""

    weight_average: float = field(default=0.0, metadata=ADDED)
    """Decay of a moving average of the weights with each batch, such as 0.99 for the last
    100 or so; validation, maps and exports then use the average
    (`seaice_model.training.weight_average`). 0 uses the weights as they are."""

    where: str = ""
    """Condition for the scenes to train on, such as ``month in 5..9`` (see
    `seaice_data.store.selection`); all of the split if empty. It does not apply to
    validation scenes."""

    divide_by_probability: bool = False
    """Divide the loss of each patch by how often it is sampled, relative to sampling over
    scenes, and that of a batch by the mean number of valid pixels of a batch sampled over
    scenes. Whatever ``sampling.over`` and the batch size are, the expected loss is then
    that of a very large batch sampled over scenes; only its noise differs. (Batch norm
    still sees the patches as they are sampled. Valid pixels are counted before patches are
    turned: with ``beyond = "fill"``, losses of all charts are about 6 % lower.)"""

    validation: ValidationSource = "store"
    """Scenes to validate on. "store": the validation split of the store. "drawn": as many
    scenes, sampled from both splits by the seed of the run, as the paper does for each of
    its 20 runs (section 3.5). "listed": those in `validation_scenes`."""

    validation_scenes: tuple[SceneId, ...] = ()
    """Ids of the scenes to validate on, if they are listed. The run trains on the other
    scenes of both splits, except those of the same orbit passes (see `allow_leaks`)."""

    allow_leaks: bool = field(default=False, metadata=ADDED)
    """Whether to divide scene by scene, as in the official code, which trains on scenes of
    the orbit passes of validation and test scenes. Such scenes overlap, or nearly so, which
    may raise scores. By default a run uses no scene from the pass of a test scene, and does
    not train on scenes from the passes of validation scenes."""

    seed: int = 0
    """Decides the initial weights, the patches, and the validation scenes if sampled."""

    precision: Precision = "auto"
    """Arithmetic of the convolutions; "auto" is bfloat16 on a GPU and float32 elsewhere.
    With float32, PyTorch lets GPUs round factors to TF32 (10 bits), unless
    ``torch.backends.cudnn.allow_tf32`` is false."""

    compile: Compile = "auto"
    """When to fuse operations with ``torch.compile``, which takes a minute at the start,
    and, on a single GPU, to record them as a CUDA graph. "auto" does so on GPUs only: on
    two CPU cores a step took 3.2 s either way."""

    def __post_init__(self) -> None:
        """Refuse a training that cannot work."""
        for name, most in _MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} must be in 1..{most}, got {getattr(self, name)}")
        if self.n_restart_epochs < 1:
            raise ConfigError(
                f"n_restart_epochs must be at least 1, got {self.n_restart_epochs}"
            )
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(
                f"learning_rate must be finite and above 0, got {self.learning_rate}"
            )
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum must be in [0, 1), got {self.momentum}")
        if not 0 <= self.weight_decay < math.inf:
            raise ConfigError(
                f"weight_decay must be finite and not negative, got {self.weight_decay}"
            )
        if not 0 <= self.focal_gamma < math.inf:
            raise ConfigError(
                f"focal_gamma must be finite and not negative, got {self.focal_gamma}"
            )
        if not 0 <= self.region_loss < math.inf:
            raise ConfigError(
                f"region_loss must be finite and not negative, got {self.region_loss}"
            )
        if not 0 <= self.weight_average < 1:
            raise ConfigError(
                f"weight_average must be in [0, 1), got {self.weight_average}"
            )
        if self.seed < 0:
            raise ConfigError(f"seed must not be negative, got {self.seed}")
        if self.seed >= _SEEDS:
            raise ConfigError(f"seed must be below 2**63, got {self.seed}")
        if (self.validation == "listed") != bool(self.validation_scenes):
            raise ConfigError(
                f"validation is {self.validation!r}, but validation_scenes names "
                f"{counted(len(self.validation_scenes), 'scene')}",
                hint="name scenes if, and only if, validation is 'listed'",
            )
        self._check_loss_weights()

    def _check_loss_weights(self) -> None:
        weights = self.loss_weights
        is_each_one = all(0 <= weight < math.inf for weight in weights)
        if len(weights) != len(CHARTS) or not is_each_one or not any(weights):
            names = ", ".join(chart.name for chart in CHARTS)
            raise ConfigError(
                f"loss_weights must be one finite number per chart ({names}), none "
                f"negative and not all 0, got {shortened(str(list(weights)))}"
            )


@former_arguments(drawing="sampling")
@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """A network and its training: everything that decides a run, except the store."""

    model: ModelConfig = field(default_factory=ModelConfig)
    """The network."""

    train: TrainConfig = field(default_factory=TrainConfig)
    """Its training."""

    sampling: Sampling = field(default_factory=Sampling, metadata=formerly("drawing"))
    """How its patches are sampled."""

    augmentation: Augmentation = field(default_factory=Augmentation)
    """How they are augmented."""

    drawing = former_attribute("drawing", "sampling")

    def __post_init__(self) -> None:
        """Refuse patches that do not fit the network."""
        for group in self.augmentation.dropped:
            if group not in self.model.dispensable:
                raise ConfigError(
                    f"drop_{group} needs channels of {group.upper()}, and the network "
                    "reads none",
                    hint=f"add some, or set drop_{group} to 0",
                )
        # Batch norm needs more than one pixel in a channel, even in a batch of one patch.
        smallest = 2 * self.model.stride
        if self.train.patch_size < smallest:
            is_unet = self.model.network == UNET
            raise ConfigError(
                f"patch_size {self.train.patch_size} is too small for "
                + (
                    f"{len(self.model.filters)} levels of filters"
                    if is_unet
                    else f"network {self.model.network!r}"
                ),
                hint=f"use patches of at least {smallest} pixels"
                + (", or fewer filters" if is_unet else ""),
            )
