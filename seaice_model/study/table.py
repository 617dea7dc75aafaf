"""The table of a study, like Table 4 of Chen et al. (2024), in all its forms.

Scores are counted on the 80 m grid, pixels pooled over scenes, in percent; standard
deviations are over the runs, as in the paper.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.settings import to_mapping
from seaice_data.system.files import claimed, replacing
from seaice_data.system.ownership import refuse_foreign
from seaice_data.texts import printable, without_secrets
from seaice_model.errors import PlotError
from seaice_model.scores.report_text import aligned, decimal
from seaice_model.study.comparisons import TRUTH_SCORES, TRUTH_SPLITS, Effects
from seaice_model.study.plan import StudyPlan
from seaice_model.study.plot import plot_study
from seaice_model.study.records import SPLITS
from seaice_model.study.statistics import LEAST_RUNS, SCORES
from seaice_model.study.summary import SplitResult, StudyTable, summarise
from seaice_model.style import save_plot

log = logging.getLogger(__name__)

TABLES = tuple(f"table.{end}" for end in ("md", "tex", "csv", "json", "png"))
"""Files in the folder of a study that are rewritten when runs are finished."""

TABLE_LOCK = ".table.lock"
"""Locked while they are written; if it exists, seaice wrote the tables."""

_LATEX = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}

MARK = "*"
"""Mark after a difference that is real."""

_SHOWN_EFFECTS = (*(("test", score) for score in SCORES), ("validation", SCORES[0]))
"""Splits and scores whose differences are columns of the table."""

_EFFECT_HEAD = ("test", *SCORES[1:], "validation")
"""Headings of these columns; those of a split are its combined score."""


def refuse_foreign_tables(out: Path, *, overwrite: bool = False) -> None:
    """Refuse to replace tables in a folder that is not the folder of a study.

    Raises
    ------
    ForeignFileError
        If there is such a file, and `overwrite` is false.
    """
    # A study makes the lock before its first table. A copy of the folder may lack hidden
    # files, but it contains records of runs.
    if (out / TABLE_LOCK).exists() or any(out.glob("runs/*/seed-*.json")):
        return
    for name in TABLES:
        refuse_foreign(out / name, (), overwrite=overwrite)


def update_tables(plan: StudyPlan) -> StudyTable:
    """Summarise the finished runs of a study, and write the table in all its forms.

    When several processes finish runs, the last one writes the complete table.

    Raises
    ------
    StudyError
        If the record of a run is damaged, or runs were scored on different scenes.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    with claimed(plan.out / TABLE_LOCK, wait=True):
        table = summarise(plan)
        forms = (
            as_markdown(table),
            as_latex(table),
            as_csv(table),
            json.dumps(as_mapping(table), indent=2) + "\n",
        )
        *names, figure = TABLES
        for name, text in zip(names, forms, strict=True):
            with replacing(plan.out / name) as new:
                new.write_text(text, encoding="utf-8")
        if table.n_finished:
            try:
                save_plot(plot_study(table), plan.out / figure)
            except PlotError as error:
                log.warning("%s is not written: %s", figure, error)
    return table


def as_text(table: StudyTable) -> str:
    """Return the table in columns of equal width, for a terminal."""
    parts = [table.title, *table.notes]
    for title, cells in _tables(table):
        parts += [*([title] if title else []), "", *aligned(cells, n_words=2), ""]
    return "\n".join(parts[:-1])


def as_markdown(table: StudyTable) -> str:
    """Return the table in Markdown."""
    parts = [f"{table.title}.", *table.notes]
    for title, cells in _tables(table):
        parts += [*([f"{title}."] if title else []), "", *_pipes(cells), ""]
    return "\n".join(parts[:-1]).replace(f" {MARK}", f" \\{MARK}") + "\n"


def as_latex(table: StudyTable) -> str:
    """Return the table in LaTeX, with the rules of the package booktabs."""
    caption = " ".join([f"{table.title}.", *table.notes])
    lines = ["% needs \\usepackage{booktabs}"]
    for title, cells in _tables(table):
        lines += [*_latex_float(f"{title}." if title else caption, cells), ""]
    return "\n".join(lines[:-1]) + "\n"


def as_csv(table: StudyTable) -> str:
    """Return the table as comma-separated values."""
    text: str = table.to_frame().to_csv(index=False, lineterminator="\n")
    return text


