"""Sections about what one network said: scores, confusion, co-occurrence and calibration, from predictions alone."""

from dataclasses import asdict

import numpy as np
from jaxtyping import Float

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, Interval, bootstrap_f1_per_au
from facskit.evaluation.confusion_counts import count
from facskit.evaluation.cooccurrence import cooccurrence, cooccurrence_of_labels
from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.reliability import reliability_of
from facskit.experiments.report.charts import Bar, bars, confusion, heat_map, reliability
from facskit.experiments.report.contents import Figure, Section
from facskit.tables import TextTable, number_cell, percent_cell

__all__ = ["calibration_section", "confusion_section", "cooccurrence_section", "scores_section"]

_PERCENT_COLUMNS = {
    "base_rate": "Base rate",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "specificity": "Specificity",
    "roc_auc": "ROC-AUC",
    "average_precision": "AP",
    "balanced_accuracy": "Balanced acc.",
    "mcc": "MCC",
    "calibration_error": "ECE",
}
_MOST_PAIRS = 8


def scores_section(result: CrossValidationResult, bootstrap: BootstrapConfig) -> Section:
    """Say how well each AU is recognised."""
    units, baselines = result.action_units, result.baselines
    intervals: list[Interval] | None
    try:
        intervals = bootstrap_f1_per_au(result.predictions, bootstrap)
    except DatasetError:
        intervals = None
    f1, roc_auc = result.mean("f1"), result.mean("roc_auc")
    rows = []
    for place, unit in enumerate(units):
        interval = intervals[place] if intervals else None
        rows.append(
            Bar(
                label=unit.code,
                name=unit.name,
                value=float(f1[place]),
                low=interval.low if interval else float("nan"),
                high=interval.high if interval else float("nan"),
                mark=float(baselines.all_positive[place]),
                dot=float(roc_auc[place]),
            )
        )
    caption = (
        'Bar: F1; line: its 95 % interval over test subjects; tick: F1 of always saying "present", which takes no '
        "skill; dot: ROC-AUC, 50 % for guessing."
    )
    numbers = {
        "per_au": {metric: dict(zip(units.codes, result.mean(metric), strict=True)) for metric in _PERCENT_COLUMNS},
        "f1_interval": {unit.code: asdict(each) for unit, each in zip(units, intervals or [], strict=False)},
        "micro_f1": _micro_f1(result),
    }
    return Section(
        key="units",
        title="Action units",
        tables=(_score_table(result),),
        figures=(Figure(title="F1 of each action unit", markup=bars(rows), caption=caption),),
        numbers=numbers,
    )


def _micro_f1(result: CrossValidationResult) -> float:
    predictions = result.predictions
    return float(count(predictions.labels, predictions.decisions).micro_f1())


def _score_table(result: CrossValidationResult) -> TextTable:
    columns: list[Float[np.ndarray, "aus"]] = [result.mean(name) for name in _PERCENT_COLUMNS]
    ratio, brier = result.mean("predicted_ratio"), result.mean("brier")
    rows = []
    for place, unit in enumerate(result.action_units):
        cells = [percent_cell(float(column[place])) for column in columns]
        more = (number_cell(float(ratio[place]), 2), number_cell(float(brier[place]), 3))
        rows.append((unit.code, unit.name, number_cell(result.num_present[place], 0), *cells, *more))
    means = [percent_cell(result.macro(name).mean.value) for name in _PERCENT_COLUMNS]
    brier_mean = number_cell(result.macro("brier").mean.value, 3)
    support = number_cell(float(result.num_present.sum()), 0)
    rows.append(("Mean", "", support, *means, number_cell(result.macro("predicted_ratio").mean.value, 2), brier_mean))
    return TextTable(
        title="All scores, in percent",
        header=("AU", "Name", "Present", *_PERCENT_COLUMNS.values(), "Said / there", "Brier"),
        rows=tuple(rows),
        num_text=2,
        strong_rows={len(rows) - 1},
        ruled_rows={len(rows) - 1},
        strong_columns={4},
        notes=(
            f"Micro F1 (all decisions counted together): {percent_cell(_micro_f1(result))} %.",
            "Unknown labels enter nothing; a dash stands where the data can't define a score. MCC from -100 to 100.",
        ),
    )


