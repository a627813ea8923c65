"""The morphable head: an average face, directions in which people differ, and directions in which muscles pull.

Coordinates are centimetres, right-handed: x to the subject's left (right in the picture), y up, z towards the camera.
Shape names end in `_L` or `_R` for the subject's left or right.

The packaged head is made of MakeHuman's base mesh, shape targets and face units (CC0) by `tools/package_head.py`;
`facskit.synthesis.head_import` builds another from a clone of ICT-FaceKit. Texture tile 0 of every head is the chart
that `facskit.synthesis.skin` paints on, in the layout of ICT-FaceKit's face.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int8, Int16, Int32

from facskit.errors import DatasetError
from facskit.files import atomic_path

__all__ = ["HEAD_LICENCES", "IdentityTargets", "MorphableHead", "load_head", "save_head"]

PACKAGED_HEAD = Path(__file__).parent.parent / "assets" / "head" / "makehuman.npz"
HEAD_LICENCES: Mapping[str, str] = {
    "makehuman": "The head's geometry is MakeHuman's (base mesh, targets and face units), CC0 1.0.",
    "ict-facekit": (
        "The head's geometry derives from ICT-FaceKit's light face model, MIT licence, "
        "copyright (c) 2020 USC Institute for Creative Technologies."
    ),
}
"""By the head's name, the notice that goes wherever the head or a picture set made with it goes."""

_ARRAYS = (
    "vertices",
    "triangles",
    "uv",
    "uv_triangles",
    "identity",
    "identity_scale",
    "expression",
    "expression_scale",
    "expression_names",
    "landmarks68",
    "part_names",
    "part_ranges",
)


@dataclass(frozen=True, kw_only=True)
class IdentityTargets:
    """What the identity modes of a sculpted head mean, mode by mode; `facskit.synthesis.people` mixes people of them.

    Targets that ancestry, sex, age and weight mix carry those in their names, as `african-female-old` and
    `universal-male-young-averagemuscle-maxweight` do. The others come in opposites, such as a narrow and a wide nose.
    """

    names: tuple[str, ...]
    average: Float32[np.ndarray, " modes"]
    """Weight of each target in the average head, from which coefficients are counted."""
    mode: Int16[np.ndarray, " modes"]
    """Number of the pair of opposites, the same for left and right; -1 for targets that are mixed."""
    sign: Int8[np.ndarray, " modes"]
    """-1 or 1: which of the opposites."""
    spread: Float32[np.ndarray, " modes"]
    """Weight of the target at one standard deviation of its mode."""


@dataclass(frozen=True, kw_only=True)
class MorphableHead:
    """An average head with linear shape modes."""

    name: str = "ict-facekit"
    """Which head it is: the key of its table in `facskit.synthesis.au_shapes`."""

    vertices: Float32[np.ndarray, "points 3"]
    """Average positions, centimetres."""
    triangles: Int32[np.ndarray, "faces 3"]
    """Vertex indices of each triangle."""
    uv: Float32[np.ndarray, "corners 2"]
    """Texture coordinates; their whole part is the tile, tile 0 is the face."""
    uv_triangles: Int32[np.ndarray, "faces 3"]
    """Rows of `uv` for each triangle's corners."""
    identity: Float32[np.ndarray, "modes points 3"]
    """Offsets per standard deviation of each way in which people differ."""
    expression: Float32[np.ndarray, "shapes points 3"]
    """Offsets at full weight of each expression shape."""
    expression_names: tuple[str, ...]
    """Name of each expression shape, such as `browDown_L`."""
    landmarks68: Int32[np.ndarray, "68"]
    """Vertex of each of the 68 iBUG landmarks."""
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """First vertex and the one after the last of each part, such as `face`, `teeth`, `sclera_left`."""
    targets: IdentityTargets | None = None
    """What the identity modes mean; None where they are principal components of scanned people."""

    @cached_property
    def shape_index(self) -> dict[str, int]:
        """Row of each expression shape by its name."""
        return {name: row for row, name in enumerate(self.expression_names)}

    @property
    def num_modes(self) -> int:
        """Number of identity modes."""
        return len(self.identity)

    def neutral(self, identity: Float[np.ndarray, " modes"]) -> Float32[np.ndarray, "points 3"]:
        """Return the expressionless head of one person.

        Args:
            identity: A standard normal coefficient per identity mode.

        Returns:
            Vertex positions in centimetres.
        """
        return self.vertices + np.einsum("m,mpc->pc", identity.astype(np.float32), self.identity)

    def displacement(self, weights: Float[np.ndarray, " shapes"]) -> Float32[np.ndarray, "points 3"]:
        """Return how far an expression moves each vertex.

        Args:
            weights: Weight of each expression shape, 0 for none and 1 for the full shape.

        Returns:
            Offsets in centimetres.
        """
        # One by one, in a fixed order: a threaded matrix product may add in any, and equal seeds must give equal bytes.
        total = np.zeros_like(self.vertices)
        for row in np.flatnonzero(weights):
            total += np.float32(weights[row]) * self.expression[row]
        return total

    def shape(
        self, identity: Float[np.ndarray, " modes"], weights: Float[np.ndarray, " shapes"]
    ) -> Float32[np.ndarray, "points 3"]:
        """Return one person's head with an expression.

        Args:
            identity: A standard normal coefficient per identity mode.
            weights: Weight of each expression shape.

        Returns:
            Vertex positions in centimetres.
        """
        return self.neutral(identity) + self.displacement(weights)

    def with_shapes(self, shapes: Mapping[str, Float32[np.ndarray, "points 3"]]) -> "MorphableHead":
        """Return the same head with more expression shapes, appended in the mapping's order.

        Args:
            shapes: Offsets at full weight by name.

        Returns:
            The extended head.
        """
        return replace(
            self,
            expression=np.concatenate([self.expression, np.stack(list(shapes.values()))]),
            expression_names=(*self.expression_names, *shapes),
        )


