import numpy as np
import pytest

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import unit_vectors
from seaice_data.ingest.swaths.footprints import Neighbours, overlap_weights

EARTH_KM = 6371.0


def places(y_km: FloatArray, x_km: FloatArray) -> FloatArray:
    """Return unit vectors near the crossing of equator and Greenwich meridian."""
    y, x = np.broadcast_arrays(y_km, x_km)
    degrees = np.degrees(1 / EARTH_KM)
    return unit_vectors(y.ravel() * degrees, x.ravel() * degrees)


def grid(step_km: float, reach_km: float) -> tuple[FloatArray, FloatArray]:
    at = np.arange(-reach_km, reach_km + 1e-9, step_km)
    y, x = np.meshgrid(at, at, indexing="ij")
    return y.ravel(), x.ravel()


def test_unit_vectors_point_where_they_should() -> None:
    found = unit_vectors(
        np.array([0, 0, 90], np.float32), np.array([0, 90, 10], np.float32)
    )
    np.testing.assert_allclose(found, [[1, 0, 0], [0, 1, 0], [0, 0, 1]], atol=1e-15)


@pytest.mark.parametrize("footprint_km", [5, 9.2, 20, 47])
def test_a_constant_field_stays(footprint_km: float) -> None:
    samples, cells = places(*grid(10, 60)), places(*grid(2, 30))
    seen = Neighbours(samples, cells, 7.5).estimate(
        np.full((2, len(samples)), 251.5), footprint_km
    )
    np.testing.assert_allclose(seen, 251.5, rtol=1e-12)


@pytest.mark.parametrize("footprint_km", [9.2, 20, 47])
def test_a_slope_stays(footprint_km: float) -> None:
    y, x = grid(10, 80)
    at_y, at_x = grid(2, 30)
    near = Neighbours(places(y, x), places(at_y, at_x), 7.5)
    seen = near.estimate(np.stack([y, x]), footprint_km)
    np.testing.assert_allclose(seen, [at_y, at_x], atol=0.01)  # 10 K between samples


def test_a_cell_at_a_sample_is_that_sample() -> None:
    y, x = grid(10, 40)
    values = np.random.default_rng(0).normal(200, 20, (1, len(y)))
    seen = Neighbours(places(y, x), places(y, x), 7.5).estimate(values, 9.2)
    np.testing.assert_allclose(seen, values, atol=0.2)


def test_two_samples_share_a_cell_halfway_between_them() -> None:
    samples = places(np.zeros(2), np.array([-5.0, 5.0]))
    seen = Neighbours(samples, places(np.zeros(1), np.zeros(1)), 7.5).estimate(
        np.array([[200.0, 260.0]]), 20
    )
    np.testing.assert_allclose(seen, [[230]])


def test_weights_are_what_the_equations_ask_for() -> None:
    samples = np.array([[0, 0, 0], [3.0, 0, 0], [0, 4.0, 0]])
    cells = np.array([[1.0, 1.0, 0]])
    weights = np.empty((1, 3))
    overlap_weights(samples, cells, np.array([0]), np.array([[0, 1, 2]]), 2.0, weights)
    # Overlaps of footprints of deviation 2: exp(-d^2 / 16); slopes: products of the
    # distances from the cell. The last unknown is for the sum of the weights, 1.
    square = np.array([[0, 9, 16], [9, 0, 25], [16, 25, 0]])
    products = np.array([[2, -1, -2], [-1, 5, -5], [-2, -5, 10]])
    system = np.ones((4, 4))
    system[:3, :3] = np.exp(-square / 16) + 1e-3 * np.eye(3) + products
    system[3, 3] = 0
    right = np.append(np.exp(-np.array([2, 5, 10]) / 16), 1)
    np.testing.assert_allclose(weights[0], np.linalg.solve(system, right)[:3])


def test_cells_beside_all_samples_are_covered_a_third_as_far() -> None:
    samples = places(*grid(10, 20))  # up to 20 km
    at = np.array([20, 22.4, 22.6, 27])
    near = Neighbours(samples, places(np.zeros(4), at), 7.5)
    seen = near.estimate(np.full((1, len(samples)), 250.0), 47)
    np.testing.assert_array_equal(near.is_covered, [True, True, False, False])
    np.testing.assert_allclose(seen, [[250, 250, np.nan, np.nan]])


def test_cells_between_samples_are_covered_as_far_as_the_reach() -> None:
    y, x = grid(10, 40)
    hole = np.hypot(y, x) > 1  # without the sample in the middle
    samples = places(y[hole], x[hole])
    at = np.array([0, 2.4, 2.6, 5])
    near = Neighbours(samples, places(np.zeros(4), at), 7.5)
    np.testing.assert_array_equal(near.is_covered, [False, False, True, True])
    assert Neighbours(samples, places(np.zeros(4), at), 10.1).is_covered.all()


def test_a_single_sample_covers_its_own_cell() -> None:
    samples = places(np.zeros(1), np.zeros(1))
    near = Neighbours(samples, places(np.zeros(2), np.array([2.4, 2.6])), 7.5)
    np.testing.assert_array_equal(near.is_covered, [True, False])


def test_without_samples_nothing_is_covered() -> None:
    near = Neighbours(np.empty((0, 3)), places(*grid(2, 4)), 7.5)
    assert np.isnan(near.estimate(np.empty((2, 0)), 9.2)).all()


def test_an_edge_is_sharper_than_with_gaussian_weights() -> None:
    # pyresample, the usual tool, blurs what the antenna has blurred already.
    geometry = pytest.importorskip("pyresample.geometry")
    kd_tree = pytest.importorskip("pyresample.kd_tree")
    footprint_km = 20.0
    y, x = grid(10, 100)
    at_y, at_x = grid(2, 40)
    deviation = footprint_km / 2.3548

    def field(x: FloatArray) -> FloatArray:
        from scipy.special import erf

        return 150 + 50 * (1 + erf(x / deviation / np.sqrt(2)))

    seen = Neighbours(places(y, x), places(at_y, at_x), 7.5).estimate(
        field(x)[None], footprint_km
    )[0]
    degrees = np.degrees(1 / EARTH_KM)
    blurred = [
        kd_tree.resample_gauss(
            geometry.SwathDefinition(lons=x * degrees, lats=y * degrees),
            field(x),
            geometry.SwathDefinition(lons=at_x * degrees, lats=at_y * degrees),
            radius_of_influence=30_000,
            neighbours=len(x),
            sigmas=sigma,
        )
        for sigma in range(3000, 9000, 500)
    ]
    error = np.abs(seen - field(at_x)).mean()
    assert error < 0.3
    assert error < 0.35 * min(np.abs(plane - field(at_x)).mean() for plane in blurred)
