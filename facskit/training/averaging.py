"""A running average of a model's weights, smoother than the weights themselves and often better at recognition."""

import contextlib
from collections.abc import Iterator

from torch import nn

from facskit.models.averaging import average_decay, move_average

__all__ = ["AveragedWeights"]


class AveragedWeights:
    """Exponential moving average of a model's parameters and buffers.

    The average remembers little at first: see `average_decay`.

    Args:
        decay: Share of the old average that an update keeps, in the long run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._model = model
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def update(self) -> None:
        """Move the average towards the model's present weights; counters are copied."""
        move_average(self.weights, self._model.state_dict(), average_decay(self.decay, self.updates))
        self.updates += 1

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the model the averaged weights for the length of a block."""
        present = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
        self._model.load_state_dict(self.weights)
        try:
            yield
        finally:
            self._model.load_state_dict(present)

    def adopt(self) -> None:
        """Give the model the averaged weights for good."""
        self._model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, object]:
        """Return the average and its age."""
        return {"updates": self.updates, "weights": self.weights}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Continue from what `state_dict` returned."""
        updates, weights = state["updates"], state["weights"]
        assert isinstance(updates, int)
        assert isinstance(weights, dict)
        self.updates = updates
        for name, value in weights.items():
            self.weights[name].copy_(value)
