"""What lies before a face is found, and where."""

import cv2
import numpy as np
import pytest
from jaxtyping import UInt8

from facskit.faces.alignment import EyeSimilarityCrop, crop_matrix
from facskit.faces.covering import PARTS, covering, covering_features
from facskit.faces.images import warp
from tests.faces.portraits import LANDMARKS, portrait


def crop_of(name: str) -> UInt8[np.ndarray, "112 112 3"]:
    image = portrait(name)
    size = image.shape[1], image.shape[0]
    return warp(image, crop_matrix(EyeSimilarityCrop(), landmarks=LANDMARKS[name], box=None, image_size=size), 112)


@pytest.mark.parametrize("name", ["eileen_collins", "grace_hopper"])
def test_nothing_lies_before_the_portraits(name: str) -> None:
    """One of them wears glasses, which are part of a face."""
    assert covering(crop_of(name)).max() < 0.3


@pytest.mark.parametrize("name", ["eileen_collins", "grace_hopper"])
def test_a_mask_and_dark_glasses_are_found_where_they_are(name: str) -> None:
    masked, shaded = crop_of(name), crop_of(name)
    cv2.fillPoly(masked, [np.array([[15, 45], [56, 38], [97, 45], [90, 95], [56, 108], [22, 95]])], (150, 190, 220))
    for x in (33, 79):
        cv2.ellipse(shaded, (x, 31), (19, 14), 0, 0, 360, (25, 25, 28), -1)
    mouth, eyes = covering(masked), covering(shaded)
    assert dict(zip(PARTS, mouth > 0.7, strict=True))["mouth"]
    assert eyes[:2].min() > 0.7
    assert eyes[3] < 0.5


def test_light_and_contrast_change_little() -> None:
    crop = crop_of("eileen_collins")
    darker = (crop * 0.5).astype(np.uint8)
    np.testing.assert_allclose(covering_features(darker), covering_features(crop), atol=0.25)
    flat = np.full((112, 112, 3), 90, np.uint8)
    assert np.isfinite(covering(flat)).all()
