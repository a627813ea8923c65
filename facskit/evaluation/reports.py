"""Result tables: one `Report` that prints as Markdown, as JSON and in the terminal, with the same numbers.

A report never shows an F1 alone. Beside it stand what needs no model (the F1 of always saying "present", the F1 of
guessing at the training rate), how often the action unit (AU) occurs, and under the table how the number was made.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from rich.table import Table

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, Interval, bootstrap_macro_f1
from facskit.evaluation.cross_validation import CrossValidationResult, defined_mean
from facskit.evaluation.metrics import METRICS, macro_mean
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.published import published_f1
from facskit.evaluation.thresholds import sweep_thresholds
from facskit.tables import TextTable, number_cell, percent_cell, write_results

__all__ = ["Column", "Report", "build_report"]


@dataclass(frozen=True, eq=False)
class Column:
    """One column of numbers: an entry per AU and their mean."""

    title: str
    """Heading with its unit."""
    values: Float[np.ndarray, "aus"]
    """Entry per AU; NaN where there is none."""
    mean: float
    """Entry of the last row; NaN where a mean has no meaning."""
    decimals: int = 1
    """Decimals shown."""
    strong: bool = False
    """Whether this is what the table is about."""

    def cells(self) -> list[str]:
        """Return the entries as text, the mean last."""
        return [number_cell(number, self.decimals) for number in [*self.values.tolist(), self.mean]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """A result table with its title, its protocol and its footnotes."""

    title: str
    """What was scored."""
    result: CrossValidationResult
    """The scores."""
    interval: Interval | None
    """Confidence interval of the macro F1 over subjects, if there is one."""
    published: list[Column] = field(default_factory=list)
    """F1 from papers."""
    notes: list[str] = field(default_factory=list)
    """Sentences under the table, after the headline and the protocol."""

    @property
    def model(self) -> Mapping[str, Any]:
        """What the predictions say of the model that made them."""
        return self.result.predictions.model

    @property
    def columns(self) -> list[Column]:
        """The columns of numbers, left to right."""
        result, baselines = self.result, self.result.baselines
        optimistic = " (optimistic)" if result.predictions.protocol.optimistic else ""
        support = Column("Support", result.num_present, float(result.num_present.sum()), decimals=0)
        return [
            support,
            _percent_column("Base rate %", result.base_rate),
            _percent_column(f"F1 %{optimistic}", result.mean("f1"), strong=True),
            _percent_column("ROC-AUC %", result.mean("roc_auc")),
            _percent_column("AP %", result.mean("average_precision")),
            *self._intensity_columns(),
            _percent_column("All-present F1 %", baselines.all_positive),
            _percent_column("Guess F1 %", baselines.prior),
            *self.published,
        ]

    def _intensity_columns(self) -> list[Column]:
        """Return how good intensities are, where levels are known and the network says them."""
        columns = []
        for title, metric in (("ICC", "icc"), ("Level off by", "intensity_error")):
            values = self.result.mean(metric)
            if not np.isnan(values).all():
                columns.append(Column(title, values, macro_mean(values).value, decimals=2))
        return columns

    @property
    def headline(self) -> str:
        """The macro F1 with everything that says how sure it is."""
        spread = self.result.macro("f1")
        if math.isnan(spread.mean.value):
            return "Macro F1 is not defined: no AU is present or predicted."
        parts = [f"Macro F1 {percent_cell(spread.mean.value)} %"]
        if self.interval:
            low, high = percent_cell(self.interval.low), percent_cell(self.interval.high)
            subjects = f"bootstrap over {self.interval.num_subjects} subjects"
            parts.append(f"{self.interval.level:.0%} interval {low} to {high} ({subjects})")
        num_folds, num_seeds = len(self.result.folds), len(self.result.seeds)
        if num_folds > 1:
            parts.append(f"standard deviation between {num_folds} folds {percent_cell(spread.over_folds)}")
        if num_seeds > 1:
            parts.append(f"standard deviation between {num_seeds} seeds {percent_cell(spread.over_seeds)}")
        if num_folds > 1:
            parts.append(f"{percent_cell(self.result.pooled.macro('f1').value)} % on all folds pooled")
        if spread.mean.num_aus < spread.mean.total_aus:
            parts.append(f"over the {spread.mean.num_aus} of {spread.mean.total_aus} AUs where F1 is defined")
        return "; ".join(parts) + "."

    def to_table(self) -> TextTable:
        """Return a row for each AU and one of means, with everything that says how the numbers were made."""
        columns, units = self.columns, self.result.action_units
        rows = []
        for place, unit in enumerate(units):
            rows.append((unit.code, unit.name, *(column.cells()[place] for column in columns)))
        support, *means = (column.cells()[-1] for column in columns)
        return TextTable(
            title=self.title,
            header=("AU", "Name", *(column.title for column in columns)),
            rows=(*rows, ("Mean", "", f"{support} in all", *means)),
            num_text=2,
            strong_rows={len(units)},
            strong_columns={2 + place for place, column in enumerate(columns) if column.strong},
            ruled_rows={len(units)},
            notes=(self.headline, self.result.predictions.protocol.stamp, *self.notes),
        )

    def to_markdown(self) -> str:
        """Return the report as Markdown."""
        return self.to_table().to_markdown("#")

    def to_terminal(self) -> Table:
        """Return the table for the terminal."""
        table = self.to_table().to_terminal()
        for column in table.columns[:2]:  # a name that is cut short is better than one on three lines
            column.no_wrap = True
        return table

    def to_dict(self) -> dict[str, Any]:
        """Return every number: fractions, NaN where undefined."""
        result = self.result
        units = result.action_units.codes
        macro = {}
        for metric in METRICS:
            spread = result.macro(metric)
            macro[metric] = {
                "mean": spread.mean.value,
                "num_aus": spread.mean.num_aus,
                "standard_deviation_over_folds": spread.over_folds,
                "standard_deviation_over_seeds": spread.over_seeds,
            }
        return {
            "title": self.title,
            "protocol": {**asdict(result.predictions.protocol), "stamp": result.predictions.protocol.stamp},
            "folds": result.folds,
            "seeds": result.seeds,
            "macro": macro,
            "macro_f1_interval": asdict(self.interval) if self.interval else None,
            "macro_f1_pooled": result.pooled.macro("f1").value,
            "per_au": {metric: _by_au(units, result.mean(metric)) for metric in METRICS},
            "support": _by_au(units, result.num_present),
            "baselines_f1": {
                name: _by_au(units, getattr(result.baselines, name)) for name in ("all_positive", "prior", "majority")
            },
            "runs": [
                {
                    "fold": fold,
                    "seed": seed,
                    "macro_f1": scores.macro("f1").value,
                    "f1": _by_au(units, scores.f1),
                }
                for (fold, seed), scores in result.scores.items()
            ],
            "published_f1": {column.title: _by_au(units, column.values / 100) for column in self.published},
            "notes": self.notes,
            "model": dict(self.model),
        }

    def write(self, folder: Path) -> None:
        """Write `results.md` and `results.json` into a folder."""
        write_results(folder, self.to_markdown(), self.to_dict())


def _percent_column(title: str, fractions: Float[np.ndarray, "aus"], *, strong: bool = False) -> Column:
    return Column(title, 100 * fractions, 100 * macro_mean(fractions).value, strong=strong)


def _by_au(codes: tuple[str, ...], values: Float[np.ndarray, "aus"]) -> dict[str, float]:
    return dict(zip(codes, values.tolist(), strict=True))


def build_report(
    predictions: Predictions,
    *,
    title: str,
    dataset: str | None = None,
    bootstrap: BootstrapConfig | None = BootstrapConfig(),  # noqa: B008  (frozen)
) -> Report:
    """Score predictions into a report.

    Args:
        predictions: One run or a whole cross-validation.
        dataset: Data set whose published F1 are shown beside: "BP4D", "BP4D+" or "DISFA"; without it none are.

    Raises:
        DatasetError: There are no predictions, a seed lacks a fold, or no paper's numbers are known for the data set.
    """
    result = CrossValidationResult(predictions)
    interval: Interval | None = None
    notes: list[str] = []
    if bootstrap is not None:
        try:
            interval = bootstrap_macro_f1(predictions, bootstrap)
        except DatasetError as error:
            notes.append(f"No confidence interval: {error}.")
    rate = "training" if result.baselines.from_training else "test"
    notes += [
        'All-present F1: always saying "present". An F1 that is not above it shows no skill.',
        f'Guess F1: saying "present" at random, as often as in the {rate} labels. AP: average precision, whose chance '
        "level is the base rate; that of ROC-AUC is 50 %.",
    ]
    columns, units = [], predictions.action_units
    for entry in published_f1(dataset) if dataset else []:
        columns.append(Column(f"{entry.method} F1 %", 100 * entry.per_au(units), 100 * entry.mean_for(units)))
        notes.append(f"{entry.method} F1: from {entry.source}, under {entry.warning}.")
    if columns and not predictions.protocol.optimistic:
        notes.append(_paper_style(predictions))
    return Report(title=title, result=result, interval=interval, published=columns, notes=notes)


def _paper_style(predictions: Predictions) -> str:
    """Return a sentence with the macro F1 that FMAE-IAT's way of choosing the threshold would print."""
    undefined, by_run = predictions.protocol.undefined_f1_value, []
    for fold, seed in predictions.runs:
        run = predictions.run(fold, seed)
        by_run.append(sweep_thresholds(run.labels, run.probabilities, undefined_f1=undefined).f1_at_shared)
    macro = percent_cell(macro_mean(defined_mean(np.stack(by_run), axis=0)).value)
    return f"Optimistic, for comparison only: macro F1 {macro} % with the best threshold on each test fold."
