"""Write a synthetic scene as a Sentinel-1 product: EW GRDM, HH and HV, as a SAFE.

Its images are sigma nought, times the square of the gain, plus the noise of the receiver;
of that, the square root in whole numbers. The mean of the noise is that of the look-up
tables, so that what remains after it is subtracted is unbiased, and often below zero in HV.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.synthetic.fields import Float32
from seaice_data.synthetic.observation import Band, Observation
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.products.annotation import (
    IPF,
    Annotations,
    ProductFile,
    make_clock,
    tie_points,
)
from seaice_data.synthetic.products.geotiff import TiffImage, open_tiff
from seaice_data.synthetic.products.look_up_tables import (
    Calibration,
    Noise,
    make_calibration,
    make_noise,
)
from seaice_data.synthetic.products.sub_swaths import find_sub_swaths
from seaice_data.system.files import staged

POLARISATIONS = ("HH", "HV")

_LOOKS = 10.7
"""Equivalent number of looks of EW GRDM."""

_PER_DB = np.float32(np.log2(10) / 10)

_MOST_DN = 65_535


class _Image:
    """The image of one polarisation while it is being made."""

    def __init__(
        self, plan: ScenePlan, number: int, calibration: Calibration, noise: Noise
    ) -> None:
        self._plan = plan
        self._number = number
        self._gains = calibration.table
        self._noise = noise
        self._n = 0
        self._sums = np.zeros(2)

    def rows(self, sigma0_db: Float32, rows: slice) -> NDArray[np.uint16]:
        """Return the next rows as they are written; 0 is no data."""
        lines = np.arange(rows.start, rows.stop)
        power = np.exp2(sigma0_db * _PER_DB)
        power *= np.square(self._gains.at(lines))
        noise = self._noise.mean(rows)
        noise *= self._speckle(rows, power.shape)
        power += noise
        np.sqrt(power, out=power)
        is_seen = ~np.isnan(power)
        dn = np.rint(power, out=power).clip(1, _MOST_DN)
        numbers = np.where(is_seen, dn, 0).astype(np.uint16)
        self._n += int(np.count_nonzero(is_seen))
        self._sums += (
            numbers.sum(dtype=np.float64),
            np.square(numbers, dtype=np.float64).sum(),
        )
        return numbers

    def statistics(self) -> tuple[float, float]:
        """Return mean and standard deviation of what was seen."""
        mean, square = self._sums / max(self._n, 1)
        return float(mean), float(np.sqrt(max(square - mean**2, 0)))

    def _speckle(self, rows: slice, shape: tuple[int, ...]) -> Float32:
        """Return speckle of mean 1.

        It is the same in 2 x 2 pixels, because the radar resolves about 90 m.
        """
        rng = self._plan.rng(112, self._number, rows.start)
        half = (-(-shape[0] // 2), -(-shape[1] // 2))
        speckle = rng.standard_gamma(_LOOKS, half, dtype=np.float32)
        speckle /= np.float32(_LOOKS)
        return speckle.repeat(2, axis=0)[: shape[0]].repeat(2, axis=1)[:, : shape[1]]


def write_safe(
    folder: Path,
    scene: Observation,
    *,
    zipped: bool,
    bands: Iterator[Band] | None = None,
) -> Path:
    """Write a scene as a Sentinel-1 product; equal plans give equal products.

    Parameters
    ----------
    folder
        Where to write; it must exist.
    scene
        The scene; its bands are used up.
    zipped
        Whether to write ``<product>.SAFE.zip``, deflated, rather than a folder
        ``<product>.SAFE``.
    bands
        The bands of the scene, if something else looks at them on the way.

    Returns
    -------
    Path
        The folder or the file; it is complete or absent.

    Raises
    ------
    SceneError
        If it already exists.
    OSError
        If it cannot be written.

    Notes
    -----
    Two images of 10 400 x 10 800 pixels take 450 MB, and 280 MB in a zip.
    """
    product = f"{scene.plan.upstream_id}.SAFE"
    path = folder / (f"{product}.zip" if zipped else product)
    if path.exists():
        raise SceneError(
            f"product {scene.plan.upstream_id} already exists: {str(path)!r}",
            hint="move it away, or choose another folder",
        )
    with staged(folder) as place:
        _write_folder(place / product, scene, bands or scene.bands())
        if zipped:
            _zip(place / product, place / path.name, scene.plan)
        (place / path.name).rename(path)
    return path


def _write_folder(folder: Path, scene: Observation, bands: Iterator[Band]) -> None:
    """Write all files of a product."""
    plan, name = scene.plan, scene.plan.product
    swaths = find_sub_swaths(scene)
    xml = Annotations(scene, swaths, make_clock(name, plan.raw_shape[0]), tie_points(scene))
    calibration = make_calibration(scene)
    noise = [make_noise(scene, swaths, number) for number in range(len(POLARISATIONS))]
    images = [_Image(plan, i, calibration, noise[i]) for i in range(len(POLARISATIONS))]
    stems = [_stem(plan, number) for number in range(len(POLARISATIONS))]
    for part in ("measurement", "annotation/calibration", "annotation/rfi"):
        (folder / part).mkdir(parents=True)

    paths = [f"measurement/{stem}.tiff" for stem in stems]
    tiffs = _write_images([folder / path for path in paths], xml, images, bands)
    files = []
    for i, (polarisation, stem) in enumerate(zip(POLARISATIONS, stems, strict=True)):
        for path, schema, text in (
            (
                f"annotation/{stem}.xml",
                "s1Level1ProductSchema",
                xml.product(polarisation, *images[i].statistics()),
            ),
            (
                f"annotation/calibration/noise-{stem}.xml",
                "s1Level1NoiseSchema",
                xml.noise(polarisation, noise[i]),
            ),
            (
                f"annotation/rfi/rfi-{stem}.xml",
                "s1Level1RfiSchema",
                xml.interference(polarisation),
            ),
            (
                f"annotation/calibration/calibration-{stem}.xml",
                "s1Level1CalibrationSchema",
                xml.calibration(polarisation, calibration),
            ),
        ):
            content = text.encode()
            (folder / path).write_bytes(content)
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            files.append(ProductFile(path, schema, polarisation, len(content), md5))
    for path, polarisation, tiff in zip(paths, POLARISATIONS, tiffs, strict=True):
        schema = "s1Level1MeasurementSchema"
        files.append(ProductFile(path, schema, polarisation, tiff.n_bytes, tiff.md5))
    (folder / "manifest.safe").write_text(xml.manifest(files))


def _write_images(
    paths: list[Path], xml: Annotations, images: list[_Image], bands: Iterator[Band]
) -> list[TiffImage]:
    """Write the images, some rows of both at a time."""
    points: FloatArray = np.array(
        [(p.pixel, p.line, 0, p.longitude, p.latitude, p.height_m) for p in xml.points]
    )
    texts = {
        "description": f"Sentinel-{xml.name.satellite[1:]} EW GRD MR L1 (synthetic)",
        "software": f"Sentinel-1 IPF {IPF}",
        "time": f"{xml.clock.first:%Y:%m:%d %H:%M:%S}",
    }
    with ExitStack() as stack:
        tiffs = [
            stack.enter_context(open_tiff(path, xml.swaths.shape, points, **texts))
            for path in paths
        ]
        for band in bands:
            rows = slice(band.rows.start, band.rows.start + len(band.hh))
            for image, tiff, plane in zip(images, tiffs, (band.hh, band.hv), strict=True):
                tiff.write(image.rows(plane, rows))
    return tiffs


def _stem(plan: ScenePlan, number: int) -> str:
    """Return what the names of the files of one polarisation have in common."""
    name = plan.product
    times = "-".join(f"{time:%Y%m%dt%H%M%S}" for time in (name.start, name.stop))
    return (
        f"{name.satellite.lower()}-ew-grd-{POLARISATIONS[number].lower()}-{times}"
        f"-{name.orbit:06d}-{name.data_take:06x}-{number + 1:03d}"
    )


def _zip(folder: Path, path: Path, plan: ScenePlan) -> None:
    """Pack a folder; the times in the zip are those of the scene."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(folder.rglob("*")):
            if not file.is_file():
                continue
            name = file.relative_to(folder.parent).as_posix()
            entry = zipfile.ZipInfo(name, plan.acquired.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with file.open("rb") as source, archive.open(entry, "w") as target:
                while block := source.read(2**20):
                    target.write(block)
