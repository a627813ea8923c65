"""Milliseconds a face on one processor core: `python -m benchmarks.inference_speed`.

Prints the median time and its ratio to the budget of 12 ms, and exits with 1 when the compact network exceeds it.
"""

import statistics
import sys
import time

import torch

from facskit.action_units import RENDERED
from facskit.models.build import ModelConfig, build_model
from facskit.models.compact_network import CompactConfig
from facskit.models.vision_transformer import SIZES

BUDGET_MS = 12.0
"""What a face may cost in everyday recognition."""


def milliseconds_per_face(config: ModelConfig, repeats: int = 50) -> float:
    """Time one face at a time through a network with fresh weights.

    Args:
        repeats: Timed passes, after ten that aren't timed.

    Returns:
        The median time of a pass.
    """
    model = build_model(config, len(RENDERED)).eval()
    face = torch.randn(1, 3, config.image_size, config.image_size)
    times = []
    with torch.inference_mode():
        for _ in range(repeats + 10):
            start = time.perf_counter()
            model(face)
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[10:])


def main() -> int:
    """Print one line per network.

    Returns:
        The exit status: 1 when the compact network exceeds its budget.
    """
    torch.set_num_threads(1)
    compact = milliseconds_per_face(CompactConfig())
    tiny = milliseconds_per_face(SIZES["tiny"])
    print(f"compact network  {compact:6.2f} ms a face on one core: {compact / BUDGET_MS:.2f} of the budget")
    print(f"tiny transformer {tiny:6.2f} ms a face on one core: {tiny / compact:.2f} of the compact network's time")
    return int(compact > BUDGET_MS)


if __name__ == "__main__":
    sys.exit(main())
