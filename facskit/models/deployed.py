"""A recogniser as one ONNX file that needs nothing of facskit: pixels in, answers out, the rest in its metadata."""

import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from facskit.faces.normalization import IMAGENET_MEAN, IMAGENET_STD
from facskit.files import atomic_path
from facskit.models.layers import FaceNetwork
from facskit.models.weight_header import CheckpointInfo, header_to_dict

if TYPE_CHECKING:
    import onnx

__all__ = ["DeployedNetwork", "write_onnx"]

_OPSET = 17


class DeployedNetwork(nn.Module):
    """A network with everything around it: normalisation before, calibration and activations behind.

    Args:
        model: The network; whatever an objective once added to it, such as a subject head, isn't in it.
        info: What its weight file says about it.
    """

    def __init__(self, model: FaceNetwork, info: CheckpointInfo) -> None:
        super().__init__()
        self.model = model
        self.info = info
        # All of it, since the exporter puts the whole back into the mode that it found the outermost part in.
        self.eval()

    @property
    def output_names(self) -> list[str]:
        """What `forward` returns, in order."""
        names = ["probabilities"] if self.info.action_units else []
        names += ["expressions"] if self.info.expressions is not None else []
        names += ["intensities"] if self.info.answers.intensities else []
        return names + (["landmarks", "deviations", "angles"] if self.info.answers.geometry else [])

    def forward(self, crops: UInt8[Tensor, "batch size size 3"]) -> tuple[Float[Tensor, "batch ..."], ...]:
        """Answer for crops in RGB, cut out as the crop recipe says."""
        features = self.model.features(self._normalised(crops.float() / 255).permute(0, 3, 1, 2).contiguous())
        logits: Tensor = self.model.head(features)
        units, calibration = len(self.info.action_units), self.info.calibration
        presence, answers = logits[:, :units], []
        if units:
            calibrated = presence if calibration is None else calibration.logits(presence)
            answers.append(calibrated.sigmoid())
        if self.info.expressions is not None:
            answers.append(logits[:, units:].softmax(dim=1))
        if self.model.intensity_scale is not None:
            answers.append(self.model.intensity_scale.intensities(presence, calibration))
        if self.model.geometry is not None:
            geometry = self.model.geometry(features)
            answers += [geometry.points, geometry.deviations, geometry.angles]
        return tuple(answers)

    def _normalised(self, values: Float[Tensor, "batch size size 3"]) -> Float[Tensor, "batch size size 3"]:
        """Do what `facskit.faces.normalization.normalize` does, in the graph."""
        match self.info.normalization:
            case "per-image":
                mean = values.mean(dim=(1, 2, 3), keepdim=True)
                deviation = (values - mean).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
                return (values - mean) / deviation.clamp(min=1 / 255)
            case "imagenet":
                return (values - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)
            case "symmetric":
                return values * 2 - 1


def write_onnx(path: Path, model: FaceNetwork, info: CheckpointInfo) -> None:
    """Write a recogniser as an ONNX file with a free batch size; it appears complete or not at all.

    The metadata has `action_units`, `expressions`, `thresholds` and `crop` for other programs, and under `facskit` all
    that the weight file says.

    Raises:
        ImportError: The package onnx isn't installed.
    """
    import onnx  # noqa: PLC0415 - an extra

    network = DeployedNetwork(model, info)
    size = info.crop.size
    example = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    with atomic_path(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about tracing checks of shapes, which hold for every batch
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            network,
            (example,),
            str(part),
            input_names=["crops"],
            output_names=network.output_names,
            dynamic_axes={name: {0: "batch"} for name in ("crops", *network.output_names)},
            opset_version=_OPSET,
            dynamo=False,
        )
        graph = onnx.load(part)
        describe_onnx(graph, info)
        onnx.save(graph, part)


def describe_onnx(graph: "onnx.ModelProto", info: CheckpointInfo) -> None:
    """Write into a graph's metadata what the weight file says."""
    header: dict[str, Any] = header_to_dict(info)
    entries = {"facskit": header}
    entries |= {name: header[name] for name in ("action_units", "expressions", "thresholds", "crop")}
    del graph.metadata_props[:]
    for name, value in entries.items():
        graph.metadata_props.add(key=name, value=json.dumps(value))
