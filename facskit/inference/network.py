"""A network at work, whatever runs it: crops in, plain arrays out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from facskit.errors import CheckpointError
from facskit.inference.face_geometry import unmirrored
from facskit.models.recognition_info import RecognitionInfo

__all__ = ["AnsweringNetwork", "NetworkAnswers"]


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkAnswers:
    """What a network says of some faces; what it doesn't answer, or wasn't asked, is None."""

    probabilities: Float32[np.ndarray, "faces outputs"]
    """The action units', then those of the expressions, which sum to 1."""
    intensities: Float32[np.ndarray, "faces aus"] | None = None
    """Expected FACS level of each action unit, 0 to 5."""
    geometry: Float32[np.ndarray, "faces 209"] | None = None
    """Landmarks, deviations and angles in the crops, as `models.answer_heads.Geometry.numbers` has them."""
    attention: Float32[np.ndarray, "faces aus map map"] | None = None
    """Where the network looked for each action unit, over the crops."""


class AnsweringNetwork(ABC):
    """A recogniser's network, open and ready."""

    info: RecognitionInfo
    """What its file says about it."""
    device: str
    """Where it runs."""

    @abstractmethod
    def check_attentive(self) -> None:
        """Refuse to say where it looks, by a CheckpointError, if it can't."""

    @property
    def is_attentive(self) -> bool:
        """Whether it can say where it looks."""
        try:
            self.check_attentive()
        except CheckpointError:
            return False
        return True

    @abstractmethod
    def see(self, crops: UInt8[np.ndarray, "faces size size 3"], *, attention: bool = False) -> NetworkAnswers:
        """Answer for crops as they are; `answer` has the arguments."""

    def answer(
        self, crops: UInt8[np.ndarray, "faces size size 3"], *, mirror: bool = False, attention: bool = False
    ) -> NetworkAnswers:
        """Look at some faces at once.

        Args:
            crops: In RGB, cut out as the file says.
            mirror: Take the mean of what is said of the crops and of their mirror images.
            attention: Say where it looked, which is then said of the crops as they are.

        Raises:
            CheckpointError: Attention is wanted of a network that has none.
        """
        seen = self.see(crops, attention=attention)
        if not mirror:
            return seen
        other = self.see(np.ascontiguousarray(crops[:, :, ::-1]))
        turned = None if other.geometry is None else unmirrored(other.geometry, crops.shape[2])
        return NetworkAnswers(
            probabilities=(seen.probabilities + other.probabilities) / 2,
            intensities=_mean(seen.intensities, other.intensities),
            geometry=_mean(seen.geometry, turned),
            attention=seen.attention,
        )


def _mean(
    seen: Float32[np.ndarray, "*shape"] | None, other: Float32[np.ndarray, "*shape"] | None
) -> Float32[np.ndarray, "*shape"] | None:
    return None if seen is None or other is None else (seen + other) / 2
