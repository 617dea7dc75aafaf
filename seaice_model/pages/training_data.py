"""Which scenes networks were trained and validated on, as Markdown for a model card."""

import calendar
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from seaice_data.scene_id import NO_SERVICE, SceneId
from seaice_data.texts import counted
from seaice_model.pages.markdown import escaped, table
from seaice_model.runs.settings import RunSettings


def training_data_in_words(settings: Sequence[RunSettings]) -> str:
    """Return the store of networks that differ in their seeds, and how many scenes.

    Parameters
    ----------
    settings
        Settings of the run of each network.
    """
    first = settings[0]
    store = first.store.path.rstrip("/").rpartition("/")[2]
    numbers = sorted({len(one.train_scenes) for one in settings})
    scenes = counted(numbers[0], "scene")
    if len(numbers) > 1:
        scenes = f"{numbers[0]} to {counted(numbers[-1], 'scene')}"
    words = (
        f"Trained on {scenes} of the store {escaped(store)} (fingerprint "
        f"{escaped(first.store.fingerprint)})"
    )
    if first.config.train.where:
        words += f", those with {escaped(first.config.train.where)}"
    if _differ(settings):
        words += "; each network on other ones, as its validation scenes were sampled"
    return f"{words}; scenes by month and by the ice service that made their charts:"


def validation_in_words(settings: Sequence[RunSettings]) -> str:
    """Return on how many scenes the best epochs were chosen, and whether on the same."""
    numbers = sorted({len(one.validation_scenes) for one in settings})
    scenes = counted(numbers[-1], "validation scene")
    if len(numbers) > 1:
        scenes = f"{numbers[0]} to {scenes}"
    return f"{scenes}, others for each network" if _differ(settings) else scenes


def training_data_table(settings: Mapping[str, RunSettings]) -> str:
    """Return scenes by month, service and year; for each network, if they differ.

    Parameters
    ----------
    settings
        Settings of the run of each network, by its name.
    """
    differ = _differ([*settings.values()])
    shown = [*settings.items()] if differ else [*settings.items()][:1]
    lines = []
    for name, one in shown:
        of = f" of {name}" if differ else ""
        lines.append([f"training{of}", *_cells(one.train_scenes)])
        lines.append([f"validation{of}", *_cells(one.validation_scenes)])
    return table(["scenes", *calendar.month_abbr[1:], "services", "years"], lines)


def _differ(settings: Sequence[RunSettings]) -> bool:
    """Return whether networks have seen different scenes."""
    return len({(one.train_scenes, one.validation_scenes) for one in settings}) > 1


def _cells(scenes: Sequence[SceneId]) -> Iterator[str]:
    months = Counter(scene.acquired.month for scene in scenes)
    services = Counter(scene.service or NO_SERVICE for scene in scenes)
    years = sorted({scene.acquired.year for scene in scenes})
    yield from (str(months[month] or "-") for month in range(1, 13))
    yield ", ".join(f"{n} {service}" for service, n in sorted(services.items()))
    yield "-".join(map(str, dict.fromkeys(years[:1] + years[-1:]))) or "-"
