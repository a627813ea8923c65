"""Things before a face, drawn by its five points: `studies/face_quality.py` measures with them, nothing learns."""

from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Float, UInt8

__all__ = ["COVERS", "Cover", "cover_face"]

Picture = UInt8[np.ndarray, "height width 3"]
Cover = Literal["mask", "sunglasses", "hand", "microphone", "half", "hair", "cheek"]
"""What lies before the face; `half` is somebody else before a half of it, `cheek` a hand at a cheek."""
COVERS: tuple[Cover, ...] = get_args(Cover)


class _Plane:
    """Positions on a face: origin between the eyes, x along them, y down the face, the distance of the eyes as unit."""

    def __init__(self, points: Float[np.ndarray, "5 2"]) -> None:
        across = points[1] - points[0]
        self.eyes = float(np.hypot(*across))
        self.axes = np.array([across, [-across[1], across[0]]])
        self.origin = points[:2].mean(0)

    def at(self, x: float, y: float) -> tuple[int, int]:
        place = self.origin + np.array([x, y]) @ self.axes
        return int(place[0]), int(place[1])

    def polygon(self, mask: UInt8[np.ndarray, "height width"], corners: list[tuple[float, float]]) -> None:
        cv2.fillPoly(mask, [np.array([self.at(*corner) for corner in corners], np.int32)], 255)

    def ellipse(
        self, mask: UInt8[np.ndarray, "height width"], middle: tuple[float, float], size: tuple[float, float]
    ) -> None:
        turn = float(np.degrees(np.arctan2(self.axes[0, 1], self.axes[0, 0])))
        x, y = self.at(*middle)
        cv2.ellipse(mask, ((float(x), float(y)), (size[0] * self.eyes, size[1] * self.eyes), turn), 255, -1)


def cover_face(image: Picture, points: Float[np.ndarray, "5 2"], kind: Cover, rng: np.random.Generator) -> Picture:
    """Draw something before a face.

    Args:
        points: Eyes, nose tip and mouth corners, where annotators have them.
    """
    plane = _Plane(points.astype(np.float64))
    side = int(rng.choice([-1, 1]))
    mask = np.zeros(image.shape[:2], np.uint8)
    _draw(mask, plane, kind, side, rng)
    colour, grain, cells = _material(image, points, kind, rng)
    height, width = image.shape[:2]
    coarse = rng.normal(0, 1, (max(2, height // cells), max(2, width // cells), 3)).astype(np.float32)
    texture = np.clip(colour + grain * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255)
    if kind in {"hand", "cheek"}:
        soft = cv2.GaussianBlur(mask, (0, 0), 0.06 * plane.eyes).astype(np.float32) / 255
        texture = texture * (0.55 + 0.45 * soft)[..., None]
    share = cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32)[..., None] / 255
    return np.clip(image * (1 - share) + texture * share, 0, 255).astype(np.uint8)


def _draw(
    mask: UInt8[np.ndarray, "height width"], plane: _Plane, kind: Cover, side: int, rng: np.random.Generator
) -> None:
    match kind:
        case "mask":
            lower = [(0.9, 1.2), (0.5, 1.75), (0.0, 1.9), (-0.5, 1.75), (-0.9, 1.2)]
            plane.polygon(mask, [(-0.95, 0.35), (0.0, 0.15), (0.95, 0.35), *lower])
        case "sunglasses":
            for eye in (-0.5, 0.5):
                plane.ellipse(mask, (eye, 0.03), (0.8, 0.6))
            cv2.line(mask, plane.at(-0.5, -0.1), plane.at(0.5, -0.1), 255, max(2, int(0.07 * plane.eyes)))
        case "microphone":
            plane.ellipse(mask, (rng.uniform(-0.2, 0.2), 1.25), (0.75, 1.0))
        case "half":
            plane.polygon(mask, [(side * 0.02, -2.0), (side * 3.0, -2.0), (side * 3.0, 3.0), (-side * 0.05, 3.0)])
        case "hair":
            plane.polygon(mask, [(-1.6, -2.0), (1.6, -2.0), (1.2, 0.3), (0.0, 0.22), (-1.2, 0.3)])
        case "hand" | "cheek":
            for start, tip in _fingers(kind, side, rng):
                cv2.line(mask, plane.at(*start), plane.at(*tip), 255, max(2, int(0.26 * plane.eyes)))


def _fingers(kind: Cover, side: int, rng: np.random.Generator) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Return where four fingers begin and end: across the mouth, or up a cheek."""
    if kind == "hand":
        heights = rng.uniform(0.95, 1.25) + 0.3 * (np.arange(4) - 1.5)
        return [((-1.3, float(height)), (1.3, float(height) + 0.1)) for height in heights]
    return [((side * (0.35 + 0.27 * place), 2.2), (side * (0.3 + 0.3 * place), 0.45)) for place in range(4)]


def _material(
    image: Picture, points: Float[np.ndarray, "5 2"], kind: Cover, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "3"], float, int]:
    """Return colour, contrast of the grain, and its size in pixels."""
    x, y = (int(value) for value in points[2])
    skin = np.median(image[max(0, y - 6) : y + 6, max(0, x - 6) : x + 6].reshape(-1, 3), axis=0)
    match kind:
        case "mask":
            return rng.choice(np.array([[230.0, 235, 240], [150, 190, 220], [40, 40, 45]])), 6.0, 20
        case "sunglasses":
            return np.array([25.0, 25, 28]), 5.0, 20
        case "microphone":
            return np.full(3, 45.0), 18.0, 2
        case "half":
            return rng.uniform(30, 220, 3), 30.0, 6
        case "hair":
            return rng.uniform(20, 120) * np.array([1.0, 0.8, 0.6]), 15.0, 3
        case "hand" | "cheek":
            return skin * rng.uniform(0.8, 1.1), 6.0, 15
