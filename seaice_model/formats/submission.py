"""Submission files of the AutoICE challenge.

A single netCDF file has a variable ``{scene}_{chart}`` for each chart of each test scene:
uint8, on two dimensions of its own, with the classes of the charts, on the 80 m grid. Files
of all participants can be read, not only ours. The challenge scores every pixel that has a
class in the chart, including a few on land, so our files have a class everywhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.grid import SPACING_M
from seaice_data.scene_id import SceneId
from seaice_data.texts import counted
from seaice_model.errors import MapError
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.foreign_hdf5 import (
    array,
    attribute,
    opened,
    read_bytes,
    read_errors,
)
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.maps.netcdf_writer import (
    NewFile,
    add_dimensions,
    add_variable,
    written_whole,
)

_KIND = "submission file"
_HINT = "pass a folder of maps, or a submission file of the challenge"
_ENDINGS = ("_prep.nc", "_prep")


def variable_name(scene_id: str, chart: str) -> str:
    """Return the name of a chart's variable.

    Examples
    --------
    >>> variable_name("20180124T194759_dmi", "SIC")
    '20180124T194759_dmi_SIC'
    """
    return f"{scene_id}_{chart}"


def charts_everywhere(chart_map: ChartMap) -> ChartArray:
    """Return the charts of a map on the 80 m grid, with a class on every pixel.

    Land and pixels without SAR have the class that the networks decided on there.

    Raises
    ------
    MapError
        If the map does not contain them, or is on the grid of the store.
    """
    decision, spacing_m = chart_map.decision, chart_map.grid.pixel_spacing_m
    if decision is None:
        raise MapError(
            f"the map of {chart_map.scene} does not say what was decided on land",
            hint="predict it again with `seaice predict --overwrite`",
        )
    if spacing_m not in (SPACING_M, SPACING_M / 2):
        raise MapError(
            f"the map of {chart_map.scene} has pixels of {spacing_m:g} m, a submission "
            f"needs {SPACING_M:g} m",
            hint="predict it again with `seaice predict --grid 80m --overwrite`",
        )
    step = round(SPACING_M / spacing_m)
    rows, columns = (
        stand_ins[: len(stand_ins) // step * step : step]
        for stand_ins in (decision.rows, decision.columns)
    )
    return np.ascontiguousarray(decision.classes[:, rows][:, :, columns])


def write_submission(
    maps: Sequence[Path],
    path: Path,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Write maps as a submission file; one at `path` stays until the new one is complete.

    Parameters
    ----------
    maps
        Files of `seaice predict`, one for each scene.
    path
        The file to write.
    progress
        Called after each map: maps done, maps in all, the scene.

    Raises
    ------
    MapError
        If a map cannot be read or lacks what is needed, two show the same scene, or the
        file cannot be written.
    """
    seen: dict[str, Path] = {}
    with written_whole(path, "submission") as file:
        for n_done, map_path in enumerate(maps, start=1):
            chart_map = read_netcdf(map_path)
            if seen.setdefault(chart_map.scene, map_path) != map_path:
                raise MapError(
                    f"scene {chart_map.scene!r} has two maps: "
                    f"{str(seen[chart_map.scene])!r} and {str(map_path)!r}"
                )
            _add(file, chart_map)
            if progress is not None:
                progress(n_done, len(maps), chart_map.scene)


def _add(file: NewFile, chart_map: ChartMap) -> None:
    """Add the charts of a scene, each on dimensions of its own."""
    for chart, plane in zip(CHARTS, charts_everywhere(chart_map), strict=True):
        name = variable_name(chart_map.scene, chart.name)
        dimensions = (f"{name}_dim0", f"{name}_dim1")
        add_dimensions(file, dict(zip(dimensions, plane.shape, strict=True)))
        add_variable(file, name, dimensions, plane, level=1)


