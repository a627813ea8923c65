"""The faces that ship: what their card says is true of the file."""

from importlib.resources import files
from pathlib import Path

import numpy as np

from facskit.action_units import RENDERED
from facskit.columns import SKIN_TONE
from facskit.datasets.packed import packaged_faces
from facskit.faces.alignment import EyeSimilarityCrop, crop_matrix, five_points, transform_points


def test_the_file_holds_what_its_card_says() -> None:
    faces = packaged_faces()
    assert (len(faces), len(faces.subject_names)) == (1440, 48)
    assert faces.action_units == RENDERED
    assert all(name.startswith("R2026-") for name in faces.subject_names)
    assert faces.image(0).shape == (128, 128, 3)
    assert Path(str(files("facskit")), "assets", "faces", "faces.parquet").stat().st_size < 12e6
    assert set(faces.table[SKIN_TONE].unique()) == set(range(1, 11))


def test_its_imbalance_is_disfas() -> None:
    faces = packaged_faces()
    rates = dict(zip(faces.action_units.codes, (faces.labels == 1).mean(axis=0), strict=True))
    # DISFA's own rates; 48 people with habits of their own scatter around them.
    for code, expected in {"AU04": 0.152, "AU06": 0.079, "AU12": 0.129, "AU25": 0.277}.items():
        assert abs(rates[code] - expected) < 0.05, code
    assert rates["AU05"] < 0.03
    assert rates["AU15"] < 0.05


def test_the_crop_is_the_one_the_card_names() -> None:
    faces = packaged_faces()
    for row in range(0, len(faces), 97):
        landmarks = faces.landmarks(row)
        assert landmarks is not None
        points = five_points(landmarks.astype(np.float64))
        again = crop_matrix(
            EyeSimilarityCrop(size=128, half_side=1.7), landmarks=points, box=None, image_size=(128, 128)
        )
        np.testing.assert_allclose(transform_points(again, points), points, atol=0.05)
