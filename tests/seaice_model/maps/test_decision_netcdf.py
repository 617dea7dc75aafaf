import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from support.chart_maps import chart_map, decision

from seaice_model.errors import MapError
from seaice_model.maps.decision import Decision, SicBasis
from seaice_model.maps.netcdf import describe, read_netcdf, write_netcdf


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    return tmp_path / "map.nc"


def test_a_decision_survives_being_written_and_read(path: Path) -> None:
    again, expected = read_netcdf(path).decision, decision()
    assert again is not None
    for name in ("classes", "concentration", "entropy", "spread", "rows", "columns"):
        np.testing.assert_array_equal(getattr(again, name), getattr(expected, name))
    assert again.probabilities is not None
    assert expected.probabilities is not None
    assert again.probabilities.keys() == expected.probabilities.keys()
    np.testing.assert_array_equal(again.probabilities["SOD"], expected.probabilities["SOD"])
    assert (again.n_networks, again.sic_basis) == (3, "votes")
    assert describe(path).has_probabilities


@pytest.mark.parametrize(
    ("basis", "n_networks", "words"),
    [
        ("votes", 2, "votes of 2 networks for classes of sea ice .*, 0.29 if they differ"),
        (
            "votes",
            20,
            "votes of 20 networks for classes of sea ice .*, 1.00 if they differ",
        ),
        ("probabilities", 2, "class probabilities of sea ice .*, 0 sure to 1 undecided"),
        (None, 1, "class probabilities of sea ice .*, 0 sure to 1 undecided"),
    ],
)
def test_the_entropy_of_sic_says_what_it_is_and_how_high_it_can_be(
    tmp_path: Path, basis: SicBasis | None, n_networks: int, words: str
) -> None:
    decided = replace(decision(), sic_basis=basis, n_networks=n_networks)
    write_netcdf(replace(chart_map(), decision=decided), tmp_path / "map.nc")
    again = read_netcdf(tmp_path / "map.nc").decision
    assert again is not None
    assert again.sic_basis == basis
    with xr.open_dataset(tmp_path / "map.nc") as dataset:
        assert re.search(words, dataset.entropy_sic.attrs["long_name"])
        assert "class probabilities" in dataset.entropy_sod.attrs["long_name"]


def test_an_unknown_basis_of_the_uncertainty_is_named(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["sic_basis"] = "tea leaves"
    with pytest.raises(
        MapError, match=r"'sic_basis' must be votes or .*, got 'tea leaves'"
    ):
        read_netcdf(path)


def test_unknown_planes_are_absent(tmp_path: Path) -> None:
    path = tmp_path / "map.nc"
    bare = replace(decision(), spread=None, probabilities=None)
    write_netcdf(replace(chart_map(), decision=bare), path)
    again = read_netcdf(path).decision
    assert again is not None
    assert again.spread is None
    assert again.probabilities is None
    assert not describe(path).has_probabilities
    write_netcdf(replace(chart_map(), decision=None), path)
    assert read_netcdf(path).decision is None


def test_other_tools_read_numbers_and_find_their_pixels(path: Path) -> None:
    expected: Decision = decision()
    with xr.open_dataset(path) as dataset:
        entropy = dataset.entropy_sod
        assert entropy.dims == ("store_y", "store_x")
        np.testing.assert_allclose(entropy, expected.entropy_of("SOD"), rtol=1e-6)
        at_pixels = entropy.isel(store_y=dataset.store_row, store_x=dataset.store_column)
        assert at_pixels.shape == dataset.status_flag.shape
        assert at_pixels[35, 71] == entropy[3, 7]
        spread = dataset.concentration_spread
        assert spread.attrs["standard_name"] == "sea_ice_area_fraction standard_error"
        assert spread.attrs["units"] == "%"
        np.testing.assert_allclose(spread, expected.spread_percent(), rtol=1e-6)
        old_ice = dataset.probability_sod.sel(sod_class=5)
        probabilities = expected.probabilities_of("SOD")
        assert probabilities is not None
        np.testing.assert_allclose(old_ice, probabilities[5], rtol=1e-6)
        meanings = dataset.class_sod.attrs["flag_meanings"].split()
        assert meanings[5] == "old_ice"


def test_planes_that_do_not_fit_together_are_named(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["store_row"][7] = 99
    with pytest.raises(MapError, match="'store_row' is not an index from the map"):
        read_netcdf(path)


def test_an_invalid_class_is_named(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["class_floe"][0, 0] = 7
    with pytest.raises(MapError, match="FLOE has no class 7 before masks"):
        read_netcdf(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entropy": np.full((3, 6, 8), 0.4)}, r"entropy must be bytes \(uint8\)"),
        ({"entropy": decision().entropy[0]}, r"entropy must have shape \(3, 6, 8\)"),
        ({"spread": np.zeros((8, 6), np.uint8)}, r"spread must have shape \(6, 8\)"),
        (
            {"concentration": np.zeros(8, np.uint8)},
            r"concentration must have shape \(y, x\)",
        ),
        ({"classes": decision().classes * 0 + 7}, "SOD has no class 7 before masks"),
        ({"probabilities": {"ice": decision().spread}}, "an unknown chart, 'ice'"),
        (
            {"probabilities": {"SOD": decision().entropy}},
            r"probabilities of SOD must have shape \(6, 6, 8\), got \(3, 6, 8\)",
        ),
        ({"rows": decision().rows[:-1]}, "'store_row' is not an index from the map"),
        ({"rows": decision().rows.tolist()}, "'store_row' is not an index from the map"),
        ({"columns": decision().columns / 1}, "'store_column' is not an index from the"),
    ],
)
def test_an_invalid_decision_is_not_written(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    wrong = replace(chart_map(), decision=replace(decision(), **changes))
    with pytest.raises(MapError, match=words):
        write_netcdf(wrong, tmp_path / "map.nc")
    assert not (tmp_path / "map.nc").exists()
