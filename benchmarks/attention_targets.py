"""Predefined attention maps per second: facskit beside loops over faces, action units, centres and cells.

Run `python -m benchmarks.attention_targets`, on a GPU with `--device cuda`. The loops are what published code does: the
landmarks come to the processor, every cell of every map is computed by itself, the maps go back. `tables` is that with
numpy for the cells. Both are compared with facskit's first, on packaged faces.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from facskit.action_units import BP4D, ActionUnitSet
from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.packed import packaged_faces
from facskit.models.attention_targets import CENTRE_RULES, attention_targets

GOAL = 2.0
"""How many times as fast as the faster loop the maps should be."""
SPREAD = 3.0
"""Standard deviation of the Gaussians, in cells."""


def looped_centres(landmarks: Tensor, unit: int) -> list[tuple[int, int]]:
    """Return the two centres (column, row) of one unit on one face, in cells.

    Args:
        landmarks: 68 points in pixels.
        unit: Number of the action unit.
    """
    rule = CENTRE_RULES[unit]
    ruler = abs(landmarks[39, 0].item() - landmarks[42, 0].item())
    places = [(landmarks[point, 0].item(), landmarks[point, 1].item() + rule.offset * ruler) for point in rule.points]
    return [(math.floor(x / 4 + 0.5), math.floor(y / 4 + 0.5)) for x, y in places]


def looped_targets(landmarks: Tensor, units: ActionUnitSet, image_size: int) -> Tensor:
    """Compute every cell of every map by itself.

    Args:
        landmarks: 68 points of each face, in pixels.
        image_size: Side of the crop in pixels.
    """
    size = image_size // 4
    maps = torch.zeros(len(landmarks), len(units), size, size)
    for face, points in enumerate(landmarks.cpu()):
        for index, unit in enumerate(units):
            for column, row in looped_centres(points, unit.number):
                for y in range(size):
                    for x in range(size):
                        value = math.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * SPREAD**2))
                        maps[face, index, y, x] = max(maps[face, index, y, x].item(), value)
    return maps.to(landmarks.device)


def tabled_targets(landmarks: Tensor, units: ActionUnitSet, image_size: int) -> Tensor:
    """Compute every map by itself, its cells at once.

    Args:
        landmarks: 68 points of each face, in pixels.
        image_size: Side of the crop in pixels.
    """
    rows, columns = np.mgrid[: image_size // 4, : image_size // 4].astype(np.float32)
    faces = []
    for points in landmarks.cpu():
        maps = []
        for unit in units:
            centres = looped_centres(points, unit.number)
            spots = [np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SPREAD**2)) for x, y in centres]
            maps.append(np.maximum(*spots))
        faces.append(np.stack(maps))
    return torch.from_numpy(np.stack(faces)).to(landmarks.device)


def seconds(compute: Callable[[], Tensor], device: torch.device, repeats: int) -> float:
    """Return the shortest time of one call.

    Args:
        repeats: Timed calls, after one that isn't.
    """
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        compute()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main() -> int:
    """Compare, then time.

    Returns:
        1 if the maps differ or the goal is missed, else 0.
    """
    parser = argparse.ArgumentParser(description="Attention maps beside loops over faces, units and cells.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    parser.add_argument("--batch", type=int, default=48, help="faces per step")
    parser.add_argument("--size", type=int, default=176, help="side of a crop in pixels")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    landmarks = faces(arguments.batch, arguments.size).to(device)
    few = landmarks[:2]
    expected = attention_targets(few, BP4D, image_size=arguments.size, spread=SPREAD)
    others = [function(few, BP4D, arguments.size) for function in (looped_targets, tabled_targets)]
    difference = max((other - expected).abs().max().item() for other in others)
    print(f"largest difference {difference:.1e}\n")
    ours = seconds(lambda: attention_targets(landmarks, BP4D, image_size=arguments.size), device, 20)
    tables = seconds(lambda: tabled_targets(landmarks, BP4D, arguments.size), device, 3)
    cells = seconds(lambda: looped_targets(few, BP4D, arguments.size), device, 1) * len(landmarks) / len(few)
    for name, taken in (("loop over cells", cells), ("tables", tables), ("facskit", ours)):
        rate = f"{len(landmarks) / taken:12,.0f} faces/s"
        print(f"{name:16} {1000 * taken:10.2f} ms a batch {rate}, {taken / ours:.1f} times as long")
    return int(difference > 1e-6 or tables / ours < GOAL)


def faces(count: int, size: int) -> Tensor:
    """Return the landmarks of packaged faces, in pixels of a crop.

    Args:
        size: Side of the crop in pixels.
    """
    table = packaged_faces().table[:count]
    points = np.stack([table.select(names).to_numpy() for names in (LANDMARKS_X, LANDMARKS_Y)], axis=2)
    return torch.from_numpy(points).float() * (size / 128)


if __name__ == "__main__":
    sys.exit(main())
