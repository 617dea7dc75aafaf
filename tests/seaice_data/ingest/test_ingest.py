"""Which files products become, and what happens to those that are there already."""

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import netCDF4
import pytest
from support.tiny_inputs import write_chart, write_coast
from support.tiny_product import NAME, START, edit, write_product, zipped

from seaice_data.errors import SceneError, SettingsError
from seaice_data.ingest import IngestReport, Sources, ingest_products, ingest_scene
from seaice_data.ingest.sources import differences

TIME = "20221130T014342"


@pytest.fixture(scope="module")
def coast(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_coast(tmp_path_factory.mktemp("coast") / "coast.gpkg"))


@pytest.fixture
def chart(tmp_path: Path) -> str:
    (tmp_path / "charts").mkdir()
    return str(write_chart(tmp_path / "charts" / "nic_20221130.gpkg"))


def names(folder: Path) -> list[str]:
    """Return the names in a folder, hidden ones too."""
    return sorted(os.listdir(folder))  # noqa: PTH208 - names alone


def product_of(path: Path) -> str:
    with netCDF4.Dataset(path) as file:
        return str(file.source_product)


def flags(report: IngestReport) -> list[tuple[str, bool]]:
    return [(scene.id, scene.is_new) for scene in report.scenes]


def renamed(product: Path, name: str) -> Path:
    """Give a product another name, which it takes from its folder."""
    return product.rename(product.with_name(f"{name}.SAFE"))


def later(product: Path) -> Path:
    """Let a product begin and be named a second later."""
    for path in product.rglob("*.*"):
        if START in path.read_text(errors="ignore"):
            edit(product, path.name, START, START.replace("43:42", "43:43"))
    return renamed(product, NAME.replace("014342", "014343"))


def test_a_product_is_one_scene_whatever_paths_lead_to_it(
    coast: str, tmp_path: Path
) -> None:
    product = write_product(tmp_path / "products")
    (tmp_path / "link").symlink_to(product)
    paths = (product, tmp_path / "link", product / "manifest.safe", tmp_path / "products")
    report = ingest_products(paths, tmp_path / "raw", Sources(coast=coast))
    assert flags(report) == [(f"{TIME}_s1a", True)]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_product_as_zip_and_folder_is_one_scene_and_said(
    jobs: int, overwrite: bool, coast: str, tmp_path: Path
) -> None:
    product = write_product(tmp_path / "products")
    archive = zipped(product)
    report = ingest_products(
        tmp_path / "products",
        tmp_path / "raw",
        Sources(coast=coast),
        jobs=jobs,
        overwrite=overwrite,
    )
    assert report.failed == ()
    assert sorted(flags(report)) == [(f"{TIME}_s1a", False), (f"{TIME}_s1a", True)]
    (same,) = (scene.notes for scene in report.scenes if not scene.is_new)
    assert same in {(f"the same product as '{path}'",) for path in (product, archive)}
    assert names(tmp_path / "raw") == [f"{TIME}_s1a.nc"]


def test_a_damaged_zip_beside_the_folder_does_not_hide_it(
    coast: str, tmp_path: Path
) -> None:
    archive = zipped(write_product(tmp_path / "products"))
    archive.write_bytes(archive.read_bytes()[:-200])
    archive.rename(archive.with_name("A.zip"))  # comes first
    report = ingest_products(tmp_path / "products", tmp_path / "raw", Sources(coast=coast))
    assert [failure.name for failure in report.failed] == [
        str(tmp_path / "products" / "A.zip")
    ]
    assert flags(report) == [(f"{TIME}_s1a", True)]


