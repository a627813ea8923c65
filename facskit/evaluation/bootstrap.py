"""Confidence intervals, or how sure a macro F1 is: they draw subjects, not images.

Frames of one person resemble each other, so resampling frames would make any number look certain. A resample draws as
many subjects per fold as there are, with replacement; all images of a drawn subject come along. The score is the
headline's: F1 per action unit (AU) and fold, mean over folds, seeds and AUs. Intervals are percentiles, which are too
narrow when there are fewer than about 20 subjects.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from facskit.errors import DatasetError
from facskit.evaluation.confusion_counts import Counts, count
from facskit.evaluation.cross_validation import defined_mean
from facskit.evaluation.predictions import Predictions

__all__ = [
    "BootstrapConfig",
    "DifferenceInterval",
    "Interval",
    "ResampledCounts",
    "bootstrap_difference",
    "bootstrap_f1_per_au",
    "bootstrap_macro_f1",
    "check_same_labels",
    "draw_subjects",
    "interval_ends",
    "resample_counts",
    "subjects_by_fold",
]


@dataclass(frozen=True, kw_only=True)
class BootstrapConfig:
    """How subjects are resampled."""

    resamples: int = 2000
    """How many times subjects are drawn."""
    level: float = 0.95
    """Share of resamples inside the interval."""
    seed: int = 0
    """Seed of the draws: the same seed gives the same interval."""

    def __post_init__(self) -> None:
        """Refuse too few resamples and impossible levels."""
        if self.resamples < 100:
            raise ValueError(f"resamples is {self.resamples}; expected at least 100")
        if not 0 < self.level < 1:
            raise ValueError(f"level is {self.level}; expected a share between 0 and 1")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; expected 0 or more")


@dataclass(frozen=True)
class Interval:
    """A score with its confidence interval."""

    estimate: float
    """Score of the data themselves."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""
    level: float
    """Share of resamples between the ends."""
    num_subjects: int
    """Subjects that were resampled."""

    @classmethod
    def of_draws(cls, draws: Float[np.ndarray, "draws"], level: float, num_subjects: int) -> "Interval":
        """Return the interval of a score under every draw of subjects.

        Args:
            draws: The score; the first draw is the data themselves. NaN draws are left out.
            level: Share of resamples between the ends.

        Returns:
            The interval; its ends are NaN where the data's own score or all draws are.
        """
        return cls(float(draws[0]), *interval_ends(draws, level), level, num_subjects)


@dataclass(frozen=True)
class DifferenceInterval(Interval):
    """A difference of two models' scores on the same images, with its confidence interval."""

    share_not_above_zero: float
    """Share of resamples in which the second model is not better; below 0.025 the gain is unlikely to be chance."""

    @classmethod
    def of_draws(cls, draws: Float[np.ndarray, "draws"], level: float, num_subjects: int) -> "DifferenceInterval":
        """Return the interval of a difference under every draw of subjects; see `Interval.of_draws`."""
        drawn = _defined(draws)
        share = float(np.mean(drawn <= 0)) if drawn.size else float("nan")
        return cls(float(draws[0]), *interval_ends(draws, level), level, num_subjects, share)

    @property
    def in_points(self) -> str:
        """The difference with its interval, times 100, for a cell of a table."""
        estimate, low, high = (f"{100 * value:+.1f}" for value in (self.estimate, self.low, self.high))
        return f"{estimate} [{low}, {high}]"


def interval_ends(draws: Float[np.ndarray, "draws"], level: float) -> tuple[float, float]:
    """Return the percentiles between which a share of the resamples lies; see `Interval.of_draws`."""
    drawn = _defined(draws)
    if not drawn.size or np.isnan(draws[0]):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _defined(draws: Float[np.ndarray, "draws"]) -> Float[np.ndarray, "resamples"]:
    """Return the resamples' values, without the data's own and without NaN."""
    return draws[1:][~np.isnan(draws[1:])]


def _subject_counts(
    predictions: Predictions, fold: int, seed: int, subjects: list[str]
) -> Int[np.ndarray, "counts subjects aus"]:
    """Return true positives, false positives, false negatives and true negatives of each subject."""
    run = predictions.run(fold, seed)
    order = np.argsort(who := np.searchsorted(np.array(subjects), run.subjects), kind="stable")
    ends = np.searchsorted(who[order], np.arange(1, len(subjects) + 1))
    labels, decisions = run.labels[order], run.decisions[order]
    per_subject = []
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        counts = count(labels[start:end], decisions[start:end])
        per_subject.append([counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative])
    return np.array(per_subject, dtype=np.int64).transpose(1, 0, 2)


@dataclass(frozen=True, eq=False)
class ResampledCounts:
    """How decisions met labels under every draw of subjects; the first draw is the data themselves."""

    counts: Counts
    """Arrays of shape (seeds, folds, draws, aus); seeds and folds ascend."""
    num_subjects: int
    """Subjects that were resampled."""


def subjects_by_fold(predictions: Predictions) -> dict[int, list[str]]:
    """Return the test subjects of each fold, folds and subjects in ascending order."""
    found = {}
    for fold in sorted({fold for fold, _ in predictions.runs}):
        found[fold] = sorted(set(predictions.subjects[predictions.folds == fold].tolist()))
    return found


