"""What this installation is made of: versions, devices, weights, what it can read and write."""

import importlib.metadata
import importlib.util
import os
import platform
import sys
from pathlib import Path

import torch

from facskit.faces.codecs import photograph_formats, video_codecs
from facskit.models.weight_files import data_home, installed_weights, packaged_weights
from facskit.version import __version__

__all__ = ["describe_installation"]

_PACKAGES = ("torch", "onnxruntime", "av", "opencv-python-headless", "pillow", "numpy", "polars", "lightning-fabric")
_EXTRAS = {
    "training": ("lightning_fabric", "sklearn", "h5py", "matplotlib"),
    "page": ("fastapi", "uvicorn"),
    "export": ("onnx", "sympy", "lightning_fabric"),
    "synthesis": ("pyvista", "scipy"),
    "heic": ("pillow_heif",),
    "ray": ("ray",),
}
"""Modules that show whether an extra is there."""


def describe_installation() -> dict[str, str]:
    """Return what somebody who helps would ask for first, by what it's called; nothing of it leaves the machine."""
    known = {"facskit": f"{__version__} in {Path(__file__).parent.parent}"}
    known["Python"] = f"{platform.python_version()} ({sys.executable})"
    known["machine"] = f"{platform.platform()}, {os.cpu_count()} processors"
    known["devices"] = ", ".join(_devices())
    known["packages"] = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    known["extras"] = ", ".join(
        f"{extra} {'yes' if all(map(_is_there, needed)) else 'no'}" for extra, needed in _EXTRAS.items()
    )
    known["videos"] = "decodes " + ", ".join(video_codecs())
    known["photographs"] = ", ".join(photograph_formats())
    known["packaged weights"] = ", ".join(packaged_weights()) or "none"
    known["installed weights"] = ", ".join(installed_weights()) or f"none in {data_home()}"
    return known


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _devices() -> list[str]:
    found = ["cpu"]
    found += [f"cuda:{index} ({torch.cuda.get_device_name(index)})" for index in range(torch.cuda.device_count())]
    return found + (["mps"] if torch.backends.mps.is_available() else [])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
