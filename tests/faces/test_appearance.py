"""Looks tell people apart: pictures of one person are nearer than those of two, whatever light and expression do."""

import numpy as np
import pytest

from facskit.datasets.packed import packaged_faces
from facskit.faces.alignment import five_points
from facskit.faces.appearance import appearance, difference
from facskit.faces.detection import Face
from facskit.faces.images import warp


def _face(row: int) -> Face:
    landmarks = packaged_faces().landmarks(row)
    assert landmarks is not None
    points = five_points(landmarks.astype(np.float64))
    return Face(np.concatenate([points.min(axis=0), points.max(axis=0)]), points, 1.0)


def test_people_are_told_apart() -> None:
    """On rendered people that the discriminant wasn't fitted to; light and camera change from picture to picture."""
    faces = packaged_faces()
    rows = np.arange(0, len(faces), 5)
    looks = np.stack([appearance(faces.image(row), _face(row)) for row in rows.tolist()])
    same = faces.subjects[rows][:, None] == faces.subjects[rows][None, :]
    pairs = np.triu_indices(len(rows), 1)
    apart, same = np.sqrt(np.maximum(2 - 2 * looks @ looks.T, 0))[pairs], same[pairs]
    limit = np.quantile(apart[~same], 0.01)
    assert (apart[same] < limit).mean() > 0.55  # 0.08 by the colours and edges alone
    assert np.median(apart[~same]) > np.median(apart[same]) + 0.25


def test_a_look_is_the_same_wherever_the_face_is() -> None:
    image, face = packaged_faces().image(0), _face(0)
    look = appearance(image, face)
    assert np.linalg.norm(look) == pytest.approx(1, abs=1e-5)
    shift = np.array([[2.0, 0.0, 31.0], [0.0, 2.0, -7.0]])
    moved = warp(image, shift, (400, 400))
    points = face.landmarks @ shift[:, :2].T + shift[:, 2]
    there = Face(np.concatenate([points.min(axis=0), points.max(axis=0)]), points, 1.0)
    assert difference(look, appearance(moved, there)) < 0.35
