"""What every loss does with unknown labels: they change neither value nor gradient, however strange their logits."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["accuracy", "at_least_float32", "known_mean", "known_scores"]


def at_least_float32(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return 16-bit floats in 32 bits and others as they are: a loss adds up too many small numbers for 16 bits."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def known_scores(logits: Float[Tensor, "*shape"], known: Bool[Tensor, "*known"]) -> Float[Tensor, "*shape"]:
    """Return the logits with 0 for unknown labels; replaced first, even an infinite one stays out of the gradient."""
    return torch.where(known, at_least_float32(logits), 0.0)


def known_mean(losses: Float[Tensor, "*shape"], known: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Return the mean over the known labels; 0 with a zero gradient if there is none."""
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp(min=1)


@torch.no_grad()
def accuracy(logits: Float[Tensor, "batch classes"], classes: Int64[Tensor, "batch"]) -> Float[Tensor, ""]:
    """Return the share of the samples with a known class, which isn't -1, that the largest logit names."""
    known = classes >= 0
    return (known & (logits.argmax(1) == classes)).sum().float() / known.sum().clamp(min=1)
