"""One scene of a store, opened to read."""

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHARTS
from seaice_data.egg_codes import PolygonTable
from seaice_data.errors import StoreError
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.store.layout import POLYGON_COLUMNS
from seaice_data.store.origin import Origin, read_origin
from seaice_data.store.scene_arrays import SceneArrays
from seaice_data.store.statistics import ChannelStats

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


class StoredScene(SceneArrays):
    """One scene of a store; its arrays are read on access."""

    def __repr__(self) -> str:
        """Say which scene it is, of which store, and how large."""
        height, width = self.grid.shape
        return f"<StoredScene {self.id} of {self.store.path!r}: {height} x {width} pixels>"

    def closed(self) -> "StoredScene":
        """Return the same scene without its open arrays."""
        return StoredScene(self.store, self.known, self.attributes, self._documents)

    @property
    def acquired(self) -> datetime:
        """Start of the acquisition, UTC."""
        return self.id.acquired

    @property
    def service(self) -> str:
        """Ice service that made the chart, such as ``dmi``; empty if there is no chart."""
        return self.id.service

    @property
    def region(self) -> str:
        """Chart region of the ice service; empty if unknown."""
        return self.known["region"]

    @cached_property
    def origin(self) -> Origin:
        """What the scene says of its file."""
        return read_origin(self.attributes)

    @property
    def absent_channels(self) -> tuple[str, ...]:
        """Channels that its file lacks, in catalogue order; those in the store are NaN."""
        return self.origin.absent_channels

    @property
    def denoising(self) -> str:
        """How noise was removed from HV, or from HH if there is no HV."""
        return self.origin.denoising

    @property
    def has_charts(self) -> bool:
        """Whether an ice chart belongs to the scene."""
        return self.known["has_charts"]

    @property
    def is_unlabelled(self) -> bool:
        """Whether it is an own scene without a chart, which can only be mapped."""
        return not self.has_charts and not self.origin.is_ai4arctic

    @property
    def grid(self) -> Grid:
        """Grid of the stored planes."""
        return self.known["grid"]

    @property
    def source_grid(self) -> Grid:
        """80 m grid of the scene."""
        return self.known["source_grid"]

    @property
    def valid_share(self) -> float:
        """Share of the pixels that have a SIC class."""
        return self.known["valid_share"]

    @property
    def class_counts(self) -> dict[str, list[int]]:
        """Pixels of each class on the stored grid, fill last."""
        return self.known["class_counts"]

    @property
    def full_class_counts(self) -> dict[str, list[int]]:
        """Pixels of each class on the 80 m grid, fill last."""
        return self.known["full_class_counts"]

    @property
    def stats(self) -> ChannelStats:
        """Sums of the valid values of each channel."""
        return ChannelStats.from_mapping(self.known["stats"])

    @cached_property
    def inputs(self) -> FloatArray:
        """Standardised planes, ``(y, x, channel)``; NaN is fill. Mapped if possible."""
        dtype = np.dtype(self.store.recipe.dtype).newbyteorder("<")
        shape = (*self.grid.shape, len(self.store.channels))
        with self._reading("inputs"):
            return np.asanyarray(self._whole("inputs", shape, dtype))

    @cached_property
    def charts(self) -> ChartArray:
        """Classes, shape ``(y, x, chart)``; 255 is fill. Mapped if possible."""
        shape = (*self.grid.shape, len(CHARTS))
        with self._reading("charts"):
            return np.asanyarray(self._whole("charts", shape, np.dtype(np.uint8)))

    def full_charts(self) -> ChartArray:
        """Read the charts on the 80 m grid, shape ``(chart, y, x)``; 255 is fill."""
        return self.read("full_charts")

    def full_flags(self) -> ChartArray:
        """Read the flags on the 80 m grid, shape ``(y, x)``; bits as in `FLAGS`."""
        return self.read("full_flags")

    @property
    def has_polygons(self) -> bool:
        """Whether the polygons of its chart are stored, with their egg codes."""
        return "polygon_id" in self.known["checksums"]

    def check_polygons(self) -> None:
        """Reject a scene without polygons.

        Raises
        ------
        StoreError
            If it has none; it says why.
        """
        if self.has_polygons:
            return
        if self.has_charts and self.attributes.get("version") == "ready":
            raise StoreError(
                f"scene {self.id} of {self.store.path!r} was made from a ready-to-train "
                "file, which has no polygons",
                hint="prepare the raw files of these scenes, which contain polygons and "
                "their egg codes",
            )
        reason = "polygons" if self.has_charts else "chart, so it has no polygons"
        raise StoreError(f"scene {self.id} of {self.store.path!r} has no {reason}")

    def polygon_ids(self) -> IntArray:
        """Read the id of the polygon of each stored pixel, shape ``(y, x)``; -1 is none.

        Raises
        ------
        StoreError
            If the scene has no polygons (see `has_polygons`), or they cannot be read.
        """
        self.check_polygons()
        return self.read("polygon_id")

    @property
    def polygons(self) -> PolygonTable:
        """The polygons of the chart, with their egg codes.

        Raises
        ------
        StoreError
            If the scene has no polygons (see `has_polygons`), or they cannot be read.
        """
        self.check_polygons()
        columns = self.read("polygon_column").tolist()
        table = self.read("polygons")
        if columns != [*POLYGON_COLUMNS]:
            raise self._damaged(f"'polygon_column' is {columns}")
        ids = table[:, 0]
        if len(np.unique(ids)) < len(ids) or (ids < 0).any():
            raise self._damaged("ids in 'polygons' are negative, or occur twice")
        return PolygonTable(ids=ids, codes=table[:, 1:-1], is_water=table[:, -1] != 0)

    @property
    def tie_points(self) -> TiePoints:
        """Geolocation grid."""
        names = ("tie_latitude", "tie_longitude", "tie_line", "tie_sample")
        return TiePoints(*(self.read(name) for name in names))

    @property
    def rows(self) -> IntArray:
        """Stored row that represents each row of the 80 m grid."""
        return self.store.recipe.stand_ins(self.source_grid.height)

    @property
    def columns(self) -> IntArray:
        """Stored column that represents each column of the 80 m grid."""
        return self.store.recipe.stand_ins(self.source_grid.width)

    def to_xarray(self) -> "xr.Dataset":
        """Return the scene in physical units, by the names of channels and charts.

        `SIC` is in percent; `SOD` and `FLOE` are class numbers, whose names are in
        ``flag_meanings``. They are NaN where there is no class. `SIC_class`, `SOD_class`
        and `FLOE_class` are classes as they are stored: uint8, 255 is fill.
        The texts and numbers of the scene are its attributes. It can be written as netCDF
        that follows CF 1.12. The coordinates `latitude` and `longitude` are exact: they are
        interpolated between the tie points, not taken from the channels of these names.
        """
        from seaice_data.store.dataset import scene_dataset  # late: imports xarray

        return scene_dataset(
            self.id,
            self.inputs,
            self.charts,
            self._places(),
            self.store.recipe,
            self.attributes,
            self.store.attributes["software"],
        )

    def plot(
        self, channel: str | None = None, *, chart: str | None = None, axes: Any = None
    ) -> "Figure":
        """Plot a channel or a chart, as the scene lies around the pole.

        Charts have the colours of the World Meteorological Organization
        (`seaice_data.colours`), land and sea without a class apart. Channels are stretched
        from their 2nd to their 98th percentile. The plane is polar stereographic:
        EPSG:3413, in the south EPSG:3976.

        Parameters
        ----------
        channel
            Name of a channel of the store, such as ``hh``.
        chart
            ``SIC``, ``SOD`` or ``FLOE``, in place of a channel.
        axes
            Axes of matplotlib to plot into; a new figure if not given.

        Returns
        -------
        matplotlib.figure.Figure
            Notebooks show it; ``.savefig("scene.png")`` writes it. A new figure does not
            belong to pyplot.

        Raises
        ------
        SettingsError
            If not exactly one plane is asked for, or the chart is unknown.
        StoreError
            If the store has no such channel, or the scene cannot be read.
        PlotError
            If it cannot be plotted.

        Examples
        --------
        >>> scene.plot("hh")  # doctest: +SKIP
        >>> scene.plot(chart="SOD").savefig("sod.png", dpi=200)  # doctest: +SKIP
        """
        from seaice_data.store.views.plot import plot_scene  # late: few ask for it

        return plot_scene(self, channel, chart, axes)

    def _repr_html_(self) -> str:
        from seaice_data.store.views.html import scene_html  # late: few ask for it

        return scene_html(self)

    def _places(self) -> tuple[FloatArray, FloatArray]:
        """Return the latitude and longitude of each stored pixel."""
        lines, samples = map(self.store.recipe.positions, self.source_grid.shape)
        return self.tie_points.places(lines, samples)
