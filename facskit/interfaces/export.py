"""`facskit export`: a recogniser as one ONNX file, smaller or faster if wanted, checked against the original."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import onnxruntime
import torch
import tyro
from jaxtyping import Float, UInt8
from rich.console import Console

from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import packaged_faces, recipe_matrix
from facskit.errors import CheckpointError, RecipeError
from facskit.evaluation.metrics import f1_per_au, macro_mean
from facskit.faces.alignment import border_level
from facskit.faces.images import warp
from facskit.files import atomic_path
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint
from facskit.models.deployed import DeployedNetwork, describe_onnx, write_onnx
from facskit.models.weight_files import find_weights
from facskit.tables import TextTable, number_cell, percent_cell

__all__ = ["ExportConfig", "main"]

_FACES = 240
"""Packaged faces that the files are compared on."""
_TOLERANCE = 1e-3
"""Largest difference of any answer's probability that an exact copy may have."""


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Write a recogniser as one ONNX file that runs without facskit and PyTorch.

    Its input `crops` is uint8 of shape (batch, size, size, 3) in RGB; normalisation is inside. Its outputs are
    `probabilities`, and `expressions`, `intensities`, `landmarks`, `deviations` and `angles` where the weights know
    them. Names, thresholds and the crop recipe are in the metadata.

    Examples:
      facskit export packaged -o model.onnx
      facskit export runs/mine -o small.onnx --precision int8
    """

    weights: tyro.conf.Positional[str]
    """Name of installed weights, or path of a weight file or of a finished run's folder."""
    output: Annotated[Path, tyro.conf.arg(aliases=("-o",))]
    """The file to write, ending in .onnx."""
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    """Numbers in the file: fp16 halves it, int8 quarters it; what that costs is measured and printed."""


def main(arguments: Sequence[str]) -> int:
    """Parse the command's words, write the file and print what was measured; return the exit code."""
    config = tyro.cli(ExportConfig, args=list(arguments), prog="facskit export")
    if config.output.suffix.lower() != ".onnx":
        raise RecipeError(f"{config.output}: found the ending {config.output.suffix!r}, expected .onnx")
    model, info = load_checkpoint(find_weights(config.weights))
    console = Console(highlight=False, soft_wrap=True)
    # A file has the name that was asked for only once it is in the precision that was asked for, and compared.
    with atomic_path(config.output) as part:
        try:
            write_onnx(part, model, info)
            faces = _Faces.of(info)
            if config.precision != "fp32":
                _reduce(part, config.precision, info)
        except ImportError as error:
            raise RecipeError(
                f"facskit export needs {error.name}, which isn't installed: pip install 'facskit[export]'"
            ) from error
        table, difference = _compare(DeployedNetwork(model, info), part, config.output.name, faces)
        console.print(table.to_terminal())
        if config.precision == "fp32" and difference > _TOLERANCE:
            raise CheckpointError(
                f"{config.output} isn't written: its probabilities would differ by {difference:.4f} from those of "
                f"{config.weights}, expected at most {_TOLERANCE}"
            )
    size = config.output.stat().st_size / 1e6
    console.print(
        f"{config.output}: {size:.1f} MB; probabilities differ by at most {difference:.2g} from {config.weights}"
    )
    return 0


