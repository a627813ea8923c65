"""Labels and places that a training part can't teach: never coded, never changing, or without landmarks.

A network is trained all the same, and answers; so what it was never taught is said before, and goes with the weights.
"""

import numpy as np
import torch
from jaxtyping import Bool

from facskit.datasets.fold import Fold
from facskit.datasets.manifest import Manifest
from facskit.datasets.samples import LabelState
from facskit.errors import DatasetError
from facskit.experiments.recipe import Recipe
from facskit.faces.landmarks import POINTS_49
from facskit.models.attention_targets import unit_centres
from facskit.objectives.attention_regression import taught_attention

__all__ = ["describe_untaught", "refuse_unknown_places", "untaught_labels"]


def untaught_labels(recipe: Recipe, manifest: Manifest, fold: Fold) -> dict[str, list[str]]:
    """Find the action units or expressions whose answer can't be learned from a fold's training part.

    Returns:
        `never coded`, `never present` and `never absent` -> names, without those that none applies to. An expression is
        `never present` if no face is known to show it.
    """
    expressions = recipe.data.expression_set
    if expressions is not None:
        shown = set(manifest.expression_indices(expressions)[fold.train].tolist())
        missing: list[str] = [name for place, name in enumerate(expressions) if place not in shown]
        return {"never present": missing} if missing else {}
    labels, codes = manifest.labels[fold.train], np.array(recipe.data.unit_set.codes)
    present, absent = ((labels == state).any(axis=0) for state in (LabelState.PRESENT, LabelState.ABSENT))
    found = {
        "never coded": codes[~present & ~absent],
        "never present": codes[~present & absent],
        "never absent": codes[present & ~absent],
    }
    return {why: names.tolist() for why, names in found.items() if len(names)}


def describe_untaught(recipe: Recipe, manifest: Manifest, fold: Fold) -> list[str]:
    """Say what the training part can't teach, a sentence for each kind; nothing if it teaches everything."""
    images = f"{len(fold.train):,} training images"
    sentences = [
        f"{', '.join(names)}: {why} in the {images}, so what the network will say of "
        f"{'it' if len(names) == 1 else 'them'} means nothing; the weights will say so."
        for why, names in untaught_labels(recipe, manifest, fold).items()
    ]
    known = _known_places(recipe, manifest, fold)
    if known is None or known.all():
        return sentences
    without = int((~known.any(axis=1)).sum())
    if without:
        sentences.append(f"Attention isn't taught with {without:,} of the {images}, which have no landmarks.")
    codes = np.array(recipe.data.unit_set.codes)
    if len(never := codes[~known.any(axis=0)]):
        sentences.append(f"Attention isn't taught for {', '.join(never)}: no training image has the landmarks for it.")
    return sentences


def refuse_unknown_places(recipe: Recipe, manifest: Manifest, fold: Fold) -> None:
    """Refuse to teach attention without landmarks to teach it with.

    Raises:
        DatasetError: There are no columns of landmarks, or they are empty in the whole training part.
    """
    known = _known_places(recipe, manifest, fold)
    if known is not None and not known.any():
        columns = "landmark columns x_0..x_67 and y_0..y_67"
        found = (
            f"no {columns}"
            if manifest.all_landmarks is None
            else f"{columns} that are empty in all {len(fold.train):,} training images of fold {fold.index}"
        )
        raise DatasetError(
            f"{manifest.name}: found {found}, which attention is taught with; add them, or set the attention's weight "
            "to 0"
        )


def _known_places(recipe: Recipe, manifest: Manifest, fold: Fold) -> Bool[np.ndarray, "images aus"] | None:
    """Tell of each training image and AU whether it is known where the AU shows; None if attention isn't taught."""
    _, taught = taught_attention(recipe.objective) or ("", None)
    if taught is None or not taught.weight:
        return None
    if manifest.all_landmarks is None:
        return np.zeros((len(fold.train), len(recipe.data.unit_set)), dtype=bool)
    landmarks = manifest.all_landmarks[fold.train]
    centres = unit_centres(torch.from_numpy(landmarks), recipe.data.unit_set).numpy()
    has_landmarks = ~np.isnan(landmarks[:, POINTS_49[0], 0])  # as `Manifest.landmarks` tells
    return ~np.isnan(centres).any(axis=(2, 3)) & has_landmarks[:, np.newaxis]
