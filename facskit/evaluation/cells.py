"""Cells of result tables: a number, a percentage, a difference with its interval."""

import math

from facskit.evaluation.bootstrap import DifferenceInterval
from facskit.tables import MISSING

__all__ = ["difference_cell", "number_cell", "percent_cell"]


def percent_cell(fraction: float) -> str:
    """Return a fraction in percent."""
    return number_cell(100 * fraction, 1)


def number_cell(value: float, decimals: int) -> str:
    """Return a number, or a dash for NaN."""
    return MISSING if math.isnan(value) else f"{value:.{decimals}f}"


def difference_cell(difference: DifferenceInterval | None) -> str:
    """Return a difference with its interval, in points."""
    if difference is None:
        return MISSING
    return " ".join(
        f"{100 * value:+.1f}".join(marks)
        for value, marks in (
            (difference.estimate, ("", "")),
            (difference.low, ("[", ",")),
            (difference.high, ("", "]")),
        )
    )
