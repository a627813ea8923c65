"""The network of an exported file (`facskit export`), which onnxruntime or OpenVINO runs without PyTorch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from jaxtyping import Float32, UInt8

from facskit.errors import CheckpointError
from facskit.faces.onnx_sessions import open_session
from facskit.inference.network import AnsweringNetwork, NetworkAnswers
from facskit.models.recognition_info import recognition_from_dict

__all__ = ["EXPORTED", "ExportedNetwork"]

EXPORTED = ".onnx"
"""Ending of exported files."""
_PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
"""What onnxruntime calls the devices, in the order in which `auto` tries them."""

_Run = Callable[[UInt8[np.ndarray, "faces size size 3"]], dict[str, Float32[np.ndarray, "faces ..."]]]


class ExportedNetwork(AnsweringNetwork):
    """A network in an ONNX file that facskit wrote: pixels in, answers out.

    Args:
        path: The file.
        backend: What runs it. OpenVINO is a package of its own, and runs on the processor.
        device: `auto`, `cpu`, or `cuda` where onnxruntime has it.

    Raises:
        CheckpointError: The file can't be read or wasn't written by facskit, or the device or package isn't there.
    """

    def __init__(self, path: Path, backend: Literal["onnx", "openvino"] = "onnx", device: str = "auto") -> None:
        if not path.is_file():
            raise CheckpointError(f"{path}: found nothing there, expected a file that facskit export wrote")
        self._opened = (path, backend, device)
        try:
            session = open_session(str(path), provider=_PROVIDERS["cpu"])
        except Exception as error:  # onnxruntime's errors have no common base
            raise CheckpointError(f"{path} can't be read as an ONNX file ({_first_line(error)})") from error
        about = session.get_modelmeta().custom_metadata_map.get("facskit")
        if about is None:
            raise CheckpointError(f"{path} was not written by facskit export: its metadata has no entry 'facskit'")
        try:
            description = json.loads(about)
        except ValueError as error:
            raise CheckpointError(f"{path} is damaged: its metadata 'facskit' is not JSON ({error})") from error
        self.info = recognition_from_dict(path, description)
        names = [output.name for output in session.get_outputs()]
        if backend == "openvino":
            self.device, self._run = "cpu", _in_openvino(path, names, device)
        else:
            self.device, self._run = _in_onnxruntime(path, session, names, device)

    def __reduce__(self) -> tuple[Callable[..., "ExportedNetwork"], tuple[object, ...]]:
        """Let other processes open it too."""
        return ExportedNetwork, self._opened

    def check_attentive(self) -> None:
        """Refuse to say where it looks: attention maps aren't exported."""
        raise CheckpointError(
            f"{self._opened[0]}: an exported network doesn't say where it looks; expected the weights it was made of"
        )

    def see(self, crops: UInt8[np.ndarray, "faces size size 3"], *, attention: bool = False) -> NetworkAnswers:
        """Answer for crops as they are; `answer` has the arguments."""
        if attention:
            self.check_attentive()
        found = self._run(crops)
        outputs = [found[name] for name in ("probabilities", "expressions") if name in found]
        geometry = None
        if "landmarks" in found:
            points = found["landmarks"].reshape(len(crops), -1)
            geometry = np.concatenate([points, found["deviations"], found["angles"]], axis=1)
        return NetworkAnswers(
            probabilities=np.concatenate(outputs, axis=1), intensities=found.get("intensities"), geometry=geometry
        )


def _in_onnxruntime(
    path: Path, session: onnxruntime.InferenceSession, names: list[str], device: str
) -> tuple[str, _Run]:
    there = [name for name, provider in _PROVIDERS.items() if provider in onnxruntime.get_available_providers()]
    chosen = there[0] if device == "auto" else device
    if chosen not in there:
        raise CheckpointError(f"{path} can't run on the device {device!r}: onnxruntime here has {', '.join(there)}")
    if chosen != "cpu":
        session = open_session(str(path), provider=_PROVIDERS[chosen])

    def run(crops: UInt8[np.ndarray, "faces size size 3"]) -> dict[str, Float32[np.ndarray, "faces ..."]]:
        return dict(zip(names, session.run(names, {"crops": crops}), strict=True))

    return chosen, run


def _in_openvino(path: Path, names: list[str], device: str) -> _Run:
    if device not in {"auto", "cpu"}:
        raise CheckpointError(f"{path} can't run on the device {device!r}: OpenVINO runs it on the processor")
    try:
        import openvino  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise CheckpointError("OpenVINO isn't installed: pip install 'facskit[openvino]'") from error
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(crops: UInt8[np.ndarray, "faces size size 3"]) -> dict[str, Float32[np.ndarray, "faces ..."]]:
        found = compiled(crops)
        return {name: found[place] for place, name in enumerate(names)}

    return run


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
