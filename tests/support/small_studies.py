"""Candidates that train in a moment, on the scenes of `support.learnable_scenes`."""

from dataclasses import replace

from support.learnable_scenes import TINY

from seaice_model.config.run_config import ModelConfig, RunConfig
from seaice_model.study.candidates import Candidate, CandidateSettings, StoreNeeds, View


def candidate(name: str, ratio: int = 2, config: RunConfig = TINY) -> Candidate:
    settings = CandidateSettings(config=config, store=StoreNeeds(ratio=ratio))
    return Candidate(name=name, summary=f"{name} in short", settings=settings)


def with_train(**changes: object) -> RunConfig:
    return replace(TINY, train=replace(TINY.train, **changes))  # type: ignore[arg-type]


CANDIDATES = (
    candidate("model1"),
    candidate(
        "hh", config=replace(TINY, model=ModelConfig(channels=("hh",), filters=(4, 8)))
    ),
)


WEATHER = candidate(
    "weather",
    config=replace(TINY, model=ModelConfig(channels=("hh", "t2m"), filters=(4, 8))),
)


def seen(name: str, view: View, of: Candidate = WEATHER) -> Candidate:
    """Return a candidate that shares the runs of another."""
    settings = replace(of.settings, view=view)
    return Candidate(name=name, summary=name, settings=settings, of=of.name)


VIEWS = (
    WEATHER,
    seen("weather-without-era5", View(without=("era5",))),
    seen("weather-flips", View(flips=True)),
)
