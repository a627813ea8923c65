"""The network at work: normalised crops in, plain arrays out."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from facskit.errors import CheckpointError
from facskit.inference.attention_maps import attentive
from facskit.inference.face_geometry import unmirrored
from facskit.models.devices import choose_device
from facskit.models.layers import FaceNetwork
from facskit.models.weight_header import CheckpointInfo

__all__ = ["NetworkAnswers", "TorchNetwork"]


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkAnswers:
    """What a network says of some faces; what it doesn't answer, or wasn't asked, is None."""

    probabilities: Float32[np.ndarray, "faces outputs"]
    """The action units', then those of the expressions, which sum to 1."""
    intensities: Float32[np.ndarray, "faces aus"] | None = None
    """Expected FACS level of each action unit, 0 to 5."""
    geometry: Float32[np.ndarray, "faces 209"] | None = None
    """Landmarks, deviations and angles in the crops, as `models.answers.Geometry.numbers` has them."""
    attention: Float32[np.ndarray, "faces aus map map"] | None = None
    """Where the network looked for each action unit, over the crops."""


class TorchNetwork:
    """A network that torch runs, on whatever device.

    Args:
        model: From normalised crops (batch, 3, size, size) to logits (batch, outputs), action units first.
        info: What the weight file says about it.

    Raises:
        CheckpointError: The device isn't there.
    """

    def __init__(self, model: nn.Module, info: CheckpointInfo, device: str = "auto") -> None:
        try:
            self.device = torch.device(choose_device(device))
        except LookupError as error:
            raise CheckpointError(f"the weights can't be put on the device {device!r}: {error}") from error
        self.model = model.eval().to(self.device)
        self.info = info

    @torch.inference_mode()
    def answer(
        self, crops: Float32[np.ndarray, "faces 3 size size"], *, mirror: bool = False, attention: bool = False
    ) -> NetworkAnswers:
        """Look at some faces at once.

        Args:
            crops: Cut out and normalised as the weight file says.
            mirror: Take the mean of what is said of the crops and of their mirror images.
            attention: Say where it looked, which is then said of the crops as they are.

        Raises:
            CheckpointError: Attention is wanted of a network that has none.
        """
        images = torch.from_numpy(crops).to(self.device)
        seen = self._see(images, attention=attention)
        if not mirror:
            return seen
        other = self._see(images.flip(-1), attention=False)
        turned = None if other.geometry is None else unmirrored(other.geometry, crops.shape[-1])
        return NetworkAnswers(
            probabilities=(seen.probabilities + other.probabilities) / 2,
            intensities=_mean(seen.intensities, other.intensities),
            geometry=_mean(seen.geometry, turned),
            attention=seen.attention,
        )

    def _see(self, images: Float32[Tensor, "faces 3 size size"], *, attention: bool) -> NetworkAnswers:
        units, model, calibration = len(self.info.action_units), self.model, self.info.calibration
        maps = intensities = geometry = None
        if isinstance(model, FaceNetwork):
            if attention:
                look = attentive(model, self.info).look(images)
                features, maps = look.features, _array(look.attention[:, :units])
            else:
                features = model.features(images)
            logits: Tensor = model.head(features)
            if model.intensity_scale is not None:
                intensities = _array(model.intensity_scale.intensities(logits, calibration))
            if model.geometry is not None:
                geometry = _array(model.geometry(features).numbers())
        else:
            logits = model(images)
        presence, expressions = logits[:, :units].float(), logits[:, units:].float()
        if calibration is not None:
            presence = calibration.logits(presence)
        probabilities = torch.cat([presence.sigmoid(), expressions.softmax(dim=1)], 1)
        return NetworkAnswers(
            probabilities=_array(probabilities), intensities=intensities, geometry=geometry, attention=maps
        )


def _array(values: Float[Tensor, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    found: Float32[np.ndarray, "*shape"] = values.float().cpu().numpy()
    return found


def _mean(
    seen: Float32[np.ndarray, "*shape"] | None, other: Float32[np.ndarray, "*shape"] | None
) -> Float32[np.ndarray, "*shape"] | None:
    return None if seen is None or other is None else (seen + other) / 2
