"""Results of one grid point, read from the folders of its runs: test scores, validation curves, identity terms."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from facskit.evaluation.bootstrap import DifferenceInterval
from facskit.evaluation.cross_validation import CrossValidationResult, defined_mean
from facskit.evaluation.metrics import macro_mean
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from facskit.experiments.scoring import PREDICTIONS
from facskit.experiments.sweep.grid import GridPoint
from facskit.experiments.sweep.parallel_runs import PlannedRun
from facskit.training.metrics_file import read_metrics
from facskit.training.run_directory import RunDirectory

__all__ = ["BestEpoch", "PointResult", "read_point"]


@dataclass(frozen=True)
class BestEpoch:
    """Where the validation F1, averaged over the runs, is highest."""

    epoch: int
    """The epoch, from 1."""
    f1: float
    """Its F1, as a fraction."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PointResult:
    """The finished runs of one grid point."""

    point: GridPoint
    """The combination of values."""
    runs: tuple[PlannedRun, ...]
    """Its finished runs."""
    planned: int
    """How many there should be."""
    predictions: Predictions | None
    """Test predictions of the finished runs; None if there are none."""
    epochs: tuple[list[dict[str, Any]], ...]
    """For each finished run, what was logged after each epoch."""

    @property
    def complete(self) -> bool:
        """Whether every run is finished."""
        return len(self.runs) == self.planned

    @cached_property
    def run_f1(self) -> dict[tuple[int, int], float]:
        """Macro F1 of each run by (fold, seed)."""
        if self.predictions is None:
            return {}
        return {run: self.predictions.run(*run).scores().macro("f1").value for run in self.predictions.runs}

    def per_au(self, metric: str) -> Float[np.ndarray, "aus"]:
        """Return a metric per AU: mean over folds, then seeds; over whatever runs there are if some are missing."""
        assert self.predictions is not None
        if self.complete:
            return CrossValidationResult(self.predictions).mean(metric)
        scores = [self.predictions.run(*run).scores().per_au(metric) for run in self.predictions.runs]
        return defined_mean(np.stack(scores), axis=0)

    def mean(self, metric: str) -> float:
        """Return the macro mean of a metric; NaN if no run is finished."""
        return float("nan") if self.predictions is None else macro_mean(self.per_au(metric)).value

    @cached_property
    def by_seed(self) -> dict[int, float]:
        """Macro F1 of each seed: the mean of its folds."""
        folds: dict[int, list[float]] = {}
        for (_, seed), f1 in self.run_f1.items():
            folds.setdefault(seed, []).append(f1)
        return {seed: float(np.mean(folds[seed])) for seed in sorted(folds)}

    @property
    def spread(self) -> float:
        """Standard deviation (n - 1) of the macro F1 between seeds, or between folds if there is one seed; or NaN."""
        values = list(self.by_seed.values()) if len(self.by_seed) > 1 else list(self.run_f1.values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")

    def last(self, name: str) -> float:
        """Return the mean over the runs of what their last epoch logged; NaN where nothing was."""
        values = [float(epochs[-1][name]) for epochs in self.epochs if epochs and name in epochs[-1]]
        return float(np.mean(values)) if values else float("nan")

    def curves(self, name: str) -> Float[np.ndarray, "runs epochs"]:
        """Return what each run logged after each epoch; NaN where nothing was."""
        length = max((int(epochs[-1]["epoch"]) for epochs in self.epochs if epochs), default=0)
        values = np.full((len(self.epochs), length), np.nan)
        for run, epochs in enumerate(self.epochs):
            for record in epochs:
                values[run, int(record["epoch"]) - 1] = float(record.get(name, np.nan))
        return values

    @cached_property
    def best_epoch(self) -> BestEpoch | None:
        """The epoch with the highest validation F1, the first of equals; None if none was logged."""
        curve = defined_mean(self.curves("validation_f1"), axis=0)
        if np.isnan(curve).all():
            return None
        epoch = int(np.nanargmax(curve))
        return BestEpoch(epoch + 1, float(curve[epoch]))

    def to_dict(self, difference: DifferenceInterval | None) -> dict[str, Any]:
        """Return every number: fractions, NaN or None where undefined.

        Args:
            difference: Its F1 minus that of the first point.
        """
        best, f1 = self.best_epoch, list(self.run_f1.values())
        units = () if self.predictions is None else self.predictions.action_units.codes
        return {
            "values": dict(self.point.values),
            "folder": self.point.folder,
            "runs_finished": len(self.runs),
            "runs_planned": self.planned,
            "f1": self.mean("f1"),
            "f1_standard_deviation": self.spread,
            "f1_min": min(f1, default=None),
            "f1_max": max(f1, default=None),
            "roc_auc": self.mean("roc_auc"),
            "difference_to_first": None if difference is None else asdict(difference),
            "identity_loss": self.last("identity"),
            "identity_loss_of_a_constant": self.last("identity_constant"),
            "identity_accuracy_of_the_head": self.last("identity_accuracy"),
            "validation_f1_last_epoch": self.last("validation_f1"),
            "validation_f1_best_epoch": None if best is None else best.f1,
            "best_epoch": None if best is None else best.epoch,
            "f1_per_au": dict(zip(units, self.per_au("f1").tolist() if units else (), strict=True)),
            "runs": [{"fold": fold, "seed": seed, "f1": value} for (fold, seed), value in self.run_f1.items()],
        }


def read_point(point: GridPoint, planned: Sequence[PlannedRun]) -> PointResult:
    """Read the finished runs of a grid point."""
    runs = tuple(run for run in planned if run.finished)
    parts = [Predictions.load(run.folder / PREDICTIONS) for run in runs]
    logs = [read_metrics(RunDirectory(run.folder).metrics) for run in runs]
    return PointResult(
        point=point,
        runs=runs,
        planned=len(planned),
        predictions=concat(parts) if parts else None,
        epochs=tuple([record for record in log if record["kind"] == "epoch"] for log in logs),
    )
