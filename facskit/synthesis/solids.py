"""Coloured surfaces that are worn on the head."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, UInt8

__all__ = ["SolidMesh"]


@dataclass(frozen=True, kw_only=True)
class SolidMesh:
    """A coloured surface that moves with the head: hair, a cap, glasses."""

    vertices: Float32[np.ndarray, "points 3"]
    """Positions in the head's coordinates, centimetres."""
    triangles: Int32[np.ndarray, "faces 3"]
    """Vertex indices of each triangle; both sides are drawn."""
    colours: UInt8[np.ndarray, "points 3"]
    """RGB of each vertex."""
    opacity: float = 1.0
    """1 solid to 0 invisible, for lenses."""
    specular: float = 0.1
    """Strength of highlights: 0 matt to 1 glossy."""