def confusion_section(predictions: Predictions) -> Section:
    """Show decisions against labels."""
    counts = count(predictions.labels, predictions.decisions)
    figures, rows = [], []
    for place, unit in enumerate(predictions.action_units):
        four = [
            int(part[place])
            for part in (counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative)
        ]
        figures.append(Figure(title=unit.code, markup=confusion(four), caption=unit.name, small=True))
        rows.append((unit.code, unit.name, *(f"{number:,}" for number in four)))
    table = TextTable(
        title="Decisions against labels",
        header=("AU", "Name", "Hits", "False alarms", "Misses", "Rejections"),
        rows=tuple(rows),
        num_text=2,
    )
    seeds = len({seed for _, seed in predictions.runs})
    again = f" Every face counts {seeds} times, once for each seed." if seeds > 1 else ""
    return Section(
        key="confusion",
        title="Confusion",
        lead=f"All test faces together; the share of a row is the recall of “there”, and of “not there”.{again}",
        tables=(table,),
        figures=tuple(figures),
        numbers={row[0]: dict(zip(("tp", "fp", "fn", "tn"), row[2:], strict=True)) for row in rows},
    )


def cooccurrence_section(predictions: Predictions) -> Section:
    """Compare which AUs go together in labels and in decisions."""
    codes = predictions.action_units.codes
    known = predictions.labels >= 0
    truth, said = cooccurrence_of_labels(predictions.labels), cooccurrence(predictions.decisions, known)
    gap = said - truth
    pairs = [(abs(gap[row, column]), row, column) for row in range(len(codes)) for column in range(row)]
    pairs = sorted((pair for pair in pairs if not np.isnan(pair[0])), reverse=True)[:_MOST_PAIRS]
    rows = []
    for _, row, column in pairs:
        cells = (number_cell(float(matrix[row, column]), 2) for matrix in (truth, said, gap))
        rows.append((f"{codes[column]} and {codes[row]}", *cells))
    table = TextTable(
        title="Pairs that differ most",
        header=("Action units", "Labels", "Said", "Difference"),
        rows=tuple(rows),
        notes=("Phi: the correlation of “present”, -1 to 1. Above 0 in the difference: said together too often.",),
    )
    figures = (
        Figure(title="In the labels", markup=heat_map(truth, codes, limit=0.8, what="phi"), small=True),
        Figure(title="In what was said", markup=heat_map(said, codes, limit=0.8, what="phi"), small=True),
        Figure(title="Said minus labels", markup=heat_map(gap, codes, limit=0.4, what="difference"), small=True),
    )
    return Section(
        key="cooccurrence",
        title="Which action units go together",
        lead="Blue: more often together than chance; red: less often. Deeper colour, stronger.",
        tables=(table,),
        figures=figures,
        numbers={"labels": truth, "decisions": said},
    )


def calibration_section(predictions: Predictions) -> Section:
    """Show how literally probabilities can be taken."""
    points = reliability_of(predictions.labels, predictions.probabilities)
    scores = predictions.scores()
    figures = []
    for place, unit in enumerate(predictions.action_units):
        error = percent_cell(float(scores.calibration_error[place]))
        drawn = reliability(points.means[place], points.shares[place], points.counts[place])
        figures.append(Figure(title=unit.code, markup=drawn, caption=f"ECE {error} %", small=True))
    fitted = predictions.protocol.calibration
    state = {
        "none": "These are the network's own probabilities, not calibrated.",
        "validation": "Temperature and bias of each AU were fitted on validation subjects, none of whom is here.",
        "stored": "Temperature and bias of each AU came with the weight file.",
    }
    rows = []
    for place, unit in enumerate(predictions.action_units):
        brier = number_cell(float(scores.brier[place]), 4)
        rows.append((unit.code, unit.name, percent_cell(float(scores.calibration_error[place])), brier))
    return Section(
        key="calibration",
        title="Can probabilities be taken literally?",
        lead=f"Across: what was said; up: how often it was there. On the diagonal, 0.7 means 7 of 10. {state[fitted]}",
        tables=(TextTable(title="Calibration", header=("AU", "Name", "ECE %", "Brier"), rows=tuple(rows), num_text=2),),
        figures=tuple(figures),
        numbers={
            "calibration": fitted,
            "ece": dict(zip(predictions.action_units.codes, scores.calibration_error, strict=True)),
            "brier": dict(zip(predictions.action_units.codes, scores.brier, strict=True)),
            "reliability": {"means": points.means, "shares": points.shares, "counts": points.counts},
        },
    )
