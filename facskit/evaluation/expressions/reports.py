"""Result tables of expression recognition: one `ExpressionReport` as Markdown, JSON, terminal table and figure.

Beside the scores of each expression stands what it is most often taken for; under the table how sure the accuracy is,
what always giving the commonest answer would score, and how the number was made.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.expressions.figure import draw_confusion
from facskit.evaluation.expressions.metrics import (
    AccuracyInterval,
    ExpressionScores,
    accuracy_interval,
    score_expressions,
)
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.evaluation.expressions.published import PublishedAccuracy, published_accuracies, published_caveats
from facskit.evaluation.reports import json_number
from facskit.files import write_text

__all__ = ["ExpressionReport", "build_expression_report", "write_expression_report"]

_HEADER = ("Expression", "Images", "Recall %", "Precision %", "F1 %", "Most often taken for")
_MISSING = "–"


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpressionReport:
    """A result table with its title, its protocol and its footnotes."""

    title: str
    """What was scored."""
    predictions: ExpressionPredictions
    """What was predicted."""
    by_seed: dict[int, ExpressionScores]
    """Scores of each seed over all its folds."""
    by_fold: dict[int, ExpressionScores]
    """Scores of each fold over all its seeds."""
    interval: AccuracyInterval | None
    """Confidence interval of the accuracy, if there is one."""
    published: list[PublishedAccuracy] = field(default_factory=list)
    """Accuracies from papers, best first."""
    notes: list[str] = field(default_factory=list)
    """Sentences under the table, after the headline and the protocol."""

    @property
    def scores(self) -> ExpressionScores:
        """The scores of all rows together, those of several seeds counted like different images."""
        total: np.ndarray = np.sum([scores.confusion for scores in self.by_seed.values()], axis=0)
        errors = [scores.calibration_error for scores in self.by_seed.values()]
        return ExpressionScores(total, float(np.mean(errors)))

    @property
    def headline(self) -> str:
        """The accuracy with everything that says how sure it is and what it is worth."""
        scores, commonest = self.scores, self.scores.commonest
        if not scores.total:
            return "Accuracy is not defined: no image has a known expression."
        parts = [f"Accuracy {_percent(scores.accuracy)} %"]
        if self.interval:
            low, high = _percent(self.interval.low), _percent(self.interval.high)
            parts.append(f"{self.interval.level:.0%} interval {low} to {high} ({self.interval.method})")
        for what, groups in (("folds", self.by_fold), ("seeds", self.by_seed)):
            if len(groups) > 1:
                spread = float(np.std([each.accuracy for each in groups.values()], ddof=1))
                parts.append(f"standard deviation between {len(groups)} {what} {_percent(spread)}")
        parts.append(f"mean class accuracy {_percent(scores.mean_class_accuracy)} %")
        parts.append(f"macro F1 {_percent(scores.macro_f1)} %")
        parts.append(f"expected calibration error {_percent(scores.calibration_error)} %")
        name = self.predictions.expressions.names[int(scores.support.argmax())]
        parts.append(
            f"always answering {name}, the commonest here, gives accuracy {_percent(commonest.accuracy)} %, "
            f"mean class accuracy {_percent(commonest.mean_class_accuracy)} %, macro F1 "
            f"{_percent(commonest.macro_f1)} %"
        )
        return "; ".join(parts) + "."

    def _rows(self) -> list[list[str]]:
        scores, names = self.scores, self.predictions.expressions.names
        rows = []
        for row, name in enumerate(names):
            others = scores.confusion[row].copy()
            others[row] = 0
            taken = int(others.argmax())
            share = f"{names[taken]} ({100 * others[taken] / scores.support[row]:.0f} %)" if others[taken] else _MISSING
            numbers = [_percent(values[row]) for values in (scores.recall, scores.precision, scores.f1)]
            rows.append([name, f"{scores.support[row]:,}", *numbers, share])
        means = (scores.recall, scores.precision, scores.f1)
        total = [_percent(float(np.nanmean(values))) if not np.isnan(values).all() else _MISSING for values in means]
        return [*rows, ["Mean", f"{scores.total:,} in all", *total, ""]]

    def _footnotes(self) -> list[str]:
        return [self.headline, self.predictions.stamp, *self.notes]

    def _published_line(self) -> str:
        entries = ", ".join(f"{entry.method} {100 * entry.accuracy:.2f} %" for entry in self.published)
        return f"Published accuracy on {self.published[0].dataset}: {entries}."

    def to_markdown(self) -> str:
        """Return the report as Markdown, its table aligned for reading as plain text too."""
        *rows, mean = self._rows()
        parts = [_markdown_table(_HEADER, [*rows, [f"**{cell}**" if cell else cell for cell in mean]])]
        parts.append("\n".join(f"- {note}" for note in self._footnotes()))
        parts.append("Most probable expression (column) by true expression (row), in images:")
        names = self.predictions.expressions.names
        cells = [[name, *map(str, row)] for name, row in zip(names, self.scores.confusion.tolist(), strict=True)]
        parts.append(_markdown_table(("", *names), cells))
        parts.append("![The same as shares of each row](confusion.png)")
        if self.published:
            entries = [
                [entry.method, entry.venue or _MISSING, f"{100 * entry.accuracy:.2f}", entry.source]
                for entry in self.published
            ]
            parts.append(f"Published accuracy on {self.published[0].dataset}, under other protocols (see above):")
            parts.append(_markdown_table(("Method", "Venue", "Accuracy %", "Source"), entries))
        return f"# {self.title}\n\n" + "\n\n".join(parts) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return every number as plain values: fractions, None where undefined."""
        scores, names = self.scores, self.predictions.expressions.names

        def by_name(values: np.ndarray) -> dict[str, float | None]:
            return {name: json_number(value) for name, value in zip(names, values.tolist(), strict=True)}

        return {
            "title": self.title,
            "protocol": {
                "epoch": self.predictions.epoch,
                "folds": self.predictions.held_out,
                "stamp": self.predictions.stamp,
            },
            "expressions": list(names),
            **_summary(scores),
            "accuracy_interval": vars(self.interval) if self.interval else None,
            "commonest_answer": _summary(scores.commonest),
            "support": dict(zip(names, scores.support.tolist(), strict=True)),
            "recall": by_name(scores.recall),
            "precision": by_name(scores.precision),
            "f1": by_name(scores.f1),
            "confusion": scores.confusion.tolist(),
            "seeds": {str(seed): _summary(each) for seed, each in self.by_seed.items()},
            "folds": {str(fold): _summary(each) for fold, each in self.by_fold.items()},
            "published_accuracy": [vars(entry) for entry in self.published],
            "notes": self.notes,
            "model": dict(self.predictions.model),
        }

    def to_json(self) -> str:
        """Return `to_dict` as indented JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def to_table(self) -> Table:
        """Return the table for the terminal, its footnotes as the caption."""
        caption = [*self._footnotes(), *([self._published_line()] if self.published else [])]
        table = Table(title=self.title, caption="\n".join(caption), caption_justify="left")
        for place, title in enumerate(_HEADER):
            justify = "left" if place in {0, len(_HEADER) - 1} else "right"
            table.add_column(title, justify=justify, style="bold" if title == "Recall %" else None)  # type: ignore[arg-type]
        for row in self._rows()[:-1]:
            table.add_row(*row)
        table.add_section()
        table.add_row(*self._rows()[-1], style="bold")
        return table


def build_expression_report(
    predictions: ExpressionPredictions,
    *,
    title: str,
    dataset: str | None = None,
    bootstrap: BootstrapConfig = BootstrapConfig(),  # noqa: B008  (frozen)
) -> ExpressionReport:
    """Score predictions into a report.

    Args:
        predictions: One run or a whole cross-validation.
        title: What was scored, for the heading.
        dataset: Data set whose published accuracies are shown beside: `raf-db` or `affectnet-8`.
        bootstrap: Level of the confidence interval, and how people are drawn for it.

    Raises:
        DatasetError: There are no predictions, or no paper's numbers are known for the data set.
    """
    if not len(predictions):
        raise DatasetError("there are no predictions to score; expected at least one image")
    notes = [
        "Recall: the share of an expression's images that were recognised; its mean is the mean class accuracy. The "
        "commonest answer is that of these images, so it is the best constant one."
    ]
    unknown = int((predictions.labels < 0).sum())
    if unknown:
        notes.append(f"{unknown:,} of {len(predictions):,} predictions are of images without a known expression.")
    seeds = set(predictions.seeds.tolist())
    if len(seeds) > 1:
        notes.append(f"Every image was predicted with each of {len(seeds)} seeds; the numbers of images add them up.")
    published = published_accuracies(dataset) if dataset else []
    return ExpressionReport(
        title=title,
        predictions=predictions,
        by_seed=_by(predictions, predictions.seeds),
        by_fold=_by(predictions, predictions.folds),
        interval=accuracy_interval(predictions, bootstrap),
        published=published,
        notes=[*notes, *(published_caveats(dataset) if dataset else ())],
    )


def write_expression_report(report: ExpressionReport, folder: Path) -> tuple[Path, Path, Path]:
    """Write `results.md`, `results.json` and `confusion.png` into a folder, each atomically; return their paths."""
    paths = folder / "results.md", folder / "results.json", folder / "confusion.png"
    draw_confusion(report.scores.confusion, report.predictions.expressions, report.title, paths[2])
    for path, text in zip(paths[:2], (report.to_markdown(), report.to_json()), strict=True):
        write_text(path, text)
    return paths


def _by(predictions: ExpressionPredictions, groups: np.ndarray) -> dict[int, ExpressionScores]:
    return {group: score_expressions(predictions.select(groups == group)) for group in sorted(set(groups.tolist()))}


def _summary(scores: ExpressionScores) -> dict[str, float | None]:
    names = ("accuracy", "mean_class_accuracy", "macro_f1", "calibration_error")
    return {name: json_number(getattr(scores, name)) for name in names}


def _markdown_table(header: tuple[str, ...], rows: list[list[str]]) -> str:
    widths = [max(len(row[place]) for row in [list(header), *rows]) for place in range(len(header))]

    def line(cells: list[str]) -> str:
        return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"

    return "\n".join([line(list(header)), line(["-" * width for width in widths]), *map(line, rows)])


def _percent(fraction: float) -> str:
    return _MISSING if math.isnan(fraction) else f"{100 * fraction:.1f}"