def load_head(path: Path | None = None) -> MorphableHead:
    """Load a head asset.

    Args:
        path: A `.npz` asset; the packaged head by default.

    Raises:
        DatasetError: The file is missing, or is no such head.
    """
    path = PACKAGED_HEAD if path is None else path
    if not path.is_file():
        raise DatasetError(f"{path} does not exist; expected a head asset (.npz) or a clone of ICT-FaceKit")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in _ARRAYS if name not in archive]
            if missing:
                raise DatasetError(f"{path} is no head asset: it lacks the array {missing[0]!r}")
            arrays = {name: archive[name] for name in archive}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path} is no readable head asset (.npz): {error}") from error
    return _from_arrays(arrays, path)


def save_head(head: MorphableHead, path: Path) -> None:
    """Write a head as an asset file: offsets as 16-bit integers with one scale per mode.

    Args:
        path: The `.npz` file to write.
    """
    identity, identity_scale = _quantise(head.identity)
    expression, expression_scale = _quantise(head.expression)
    arrays: dict[str, Any] = {
        "vertices": head.vertices,
        "triangles": head.triangles,
        "uv": head.uv,
        "uv_triangles": head.uv_triangles,
        "identity": identity,
        "identity_scale": identity_scale,
        "expression": expression,
        "expression_scale": expression_scale,
        "expression_names": np.array(head.expression_names),
        "landmarks68": head.landmarks68,
        "part_names": np.array(list(head.parts)),
        "part_ranges": np.array(list(head.parts.values()), dtype=np.int32),
    }
    if head.name != MorphableHead.name:
        arrays["name"] = np.array(head.name)
    if head.targets is not None:
        arrays |= {
            f"target_{each.name}": np.array(getattr(head.targets, each.name)) for each in fields(IdentityTargets)
        }
    with atomic_path(path) as part:
        np.savez_compressed(part, **arrays)


def _quantise(offsets: Float32[np.ndarray, "modes points 3"]) -> tuple[np.ndarray, np.ndarray]:
    largest = np.abs(offsets).max(axis=(1, 2))
    scale = (np.where(largest > 0, largest, 1.0) / 32767).astype(np.float32)
    return np.rint(offsets / scale[:, None, None]).astype(np.int16), scale


def _from_arrays(arrays: dict[str, np.ndarray], path: Path) -> MorphableHead:
    points = len(arrays["vertices"])
    for name in ("identity", "expression"):
        if arrays[name].shape[1:] != (points, 3):
            raise DatasetError(f"{path}: array {name!r} has shape {arrays[name].shape}, expected (any, {points}, 3)")
    for name in ("triangles", "landmarks68"):
        if arrays[name].min() < 0 or arrays[name].max() >= points:
            raise DatasetError(f"{path}: array {name!r} points outside the {points} vertices")
    name = str(arrays.get("name", MorphableHead.name))
    if name not in HEAD_LICENCES:
        raise DatasetError(f"{path}: found a head named {name!r}, expected one of {', '.join(HEAD_LICENCES)}")
    targets = None
    if "target_names" in arrays:
        for each in fields(IdentityTargets):
            if f"target_{each.name}" not in arrays:
                raise DatasetError(f"{path} is no head asset: it lacks the array 'target_{each.name}'")
        targets = IdentityTargets(
            names=tuple(str(name) for name in arrays["target_names"]),
            average=arrays["target_average"],
            mode=arrays["target_mode"],
            sign=arrays["target_sign"],
            spread=arrays["target_spread"],
        )
    ranges = zip(arrays["part_names"], arrays["part_ranges"], strict=True)
    return MorphableHead(
        name=name,
        vertices=arrays["vertices"].astype(np.float32),
        triangles=arrays["triangles"].astype(np.int32),
        uv=arrays["uv"].astype(np.float32),
        uv_triangles=arrays["uv_triangles"].astype(np.int32),
        identity=arrays["identity"] * arrays["identity_scale"][:, None, None],
        expression=arrays["expression"] * arrays["expression_scale"][:, None, None],
        expression_names=tuple(str(name) for name in arrays["expression_names"]),
        landmarks68=arrays["landmarks68"].astype(np.int32),
        parts={str(name): (int(start), int(stop)) for name, (start, stop) in ranges},
        targets=targets,
    )
