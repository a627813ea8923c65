"""Result tables of expression recognition: one `ExpressionReport` as Markdown, JSON, terminal table and figure.

Beside the scores of each expression stands what it is most often taken for; under the table how sure the accuracy is,
what always giving the commonest answer would score, and how the number was made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
from facskit.evaluation.metrics import macro_mean
from facskit.evaluation.published import PublishedAccuracy, published_accuracies, published_caveats
from facskit.tables import MISSING, TextTable, percent_cell, write_results

__all__ = ["ExpressionReport", "build_expression_report"]


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
    def model(self) -> Mapping[str, Any]:
        """What the predictions say of the model that made them."""
        return self.predictions.model

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
        parts = [f"Accuracy {percent_cell(scores.accuracy)} %"]
        if self.interval:
            low, high = percent_cell(self.interval.low), percent_cell(self.interval.high)
            parts.append(f"{self.interval.level:.0%} interval {low} to {high} ({self.interval.method})")
        for what, groups in (("folds", self.by_fold), ("seeds", self.by_seed)):
            if len(groups) > 1:
                spread = float(np.std([each.accuracy for each in groups.values()], ddof=1))
                parts.append(f"standard deviation between {len(groups)} {what} {percent_cell(spread)}")
        parts.append(f"mean class accuracy {percent_cell(scores.mean_class_accuracy)} %")
        parts.append(f"macro F1 {percent_cell(scores.macro_f1)} %")
        parts.append(f"expected calibration error {percent_cell(scores.calibration_error)} %")
        name = self.predictions.expressions.names[int(scores.support.argmax())]
        parts.append(
            f"always answering {name}, the commonest here, gives accuracy {percent_cell(commonest.accuracy)} %, "
            f"mean class accuracy {percent_cell(commonest.mean_class_accuracy)} %, macro F1 "
            f"{percent_cell(commonest.macro_f1)} %"
        )
        return "; ".join(parts) + "."

    def to_table(self) -> TextTable:
        """Return a row for each expression and one of means, with everything that says how the numbers were made."""
        scores, names = self.scores, self.predictions.expressions.names
        numbers = (scores.recall, scores.precision, scores.f1)
        rows = []
        for place, name in enumerate(names):
            others = scores.confusion[place].copy()
            others[place] = 0
            taken, share = int(others.argmax()), MISSING
            if others[taken]:
                share = f"{names[taken]} ({100 * others[taken] / scores.support[place]:.0f} %)"
            rows.append((name, f"{scores.support[place]:,}", *(percent_cell(each[place]) for each in numbers), share))
        means = (scores.mean_class_accuracy, macro_mean(scores.precision).value, scores.macro_f1)
        rows.append(("Mean", f"{scores.total:,} in all", *map(percent_cell, means), ""))
        return TextTable(
            title=self.title,
            header=("Expression", "Images", "Recall %", "Precision %", "F1 %", "Most often taken for"),
            rows=tuple(rows),
            more_text={5},
            strong_rows={len(names)},
            ruled_rows={len(names)},
            notes=(self.headline, self.predictions.stamp, *self.notes),
        )

    def to_markdown(self) -> str:
        """Return the report as Markdown, with the confusions and the published accuracies."""
        names = self.predictions.expressions.names
        rows = []
        for name, counts in zip(names, self.scores.confusion.tolist(), strict=True):
            rows.append((name, *map(str, counts)))
        confusions = TextTable(title="", header=("", *names), rows=tuple(rows))
        parts = [
            self.to_table().to_markdown("#"),
            "Most probable expression (column) by true expression (row), in images:\n",
            confusions.to_grid() + "\n",
            "![The same as shares of each row](confusion.png)\n",
        ]
        if self.published:
            rows = []
            for entry in self.published:
                rows.append((entry.method, entry.venue or MISSING, percent_cell(entry.accuracy, 2), entry.source))
            header = ("Method", "Venue", "Accuracy %", "Source")
            table = TextTable(title="", header=header, rows=tuple(rows), num_text=2, more_text={3})
            parts.append(f"Published accuracy on {self.published[0].dataset}, under other protocols (see above):\n")
            parts.append(table.to_grid() + "\n")
        return "\n".join(parts)

    def to_terminal(self) -> Table:
        """Return the table for the terminal, with published accuracies as its last note."""
        table = replace(self.to_table(), strong_columns={2})
        if self.published:
            entries = ", ".join(f"{entry.method} {percent_cell(entry.accuracy, 2)} %" for entry in self.published)
            line = f"Published accuracy on {self.published[0].dataset}: {entries}."
            table = replace(table, notes=(*table.notes, line))
        return table.to_terminal()

    def to_dict(self) -> dict[str, Any]:
        """Return every number: fractions, NaN where undefined."""
        scores, names = self.scores, self.predictions.expressions.names
        by_expression = {}
        for kind in ("support", "recall", "precision", "f1"):
            by_expression[kind] = dict(zip(names, getattr(scores, kind).tolist(), strict=True))
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
            **by_expression,
            "confusion": scores.confusion.tolist(),
            "seeds": {str(seed): _summary(each) for seed, each in self.by_seed.items()},
            "folds": {str(fold): _summary(each) for fold, each in self.by_fold.items()},
            "published_accuracy": [vars(entry) for entry in self.published],
            "notes": self.notes,
            "model": dict(self.model),
        }

    def write(self, folder: Path) -> None:
        """Write `results.md`, `results.json` and `confusion.png` into a folder."""
        draw_confusion(self.scores.confusion, self.predictions.expressions, self.title, folder / "confusion.png")
        write_results(folder, self.to_markdown(), self.to_dict())


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


def _by(predictions: ExpressionPredictions, groups: np.ndarray) -> dict[int, ExpressionScores]:
    return {group: score_expressions(predictions.select(groups == group)) for group in sorted(set(groups.tolist()))}


def _summary(scores: ExpressionScores) -> dict[str, float]:
    names = ("accuracy", "mean_class_accuracy", "macro_f1", "calibration_error")
    return {name: getattr(scores, name) for name in names}
