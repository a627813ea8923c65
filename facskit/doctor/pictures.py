"""Pictures looked at one by one: whether they decode, in a sample spread evenly over all of them, or in all."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from facskit.datasets.findings import Finding
from facskit.doctor.checkup import Checkup, finding_of
from facskit.errors import MediaError

__all__ = ["SAMPLE", "with_pictures"]

SAMPLE = 400
"""Most pictures that are decoded unless all are wanted: a few seconds of work."""
_MANY = 2000


def with_pictures(
    checkup: Checkup, names: Sequence[str], decode: Callable[[int], object], *, every_picture: bool = False
) -> Checkup:
    """Add to a checkup how many pictures were decoded, and each that can't be.

    Args:
        names: What messages call each picture that is there.
        decode: Decodes the picture at a position in `names`, or raises a `MediaError`.
    """
    if not names:
        return checkup
    step = 1 if every_picture else -(-len(names) // SAMPLE)
    chosen = range(0, len(names), step)
    faults: list[Finding] = []
    for position in track(chosen, "Decoding", console=Console(stderr=True), disable=len(chosen) < _MANY):
        try:
            decode(position)
        except MediaError as error:
            faults.append(finding_of(error, Path(names[position]), "damaged picture"))
    rest = "" if step == 1 else "; --every-picture decodes all"
    return checkup.adding(facts=[f"decoded {len(chosen):,} of {len(names):,} pictures{rest}"], findings=faults)
