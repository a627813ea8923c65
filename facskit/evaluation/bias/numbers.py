"""Bias towards some action units (AUs) in numbers: who is said to be there too often, and who too seldom.

Training frames show some AUs often (the head of the distribution) and others seldom (its tail). A network that leans on
how often an AU was there predicts the head too often and misses the tail; one that is balanced by weights can do the
reverse. F1 hides which. The ratio of predicted to true presences shows it, and its spread over AUs says it in one
number:

- The **log ratio** of an AU is log2((predicted + ½) / (present + ½)): 0 for as many predictions as presences, 1 for
  twice as many, -1 for half. The halves keep it finite where nothing is predicted or nothing is present; it's limited
  to ±6 (a factor of 64), so that an AU that is never predicted weighs the same in a large corpus as in a small one.
- The **spread** is the standard deviation of the log ratios over AUs (of these AUs, so divided by their number), the
  **level** their mean, the **correlation** Spearman's between them and the AUs' frequencies: above 0 if the frequent
  AUs are favoured, below 0 if the rare ones are. An AU without known labels is left out.

Predictions of all folds are pooled before ratios are taken, as in CIU's figure 3; several seeds are several networks,
whose numbers are averaged. F1 is the headline's: per fold, then the mean over folds and seeds.

Paper:
    CIU, Acta Electronica Sinica 52(10), 3312-3321, 2024, figure 3, which shows counts; ratio, spread and correlation
    are ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from facskit.action_units import ActionUnit, ActionUnitSet
from facskit.evaluation.bootstrap import (
    BootstrapConfig,
    DifferenceInterval,
    Interval,
    ResampledCounts,
    check_same_labels,
    resample_counts,
)
from facskit.evaluation.confusion_counts import Counts, PerAU
from facskit.evaluation.cross_validation import CrossValidationResult, defined_mean
from facskit.evaluation.predictions import Predictions

__all__ = [
    "LOG_RATIO_LIMIT",
    "AUGroups",
    "BiasNumbers",
    "Frequencies",
    "bias_difference",
    "bias_numbers",
    "frequencies_of",
    "groups_by_frequency",
    "log_ratio",
    "published_groups",
]

LOG_RATIO_LIMIT = 6.0
"""Largest log ratio, up or down: predicted 64 times too often or too seldom."""

_FEWEST_TO_CORRELATE = 3
_PUBLISHED = {"bp4d": ((7, 10, 12, 14), (2, 4)), "disfa": ((12, 25), (1, 2, 9))}
_DEFAULT = BootstrapConfig()

Unit = ActionUnit | int | str
"""An action unit in any spelling."""


@dataclass(frozen=True)
class AUGroups:
    """The frequent and the rare AUs of a corpus."""

    head: tuple[ActionUnit, ...]
    """The frequent ones."""
    tail: tuple[ActionUnit, ...]
    """The rare ones."""
    source: str
    """Who says so, in words."""


@dataclass(frozen=True, eq=False)
class Frequencies:
    """How often each AU is present."""

    test: PerAU
    """Share of the known test labels that are present, each image counted once; all folds together."""
    training: PerAU | None
    """The same in the training data, the mean over folds; None where it isn't known."""

    @property
    def known(self) -> PerAU:
        """The training rates, which are what a network can lean on; the test rates stand in where they aren't known."""
        return self.test if self.training is None else self.training


@dataclass(frozen=True, kw_only=True)
class BiasNumbers:
    """A network's bias in a few numbers, each with an interval over subjects (NaN where it can't be resampled).

    From `bias_difference` every entry is a `DifferenceInterval`: the second network's number minus the first's.
    """

    spread: Interval
    """Standard deviation of the log ratios over AUs, in doublings; 0 is the same ratio for all. Resampling adds noise
    to every ratio, so the interval of a small spread lies a little high."""
    correlation: Interval
    """Spearman's correlation of log ratio and frequency, -1 to 1; NaN where all ratios or all frequencies are equal,
    and for two AUs, which can only give -1 or 1."""
    level: Interval
    """Mean log ratio over AUs: above 0 the network says "present" too often."""
    macro_f1: Interval
    """Mean F1 of all AUs."""
    head_f1: Interval
    """Mean F1 of the frequent AUs."""
    tail_f1: Interval
    """Mean F1 of the rare AUs."""


