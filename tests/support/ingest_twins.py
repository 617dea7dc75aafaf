"""Synthetic scenes as a user's inputs, and as the files that ingesting them should give.

A session makes them once:

    @pytest.fixture(scope="session")
    def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Twin, ...]:
        return write_twins(tmp_path_factory.mktemp("twins"))
"""

from dataclasses import dataclass
from pathlib import Path

from seaice_data.synthetic.plan import ScenePlan, plan_scenes
from seaice_data.synthetic.scene import scene_paths
from seaice_data.synthetic.scene_set import write_scenes


@dataclass(frozen=True)
class Twin:
    """One scene in all three versions."""

    plan: ScenePlan

    products: Path
    """Folder of its products."""

    raw: Path
    """File of 40 m pixels, decibels, polygons and egg codes."""

    ready: tuple[Path, ...]
    """File of 80 m pixels; the charts of a test scene are in a second one."""

    @property
    def sentinel1(self) -> Path:
        """Sentinel-1 product: a folder or a zip."""
        (path,) = self.products.glob(f"{self.plan.upstream_id}.SAFE*")
        return path

    @property
    def amsr2(self) -> Path:
        """Folder of AMSR2 swaths, L1R."""
        return self.products / "amsr2"

    @property
    def amsr2_l1b(self) -> Path:
        """Folder of the same swaths, L1B."""
        return self.products / "amsr2-l1b"

    @property
    def era5(self) -> Path:
        """Weather, netCDF."""
        return self.products / "era5.nc"

    @property
    def era5_grib(self) -> Path:
        """The same weather, GRIB."""
        return self.products / "era5.grib"

    @property
    def chart(self) -> Path:
        """Ice chart, GeoPackage."""
        return self.products / f"{self.plan.chart_name}.gpkg"

    @property
    def chart_zip(self) -> Path:
        """The same chart, zipped shapefile."""
        return self.products / f"{self.plan.chart_name}.zip"

    @property
    def coast(self) -> Path:
        """Land around the scene."""
        return self.products / "coast.gpkg"


def write_twins(
    folder: Path, n_scenes: int = 2, size: int | tuple[int, int] = 250, *, seed: int = 0
) -> tuple[Twin, ...]:
    """Write scenes to ``products/``, ``raw/`` and ``ready/`` in a folder.

    The Sentinel-1 product of the first scene is a zip, that of the second a folder, and so
    on. With the default seed, the first is of `cis`, the second of `dmi`.
    """
    for version in ("products", "raw", "ready"):
        write_scenes(folder / version, n_scenes, size, version, seed=seed)  # type: ignore[arg-type]
    return tuple(
        Twin(
            plan,
            folder / "products" / plan.id,
            *scene_paths(folder / "raw", plan, "raw"),
            scene_paths(folder / "ready", plan, "ready"),
        )
        for plan in plan_scenes(n_scenes, size, seed)
    )
