"""Names of the columns in manifests and result tables: one place, so that writers and readers can't drift apart.

Landmark and pose columns follow OpenFace (`x_0`..`y_67` in pixels, `pose_Rx`, `pose_Ry`, `pose_Rz` in radians).
"""

from facskit.action_units import ActionUnit

__all__ = [
    "EXPRESSION",
    "FRAME",
    "GAZE",
    "HEAD",
    "HIDDEN",
    "IMAGE",
    "IMAGE_BYTES",
    "LANDMARKS_X",
    "LANDMARKS_Y",
    "NEUTRAL_IMAGE",
    "POSE",
    "RECORDING",
    "SKIN_TONE",
    "SPLIT",
    "SUBJECT",
    "intensity",
    "level",
    "occurrence",
]

IMAGE = "image"
"""Path of the image relative to the manifest's folder; for packed images, its name."""
IMAGE_BYTES = "image_bytes"
"""The encoded image itself, in packed Parquet files."""
SUBJECT = "subject"
"""Who is in the picture; what folds keep apart."""
RECORDING = "recording"
"""The video or session the frame is from."""
FRAME = "frame"
"""Number of the frame within its recording."""
EXPRESSION = "expression"
"""Name of the facial expression as `facskit.expressions` spells it, or empty for unknown."""
SPLIT = "split"
"""Which part of a corpus's own division the image is in: `train`, `validation` or `test`."""
HEAD = "head"
"""Which morphable head a rendered face has, such as `makehuman`."""
SKIN_TONE = "skin_tone"
"""Skin tone group, 1 (lightest) to 10 (darkest)."""
LANDMARKS_X = tuple(f"x_{point}" for point in range(68))
"""Horizontal pixel positions of the 68 iBUG landmarks."""
LANDMARKS_Y = tuple(f"y_{point}" for point in range(68))
"""Vertical pixel positions of the 68 iBUG landmarks, downwards."""
POSE = ("pose_Rx", "pose_Ry", "pose_Rz")
"""Head rotation in radians: pitch, yaw, roll."""

GAZE = ("gaze_pitch", "gaze_yaw")
"""Direction of the eyes in the head in degrees: upwards, and towards the subject's left."""
NEUTRAL_IMAGE = "neutral_image"
"""Path of a picture of the same person at rest, taken under the same circumstances as their first one."""
HIDDEN = "hidden"
"""Which action units can't be seen and why, such as `AU05:glasses AU17:beard`; empty where all can."""


def occurrence(unit: ActionUnit) -> str:
    """Return the column that says whether the AU is present: 1, 0, or empty for unknown."""
    return unit.code


def intensity(unit: ActionUnit) -> str:
    """Return the column of the AU's intensity from 0 (absent) to 1 (strongest possible)."""
    return f"{unit.code}_intensity"


def level(unit: ActionUnit) -> str:
    """Return the column of the AU's FACS level: 0 for none, 1 to 5 for the letters A to E."""
    return f"{unit.code}_level"
