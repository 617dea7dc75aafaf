"""What a network is not good for, as far as its settings and scores say."""

import calendar
from collections.abc import Iterator, Sequence

from seaice_data.channels import DISPENSABLE, find_channels
from seaice_data.charts import CHARTS, SIC
from seaice_data.grid import SPACING_M
from seaice_model.pages.markdown import escaped
from seaice_model.runs.settings import RunSettings
from seaice_model.scores.saved_scores import SavedScores

_WEAK_F1 = 50.0
"""F1 in percent below which a class is called weak."""


def limits_of(settings: Sequence[RunSettings], scores: SavedScores | None) -> Iterator[str]:
    """Yield the limits of a network, a sentence or two each, as Markdown.

    Parameters
    ----------
    settings
        Settings of its run; of several networks, those of each.
    scores
        Scores of its maps, if there are any.
    """
    spacing_m = settings[0].store.recipe.ratio * SPACING_M
    trained_on = {scene for one in settings for scene in one.train_scenes}
    yield "For research: its maps are not official ice charts. Do not navigate by them."
    yield (
        "It has learned from charts that analysts draw as polygons of many kilometres, in "
        f"steps of 10 %. Nothing smaller than its pixels of {spacing_m:g} m is seen."
    )
    months = {scene.acquired.month for scene in trained_on}
    if absent := [calendar.month_name[m] for m in range(1, 13) if m not in months]:
        yield f"It has seen no scene of {', '.join(absent)}."
    if services := sorted({scene.service for scene in trained_on} - {""}):
        yield (
            f"It has learned the charts of {', '.join(services)}, in the waters of these "
            "services; other regions, and the Antarctic, are new to it."
        )
    yield from _of_inputs(settings)
    if scores is None:
        yield "How good it is on scenes that it has not seen is not known to this card."
    else:
        yield from _of_classes(scores)
    yield (
        "What seaice infers about files of AI4Arctic, and nobody could check, is listed in "
        "its `docs/unchecked.md`; `seaice check` tests it on your files."
    )


def _of_inputs(settings: Sequence[RunSettings]) -> Iterator[str]:
    config = settings[0].config  # all have the same
    spared = config.augmentation.dropped
    channels = find_channels(config.model.channels)
    groups = dict.fromkeys(channel.group for channel in channels)
    if needed := [str(g) for g in groups if g in DISPENSABLE and g not in spared]:
        yield f"It cannot predict scenes without {' and '.join(needed)}."
    if able := [str(g) for g in groups if g in spared]:
        yield f"It has learned to do without {' and '.join(able)}."
    known = set.intersection(*({*one.denoisings} for one in settings))
    yield (
        "It knows SAR from which noise was removed by "
        f"{escaped(', '.join(sorted(known))) or 'no method in common'}; "
        "`seaice predict` warns of others."
    )


def _of_classes(scores: SavedScores) -> Iterator[str]:
    for chart in CHARTS:
        of = scores.charts[chart.name]
        found = list(zip(chart.class_names, of.class_f1, of.class_pixels, strict=True))
        weak = [f"{name} ({f1:.0f} %)" for name, f1, n in found if n and f1 < _WEAK_F1]
        if weak and chart is not SIC:  # whose classes are numbers: R2 says how far off
            yield f"{chart.name}: F1 is below {_WEAK_F1:.0f} % for {', '.join(weak)}."
        if untested := [name for name, _, n in found if not n]:
            yield f"{chart.name}: not scored, as no chart shows it: {', '.join(untested)}."
