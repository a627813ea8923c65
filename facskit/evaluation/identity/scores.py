"""Scores of identity probes: whom they named how often, with intervals over subjects, pooled and compared.

The frames of one person resemble each other, so they don't count as independent trials: intervals draw subjects, with
all their frames. They are for other people of the same kind; how the score would change with other frames to fit to
isn't in them. With fewer than about 20 subjects they are too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int64

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, DifferenceInterval, Interval, draw_subjects
from facskit.evaluation.identity.splits import SplitName

__all__ = ["IdentityProbe", "ProbeMethod", "compare_probes", "pool_probes"]

ProbeMethod = Literal["converged", "paper"]
"""`converged`: logistic regression at its optimum; `paper`: the published probe, which ends long before it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class IdentityProbe:
    """What one probe found, or several probes counted together."""

    split: SplitName
    """How the frames it was fitted to and those it was tested on differ."""
    method: ProbeMethod = "converged"
    """How it was fitted."""
    subjects: tuple[str, ...]
    """Whom it told apart, sorted."""
    tested: Int64[np.ndarray, "subjects"]
    """Test frames of each."""
    correct: Int64[np.ndarray, "subjects"]
    """Test frames of each that it named rightly."""
    correct_top: Int64[np.ndarray, "subjects"]
    """Test frames of each whose subject was among its `top` most probable answers."""
    top: int
    """How many answers `correct_top` allows."""
    chance: float
    """Accuracy of guessing: one over the number of subjects."""
    majority: float
    """Accuracy of always naming the subject with the most training frames."""
    trained: int
    """Frames it was fitted to."""
    left_out: int
    """Subjects with too few frames or recordings to take part."""
    inverse_penalty: float
    """The C that was chosen within the training part; of several probes, the geometric mean; 0 for `paper`."""
    iterations: int
    """Iterations of the last fit, or updates; of several probes, the most."""
    converged: bool
    """Whether the last fit met the tolerance; of several probes, whether all did."""

    @property
    def accuracy(self) -> float:
        """Share of the test frames named rightly."""
        return float(self.correct.sum() / self.tested.sum())

    @property
    def top_accuracy(self) -> float:
        """Share of the test frames whose subject is among the `top` most probable."""
        return float(self.correct_top.sum() / self.tested.sum())

    @property
    def above_chance(self) -> float:
        """How far the accuracy is on the way from chance (0) to certainty (1)."""
        return (self.accuracy - self.chance) / (1 - self.chance)

    def interval(self, config: BootstrapConfig | None = None) -> Interval:
        """Return the accuracy with its confidence interval, which draws subjects with all their frames."""
        config = config or BootstrapConfig()
        return Interval.of_draws(self._accuracies(config), config.level, len(self.subjects))

    def _accuracies(self, config: BootstrapConfig) -> Float[np.ndarray, "draws"]:
        """Return the accuracy under every draw of subjects; the same subjects and config give the same draws."""
        draws = draw_subjects({0: list(self.subjects)}, config)[0]
        return draws @ self.correct / (draws @ self.tested)


def pool_probes(probes: Sequence[IdentityProbe]) -> IdentityProbe:
    """Count several probes' test frames together: those of a cross-validation's networks, or of several seeds.

    A subject that several networks were probed with stays one subject, so its frames are drawn together.

    Args:
        probes: Probes of one method on the same kind of split, at least one.

    Raises:
        ValueError: There is no probe, or splits differ.
    """
    if len({(probe.split, probe.method, probe.top) for probe in probes}) != 1:
        raise ValueError("probes must be at least one, all of one method on one kind of split")
    everyone = sorted(set().union(*(probe.subjects for probe in probes)))
    counts = np.zeros((3, len(everyone)), np.int64)
    for probe in probes:
        own = [everyone.index(name) for name in probe.subjects]
        counts[:, own] += np.stack([probe.tested, probe.correct, probe.correct_top])
    weights = np.array([probe.tested.sum() for probe in probes]) / counts[0].sum()
    penalties = [probe.inverse_penalty for probe in probes]
    return IdentityProbe(
        split=probes[0].split,
        method=probes[0].method,
        subjects=tuple(everyone),
        tested=counts[0],
        correct=counts[1],
        correct_top=counts[2],
        top=probes[0].top,
        chance=float(weights @ [probe.chance for probe in probes]),
        majority=float(weights @ [probe.majority for probe in probes]),
        trained=sum(probe.trained for probe in probes),
        left_out=max(probe.left_out for probe in probes),
        inverse_penalty=float(np.exp(np.mean(np.log(penalties)))) if min(penalties) > 0 else 0.0,
        iterations=max(probe.iterations for probe in probes),
        converged=all(probe.converged for probe in probes),
    )


def compare_probes(
    first: IdentityProbe, second: IdentityProbe, config: BootstrapConfig | None = None
) -> DifferenceInterval:
    """Return how much more accurate the second probe is than the first, with an interval over the subjects of both.

    Args:
        second: Probe of the other network, with the same subjects on the same kind of split.

    Raises:
        DatasetError: The probes are on another kind of split or on other subjects.
    """
    if (first.method, first.split, first.subjects) != (second.method, second.split, second.subjects):
        raise DatasetError("identity probes can only be compared by one method on the same split of the same subjects")
    config = config or BootstrapConfig()
    gains = second._accuracies(config) - first._accuracies(config)
    return DifferenceInterval.of_draws(gains, config.level, len(first.subjects))
