"""The paired comparison: how much two models differ on the same faces, with intervals over subjects.

Both models are scored on the same draws of subjects, for F1 and for the area under the receiver operating
characteristic (ROC-AUC). Exact ROC-AUCs of thousands of draws are cheap, because each is a quadratic form: with w how
often each subject is drawn, AUC(w) = w' C w / (w' P) (w' N), where C counts, for each pair of subjects, the pairs of a
present label of the first and an absent one of the second whose probabilities are in the right order.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import LabelState
from facskit.evaluation.bootstrap import (
    BootstrapConfig,
    DifferenceInterval,
    check_same_labels,
    draw_subjects,
    resample_counts,
    subjects_by_fold,
)
from facskit.evaluation.confusion_counts import divide
from facskit.evaluation.cross_validation import defined_mean
from facskit.evaluation.predictions import Predictions

__all__ = ["PairedComparison", "compare_predictions", "resample_roc_auc"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedComparison:
    """The second model's scores minus the first one's."""

    action_units: ActionUnitSet
    """What the entries per AU mean."""
    f1: DifferenceInterval
    """Difference of macro F1."""
    roc_auc: DifferenceInterval | None
    """Difference of the mean ROC-AUC; None if it is defined nowhere."""
    f1_per_au: tuple[DifferenceInterval | None, ...]
    """Difference of F1 of each AU; None where it isn't defined."""
    f1_by_seed: dict[int, float]
    """Difference of macro F1 of each seed that both models have."""


def compare_predictions(
    first: Predictions, second: Predictions, config: BootstrapConfig | None = None
) -> PairedComparison:
    """Compare two models on the same faces.

    Scores are the headline's: per AU, mean over folds, then over seeds, then over AUs.

    Args:
        second: Predictions of the other model, on the same images in the same folds; seeds may differ.

    Raises:
        DatasetError: The two don't score the same labels, or a fold has fewer than two subjects.
    """
    config = config or BootstrapConfig()
    check_same_labels(first, second)
    before, after = resample_counts(first, config), resample_counts(second, config)
    f1_before = before.counts.f1(first.protocol.undefined_f1_value)
    f1_after = after.counts.f1(second.protocol.undefined_f1_value)
    num_subjects = before.num_subjects
    units = _over_runs(f1_after) - _over_runs(f1_before)
    macro = defined_mean(_over_runs(f1_after), axis=1) - defined_mean(_over_runs(f1_before), axis=1)
    area_before, area_after = resample_roc_auc(first, config), resample_roc_auc(second, config)
    areas = defined_mean(area_after, axis=1) - defined_mean(area_before, axis=1)
    seeds_before, seeds_after = _macro_of_seeds(first, f1_before), _macro_of_seeds(second, f1_after)
    undefined = DifferenceInterval(np.nan, np.nan, np.nan, config.level, num_subjects, np.nan)
    return PairedComparison(
        action_units=first.action_units,
        f1=_interval(macro, config, num_subjects) or undefined,
        roc_auc=_interval(areas, config, num_subjects),
        f1_per_au=tuple(_interval(column, config, num_subjects) for column in units.T),
        f1_by_seed={seed: seeds_after[seed] - f1 for seed, f1 in seeds_before.items() if seed in seeds_after},
    )


def _over_runs(f1: Float[np.ndarray, "seeds folds draws aus"]) -> Float[np.ndarray, "draws aus"]:
    """Return the mean over folds, then over seeds."""
    return defined_mean(defined_mean(f1, axis=1), axis=0)


def resample_roc_auc(predictions: Predictions, config: BootstrapConfig) -> Float[np.ndarray, "draws aus"]:
    """Return the ROC-AUC of each AU under every draw of subjects; the first draw is the data themselves.

    Args:
        predictions: One or more runs; every seed must have every fold.
        config: How to resample; the same subjects and config give the same draws.

    Returns:
        Mean over folds, then seeds; NaN where a draw has labels of one kind only.
    """
    folds = subjects_by_fold(predictions)
    draws = draw_subjects(folds, config)
    by_seed = []
    for seed in sorted({seed for _, seed in predictions.runs}):
        by_fold = [_run_roc_auc(predictions.run(fold, seed), names, draws[fold]) for fold, names in folds.items()]
        by_seed.append(defined_mean(np.array(by_fold), axis=0))
    return defined_mean(np.array(by_seed), axis=0)


def _run_roc_auc(
    run: Predictions, names: list[str], draws: Int[np.ndarray, "draws subjects"]
) -> Float[np.ndarray, "draws aus"]:
    who = np.searchsorted(np.array(names), run.subjects)
    weights = draws.astype(np.float64)
    columns = []
    for au in range(len(run.action_units)):
        known = run.labels[:, au] != LabelState.UNKNOWN
        present = run.labels[known, au] == LabelState.PRESENT
        pairs = _ordered_pairs(run.probabilities[known, au], present, who[known], len(names))
        positives = weights @ np.bincount(who[known][present], minlength=len(names))
        negatives = weights @ np.bincount(who[known][~present], minlength=len(names))
        ordered = np.einsum("ds,st,dt->d", weights, pairs, weights, optimize=True)
        columns.append(divide(ordered, positives * negatives))
    return np.stack(columns, axis=1)


def _ordered_pairs(
    probabilities: Float[np.ndarray, "samples"],
    present: Bool[np.ndarray, "samples"],
    who: Int[np.ndarray, "samples"],
    num_subjects: int,
) -> Float[np.ndarray, "subjects subjects"]:
    """Count pairs of a present label (row: its subject) that has a higher probability than an absent one (column).

    Equal probabilities count half.
    """
    order = np.argsort(probabilities)
    ranked, present, who = probabilities[order], present[order], who[order]
    absent = np.zeros((len(who) + 1, num_subjects))
    absent[np.arange(len(who)) + 1, who] = ~present
    below = absent.cumsum(axis=0)
    first = np.searchsorted(ranked, ranked[present], side="left")
    past = np.searchsorted(ranked, ranked[present], side="right")
    pairs = np.zeros((num_subjects, num_subjects))
    np.add.at(pairs, who[present], (below[first] + below[past]) / 2)
    return pairs


def _interval(
    differences: Float[np.ndarray, "draws"], config: BootstrapConfig, num_subjects: int
) -> DifferenceInterval | None:
    """Return the interval of a difference whose first entry is that of the data; None if that is undefined."""
    found = DifferenceInterval.of_draws(differences, config.level, num_subjects)
    return None if np.isnan(found.low) else found


def _macro_of_seeds(predictions: Predictions, f1: Float[np.ndarray, "seeds folds draws aus"]) -> dict[int, float]:
    """Return the macro F1 of each seed from the F1 under every draw."""
    seeds = sorted({seed for _, seed in predictions.runs})
    macro = defined_mean(defined_mean(f1[:, :, 0], axis=1), axis=1)  # the first draw is the data themselves
    return dict(zip(seeds, macro.tolist(), strict=True))
