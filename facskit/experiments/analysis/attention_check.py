"""The check of attention, where a network looks: its maps on labelled faces beside the predefined ones."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int8, UInt8

from facskit.datasets.face_dataset import FaceDataset, Preparation, cut_face
from facskit.datasets.loaders import LoaderConfig, eval_loader
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import open_manifest
from facskit.datasets.samples import LabelState
from facskit.errors import CheckpointError, DatasetError, RecipeError
from facskit.evaluation.attention_scores import AttentionScores, AttentionTally
from facskit.experiments.assemble import remaining_crop
from facskit.experiments.recipe_files import read_recipe
from facskit.faces.alignment import CropRecipe
from facskit.models.attention_targets import attention_targets
from facskit.models.checkpoints import CheckpointInfo
from facskit.models.layers import AttentiveNetwork
from facskit.objectives.attention_regression import taught_attention
from facskit.processes import counting_bar

__all__ = [
    "AttentionCheck",
    "DrawnFace",
    "check_attention",
    "choose_rows",
    "default_spread",
    "open_faces",
    "taught_spread",
]

_CIU_SPREAD, _CIU_MAP = 3.0, 44


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnFace:
    """One labelled face with everything a picture of its attention shows."""

    name: str
    """Image, as in the manifest."""
    crop: UInt8[np.ndarray, "size size 3"]
    """The crop, not normalised."""
    attention: Float[np.ndarray, "aus map map"]
    """The network's maps."""
    targets: Float[np.ndarray, "aus map map"]
    """The predefined maps; NaN where landmarks are missing."""
    probabilities: Float[np.ndarray, "aus"]
    """Probability that each AU is present."""
    labels: Int8[np.ndarray, "aus"]
    """1 present, 0 absent, -1 unknown."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionCheck:
    """Numbers over all faces, and the faces to draw."""

    scores: AttentionScores
    """How the maps fit."""
    faces: tuple[DrawnFace, ...]
    """The faces chosen."""
    spread: float
    """Standard deviation of the predefined maps' bumps, in map cells."""


def default_spread(map_size: int) -> float:
    """Return the spread of predefined maps that is the same share of the face as CIU's 3 of 44 cells."""
    return _CIU_SPREAD * map_size / _CIU_MAP


def taught_spread(weights: Path) -> float | None:
    """Return the spread of the maps that a network was taught, where the recipe beside its weights says so."""
    with contextlib.suppress(RecipeError):  # the file may have been moved, or be of another version
        _, taught = taught_attention(read_recipe(weights.parent / "recipe.yaml").objective) or ("", None)
        return taught.spread if taught is not None and taught.weight > 0 else None
    return None


def open_faces(manifest: str) -> Manifest:
    """Open faces whose landmarks say where action units show.

    Args:
        manifest: Path of a manifest, of a folder that holds a `manifest.parquet`, or `packaged`.

    Raises:
        DatasetError: The manifest is missing or wrong, or has no landmarks.
    """
    faces = open_manifest(manifest)
    if faces.all_landmarks is None:
        raise DatasetError(f"{manifest}: found no landmarks, expected x_0..x_67 and y_0..y_67 to say where AUs show")
    return faces


def choose_rows(faces: Manifest, count: int) -> list[int]:
    """Choose faces to draw: people spread evenly over all, and of each the image with the most action units."""
    present = (faces.labels == LabelState.PRESENT).sum(axis=1)
    people = len(faces.subject_names)
    chosen = np.linspace(0, people - 1, min(count, people)).round().astype(int)
    rows = [np.flatnonzero(faces.subject_indices == person) for person in chosen.tolist()]
    return [int(own[present[own].argmax()]) for own in rows if len(own)]


def check_attention(
    model: AttentiveNetwork,
    info: CheckpointInfo,
    faces: Manifest,
    *,
    rows: Sequence[int] = (),
    spread: float | None = None,
    batch_size: int = 32,
) -> AttentionCheck:
    """Compare a network's attention maps with the predefined ones on all faces of a manifest.

    Args:
        model: The network, on the device where it is to run.
        spread: Standard deviation of the predefined maps' bumps, in map cells; CIU's share of the face if left out.

    Raises:
        CheckpointError: The weights know an action unit for which there is no rule where it shows.
        DatasetError: The images can't be cropped as the network needs, or no face has landmarks.
        MediaError: An image is missing or damaged.
    """
    spread = default_spread(model.map_size) if spread is None else spread
    preparation = Preparation(recipe=remaining_crop(faces, info.crop), normalization=info.normalization)
    loader = eval_loader(FaceDataset(faces, preparation), LoaderConfig(batch_size=batch_size))
    tally, drawn, units = AttentionTally(info.action_units), dict[int, DrawnFace](), len(info.action_units)
    side = info.crop.size
    with counting_bar() as bar, torch.inference_mode():
        for batch in bar.track(loader.batches(0), total=loader.steps_per_epoch, description="Looking at faces"):
            look = model.look(batch.images.to(next(model.parameters()).device))
            maps = look.attention[:, :units].float()
            probabilities = model.head(look.features)[:, :units].float().sigmoid()
            try:
                targets = attention_targets(batch.landmarks, info.action_units, image_size=side, spread=spread)
            except ValueError as error:
                raise CheckpointError(f"these weights' maps have nothing to compare with: {error}") from error
            tally.add(maps, targets.to(maps.device))
            for place, row in enumerate(batch.indices.tolist()):
                if row in rows:
                    arrays = [part[place].float().cpu().numpy() for part in (maps, targets, probabilities)]
                    drawn[row] = _drawn(faces, preparation.recipe, info, row, arrays)
    scores = tally.scores()
    if not scores.num_faces.any():
        raise DatasetError(f"{faces.name}: found no face with landmarks inside the crop, expected at least one")
    return AttentionCheck(scores=scores, faces=tuple(drawn[row] for row in rows), spread=spread)


def _drawn(
    faces: Manifest, crop: CropRecipe, info: CheckpointInfo, row: int, arrays: list[Float[np.ndarray, "..."]]
) -> DrawnFace:
    attention, targets, probabilities = arrays
    labels = []
    for unit in info.action_units:
        known = unit in faces.action_units
        labels.append(faces.labels[row, faces.action_units.index(unit)] if known else LabelState.UNKNOWN)
    return DrawnFace(
        name=faces.image_name(row),
        crop=cut_face(faces, crop, row),
        attention=attention,
        targets=targets,
        probabilities=probabilities,
        labels=np.array(labels, np.int8),
    )
