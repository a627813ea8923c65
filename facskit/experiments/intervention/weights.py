"""How much each training image counted as imbalanced: the weights of causal intervention, once, without augmentation.

The network is trained with weights of varied crops; this table shows those of the crops as they are, so that gammas
can be compared (figure 4 of CIU).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from facskit.action_units import ActionUnitSet
from facskit.datasets.fold import Fold
from facskit.datasets.samples import LabelState
from facskit.experiments.assemble import assemble_loader
from facskit.experiments.recipe import Recipe
from facskit.experiments.session import Session
from facskit.files import write_text
from facskit.objectives.causal_intervention import CausalIntervention, CausalInterventionConfig

__all__ = ["INTERVENTION_WEIGHTS", "describe_intervention_weights", "write_intervention_weights"]

INTERVENTION_WEIGHTS = "intervention_weights.json"
"""Name of the file in a run's folder."""
_BINS = 50


def write_intervention_weights(
    recipe: Recipe, session: Session, fold: Fold, objective: CausalIntervention, folder: Path
) -> None:
    """Weigh every training image once and write the distribution of the imbalanced risk's weight.

    Args:
        recipe: The recipe of the run.
        objective: The trained objective, with its teachers.
    """
    assert isinstance(recipe.objective, CausalInterventionConfig)
    loader = assemble_loader(recipe, session.manifest, fold, "train", session.fabric, plain=True)
    found = []
    for batch in loader.batches(0):
        with session.fabric.autocast():
            weights = objective.consult(batch.to(session.fabric.device)).imbalanced
        known = batch.labels.numpy() != LabelState.UNKNOWN
        if recipe.objective.granularity == "sample":
            known = known.any(axis=1, keepdims=True)
        found.append(np.where(known, weights.float().cpu().numpy(), np.float32(np.nan)))
    loader.close()
    described = describe_intervention_weights(np.concatenate(found), recipe.objective, recipe.data.unit_set)
    write_text(folder / INTERVENTION_WEIGHTS, json.dumps(described, indent=2) + "\n")


def describe_intervention_weights(
    weights: Float32[np.ndarray, "images columns"], config: CausalInterventionConfig, units: ActionUnitSet
) -> dict[str, Any]:
    """Count weights in 50 bins from 0 to 1.

    Args:
        weights: Weight of the imbalanced risk of each image, or of each image and action unit; NaN where no label is
            known.
        units: What the columns mean, if there is one for each action unit.

    Returns:
        JSON-ready values: how the weights were made, `images`, `edges` (51), and `counts` (50), `mean` and `number` of
        all weights; with one weight per action unit also `units`, the same for each.
    """
    described: dict[str, Any] = {
        "gamma": config.gamma,
        "weights": config.weights,
        "granularity": config.granularity,
        "images": len(weights),
        "edges": np.linspace(0.0, 1.0, _BINS + 1).round(6).tolist(),
        **_counts(weights),
    }
    if config.granularity == "unit":
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
