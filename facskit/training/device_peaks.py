"""Peak speeds of accelerators: the yardstick for how much of one a training run uses.

The numbers are those of the makers' data sheets for dense matrices, in 10^12 operations per second. A device that isn't
in the table has no peak, and a log without a share is better than one with a wrong share.
"""

import re
from dataclasses import dataclass
from typing import Literal

import torch

from facskit.training.runtime import RuntimeConfig

__all__ = ["NumberFormat", "peak_flops", "peak_tflops"]

NumberFormat = Literal["fp32", "tf32", "bf16", "fp16"]
"""What matrix units multiply; `tf32` is what they make of 32-bit numbers that may be rounded."""


@dataclass(frozen=True)
class _Peaks:
    """Data sheet of one device; `half` is FP16 with sums in FP32."""

    words: frozenset[str]
    fp32: float
    tf32: float
    bf16: float
    fp16: float


def _row(words: str, fp32: float, tf32: float, half: float, *, bf16: bool = True) -> _Peaks:
    return _Peaks(frozenset(words.split()), fp32, tf32, half if bf16 else 0.0, half)


_TABLE = (
    # More particular names come first. Sheets that give rates "with sparsity" are halved.
    _row("B200", 75.0, 1125.0, 2250.0),  # NVIDIA HGX B200 data sheet, an eighth of it
    _row("H200 NVL", 60.0, 417.5, 835.5),  # NVIDIA H200 data sheet
    _row("H200", 67.0, 494.5, 989.5),  # NVIDIA H200 data sheet, SXM
    _row("H100 PCIe", 51.0, 378.0, 756.0),  # NVIDIA H100 PCIe product brief
    _row("H100 NVL", 60.0, 417.5, 835.5),  # NVIDIA H100 data sheet
    _row("H100", 67.0, 494.5, 989.5),  # NVIDIA H100 data sheet, SXM
    _row("A100", 19.5, 156.0, 312.0),  # NVIDIA A100 data sheet, SXM and PCIe alike
    _row("A40", 37.4, 74.8, 149.7),  # NVIDIA A40 data sheet
    _row("A10", 31.2, 62.5, 125.0),  # NVIDIA A10 data sheet
    _row("L40S", 91.6, 183.0, 362.0),  # NVIDIA L40S data sheet
    _row("L4", 30.3, 60.0, 121.0),  # NVIDIA L4 data sheet
    _row("RTX A6000", 38.7, 77.4, 154.8),  # NVIDIA Ampere GA102 white paper
    _row("RTX 6000 Ada", 91.1, 182.1, 364.2),  # NVIDIA Ada white paper for professionals
    _row("RTX 3090", 35.6, 35.6, 71.0),  # NVIDIA Ampere GA102 white paper: sums in FP32 run at half the speed
    _row("RTX 4090", 82.6, 82.6, 165.2),  # NVIDIA Ada white paper, sums in FP32
    _row("V100S", 16.4, 16.4, 130.0, bf16=False),  # NVIDIA V100 data sheet
    _row("V100 SXM2", 15.7, 15.7, 125.0, bf16=False),  # NVIDIA V100 data sheet
    _row("V100 PCIE", 14.0, 14.0, 112.0, bf16=False),  # NVIDIA V100 data sheet
    _row("T4", 8.1, 8.1, 65.0, bf16=False),  # NVIDIA T4 data sheet
)
_OTHER_DEVICES = frozenset({"Laptop", "MIG", "Max", "D", "Ti", "SUPER"})
"""Words in the names of slower or faster devices with otherwise the same name, and of parts of devices."""


def peak_tflops(device: str, number_format: NumberFormat) -> float | None:
    """Look up the peak of an accelerator.

    Args:
        device: The name its driver gives, for example `NVIDIA A100-SXM4-80GB`.

    Returns:
        Dense matrix operations in 10^12 per second, or None for a device or format that nobody looked up.
    """
    words = set(re.split(r"[\s-]+", device))
    if words & _OTHER_DEVICES:
        return None
    for peaks in _TABLE:
        if peaks.words <= words:
            return float(getattr(peaks, number_format)) or None
    return None


def peak_flops(device: torch.device, config: RuntimeConfig) -> float | None:
    """Return the peak of one device of a run in operations per second, or None if nobody knows.

    Args:
        config: Its `peak_tflops` comes first; its `precision` chooses the matrix units.
    """
    if config.peak_tflops:
        return 1e12 * config.peak_tflops
    if device.type != "cuda":
        return None
    number_format: NumberFormat
    if config.precision == "32":
        number_format = "fp32" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    else:
        number_format = config.precision
    found = peak_tflops(torch.cuda.get_device_name(device), number_format)
    return None if found is None else 1e12 * found
