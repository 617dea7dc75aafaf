"""What is placed on a sheet is there, at any resolution."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seaice_data.system.figures import drawing
from seaice_model.plots.framing import frame
from seaice_model.plots.sheet import Box, Sheet
from seaice_model.style import save_plot

from .test_framing import GRID, scene


@pytest.mark.parametrize("dpi", [100, 50, 173.0])
def test_pixels_are_where_they_were_pasted(tmp_path: Path, dpi: float) -> None:
    with drawing():
        sheet = Sheet(301, 200, 100)
        pixels = np.zeros((100, 60, 4), np.uint8)
        pixels[:50, :, :3], pixels[..., 3] = (200, 10, 30), 255
        sheet.show(Box(100, 50, 60, 100), pixels)
    save_plot(sheet.figure, tmp_path / "a.png", dpi)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGB"
        assert image.size == pytest.approx((3.01 * dpi, 2 * dpi), abs=1)
        for x, y, colour in (
            (130, 60, (200, 10, 30)),
            (130, 140, (0, 0, 0)),
            (90, 60, (255,) * 3),
        ):
            assert image.getpixel((int(x * dpi / 100), int(y * dpi / 100))) == colour


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    framing = frame(scene(75.0, 10.0, 190), GRID, "swath")
    with drawing():
        sheet = Sheet(700, 700, 100)
        box = Box(0, 0, 640, 800)
        sheet.scale_bar(box, framing)
    (words,) = (text.get_text() for text in sheet.axes.texts)
    widths = [patch.get_width() for patch in sheet.axes.patches[1:]]
    assert words == "50 km"
    # `test_framing` compares the width of a panel with geodesics.
    assert sum(widths) / 640 * framing.width_km == pytest.approx(50)
