"""Own scenes made by hand: backscatter, zones, cells and a chart of small numbers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.channels import CHANNELS, Group
from seaice_data.geolocation import TiePoints
from seaice_data.grid import SPACING_M, Grid
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.parts import Backscatter, BurntChart, CellFields, DistanceZones
from seaice_data.ingest.scene_file import scene_id_of, write_scene_file

PRODUCT = "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058566_BB15"
SHAPE = (60, 75)
CELLS = (2, 3)
NO_CHART_ID = "20221130T014342_s1a"
CHARTED_ID = "20221130T014342_nic"
ROWS = (
    "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE",
    "3;90;-9;95;05;-9;-9;-9;-9;-9;-9;-9;-9;-9;I",
    "700;01;-9;-9;-9;-9;-9;-9;-9;-9;-9;-9;-9;-9;W",
)
"""Polygon 3 is nine tenths of old ice in big floes, 700 is water."""


def frame(shape: tuple[int, int] = SHAPE) -> Frame:
    """Return a frame with 3 x 4 tie points, of which the last row is nearer."""
    lines = np.array([-0.25, 0.5 * shape[0], shape[0] - 0.75])
    samples = np.array([-0.25, 0.25 * shape[1], 0.75 * shape[1], shape[1] - 0.75])
    # The satellite flies south-west; later samples are to its right, in the north-west.
    heading, along, across = np.deg2rad(205), lines[:, None] * 0.08, samples * 0.08
    north = along * np.cos(heading) - across * np.sin(heading)
    east = along * np.sin(heading) + across * np.cos(heading)
    latitude = 70 + north / 111.2
    longitude = 90 + east / (111.2 * np.cos(np.deg2rad(latitude)))
    return Frame(
        Grid(*shape, SPACING_M),
        TiePoints(latitude, longitude, lines, samples),
        datetime(2022, 11, 30, 1, 43, 42, 500_000, tzinfo=UTC),
        datetime(2022, 11, 30, 1, 44, 46, tzinfo=UTC),
    )


def backscatter(
    shape: tuple[int, int] = SHAPE, *, has_hv: bool = True, **planes: np.ndarray
) -> Backscatter:
    """Return HH of -10 dB and HV of -20 dB; `planes` replace ``hh`` and ``hv``."""
    found = {"hh": np.full(shape, 0.1, np.float32), "hv": np.full(shape, 0.01, np.float32)}
    found |= {name: plane.astype(np.float32) for name, plane in planes.items()}
    if not has_hv:
        del found["hv"]
    where = frame(shape)
    angle = 19 + 27 * (where.tie_points.samples + 0.25) / (shape[1] - 0.5)
    return Backscatter(
        frame=where,
        sigma0=found,
        incidence_angle=np.broadcast_to(angle, (3, 4)),
        height_m=np.zeros((3, 4)),
        product=PRODUCT,
        satellite="S1A",
        ipf="003.52",
        orbit=46117,
        is_ascending=False,
        denoising={name: "esa" if name == "hh" else "nersc" for name in found},
        denoising_note="coefficients of IPF 3.3",
    )


def zones(shape: tuple[int, int] = SHAPE, n_land: int = 0) -> DistanceZones:
    """Return zone 9 everywhere, and land in the first `n_land` columns."""
    plane = np.full(shape, 9, np.uint8)
    plane[:, :n_land] = 0
    return DistanceZones(plane, "made by hand")


def cells(group: Group, shape: tuple[int, int] = CELLS, **attributes: Any) -> CellFields:
    """Return fields that are the number of the cell / 1024, once they are standardised."""
    numbers = np.arange(np.prod(shape)).reshape(shape) / 1024
    fields = {
        str(c.variable): (c.mean + c.std * numbers).astype(np.float32)
        for c in CHANNELS
        if c.group == group
    }
    return CellFields(fields, attributes)


def chart(shape: tuple[int, int] = SHAPE, service: str = "nic") -> BurntChart:
    """Return ice in the upper third, water in the middle one, no polygon in the lower."""
    ids = np.full(shape, -1, np.int32)
    ids[: shape[0] // 3], ids[shape[0] // 3 : 2 * (shape[0] // 3)] = 3, 700
    return BurntChart(
        polygon_ids=ids,
        rows=ROWS,
        service=service,
        name="nic_arctic_20221130",
        valid=datetime(2022, 11, 30, tzinfo=UTC),
        without_class_km2={"SIC": {"12": 3.25, "99": 1.0}, "SOD": {}, "FLOE": {}},
    )


def write_own(
    folder: Path,
    sar: Backscatter | None = None,
    *,
    n_land: int = 0,
    has_cells: bool = True,
    burnt: BurntChart | None = None,
) -> Path:
    """Write an own scene, named by its id."""
    sar = backscatter() if sar is None else sar
    shape = sar.frame.grid.shape
    of_cells = sar.frame.cell_shape
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{scene_id_of(sar, burnt)}.nc"
    write_scene_file(
        path,
        sar,
        zones(shape, n_land),
        amsr2=cells(Group.AMSR2, of_cells, swaths=["a", "b"]) if has_cells else None,
        era5=cells(Group.ERA5, of_cells, files="era5.nc") if has_cells else None,
        chart=burnt,
    )
    return path
