"""What runs a recogniser's network: PyTorch, or onnxruntime or OpenVINO from an exported file."""

import hashlib
from pathlib import Path
from typing import Literal

from facskit.errors import CheckpointError
from facskit.inference.exported_network import EXPORTED, ExportedNetwork
from facskit.inference.network import AnsweringNetwork
from facskit.models.weight_files import data_home, find_weights, packaged_export
from facskit.version import __version__

__all__ = ["Backend", "open_network"]

Backend = Literal["auto", "torch", "onnx", "openvino"]
"""What may be asked for; `auto` takes onnxruntime for an exported file and for weights that come with an exported
copy, as long as they needn't run on anything but the processor, and PyTorch for all others."""


def open_network(
    weights: str | Path = "packaged", device: str = "auto", backend: Backend = "auto", *, attention: bool = False
) -> AnsweringNetwork:
    """Open weights, or a file that `facskit export` wrote.

    Args:
        weights: As `find_weights` takes them; a path that ends in .onnx is an exported file.
        backend: What runs the network. Weights are exported for `onnx` and `openvino` once, into `data_home()`.
        attention: It will be asked where it looks, which an exported network doesn't say.

    Raises:
        CheckpointError: The weights don't exist, are damaged, can't be run so, or the device isn't there.
    """
    path = find_weights(weights)
    exported = path if path.suffix.lower() == EXPORTED else packaged_export(path)
    if backend == "auto":
        runs_there = path == exported or (device in {"auto", "cpu"} and not attention)
        backend = "onnx" if exported is not None and runs_there else "torch"
    if backend == "torch":
        if path == exported:
            raise CheckpointError(f"{path}: PyTorch can't run an exported network; expected the weights it was made of")
        # A second to import, which an exported network doesn't need.
        from facskit.inference.torch_network import TorchNetwork  # noqa: PLC0415
        from facskit.models.checkpoints import load_checkpoint  # noqa: PLC0415

        return TorchNetwork(*load_checkpoint(path), device)
    return ExportedNetwork(exported or _exported(path), backend, device)


def _exported(weights: Path) -> Path:
    """Return the exported copy of weights, and write it if there is none of this version."""
    if not weights.is_file():
        raise CheckpointError(f"{weights}: found nothing there, expected a weight file")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    file = data_home() / "exported" / f"{weights.stem}-{digest}-{__version__}{EXPORTED}"
    if not file.is_file():
        from facskit.models.checkpoints import load_checkpoint  # noqa: PLC0415
        from facskit.models.deployed import write_onnx  # noqa: PLC0415

        try:
            write_onnx(file, *load_checkpoint(weights))
        except ImportError as error:
            raise CheckpointError(
                f"{weights} must be exported first, which needs {error.name}: pip install 'facskit[export]'"
            ) from error
    return file
