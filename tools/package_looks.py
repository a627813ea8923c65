"""Fit what tells people apart in a video (`faces/appearance.py`) to rendered people.

Fisher's discriminant: the directions in which the pictures of different people differ most, measured by how much those
of one person do. Light, camera, pose and expression change from picture to picture here, more than within a recording.

```text
facskit synthesize data/looks --subjects 1200 --frames 8 --seed 211 --profile mixed --size 160 \
    --head packaged --head ICT-FaceKit/
python tools/package_looks.py data/looks/manifest.parquet
```
"""

import sys
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from rich.progress import track
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.packed import packaged_faces
from facskit.faces.appearance import measure_look
from facskit.faces.detection import Face
from facskit.faces.landmarks import five_points
from facskit.files import atomic_path

ASSET = Path("facskit/assets/looks/discriminant.npz")
DIRECTIONS = 48
SHRINKAGE = 0.05
"""Of the spread within people: 1,728 numbers of some thousand pictures."""


def main(*manifests: Path) -> None:
    """Measure every face, fit, write, and say how well the packaged faces' people are told apart."""
    looks, people = [], []
    for path in manifests:
        faces = read_manifest(path)
        looks.append(_looks(faces))
        people += [f"{path} {subject}" for subject in faces.subjects]
    fitted = LinearDiscriminantAnalysis(solver="eigen", shrinkage=SHRINKAGE, n_components=DIRECTIONS)
    fitted.fit(np.concatenate(looks), people)
    mean = np.concatenate(looks).mean(axis=0)
    directions = fitted.scalings_[:, :DIRECTIONS]
    with atomic_path(ASSET) as part, part.open("wb") as file:
        np.savez_compressed(file, mean=mean.astype(np.float16), directions=directions.astype(np.float16))
    others = packaged_faces()
    told = (_looks(others) - mean) @ directions
    told /= np.linalg.norm(told, axis=1, keepdims=True)
    same = others.subjects[:, None] == others.subjects[None, :]
    pairs = np.triu_indices(len(others), 1)
    apart = np.sqrt(np.maximum(2 - 2 * told @ told.T, 0))[pairs]
    mine, theirs = np.sort(apart[same[pairs]]), np.sort(apart[~same[pairs]])
    for limit in np.arange(0.7, 1.35, 0.1):
        known, mistaken = np.searchsorted(mine, limit) / len(mine), np.searchsorted(theirs, limit) / len(theirs)
        print(f"difference {limit:.1f}: {known:.1%} of a person's pairs are nearer, {mistaken:.2%} of two people's")
    print(f"{ASSET}: {ASSET.stat().st_size / 1e6:.2f} MB, from {len(people):,} pictures of {len(set(people)):,} people")


def _looks(faces: Manifest) -> Float32[np.ndarray, "faces 1728"]:
    looks = []
    for row in track(range(len(faces)), "measuring faces"):
        landmarks = faces.landmarks(row)
        assert landmarks is not None
        points = five_points(landmarks.astype(np.float64))
        face = Face(np.concatenate([points.min(axis=0), points.max(axis=0)]), points, 1.0)
        looks.append(measure_look(faces.image(row), face))
    return np.stack(looks)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
