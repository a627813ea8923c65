"""The network that PyTorch runs, on whatever device."""

import copy
import os
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from facskit.errors import CheckpointError
from facskit.faces.normalization import normalize
from facskit.inference.network import AnsweringNetwork, NetworkAnswers
from facskit.models.attention_network import attention_taught
from facskit.models.devices import choose_device
from facskit.models.layers import AttentiveNetwork, FaceNetwork
from facskit.models.weight_header import CheckpointInfo

__all__ = ["TorchNetwork", "attentive"]


class TorchNetwork(AnsweringNetwork):
    """A network that PyTorch runs.

    Args:
        model: From normalised crops (batch, 3, size, size) to logits (batch, outputs), action units first.
        info: What the weight file says about it.
        device: `auto`, `cpu`, `cuda`, `mps`, or one of several such as `cuda:1`.

    Raises:
        CheckpointError: The device isn't there.
    """

    def __init__(self, model: nn.Module, info: CheckpointInfo, device: str = "auto") -> None:
        try:
            self.device = choose_device(device)
        except LookupError as error:
            raise CheckpointError(f"the weights can't be put on the device {device!r}: {error}") from error
        self.model = model.eval().to(self.device)
        self.info: CheckpointInfo = info

    def __reduce__(self) -> tuple[Callable[..., "TorchNetwork"], tuple[object, ...]]:
        """Let other processes have it too, wherever the weights lie."""
        return TorchNetwork, (copy.deepcopy(self.model).cpu(), self.info, self.device)

    def check_attentive(self) -> None:
        """Refuse to say where it looks, by a CheckpointError, if it can't."""
        attentive(self.model, self.info)

    @torch.inference_mode()
    def see(self, crops: UInt8[np.ndarray, "faces size size 3"], *, attention: bool = False) -> NetworkAnswers:
        """Answer for crops as they are; `answer` has the arguments."""
        normalised = np.stack([normalize(crop, self.info.normalization) for crop in crops])
        images = torch.from_numpy(normalised).to(self.device)
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


def attentive(model: nn.Module, info: CheckpointInfo) -> AttentiveNetwork:
    """Return the network, and refuse one that has no attention maps by a CheckpointError."""
    if not isinstance(model, AttentiveNetwork):
        raise CheckpointError(
            f"these weights have no attention maps: found a network of kind {info.model.kind!r}, expected one that "
            "learns where to look, such as kind 'attention'"
        )
    if not attention_taught(info.provenance):
        raise CheckpointError(
            "these weights were never taught where to look (their objective gave attention no weight), so that their "
            "attention maps mean nothing"
        )
    return model


def _array(values: Float[Tensor, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    found: Float32[np.ndarray, "*shape"] = values.float().cpu().numpy()
    return found


def _one_thread_after_fork() -> None:
    """A forked process has lost the threads of its parent's pool, and would wait for them for ever."""
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread_after_fork)
