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
    strands: UInt8[np.ndarray, "side side 4"] | None = None
    """RGB and how solid, wrapped around the surface; what is less than half solid is a hole. None without a picture."""
    strands_uv: Float32[np.ndarray, "points 2"] | None = None
    """Each vertex's place on `strands`, 0 to 1, v upwards."""
    specular: float = 0.1
    """Strength of highlights: 0 matt to 1 glossy."""