@dataclass(frozen=True, eq=False)
class _Faces:
    """Packaged faces as the network wants to see them."""

    manifest: Manifest
    crops: UInt8[np.ndarray, "faces size size 3"]

    @classmethod
    def of(cls, info: CheckpointInfo, first: int = 0) -> "_Faces":
        """Take every sixth packaged face, so that faces from another first one are all others."""
        everyone = packaged_faces()
        manifest = everyone.select(np.arange(first, len(everyone), -(-len(everyone) // _FACES)))
        crops = []
        for row in range(len(manifest)):
            image, landmarks = manifest.image(row), manifest.landmarks(row)
            points = None if landmarks is None else landmarks.astype(np.float64)
            matrix = recipe_matrix(info.crop, image, points, manifest.image_name(row))
            crops.append(warp(image, matrix, info.crop.size, border_level(info.crop)))
        return cls(manifest, np.stack(crops))


def _reduce(path: Path, precision: Literal["fp16", "int8"], info: CheckpointInfo) -> None:
    """Replace a file by one with smaller numbers."""
    import onnx

    with atomic_path(path) as part, tempfile.TemporaryDirectory() as scratch:
        if precision == "fp16":
            from onnxruntime.transformers.float16 import convert_float_to_float16

            graph = convert_float_to_float16(onnx.load(path), keep_io_types=True)
        else:
            from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
            from onnxruntime.quantization.shape_inference import quant_pre_process

            # Not the faces that the file is then compared on.
            others = _Faces.of(info, first=3).crops

            class Reader(CalibrationDataReader):  # type: ignore[misc]
                """Gives the faces whose values decide about the scales."""

                def __init__(self) -> None:
                    self.batches: Iterator[UInt8[np.ndarray, "8 size size 3"]] = iter(np.split(others[:96], 12))

                def get_next(self) -> dict[str, UInt8[np.ndarray, "8 size size 3"]] | None:
                    """Return the next faces, or None after the last."""
                    crops = next(self.batches, None)
                    return None if crops is None else {"crops": crops}

            prepared = Path(scratch) / "prepared.onnx"
            quant_pre_process(str(path), str(prepared))
            # Norms and activations stay as they are: they cost little and would lose most.
            quantize_static(
                str(prepared),
                str(part),
                Reader(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "MatMul", "Gemm"],
                per_channel=True,
            )
            graph = onnx.load(part)
        describe_onnx(graph, info)
        onnx.save(graph, part)


def _compare(network: DeployedNetwork, path: Path, name: str, faces: _Faces) -> tuple[TextTable, float]:
    """Return how a file, called `name`, and the original do on the same faces, and how far they differ."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def in_torch(crops: UInt8[np.ndarray, "faces size size 3"]) -> Float[np.ndarray, "faces outputs"]:
        with torch.inference_mode():
            return network(torch.from_numpy(crops))[0].numpy()

    def in_onnx(crops: UInt8[np.ndarray, "faces size size 3"]) -> Float[np.ndarray, "faces outputs"]:
        return np.asarray(session.run([network.output_names[0]], {"crops": crops})[0])

    answers = {"PyTorch": in_torch(faces.crops), name: in_onnx(faces.crops)}
    times = _milliseconds({"PyTorch": in_torch, name: in_onnx}, faces.crops)
    rows = []
    for form, told in answers.items():
        f1 = _macro_f1(told, faces.manifest, network.info)
        gain = times["PyTorch"] / times[form]
        rows.append((form, number_cell(times[form], 1), number_cell(gain, 2), "-" if f1 is None else percent_cell(f1)))
    table = TextTable(
        title=f"{network.info.model.kind} on {len(faces.crops)} packaged faces, one processor core",
        header=("", "ms a face", "times as fast", "macro F1 %"),
        rows=tuple(rows),
    )
    return table, float(np.abs(answers["PyTorch"] - answers[name]).max())


def _milliseconds(
    runs: dict[str, Callable[[UInt8[np.ndarray, "faces size size 3"]], Float[np.ndarray, "faces outputs"]]],
    crops: UInt8[np.ndarray, "faces size size 3"],
) -> dict[str, float]:
    """Time one face at a time, both in turns, so that a busy machine slows both down; return the medians."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for face in range(30):
        for name, run in runs.items():
            start = time.perf_counter()
            run(crops[face : face + 1])
            times[name].append(1000 * (time.perf_counter() - start))
    torch.set_num_threads(threads)
    return {name: statistics.median(each[5:]) for name, each in times.items()}


def _macro_f1(told: Float[np.ndarray, "faces outputs"], manifest: Manifest, info: CheckpointInfo) -> float | None:
    """Return the macro F1 over the action units that weights and faces share; None without any."""
    shared = [unit for unit in info.action_units if unit in manifest.action_units]
    if not shared:
        return None
    outputs = [info.action_units.index(unit) for unit in shared]
    labels = manifest.labels[:, [manifest.action_units.index(unit) for unit in shared]]
    thresholds = np.array(info.thresholds)[outputs]
    return macro_mean(f1_per_au(labels, told[:, outputs].astype(np.float64), thresholds)).value
