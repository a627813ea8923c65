"""The map of the face on its texture, which skin painting works from."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from facskit.synthesis.head import MorphableHead

__all__ = ["NECK_BLOCK", "PATCHES", "TEXTURE_SIZE", "UVAtlas", "face_texels", "neck_block_heights", "neck_height"]

TEXTURE_SIZE = 512
"""Height and width of the skin's texture in texels; enough for pictures of 256 pixels."""

PATCHES = {"socket": (6, 136), "mouth": (505, 296)}
"""Middle (column, row) of the uniform patches in corners that no face triangle covers."""

NECK_BLOCK = (slice(280, 313), slice(0, 13))
"""Rows and columns, uncovered too, that colour neck, shoulders and the back of the head: each row one height."""
_NECK_COLUMN, _NECK_MIDDLE, _NECK_REACH = 6, 296, 15
_TEXELS_PER_CENTIMETRE = 4.0
_COLLAR_HEIGHT = -12.0

_PART_PATCHES = {
    "mouth_socket": "mouth",
    "eye_socket_left": "socket",
    "eye_socket_right": "socket",
}


@dataclass(frozen=True, kw_only=True)
class UVAtlas:
    """Geometry of the face texture. Row 0 is the top of the texture, where the forehead ends."""

    landmarks: Float32[np.ndarray, "68 2"]
    """Column and row of each of the 68 landmarks, in texels."""
    landmarks3d: Float32[np.ndarray, "68 3"]
    """The landmarks on the average head, centimetres."""
    position: Float32[np.ndarray, "size size 3"]
    """Point of the average face that each texel covers, centimetres; 0 where there is none."""
    covered: Bool[np.ndarray, "size size"]
    """Which texels belong to the face."""
    texture_coordinates: Float32[np.ndarray, "corners 2"]
    """The head's texture coordinates with everything but the face moved into the uniform patches, so that one texture
    serves face, neck, back of the head and the sockets of eyes and mouth."""

    @classmethod
    def from_head(cls, head: MorphableHead) -> "UVAtlas":
        """Lays the average face out on its texture.

        Args:
            head: A head whose texture tile 0 holds the face.

        Returns:
            The atlas.
        """
        start, stop = head.parts["face"]
        inside = (head.triangles >= start).all(1) & (head.triangles < stop).all(1)
        inside &= head.uv[head.uv_triangles].max((1, 2)) <= 1
        corners = _texels(head.uv[head.uv_triangles[inside]])
        position, covered = _rasterise(corners, head.vertices[head.triangles[inside]])
        return cls(
            landmarks=_texels(head.uv[_corner_of_vertex(head)[head.landmarks68]]),
            landmarks3d=head.vertices[head.landmarks68],
            position=position,
            covered=covered,
            texture_coordinates=_texture_coordinates(head),
        )


def face_texels(
    head: MorphableHead,
) -> tuple[Float32[np.ndarray, "points 2"], Int[np.ndarray, " points"]]:
    """Return where the face's vertices lie on its texture (column, row), and which vertices of the head they are.

    Args:
        head: A head whose texture tile 0 holds the face.
    """
    start, stop = head.parts["face"]
    corners = _corner_of_vertex(head)[start:stop]
    inside = head.uv[corners].max(1) <= 1
    return _texels(head.uv[corners[inside]]), np.arange(start, stop)[inside]


