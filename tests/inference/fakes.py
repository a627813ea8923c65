"""A detector, a network and weights small enough to predict by head."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from facskit.action_units import DISFA_8, NO_ACTION_UNITS, ActionUnitSet
from facskit.expressions import ExpressionSet
from facskit.faces.alignment import TEMPLATE, EyeSimilarityCrop
from facskit.faces.detection import Face
from facskit.faces.quality import QualityLimits
from facskit.inference.recognition import Recognition
from facskit.inference.recognizer import Recognizer, RecognizerConfig
from facskit.inference.torch_network import TorchNetwork
from facskit.models.checkpoints import CheckpointInfo
from facskit.models.compact_network import CompactConfig

ANY_FACE = QualityLimits(
    height=0.0, confidence=0.0, yaw=180.0, pitch=180.0, sharpness=0.0, brightness=0.0, inside=0.0, covered=1.0
)
"""What the bright squares below count as reliable faces by."""
THRESHOLDS = (0.5, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.9)


def face_at(x: float, y: float, side: float) -> Face:
    """A face whose eyes are 0.4 box sides apart."""
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    return Face(box, TEMPLATE * 0.4 * side + [x, y - 0.15 * side], 0.9)


class BrightSquares:
    """Takes every bright square block, 20 pixels or more wide, for a face; the blocks must not share columns."""

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Face]:
        bright = image[..., 0] > 180
        columns = np.nonzero(np.diff(np.pad(bright.any(axis=0).astype(int), 1)))[0].reshape(-1, 2)
        faces = []
        for left, right in columns:
            rows = np.nonzero(bright[:, left:right].any(axis=1))[0]
            if right - left >= 20:
                faces.append(face_at((left + right) / 2, float(rows.mean()), float(right - left)))
        return sorted(faces, key=lambda face: face.area, reverse=True)


MOODS = ExpressionSet(("neutral", "happiness", "fear"))


class Ramp(nn.Module):
    """Gives fixed logits from -2 to 2, the same for every crop, and remembers the crops."""

    def __init__(self, outputs: int = len(DISFA_8)) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.linspace(-2, 2, outputs))
        self.batches: list[int] = []

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch outputs"]:
        self.batches.append(len(images))
        return self.logits.expand(len(images), -1)


def info() -> CheckpointInfo:
    return CheckpointInfo(
        model=CompactConfig(),
        action_units=DISFA_8,
        crop=EyeSimilarityCrop(size=32),
        normalization="per-image",
        thresholds=THRESHOLDS,
        licence="CC0-1.0",
    )


def moody(*, units: bool = True) -> Recognizer:
    """A recogniser of expressions, with or without action units."""
    known = DISFA_8 if units else NO_ACTION_UNITS
    described = replace(info(), action_units=known, thresholds=THRESHOLDS[: len(known)], expressions=MOODS)
    config = RecognizerConfig(limits=ANY_FACE)
    return Recognizer(TorchNetwork(Ramp(len(known) + len(MOODS)), described, "cpu"), config, detector=BrightSquares())


def recognizer(config: RecognizerConfig | None = None) -> Recognizer:
    config = config or RecognizerConfig(limits=ANY_FACE)
    return Recognizer(TorchNetwork(Ramp(), info(), "cpu"), config, detector=BrightSquares())


def picture(*blocks: tuple[int, int, int], height: int = 120, width: int = 200) -> UInt8[np.ndarray, "height width 3"]:
    """Dark, with a bright square per block (left, top, side)."""
    image = np.full((height, width, 3), 40, np.uint8)
    for left, top, side in blocks:
        image[top : top + side, left : left + side] = 220
    return image


def recognition(face_id: int = 0, action_units: ActionUnitSet = DISFA_8, **changes: object) -> Recognition:
    values = {
        "source": "photo.jpg",
        "face_id": face_id,
        "box": np.array([20.0, 30.0, 80.0, 110.0]),
        "confidence": 0.9,
        "landmarks": TEMPLATE * 25 + [50, 60],
        "action_units": action_units,
        "probabilities": np.linspace(0, 1, len(action_units), dtype=np.float32),
        "decisions": np.linspace(0, 1, len(action_units)) >= 0.5,
    }
    return Recognition(**(values | changes))  # type: ignore[arg-type]


def moody_recognition(face_id: int = 0, *, units: bool = True, **changes: object) -> Recognition:
    """A face that is happy, with or without action units."""
    probabilities = np.array([0.2, 0.7, 0.1], np.float32)
    known = DISFA_8 if units else NO_ACTION_UNITS
    shown: dict[str, object] = {"expressions": MOODS, "expression_probabilities": probabilities}
    return recognition(face_id, known, **(shown | changes))
