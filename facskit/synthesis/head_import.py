"""Import of a head asset from a clone of the public ICT-FaceKit repository.

The repository keeps one Wavefront file per shape in its folder `FaceXModel`: `generic_neutral_mesh.obj`,
`identity000.obj` and so on, and one per expression, such as `browDown_L.obj`. All share the vertices' order. We keep
the parts that a rendering shows and leave out the thin films around the eyes, which need a game engine's shaders.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int, Int32
from rich.console import Console
from rich.progress import track

from facskit.errors import DatasetError
from facskit.synthesis.head import MorphableHead, load_head

__all__ = ["PACKAGED", "find_head", "import_head", "read_obj"]

PACKAGED = "packaged"
"""How the head that ships with facskit is asked for."""
MODEL_FOLDER = "FaceXModel"
NEUTRAL = "generic_neutral_mesh.obj"
MAX_MODES = 60
"""Identity modes to keep; the later ones hardly change a face."""

PARTS: dict[str, tuple[int, int]] = {
    "face": (0, 9409),
    "head_neck": (9409, 11248),
    "mouth_socket": (11248, 13294),
    "eye_socket_left": (13294, 13678),
    "eye_socket_right": (13678, 14062),
    "gums_tongue": (14062, 17039),
    "teeth": (17039, 21451),
    "sclera_left": (21451, 22221),
    "iris_left": (22221, 23021),
    "sclera_right": (23021, 23791),
    "iris_right": (23791, 24591),
    "eyelash_left": (25351, 26035),
    "eyelash_right": (26035, 26719),
}
"""Vertex ranges of the parts to keep, from the repository's README."""

# fmt: off
LANDMARKS_68 = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493, 1914,
    2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537,
    1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957,
    5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)
# fmt: on
"""Vertex of each of the 68 Multi-PIE landmarks, from the repository's README."""


@dataclass(frozen=True, kw_only=True)
class ObjMesh:
    """What we read of a Wavefront file."""

    vertices: Float32[np.ndarray, "points 3"]
    uv: Float32[np.ndarray, "corners 2"]
    triangles: Int32[np.ndarray, "faces 3"]
    uv_triangles: Int32[np.ndarray, "faces 3"]


def find_head(source: str) -> MorphableHead:
    """Load a head asset, or build one from a clone of the ICT-FaceKit repository.

    Args:
        source: `packaged`, or the path of a `.npz` asset or of a folder in ICT-FaceKit's layout.

    Raises:
        DatasetError: The file or folder is missing, or is no such head.
    """
    if source == PACKAGED:
        return load_head()
    return import_head(Path(source)) if Path(source).is_dir() else load_head(Path(source))


def import_head(folder: Path) -> MorphableHead:
    """Read a head from a clone of ICT-FaceKit.

    Args:
        folder: The clone, or its folder `FaceXModel`.

    Returns:
        The head, with up to 60 identity modes.

    Raises:
        DatasetError: A file is missing, unreadable, or doesn't fit the neutral mesh.
    """
    model = folder / MODEL_FOLDER if (folder / MODEL_FOLDER).is_dir() else folder
    if not (model / NEUTRAL).is_file():
        raise DatasetError(f"{folder} is no clone of ICT-FaceKit: it has no {MODEL_FOLDER}/{NEUTRAL}")
    neutral = read_obj(model / NEUTRAL)
    last = max(stop for _, stop in PARTS.values())
    if len(neutral.vertices) < last:
        raise DatasetError(f"{model / NEUTRAL} has {len(neutral.vertices)} vertices, expected at least {last}")
    identities = sorted(model.glob("identity[0-9][0-9][0-9].obj"))[:MAX_MODES]
    expressions = sorted(path for path in model.glob("*_[LR].obj") if not path.name.startswith("Pupil"))
    expressions += sorted(path for path in model.glob("jaw*.obj"))
    expressions += sorted(path for path in model.glob("mouth*.obj") if path not in expressions)
    if not identities or not expressions:
        missing = "identity000.obj" if not identities else "browDown_L.obj"
        raise DatasetError(f"{model} lacks the shapes of ICT-FaceKit: found no file like {missing}")
    return _assemble(neutral, identities, expressions)


def read_obj(path: Path) -> ObjMesh:
    """Read vertices, texture coordinates and faces of a Wavefront file; faces with more corners become triangles.

    Raises:
        DatasetError: The file can't be read or a line makes no sense.
    """
    vertices: list[list[float]] = []
    uv: list[list[float]] = []
    faces: list[list[tuple[int, int]]] = []
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):  # noqa: B007 (the error below names it)
                kind, _, rest = line.partition(" ")
                if kind == "v":
                    vertices.append([float(word) for word in rest.split()[:3]])
                elif kind == "vt":
                    uv.append([float(word) for word in rest.split()[:2]])
                elif kind == "f":
                    faces.append([_corner(word) for word in rest.split()])
        corners = [(face[0], face[at], face[at + 1]) for face in faces for at in range(1, len(face) - 1)]
        pairs = np.array(corners, dtype=np.int32).reshape(-1, 3, 2) - 1
        points = np.array(vertices, dtype=np.float32).reshape(-1, 3)
        coordinates = np.array(uv, dtype=np.float32).reshape(-1, 2)
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} can't be read: {error}") from error
    except (ValueError, IndexError) as error:
        raise DatasetError(f"{path}, line {number}: is no line of a Wavefront mesh ({error})") from error
    return ObjMesh(vertices=points, uv=coordinates, triangles=pairs[..., 0], uv_triangles=pairs[..., 1])


def _corner(word: str) -> tuple[int, int]:
    vertex, _, rest = word.partition("/")
    texture = rest.partition("/")[0]
    return int(vertex), int(texture) if texture else 1


def _assemble(neutral: ObjMesh, identities: list[Path], expressions: list[Path]) -> MorphableHead:
    kept = np.concatenate([np.arange(*bounds) for bounds in PARTS.values()])
    new_row = np.full(len(neutral.vertices), -1, dtype=np.int32)
    new_row[kept] = np.arange(len(kept), dtype=np.int32)
    triangles = new_row[neutral.triangles]
    inside = (triangles >= 0).all(1)
    paths = [*identities, *expressions]
    shown = track(paths, description="importing the head", console=Console(stderr=True), transient=True)
    offsets = np.stack([_offsets(path, neutral)[kept] for path in shown])
    return MorphableHead(
        vertices=neutral.vertices[kept],
        triangles=triangles[inside],
        uv=neutral.uv,
        uv_triangles=neutral.uv_triangles[inside],
        identity=offsets[: len(identities)],
        expression=offsets[len(identities) :],
        expression_names=tuple(path.stem for path in expressions),
        landmarks68=new_row[list(LANDMARKS_68)],
        parts=_new_ranges(new_row),
    )


def _offsets(path: Path, neutral: ObjMesh) -> Float[np.ndarray, "points 3"]:
    mesh = read_obj(path)
    if len(mesh.vertices) != len(neutral.vertices):
        raise DatasetError(
            f"{path} has {len(mesh.vertices)} vertices, expected {len(neutral.vertices)} as in {NEUTRAL}"
        )
    return mesh.vertices - neutral.vertices


def _new_ranges(new_row: Int[np.ndarray, " points"]) -> dict[str, tuple[int, int]]:
    return {name: (int(new_row[start]), int(new_row[stop - 1]) + 1) for name, (start, stop) in PARTS.items()}
