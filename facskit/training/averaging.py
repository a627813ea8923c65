"""A running average of a model's weights, smoother than the weights themselves and often better at recognition."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

__all__ = ["AveragedWeights"]


class AveragedWeights:
    """Exponential moving average of a model's parameters and buffers.

    The average remembers little at first, `min(decay, (1 + updates) / (10 + updates))`, so that it leaves the random
    initial weights behind quickly.

    Args:
        decay: Share of the old average that an update keeps, in the long run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._model = model
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the model's present weights; counters are copied."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        averages: list[Tensor] = []
        values: list[Tensor] = []
        for name, value in self._model.state_dict().items():
            if value.is_floating_point():
                averages.append(self.weights[name])
                values.append(value)
            else:
                self.weights[name].copy_(value)
        torch._foreach_lerp_(averages, values, 1.0 - decay)

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
