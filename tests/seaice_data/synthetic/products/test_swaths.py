"""Swaths have the geometry of AMSR2 and the names of JAXA; satpy reads the same."""

import re
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.swaths import distance_m, vectors

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.synthetic.ai4arctic.netcdf import passes
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import plan_scenes, swath_position
from seaice_data.synthetic.products.swaths import write_swaths


def observed(n_passes: int) -> Observation:
    for plan in plan_scenes(8, 300, seed=5):
        if len(passes(plan)) == n_passes:
            scene = Observation(plan)
            for _ in scene.bands():
                pass
            return scene
    raise AssertionError


@pytest.fixture(scope="module")
def scene() -> Observation:
    return observed(1)


@pytest.fixture(scope="module")
def files(
    scene: Observation, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """L1R and L1B of one pass."""
    resampled, original = write_swaths(tmp_path_factory.mktemp("swaths"), scene)
    return resampled, original


def points(file: h5py.File, horn: str = "A") -> FloatArray:
    words = ("Latitude", "Longitude")
    return vectors(
        *(
            file[f"{word} of Observation Point for 89{horn}"][:].astype(float)
            for word in words
        )
    )


def test_names_are_those_of_jaxa(files: tuple[Path, Path], scene: Observation) -> None:
    (name,) = passes(scene.plan)
    assert re.fullmatch(r"GW1AM2_\d{12}_\d{3}D", name)
    assert [path.parent.name for path in files] == ["amsr2", "amsr2-l1b"]
    assert [path.name for path in files] == [
        f"{name}_L1SGRTBR_2220220.h5",
        f"{name}_L1SGBTBR_2220220.h5",
    ]


def test_scans_are_those_of_the_instrument(files: tuple[Path, Path]) -> None:
    with h5py.File(files[0]) as file:
        a, b = points(file, "A"), points(file, "B")
        seconds = np.diff(file["Scan Time"][:])
    np.testing.assert_allclose(seconds, 1.5, atol=1e-6)
    assert a.shape[1:] == (486, 3)
    along = distance_m(a[:, 1:], a[:, :-1])
    assert along.mean() == pytest.approx(4500, rel=0.01)
    middle = distance_m(a[1:, 243], a[:-1, 243])
    assert middle.mean() == pytest.approx(10_100, rel=0.02)
    assert distance_m(a[:, 0], a[:, -1]).mean() == pytest.approx(1_610_000, rel=0.01)
    # Horn B sees 15 km behind, so that its scans are between those of horn A.
    assert distance_m(a[1:, 243], b[:-1, 243]).mean() == pytest.approx(25_000, rel=0.02)
    assert distance_m(a[:-2, 243], b[2:, 243]).mean() == pytest.approx(5_100, rel=0.05)


def test_a_pass_sees_the_scene_from_all_sides(
    files: tuple[Path, Path], scene: Observation
) -> None:
    with h5py.File(files[0]) as file:
        at = points(file).reshape(-1, 3)
    corners = vectors(scene.ties.latitude, scene.ties.longitude)[::20, ::20].reshape(-1, 3)
    for corner in corners:
        near = distance_m(at, corner) < 60_000
        assert np.linalg.norm(at[near].mean(axis=0) - corner) * 6371 < 6


def test_values_are_those_of_the_scene(
    files: tuple[Path, Path], scene: Observation
) -> None:
    with h5py.File(files[0]) as file:
        at = points(file)[:, ::2]
        stored = file["Brightness Temperature (res36,36.5GHz,V)"]
        assert stored.dtype == np.uint16
        assert stored.attrs["SCALE FACTOR"] == np.float32(0.01)
        kelvin = stored[:] * 0.01
    up, east = np.arcsin(at[..., 2]), np.arctan2(at[..., 1], at[..., 0])
    places = swath_position(scene.plan, np.degrees(up), np.degrees(east))
    start = scene.surface.nodes.start
    line, sample = (p - first for p, first in zip(places, start, strict=True))
    cells = scene.cells()["btemp_36_5v"]
    row, column = line // 50, sample // 50
    inside = (row >= 0) & (column >= 0) & (row < cells.shape[0]) & (column < cells.shape[1])
    assert inside.sum() >= 3
    own = cells[row[inside].astype(int), column[inside].astype(int)]
    slope = max(np.abs(np.diff(cells, axis=axis)).max() for axis in (0, 1))
    np.testing.assert_allclose(kelvin[inside], own, atol=2 * slope)


def test_groups_of_l1r_blur_differently(files: tuple[Path, Path]) -> None:
    with h5py.File(files[0]) as file:
        names = [name for name in file if name.startswith("Brightness")]
        own, other = (
            file[f"Brightness Temperature ({group},36.5GHz,H)"][:].astype(float)
            for group in ("res36", "res06")
        )
    assert len(names) == 14 + 10 + 8 + 4 + 4
    assert np.ptp(other) < 0.8 * np.ptp(own)


def test_both_passes_see_their_part(tmp_path: Path) -> None:
    """Of two passes, the border of the nearer one goes through the scene."""
    scene = observed(2)
    paths = write_swaths(tmp_path, scene)
    assert len(paths) == len(set(paths)) == 4
    delays = passes(scene.plan)
    corners = vectors(scene.ties.latitude, scene.ties.longitude)[::20, ::20].reshape(-1, 3)
    seen = {}
    for path in paths[::2]:
        with h5py.File(path) as file:
            at = points(file).reshape(-1, 3)
        seen["_".join(path.name.split("_")[:3])] = [
            float(distance_m(at, corner).min()) < 6000 for corner in corners
        ]
    first, second = sorted(delays, key=lambda name: abs(delays[name]))
    assert 0 < sum(seen[first]) < 4
    assert all(seen[second])


def test_equal_plans_give_equal_files(
    tmp_path: Path, files: tuple[Path, Path], scene: Observation
) -> None:
    again = write_swaths(tmp_path, scene)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in files]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, scene: Observation) -> None:
    (tmp_path / "amsr2").write_text("in the way")
    with pytest.raises(SceneError, match="amsr2/GW1AM2_"):
        write_swaths(tmp_path, scene)
    assert [path.name for path in tmp_path.iterdir()] == ["amsr2"]


@pytest.mark.parametrize(
    ("channel", "dataset", "horn"),
    [
        ("btemp_36.5h", "36.5GHz,H", ""),
        ("btemp_6.9v", "6.9GHz,V", ""),
        ("btemp_89.0av", "89.0GHz-A,V", "A"),
        ("btemp_89.0bh", "89.0GHz-B,H", "B"),
    ],
)
def test_satpy_reads_the_same(
    files: tuple[Path, Path], channel: str, dataset: str, horn: str
) -> None:
    satpy = pytest.importorskip("satpy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of a judge are not ours
        judge = satpy.Scene(reader="amsr2_l1b", filenames=[str(files[1])])
        judge.load([channel])
        seen = judge[channel]
        longitude, latitude = (
            np.asarray(part) for part in seen.attrs["area"].get_lonlats()
        )
        kelvin = seen.values
    with h5py.File(files[1]) as file:
        stored = file[f"Brightness Temperature ({dataset})"][:]
        at = points(file, horn or "A")
    np.testing.assert_allclose(kelvin, stored * 0.01, rtol=1e-6)
    assert seen.attrs["sensor"] in ("amsr2", {"amsr2"})
    # satpy does not apply co-registration: it takes every second point of horn A.
    at = at if horn else at[:, ::2]
    assert distance_m(vectors(latitude, longitude), at).max() < 1
