"""The figure of a study: scores of every run, and which differences are real."""

from typing import TYPE_CHECKING

from seaice_data.texts import printable
from seaice_model.study.summary import CandidateResult, StudyTable
from seaice_model.style import drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _FAINT = "#333333", "#aaaaaa"
_COLOURS = {"validation": "#009e73", "test": "#0072b2"}
_OFFSETS = {"validation": -0.14, "test": 0.14}


@drawing()
def plot_study(table: StudyTable) -> "Figure":
    """Plot combined scores of runs, and differences to the baseline with intervals.

    Hollow diamonds are the scores of the paper, if the test scenes are its own, and its
    differences. A filled marker is a difference that is real when all differences of the
    study are tested together.
    """
    candidates = [candidate for candidate in table.candidates if candidate.n_runs]
    # Summaries may come from users: neither formulas nor unprintable characters.
    names = [printable(f"{one.name}: {one.short_summary}") for one in candidates]
    # Legends and numbers need 7 inches next to the names.
    width = max(11, 7 + 0.085 * max(map(len, names), default=0))
    figure = new_figure(width, 1.9 + 0.42 * len(candidates))
    scores, effects = figure.subplots(1, 2, sharey=True)
    for place, candidate in enumerate(candidates):
        for split in _COLOURS:
            _plot_scores(scores, place, candidate, split)
            _plot_effect(effects, place, candidate, split)
    scores.set(xlabel="combined score (%)", ylim=(len(candidates) - 0.5, -0.5))
    scores.set_yticks(range(len(candidates)), names, parse_math=False)
    effects.axvline(0, color=_INK, linewidth=0.8, zorder=0)
    effects.set(xlabel=f"difference to {table.baseline} (percentage points)")
    for axes in (scores, effects):
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    _add_legend(scores, effects, has_paper_scores=table.has_paper_scenes)
    figure.suptitle(
        "\n".join([table.title, *table.notes]), fontsize=9, x=0.01, ha="left", wrap=True
    )
    return figure


def _plot_scores(axes: "Axes", place: int, candidate: CandidateResult, split: str) -> None:
    result, y = candidate.splits[split], place + _OFFSETS[split]
    values = result.values("combined")
    axes.plot(values, [y] * len(values), "o", color=_COLOURS[split], ms=3, alpha=0.5)
    if (mean := result.mean("combined")) is not None:
        axes.plot([mean], [y], "|", color=_COLOURS[split], ms=12, mew=2)
    if result.paper is not None:
        _plot_paper(axes, result.paper.combined, y)


def _plot_effect(axes: "Axes", place: int, candidate: CandidateResult, split: str) -> None:
    result, y = candidate.splits[split], place + _OFFSETS[split]
    effect = None if result.effects is None else result.effects.get("combined")
    if effect is not None:
        if effect.low is not None and effect.high is not None:
            axes.plot([effect.low, effect.high], [y, y], color=_COLOURS[split], lw=1.6)
        face = _COLOURS[split] if effect.is_real else "white"
        axes.plot([effect.mean], [y], "o", color=_COLOURS[split], mfc=face, ms=6)
    if "combined" in result.paper_effects:
        _plot_paper(axes, result.paper_effects["combined"], y)


def _plot_paper(axes: "Axes", value: float, y: float) -> None:
    axes.plot([value], [y], "D", color=_FAINT, mfc="none", ms=5, zorder=1)


def _add_legend(scores: "Axes", effects: "Axes", *, has_paper_scores: bool) -> None:
    for split, colour in _COLOURS.items():
        scores.plot([], [], "o", color=colour, ms=4, label=f"{split}: run")
        scores.plot([], [], "|", color=colour, ms=10, mew=2, label=f"{split}: mean")
        effects.plot([], [], "-o", color=colour, ms=6, label=f"{split}, real")
    effects.plot([], [], "-o", color=_INK, mfc="white", ms=6, label="may be chance")
    for axes, n_columns in ((scores, 4), (effects, 2)):
        if axes is effects or has_paper_scores:
            axes.plot([], [], "D", color=_FAINT, mfc="none", ms=5, label="paper")
        axes.legend(
            frameon=False,
            fontsize=8,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=n_columns,
        )
