"""Protocols, how a number came about: which epoch, which threshold, what happened to unknown labels, which folds.

Published F1 scores of action units differ by several points through these choices alone, so facskit writes them into
every predictions file and under every table.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int8

from facskit.evaluation.thresholds import sweep_thresholds

__all__ = ["EPOCHS", "Protocol", "choose_thresholds"]

EPOCHS = {"last": "last epoch", "unknown": "epoch chosen in an unknown way"}
"""Which epoch's weights may be scored, and how stamps say it."""
_THRESHOLDS = {
    "fixed": "threshold fixed at {fixed:g}",
    "validation-shared": "one threshold for all AUs, chosen on validation subjects",
    "validation-per-au": "one threshold per AU, chosen on validation subjects",
    "stored": "thresholds stored in the weight file",
    "test-shared": "OPTIMISTIC: one threshold for all AUs, chosen on the test labels themselves",
}
_UNDEFINED = {
    "excluded": "undefined scores left out of means",
    "zero": "undefined F1 counted as 0",
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a model was chosen and how its predictions became scores."""

    epoch: Literal["last", "unknown"] = "last"
    """Which epoch's weights were scored: the last one of a schedule fixed beforehand, or unknown (foreign weights)."""
    threshold: Literal["fixed", "validation-shared", "validation-per-au", "stored", "test-shared"] = "fixed"
    """Where decision thresholds come from: one number, validation subjects, or a weight file that brings its own;
    `test-shared` imitates FMAE-IAT's evaluation and is optimistic."""
    fixed_threshold: float = 0.5
    """Probability at or above which an AU is present, for `threshold: fixed`."""
    undefined_f1: Literal["excluded", "zero"] = "excluded"
    """What to do with the F1 of an AU that is neither present nor predicted; papers mostly count it as 0."""
    folds: str = "one held-out set"
    """How test subjects were held out, in words, for example "3 subject-exclusive folds, seed 0"."""

    def __post_init__(self) -> None:
        """Refuse unknown choices and thresholds that no probability can straddle."""
        for name, known in (("epoch", EPOCHS), ("threshold", _THRESHOLDS), ("undefined_f1", _UNDEFINED)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")
        if not 0 < self.fixed_threshold < 1:
            raise ValueError(f"fixed_threshold is {self.fixed_threshold}; expected a probability between 0 and 1")

    @property
    def optimistic(self) -> bool:
        """Whether the test labels took part in a choice, so that the scores are too good."""
        return self.threshold == "test-shared"

    @property
    def undefined_f1_value(self) -> float:
        """The number that stands for an undefined F1."""
        return 0.0 if self.undefined_f1 == "zero" else float("nan")

    @property
    def stamp(self) -> str:
        """One line that says how the numbers above it were made."""
        threshold = _THRESHOLDS[self.threshold].format(fixed=self.fixed_threshold)
        parts = (EPOCHS[self.epoch], threshold, "unknown labels left out", _UNDEFINED[self.undefined_f1], self.folds)
        return f"Protocol: {'; '.join(filter(None, parts))}."


def choose_thresholds(
    protocol: Protocol,
    labels: Int8[np.ndarray, "samples aus"],
    probabilities: Float[np.ndarray, "samples aus"],
) -> Float[np.ndarray, "aus"]:
    """Return the decision threshold of each AU that a protocol's rule chooses.

    Args:
        labels: Label states of the subjects the rule may look at: validation subjects, or for `test-shared` the test
            subjects; `fixed` looks at nothing.

    Raises:
        ValueError: The rule is `stored`: such thresholds come with the weights and can't be chosen here.
    """
    num_aus = labels.shape[1]
    match protocol.threshold:
        case "fixed":
            return np.full(num_aus, protocol.fixed_threshold)
        case "validation-per-au":
            return sweep_thresholds(labels, probabilities).per_au
        case "validation-shared" | "test-shared":
            return np.full(num_aus, sweep_thresholds(labels, probabilities).shared)
        case "stored":
            raise ValueError("stored thresholds come with a weight file and can't be chosen from labels")
