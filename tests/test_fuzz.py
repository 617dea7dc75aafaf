"""Hostile variants of everything that seaice reads; `make fuzz` tries thousands."""

from pathlib import Path

import pytest
from fuzz.planted import FAULTS
from fuzz.runner import attack
from fuzz.targets import TARGETS, make_base

N_VARIANTS = 12 * len(TARGETS)


@pytest.mark.slow
def test_hostile_files_give_an_error_message_and_change_no_other_file(
    tmp_path: Path,
) -> None:
    report = attack(make_base(tmp_path / "base"), range(N_VARIANTS), seed=1)
    assert report.findings == []
    assert report.codes.total() == N_VARIANTS


@pytest.mark.slow
def test_the_fuzzer_finds_planted_faults(tmp_path: Path) -> None:
    report = attack(tmp_path, range(len(FAULTS)), seed=0, targets=tuple(FAULTS))
    assert len(report.findings) == len(FAULTS)
    for found, expected in zip(report.findings, FAULTS.values(), strict=True):
        assert expected in found
