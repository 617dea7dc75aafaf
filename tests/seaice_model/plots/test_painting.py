"""Classes, land, missing SAR and missing classes look different."""

import numpy as np

from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.colours import (
    COAST_COLOUR,
    HATCH_COLOUR,
    LAND_COLOUR,
    NO_SAR_COLOUR,
    UNKNOWN_COLOUR,
    WMO_COLOURS,
    rgb,
)
from seaice_model.plots.painting import (
    LAND,
    NO_SAR,
    OUTSIDE,
    RAMP,
    paint_classes,
    paint_values,
    stretch_db,
)


def test_tones_differ_from_each_other_and_from_classes() -> None:
    tones = {LAND_COLOUR, UNKNOWN_COLOUR, NO_SAR_COLOUR, HATCH_COLOUR, COAST_COLOUR}
    for chart in CHARTS:
        assert len(tones | {*WMO_COLOURS[chart.name]}) == 5 + len(
            {*WMO_COLOURS[chart.name]}
        )
    numbers = np.array([rgb(tone) for tone in (LAND_COLOUR, UNKNOWN_COLOUR, NO_SAR_COLOUR)])
    apart = np.abs(numbers[:, None] - numbers[None]).sum(axis=2)
    assert apart[~np.eye(3, dtype=bool)].min() > 50


def test_land_has_a_coast_and_missing_sar_a_hatch() -> None:
    tones = np.full((20, 20), 1, np.uint8)
    tones[5:10, 5:10], tones[12:], tones[0, 0], tones[0, 1] = (
        LAND,
        NO_SAR,
        CHART_FILL,
        OUTSIDE,
    )
    painted = paint_classes(tones, WMO_COLOURS["SOD"])
    assert painted.shape == (20, 20, 4)
    assert (painted[..., 3] == 255).all()
    pixels = painted[..., :3]
    assert tuple(pixels[7, 7]) == rgb(LAND_COLOUR)
    assert tuple(pixels[5, 7]) == rgb(COAST_COLOUR)
    assert tuple(pixels[0, 10]) == rgb(WMO_COLOURS["SOD"][1])
    assert tuple(pixels[0, 0]) == rgb(UNKNOWN_COLOUR)
    assert tuple(pixels[0, 1]) == (255, 255, 255)
    hatched = {tuple(colour) for colour in pixels[12:].reshape(-1, 3).tolist()}
    assert hatched == {rgb(NO_SAR_COLOUR), rgb(HATCH_COLOUR)}
    # Uncertainty is shown with the same tones.
    other = paint_values(np.zeros((20, 20), np.float32), tones, (0, 1), RAMP)[..., :3]
    assert tuple(other[1, 1]) == rgb(RAMP[0])
    assert (other[tones == LAND] == pixels[tones == LAND]).all()
    assert (other[12:] == pixels[12:]).all()


def test_values_beyond_the_span_have_its_ends_and_unknown_ones_a_tone() -> None:
    values = np.array([[np.nan, -9.0, 0.0, 1.0, 9.0]], np.float32)
    shown = paint_values(values, np.zeros(values.shape, np.uint8), (0, 1), RAMP)
    first, last = rgb(RAMP[0]), rgb(RAMP[-1])
    expected = [rgb(UNKNOWN_COLOUR), first, first, last, last]
    assert [tuple(colour[:3]) for colour in shown[0].tolist()] == expected


def test_bright_ice_is_not_white_and_calm_water_not_noisy() -> None:
    rng = np.random.default_rng(0)
    calm = rng.normal(-24, 0.3, (100, 100)).astype(np.float32)
    low, high = stretch_db(calm)
    assert high - low == 8
    ice = np.concatenate([calm, rng.normal(-3, 1, (100, 100)).astype(np.float32)])
    span = stretch_db(ice)
    shown = paint_values(ice, np.zeros(ice.shape, np.uint8), span)[..., :3]
    assert (shown[..., 0] == 245).mean() < 0.01
    assert shown[:100].mean() < 80 < 200 < shown[100:].mean()
