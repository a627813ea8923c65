"""The choice of the device that computes, and what to say when it isn't there."""

from collections.abc import Sequence
from typing import Literal

import torch

__all__ = ["Device", "DeviceName", "choose_device"]

DeviceName = Literal["cpu", "cuda", "mps"]
"""Kinds of device: the processor, an NVIDIA or AMD graphics processor, Apple's."""
Device = Literal["auto", "cpu", "cuda", "mps"]
"""What may be asked for; `auto` takes a graphics processor when there is one."""


def choose_device(wanted: Device, preferred: Sequence[DeviceName] = ("cuda", "mps", "cpu")) -> DeviceName:
    """Choose a device that this machine has.

    Args:
        preferred: What `auto` tries, in this order; it ends with a device that every machine has.

    Raises:
        LookupError: The machine doesn't have it; the message says what it has, without a full stop.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in preferred if available[name])
    if not available[wanted]:
        found = ", ".join(name for name, there in available.items() if there)
        raise LookupError(f"this machine has no {wanted!r}; it has {found}")
    return wanted
