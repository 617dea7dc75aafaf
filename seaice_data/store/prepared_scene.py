"""A scene on the grid of a store: what `assemble` makes and `Store.write` takes."""

from dataclasses import dataclass

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.conventions import DENOISINGS
from seaice_data.egg_codes import PolygonTable
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.scene_id import SceneId
from seaice_data.store.origin import Origin
from seaice_data.store.statistics import ChannelStats


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedScene:
    """What a store contains of one scene."""

    id: SceneId
    """As ``20180607T184326_dmi``."""

    version: str
    """Version of the file it came from: ``ready``, ``raw`` or ``ingested``."""

    region: str
    """Chart region of the ice service; empty if unknown."""

    original_name: str
    """Name of the raw file, or of the satellite product; empty if unknown."""

    has_charts: bool
    """Whether an ice chart belongs to the scene."""

    is_test_file: bool
    """Whether the file has no chart, like the test scenes of the challenge."""

    grid: Grid
    """Grid of the store: that of the scene, downscaled."""

    source_grid: Grid
    """80 m grid of the scene."""

    inputs: FloatArray
    """Shape ``(y, x, channel)``; standardised, NaN is fill."""

    charts: ChartArray
    """Shape ``(y, x, chart)``; 255 is fill."""

    full_charts: ChartArray
    """Charts on the 80 m grid, shape ``(chart, y, x)``."""

    full_flags: ChartArray
    """Flags on the 80 m grid, bits of `FLAGS`, shape ``(y, x)``."""

    polygons: PolygonTable | None = None
    """Egg codes of the chart's polygons. Raw files only."""

    polygon_ids: IntArray | None = None
    """Most frequent polygon of each pixel of the store, -1 for none. Raw files only."""

    tie_points: TiePoints
    """Geolocation grid."""

    stats: ChannelStats
    """Sums of the valid values of the inputs."""

    class_counts: dict[str, list[int]]
    """Pixels of each class on the store's grid, fill last."""

    full_class_counts: dict[str, list[int]]
    """Pixels of each class on the 80 m grid, fill last."""

    n_unseen: int = 0
    """Pixels on the 80 m grid that have a class but no SAR."""

    absent_channels: tuple[str, ...] = ()
    """Channels that its file lacks, in catalogue order; those among the inputs are NaN."""

    denoising: str = DENOISINGS[0]
    """How noise was removed from HV, or from HH if there is no HV."""

    @property
    def origin(self) -> Origin:
        """What it says of its file."""
        return Origin(
            version=self.version,
            original_name=self.original_name,
            absent_channels=self.absent_channels,
            denoising=self.denoising,
        )
