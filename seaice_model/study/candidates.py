"""The candidates of a study: networks that are trained with many seeds and compared.

A candidate is a preset, an answer to a question that the paper leaves open (`QUESTIONS`),
or a variant that a user writes as ``name: key=value, ...``. It consists of a network, its
training, and the store that it needs. `quick` scales a candidate down for CPUs.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import ceil
from types import MappingProxyType
from typing import Any, Literal

from seaice_data.settings import assign, nearest, read_assignments
from seaice_data.store.recipe import Recipe
from seaice_data.texts import shortened
from seaice_model.config.network_names import find_network
from seaice_model.config.presets import PRESETS, find_preset, find_profile
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import StudyError

BASELINE = "model1"
"""The candidate that others are compared with, and that variants change."""

_OF_THE_STUDY = ("seed", "validation", "validation_scenes")
_NAME = re.compile(r"\w[\w.+-]*")
_RANGE = re.compile("([^0-9]+)([0-9]{1,4})-([^0-9]+)([0-9]{1,4})")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreNeeds:
    """The kind of store that a candidate can be trained on."""

    ratio: int = 10
    """Ratio of the store."""

    sar: Literal["mean", "nearest", "power"] | None = None
    """How its SAR is downscaled; in this and the next fields, None accepts any way."""

    charts: Literal["most-frequent", "nearest"] | None = None
    """How its charts are downscaled."""

    ancillary: Literal["bilinear", "nearest"] | None = None
    """How AMSR2 and ERA5 are brought to its grid."""

    def wanted(self) -> dict[str, Any]:
        """Return the values that a recipe must have, by the name of the field."""
        values = {known.name: getattr(self, known.name) for known in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def are_met_by(self, recipe: Recipe) -> bool:
        """Return whether a store with this recipe meets the needs."""
        return all(getattr(recipe, k) == v for k, v in self.wanted().items())


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateSettings:
    """What a candidate is made of: everything that a variant can set."""

    config: RunConfig = field(default_factory=RunConfig)
    """Network and training; the study decides the seed and the validation scenes."""

    store: StoreNeeds = field(default_factory=StoreNeeds)
    """The store."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A network with a name, to be trained with several seeds."""

    name: str
    """Short; also the name of its folder in the study."""

    summary: str
    """Description in one line."""

    settings: CandidateSettings
    """Network, training and store."""

    def __post_init__(self) -> None:
        """Reject a name that a folder cannot have."""
        if not _NAME.fullmatch(self.name):
            raise StudyError(
                f"{shortened(self.name)!r} is not a name for a candidate",
                hint="use letters and digits, and '.+-' after the first",
            )


@dataclass(frozen=True, slots=True)
class CandidateChange:
    """A candidate that answers a question, as changes of Model 1."""

    name: str
    """Its name."""

    summary: str
    """Description in one line."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    """What it changes in Model 1."""

    instead_of_month: tuple[str, ...] = ()
    """Channels that replace the month."""

    def applied(self, base: CandidateSettings) -> Candidate:
        """Return the candidate: Model 1 with these changes."""
        changes = dict(self.changes)
        if self.instead_of_month:
            changes["channels"] = [
                name
                for channel in base.config.model.channels
                for name in (self.instead_of_month if channel == "month" else (channel,))
            ]
        return _changed(self.name, self.summary, changes, base)


def read_candidates(
    text: str, profile: str = "default", variants: Sequence[str] = ()
) -> tuple[Candidate, ...]:
    """Read the candidates of a study.

    Parameters
    ----------
    text
        Names of presets, of questions, and of single candidates of questions, separated by
        commas; ranges as ``model1-model9``. Empty for variants alone.
    profile
        Name of a profile; any other than "default" needs stores prepared accordingly.
    variants
        Candidates of your own, see `read_variant`.

    Raises
    ------
    StudyError
        If there is no such candidate, or one is named twice; the hint names the nearest.
    ConfigError
        If there is no such profile.
    SettingsError
        If a setting of a variant does not exist, or its value is invalid.

    Examples
    --------
    >>> found = read_candidates("model1-model3, time", variants=["deep: filters=[8, 8, 8]"])
    >>> [candidate.name for candidate in found]
    ['model1', 'model2', 'model3', 'cyclic-month', 'day-of-year', 'deep']
    """
    own = [read_variant(variant, profile) for variant in variants]
    named = [
        candidate
        for part in (text.split(",") if text else [])
        for candidate in _read_part(part.strip(), profile)
    ]
    return check_names([*named, *own])


def read_variant(text: str, profile: str = "default") -> Candidate:
    """Read ``name: key=value, key=value``: what a candidate of your own changes.

    A key is a field of the configuration (``n_epochs``, ``train.n_epochs``) or of
    `StoreNeeds` (``ratio``, ``sar``); ``preset`` and ``profile`` name what to change
    instead of Model 1.

    Raises
    ------
    StudyError
        If `text` has another form, or sets what the study decides.
    SettingsError
        If there is no such setting, or its value is invalid; the hint names the nearest.

    Examples
    --------
    >>> read_variant("wide: filters=[64, 64, 128, 128]").settings.config.model.filters
    (64, 64, 128, 128)
    """
    name, colon, changes = text.partition(":")
    values = read_assignments(changes)
    if not colon or not values:
        raise StudyError(
            f"{shortened(text)!r} is not a variant",
            hint="write it as 'name: key=value, key=value'",
        )
    base = _settings_of(
        str(values.pop("preset", BASELINE)), str(values.pop("profile", profile))
    )
    return _changed(name.strip(), changes.strip(), values, base)


def check_names(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates if their names differ by more than upper and lower case.

    Raises
    ------
    StudyError
        If two have the same name.
    """
    named: dict[str, Candidate] = {}
    for candidate in candidates:
        if candidate.name.lower() in named:
            raise StudyError(f"candidate {candidate.name!r} is named twice")
        named[candidate.name.lower()] = candidate
    return tuple(named.values())


