"""Calibration of presence: a temperature and a bias per action unit (AU), so that 0.7 means "7 of 10 such faces".

What was learned in training is a rank; how far a number can be taken literally depends on how the training weighted
rare units. Temperature and bias are fitted afterwards on people outside the training
(`facskit.evaluation.calibration`), stored in the weight file, and applied wherever its probabilities are read.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Calibration"]

_Logits = TypeVar("_Logits", "Tensor", np.ndarray)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Turns logits z of presence into z / temperature + bias, whose sigmoid is a probability to be taken literally."""

    temperatures: tuple[float, ...]
    """One per AU, above 0: above 1 the network was too sure. The order of faces within an AU never changes."""
    biases: tuple[float, ...]
    """One per AU, in logits: below 0 the network said "present" too often."""

    def __post_init__(self) -> None:
        """Refuse numbers that aren't finite, and temperatures that would turn an AU around."""
        if len(self.temperatures) != len(self.biases):
            counts = f"{len(self.temperatures)} temperatures and {len(self.biases)} biases"
            raise ValueError(f"temperatures and biases must number the same, got {counts}")
        if not all(math.isfinite(value) and value > 0 for value in self.temperatures):
            raise ValueError(f"temperatures must be finite and above 0, got {self.temperatures}")
        if not all(map(math.isfinite, self.biases)):
            raise ValueError(f"biases must be finite, got {self.biases}")

    def __len__(self) -> int:
        """Return the number of AUs."""
        return len(self.biases)

    def logits(self, raw: _Logits) -> _Logits:
        """Return the calibrated logits of a network's own, both of shape (faces, aus), a tensor or an array."""
        if isinstance(raw, np.ndarray):
            return raw / np.array(self.temperatures, raw.dtype) + np.array(self.biases, raw.dtype)
        return raw / raw.new_tensor(self.temperatures) + raw.new_tensor(self.biases)

    def select(self, outputs: list[int]) -> "Calibration":
        """Return the calibration of some of the AUs, by their places."""
        return Calibration(
            temperatures=tuple(self.temperatures[place] for place in outputs),
            biases=tuple(self.biases[place] for place in outputs),
        )
