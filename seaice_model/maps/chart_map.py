"""Maps: predicted charts on the grid of a scene, and what they were made from.

Their tie points are at the centres of pixels, ends included, as CF requires.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHARTS
from seaice_data.conventions import DENOISINGS
from seaice_data.display import Displayed
from seaice_data.geolocation import TiePoints, unrolled
from seaice_data.grid import Grid
from seaice_data.scene_id import SceneId
from seaice_data.scenes.fingerprints import UNKNOWN_FILE
from seaice_data.store.origin import Origin
from seaice_data.texts import printable, shortened, time_in_words, without_secrets
from seaice_model.errors import MapError
from seaice_model.maps.decision import Decision, check_bytes

if TYPE_CHECKING:
    from xarray import Dataset

U_NET = "multi-task U-Net"
"""What maps call the network that seaice trains by default."""

SceneUse = Literal["unseen", "validated", "trained"]
"""How the training of a network used a scene."""

MapGrid = Literal["original", "80m", "store"]
"""Grid of a map: that of the netCDF file (80 m, or 40 m of a raw file), 80 m, or that of
the store. From a store, "original" is the 80 m grid."""

_MOST_LATITUDE = 90.0
_MOST_LONGITUDE = 540.0  # 180, and once around the Earth


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What a map was made from; texts are on one line and contain no passwords."""

    run: str
    """Folder of the run, as it was given, or folders separated by commas; the name of the
    network if it has no run."""

    weights: str
    """Fingerprint of the weights of all runs together. Maps with different fingerprints
    come from different networks."""

    epochs: tuple[int, ...] = ()
    """Epoch of the weights of each run, from 1; empty if there are none."""

    store: str
    """Absolute path or URL of the store, or of the netCDF files; see `absolute`."""

    store_fingerprint: str
    """Fingerprint of the recipe that the scenes were prepared with."""

    software: str
    """Name and version of this package."""

    file_hash: str = UNKNOWN_FILE
    """Hash of the netCDF file that the scene comes from; see
    `seaice_data.scenes.fingerprints`."""

    scene_use: SceneUse = "unseen"
    """Whether a run was trained or validated on the scene."""

    network: str = U_NET
    """Kind or name of the network; kinds of several, separated by commas."""

    file_version: str = ""
    """Version of the netCDF file, as ``ready``; empty if unknown."""

    original_name: str = ""
    """Name of the raw file or of the Sentinel-1 product; empty if unknown."""

    denoising: str = DENOISINGS[0]
    """How noise was removed from the SAR of the scene: ``nersc``, ``esa`` or ``none``."""

    trained_on_denoising: str = DENOISINGS[0]
    """The same for the scenes that the networks were trained on, separated by commas; empty
    if unknown."""

    drawn_without: str = ""
    """What the scene lacks, or what was left out (`PredictSettings.without`): groups of
    channels, or channels, separated by commas."""

    flips: str = ""
    """Mirrored views of the scene that decided together with it, separated by commas; empty
    if none did."""

    def __post_init__(self) -> None:
        """Remove secrets of URLs from all texts, and escape unprintable characters."""
        for name in TEXTS:
            if isinstance(said := getattr(self, name), str):
                object.__setattr__(self, name, printable(without_secrets(said)))

    def of_scene(self, file_hash: str, origin: Origin) -> "Provenance":
        """Return the same with what a scene says of its file."""
        return replace(
            self,
            file_hash=file_hash,
            file_version=origin.version,
            original_name=shortened(origin.original_name),
            denoising=origin.denoising,
            drawn_without=", ".join(origin.absent),
        )

    @property
    def remarks(self) -> str:
        """What a reader of the map must know of it, on one line; mostly empty."""
        said = [f"without {self.drawn_without}"] if self.drawn_without else []
        if self.denoised_otherwise:
            said.append(self.denoised_otherwise)
        if self.flips:
            said.append(f"with flips ({self.flips})")
        return "; ".join(said)

    @property
    def denoised_otherwise(self) -> str:
        """How noise was removed here and in training scenes, if these differ."""
        trained_on = self.trained_on_denoising
        if not trained_on or self.denoising in trained_on.split(", "):
            return ""
        return f"denoising {self.denoising}, trained on {trained_on}"

    @property
    def run_in_words(self) -> str:
        """Run and epochs, as far as they are known, and whether it used flips."""
        epochs = ", ".join(map(str, self.epochs))
        said = f"{self.run}, epoch {epochs}" if epochs else self.run
        return f"{said}, with flips" if self.flips else said


def absolute(place: str) -> str:
    """Return a path that is valid in any working directory; a URL as it is.

    Examples
    --------
    >>> absolute("s3://bucket/store.zarr")
    's3://bucket/store.zarr'
    """
    return place if "://" in place or "::" in place else str(Path(place).absolute())


TEXTS = tuple(field.name for field in fields(Provenance) if field.name != "epochs")
"""Fields of `Provenance` that are text."""

