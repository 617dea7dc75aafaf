"""Compare the statistics of synthetic scenes with those of the AI4Arctic dataset.

    PYTHONPATH=.:tests .venv/bin/python -m support.synthetic_statistics --scenes 600

prints means and deviations of the variables, and the classes of charts by month and ice
service, as a table in Markdown, beside the published ones: those of 513 scenes of the
ready-to-train training set (``tests/data/published_statistics.json``, from `misc/` of the
challenge's starter pack). It takes two minutes on one core.

Classes are counted at the nodes of the surface, 640 m apart, without making the planes, so
many scenes are quick. Variables are measured on the first `--fields` scenes of the set, SAR
in every 8th pixel of 40 m, land included.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.channels import CHANNELS
from seaice_data.charts import CHARTS
from seaice_data.egg_codes import PolygonTable
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan, plan_scenes
from seaice_data.synthetic.surface import make_surface

PUBLISHED = Path(__file__).parents[1] / "data" / "published_statistics.json"

GROUPS = ("all", "cis", "dmi", *(f"month {month}" for month in range(1, 13)))


def class_shares(plans: Iterable[ScenePlan]) -> dict[str, dict[str, FloatArray]]:
    """Return the share of each class in the valid pixels in percent, by group and chart."""
    counts = {group: np.zeros((len(CHARTS), 256)) for group in GROUPS}
    for plan in plans:
        surface = make_surface(plan)
        classes = PolygonTable.parse(surface.rows).classes()
        labels = surface.chart.labels[surface.extent > 0]
        found = np.stack(
            [np.bincount(classes[labels, i], minlength=256) for i in range(len(CHARTS))]
        )
        for group in ("all", plan.service, f"month {plan.acquired.month}"):
            counts[group] += found
    return {
        group: {
            chart.name: 100
            * rows[: chart.n_classes]
            / max(rows[: chart.n_classes].sum(), 1)
            for chart, rows in zip(CHARTS, planes, strict=True)
        }
        for group, planes in counts.items()
    }


def means_and_deviations(plans: Iterable[ScenePlan]) -> dict[str, tuple[float, float]]:
    """Return mean and deviation of each variable over all pixels, land included."""
    sums: dict[str, FloatArray] = {}

    def add(name: str, values: FloatArray) -> None:
        known = values[np.isfinite(values)].astype(np.float64)
        moments = np.array([known.size, known.sum(), np.square(known).sum()])
        sums[name] = sums.get(name, np.zeros(3)) + moments

    for plan in plans:
        scene = Observation(plan)
        for band in scene.bands():
            add("nersc_sar_primary", band.hh[::8, ::8])
            add("nersc_sar_secondary", band.hv[::8, ::8])
            add("distance_map", band.zone[::8, ::8])
        add("sar_incidenceangle", scene.ties.incidence)
        for name, field in scene.cells().items():
            add(name, field)
    return {
        name: (total / n, float(np.sqrt(max(squares / n - (total / n) ** 2, 0))))
        for name, (n, total, squares) in sums.items()
    }


def published_shares() -> dict[str, dict[str, FloatArray]]:
    """Return what `class_shares` returns, of the dataset."""
    document = json.loads(PUBLISHED.read_text())
    return {
        group: {name: np.array(shares) for name, shares in charts.items()}
        for group, charts in document["class_percent"].items()
    }


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--scenes", type=int, default=600, help="scenes for the classes")
    parser.add_argument("--fields", type=int, default=72, help="scenes for the variables")
    parser.add_argument("--size", type=int, default=1000, help="nominal pixels of a side")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    plans = plan_scenes(options.scenes, options.size, options.seed)
    lines = [
        "| variable | mean | published | deviation | published |",
        "|:--|--:|--:|--:|--:|",
    ]
    standard = {c.variable: (c.mean, c.std) for c in CHANNELS if c.variable}
    for name, (mean, std) in means_and_deviations(plans[: options.fields]).items():
        theirs = standard[name]
        lines.append(
            f"| {name} | {mean:.2f} | {theirs[0]:.2f} | {std:.2f} | {theirs[1]:.2f} |"
        )
    lines += [
        "",
        "| scenes | chart | percent of its valid pixels, class 0 first | published |",
    ]
    lines.append("|:--|:--|:--|:--|")
    ours, theirs_by_group = class_shares(plans), published_shares()
    for group in GROUPS:
        for chart in CHARTS:
            shares, expected = (
                " ".join(f"{share:.1f}" for share in table[group][chart.name])
                for table in (ours, theirs_by_group)
            )
            lines.append(f"| {group} | {chart.name} | {shares} | {expected} |")
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