class Submission:
    """A submission file, open for reading; a context manager.

    Raises
    ------
    MapError
        If there is none at `path`, or it is damaged, contains other variables, or lacks a
        chart of one of its scenes; or if a variable is not a plane of bytes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with ExitStack() as stack:
            self._file = stack.enter_context(opened(path, _KIND, _HINT))
            with read_errors(path, _KIND, _HINT):
                self._variables = self._find_variables()
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    @property
    def scenes(self) -> tuple[str, ...]:
        """Ids of the scenes in the file, sorted."""
        return tuple(self._variables)

    def check_scenes(self, expected: Sequence[str], known: Iterable[str]) -> None:
        """Make sure that the file contains all expected scenes, and none that is unknown.

        Raises
        ------
        MapError
            If it does not; the scenes are named.
        """
        if missing := [scene for scene in expected if scene not in self._variables]:
            raise MapError(
                f"submission {str(self.path)!r} lacks {len(missing)} of the "
                f"{len(expected)} scenes: {_listed(missing)}"
            )
        if strange := sorted({*self._variables} - {*known}):
            raise MapError(
                f"submission {str(self.path)!r} contains "
                f"{counted(len(strange), 'scene')} without a chart in the truth: "
                f"{_listed(strange)}"
            )

    def read(self, scene_id: str, shape: tuple[int, int]) -> ChartArray:
        """Read the charts of a scene, ``(chart, y, x)``; 255 where there is no class.

        Parameters
        ----------
        scene_id
            One of `scenes`.
        shape
            Height and width that the charts must have.

        Raises
        ------
        MapError
            If a chart has another shape, is damaged, or contains values that are not
            classes.
        """
        charts = np.empty((len(CHARTS), *shape), np.uint8)
        for plane, chart in zip(charts, CHARTS, strict=True):
            variable = self._variables[scene_id][chart.name]
            if variable.shape != shape:
                found = " x ".join(map(str, variable.shape))
                raise MapError(
                    f"{self._named(variable)} has {found} pixels, its chart has "
                    f"{shape[0]} x {shape[1]}",
                    hint="a submission is on the 80 m grid of the scenes",
                )
            named = f"variable {variable.name[1:]!r} of {_KIND}"
            with read_errors(self.path, named, _HINT):
                plane[...] = read_bytes(variable)
            counts = np.bincount(plane.ravel(), minlength=256)
            if counts[chart.n_classes : CHART_FILL].any():
                wrong = int(np.flatnonzero(counts[:CHART_FILL])[-1])
                raise MapError(
                    f"{self._named(variable)} contains {wrong} in {counts[wrong]} pixels, "
                    f"which is not a class (0-{chart.n_classes - 1}, or 255 for none)"
                )
        return charts

    def _find_variables(self) -> dict[str, dict[str, h5py.Dataset]]:
        """Return the planes by scene and chart; reject other variables."""
        found: dict[str, dict[str, h5py.Dataset]] = {}
        for name in self._file:
            scene_id, chart = _parsed(name)
            if scene_id is None and _is_dimension(self._file, name):
                continue
            if scene_id is None:
                raise MapError(
                    f"{str(self.path)!r} is not a submission file: it contains {name!r}",
                    hint="its variables have names like "
                    f"{variable_name('20180124T194759_dmi', 'SIC')!r}",
                )
            charts = found.setdefault(scene_id, {})
            if chart in charts:
                raise MapError(f"{str(self.path)!r} contains {chart} of {scene_id} twice")
            charts[chart] = array(self._file, name, 2, "iu")
        if not found:
            raise MapError(
                f"{str(self.path)!r} is not a submission file: it contains no charts"
            )
        self._refuse_incomplete(found)
        return dict(sorted(found.items()))

    def _refuse_incomplete(self, found: Mapping[str, Mapping[str, h5py.Dataset]]) -> None:
        for scene_id, charts in found.items():
            missing = [chart.name for chart in CHARTS if chart.name not in charts]
            if missing:
                raise MapError(
                    f"submission {str(self.path)!r} lacks {', '.join(missing)} of scene "
                    f"{scene_id!r}"
                )

    def _named(self, variable: h5py.Dataset) -> str:
        return f"{variable.name[1:]!r} of {str(self.path)!r}"


def _parsed(name: str) -> tuple[SceneId | None, str]:
    """Return scene and chart from the name of a variable; no scene if there is none."""
    scene, _, chart = name.rpartition("_")
    for ending in _ENDINGS:
        scene = scene.removesuffix(ending)
    if chart in {known.name for known in CHARTS} and SceneId.is_one(scene):
        return SceneId(scene), chart
    return None, chart


def _is_dimension(file: h5py.File, name: str) -> bool:
    """Return whether a dataset only represents a dimension, with or without coordinates."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        return False
    attributes = file[name].attrs
    if "CLASS" not in attributes:
        return False
    return bool(attribute(attributes, "CLASS") == b"DIMENSION_SCALE")


def _listed(scenes: Sequence[str], most: int = 5) -> str:
    more = f" and {len(scenes) - most} more" if len(scenes) > most else ""
    return ", ".join(scenes[:most]) + more
