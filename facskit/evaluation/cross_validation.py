"""Scores of a cross-validation: folds x seeds, with their spread.

The headline is the field's standard: each score per action unit (AU) and fold, then the mean over the folds, then over
the AUs. Scores of all folds' predictions pooled differ from it (they mix folds with different models and base rates)
and are kept as an extra.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from facskit.action_units import ActionUnitSet
from facskit.errors import DatasetError
from facskit.evaluation.baselines import Baselines, baselines
from facskit.evaluation.confusion_counts import divide
from facskit.evaluation.metrics import AUScores, MacroMean, macro_mean
from facskit.evaluation.predictions import Predictions

__all__ = ["CrossValidationResult", "Spread", "defined_mean"]


def defined_mean(values: Float[np.ndarray, "..."], axis: int | tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """Return the mean of the entries that are not NaN; NaN where there is none."""
    defined = ~np.isnan(values)
    return divide(np.asarray(np.where(defined, values, 0.0).sum(axis=axis)), np.asarray(defined.sum(axis=axis)))


def _deviation(values: Float[np.ndarray, "runs"]) -> float:
    """Return the sample standard deviation (n - 1); NaN with fewer than two defined values."""
    defined = values[~np.isnan(values)]
    return float(defined.std(ddof=1)) if defined.size > 1 else float("nan")


@dataclass(frozen=True)
class Spread:
    """A macro mean and how much it varies."""

    mean: MacroMean
    """Mean over folds, seeds and AUs."""
    over_folds: float
    """Standard deviation between folds of the macro mean (each the mean of its seeds); NaN for one fold."""
    over_seeds: float
    """Standard deviation between seeds of the macro mean (each the mean of its folds); NaN for one seed."""


@dataclass(frozen=True, eq=False)
class CrossValidationResult:
    """Every run's scores, and the means a paper would print."""

    predictions: Predictions
    """All runs' test predictions."""

    def __post_init__(self) -> None:
        """Refuse an empty result and a grid of folds and seeds with holes."""
        runs = self.predictions.runs
        if not runs:
            raise DatasetError("a cross-validation result needs predictions, got none")
        for fold, seed in itertools.product(self.folds, self.seeds):
            if (fold, seed) not in runs:
                raise DatasetError(f"fold {fold} of seed {seed} is missing; expected every fold for every seed")

    @property
    def action_units(self) -> ActionUnitSet:
        """What the AU axis of every array means."""
        return self.predictions.action_units

    @cached_property
    def folds(self) -> list[int]:
        """Fold numbers, ascending."""
        return sorted({fold for fold, _ in self.predictions.runs})

    @cached_property
    def seeds(self) -> list[int]:
        """Seeds, ascending."""
        return sorted({seed for _, seed in self.predictions.runs})

    @cached_property
    def scores(self) -> dict[tuple[int, int], AUScores]:
        """Scores of each run by (fold, seed)."""
        return {(fold, seed): self.predictions.run(fold, seed).scores() for fold, seed in self.predictions.runs}

    def values(self, metric: str) -> Float[np.ndarray, "folds seeds aus"]:
        """Return one metric of every run and AU."""
        by_run = [self.scores[run].per_au(metric) for run in itertools.product(self.folds, self.seeds)]
        return np.stack(by_run).reshape(len(self.folds), len(self.seeds), -1)

    def mean(self, metric: str) -> Float[np.ndarray, "aus"]:
        """Return a metric per AU: the mean over folds, then over seeds, of the runs where it is defined."""
        return defined_mean(defined_mean(self.values(metric), axis=0), axis=0)

    def macro(self, metric: str) -> Spread:
        """Return a metric's mean over folds, seeds and AUs with its standard deviations."""
        values = self.values(metric)
        by_fold = defined_mean(defined_mean(values, axis=1), axis=1)
        by_seed = defined_mean(defined_mean(values, axis=0), axis=1)
        return Spread(macro_mean(self.mean(metric)), _deviation(by_fold), _deviation(by_seed))

    @cached_property
    def pooled(self) -> AUScores:
        """Scores of all folds' predictions taken together; with several seeds, of all of them at once."""
        return self.predictions.scores()

    @cached_property
    def num_present(self) -> Float[np.ndarray, "aus"]:
        """Present labels per AU in the test parts of all folds, each image counted once."""
        first = self.seeds[0]
        present: Float[np.ndarray, "aus"] = np.sum(
            [self.scores[fold, first].num_present for fold in self.folds], axis=0, dtype=float
        )
        return present

    @cached_property
    def base_rate(self) -> Float[np.ndarray, "aus"]:
        """Share of present labels per AU in the test parts of all folds."""
        return self._rate(self.folds)

    @cached_property
    def baselines(self) -> Baselines:
        """F1 that needs no model: per fold, then the mean, like the model's own F1.

        The training base rate of a fold is that of the other folds' test parts. With one fold the test rate stands in.
        """
        first = self.seeds[0]
        per_fold = []
        for fold in self.folds:
            rates = self.scores[fold, first].base_rate
            per_fold.append(baselines(self.action_units, rates, self.training_rate(fold)))
        means = {}
        for name in ("all_positive", "prior", "majority"):
            by_fold = np.stack([getattr(one, name) for one in per_fold])
            means[name] = defined_mean(by_fold, axis=0)
        return Baselines(action_units=self.action_units, from_training=per_fold[0].from_training, **means)

    def training_rate(self, fold: int) -> Float[np.ndarray, "aus"] | None:
        """Return the share of present labels per AU in the other folds' test parts, on which a fold's model is trained.

        Returns:
            The rates; None where there is no other fold.
        """
        others = [other for other in self.folds if other != fold]
        return self._rate(others) if others else None

    def _rate(self, folds: list[int]) -> Float[np.ndarray, "aus"]:
        """Return the share of present labels per AU in the test parts of some folds, each image counted once."""
        chosen = [self.scores[fold, self.seeds[0]] for fold in folds]
        present = np.sum([scores.num_present for scores in chosen], axis=0, dtype=float)
        known = np.sum([scores.num_known for scores in chosen], axis=0, dtype=float)
        return divide(present, known)
