"""Render and pack the faces that ship with facskit, and draw the picture of them that the README shows.

Run from the root of the project: `python tools/package_faces.py CLONE` (two minutes on two cores), where CLONE is a
clone of ICT-FaceKit: half of the people have its head, half the packaged one.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from facskit.datasets.manifest import read_manifest
from facskit.datasets.packed import pack_manifest
from facskit.faces.alignment import EyeSimilarityCrop
from facskit.faces.images import write_image
from facskit.synthesis.corpus import SynthesisConfig, synthesize
from facskit.synthesis.head_import import PACKAGED, find_head
from facskit.synthesis.sampling import at_rest
from facskit.synthesis.scene import FLAWLESS
from facskit.synthesis.studio import Studio, in_place, invent_person, noise_stream, sample_picture

CONFIG = SynthesisConfig(subjects=48, frames=30, seed=2026, profile="disfa", size=256)
"""Without the heads."""
CROP = EyeSimilarityCrop(size=128, half_side=1.7)
"""Wider than what networks look at (1.25), so that augmentation has pixels around the face."""
QUALITY = 88
ASSET = Path("facskit/assets/faces/faces.parquet")
PICTURE = Path("docs/pictures/rendered_faces.jpg")
PEOPLE_SEED, ROWS, COLUMNS, SIDE = 2026, 3, 8, 160
GOOD_CAMERA = replace(FLAWLESS, auto_exposure=0.9, noise=0.004)


def main(clone: str) -> None:
    """Render, pack, and draw.

    Args:
        clone: Where ICT-FaceKit's head is, as `facskit synthesize --head` takes it.
    """
    config = replace(CONFIG, head=(PACKAGED, clone))
    rendered = read_manifest(synthesize(config, Path("build/packaged_faces")))
    pack_manifest(rendered, ASSET, recipe=CROP, quality=QUALITY)
    print(f"{ASSET}: {ASSET.stat().st_size / 1e6:.1f} MB\n{rendered.describe()}")
    write_image(PICTURE, people(clone))
    print(PICTURE)


def people(clone: str) -> UInt8[np.ndarray, "height width 3"]:
    """Draw people of both heads as a good camera sees them, two pictures of each: at rest, and one of a corpus."""
    studios = [Studio(find_head(source), SIDE) for source in (PACKAGED, clone)]
    tiles = []
    for subject in range(ROWS * COLUMNS // 2):
        studio = studios[subject % 2]
        person = invent_person(PEOPLE_SEED, subject, "balanced", studio.head)
        studio.seat(person)
        for frame, action in enumerate((at_rest(), None)):
            sampled, scene = sample_picture(person, PEOPLE_SEED, subject, frame)
            scene = in_place(replace(scene, degradation=GOOD_CAMERA), PEOPLE_SEED, subject, frame, share=0.5)
            tiles.append(studio.shoot(action or sampled, scene, noise_stream(PEOPLE_SEED, subject, frame)).image)
    rows = [np.concatenate(tiles[first : first + COLUMNS], axis=1) for first in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/package_faces.py CLONE_OF_ICT_FACEKIT")
    main(sys.argv[1])
