"""Render and pack the faces that ship with facskit, and draw the picture of them that the README shows.

Run from the root of the project: `python tools/package_faces.py` (about two minutes on two cores).
"""

from pathlib import Path

import numpy as np

from facskit.datasets.manifest import read_manifest
from facskit.datasets.packed import pack_manifest
from facskit.faces.alignment import EyeSimilarityCrop
from facskit.faces.images import write_image
from facskit.synthesis.corpus import SynthesisConfig, synthesize

CONFIG = SynthesisConfig(subjects=48, frames=30, seed=2026, profile="disfa", size=256)
CROP = EyeSimilarityCrop(size=128, half_side=1.7)
"""Wider than what networks look at (1.25), so that augmentation has pixels around the face."""
QUALITY = 88
ASSET = Path("facskit/assets/faces/faces.parquet")
PICTURE = Path("docs/pictures/rendered_faces.jpg")


def main() -> None:
    """Render, pack, and draw."""
    rendered = read_manifest(synthesize(CONFIG, Path("build/packaged_faces")))
    pack_manifest(rendered, ASSET, recipe=CROP, quality=QUALITY)
    print(f"{ASSET}: {ASSET.stat().st_size / 1e6:.1f} MB\n{rendered.describe()}")
    # Two pictures each of sixteen people, the ones where most happens.
    activity = (rendered.labels == 1).sum(axis=1)
    rows = []
    for subject in rendered.subject_names[:16]:
        own = np.flatnonzero(rendered.subjects == subject)
        rows += list(own[np.argsort(-activity[own], kind="stable")[:2]])
    images = [rendered.image(int(row))[::2, ::2] for row in rows]
    write_image(PICTURE, np.concatenate([np.concatenate(images[at : at + 8], 1) for at in range(0, 32, 8)], 0))
    print(PICTURE)


if __name__ == "__main__":
    main()
