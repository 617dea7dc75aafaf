"""Presets and profiles are listed with the scores of the paper."""

import json

from seaice_model.config.catalogue import as_mapping, as_text
from seaice_model.config.presets import PRESETS, PROFILES


def test_every_preset_and_profile_is_in_the_mapping() -> None:
    listed = json.loads(json.dumps(as_mapping()))
    assert list(listed["presets"]) == [*PRESETS]
    assert list(listed["profiles"]) == [*PROFILES]
    assert listed["presets"]["model9"]["paper_test_percent"]["combined"] == 87.3
    assert listed["presets"]["tiny"]["paper_test_percent"] is None


def test_every_preset_and_profile_has_a_line() -> None:
    lines = as_text().split("\n")
    assert [line.split()[0] for line in lines[1 : len(PRESETS) + 1]] == [*PRESETS]
    assert [line.split()[1] for line in lines[-len(PROFILES) :]] == [*PROFILES]
