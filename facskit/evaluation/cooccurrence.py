"""Co-occurrence: which action units (AUs) are there together, by the labels and by what a network says."""

import numpy as np
from jaxtyping import Bool, Float

from facskit.datasets.samples import LabelState
from facskit.evaluation.confusion_counts import Labels, divide

__all__ = ["cooccurrence", "cooccurrence_of_labels"]


def cooccurrence(
    present: Bool[np.ndarray, "samples aus"], known: Bool[np.ndarray, "samples aus"]
) -> Float[np.ndarray, "aus aus"]:
    """Return the phi coefficient of each pair of AUs: the correlation of "present", -1 to 1.

    Args:
        known: Which entries count; a face enters a pair where both are known.

    Returns:
        NaN on the diagonal, and where one of the two never changes.
    """
    one, both = (present & known).astype(np.float64), known.astype(np.float64)
    number = both.T @ both
    together, alone = one.T @ one, one.T @ both  # alone[i, j]: presences of i where j is known
    other = alone.T
    covariance = number * together - alone * other
    spread = np.sqrt(alone * (number - alone) * other * (number - other))
    phi: Float[np.ndarray, "aus aus"] = divide(covariance, spread)
    np.fill_diagonal(phi, np.nan)
    return phi


def cooccurrence_of_labels(labels: Labels) -> Float[np.ndarray, "aus aus"]:
    """Return the phi coefficient of each pair of AUs in the labels; see `cooccurrence`."""
    return cooccurrence(labels == LabelState.PRESENT, labels != LabelState.UNKNOWN)
