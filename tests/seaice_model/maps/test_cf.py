"""Maps follow the CF conventions, according to the compliance checker."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.chart_maps import chart_map, decision
from support.compliance import check_cf, faults_in

from seaice_model.maps.decision import Decision
from seaice_model.maps.netcdf import write_netcdf


@pytest.mark.parametrize(
    "decided", [decision(), replace(decision(), spread=None, probabilities=None), None]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_compliance_checker_finds_no_error(
    tmp_path: Path, decided: Decision | None
) -> None:
    path = tmp_path / "map.nc"
    write_netcdf(replace(chart_map(), decision=decided), path)
    found = check_cf(path)
    assert found["high_count"] == 0
    assert faults_in(found) == []
