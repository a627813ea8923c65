"""The figures that a sweep leaves beside its tables, as far as what was swept and logged gives them."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from facskit.experiments.sweep.figures import Histogram, draw_curves, draw_gamma
from facskit.experiments.sweep.grid import short_keys, show_value
from facskit.experiments.sweep.report import SweepReport
from facskit.experiments.sweep.results import PointResult
from facskit.objectives.intervention_spread import INTERVENTION_WEIGHTS

__all__ = ["CURVES", "GAMMA", "draw_sweep", "read_weights"]

CURVES, GAMMA = "curves.png", "gamma.png"
"""Names of the figures."""
_SWEPT_GAMMA = "objective.gamma"


def draw_sweep(report: SweepReport, folder: Path) -> list[Path]:
    """Draw validation F1 over epochs, and F1 over gamma with the weights if the gamma of CIU was swept.

    Args:
        folder: Where to; figures of an earlier call that can't be drawn any more are deleted.
    """
    drawn = []
    if any(one.best_epoch is not None for one in report.points):
        curves = {}
        for one in report.points:
            if one.runs:
                values = tuple(show_value(value) for _, value in one.point.values)
                curves[values or (one.point.name,)] = one.curves("validation_f1")
        draw_curves(curves, short_keys(report.keys), report.title, folder / CURVES)
        drawn.append(folder / CURVES)
    if _SWEPT_GAMMA in report.keys:
        for name, points in _by_other_values(report).items():
            drawn.append(folder / (f"gamma-{name}.png" if name else GAMMA))
            f1 = {gamma: list(one.run_f1.values()) for gamma, one in points.items() if one.runs}
            weights = {gamma: found for gamma, one in points.items() if (found := read_weights(one)) is not None}
            draw_gamma(f1, weights, f"{report.title} {name}".strip(), drawn[-1])
    for name in (CURVES, GAMMA):
        if folder / name not in drawn:
            (folder / name).unlink(missing_ok=True)
    return drawn


def read_weights(one: PointResult) -> Histogram | None:
    """Return the intervention weights of a grid point's runs together; None if no run wrote them."""
    paths = [run.folder / f"{INTERVENTION_WEIGHTS}.json" for run in one.runs]
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    if not found:
        return None
    counts = np.sum([np.array(weights["counts"], dtype=np.int64) for weights in found], axis=0)
    return counts, np.array(found[0]["edges"], dtype=np.float64)


def _by_other_values(report: SweepReport) -> Mapping[str, dict[float, PointResult]]:
    """Return the grid points by gamma, for each combination of the other values."""
    found: dict[str, dict[float, PointResult]] = {}
    for one in report.points:
        values = dict(one.point.values)
        gamma = float(values.pop(_SWEPT_GAMMA))
        keys = short_keys(tuple(values))
        name = ",".join(f"{key}={show_value(value)}" for key, value in zip(keys, values.values(), strict=True))
        found.setdefault(name, {})[gamma] = one
    return found
