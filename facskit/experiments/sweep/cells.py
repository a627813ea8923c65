"""How the numbers of a sweep are written: as cells of a table, and as plain values for JSON and CSV."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from facskit.evaluation.bootstrap import DifferenceInterval
from facskit.experiments.sweep.grid import show_value
from facskit.experiments.sweep.results import PointResult
from facskit.tables import MISSING, number_cell, percent_cell

__all__ = [
    "f1_cell",
    "identity_cell",
    "plain_point",
    "short_keys",
    "validation_cell",
    "values_cell",
]


def short_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """Return the last part of each key, or the whole key where last parts coincide."""
    last = [key.rpartition(".")[2] for key in keys]
    return tuple(key if last.count(name) > 1 else name for key, name in zip(keys, last, strict=True))


def values_cell(one: PointResult) -> str:
    """Return the values of a grid point without their keys."""
    return ", ".join(show_value(value) for _, value in one.point.values) or one.point.name


def f1_cell(one: PointResult) -> str:
    """Return the mean macro F1 with its standard deviation."""
    spread = "" if math.isnan(one.spread) else f" ± {percent_cell(one.spread)}"
    return f"{percent_cell(one.mean('f1'))}{spread}"


def identity_cell(one: PointResult) -> str:
    """Return the identity loss of the last epoch, and that of a constant predictor."""
    loss, constant = one.last("identity"), one.last("identity_constant")
    return MISSING if math.isnan(loss) else f"{number_cell(loss, 3)} ({number_cell(constant, 3)})"


def validation_cell(one: PointResult) -> str:
    """Return the validation F1 of the last epoch, and of the best one with its number."""
    best = one.best_epoch
    last = percent_cell(one.last("validation_f1"))
    return MISSING if best is None else f"{last} ({percent_cell(best.f1)} @ {best.epoch})"


def plain_point(one: PointResult, difference: DifferenceInterval | None) -> dict[str, Any]:
    """Return the numbers of a grid point: fractions, NaN or None where undefined."""
    best = one.best_epoch
    f1 = list(one.run_f1.values())
    units = () if one.predictions is None else one.predictions.action_units.codes
    return {
        "values": dict(one.point.values),
        "folder": one.point.folder,
        "runs_finished": len(one.runs),
        "runs_planned": one.planned,
        "f1": one.mean("f1"),
        "f1_standard_deviation": one.spread,
        "f1_min": min(f1, default=None),
        "f1_max": max(f1, default=None),
        "roc_auc": one.mean("roc_auc"),
        "difference_to_first": None if difference is None else asdict(difference),
        "identity_loss": one.last("identity"),
        "identity_loss_of_a_constant": one.last("identity_constant"),
        "identity_accuracy_of_the_head": one.last("identity_accuracy"),
        "validation_f1_last_epoch": one.last("validation_f1"),
        "validation_f1_best_epoch": None if best is None else best.f1,
        "best_epoch": None if best is None else best.epoch,
        "f1_per_au": dict(zip(units, one.per_au("f1").tolist() if units else (), strict=True)),
        "runs": [{"fold": fold, "seed": seed, "f1": value} for (fold, seed), value in one.run_f1.items()],
    }
