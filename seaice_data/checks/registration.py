"""Position of the 2 km cells: at the right one, SAR and radiometer are most alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, minimum_filter

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.channels import find_channel
from seaice_data.checks.finding import CLEAR, Finding, outcome_of
from seaice_data.checks.survey import BLOCK, BLOCK_KM, Survey
from seaice_data.grid import CELL_PIXELS, Grid
from seaice_data.scenes.scene import Scene

_STEP = 2  # blocks between the shifts that are tried
_FURTHEST = 8  # blocks: 3.2 km
_FOOTPRINT_KM = 4.0  # of AMSR2 at 89 GHz, about 3 x 5 km
_FEWEST_CELLS = 200
_FEWEST_SCENES = 5

# If the value of a cell were that of its first or last pixel, the radiometer would fit the
# SAR best half a cell towards the start or the end of the scene. Halfway decides.
_HALF_KM = 0.08 * (CELL_PIXELS - 1) / 2


@dataclass(frozen=True, slots=True)
class Cells:
    """The 2 km grid of a scene, compared with its SAR."""

    shape: tuple[int, int]
    """Cells along y and x."""

    whole: tuple[int, int]
    """Whole cells that fit into the SAR."""

    offset_km: tuple[float, float] | None
    """How far from the centre of its block a cell fits the SAR best, along y and x; None if
    nothing in the scene shows it."""


def measure_cells(scene: Scene, grid: Grid, planes: Survey) -> Cells:
    """Compare the 89 GHz channels of a scene with its SAR and chart."""
    brightness, weather = (
        [scene.read_cells(find_channel(name)).astype(np.float64) for name in names]
        for names in (("btemp_89_0h", "btemp_89_0v"), ("tcwv", "tclw", "t2m"))
    )
    whole = (grid.height // CELL_PIXELS, grid.width // CELL_PIXELS)
    return Cells(scene.cell_shape, whole, _offset_km(planes, brightness, weather))


def check_cell_shape(scenes: Sequence[Cells]) -> Finding:
    """Check that the cells are whole blocks of the SAR grid."""
    wrong = [cells for cells in scenes if cells.shape != cells.whole]
    evidence = f"the shape fits in {len(scenes) - len(wrong)} of {len(scenes)} scenes"
    if wrong:
        evidence += f"; one has {wrong[0].shape} cells where {wrong[0].whole} fit"
    inferred = "the 2 km grid has one cell per 25 x 25 whole pixels of 80 m"
    return Finding("2 km grid", inferred, outcome_of(not wrong), evidence)


def check_registration(scenes: Sequence[Cells]) -> Finding:
    """Check that the value of a cell belongs to its centre."""
    name, inferred = "2 km registration", "a 2 km value belongs to the centre of its cell"
    found = np.array([cells.offset_km for cells in scenes if cells.offset_km is not None])
    if len(found) < _FEWEST_SCENES:
        evidence = (
            f"{len(found)} of {len(scenes)} scenes have edges in SAR and 89 GHz that can "
            f"be compared; at least {_FEWEST_SCENES} are needed"
        )
        return Finding(name, inferred, "cannot tell", evidence)
    # The ice drifts between the two satellites' passes, so single scenes may be far off.
    middle = np.median(found, axis=0)
    spread = 1.4826 * np.median(np.abs(found - middle), axis=0)
    error = 1.2533 * spread / len(found) ** 0.5
    evidence = (
        f"in {len(found)} scenes, 89 GHz fits the SAR best {middle[0]:+.2f} km along the "
        f"lines and {middle[1]:+.2f} km along the samples from the centre (standard errors "
        f"{error[0]:.2f} and {error[1]:.2f} km); a corner would be {_HALF_KM:.2f} km away"
    )
    away = np.abs(middle) - _HALF_KM / 2
    if (away > CLEAR * error).any():
        return Finding(name, inferred, "does not hold", evidence)
    holds = (away < -CLEAR * error).all()
    return Finding(name, inferred, "holds" if holds else "cannot tell", evidence)


def _offset_km(
    planes: Survey, brightness: Sequence[FloatArray], weather: Sequence[FloatArray]
) -> tuple[float, float] | None:
    """Return the shift at which SAR and chart explain most of the brightness.

    That is, most of what the weather, and a trend over the scene, do not explain.
    """
    known = [planes.hh, planes.hv, planes.sic]
    features = np.stack([plane for plane in known if not np.isnan(plane).all()] or known)
    smooth, is_known = _as_seen(features)
    rows, columns = (
        BLOCK * np.arange(n_cells) + CELL_PIXELS // BLOCK // 2
        for n_cells in brightness[0].shape
    )
    # A cell is used if the SAR is known at it and at all shifts from it.
    around = minimum_filter(is_known, 2 * _FURTHEST + 1, mode="constant", cval=False)
    inside = [rows < around.shape[0], columns < around.shape[1]]
    usable = np.zeros(brightness[0].shape, bool)
    usable[np.ix_(*inside)] = around[np.ix_(rows[inside[0]], columns[inside[1]])]
    usable &= ~np.isnan(sum([*brightness, *weather]))
    if usable.sum() < _FEWEST_CELLS:
        return None
    y, x = (np.linspace(-1, 1, n_cells) for n_cells in brightness[0].shape)
    trend = [y[:, None] ** i * x[None, :] ** j for i in range(3) for j in range(3 - i)]
    others = np.stack([term[usable] for term in (*trend, *weather)], axis=1)
    basis = np.linalg.qr(others)[0]
    targets = _apart_from(basis, np.stack([term[usable] for term in brightness], axis=1))
    if (targets**2).sum() <= 1e-6 * targets.size:  # a thousandth of a deviation
        return None
    i, j = np.nonzero(usable)
    shifts = np.arange(-_FURTHEST, _FURTHEST + 1, _STEP)
    explained = np.array(
        [
            [
                _explained(_apart_from(basis, seen.T), targets)
                for dx in shifts
                for seen in [smooth[:, rows[i] + dy, columns[j] + dx]]
            ]
            for dy in shifts
        ]
    )
    return _top_km(explained, shifts)


def _apart_from(basis: FloatArray, values: FloatArray) -> FloatArray:
    """Return the part of the columns that an orthonormal basis does not explain."""
    return values - basis @ (basis.T @ values)


def _as_seen(features: FloatArray) -> tuple[FloatArray, Mask]:
    """Blur planes like the antenna; return them, and where they are known."""
    sigma = _FOOTPRINT_KM / 2.3548 / BLOCK_KM
    valid = ~np.isnan(features).any(axis=0)
    weight = gaussian_filter(valid.astype(np.float64), sigma, mode="constant")
    blurred = [
        gaussian_filter(
            np.where(valid, plane, 0.0).astype(np.float64), sigma, mode="constant"
        )
        for plane in features
    ]
    return np.stack(blurred) / np.maximum(weight, 1e-9), weight > 0.9


def _explained(seen: FloatArray, targets: FloatArray) -> float:
    """Return the share of the variance of the targets that a linear fit explains."""
    gram = seen.T @ seen + 1e-9 * np.eye(seen.shape[1])
    fitted = seen @ np.linalg.solve(gram, seen.T @ targets)
    return float((fitted**2).sum() / (targets**2).sum())


def _top_km(explained: FloatArray, shifts: IntArray) -> tuple[float, float] | None:
    """Return the maximum of the surface, between the shifts; None if it has none."""
    i, j = np.unravel_index(explained.argmax(), explained.shape)
    if not (0 < i < len(shifts) - 1 and 0 < j < len(shifts) - 1):
        return None
    near = explained[i - 1 : i + 2, j - 1 : j + 2]
    dy, dx = np.mgrid[-1:2, -1:2] * 1.0
    terms = np.stack([dy**2, dx**2, dy * dx, dy, dx, np.ones((3, 3))], axis=-1)
    a, b, c, d, e, _ = np.linalg.lstsq(terms.reshape(9, 6), near.ravel(), rcond=None)[0]
    if not (a < 0 and b < 0 and 4 * a * b > c * c):
        return None
    top = np.linalg.solve([[2 * a, c], [c, 2 * b]], [-d, -e])
    if np.abs(top).max() > 1:
        return None
    y, x = (shifts[[i, j]] + _STEP * top) * BLOCK_KM
    return float(y), float(x)