def draw_subjects(folds: dict[int, list[str]], config: BootstrapConfig) -> dict[int, Int[np.ndarray, "draws subjects"]]:
    """Return how often each subject of each fold is drawn; the first draw is the data themselves.

    Args:
        config: How to resample; the same folds and config give the same draws.

    Raises:
        DatasetError: A fold has fewer than two subjects.
    """
    generator = np.random.default_rng(config.seed)
    draws = {}
    for fold, subjects in folds.items():
        people = len(subjects)
        if people < 2:
            raise DatasetError(f"fold {fold} has {people} subject; resampling subjects needs at least 2 in every fold")
        once = np.ones((1, people), dtype=np.int64)
        drawn = generator.multinomial(people, np.full(people, 1 / people), config.resamples)
        draws[fold] = np.concatenate([once, drawn])
    return draws


def resample_counts(predictions: Predictions, config: BootstrapConfig | None) -> ResampledCounts:
    """Count true and false decisions under every draw of subjects.

    Predictions with the same subjects in the same folds get the same draws from the same config, so that scores of two
    models can be compared draw by draw.

    Args:
        predictions: One or more runs; every seed must have every fold.
        config: How to resample; None keeps to the data themselves, as one draw.
    """
    folds = subjects_by_fold(predictions)
    if config is None:
        draws = {fold: np.ones((1, len(subjects)), np.int64) for fold, subjects in folds.items()}
    else:
        draws = draw_subjects(folds, config)
    by_seed = []
    for seed in sorted({seed for _, seed in predictions.runs}):
        by_fold = []
        for fold, subjects in folds.items():
            counts = _subject_counts(predictions, fold, seed, subjects)
            by_fold.append(np.einsum("ds,csa->cda", draws[fold], counts))
        by_seed.append(by_fold)
    counts_first = np.array(by_seed).transpose(2, 0, 1, 3, 4)
    return ResampledCounts(Counts(*counts_first), sum(map(len, folds.values())))


def _macro_f1(predictions: Predictions, resampled: ResampledCounts) -> Float[np.ndarray, "draws"]:
    """Return the macro F1 of every draw.

    Raises:
        DatasetError: The data's own isn't defined.
    """
    f1 = resampled.counts.f1(predictions.protocol.undefined_f1_value)
    values = defined_mean(defined_mean(defined_mean(f1, axis=1), axis=0), axis=1)
    if np.isnan(values[0]):
        raise DatasetError("the macro F1 is not defined, because no action unit is present or predicted")
    return values


def bootstrap_macro_f1(predictions: Predictions, config: BootstrapConfig | None = None) -> Interval:
    """Return the macro F1 of a (cross-)validation with its confidence interval over subjects.

    Args:
        predictions: One or more runs; every seed must have every fold.

    Raises:
        DatasetError: A fold has fewer than two subjects, or no F1 is defined.
    """
    config = config or BootstrapConfig()
    resampled = resample_counts(predictions, config)
    return Interval.of_draws(_macro_f1(predictions, resampled), config.level, resampled.num_subjects)


def bootstrap_f1_per_au(predictions: Predictions, config: BootstrapConfig | None = None) -> list[Interval]:
    """Return the F1 of each AU, the mean over folds and seeds, with its confidence interval over subjects.

    Raises:
        DatasetError: A fold has fewer than two subjects.
    """
    config = config or BootstrapConfig()
    resampled = resample_counts(predictions, config)
    f1 = resampled.counts.f1(predictions.protocol.undefined_f1_value)
    draws = defined_mean(defined_mean(f1, axis=1), axis=0)
    return [Interval.of_draws(column, config.level, resampled.num_subjects) for column in draws.T]


def bootstrap_difference(
    first: Predictions, second: Predictions, config: BootstrapConfig | None = None
) -> DifferenceInterval:
    """Return how much better the second model's macro F1 is, with a confidence interval over subjects.

    Both models are scored on the same draws of subjects. That is far sharper than two separate intervals: what is hard
    about a person is hard for both models.

    Args:
        second: Predictions of the other model, on the same images in the same folds; seeds may differ.

    Raises:
        DatasetError: The two don't score the same labels, or a fold has fewer than two subjects.
    """
    config = config or BootstrapConfig()
    check_same_labels(first, second)
    drawn = resample_counts(first, config)
    difference = _macro_f1(second, resample_counts(second, config)) - _macro_f1(first, drawn)
    return DifferenceInterval.of_draws(difference, config.level, drawn.num_subjects)


def check_same_labels(
    first: Predictions,
    second: Predictions,
    names: tuple[str, str] = ("the first predictions", "the second predictions"),
) -> None:
    """Refuse to compare models that weren't scored on the same images, subjects and labels in the same folds.

    Raises:
        DatasetError: Action units, images, subjects or labels differ.
    """
    if first.action_units != second.action_units:
        raise DatasetError(
            f"can't compare predictions of {first.action_units} with predictions of {second.action_units}"
        )
    here, there = _labels_by_image(first), _labels_by_image(second)
    for (fold, image), truth in here.items():
        if there.get((fold, image)) != truth:
            raise DatasetError(f"{image} of fold {fold} is missing in {names[1]} or has other labels there")
    for fold, image in there:
        if (fold, image) not in here:
            raise DatasetError(f"{image} of fold {fold} is missing in {names[0]}")


def _labels_by_image(predictions: Predictions) -> dict[tuple[int, str], tuple[str, bytes]]:
    """Return subject and labels of every image of every fold, which are the same for all seeds."""
    folds, names, subjects = predictions.folds.tolist(), predictions.names.tolist(), predictions.subjects.tolist()
    found = {}
    for fold, name, subject, labels in zip(folds, names, subjects, predictions.labels, strict=True):
        found[fold, name] = (subject, labels.tobytes())
    return found
