"""Features, what a frozen network says about each face: one vector each, for probes and pictures.

The network runs in evaluation mode, on crops without random changes, so the same weights give the same features.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from facskit.datasets.samples import Batch
from facskit.evaluation.predicting import Precision, answers
from facskit.models.layers import FaceNetwork
from facskit.models.masked_autoencoder import MaskedAutoencoder

__all__ = ["Features", "extract_features"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Feature vectors of some of a manifest's faces."""

    values: Float32[np.ndarray, "samples dim"]
    """One vector per face."""
    rows: Int64[np.ndarray, "samples"]
    """The faces' rows in the manifest, rising."""

    def __post_init__(self) -> None:
        """Refuse rows that don't rise and features that aren't numbers."""
        if (np.diff(self.rows) <= 0).any():
            raise ValueError("rows must rise, each once")
        if not np.isfinite(self.values).all():
            raise ValueError("features must be finite, got infinite or undefined ones")

    def of(self, rows: Int64[np.ndarray, "wanted"]) -> Float32[np.ndarray, "wanted dim"]:
        """Return the vectors of some rows, in the order asked for.

        Raises:
            ValueError: The features of a row aren't here.
        """
        places = np.searchsorted(self.rows, rows).clip(max=len(self.rows) - 1)
        if (self.rows[places] != rows).any():
            raise ValueError(f"rows must be among the {len(self.rows)} that features were extracted of")
        return self.values[places]


def extract_features(
    model: FaceNetwork | MaskedAutoencoder,
    batches: Iterable[Batch],
    *,
    precision: Precision = "32",
    description: str | None = None,
) -> Features:
    """Return the features of every face of the batches.

    Args:
        model: Any recogniser, or a masked autoencoder, whose encoder then sees whole faces.
        batches: Faces, each once, without random changes: those of an `eval_loader`.
        description: Text of a progress bar on the error stream, shown when the work takes longer than two seconds;
            without it there is none.

    Raises:
        ValueError: There is no batch, a face comes twice, or a feature isn't a finite number.
    """
    body = _Body(model).train(model.training)
    values, rows = [], []
    for batch, features in answers(body, batches, precision=precision, description=description):
        values.append(features.numpy())
        rows.append(batch.indices.cpu().numpy())
    if not rows:
        raise ValueError("there is nothing to look at: the loader gave no batch")
    found = np.concatenate(rows)
    order = np.argsort(found, kind="stable")
    return Features(values=np.concatenate(values)[order], rows=found[order])


class _Body(nn.Module):
    """A network without its head."""

    def __init__(self, model: FaceNetwork | MaskedAutoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        """Return the features."""
        return self.model.features(images)
