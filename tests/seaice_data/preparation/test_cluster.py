"""Preparing on a dask.distributed cluster, one of whose workers dies."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster
from support.coded_scenes import write_coded

from seaice_data.errors import SceneError, SeaIceError
from seaice_data.preparation.prepare import prepare
from seaice_data.store.store import Store
from seaice_data.store.verify import verify
from seaice_data.system.workers import run_tasks

IDS = [f"2019{month:02d}{day}T101830_dmi" for month in range(1, 9) for day in (14, 24)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster") / "raw"
    for scene_id in IDS:
        write_coded(folder, 203, 251, scene_id)
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster


def test_a_killed_worker_loses_nothing(
    raw: Path, tmp_path: Path, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[int, int, str]] = []

    def kill_one(*step: object) -> None:
        steps.append(step)  # type: ignore[arg-type]
        if len(steps) == 3:
            os.kill(cluster.workers[0].pid, signal.SIGKILL)

    monkeypatch.chdir(tmp_path)  # the workers stay in their folder
    report = prepare(
        raw, "store.zarr", scheduler=cluster.scheduler_address, progress=kill_one
    )
    assert (report.failed, set(report.written) | set(report.kept)) == ((), set(IDS))
    assert [step[:2] for step in steps] == [(k + 1, 16) for k in range(16)]
    assert {step[2] for step in steps} == set(IDS)
    assert verify("store.zarr").damages == ()
    assert len(Store.open("store.zarr").splits["train"]) == 13
    again = prepare(raw, "store.zarr", scheduler=cluster.scheduler_address)
    assert len(again.kept) == 16


def test_a_bad_file_is_reported_by_the_cluster(
    tmp_path: Path, cluster: LocalCluster
) -> None:
    bad = tmp_path / "raw" / "20200101T000000_cis_prep.nc"
    write_coded(bad.parent, 203, 251, IDS[0])
    write_coded(bad.parent, 203, 251, "20200101T000000_cis", t2m=None)
    store, address = str(tmp_path / "store.zarr"), cluster.scheduler_address
    with pytest.raises(SceneError, match="variable 't2m' is missing"):
        prepare(bad.parent, store, scheduler=address, strict=True)
    report = prepare(bad.parent, store, scheduler=address)
    assert [failure.name for failure in report.failed] == [str(bad)]
    assert Store.open(store).scenes == (IDS[0],)


def test_a_task_that_ends_workers_is_reported_without_guessing_why(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster.scheduler_address
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with pytest.raises(SeaIceError, match="ended during the same task, 1 in all") as caught:
        run_tasks(os._exit, {"a": (1,)}, scheduler=address)
    assert "logs say how they ended" in str(caught.value.hint)
    assert "memory" not in f"{caught.value} {caught.value.hint}"


def test_a_missing_scheduler_is_reported() -> None:
    with pytest.raises(SeaIceError, match="no dask scheduler at 'nonsense://host'"):
        run_tasks(print, {"a": ("a",)}, scheduler="nonsense://host")