def neck_height(position: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any"]:
    """Measures heights along the slanted axis of the neck, so that a collar is a line of one height.

    Args:
        position: Points in the head's coordinates, centimetres.

    Returns:
        Centimetres; about -12 at the base of the neck.
    """
    return position[..., 1] + 0.2 * position[..., 2]


def neck_block_heights() -> Float[np.ndarray, "rows"]:
    """Return the height that each row of `NECK_BLOCK` stands for, centimetres."""
    rows = np.arange(NECK_BLOCK[0].start, NECK_BLOCK[0].stop)
    return _COLLAR_HEIGHT - (rows - _NECK_MIDDLE) / _TEXELS_PER_CENTIMETRE


def _texels(uv: Float32[np.ndarray, "*any 2"]) -> Float32[np.ndarray, "*any 2"]:
    return np.stack([uv[..., 0] * TEXTURE_SIZE - 0.5, (1 - uv[..., 1]) * TEXTURE_SIZE - 0.5], axis=-1).astype(
        np.float32
    )


def _texture_coordinates(head: MorphableHead) -> Float32[np.ndarray, "corners 2"]:
    coordinates = head.uv.copy()
    for part, patch in _PART_PATCHES.items():
        start, stop = head.parts[part]
        rows = ((head.triangles >= start) & (head.triangles < stop)).any(1)
        corners = np.unique(head.uv_triangles[rows])
        corners = corners[head.uv[corners, 0] > 1]
        column, row = PATCHES[patch]
        coordinates[corners] = ((column + 0.5) / TEXTURE_SIZE, 1 - (row + 0.5) / TEXTURE_SIZE)
    vertex = np.zeros(len(head.uv), dtype=np.int32)
    vertex[head.uv_triangles.ravel()] = head.triangles.ravel()
    beyond = coordinates[:, 0] > 1
    below = (_COLLAR_HEIGHT - neck_height(head.vertices[vertex[beyond]])) * _TEXELS_PER_CENTIMETRE
    row_on_block = _NECK_MIDDLE + np.clip(below, -_NECK_REACH, _NECK_REACH)
    coordinates[beyond, 0] = (_NECK_COLUMN + 0.5) / TEXTURE_SIZE
    coordinates[beyond, 1] = 1 - (row_on_block + 0.5) / TEXTURE_SIZE
    return coordinates


def _corner_of_vertex(head: MorphableHead) -> Int[np.ndarray, "points"]:
    corner = np.zeros(len(head.vertices), dtype=np.int32)
    corner[head.triangles[::-1].ravel()] = head.uv_triangles[::-1].ravel()
    return corner


def _rasterise(
    corners: Float32[np.ndarray, "faces 3 2"], values: Float32[np.ndarray, "faces 3 3"]
) -> tuple[Float32[np.ndarray, "size size 3"], Bool[np.ndarray, "size size"]]:
    """Interpolates corner values over triangles, a batch of about equally large triangles at a time."""
    image = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE, 3), dtype=np.float32)
    covered = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE), dtype=np.bool_)
    low = np.floor(corners.min(1)).astype(int)
    extent = np.ceil(corners.max(1)).astype(int) - low
    reach = 2 ** np.ceil(np.log2(np.maximum(extent.max(1), 1) + 1)).astype(int)
    for side in np.unique(reach):
        chosen = np.flatnonzero(reach == side)
        offsets = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
        texels = low[chosen, None] + offsets
        weights = _barycentric(texels, corners[chosen])
        inside = (weights >= -0.02).all(-1) & (texels >= 0).all(-1) & (texels < TEXTURE_SIZE).all(-1)
        triangle, point = np.nonzero(inside)
        columns, rows = texels[triangle, point].T
        image[rows, columns] = np.einsum("nk,nkc->nc", weights[triangle, point], values[chosen[triangle]])
        covered[rows, columns] = True
    return image, covered


def _barycentric(
    points: Shaped[np.ndarray, "faces points 2"], corners: Float[np.ndarray, "faces 3 2"]
) -> Float[np.ndarray, "faces points 3"]:
    origin = corners[:, None, 0]
    first, second = corners[:, None, 1] - origin, corners[:, None, 2] - origin
    offset = points - origin
    area = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    area = np.where(np.abs(area) < 1e-9, np.inf, area)
    beta = (offset[..., 0] * second[..., 1] - offset[..., 1] * second[..., 0]) / area
    gamma = (first[..., 0] * offset[..., 1] - first[..., 1] * offset[..., 0]) / area
    outside = np.isinf(area)
    return np.stack([np.where(outside, -1.0, 1 - beta - gamma), beta, gamma], axis=-1)
