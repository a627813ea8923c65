"""Heads for what a network answers beside presence, from the same features: intensities, geometry of the face."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facskit.faces.angles import ANGLES
from facskit.models.answers import LEVELS
from facskit.models.calibration import Calibration

__all__ = ["Geometry", "GeometryHead", "IntensityScale"]

_POINTS = 68
_ANGLE_UNIT = 30.0
"""Degrees that one unit of the head's output stands for."""


class IntensityScale(nn.Module):
    """Reads intensities from the logits of presence: one ordinal scale per action unit.

    An AU's logit z says how strong it looks. It is at least at level t with the probability s(z - c_t), where the cut
    points c_1 < ... < c_5 are learned and c_2 is 0: presence is level B or more, so that presence and intensity can't
    contradict each other. The intensity is the expected level, 0 to 5: the sum of the five probabilities.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.full((units, LEVELS - 1), math.log(math.expm1(1.0))))

    def cut_points(self) -> Float[Tensor, "aus 5"]:
        """Return the cut points of the levels A to E, ascending."""
        steps = functional.softplus(self.steps.float())
        zero = torch.zeros_like(steps[:, :1])
        return torch.cat([-steps[:, :1], zero, steps[:, 1:].cumsum(1)], dim=1)

    def forward(self, logits: Float[Tensor, "batch aus"]) -> Float[Tensor, "batch aus 5"]:
        """Return the logits of being at least at each level."""
        return logits.float()[..., None] - self.cut_points()

    def intensities(
        self, logits: Float[Tensor, "batch aus"], calibration: Calibration | None = None
    ) -> Float[Tensor, "batch aus"]:
        """Return the intensities, 0 to 5, on the scale's device.

        Args:
            logits: The network's own, of presence.
            calibration: What is applied to the logits of each level, as it is to those of presence.
        """
        levels = self(logits.to(self.steps.device))
        if calibration is not None:
            levels = calibration.logits(levels.transpose(1, 2)).transpose(1, 2)
        return levels.sigmoid().sum(-1)

    def select(self, units: Sequence[int]) -> "IntensityScale":
        """Return the scale of some of the action units, by their places."""
        chosen = IntensityScale(len(units))
        chosen.steps = nn.Parameter(self.steps.detach()[list(units)])
        return chosen


@dataclass(frozen=True, kw_only=True, eq=False)
class Geometry:
    """Where the points of faces are, and how head and eyes are turned, as seen in the crop."""

    points: Float[Tensor, "batch 68 2"]
    """The iBUG landmarks (x, y) in pixels of the crop."""
    deviations: Float[Tensor, "batch 68"]
    """Standard deviation of each landmark along each axis, in pixels of the crop, as the network estimates it."""
    angles: Float[Tensor, "batch 5"]
    """Pose and gaze in degrees, as `facskit.faces.angles` names them, as seen in the crop."""

    def numbers(self) -> Float[Tensor, "batch 209"]:
        """Return all of it side by side: x and y of each point in turn, deviations, angles."""
        return torch.cat([self.points.flatten(1), self.deviations, self.angles], dim=1)

    @classmethod
    def of(cls, numbers: Any) -> "Geometry":  # noqa: ANN401 - a tensor, or an array of another run time
        """Take apart what `numbers` returned, for each face."""
        points = numbers[:, : 2 * _POINTS].reshape(-1, _POINTS, 2)
        return cls(points=points, deviations=numbers[:, 2 * _POINTS : 3 * _POINTS], angles=numbers[:, 3 * _POINTS :])


class GeometryHead(nn.Module):
    """A small perceptron from features to landmarks, their uncertainties, pose and gaze.

    Args:
        dim: Length of the features.
        image_size: Side of the crops in pixels.
    """

    def __init__(self, dim: int, image_size: int, hidden: int = 256) -> None:
        super().__init__()
        self.image_size = image_size
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, 3 * _POINTS + len(ANGLES))
        nn.init.trunc_normal_(self.fc2.weight, std=0.01)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, features: Float[Tensor, "batch dim"]) -> Geometry:
        """Describe the faces; fresh weights put every point in the middle of the crop."""
        raw: Tensor = self.fc2(functional.gelu(self.fc1(features))).float()
        half = self.image_size / 2
        points = raw[:, : 2 * _POINTS].reshape(-1, _POINTS, 2) * half + (half - 0.5)
        # A tenth of a pixel at least, so that no single point's certainty drowns the others.
        deviations = half * 0.1 * functional.softplus(raw[:, 2 * _POINTS : 3 * _POINTS]) + 0.1
        return Geometry(points=points, deviations=deviations, angles=raw[:, 3 * _POINTS :] * _ANGLE_UNIT)