def as_mapping(table: StudyTable) -> dict[str, Any]:
    """Return everything that is known, ready for JSON."""
    return {
        "software": f"seaice {version('seaice')}",
        "title": table.title,
        "notes": table.notes,
        "quick": table.is_quick,
        "profile": table.profile,
        "runs_wanted": table.n_seeds,
        "reference": table.baseline,
        "left_out": table.left_out,
        "truth": _shown(table.truth),
        "rows": [
            {
                "name": candidate.name,
                "summary": candidate.candidate.summary,
                "runs_of": candidate.candidate.trained,
                "settings": to_mapping(candidate.candidate.settings),
                "store": _shown(candidate.store),
                "twins": _shown(candidate.twins),
                "splits": {
                    split: {
                        "scenes": result.n_scenes,
                        "runs_percent": {
                            str(seed): {k: _or_none(v) for k, v in scores.items()}
                            for seed, scores in result.runs.items()
                        },
                        "effects": _effects_mapping(result.effects or {}),
                        "paper_percent": result.paper and asdict(result.paper),
                        "paper_effects": result.paper_effects,
                    }
                    for split, result in candidate.splits.items()
                },
            }
            for candidate in table.candidates
        ],
        "comparisons": [
            {
                "row": comparison.pair[0],
                "reference": comparison.pair[1],
                "effects": {
                    split: _effects_mapping(of) for split, of in comparison.effects.items()
                },
            }
            for comparison in table.comparisons
        ],
    }


def _shown(path: str | None) -> str | None:
    return None if path is None else printable(without_secrets(path))


def _effects_mapping(effects: Effects) -> dict[str, dict[str, Any]]:
    return {score: asdict(effect) for score, effect in effects.items()}


_Cells = Sequence[Sequence[str]]
"""Cells, line by line; the first line contains the headings."""


def _tables(table: StudyTable) -> list[tuple[str, _Cells]]:
    """Return the titles and cells of all tables; the first has the title of the study."""
    found = [
        ("", _score_cells(table)),
        (_effects_title(table), _effect_cells(table)),
        ("Further comparisons, with intervals and marks as above", _asked_cells(table)),
        (_truth_title(table), _truth_cells(table)),
    ]
    return [(title, cells) for title, cells in found if len(cells) > 1 or not title]


def _score_cells(table: StudyTable) -> list[list[str]]:
    """Return the cells of the scores: ours, the paper's, the difference."""
    head = ["row", "change", "runs"]
    for split in SPLITS:
        head += [split, *SCORES[1:]]
    cells = [head]
    for candidate in table.candidates:
        results = [candidate.splits[split] for split in SPLITS]
        runs = str(candidate.n_runs)
        if candidate.n_runs < table.n_seeds:
            runs += f" of {table.n_seeds}"
        cells.append([candidate.name, candidate.short_summary, runs])
        cells[-1] += [cell for result in results for cell in _our_cells(result)]
        if any(result.paper for result in results):
            paper, difference = ["", "paper", "20"], ["", "ours - paper", ""]
            for result in results:
                paper += _paper_cells(result)
                difference += [decimal(result.minus_paper(score), "+") for score in SCORES]
            cells += [paper, difference]
    return cells


def _our_cells(result: SplitResult) -> list[str]:
    combined = decimal(result.mean("combined"))
    if (std := result.std("combined")) is not None:
        combined += f" ({std:.1f})"
    return [combined, *(decimal(result.mean(score)) for score in SCORES[1:])]


def _paper_cells(result: SplitResult) -> list[str]:
    if result.paper is None:
        return ["-"] * len(SCORES)
    combined = f"{result.paper.combined:.1f} ({result.paper.std:.1f})"
    return [combined, *(decimal(result.paper_score(score)) for score in SCORES[1:])]


def _effects_title(table: StudyTable) -> str:
    title = f"Differences to {table.baseline} in percentage points, pairs of equal seeds"
    if not table.n_tested:
        return f"{title}; intervals need {LEAST_RUNS} runs and 2 scenes"
    return (
        f"{title}, with 95 % intervals over runs and scenes. Each interval is for one "
        f"difference alone; {MARK} marks differences that are real when all "
        f"{table.n_tested} are tested together (Holm, 5 %)"
    )


