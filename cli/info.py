"""`seaice info`: what a store holds, on one screen."""

from collections import Counter
from typing import Annotated, Any

import typer

from .console import say, say_json


def info(
    store: Annotated[str, typer.Argument(help="Store to look into")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON")] = False,
) -> None:
    """Show what a store holds.

    Scenes by split, month and service, channels, class distribution, recipe.

    Example: seaice info store.zarr
    """
    from seaice_data.store import Store

    summary = _summary(Store.open(store))
    if as_json:
        say_json(summary)
        return
    for name, value in summary.items():
        if name == "classes":
            for chart, shares in value.items():
                say(
                    f"{chart:<10} "
                    + "  ".join(f"{k}: {v:.1f} %" for k, v in shares.items())
                )
        elif isinstance(value, dict):
            say(f"{name:<10} " + ", ".join(f"{k} {v}" for k, v in value.items()))
        elif isinstance(value, list):
            say(f"{name:<10} " + " ".join(map(str, value)))
        else:
            say(f"{name:<10} {value}")


def _summary(store: Any) -> dict[str, Any]:
    """Gather what a person wants to know."""
    from seaice_data.charts import CHARTS

    scenes = [store.scene(scene_id) for scene_id in store.scenes]
    counts = store.attributes.get("class_counts", {})
    months = Counter(scene.acquired.month for scene in scenes)
    shapes = [scene.grid.shape for scene in scenes]
    valid = [scene.attributes["valid_share"] for scene in scenes]
    return {
        "store": f"{store.path} ({store.attributes['software']})",
        "scenes": len(scenes),
        "splits": {name: len(ids) for name, ids in store.splits.items()},
        "services": dict(Counter(scene.service for scene in scenes)),
        "months": {str(month): months[month] for month in sorted(months)},
        "sizes": f"{min(shapes, default='-')} to {max(shapes, default='-')} pixels",
        "labelled": f"{100 * sum(valid) / max(len(valid), 1):.0f} % of the pixels",
        "channels": list(store.channels),
        "classes": {
            chart.name: {
                name: 100 * count / max(sum(counts[chart.name][:-1]), 1)
                for name, count in zip(chart.class_names, counts[chart.name], strict=False)
            }
            for chart in CHARTS
            if chart.name in counts
        },
        "recipe": {k: v for k, v in store.attributes["recipe"].items() if k != "channels"},
    }
