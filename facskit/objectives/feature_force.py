"""Forces of losses on a network's features, to log beside the losses that compete for them."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from facskit.objectives.known_labels import at_least_float32

__all__ = ["feature_force"]


def feature_force(
    loss: Callable[[Float[Tensor, "batch dim"]], Float[Tensor, ""]], features: Float[Tensor, "batch dim"]
) -> Float[Tensor, ""]:
    """Measure how hard a loss pulls at the features, on the side: no gradient of the training changes.

    The loss is computed once more from a copy of the features, in float32 even where the rest computes in 16 bits:
    gradients of unscaled losses are too small for those.

    Args:
        loss: From features to a loss that is a mean over the batch.

    Returns:
        The batch's mean of the length of one sample's own gradient, whatever the size of the batch: the length of each
        row of the loss's gradient, added up.
    """
    with torch.enable_grad(), torch.autocast(features.device.type, enabled=False):
        leaf = at_least_float32(features.detach()).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf), leaf)
    return torch.linalg.vector_norm(gradient, dim=1).sum()
