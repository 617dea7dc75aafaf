"""Maps against the hidden truth of synthetic scenes, by what their charts say of a pixel.

Charts give one class to a whole polygon, or none where ice types are mixed; the hidden
truth (docs/synthetic.md) has a class for each pixel of either. ``count_parts`` counts the
pixels of a map against it, separately for pixels with and without a class in the chart.
``seaice_data.sources.charts.find_charts`` reads the truth from its folder.
"""

from typing import Literal, get_args

import numpy as np

from seaice_data.arrays import ChartArray, IntArray, Mask
from seaice_data.charts import CHART_FILL, CHARTS, SIC, SOD
from seaice_model.metrics import ChartScorer

Part = Literal["mixed", "mixed ice", "labelled", "all"]

PARTS: tuple[Part, ...] = get_args(Part)
"""Parts of a scene, chart by chart. ``mixed``: the ice chart has ice there, but no class,
because no ice type prevails or it has none; ``mixed ice``: only those of these pixels that
are ice and not water between the floes; ``labelled``: the chart has a class; ``all``: both.
SIC, which has no classes for ice types, is divided like SOD."""


def count_parts(
    truth: ChartArray, charts: ChartArray, predicted: ChartArray
) -> dict[Part, dict[str, IntArray]]:
    """Count the pixels of a map by class of the truth and of the map, for each of `PARTS`.

    Parameters
    ----------
    truth
        Classes of the pixels themselves, shape ``(chart, y, x)``; 255 where there is none.
    charts
        Classes of the ice chart, on the same grid; 255 where there is none.
    predicted
        Classes of the map, on the same grid; 255 where there is none.

    Returns
    -------
    dict
        Confusion matrices by part and chart, as in `ChartScorer.confusion`. Pixels without
        a class in the truth do not count, nor do those outside the ice chart.

    Raises
    ------
    ValueError
        If the shapes differ, or a value is neither a class nor 255.

    Examples
    --------
    A polygon of young and old ice has no stage of development, but its pixels do. The map
    takes both of them for young ice:

    >>> truth = np.array([[[10, 10]], [[2, 5]], [[4, 4]]], dtype=np.uint8)
    >>> charts = np.array([[[10, 10]], [[255, 255]], [[4, 4]]], dtype=np.uint8)
    >>> predicted = np.array([[[10, 10]], [[2, 2]], [[4, 4]]], dtype=np.uint8)
    >>> counts = count_parts(truth, charts, predicted)
    >>> counts["mixed"]["SOD"][[2, 5], 2], int(counts["labelled"]["SOD"].sum())
    (array([1, 1]), 0)
    """
    shapes = {np.shape(planes) for planes in (truth, charts, predicted)}
    if len(shapes) != 1:
        raise ValueError(f"truth, charts and map differ in shape: {sorted(shapes)}")
    concentration = dict(zip(CHARTS, charts, strict=True))[SIC]
    is_charted = concentration != CHART_FILL
    has_ice = is_charted & (concentration > 0)
    is_ice = truth[CHARTS.index(SIC)] > 0
    counts: dict[Part, dict[str, IntArray]] = {part: {} for part in PARTS}
    for position, chart in enumerate(CHARTS):
        deciding = CHARTS.index(SOD) if chart is SIC else position
        has_class = is_charted & (charts[deciding] != CHART_FILL)
        is_mixed = has_ice & ~has_class
        chosen: dict[Part, Mask] = {
            "mixed": is_mixed,
            "mixed ice": is_mixed & is_ice,
            "labelled": has_class,
            "all": is_mixed | has_class,
        }
        for part, is_there in chosen.items():
            scorer = ChartScorer()
            scorer.add_chart(
                chart,
                np.where(is_there, truth[position], CHART_FILL),
                predicted[position],
            )
            counts[part][chart.name] = scorer.confusion[chart.name]
    return counts
