"""Every preset and profile with the scores of the paper, as text and as a mapping."""

from dataclasses import asdict
from typing import Any

from seaice_model.config.presets import PRESETS, PROFILES, PaperScores

_COLUMNS = ("preset", "change", "ratio", "channels", "validation, paper", "test, paper")


def as_mapping() -> dict[str, Any]:
    """Return all presets and profiles as JSON-ready values."""
    return {
        "presets": {
            name: {
                "summary": preset.summary,
                "ratio": preset.ratio,
                "channels": preset.config.model.channels,
                "paper_validation_percent": preset.validation and asdict(preset.validation),
                "paper_test_percent": preset.test and asdict(preset.test),
            }
            for name, preset in PRESETS.items()
        },
        "profiles": {name: profile.summary for name, profile in PROFILES.items()},
    }


def as_text() -> str:
    """Return a table of all presets, and a line for each profile."""
    table = [_COLUMNS] + [
        (
            name,
            preset.summary,
            str(preset.ratio),
            str(len(preset.config.model.channels)),
            _scores_in_words(preset.validation),
            _scores_in_words(preset.test),
        )
        for name, preset in PRESETS.items()
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in table
    ]
    lines += [
        "Scores: combined (standard deviation of 20 networks) SIC SOD FLOE, in percent",
        "(Chen et al. 2024, Table 4). Channels are those of the default profile.",
        "",
    ]
    lines += [f"profile {name:<9} {profile.summary}" for name, profile in PROFILES.items()]
    return "\n".join(lines)


def _scores_in_words(scores: PaperScores | None) -> str:
    if scores is None:
        return "-"
    return f"{scores.combined} ({scores.std}) {scores.sic} {scores.sod} {scores.floe}"
