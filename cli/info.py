"""`seaice info`: what a store holds, on one screen."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import say, say_json
from .options import AsJson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seaice_data.store.store import Store, StoredScene


def info(
    store: Annotated[str, typer.Argument(help="Store to look into")],
    plot: Annotated[
        Path | None, typer.Option(help="Folder to draw class distribution and scenes in")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace pictures that seaice did not write")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a store holds.

    Scenes by split, month and service, channels, class distribution, recipe; with --plot
    also two pictures: the classes (Figure 5 of the paper) and the scenes on one sheet.

    Example: seaice info store.zarr
    """
    from seaice_data.store.store import Store

    opened = Store.open(store)
    summary = _summary(opened)
    if plot:
        summary["pictures"] = _draw(opened, plot, overwrite=overwrite)
    if as_json:
        say_json(summary)
    else:
        _show(opened, summary)


def _show(store: "Store", summary: dict[str, Any]) -> None:
    """Print a summary for a person."""
    n_bytes = summary["disk_use_bytes"]
    shapes = filter(None, (summary["smallest_shape"], summary["largest_shape"]))
    sizes = " to ".join(f"{y} x {x}" for y, x in shapes)
    rows = {
        "store": f"{summary['store']} ({summary['software']})",
        "scenes": str(summary["scenes"]),
        "splits": _listed(summary["splits"]),
        "services": _listed(summary["services"]),
        "months": _listed(summary["months"]),
        "sizes": f"{sizes} pixels" if sizes else "",
        "labelled": f"{summary['labelled_percent']:.0f} % of the pixels",
        "disk use": "not known for object stores"
        if n_bytes is None
        else f"{n_bytes / 1e9:.2f} GB",
        **_ranges_by_group(store, summary["channel_ranges"]),
        **{
            chart: "  ".join(f"{name}: {share:.1f} %" for name, share in shares.items())
            for chart, shares in summary["class_percent"].items()
        },
        "recipe": _listed(summary["recipe"]),
        "odd": "; ".join(summary["odd"]) or "nothing",
        "pictures": " ".join(summary.get("pictures", ())),
    }
    for name, text in rows.items():
        if text:
            say(f"{name:<10} {text}")


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _ranges_by_group(store: "Store", ranges: dict[str, Any]) -> dict[str, str]:
    """Return each channel with its range in training, by group."""
    from seaice_data.channels import find_channel

    groups: dict[str, list[str]] = {}
    for name in store.channels:
        text = name
        if name in ranges:
            low, high, unit = ranges[name].values()
            text += f" {low:.4g}..{high:.4g}" + (f" {unit}" if unit != "1" else "")
        groups.setdefault(str(find_channel(name).group), []).append(text)
    return {group: "; ".join(texts) for group, texts in groups.items()}


def _draw(store: "Store", folder: Path, *, overwrite: bool) -> list[str]:
    """Draw what the store holds and return the files."""
    from seaice_model.ownership import PICTURE, refuse_foreign
    from seaice_model.plots.maps import save_picture
    from seaice_model.plots.store import draw_class_distribution, draw_contact_sheet

    for name in ("scenes.png", "classes.png"):
        refuse_foreign(folder / name, PICTURE, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"scenes.png": draw_contact_sheet(store)}
    if counts := store.full_class_counts:
        pictures["classes.png"] = draw_class_distribution(counts)
    for name, figure in pictures.items():
        save_picture(figure, folder / name)
    return [str(folder / name) for name in pictures]


def _summary(store: "Store") -> dict[str, Any]:
    """Gather what is worth knowing, for machines."""
    from seaice_data.charts import CHARTS

    scenes, failures = store.open_scenes()
    counts = store.class_counts or {}
    months = Counter(scene.acquired.month for scene in scenes)
    shapes = [scene.grid.shape for scene in scenes]
    valid = [scene.valid_share for scene in scenes]
    return {
        "store": store.path,
        "software": store.attributes["software"],
        "scenes": len(store.scenes),
        "splits": {name: len(ids) for name, ids in store.splits.items()},
        "services": dict(Counter(scene.service for scene in scenes)),
        "months": {str(month): months[month] for month in sorted(months)},
        "smallest_shape": min(shapes, default=None),
        "largest_shape": max(shapes, default=None),
        "labelled_percent": 100 * sum(valid) / max(len(valid), 1),
        "disk_use_bytes": _disk_use_bytes(store),
        "channels": list(store.channels),
        "channel_ranges": _ranges(store),
        "class_percent": {
            chart.name: {
                name: 100 * count / max(sum(counts[chart.name][:-1]), 1)
                for name, count in zip(chart.class_names, counts[chart.name], strict=False)
            }
            for chart in CHARTS
            if chart.name in counts
        },
        "recipe": {k: v for k, v in store.attributes["recipe"].items() if k != "channels"},
        "odd": [
            *(failure.reason for failure in failures),
            *(f"{name!r} is {what}" for name, what in store.strangers.items()),
            *_oddities(store, scenes),
        ],
    }


def _disk_use_bytes(store: "Store") -> int | None:
    """Return the size of a store, if it is on a local disk."""
    if not store.storage.is_local:
        return None
    return sum(p.stat().st_size for p in store.storage.local().rglob("*") if p.is_file())


def _ranges(store: "Store") -> dict[str, dict[str, Any]]:
    """Return the range in training of each channel that has values, in its unit."""
    from seaice_data.channels import find_channel

    if not (stats := store.stats):
        return {}
    ranges = {}
    for position, name in enumerate(store.channels):
        channel, ends = find_channel(name), {}
        for end, values in (("lowest", stats["lowest"]), ("highest", stats["highest"])):
            value = values[position]
            ends[end] = None if value is None else value * channel.std + channel.mean
        if None not in ends.values():
            ranges[name] = ends | {"unit": channel.unit}
    return ranges


def _oddities(store: "Store", scenes: "Sequence[StoredScene]") -> list[str]:
    """Say what a person should look at before using the store."""
    odd = []
    splits = store.splits
    split = {scene for ids in splits.values() for scene in ids}
    left = {scene.id for scene in scenes} - split
    if absent := sorted(split - {*store.scenes}):
        odd.append(f"{len(absent)} scenes of the splits are not in the store: {absent[0]}")
    if store.scenes and not any(splits.values()):
        odd.append("it has no splits yet: run `seaice prepare` again to finish it")
    elif left:
        odd.append(f"{len(left)} scenes are in no split: a test scene is of their pass")
    if pairs := store.splits_leak:
        odd.append(f"{len(pairs)} pairs of one pass are split")
    without: dict[str, list[str]] = {}
    for scene in scenes:
        if scene.valid_share == 0:
            without.setdefault("labels", []).append(scene.id)
        for name, n_values in zip(store.channels, scene.stats.count, strict=True):
            if n_values == 0:
                without.setdefault(name, []).append(scene.id)
    odd += [
        f"{len(ids)} scenes have no {name}: {', '.join(ids[:3])}"
        for name, ids in without.items()
    ]
    return odd
