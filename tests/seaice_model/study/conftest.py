"""A finished study, made once."""

import pytest
from support.small_studies import CANDIDATES

from seaice_data.store.store import Store
from seaice_model.study.plan import StudyPlan, plan_study
from seaice_model.study.study import run_study


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory, store: Store) -> StudyPlan:
    """Return a finished study of two candidates with two runs each; read only."""
    plan = plan_study(tmp_path_factory.mktemp("study"), [store], CANDIDATES, n_runs=2)
    report = run_study(plan, devices=["cpu"])
    assert (report.n_finished, report.n_runs, report.failed) == (4, 4, ())
    return plan