def test_slices_of_a_pass_are_scenes_of_their_own(coast: str, tmp_path: Path) -> None:
    later(write_product(tmp_path / "products"))
    write_product(tmp_path / "products")
    report = ingest_products(tmp_path, tmp_path / "raw", Sources(coast=coast))
    assert flags(report) == [(f"{TIME}_s1a", True), ("20221130T014343_s1a", True)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_two_satellites_in_the_same_second_never_replace_each_other(
    jobs: int, coast: str, chart: str, tmp_path: Path
) -> None:
    products, raw = tmp_path / "products", tmp_path / "raw"
    found = [write_product(products), write_product(products, satellite="C")]
    sources = Sources(coast=coast, chart=chart)
    first = ingest_products(products, raw, sources, jobs=jobs)
    assert flags(first) == [(f"{TIME}_nic", True)]
    assert names(raw) == [f"{TIME}_nic.nc"]
    (failure,) = first.failed
    (loser,) = (path for path in found if str(path) == failure.name)
    (winner,) = (path for path in found if path != loser)
    assert product_of(raw / f"{TIME}_nic.nc") == winner.stem
    if jobs == 1:
        assert (
            failure.reason
            == (f"'{loser}': its scene has the id {TIME}_nic, as that of '{winner}'")
            or f"was made from {winner.stem}, not {loser.stem}" in failure.reason
        )
    # It stays that way, also if files are replaced.
    again = ingest_products(products, raw, sources, jobs=jobs)
    assert flags(again) == [(f"{TIME}_nic", False)]
    assert "was made from" in again.failed[0].reason
    replaced = ingest_products(products, raw, sources, jobs=jobs, overwrite=True)
    assert flags(replaced) == [(f"{TIME}_nic", True)]
    assert f"its scene has the id {TIME}_nic" in replaced.failed[0].reason
    # Without a chart the satellites tell them apart.
    apart = ingest_products(products, tmp_path / "apart", Sources(coast=coast))
    assert flags(apart) == [(f"{TIME}_s1a", True), (f"{TIME}_s1c", True)]


def test_a_file_of_another_product_is_not_replaced(coast: str, tmp_path: Path) -> None:
    old = ingest_scene(write_product(tmp_path), tmp_path / "raw", coast=coast)
    other = renamed(tmp_path / f"{NAME}.SAFE", NAME.replace("0000", "BEEF"))
    with pytest.raises(SceneError, match=f"exists and was made from {NAME}, not .*BEEF"):
        ingest_scene(other, tmp_path / "raw", coast=coast)
    assert product_of(old) == NAME
    assert ingest_scene(other, tmp_path / "raw", coast=coast, overwrite=True) == old
    assert product_of(old) == other.stem


def test_other_options_are_named_and_replace_only_if_asked(
    coast: str, chart: str, tmp_path: Path
) -> None:
    product, raw = write_product(tmp_path), tmp_path / "raw"
    path = ingest_scene(product, raw, coast=coast)
    assert ingest_scene(str(product), str(raw), coast=Path(coast)) == path
    with pytest.raises(
        SceneError,
        match=r"_s1a.nc' exists and was made with other options: denoise was esa, is none; "
        r"chart was not given, is nic_20221130\.gpkg\n",
    ) as caught:
        ingest_scene(product, raw, coast=coast, denoise="none", chart=chart)
    assert caught.value.hint == "choose another folder, or replace it with --overwrite"
    assert names(raw) == [f"{TIME}_s1a.nc"]


def test_a_scene_with_another_service_takes_the_place_of_the_old_file(
    coast: str, chart: str, tmp_path: Path
) -> None:
    product, raw = write_product(tmp_path), tmp_path / "raw"
    for service, name in (("", "nic"), ("AARI", "aari"), ("", "nic")):
        ingest_scene(
            product, raw, coast=coast, chart=chart, service=service, overwrite=True
        )
        assert names(raw) == [f"{TIME}_{name}.nc"]
    ingest_scene(product, raw, coast=coast, overwrite=True)
    assert names(raw) == [f"{TIME}_s1a.nc"]


def foreign_netcdf(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.title = "mine"


def foreign_text(path: Path) -> None:
    path.write_text("mine")


def foreign_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def of_a_file_with_a_false_id(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.source_product, file.scene_id, file.made_with = "x", "../mine", "{}"


@pytest.mark.parametrize("has_chart", [False, True])
@pytest.mark.parametrize(
    ("write", "words"),
    [
        (foreign_netcdf, "is not a file of `seaice ingest`"),
        (foreign_text, "cannot read it as netCDF: not an HDF5 file"),
        (foreign_link, "a pipe or a device, not a file"),
        (of_a_file_with_a_false_id, "is not a file of `seaice ingest`"),
    ],
)
def test_a_foreign_file_is_not_replaced_unless_asked(
    write: Callable[[Path], None],
    words: str,
    has_chart: bool,
    coast: str,
    chart: str,
    tmp_path: Path,
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    target = raw / f"{TIME}_{'nic' if has_chart else 's1a'}.nc"
    write(target)
    before = target.lstat()
    product = write_product(tmp_path)
    given = {"coast": coast, "chart": chart if has_chart else None}
    with pytest.raises(SceneError, match=words) as caught:
        ingest_scene(product, raw, **given)  # type: ignore[arg-type]
    assert str(caught.value).startswith(
        f"'{target}' exists, and is not a scene of {NAME}: "
    )
    assert str(caught.value).isprintable()
    assert "--overwrite" in str(caught.value.hint)
    after = target.lstat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert ingest_scene(product, raw, overwrite=True, **given) == target  # type: ignore[arg-type]
    assert product_of(target) == NAME


def test_foreign_files_beside_the_scene_do_not_matter(coast: str, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / f"{TIME}_dmi.nc").write_text("mine")
    (raw / f"{TIME}_notes.nc").mkdir()
    for _ in range(2):
        ingest_scene(write_product(tmp_path / str(_)), raw, coast=coast)
    assert names(raw) == [f"{TIME}_dmi.nc", f"{TIME}_notes.nc", f"{TIME}_s1a.nc"]


def test_a_full_disk_ends_the_run(
    coast: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for satellite in "AB":
        write_product(tmp_path / "products", satellite=satellite)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SceneError, match=r"cannot write '.*raw': No space left on device"):
        ingest_products(tmp_path / "products", tmp_path / "raw", Sources(coast=coast))
    assert names(tmp_path / "raw") == []


def test_hidden_folders_of_killed_processes_are_removed(coast: str, tmp_path: Path) -> None:
    left = (
        tmp_path / "raw" / f".seaice.{os.uname().nodename.replace('.', '-')}.0123456789ab"
    )
    left.mkdir(parents=True)
    write_product(tmp_path / "products")
    ingest_products(tmp_path / "products", tmp_path / "raw", Sources(coast=coast))
    assert names(tmp_path / "raw") == [f"{TIME}_s1a.nc"]


def test_a_folder_is_refused_as_a_coast_once_for_all_products(tmp_path: Path) -> None:
    write_product(tmp_path / "products")
    sources = Sources(coast=str(tmp_path / "products"))
    with pytest.raises(SceneError, match=r"coast: .* is a folder, not a file of") as caught:
        ingest_products(tmp_path / "products", tmp_path / "raw", sources)
    assert "takes one file of polygons" in str(caught.value.hint)
    write_coast(tmp_path / "coast.gdb")  # a folder that GDAL reads as a file
    coast = tmp_path / "coast.gdb"
    assert coast.is_dir()
    assert ingest_scene(tmp_path / "products", tmp_path / "raw", coast=coast).is_file()


def test_one_scene_needs_one_product(coast: str, tmp_path: Path) -> None:
    for satellite in "AB":
        write_product(tmp_path, satellite=satellite)
    with pytest.raises(SceneError, match="contains 2 products"):
        ingest_scene(tmp_path, tmp_path / "raw", coast=coast)
    assert not (tmp_path / "raw").exists()


def test_what_is_missing_is_logged(
    coast: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        ingest_scene(write_product(tmp_path), tmp_path / "raw", coast=coast)
    assert caplog.messages == [f"{TIME}_s1a: without AMSR2 and ERA5"]


def test_kept_files_say_what_they_lack(coast: str, tmp_path: Path) -> None:
    write_product(tmp_path / "products")
    for is_new in (True, False):
        report = ingest_products(
            tmp_path / "products", tmp_path / "raw", Sources(coast=coast)
        )
        assert flags(report) == [(f"{TIME}_s1a", is_new)]
        assert report.scenes[0].absent == ("AMSR2", "ERA5", "ice chart")
        assert (report.n_written, report.n_kept) == (int(is_new), int(not is_new))


def test_files_and_options_are_known_after_folders_were_moved(
    coast: str, chart: str, tmp_path: Path
) -> None:
    product, raw = write_product(tmp_path), tmp_path / "raw"
    ingest_scene(product, raw, coast=coast, chart=chart)
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in (coast, chart):
        shutil.copy(path, moved)
    given = {"coast": moved / Path(coast).name, "chart": moved / Path(chart).name}
    raw.rename(moved / "raw")
    ingest_scene(product.rename(moved / product.name), moved / "raw", **given)  # type: ignore[arg-type]
    assert names(moved / "raw") == [f"{TIME}_nic.nc"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"denoise": "nersk"}, "denoise must be one of nersc, esa, none, got 'nersk'"),
        ({"max_delay_hours": 0}, "max_delay_hours must be above 0, got 0"),
        ({"max_delay_hours": float("nan")}, "max_delay_hours must be above 0, got nan"),
        ({"service": "cis"}, "service 'cis' is given without a chart"),
        ({"service": "a\nb", "chart": "x"}, r"'a\\nb' cannot be the ice service"),
        ({"service": "s1d", "chart": "x"}, "'s1d' cannot be the ice service"),
        ({"service": "map", "chart": "x"}, "'map' cannot be the ice service"),
    ],
)
def test_what_fits_no_product_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Sources(**given)  # type: ignore[arg-type]


def test_options_are_those_that_decide_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sources = Sources(amsr2=("a",), era5=("b",), chart=".", service="CIS", coast="c/d.shp")
    assert sources.options == {
        "denoise": "esa",
        "amsr2": "within 12 h",
        "era5": "given",
        "chart": tmp_path.name,
        "service": "cis",
        "coast": "d.shp",
    }
    assert differences(sources.made_with, sources.options) == ""


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"a": "\\u001b"}'])
def test_options_in_a_damaged_file_are_shown_on_a_line(text: str) -> None:
    words = differences(text, {})
    assert words
    assert words.isprintable()


def test_options_are_written_as_json(coast: str, tmp_path: Path) -> None:
    path = ingest_scene(write_product(tmp_path), tmp_path / "raw", coast=coast)
    with netCDF4.Dataset(path) as file:
        assert json.loads(file.made_with) == {"denoise": "esa", "coast": "coast.gpkg"}
