"""Lashes: one picture for the strips of lashes of every head, upper ones in its upper half and lower ones in its lower.

Around the middle of an eye, every strip of lashes spans the same angles, and its hairs point away from there. So a hair
has its place by its angle, from the inner corner of the eye to the outer, and by its distance, from root to tip.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from facskit.synthesis.drawn_details import drawn_lashes
from facskit.synthesis.looks import Looks

__all__ = ["count_layers", "lash_coordinates", "on_strip", "paint_lashes", "upper_lashes"]

ROWS, COLUMNS = 24, 96
"""Size of the picture of one strip, texels."""
_MARGIN = 0.02
"""Share of a half of the picture that stays free along its edges, so that the halves don't mix."""
_ENVELOPE = 3
"""Degree of the curves along which roots and tips lie."""
_LOWER_SHARE = 0.5
"""How solid lower lashes are, relative to the upper ones."""


def lash_coordinates(
    vertices: Float[np.ndarray, "points 3"], triangles: Int[np.ndarray, "faces 3"], eye: Float[np.ndarray, "3"]
) -> Float32[np.ndarray, "points 2"]:
    """Lay the lashes of one eye out on the picture that `paint_lashes` paints.

    Args:
        vertices: The lashes' vertices, centimetres.
        triangles: Their triangles.
        eye: The middle of the eyeball.

    Returns:
        Texture coordinates, v upwards.
    """
    is_upper = upper_lashes(vertices, triangles)
    coordinates = np.empty((len(vertices), 2), np.float32)
    for half, strip in ((0.5, is_upper), (0.0, ~is_upper)):
        along, outwards = on_strip(vertices[strip] - eye).T
        coordinates[strip, 0] = _MARGIN + (1 - 2 * _MARGIN) * along
        coordinates[strip, 1] = half + 0.5 * (_MARGIN + (1 - 2 * _MARGIN) * outwards)
    return coordinates


def upper_lashes(
    vertices: Float[np.ndarray, "points 3"], triangles: Int[np.ndarray, "faces 3"]
) -> Bool[np.ndarray, " points"]:
    """Return which vertices belong to strips on an upper lid: those that hang together above the others."""
    count, strip = _strips(triangles)
    heights = np.array([vertices[strip == number, 1].mean() for number in range(count)])
    chosen: Bool[np.ndarray, " points"] = (heights > heights.mean())[strip]
    return chosen


def count_layers(triangles: Int[np.ndarray, "faces 3"]) -> int:
    """Return how many strips lie over each other on each lid of one eye."""
    return _strips(triangles)[0] // 2


def _strips(triangles: Int[np.ndarray, "faces 3"]) -> tuple[int, Int[np.ndarray, " points"]]:
    """Return how many strips there are, and the strip of each vertex."""
    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]]).T
    graph = coo_array((np.ones(edges.shape[1]), edges), shape=(int(triangles.max()) + 1,) * 2)
    count, strip = connected_components(graph, directed=False)
    return int(count), strip


def on_strip(rays: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 2"]:
    """Return the place of each point of a strip: 0 at the eye's inner corner to 1, and 0 at the roots to 1 at the tips.

    Args:
        rays: From the middle of the eyeball, all of upper or all of lower lashes, centimetres.
    """
    angle = np.degrees(np.arctan2(rays[:, 0], rays[:, 2]))
    angle *= np.sign(angle.min() + angle.max())  # the side of the temple spans more degrees
    along = (angle - angle.min()) / np.ptp(angle)
    distance = np.linalg.norm(rays, axis=1)
    edges = np.linspace(0, 1, 9)
    bins = np.clip(np.digitize(along, edges) - 1, 0, 7)
    nearest, farthest = (
        np.polyfit((edges[:-1] + edges[1:]) / 2, [pick(distance[bins == each]) for each in range(8)], _ENVELOPE)
        for pick in (np.min, np.max)
    )
    root, tip = np.polyval(nearest, along), np.polyval(farthest, along)
    return np.stack([along, np.clip((distance - root) / (tip - root), 0, 1)], axis=1)


def paint_lashes(looks: Looks, layers: int = 1) -> UInt8[np.ndarray, "rows columns 4"]:
    """Paint both strips of an eye: drawn hairs, or a shade that fades towards the tips.

    Args:
        layers: How many strips lie over each other; together they are as solid as one.

    Returns:
        RGB and how solid, upper lashes first.
    """
    if looks.drawn_lashes:
        hairs = drawn_lashes(looks.drawn_lashes)
    else:
        fading = np.linspace(0, 1, ROWS, dtype=np.float32)[:, None]  # the row of the roots is the last
        hairs = np.broadcast_to(0.7 * fading, (2, ROWS, COLUMNS))
    together = looks.lash_opacity * np.concatenate([hairs[0], _LOWER_SHARE * hairs[1]])
    solid = 1 - np.clip(1 - together, 0, 1) ** (1 / layers)
    picture = np.empty((*solid.shape, 4), np.uint8)
    picture[..., :3] = np.rint(255 * np.array(looks.lash_rgb))
    picture[..., 3] = np.rint(255 * solid)
    return picture
