"""Questions that a study answers, and the candidates that answer them.

Each candidate is Model 1 with changes, or the runs of another candidate seen otherwise:
their maps are predicted without a sensor, say. ``seaice_model.study.candidates`` makes
candidates of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class CandidateChange:
    """A candidate that answers a question, as changes of Model 1 or another candidate."""

    name: str
    """Its name."""

    summary: str
    """Description in one line."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    """What it changes."""

    instead_of_month: tuple[str, ...] = ()
    """Channels that replace the month."""

    of: str = ""
    """Candidate whose runs it shares, if it only changes how they are seen."""


def _dropped(name: str, summary: str, fill: str) -> tuple[CandidateChange, ...]:
    """Return a candidate trained with dropped sensors, and its maps without each."""
    changes = {"drop_amsr2": 0.2, "drop_era5": 0.1, "fill": fill}
    return (CandidateChange(name, summary, changes), *_without(name))


def _without(name: str) -> tuple[CandidateChange, ...]:
    return tuple(
        CandidateChange(
            f"{name}-without-{group}",
            f"{name}, maps without {group.upper()}",
            {"without": (group,)},
            of=name,
        )
        for group in ("amsr2", "era5")
    )


QUESTIONS: Mapping[str, tuple[CandidateChange, ...]] = MappingProxyType(
    {
        "ratios": tuple(
            CandidateChange(f"ratio{ratio}", f"SAR downscaled by {ratio}", {"ratio": ratio})
            for ratio in (5, 8, 15, 20)
        ),
        "patches": tuple(
            CandidateChange(
                f"patch{size}", f"patches of {size} pixels", {"patch_size": size}
            )
            for size in (128, 192, 384, 512)
        ),
        "time": (
            CandidateChange(
                "cyclic-month",
                "the month as an angle",
                instead_of_month=("month_sin", "month_cos"),
            ),
            CandidateChange(
                "day-of-year",
                "the day of the year as an angle",
                instead_of_month=("day_sin", "day_cos"),
            ),
        ),
        "fusion": (
            CandidateChange(
                "bottleneck",
                "AMSR2 and ERA5 join at the bottleneck",
                {"fusion": "bottleneck"},
            ),
        ),
        "sampling": (
            CandidateChange(
                "class-balanced",
                "half of the patches drawn by SOD class",
                {"over": "classes"},
            ),
        ),
        "losses": tuple(
            CandidateChange(loss, f"{loss} loss of SOD and FLOE", {"class_loss": loss})
            for loss in ("focal", "ordinal")
        ),
        "resampling": (
            CandidateChange(
                "nearest", "single SAR pixels instead of block means", {"sar": "nearest"}
            ),
        ),
        "sensors": (
            *_dropped("dropped", "AMSR2 or ERA5 dropped at times", "zero"),
            *_dropped("dropped-mask", "dropped, with a mask", "mask"),
            *_dropped("dropped-constant", "dropped, with constants", "constant"),
            *_without("model1"),
        ),
        "regions": (
            CandidateChange(
                "region-ice",
                "loss of regions, shares of the ice",
                {"region_loss": 1.0, "region_shares": "ice"},
            ),
            CandidateChange(
                "region-area",
                "loss of regions, shares of the area",
                {"region_loss": 1.0, "region_shares": "area"},
            ),
        ),
        "small": (
            CandidateChange("averaged", "average of weights", {"weight_average": 0.9999}),
            CandidateChange(
                "learned-weights", "learned loss weights", {"learned_weights": True}
            ),
            CandidateChange("sic-both", "SIC as number and classes", {"sic": "both"}),
            CandidateChange(
                "model1-flips", "model1, maps with flips", {"flips": True}, of="model1"
            ),
        ),
        "denoising": (
            CandidateChange(
                "model1-on-twins", "model1, maps of twins", {"twins": True}, of="model1"
            ),
        ),
    }
)
"""Candidates by the question that they answer together with Model 1. The paper leaves these
questions open, or answers them without numbers: ratios other than 10, patches other than
256, a month that does not jump in January, ancillary fields in the bottleneck, patches and
losses for rare classes, and SAR that is not averaged; a sensor that is missing, polygons
that mix ice types, averages of weights and of flipped scenes, learned weights of losses,
and scenes whose noise was removed in another way than that of training scenes."""
