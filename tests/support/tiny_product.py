"""A Sentinel-1 product of a few pixels, whose numbers can be checked by eye.

Sub-swath EW1 has samples 0 to 9 of all lines, EW2 samples 10 to 19 from line 4 on. The
gain is 10 everywhere, so a pixel value of 20 is a sigma nought of 4 with its noise. The
noise is 100 in EW1 and 200 in EW2, times 1 along azimuth: sigma nought 1 and 2.
"""

import shutil
from pathlib import Path

import numpy as np
import rasterio

from seaice_data.arrays import Values

START, STOP = "2022-11-30T01:43:42.546629", "2022-11-30T01:44:46.839082"
N_LINES, N_SAMPLES = 12, 20
NAME = "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549_0000"


def write_product(
    folder: Path,
    numbers: dict[str, Values] | None = None,
    *,
    ipf: str = "003.52",
    azimuth: bool = True,
    satellite: str = "A",
) -> Path:
    """Write a product with the pixel values of each polarisation; 20 if not given."""
    product = folder / f"{NAME.replace('S1A', f'S1{satellite}')}.SAFE"
    calibration = product / "annotation" / "calibration"
    calibration.mkdir(parents=True)
    product.joinpath("measurement").mkdir()
    whole = np.full((N_LINES, N_SAMPLES), 20, np.uint16)
    names = []
    for k, (polarisation, pixels) in enumerate(
        (numbers or {"HH": whole, "HV": whole}).items()
    ):
        stem = f"s1a-ew-grd-{polarisation.lower()}-20221130t014342-00{k + 1}"
        header = _header(polarisation, satellite)
        (product / "annotation" / f"{stem}.xml").write_text(_annotation(header))
        (calibration / f"calibration-{stem}.xml").write_text(_calibration(header))
        (calibration / f"noise-{stem}.xml").write_text(_noise(header, azimuth=azimuth))
        write_tiff(product / "measurement" / f"{stem}.tiff", pixels)
        names += [f"./annotation/{stem}.xml", f"./annotation/calibration/noise-{stem}.xml"]
        names += [f"./annotation/calibration/calibration-{stem}.xml"]
    (product / "manifest.safe").write_text(_manifest(names, ipf))
    return product


def write_tiff(path: Path, pixels: Values, **options: str | int) -> None:
    """Write a TIFF as ESA does, uncompressed rows, or with other options of GDAL."""
    height, width = pixels.shape
    profile = {"driver": "GTiff", "count": 1, "dtype": pixels.dtype, "BLOCKYSIZE": 1}
    corners = [rasterio.control.GroundControlPoint(0, 0, 100, 80)]
    with rasterio.open(
        path, "w", height=height, width=width, gcps=corners, crs="EPSG:4326",
        **{**profile, **options},
    ) as tiff:  # fmt: skip
        tiff.write(pixels, 1)


def edit(product: Path, pattern: str, old: str, new: str) -> None:
    """Replace a text in the only file with a name like `pattern`."""
    (path,) = product.rglob(pattern)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def zipped(product: Path, *, top: bool = True) -> Path:
    """Zip a product, with or without its folder."""
    target = product.parent / "download"
    if top:
        archive = shutil.make_archive(str(target), "zip", product.parent, product.name)
    else:
        archive = shutil.make_archive(str(target), "zip", product)
    return Path(archive)


def _header(polarisation: str, satellite: str) -> str:
    return f"""<adsHeader><missionId>S1{satellite}</missionId><productType>GRD</productType>
<polarisation>{polarisation}</polarisation><mode>EW</mode><swath>EW</swath>
<startTime>{START}</startTime><stopTime>{STOP}</stopTime>
<absoluteOrbitNumber>46117</absoluteOrbitNumber><missionDataTakeId>361801</missionDataTakeId>
<imageNumber>001</imageNumber></adsHeader>"""


