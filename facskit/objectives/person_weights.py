"""Weights of labels that take what a person usually does out of the labels: habits can't be learned from them."""

import torch
from jaxtyping import Float, Int8, Int64
from torch import Tensor

from facskit.datasets.samples import LabelState

__all__ = ["label_weights", "person_weights"]


def person_weights(
    labels: Int8[Tensor, "samples aus"], subjects: Int64[Tensor, "samples"], max_weight: float
) -> Float[Tensor, "subjects aus 2"]:
    """Weigh absent and present labels so that each person shows each action unit as often as everybody together.

    Who has been seen smiling in nine of ten pictures counts, after weighting, as smiling in as many as people do on
    average, so that knowing the person no longer helps to guess. What a person's labels count in all stays as it is.

    Args:
        subjects: Index of each sample's person; -1 is left out of the count.
        max_weight: Limit of a weight, and its inverse the lower limit: rare combinations would drown all others.

    Returns:
        Weights of a person's absent [..., 0] and present labels [..., 1]; 1 for labels that the person doesn't have.

    Paper:
        w(p, a, y) = P(a = y) n(p, a) / n(p, a, y): reweighing (Kamiran and Calders, 2012) with the person as the
        attribute.
    """
    known = subjects >= 0
    people = int(subjects.max()) + 1 if bool(known.any()) else 0
    states = torch.stack([labels == LabelState.ABSENT, labels == LabelState.PRESENT], dim=-1).double()
    counts = torch.zeros(people, *states.shape[1:], dtype=torch.float64)
    counts.index_add_(0, subjects[known], states[known])
    shares = counts.sum(0) / counts.sum((0, 2)).clamp(min=1.0).unsqueeze(-1)
    weights = shares * counts.sum(-1, keepdim=True) / counts
    return torch.where(counts > 0, weights.clamp(1.0 / max_weight, max_weight), 1.0).float()


def label_weights(
    weights: Float[Tensor, "subjects aus 2"], labels: Int8[Tensor, "batch aus"], subjects: Int64[Tensor, "batch"]
) -> Float[Tensor, "batch aus"]:
    """Look up the weight of each label of a batch; 1 for a person who isn't among those weighed."""
    own = weights[subjects.clamp(min=0)]
    chosen = torch.where(labels == LabelState.PRESENT.value, own[..., 1], own[..., 0])
    return torch.where((subjects >= 0).unsqueeze(1), chosen, 1.0)
