"""What is exported: the format, which patches, and how they are grouped."""

from dataclasses import dataclass, field
from typing import Literal

from seaice_data.charts import CHARTS
from seaice_data.errors import SettingsError
from seaice_data.sampling.random_numbers import check_seed
from seaice_data.sampling.windows import Sampling

Format = Literal["webdataset", "nnunet", "npz", "geotiff"]
Split = Literal["train", "validation", "test"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""All splits, in the order in which they are exported."""

_MOST_ID = 999


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomPatches:
    """How many random patches to take from each split; with 0 it is cut into tiles."""

    train: int = 0
    """Random patches of the training scenes."""

    validation: int = 0
    """Random patches of the validation scenes."""

    test: int = 0
    """Random patches of the test scenes."""

    def __post_init__(self) -> None:
        """Reject a negative number."""
        for split in SPLITS:
            if (n := self.of(split)) < 0:
                raise SettingsError(f"patches of {split} must be at least 0, got {n}")

    def of(self, split: Split) -> int:
        """Return the number of a split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[
            split
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportSettings:
    """Everything that decides the files of an export, apart from the store."""

    to: Format
    """Format of the files."""

    size: int = 256
    """Pixels along one side of a patch (Chen et al. 2024, Table 3)."""

    channels: tuple[str, ...] = ()
    """Names of channels or groups, in this order; empty: all channels of the store."""

    splits: tuple[Split, ...] = SPLITS
    """Splits to export."""

    where: str | None = None
    """Condition that scenes must satisfy (`seaice_data.store.selection`)."""

    random: RandomPatches = field(default_factory=RandomPatches)
    """Splits that are sampled at random; the others are cut into tiles."""

    sampling: Sampling = field(default_factory=Sampling)
    """Which random patches are taken, and how often. `Sampling.min_valid_share` holds for
    tiles too."""

    seed: int = 0
    """Random seed of the patches."""

    overlap: int = 0
    """Smallest number of pixels that neighbouring tiles share."""

    per_shard: int = 100
    """Patches in a tar file (``webdataset``): 100 have 430 MB with all channels."""

    first_id: int = 501
    """Number of the nnU-Net dataset of the first chart; the others follow."""

    def __post_init__(self) -> None:
        """Reject settings that cannot work."""
        check_seed(self.seed)
        if self.size < 1:
            raise SettingsError(f"size must be at least 1, got {self.size}")
        if not 0 <= self.overlap < self.size:
            raise SettingsError(
                f"overlap must be at least 0 and below the size {self.size}, "
                f"got {self.overlap}"
            )
        if self.per_shard < 1:
            raise SettingsError(f"per_shard must be at least 1, got {self.per_shard}")
        last = _MOST_ID - len(CHARTS) + 1
        if not 1 <= self.first_id <= last:
            raise SettingsError(f"first_id must be in 1..{last}, got {self.first_id}")
        if not self.splits or len({*self.splits}) < len(self.splits):
            raise SettingsError(
                f"splits must be one or several of {', '.join(SPLITS)}, each once, "
                f"got {list(self.splits)}"
            )
        if len({*self.channels}) < len(self.channels):
            raise SettingsError(f"a channel is named twice in {list(self.channels)}")
        for split in SPLITS:
            if split not in self.splits and self.random.of(split):
                raise SettingsError(
                    f"{self.random.of(split)} random patches of {split} are asked for, "
                    f"but {split} is not among the splits {list(self.splits)}"
                )