def quick(candidate: Candidate) -> Candidate:
    """Return a candidate that trains in a minute or two on a CPU.

    Network, patches and training shrink in the same proportion, so that candidates still
    differ in the same way; Model 1 becomes the preset ``tiny``.

    Examples
    --------
    >>> quick(read_variant("long: n_epochs=600")).settings.config.train.n_epochs
    24
    """
    config = candidate.settings.config
    train = config.train
    model = replace(
        config.model, filters=tuple(max(1, n // 2) for n in config.model.filters)
    )
    n_epochs = ceil(train.n_epochs * 12 / 300)
    small = replace(
        train,
        patch_size=max(2 * model.stride, train.patch_size * 96 // 256),
        batch_size=ceil(train.batch_size / 2),
        n_iterations=ceil(train.n_iterations * 40 / 500),
        n_epochs=n_epochs,
        n_restart_epochs=n_epochs,
        learning_rate=5 * train.learning_rate,
    )
    settings = replace(candidate.settings, config=replace(config, model=model, train=small))
    return replace(candidate, settings=settings)


def _read_part(name: str, profile: str) -> list[Candidate]:
    if bounds := _RANGE.fullmatch(name):
        stem, first, other, last = bounds.groups()
        if stem == other and int(first) <= int(last):
            numbers = range(int(first), int(last) + 1)
            return [
                candidate
                for number in numbers
                for candidate in _read_part(f"{stem}{number}", profile)
            ]
    if name in PRESETS:
        summary = PRESETS[name].summary
        return [Candidate(name=name, summary=summary, settings=_settings_of(name, profile))]
    chosen = [
        ready
        for question, candidates in QUESTIONS.items()
        for ready in candidates
        if name in (question, ready.name)
    ]
    if not chosen:
        ready_names = [
            ready.name for candidates in QUESTIONS.values() for ready in candidates
        ]
        known = [*PRESETS, *QUESTIONS, *ready_names]
        raise StudyError(
            f"unknown candidate {shortened(name)!r}", hint=nearest(name, known)
        )
    base = _settings_of(BASELINE, profile)
    return [ready.applied(base) for ready in chosen]


def _settings_of(preset_name: str, profile_name: str) -> CandidateSettings:
    preset, profile = find_preset(preset_name), find_profile(profile_name)
    needs = StoreNeeds(ratio=preset.ratio)
    if profile_name != "default":
        recipe = profile.recipe
        needs = replace(
            needs, sar=recipe.sar, charts=recipe.charts, ancillary=recipe.ancillary
        )
    return CandidateSettings(config=preset.applied(profile.config), store=needs)


def _changed(
    name: str, summary: str, values: Mapping[str, Any], base: CandidateSettings
) -> Candidate:
    for key in values:
        if key.rpartition(".")[2] in _OF_THE_STUDY:
            raise StudyError(
                f"variant {name!r} sets {key!r}, which the study decides for each run"
            )
    settings = assign(base, values)
    find_network(settings.config.model.network)
    return Candidate(name=name, summary=summary, settings=settings)


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
    }
)
"""Candidates by the question that they answer together with Model 1. The paper leaves these
questions open, or answers them without numbers: ratios other than 10, patches other than
256, a month that does not jump in January, ancillary fields in the bottleneck, patches and
losses for rare classes, and SAR that is not averaged."""