def _truth_title(table: StudyTable) -> str:
    return (
        "Scores in % against the hidden truth of test scenes, and differences to "
        f"{table.baseline} in percentage points, with intervals as above; {MARK} marks "
        f"those that are real when all {table.n_tested_truth} are tested together. Mixed: "
        "ice to which the chart gives no class, chart by chart (SIC: no class of SOD)"
    )


def _effect_cells(table: StudyTable) -> list[list[str]]:
    """Return the cells of the differences to the baseline: ours, and the paper's."""
    cells = [["row", "change", *_EFFECT_HEAD]]
    for candidate in table.candidates:
        if candidate.name == table.baseline or not candidate.n_runs:
            continue
        splits = candidate.splits
        effects = {split: result.effects or {} for split, result in splits.items()}
        cells.append([candidate.name, candidate.short_summary, *_row_effects(effects)])
        if splits["test"].paper_effects:
            paper = [splits[split].paper_effects[score] for split, score in _SHOWN_EFFECTS]
            cells.append(["", "paper", *(f"{value:+.1f}" for value in paper)])
    return cells


def _asked_cells(table: StudyTable) -> list[list[str]]:
    """Return the cells of the comparisons that were asked for."""
    cells = [["row", "minus", *_EFFECT_HEAD]]
    for comparison in table.comparisons:
        if comparison.effects:
            cells.append([*comparison.pair, *_row_effects(comparison.effects)])
    return cells


def _truth_cells(table: StudyTable) -> list[list[str]]:
    """Return the cells of scores against the hidden truth, and of their differences."""
    scores = SCORES[1:]
    cells = [["row", "pixels", *scores, *(f"{score}, difference" for score in scores)]]
    for candidate in table.candidates:
        for split, part in TRUTH_SPLITS.items():
            if (result := candidate.splits.get(split)) is not None and result.runs:
                ours = [_truth_cell(split, s, decimal(result.mean(s))) for s in scores]
                cells.append([candidate.name, part, *ours])
                cells[-1] += _truth_effects(split, result.effects or {})
    for comparison in table.comparisons:
        for split, part in TRUTH_SPLITS.items():
            if effects := comparison.effects.get(split):
                name = " - ".join(comparison.pair)
                cells.append([name, part, *[""] * len(scores)])
                cells[-1] += _truth_effects(split, effects)
    return cells


def _truth_effects(split: str, effects: Effects) -> list[str]:
    return [_truth_cell(split, score, _effect_cell(effects, score)) for score in SCORES[1:]]


def _truth_cell(split: str, score: str, text: str) -> str:
    return text if (split, score) in TRUTH_SCORES else "-"


def _row_effects(effects: Mapping[str, Effects]) -> list[str]:
    return [_effect_cell(effects.get(split, {}), score) for split, score in _SHOWN_EFFECTS]


def _effect_cell(effects: Effects, score: str) -> str:
    if (effect := effects.get(score)) is None:
        return "-"
    if effect.low is None or effect.high is None:
        return f"{effect.mean:+.1f}"
    text = f"{effect.mean:+.1f} [{effect.low:+.1f}, {effect.high:+.1f}]"
    return f"{text} {MARK}" if effect.is_real else text


def _pipes(cells: _Cells) -> list[str]:
    """Return cells as a table in Markdown."""
    head, *rows = (
        f"| {' | '.join(printable(cell).replace('|', chr(92) + '|') for cell in row)} |"
        for row in cells
    )
    rule = "|".join([":--"] * 2 + ["--:"] * (len(cells[0]) - 2))
    return [head, f"|{rule}|", *rows]


def _latex_float(caption: str, cells: _Cells) -> list[str]:
    """Return cells as a table in LaTeX with a caption."""
    head, *rows = (f"{' & '.join(map(_escaped, row))} \\\\" for row in cells)
    columns = "ll" + "r" * (len(cells[0]) - 2)
    return [
        r"\begin{table*}",
        f"\\caption{{{_escaped(caption)}}}",
        f"\\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]


def _escaped(text: str) -> str:
    r"""Escape text so that LaTeX shows it as it is.

    Examples
    --------
    >>> print(_escaped("95 %: a_b -1.0"))
    95 \%: a\_b $-$1.0
    """
    text = "".join(_LATEX.get(sign, sign) for sign in printable(text))
    words = [f"$-${word[1:]}" if _is_negative(word) else word for word in text.split(" ")]
    return " ".join(words).replace("[-", "[$-$")


def _is_negative(word: str) -> bool:
    return word[:1] == "-" and word[1:2].isdigit()


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