ADDED_TEXTS = (
    "file_version",
    "original_name",
    "denoising",
    "trained_on_denoising",
    "drawn_without",
    "flips",
)
"""Those that maps of versions up to 0.2 lack: their defaults are true of these maps."""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ChartMap(Displayed):
    """The three charts of a scene as a network predicts them, or an ice service charts."""

    scene: SceneId
    """Id of the scene; figures and files of other formats are named after it."""

    acquired: datetime
    """Start of the acquisition, UTC, aware."""

    grid: Grid
    """Shape and pixel spacing of the map."""

    charts: ChartArray
    """Classes, shape ``(chart, y, x)``; 255 where there is no SAR, and on land."""

    flags: ChartArray
    """Why a pixel has no class, or that of its neighbour, shape ``(y, x)``: bit 1 no SAR,
    2 land, 4 after the last whole block (class of the neighbour)."""

    tie_points: TiePoints
    """Latitude and longitude on a coarse grid."""

    provenance: Provenance
    """What it was made from."""

    grid_name: MapGrid = "80m"
    """Name of the grid."""

    decision: Decision | None = None
    """Classes before masks and how sure they are, on the grid of the store; None in a map
    of which only the charts are known."""

    charted_by: str = ""
    """Ice service whose charts these are, such as ``dmi``; empty if they are predicted.
    Where the service gives no class, classes of the decision are 255, too. Such a map
    cannot be written as the netCDF file of a prediction."""

    @property
    def stem(self) -> str:
        """Prefix of the names of its files: the scene, and whether a service charted it."""
        return f"{self.scene}_chart" if self.charted_by else str(self.scene)

    def _displayed(self) -> Iterator[tuple[str, object]]:
        yield "scene", str(self.scene)
        yield "acquired", time_in_words(self.acquired)
        yield "charts", self.charts
        yield "pixel_spacing_m", self.grid.pixel_spacing_m
        yield "grid_name", self.grid_name
        yield "has_decision", self.decision is not None

    def to_xarray(self) -> "Dataset":
        """Return the map as a dataset with everything at every pixel.

        ``SIC`` is in percent, ``SOD`` and ``FLOE`` are classes whose names are in their
        ``flag_meanings``; NaN on land and without SAR. ``latitude`` and ``longitude``, in
        degrees, are exact to a metre. If the map has a decision, there are also
        ``entropy_sic``, ``entropy_sod``, ``entropy_floe``, ``concentration`` and, if they
        are known, ``concentration_spread``, ``probability_sod`` and so on. Positions and
        uncertainty are dask arrays: they are computed when they are used.
        """
        from seaice_model.maps.dataset import map_dataset  # late: xarray and dask

        return map_dataset(self)

    def __post_init__(self) -> None:
        """Reject what is not a scene id: it would become part of paths and pages."""
        try:
            object.__setattr__(self, "scene", SceneId(self.scene))
        except ValueError as error:
            raise MapError(str(error)) from None


def check_planes(chart_map: ChartMap) -> None:
    """Reject charts and flags of another shape or type, and values that are not a class.

    Raises
    ------
    ValueError
        If one of them is wrong; the message says what.
    """
    shape = chart_map.grid.shape
    check_bytes("charts", chart_map.charts, (len(CHARTS), *shape))
    check_bytes("flags", chart_map.flags, shape)
    for chart, plane in zip(CHARTS, chart_map.charts, strict=True):
        # In bytes 255 + 1 is 0, so fill needs no mask, and one pass is enough.
        highest = int(np.add(plane, 1, dtype=np.uint8).max()) - 1
        if highest >= chart.n_classes:
            raise ValueError(f"{chart.name} has no class {highest}")


def on_pixels(tie_points: TiePoints, grid: Grid) -> TiePoints:
    """Move tie points to the centres of their nearest pixels, as CF requires.

    The first and last pixel of each axis have one, so that no pixel is outside.
    """
    lines = _whole_positions(tie_points.lines, grid.height)
    samples = _whole_positions(tie_points.samples, grid.width)
    latitude, longitude = tie_points.places(lines, samples)
    return TiePoints(
        latitude=latitude,
        # Some readers interpolate longitudes like other numbers: they must not wrap around.
        longitude=unrolled(longitude),
        lines=lines,
        samples=samples,
    )


def check_tie_points(points: TiePoints) -> None:
    """Reject tie points that differ in shape or do not span a surface.

    Raises
    ------
    ValueError
        If they do; the message says what is wrong.
    """
    shape = (len(points.lines), len(points.samples))
    if points.latitude.shape != shape or points.longitude.shape != shape:
        raise ValueError("its tie points differ in shape")
    if min(shape) < 2:
        raise ValueError(f"{shape[0]} x {shape[1]} tie points cannot place pixels")


def check_places(points: TiePoints, shape: tuple[int, int]) -> None:
    """Reject tie points on pixels (see `on_pixels`) that cannot place the pixels of a map.

    Raises
    ------
    ValueError
        If they cannot; the message says why.
    """
    _check_positions("tie_y_index", points.lines, shape[0])
    _check_positions("tie_x_index", points.samples, shape[1])
    _check_degrees("latitude", points.latitude, _MOST_LATITUDE)
    _check_degrees("longitude", points.longitude, _MOST_LONGITUDE)


def _check_positions(name: str, positions: FloatArray, n_pixels: int) -> None:
    """Reject pixels of tie points that do not increase from end to end of an axis."""
    if len(positions) < 2:
        raise ValueError(f"{name!r} must contain at least two pixels")
    first, last = positions[[0, -1]]
    if (first, last) != (0, n_pixels - 1):
        raise ValueError(
            f"{name!r} must run from 0 to {n_pixels - 1}, got {first:g} to {last:g}"
        )
    # Not `<= 0`: NaN is not a step either.
    if (is_wrong := ~(np.diff(positions) > 0)).any():
        at = int(np.flatnonzero(is_wrong)[0])
        raise ValueError(
            f"{name!r} must increase, got {positions[at + 1]:g} after {positions[at]:g}"
        )


def _check_degrees(name: str, degrees: FloatArray, most: float) -> None:
    if (is_wrong := ~(np.abs(degrees) <= most)).any():
        raise ValueError(
            f"{name!r} must be from -{most:g} to {most:g}, got {degrees[is_wrong][0]:g}"
        )


def _whole_positions(positions: FloatArray, n_pixels: int) -> FloatArray:
    whole: IntArray = np.clip(np.rint(positions).astype(np.int64), 0, n_pixels - 1)
    return np.unique([0, *whole, n_pixels - 1]).astype(np.float64)