def log_ratio(counts: Counts) -> Float[np.ndarray, "*shape"]:
    """Return log2((predicted + ½) / (present + ½)), limited to ±`LOG_RATIO_LIMIT`; NaN where no label is known."""
    ratio = np.clip(np.log2((counts.predicted + 0.5) / (counts.present + 0.5)), -LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    return np.where(counts.known > 0, ratio, np.nan)


def frequencies_of(predictions: Predictions) -> Frequencies:
    """Return how often AUs occur, as far as predictions can tell: training rates only where there are several folds.

    Args:
        predictions: One run or a cross-validation; the network of a fold is taken to be trained on the other folds.
    """
    result = CrossValidationResult(predictions)
    rates = [rate for fold in result.folds if (rate := result.training_rate(fold)) is not None]
    return Frequencies(result.base_rate, defined_mean(np.stack(rates), axis=0) if rates else None)


def published_groups(dataset: str, units: ActionUnitSet) -> AUGroups | None:
    """Return the AUs that CIU's paper calls head and tail, as far as they are among the units.

    Args:
        dataset: "bp4d" or "disfa".

    Returns:
        The groups; None where the paper names none, or one of them has none of the units.
    """
    lists = _PUBLISHED.get(dataset.lower())
    if lists is None:
        return None
    head = tuple(unit for unit in units if unit.number in lists[0])
    tail = tuple(unit for unit in units if unit.number in lists[1])
    if not head or not tail:
        return None
    return AUGroups(head, tail, f"as CIU's paper names them for {dataset.upper()}")


def groups_by_frequency(units: ActionUnitSet, frequencies: PerAU, source: str = "") -> AUGroups:
    """Call the most frequent third of the AUs head and the least frequent third tail (4 each of 12, 3 each of 8).

    Args:
        frequencies: How often each is present; AUs whose frequency is NaN are in neither group.
        source: What the frequencies are of, in words, for example "training labels".
    """
    ranked = np.argsort(-frequencies, kind="stable")
    ranked = ranked[~np.isnan(frequencies[ranked])]
    third = max(1, round(len(ranked) / 3))
    head = tuple(units.units[place] for place in sorted(ranked[:third]))
    tail = tuple(units.units[place] for place in sorted(ranked[-third:]))
    return AUGroups(head, tail, f"the most and the least frequent third {source}".rstrip())


def bias_numbers(
    predictions: Predictions,
    frequencies: PerAU,
    head: Sequence[Unit],
    tail: Sequence[Unit],
    bootstrap: BootstrapConfig | None = _DEFAULT,
) -> BiasNumbers:
    """Return a network's bias, with intervals that draw subjects.

    Args:
        predictions: One run or a cross-validation; every seed must have every fold.
        frequencies: How often each AU is present in training, or in the test data.
    """
    resampled = resample_counts(predictions, bootstrap)
    values = _values(predictions, resampled, frequencies, _groups(predictions.action_units, head, tail))
    level = (bootstrap or _DEFAULT).level
    return BiasNumbers(
        **{name: Interval.of_draws(draws, level, resampled.num_subjects) for name, draws in values.items()}
    )


def bias_difference(
    first: Predictions,
    second: Predictions,
    frequencies: PerAU,
    head: Sequence[Unit],
    tail: Sequence[Unit],
    bootstrap: BootstrapConfig = _DEFAULT,
) -> BiasNumbers:
    """Return the second network's numbers minus the first's, both on the same draws of subjects.

    Args:
        second: Predictions of the other, on the same images in the same folds; seeds may differ.
        frequencies: How often each AU is present in training, or in the test data.
    """
    check_same_labels(first, second)
    groups = _groups(first.action_units, head, tail)
    drawn = resample_counts(first, bootstrap)
    before = _values(first, drawn, frequencies, groups)
    after = _values(second, resample_counts(second, bootstrap), frequencies, groups)
    gains = {}
    for name in before:
        draws = after[name] - before[name]
        gains[name] = DifferenceInterval.of_draws(draws, bootstrap.level, drawn.num_subjects)
    return BiasNumbers(**gains)


def _groups(units: ActionUnitSet, head: Sequence[Unit], tail: Sequence[Unit]) -> dict[str, list[int]]:
    """Return the columns that each mean F1 is over."""
    return {
        "macro_f1": list(range(len(units))),
        "head_f1": [units.index(unit) for unit in head],
        "tail_f1": [units.index(unit) for unit in tail],
    }


def _values(
    predictions: Predictions, resampled: ResampledCounts, frequencies: PerAU, groups: Mapping[str, list[int]]
) -> dict[str, Float[np.ndarray, "draws"]]:
    """Return every number of `BiasNumbers` for every draw; the first draw is the data themselves."""
    if np.shape(frequencies) != (len(predictions.action_units),):
        expected = f"one for each of {predictions.action_units}"
        raise ValueError(f"frequencies have the shape {np.shape(frequencies)}; expected {expected}")
    counts = resampled.counts
    pooled = Counts(*(getattr(counts, field.name).sum(axis=1) for field in fields(Counts)))
    ratios = log_ratio(pooled)
    level = defined_mean(ratios, axis=-1)
    spread = np.sqrt(defined_mean((ratios - level[..., np.newaxis]) ** 2, axis=-1))
    by_network = {"spread": spread, "correlation": _spearman(ratios, frequencies), "level": level}
    values = {name: defined_mean(numbers, axis=0) for name, numbers in by_network.items()}
    by_run = counts.f1(predictions.protocol.undefined_f1_value)
    f1 = defined_mean(defined_mean(by_run, axis=1), axis=0)
    for name, columns in groups.items():
        values[name] = defined_mean(f1[:, columns], axis=1)
    return values


def _spearman(ratios: Float[np.ndarray, "*shape aus"], frequencies: PerAU) -> Float[np.ndarray, "*shape"]:
    """Correlate the ranks of each row's ratios with those of the frequencies, over the AUs that have both."""
    missing = np.isnan(ratios) | np.isnan(frequencies)
    centred = []
    for values in (ratios.round(12), np.broadcast_to(frequencies, ratios.shape)):
        ranks = rankdata(np.where(missing, np.nan, values), axis=-1, nan_policy="omit")
        centred.append(ranks - defined_mean(ranks, axis=-1)[..., np.newaxis])
    one, other = centred
    spread = np.sqrt(np.nansum(one**2, axis=-1) * np.nansum(other**2, axis=-1))
    correlation = np.full(spread.shape, np.nan)
    # Equal ratios or frequencies have no spread but for rounding, and no correlation.
    np.divide(np.nansum(one * other, axis=-1), spread, out=correlation, where=spread > 1e-9)
    correlation[(~missing).sum(axis=-1) < _FEWEST_TO_CORRELATE] = np.nan
    return correlation
