import json
import shutil
from pathlib import Path

import pytest
from support.learnable_scenes import TEST_SCENE
from support.small_studies import CANDIDATES

from seaice_data.store.store import Store
from seaice_model.errors import StudyError
from seaice_model.study.candidates import View
from seaice_model.study.plan import StudyPlan, plan_study
from seaice_model.study.records import failures, load_record
from seaice_model.study.summary import summarise


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mapping: mapping.pop("config"), "'config' is missing"),
        (lambda mapping: mapping.update(format_version=7), "format version 7"),
        (lambda mapping: mapping["confusion"]["test"][TEST_SCENE].update(SIC=[[1]]), "SIC"),
        (lambda mapping: mapping["confusion"].pop("test"), "'confusion.test' is missing"),
        (lambda mapping: mapping["confusion"].update(test=[]), "confusion.test must be a"),
        (
            lambda mapping: mapping["confusion"]["test"].update({"../x": {}}),
            "not a scene id",
        ),
        (
            lambda mapping: mapping["confusion"]["test"][TEST_SCENE].update(
                FLOE=[[2**62] * 8] * 7
            ),
            "FLOE has counts that are not numbers of pixels",
        ),
        (lambda mapping: mapping.update(best_epoch="1"), "best_epoch must be int"),
        (lambda mapping: mapping.update(config=[]), "config must be a table"),
    ],
)
def test_a_damaged_record_is_named(
    plan: StudyPlan, tmp_path: Path, change, message
) -> None:  # type: ignore[no-untyped-def]
    mapping = json.loads(plan.runs[0].record.read_text())
    change(mapping)
    (tmp_path / "0.json").write_text(json.dumps(mapping))
    with pytest.raises(StudyError, match=f"is damaged: .*{message}") as caught:
        load_record(tmp_path / "0.json")
    assert "move it away" in str(caught.value.hint)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"attempt": 5}']
)
def test_invalid_records_and_notes_are_refused(
    plan: StudyPlan, store: Store, tmp_path: Path, content: bytes
) -> None:
    shutil.copytree(plan.out, tmp_path / "study")
    ours = plan_study(tmp_path / "study", [store], CANDIDATES, n_runs=2)
    ours.runs[0].record.write_bytes(content)
    with pytest.raises(StudyError, match=r"seed-0\.json' is damaged: "):
        summarise(ours)
    ours.runs[0].record.unlink()
    ours.runs[0].error.write_bytes(content)
    with pytest.raises(StudyError, match=r"seed-0\.error' is damaged: "):
        failures(ours.runs)


def test_a_record_that_says_nothing_of_its_view_has_the_usual_one(
    plan: StudyPlan, tmp_path: Path
) -> None:
    mapping = json.loads(plan.runs[0].record.read_text())
    del mapping["view"]  # as versions 0.1 and 0.2 wrote it
    (tmp_path / "0.json").write_text(json.dumps(mapping))
    assert load_record(tmp_path / "0.json").view == View()