def _annotation(header: str) -> str:
    merged = "".join(
        f"<swathMerge><swath>{swath}</swath><swathBoundsList>{_bounds(line, first)}"
        "</swathBoundsList></swathMerge>"
        for swath, line, first in (("EW1", 0, 0), ("EW2", 4, 10))
    )
    points = "".join(
        f"<geolocationGridPoint><line>{line}</line><pixel>{pixel}</pixel>"
        f"<latitude>{80 - line / 1000}</latitude>"
        f"<longitude>{100 + pixel / 1000}</longitude>"
        f"<height>{pixel}</height><incidenceAngle>{20 + pixel}</incidenceAngle>"
        "</geolocationGridPoint>"
        for line in (0, 8, 11)
        for pixel in (0, 8, 16, 19)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<product>{header}<generalAnnotation><productInformation><pass>Descending</pass>
</productInformation></generalAnnotation>
<imageAnnotation><imageInformation><outputPixels>16 bit Unsigned Integer</outputPixels>
<rangePixelSpacing>4.0e+01</rangePixelSpacing><numberOfSamples>{N_SAMPLES}</numberOfSamples>
<numberOfLines>{N_LINES}</numberOfLines></imageInformation>
<processingInformation><thermalNoiseCorrectionPerformed>false
</thermalNoiseCorrectionPerformed></processingInformation></imageAnnotation>
<geolocationGrid><geolocationGridPointList>{points}</geolocationGridPointList>
</geolocationGrid>
<swathMerging><swathMergeList>{merged}</swathMergeList></swathMerging></product>"""


def _bounds(first_line: int, first_sample: int) -> str:
    return f"<swathBounds>{_corners(first_line, first_sample)}</swathBounds>"


def _corners(first_line: int, first_sample: int) -> str:
    return (
        f"<firstAzimuthLine>{first_line}</firstAzimuthLine>"
        f"<firstRangeSample>{first_sample}</firstRangeSample>"
        f"<lastAzimuthLine>{N_LINES - 1}</lastAzimuthLine>"
        f"<lastRangeSample>{first_sample + 9}</lastRangeSample>"
    )


def _calibration(header: str) -> str:
    vectors = "".join(
        f"<calibrationVector><line>{line}</line><pixel>0 19</pixel>"
        "<sigmaNought>10 10</sigmaNought><dn>5 5</dn></calibrationVector>"
        for line in (0, 11)
    )
    return (
        f"<calibration>{header}<calibrationVectorList>{vectors}</calibrationVectorList>"
        "</calibration>"
    )


def _noise(header: str, *, azimuth: bool) -> str:
    kind, lut = ("noiseRange", "noiseRangeLut") if azimuth else ("noise", "noiseLut")
    # EW2 starts later: its noise is missing in the first vector.
    vectors = "".join(
        f"<{kind}Vector><line>{line}</line><pixel>0 9 10 19</pixel>"
        f"<{lut}>100 100 {late} {late}</{lut}></{kind}Vector>"
        for line, late in ((0, 0), (6, 200), (11, 200))
    )
    along = "".join(
        f"<noiseAzimuthVector><swath>{swath}</swath>{_corners(line, first)}"
        f"<line>{line} 11</line><noiseAzimuthLut>1 1</noiseAzimuthLut></noiseAzimuthVector>"
        for swath, line, first in (("EW1", 0, 0), ("EW2", 4, 10))
    )
    along = f"<noiseAzimuthVectorList>{along}</noiseAzimuthVectorList>" if azimuth else ""
    return f"<noise>{header}<{kind}VectorList>{vectors}</{kind}VectorList>{along}</noise>"


def _manifest(names: list[str], ipf: str) -> str:
    located = "".join(f'<fileLocation locatorType="URL" href="{name}"/>' for name in names)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1"
 xmlns:safe="http://www.esa.int/safe/sentinel-1.0">
<xfdu:contentUnit textInfo="Sentinel-1 EW Level-1 GRD Product"/>
<safe:software name="Sentinel-1 IPF" version="{ipf}"/>
<safe:startTime>{START}</safe:startTime><safe:productClass>S</safe:productClass>
{located}</xfdu:XFDU>"""
