"""What the manifest says of one rendered picture: labels, geometry, circumstances."""

import numpy as np

from facskit import columns
from facskit.action_units import RENDERED
from facskit.synthesis.renderer import RenderedFace
from facskit.synthesis.sampling import SampledAction
from facskit.synthesis.scene import Scene
from facskit.synthesis.studio import Person
from facskit.synthesis.visibility import hidden_units

__all__ = ["picture_row"]

Row = dict[str, str | int | float]


def picture_row(person: Person, sampled: SampledAction, scene: Scene, face: RenderedFace) -> Row:
    """Return the manifest's cells by column, without the picture's place and its subject's name.

    Args:
        sampled: The labels.
        scene: How the picture was taken.
        face: The picture.
    """
    row: Row = {columns.SKIN_TONE: person.looks.skin_tone}
    for number, unit in enumerate(RENDERED):
        row[columns.occurrence(unit)] = int(sampled.occurrences[number])
        row[columns.intensity(unit)] = round(float(sampled.intensities[number]), 4)
        row[columns.level(unit)] = int(sampled.levels[number])
    if sampled.expression is not None:
        row[columns.EXPRESSION] = sampled.expression
    row |= zip(columns.LANDMARKS_X, face.landmarks[:, 0].tolist(), strict=True)
    row |= zip(columns.LANDMARKS_Y, face.landmarks[:, 1].tolist(), strict=True)
    row |= zip(columns.POSE, face.pose.tolist(), strict=True)
    row |= zip(columns.GAZE, np.degrees(face.gaze).tolist(), strict=True)
    hidden = hidden_units(person.looks, face.landmarks, face.pose, len(face.image))
    row[columns.HIDDEN] = " ".join(f"AU{number:02d}:{reason}" for number, reason in hidden.items())
    return row | {f"nuisance_{key}": value for key, value in (person.nuisance() | scene.nuisance()).items()}
