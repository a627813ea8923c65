"""The answers of recognition: action units and expression of one face, and all faces of one picture or video frame."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from facskit.action_units import ActionUnit, ActionUnitSet
from facskit.expressions import ExpressionSet
from facskit.faces.quality import FaceQuality, Trouble
from facskit.inference.face_geometry import FaceGeometry

__all__ = ["Recognition", "RecognizedFrame"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recognition:
    """The action units and the expression of one face; weights may know either or both."""

    source: str
    """File the face is from; empty for an image given as an array."""
    frame: int = 0
    """Number of the frame in its video, from 0; 0 for a photograph."""
    timestamp: float = 0.0
    """Seconds from the video's start; 0 for a photograph."""
    face_id: int
    """In a video, an id that stays with the face; in a photograph, 0 for the largest face, then 1, and so on."""
    box: Float[np.ndarray, "4"]
    """Left, top, right and bottom of the face in pixels."""
    confidence: float
    """How sure the detector is that this is a face, 0 to 1."""
    landmarks: Float[np.ndarray, "5 2"]
    """Eyes, nose tip and mouth corners, (x, y) in pixels, the one on the image's left first."""
    action_units: ActionUnitSet
    """Which action unit each probability is for; `NO_ACTION_UNITS` for weights that know none."""
    probabilities: Float32[np.ndarray, " aus"]
    """Probability that each action unit is present. It is no intensity."""
    decisions: Bool[np.ndarray, " aus"]
    """Whether each action unit counts as present: its probability reaches the weight file's threshold for it."""
    intensities: Float32[np.ndarray, " aus"] | None = None
    """Expected FACS level of each action unit, 0 (absent) to 5 (E); None for weights that don't know it."""
    geometry: FaceGeometry | None = None
    """Landmarks, head pose and gaze; None for weights that don't know them."""
    expressions: ExpressionSet | None = None
    """Which expression each of `expression_probabilities` is for; None for weights that know none."""
    expression_probabilities: Float32[np.ndarray, " expressions"] | None = None
    """Probability of each expression; they sum to 1."""
    quality: FaceQuality | None = None
    """How well the face can be seen, and how the head is turned."""
    unreliable_because: tuple[Trouble, ...] = ()
    """What makes the answers about this face unreliable, such as `too small` or `turned away`; empty where nothing is
    known to."""
    attention: Float32[np.ndarray, " aus map map"] | None = None
    """Where the network looked for each action unit, over the crop it saw, about 0 to 1; only when asked for."""
    crop_matrix: Float[np.ndarray, "2 3"] | None = None
    """Map from the picture's pixels to those of the crop that the network saw."""

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        expected = (len(self.action_units),)
        for name in ("probabilities", "decisions"):
            found = getattr(self, name).shape
            if found != expected:
                raise ValueError(f"{name} must have shape {expected}, one per action unit, got {found}")
        if not ((self.probabilities >= 0) & (self.probabilities <= 1)).all():
            raise ValueError(f"probabilities must be from 0 to 1, got {self.probabilities.tolist()}")
        if self.intensities is not None and self.intensities.shape != expected:
            raise ValueError(
                f"intensities must have shape {expected}, one per action unit, got {self.intensities.shape}"
            )
        self._check_expressions()
        if self.attention is not None and len(self.attention) != len(self.action_units):
            raise ValueError(f"attention must have {expected[0]} maps, one per action unit, got {len(self.attention)}")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence must be from 0 to 1, got {self.confidence}")
        if self.frame < 0 or self.face_id < 0:
            raise ValueError(f"frame and face_id must be 0 or more, got {self.frame} and {self.face_id}")

    def _check_expressions(self) -> None:
        if (self.expressions is None) != (self.expression_probabilities is None):
            raise ValueError("expressions and expression_probabilities must be given together or not at all")
        if self.expressions is not None and self.expression_probabilities is not None:
            shape = self.expression_probabilities.shape
            if shape != (len(self.expressions),):
                raise ValueError(f"expression_probabilities must have shape ({len(self.expressions)},), got {shape}")
            if not abs(float(self.expression_probabilities.sum()) - 1) < 1e-3:
                raise ValueError(
                    f"expression_probabilities must sum to 1, got {self.expression_probabilities.tolist()}"
                )

    @property
    def reliable(self) -> bool:
        """Whether nothing is known that makes the answers about this face unreliable."""
        return not self.unreliable_because

    @property
    def present(self) -> tuple[ActionUnit, ...]:
        """The action units that count as present, in column order."""
        return tuple(unit for unit, decision in zip(self.action_units, self.decisions, strict=True) if decision)

    @property
    def expression(self) -> str | None:
        """The most probable expression; None for weights that know none."""
        if self.expressions is None or self.expression_probabilities is None:
            return None
        return self.expressions.names[int(self.expression_probabilities.argmax())]

    def probability(self, unit: ActionUnit | str | int) -> float:
        """Return the probability of one action unit, given by any spelling of it such as `AU12` or 12.

        Raises:
            ValueError: The unit is unknown or not among those recognised.
        """
        return float(self.probabilities[self.action_units.index(unit)])

    def __str__(self) -> str:
        """Return one line for people: the face, its doubts, its expression and its present action units."""
        parts = []
        if self.expression_probabilities is not None:
            parts.append(f"{self.expression} {self.expression_probabilities.max():.2f}")
        if self.action_units:
            units = ", ".join(f"{unit.code} {unit.name.lower()} {self.probability(unit):.2f}" for unit in self.present)
            parts.append(units or "no action unit")
        doubt = "" if self.reliable else f" (unreliable: {', '.join(self.unreliable_because)})"
        return f"face {self.face_id}{doubt}: {'; '.join(parts)}"


@dataclass(frozen=True, kw_only=True, eq=False)
class RecognizedFrame:
    """One photograph or video frame with all its faces; without any when none was found."""

    source: str
    """File the picture is from; empty for an image given as an array."""
    frame: int
    """Number of the frame in its video, from 0; 0 for a photograph."""
    timestamp: float
    """Seconds from the video's start; 0 for a photograph."""
    image: UInt8[np.ndarray, "height width 3"]
    """The picture itself."""
    faces: tuple[Recognition, ...]
    """The faces, largest first."""

    def called(self, source: str) -> "RecognizedFrame":
        """Return the same from a file of another name."""
        faces = tuple(replace(face, source=source) for face in self.faces)
        return replace(self, source=source, faces=faces)
