"""The candidates of a study: networks that are trained with many seeds and compared.

A candidate is a preset, an answer to a question that the paper leaves open (`QUESTIONS`),
or a variant that a user writes as ``name: key=value, ...``. It consists of a network, its
training, the store that it needs, and how its maps are predicted. Candidates that differ
only in the last share their runs. `quick` scales a candidate down for CPUs.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import ceil
from typing import Any, Literal

from seaice_data.settings import assign, nearest, read_assignments
from seaice_data.store.recipe import Recipe
from seaice_data.texts import shortened
from seaice_model.config.network_names import find_network
from seaice_model.config.presets import PRESETS, find_preset, find_profile
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import StudyError
from seaice_model.study.questions import QUESTIONS, CandidateChange

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
class View:
    """How the maps of a run are predicted; by default as `seaice predict` does."""

    without: tuple[Literal["amsr2", "era5"], ...] = ()
    """Groups of channels that the network does not see, whether or not it was trained to do
    without them."""

    flips: bool = False
    """Whether mirrored views of a scene decide, too, as with `seaice predict --flips`."""

    twins: bool = False
    """Whether the scenes are twins of the test scenes: the same scenes, made from other
    files or with their noise removed in another way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateSettings:
    """What a candidate is made of: everything that a variant can set."""

    config: RunConfig = field(default_factory=RunConfig)
    """Network and training; the study decides the seed and the validation scenes."""

    store: StoreNeeds = field(default_factory=StoreNeeds)
    """The store."""

    view: View = field(default_factory=View)
    """How its maps are predicted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A network with a name, to be trained with several seeds."""

    name: str
    """Short; also the name of its folder in the study."""

    summary: str
    """Description in one line."""

    settings: CandidateSettings
    """Network, training, store and maps."""

    of: str = ""
    """Candidate whose runs it shares; if empty, it has its own."""

    def __post_init__(self) -> None:
        """Reject a name that a folder cannot have."""
        for name in (self.name, self.trained):
            if not _NAME.fullmatch(name):
                raise StudyError(
                    f"{shortened(name)!r} is not a name for a candidate",
                    hint="use letters and digits, and '.+-' after the first",
                )

    @property
    def trained(self) -> str:
        """Name of the candidate that is trained: its own, or that of `of`."""
        return self.of or self.name


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
    found: list[Candidate] = []
    for part in text.split(",") if text else []:
        found += _read_part(part.strip(), profile)
    for variant in variants:
        found.append(read_variant(variant, profile, found))
    return check_names(found)


def read_variant(
    text: str, profile: str = "default", known: Sequence[Candidate] = ()
) -> Candidate:
    """Read ``name: key=value, key=value``: what a candidate of your own changes.

    A key is a field of the configuration (``n_epochs``, ``train.n_epochs``), of
    `StoreNeeds` (``ratio``, ``sar``) or of `View` (``without``, ``flips``); ``preset`` and
    ``profile`` name what to change instead of Model 1. ``of`` names a candidate whose runs
    it shares: one of `known`, or any that `read_candidates` knows. It then changes only
    fields of `View`.

    Raises
    ------
    StudyError
        If `text` has another form, or sets what the study or a shared run decides.
    SettingsError
        If there is no such setting, or its value is invalid; the hint names the nearest.

    Examples
    --------
    >>> read_variant("wide: filters=[64, 64, 128, 128]").settings.config.model.filters
    (64, 64, 128, 128)
    >>> read_variant("bare: of=model1, without=[amsr2, era5]").trained
    'model1'
    """
    name, colon, changes = text.partition(":")
    values = read_assignments(changes)
    if not colon or not values:
        raise StudyError(
            f"{shortened(text)!r} is not a variant",
            hint="write it as 'name: key=value, key=value'",
        )
    if len(both := {"of", "preset"} & {*values}) > 1:
        raise StudyError(
            f"variant {shortened(name)!r} sets {' and '.join(sorted(both))}",
            hint="'of' shares the runs of a candidate, 'preset' changes one: choose",
        )
    profile = str(values.pop("profile", profile))
    if of := str(values.pop("of", "")):
        base = _find_one(of, profile, known)
        return _changed(name.strip(), changes.strip(), values, base.settings, base.trained)
    settings = _settings_of(str(values.pop("preset", BASELINE)), profile)
    return _changed(name.strip(), changes.strip(), values, settings)


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
    differ in the same way; the network of Model 1 becomes that of the preset ``tiny``. The
    squared error of SIC, up to 100, hides rare classes of the other charts from a short
    training, so it has a fifth of its weight. An average of weights that would cover less
    than one batch is left out.

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
    n_iterations = ceil(train.n_iterations * 80 / 500)
    # The average covers the same share of the training.
    shrinking = train.n_epochs * train.n_iterations / (n_epochs * n_iterations)
    of_sic, *others = train.loss_weights
    small = replace(
        train,
        patch_size=max(2 * model.stride, train.patch_size // 4),
        batch_size=ceil(train.batch_size / 2),
        n_iterations=n_iterations,
        n_epochs=n_epochs,
        n_restart_epochs=n_epochs,
        learning_rate=10 * train.learning_rate,
        loss_weights=(of_sic if model.sic == "classes" else of_sic / 5, *others),
        weight_average=_shrunk_average(train.weight_average, shrinking),
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
    return [_answer(ready, profile) for ready in chosen]


def _answer(ready: CandidateChange, profile: str) -> Candidate:
    """Return a candidate that answers a question."""
    base = _find_one(ready.of or BASELINE, profile)
    changes = dict(ready.changes)
    if ready.instead_of_month:
        changes["channels"] = [
            name
            for channel in base.settings.config.model.channels
            for name in (ready.instead_of_month if channel == "month" else (channel,))
        ]
    of = base.trained if ready.of else ""
    return _changed(ready.name, ready.summary, changes, base.settings, of)


def _find_one(name: str, profile: str, known: Sequence[Candidate] = ()) -> Candidate:
    """Return the candidate of this name: one of `known`, or a ready one."""
    for candidate in known:
        if candidate.name == name:
            return candidate
    found = _read_part(name, profile)
    if len(found) > 1:
        names = ", ".join(candidate.name for candidate in found)
        raise StudyError(f"{name!r} is not a candidate, but {len(found)}: {names}")
    return found[0]


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
    name: str,
    summary: str,
    values: Mapping[str, Any],
    base: CandidateSettings,
    of: str = "",
) -> Candidate:
    for key in values:
        if key.rpartition(".")[2] in _OF_THE_STUDY:
            raise StudyError(
                f"variant {name!r} sets {key!r}, which the study decides for each run"
            )
    settings = assign(base, values)
    find_network(settings.config.model.network)
    if of and replace(settings, view=base.view) != base:
        known = ", ".join(known.name for known in fields(View))
        raise StudyError(
            f"variant {name!r} shares the runs of {of!r} and cannot change how they are "
            "trained",
            hint=f"set {known} only, or name what to change as 'preset' instead of 'of'",
        )
    return Candidate(name=name, summary=summary, settings=settings, of=of)


def _shrunk_average(decay: float, shrinking: float) -> float:
    """Return the decay of an average over this many times fewer batches; 0 for none."""
    return max(0.0, 1 - (1 - decay) * shrinking) if decay else 0.0
