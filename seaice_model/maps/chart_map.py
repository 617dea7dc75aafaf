"""Maps: predicted charts on the grid of a scene, and what they were made from."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

import numpy as np

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHARTS
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.scene_id import SceneId
from seaice_data.scenes.fingerprints import UNKNOWN_FILE
from seaice_data.texts import printable, without_secrets
from seaice_model.errors import MapError
from seaice_model.maps.decision import Decision, check_bytes

U_NET = "multi-task U-Net"
"""Kind of the networks that seaice trains."""

SceneUse = Literal["unseen", "validated", "trained"]
"""How the training of a network used a scene."""

MapGrid = Literal["original", "80m", "store"]
"""Grid of a map: that of the netCDF file (80 m, or 40 m of a raw file), 80 m, or that of
the store. From a store, "original" is the 80 m grid."""


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
    """Path or URL of the store, or of the netCDF files, as it was given."""

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
    """Kind or name of the network."""

    def __post_init__(self) -> None:
        """Remove secrets of URLs from all texts, and escape unprintable characters."""
        for name in TEXTS:
            if isinstance(said := getattr(self, name), str):
                object.__setattr__(self, name, printable(without_secrets(said)))

    @property
    def run_in_words(self) -> str:
        """Run and epochs, as far as they are known."""
        epochs = ", ".join(map(str, self.epochs))
        return f"{self.run}, epoch {epochs}" if epochs else self.run


TEXTS = tuple(field.name for field in fields(Provenance) if field.name != "epochs")
"""Fields of `Provenance` that are text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChartMap:
    """The three charts of a scene as a network predicts them."""

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

    def __post_init__(self) -> None:
        """Reject what is not a scene id: it would become part of paths and pages."""
        try:
            object.__setattr__(self, "scene", SceneId(self.scene))
        except ValueError as error:
            raise MapError(str(error)) from error


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
