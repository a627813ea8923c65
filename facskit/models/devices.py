"""The choice of the device that computes, and what to say when it isn't there."""

from collections.abc import Sequence
from typing import Literal, overload

__all__ = ["Device", "DeviceName", "choose_device"]

DeviceName = Literal["cpu", "cuda", "mps"]
"""Kinds of device: the processor, an NVIDIA or AMD graphics processor, Apple's."""
Device = Literal["auto", "cpu", "cuda", "mps"]
"""What may be asked for; `auto` takes a graphics processor when there is one."""


@overload
def choose_device(wanted: Device, preferred: Sequence[DeviceName] = ...) -> DeviceName: ...


@overload
def choose_device(wanted: str, preferred: Sequence[DeviceName] = ...) -> str: ...


def choose_device(wanted: str, preferred: Sequence[DeviceName] = ("cuda", "mps", "cpu")) -> str:
    """Choose a device that this machine has.

    Args:
        wanted: A `Device`, or one of several graphics processors such as `cuda:1`.
        preferred: What `auto` tries, in this order; it ends with a device that every machine has.

    Raises:
        LookupError: The machine doesn't have it, or there is no such kind; the message says what it has, without a full
            stop.
    """
    import torch  # noqa: PLC0415 - a second to import, which exported networks don't need

    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if wanted == "auto":
        return next(name for name in preferred if counts[name])
    kind, colon, number = wanted.partition(":")
    if kind not in counts or (colon and not number.isdecimal()):
        raise LookupError("there is no such device; expected auto, cpu, cuda, mps or one of several such as cuda:1")
    if int(number or 0) >= counts[kind]:
        found = ", ".join(_called(name, count) for name, count in counts.items() if count)
        raise LookupError(f"this machine has no {wanted!r}; it has {found}")
    return wanted


def _called(name: str, count: int) -> str:
    return name if count == 1 else f"{name}:0 to {name}:{count - 1}"
