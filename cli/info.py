"""`seaice info`: what a store holds, on one screen."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import say, say_json

if TYPE_CHECKING:
    from seaice_data.store import Store


def info(
    store: Annotated[str, typer.Argument(help="Store to look into")],
    plot: Annotated[
        Path | None, typer.Option(help="Folder to draw class distribution and scenes in")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON")] = False,
) -> None:
    """Show what a store holds.

    Scenes by split, month and service, channels, class distribution, recipe; with --plot
    also two pictures: the classes (Figure 5 of the paper) and the scenes on one sheet.

    Example: seaice info store.zarr
    """
    from seaice_data.store import Store

    opened = Store.open(store)
    summary = _summary(opened)
    if plot:
        summary["pictures"] = _draw(opened, plot)
    if as_json:
        say_json(summary)
        return
    del summary["channels"]  # they follow by group
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


def _draw(store: "Store", folder: Path) -> list[str]:
    """Draw what the store holds and return the files."""
    from seaice_model.pictures import save_picture
    from seaice_model.store_pictures import draw_class_distribution, draw_contact_sheet

    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"scenes.png": draw_contact_sheet(store)}
    if counts := store.attributes.get("full_class_counts"):
        pictures["classes.png"] = draw_class_distribution(counts)
    for name, figure in pictures.items():
        save_picture(figure, folder / name)
    return [str(folder / name) for name in pictures]


def _summary(store: "Store") -> dict[str, Any]:
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
        "disk use": _disk_use(store),
        "channels": list(store.channels),
        **_channels(store),
        "classes": {
            chart.name: {
                name: 100 * count / max(sum(counts[chart.name][:-1]), 1)
                for name, count in zip(chart.class_names, counts[chart.name], strict=False)
            }
            for chart in CHARTS
            if chart.name in counts
        },
        "recipe": {k: v for k, v in store.attributes["recipe"].items() if k != "channels"},
        "odd": _oddities(store) or ["nothing"],
    }


def _disk_use(store: "Store") -> str:
    """Return the size of a store on a local disk."""
    if not store.storage.is_local:
        return "not known for object stores"
    n_bytes = sum(p.stat().st_size for p in store.storage.local().rglob("*") if p.is_file())
    return f"{n_bytes / 1e9:.2f} GB"


def _channels(store: "Store") -> dict[str, list[str]]:
    """Return each channel with the range of its values in training, by group."""
    from seaice_data.channels import find_channel

    stats = store.attributes.get("stats", {})
    groups: dict[str, list[str]] = {}
    for position, name in enumerate(store.channels):
        channel = find_channel(name)
        text = name
        if stats and stats["lowest"][position] is not None:
            low, high = (
                stats[end][position] * channel.std + channel.mean
                for end in ("lowest", "highest")
            )
            unit = "" if channel.unit == "1" else f" {channel.unit}"
            text += f" {low:.4g}..{high:.4g}{unit};"
        groups.setdefault(str(channel.group), []).append(text)
    return groups


def _oddities(store: "Store") -> list[str]:
    """Say what a person should look at before using the store."""
    odd = []
    splits = store.splits
    left = set(store.scenes) - {scene for ids in splits.values() for scene in ids}
    if store.scenes and not any(splits.values()):
        odd.append("it has no splits yet: run `seaice prepare` again to finish it;")
    elif left:
        odd.append(f"{len(left)} scenes are in no split: a test scene is of their pass;")
    if store.attributes.get("splits_leak"):
        odd.append(f"{len(store.attributes['splits_leak'])} pairs of one pass are split;")
    unlabelled = [i for i in store.scenes if store.scene(i).attributes["valid_share"] == 0]
    if unlabelled:
        odd.append(f"{len(unlabelled)} scenes have no labels: {', '.join(unlabelled[:3])};")
    return odd
