"""The bias report: what several networks say too often and too seldom, on the same images, for tables and figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from facskit.action_units import ActionUnitSet
from facskit.errors import DatasetError
from facskit.evaluation.bias.numbers import (
    AUGroups,
    BiasNumbers,
    Frequencies,
    bias_difference,
    bias_numbers,
    frequencies_of,
    groups_by_frequency,
)
from facskit.evaluation.bootstrap import BootstrapConfig, check_same_labels
from facskit.evaluation.confusion_counts import Counts, PerAU, count, divide
from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.evaluation.predictions import Predictions

__all__ = ["BiasReport", "NetworkBias", "build_bias_report"]


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkBias:
    """How one network's decisions met the labels."""

    name: str
    """What the network is called in tables and figures."""
    counts: Counts
    """Decisions per AU, of all folds and seeds together."""
    num_seeds: int
    """Seeds that the counts are of."""
    f1: PerAU
    """F1 per AU as the result tables print it: per fold, then the mean over folds and seeds."""
    numbers: BiasNumbers
    """The numbers over all AUs."""
    difference: BiasNumbers | None
    """The numbers minus those of the first network, on the same draws; None for the first, or without intervals."""

    def per_seed(self, name: str) -> PerAU:
        """Return one of the counts, the mean over seeds.

        Args:
            name: `true_positive`, `predicted` or another array of `Counts`.
        """
        return np.asarray(getattr(self.counts, name) / self.num_seeds, dtype=float)

    @property
    def ratio(self) -> PerAU:
        """Predicted over true presences per AU, without halves and limits; NaN where nothing is present."""
        return divide(self.counts.predicted, self.counts.present)

    @property
    def false_positive_rate(self) -> PerAU:
        """Share of the absent labels that are predicted present."""
        return divide(self.counts.false_positive, self.counts.absent)


@dataclass(frozen=True, kw_only=True, eq=False)
class BiasReport:
    """Networks on the same images, with what they are compared by."""

    title: str
    """What was compared."""
    action_units: ActionUnitSet
    """What the entries of all arrays mean."""
    frequencies: Frequencies
    """How often each AU is there."""
    groups: AUGroups
    """The frequent and the rare AUs."""
    networks: tuple[NetworkBias, ...]
    """The networks, in the order they were given."""
    notes: tuple[str, ...] = field(default=())
    """Sentences under the tables."""

    @property
    def resampled(self) -> bool:
        """Whether the numbers have intervals."""
        return not math.isnan(self.networks[0].numbers.spread.low)


def build_bias_report(
    networks: Sequence[tuple[str, Predictions]],
    *,
    title: str,
    frequencies: Frequencies | None = None,
    groups: AUGroups | None = None,
    bootstrap: BootstrapConfig | None = BootstrapConfig(),  # noqa: B008  (frozen)
    notes: Sequence[str] = (),
) -> BiasReport:
    """Compare networks on the same images.

    Args:
        networks: Names and predictions; differences are taken from the first.
        frequencies: How often each AU is there; from the first network's predictions when left out.
        groups: Head and tail; the thirds by frequency when left out.
    """
    _check(networks)
    first = networks[0][1]
    frequencies = frequencies or frequencies_of(first)
    source = "of the " + ("test" if frequencies.training is None else "training") + " labels"
    groups = groups or groups_by_frequency(first.action_units, frequencies.known, source)
    bootstrap, why_not = _possible(first, bootstrap)
    compared_by = (frequencies.known, groups.head, groups.tail)
    found: list[NetworkBias] = []
    for name, predictions in networks:
        difference = None
        if found and bootstrap is not None:
            difference = bias_difference(first, predictions, *compared_by, bootstrap)
        found.append(
            NetworkBias(
                name=name,
                counts=count(predictions.labels, predictions.decisions),
                num_seeds=len({seed for _, seed in predictions.runs}),
                f1=CrossValidationResult(predictions).mean("f1"),
                numbers=bias_numbers(predictions, *compared_by, bootstrap),
                difference=difference,
            )
        )
    return BiasReport(
        title=title,
        action_units=first.action_units,
        frequencies=frequencies,
        groups=groups,
        networks=tuple(found),
        notes=(*_notes(networks, frequencies, groups, bootstrap), *why_not, *notes),
    )


def _check(networks: Sequence[tuple[str, Predictions]]) -> None:
    if not networks:
        raise DatasetError("there are no networks to compare; expected at least one")
    names = [name for name, _ in networks]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DatasetError(f"two networks are called {twice!r}; expected different names, such as first=RUN")
    for name, predictions in networks[1:]:
        try:
            check_same_labels(networks[0][1], predictions, (names[0], name))
        except DatasetError as error:
            raise DatasetError(f"{names[0]} and {name} weren't tested on the same labels: {error}") from error


def _possible(predictions: Predictions, bootstrap: BootstrapConfig | None) -> tuple[BootstrapConfig | None, list[str]]:
    """Return the bootstrap, or None and why subjects can't be resampled."""
    if bootstrap is None:
        return None, []
    for fold in sorted(set(predictions.folds.tolist())):
        subjects = len(set(predictions.subjects[predictions.folds == fold].tolist()))
        if subjects < 2:
            return None, [f"No intervals: fold {fold} has {subjects} subject, and resampling needs at least 2."]
    return bootstrap, []


def _notes(
    networks: Sequence[tuple[str, Predictions]],
    frequencies: Frequencies,
    groups: AUGroups,
    bootstrap: BootstrapConfig | None,
) -> list[str]:
    head = ", ".join(unit.code for unit in groups.head)
    tail = ", ".join(unit.code for unit in groups.tail)
    rates = "test" if frequencies.training is None else "training"
    folds = len({fold for fold, _ in networks[0][1].runs})
    seeds = len({seed for _, seed in networks[0][1].runs})
    notes = [
        "Ratio: predicted over true presences. Level and spread: mean and standard deviation over AUs of log2 ratio, "
        "in doublings; both 0 is unbiased, spread 0 alone the same bias everywhere. An AU that is never predicted, or "
        "never present, gets a finite log ratio: half a presence is added to both counts, and the ratio limited to "
        "1/64 and 64.",
        f"Correlation: Spearman's, of log2 ratio and the AU's frequency in the {rates} labels; above 0 the frequent "
        "AUs are favoured, below 0 the rare ones.",
        f"Head: {head}; tail: {tail} ({groups.source}).",
    ]
    if folds > 1:
        notes.append("F1: per fold, then the mean, as in result tables; counts and ratios: all test folds pooled.")
    if seeds > 1:
        notes.append(f"Counts: the mean of {seeds} seeds.")
    if bootstrap is not None:
        subjects = len(set(networks[0][1].subjects.tolist()))
        drawn = f"{bootstrap.level:.0%} intervals are of {bootstrap.resamples:,} draws of the {subjects} test subjects"
        notes.append(drawn + ("; differences on the same draws." if len(networks) > 1 else "."))
    stamps = dict.fromkeys(predictions.protocol.stamp for _, predictions in networks)
    if len(stamps) == 1:
        return [*notes, *stamps]
    return notes + [f"{name}: {predictions.protocol.stamp}" for name, predictions in networks]
