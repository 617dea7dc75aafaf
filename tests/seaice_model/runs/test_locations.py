"""Runs in archives, on servers and at Hugging Face."""

import http.server
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from support.command_results import Result
from support.download_server import Served, serving

from seaice_data.settings import to_mapping
from seaice_data.store.store import Store
from seaice_model.errors import RunError
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.prediction.predictor import Predictor
from seaice_model.runs.checkpoint import load_best, weights_fingerprint
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.locations import is_url, runs_at, shown


@pytest.fixture(scope="module")
def archive(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive with a run, two seeds, and a run without an epoch."""
    path = tmp_path_factory.mktemp("archive") / "runs.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for folder in ("run", "several/seed-0", "several/seed-10", "several/seed-2"):
            packed.write(RunFolder(run).best, f"{folder}/best.safetensors")
        packed.write(RunFolder(run).settings, "begun/settings.json")
        packed.writestr("broken/best.safetensors", b"12345678")
    return path


@pytest.fixture
def hub(run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Serve the run as a repository of Hugging Face."""
    with serving() as served:
        folder = RunFolder(run)
        served.models = {
            "best.safetensors": folder.best.read_bytes(),
            "settings.json": folder.settings.read_bytes(),
            "other/best.safetensors": folder.best.read_bytes(),
        }
        monkeypatch.setitem(
            fsspec.config.conf, "hf", {"endpoint": served.url, "token": False}
        )
        yield served


def same(url: str, run: Path) -> bool:
    ours, theirs = load_best(run), load_best(url)
    alike = weights_fingerprint(ours) == weights_fingerprint(theirs)
    return alike and to_mapping(ours.settings) == to_mapping(theirs.settings)


def test_a_run_is_read_from_a_zip(archive: Path, run: Path) -> None:
    assert same(f"zip://run::{archive}", run)
    assert same(f"zip://run/::file://{archive}", run)


def test_a_run_is_read_from_a_tar(run: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "run.tar.gz", "w:gz") as packed:
        packed.add(run, "run")
    assert same(f"tar://run::{tmp_path / 'run.tar.gz'}", run)


def test_a_run_is_read_from_the_root_of_an_archive(run: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "run"), "zip", run)
    assert same(f"zip://::{tmp_path / 'run.zip'}", run)


def test_a_url_of_a_folder_is_that_folder(run: Path) -> None:
    assert same(f"file://{run}", run)
    assert runs_at(f"file://{run}") == (run,)


@pytest.mark.usefixtures("hub")
def test_a_run_is_read_from_hugging_face(run: Path) -> None:
    assert same("hf://me/model", run)
    assert same("hf://me/model/other", run)
    assert same("hf://me/model@main/other", run)
    with pytest.raises(RunError, match="no run at 'hf://me/model/nowhere'"):
        load_best("hf://me/model/nowhere")


def test_maps_are_those_of_the_folder(
    archive: Path, run: Path, store: Store, tmp_path: Path
) -> None:
    maps = {}
    for name, where in (("folder", run), ("url", f"zip://run::{archive}")):
        words = ("predict", store.path, "--run", where, "--out", tmp_path / name)
        done = Result(*words, "--no-plots", "--device", "cpu")
        assert done.code == 0, done.err
        maps[name] = {p.name: read_netcdf(p) for p in (tmp_path / name).glob("*.nc")}
    for name, ours in maps["folder"].items():
        theirs = maps["url"][name]
        np.testing.assert_array_equal(ours.charts, theirs.charts)
        assert theirs.provenance.weights == ours.provenance.weights
        assert theirs.provenance.run == f"zip://run::{archive}"
    words = ("predict", store.path, "--run", run, "--out", tmp_path / "url")
    assert "0 maps written" in Result(*words, "--no-plots", "--device", "cpu").out


def test_seeds_decide_together_in_the_order_of_their_numbers(archive: Path) -> None:
    url = f"zip://several::{archive}"
    seeds = [f"zip://several/seed-{k}::{archive}" for k in (0, 2, 10)]
    assert list(runs_at(url)) == seeds
    predictor = Predictor.load([url], torch.device("cpu"))
    assert (predictor.n_networks, predictor.name) == (3, ", ".join(seeds))
    with pytest.raises(RunError, match=r"seed-2::.* is named twice"):
        Predictor.load([url, seeds[1]], torch.device("cpu"))


@pytest.mark.parametrize(
    ("url", "reason", "hint"),
    [
        (
            "zip://::{archive}",
            "no run at .* among begun, broken, run, several",
            "name its folder: zip://broken::",
        ),
        ("zip://nowhere::{archive}", "there is nothing", "None"),
        ("zip://begun::{archive}", "has no finished epoch", "None"),
        ("zip://broken::{archive}", "is damaged: it is not a safetensors", "ask who"),
        ("zip://{archive}", "cannot reach", "write zip://FOLDER::"),
        ("zip://run::{archive}x", "No such file", "None"),
        ("hf://owner/name", "cannot reach 'hf://owner/name'", "None"),
        ("nope://owner/name", "cannot reach 'nope://owner/name'", "None"),
    ],
)
def test_what_cannot_be_read_is_named(
    archive: Path, url: str, reason: str, hint: str
) -> None:
    with pytest.raises(RunError, match=reason) as caught:
        load_best(url.format(archive=archive))
    assert hint in str(caught.value.hint)


class _Unlisted(http.server.SimpleHTTPRequestHandler):
    """Serves files, and refuses to list folders."""

    def list_directory(self, path: object) -> None:  # type: ignore[override]  # noqa: ARG002
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_need_not_list_its_files(run: Path) -> None:
    handler = partial(_Unlisted, directory=str(RunFolder(run).path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            assert runs_at(url) == (url,)
            assert same(url, run)
        finally:
            server.shutdown()
            thread.join()


def test_the_path_of_an_archive_says_how_to_name_a_run(archive: Path) -> None:
    with pytest.raises(RunError, match="no run at") as caught:
        load_best(archive)
    assert f"--run zip://FOLDER::{archive}" in str(caught.value.hint)


def test_secrets_are_not_shown() -> None:
    url = "zip://run::http://u:s3cr3t@127.0.0.1:9/runs.zip"
    assert is_url(url)
    assert shown(url) == "zip://run::http://127.0.0.1:9/runs.zip"
    with pytest.raises(RunError) as caught:
        load_best(url)
    assert "s3cr3t" not in f"{caught.value} {caught.value.hint}"
