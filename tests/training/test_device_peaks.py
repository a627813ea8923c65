import pytest
import torch

from facskit.training.device_peaks import NumberFormat, peak_flops, peak_tflops
from facskit.training.runtime import RuntimeConfig


@pytest.mark.parametrize(
    ("device", "number_format", "expected"),
    [
        ("NVIDIA A100-SXM4-80GB", "bf16", 312.0),
        ("NVIDIA A100 80GB PCIe", "tf32", 156.0),
        ("NVIDIA H100 80GB HBM3", "bf16", 989.5),
        ("NVIDIA H100 PCIe", "bf16", 756.0),
        ("NVIDIA H200", "bf16", 989.5),
        ("NVIDIA GeForce RTX 3090", "fp16", 71.0),
        ("NVIDIA GeForce RTX 4090", "bf16", 165.2),
        ("NVIDIA L40S", "tf32", 183.0),
        ("NVIDIA L4", "bf16", 121.0),
        ("Tesla V100-SXM2-32GB", "fp16", 125.0),
        ("Tesla V100-PCIE-16GB", "fp32", 14.0),
        ("Tesla T4", "fp16", 65.0),
    ],
)
def test_data_sheets(device: str, number_format: NumberFormat, expected: float) -> None:
    assert peak_tflops(device, number_format) == expected


@pytest.mark.parametrize(
    "device",
    [
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 3090 Ti",
        "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "NVIDIA A10G",
        "NVIDIA GeForce GTX 1080",
        "",
    ],
)
def test_other_devices_have_no_peak(device: str) -> None:
    assert peak_tflops(device, "fp16") is None


def test_a_format_the_matrix_units_lack_has_no_peak() -> None:
    assert peak_tflops("Tesla T4", "bf16") is None


def test_a_processor_has_the_peak_it_was_given_or_none() -> None:
    cpu = torch.device("cpu")
    assert peak_flops(cpu, RuntimeConfig()) is None
    assert peak_flops(cpu, RuntimeConfig(peak_tflops=0.25)) == 2.5e11


def test_rounded_32_bit_numbers_have_a_peak_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA A100-SXM4-80GB")
    cuda = torch.device("cuda", 0)
    for precision, rounding, expected in (("highest", "32", 19.5e12), ("high", "32", 156e12), ("high", "bf16", 312e12)):
        monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda found=precision: found)
        assert peak_flops(cuda, RuntimeConfig(precision=rounding)) == expected  # type: ignore[arg-type]
