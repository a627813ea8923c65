"""The spread of causal intervention's weights: how much each training image counted as imbalanced.

The network is trained with weights of varied crops; this table shows those of the crops as they are, so that gammas
can be compared (figure 4 of CIU).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32

from facskit.action_units import ActionUnitSet

__all__ = ["INTERVENTION_WEIGHTS", "describe_intervention_weights"]

INTERVENTION_WEIGHTS = "intervention_weights"
"""Name of the JSON file in a run's folder, without its ending."""
_BINS = 50


def describe_intervention_weights(
    weights: Float32[np.ndarray, "images columns"], units: ActionUnitSet | None
) -> dict[str, Any]:
    """Count weights in 50 bins from 0 to 1.

    Args:
        weights: Weight of the imbalanced risk of each image, or of each image and action unit; NaN where no label is
            known.

    Returns:
        JSON-ready values: `images`, `edges` (51), and `counts` (50), `mean` and `number` of all weights; with one
        weight per action unit also `units`, the same for each.
    """
    edges = np.linspace(0.0, 1.0, _BINS + 1).round(6).tolist()
    described: dict[str, Any] = {"images": len(weights), "edges": edges, **_counts(weights)}
    if units is not None:
        described["units"] = {code: _counts(weights[:, place]) for place, code in enumerate(units.codes)}
    return described


def _counts(weights: Float32[np.ndarray, "..."]) -> Mapping[str, Any]:
    known = weights[~np.isnan(weights)].astype(np.float64)
    counts, _ = np.histogram(known, bins=_BINS, range=(0.0, 1.0))
    return {
        "counts": counts.tolist(),
        "mean": float(known.mean()) if known.size else None,
        "number": int(known.size),
    }
