"""A face is called unreliable for what was done to its picture, and for nothing else."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from jaxtyping import UInt8

from facskit.datasets.packed import packaged_faces
from facskit.faces.detection import Face
from facskit.faces.detectors import FOR_PHOTOGRAPHS, build_detector
from facskit.faces.filters import gaussian_blur
from facskit.faces.images import warp
from facskit.faces.quality import FaceQuality, QualityLimits, Trouble, measure_quality
from tests.faces.portraits import portrait

Picture = UInt8[np.ndarray, "height width 3"]


def largest(image: Picture) -> Face:
    return build_detector(FOR_PHOTOGRAPHS).detect(image)[0]


def troubles(image: Picture, face: Face | None = None) -> tuple[Trouble, ...]:
    return QualityLimits().troubles(measure_quality(image, face or largest(image)))


@pytest.mark.parametrize("name", ["eileen_collins", "grace_hopper"])
def test_a_good_portrait_has_no_trouble(name: str) -> None:
    assert troubles(portrait(name)) == ()


def test_what_was_done_to_a_portrait_is_said() -> None:
    image = portrait("eileen_collins")
    face = largest(image)
    eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    assert troubles(gaussian_blur(image, 0.08 * eyes), face) == ("blurred",)
    # A camera that moved sideways leaves what is sharp from top to bottom.
    assert troubles(np.asarray(cv2.blur(image, (round(0.35 * eyes), 1)), np.uint8), face) == ("blurred",)
    assert troubles((image * 0.1).astype(np.uint8), face) == ("too dark",)
    quarter = warp(image, np.array([[0.25, 0, 0], [0, 0.25, 0]]), (image.shape[1], image.shape[0]))
    assert "too small" in troubles(quarter)
    assert "blurred" not in troubles(quarter)


def test_a_face_at_the_edge_is_cut_off() -> None:
    image = portrait("eileen_collins")
    face = largest(image)
    middle = int(face.box[[0, 2]].mean())
    moved = replace(face, box=face.box - [middle, 0, middle, 0], landmarks=face.landmarks - [middle, 0])
    assert "cut off" in troubles(np.ascontiguousarray(image[:, middle:]), moved)


def test_brightness_means_light_and_not_skin() -> None:
    manifest = packaged_faces()
    lit = manifest.table["nuisance_gain"].to_numpy() > 0.9
    dark_skin = np.flatnonzero((manifest.table["skin_tone"].to_numpy() == 10) & lit)[::10]
    pictures = [manifest.image(int(row)) for row in dark_skin]
    found = [troubles(image, face) for image in pictures for face in build_detector(FOR_PHOTOGRAPHS).detect(image)]
    assert len(found) >= 5
    assert not any("too dark" in each for each in found)


def test_the_head_is_turned_as_the_renderer_turned_it() -> None:
    manifest = packaged_faces()
    angles = np.degrees(manifest.table["pose_Ry"].to_numpy())
    detector = build_detector(FOR_PHOTOGRAPHS)
    # The faces that are turned most to either side.
    known, found = [], []
    for row in np.argsort(angles)[[*range(20), *range(-20, 0)]]:
        image = manifest.image(int(row))
        for face in detector.detect(image)[:1]:
            known.append(angles[row])
            found.append(np.degrees(measure_quality(image, face).pose[1]))
    assert len(found) > 30
    assert np.abs(np.array(found) - known).mean() < 6
    assert np.corrcoef(found, known)[0, 1] > 0.95


def test_who_looks_down_has_low_eyes() -> None:
    face = largest(portrait("eileen_collins"))
    lower = replace(face, box=face.box - np.array([0, 20, 0, 20]))
    higher = replace(face, box=face.box + np.array([0, 20, 0, 20]))
    pitches = [measure_quality(portrait("eileen_collins"), each).pose[0] for each in (higher, face, lower)]
    assert pitches == sorted(pitches)
    # Twice the standard deviation that the study found.
    assert abs(np.degrees(pitches[1])) < 20


def test_each_limit_has_its_word() -> None:
    good = FaceQuality(
        height=100.0,
        confidence=0.9,
        pose=(0.0, 0.0, 0.0),
        sharpness=0.9,
        brightness=180.0,
        inside=1.0,
        covered=(0.0,) * 4,
    )
    limits = QualityLimits()
    assert limits.troubles(good) == ()
    changes: dict[Trouble, dict[str, object]] = {
        "too small": {"height": 20.0},
        "turned away": {"pose": (0.0, -1.0, 0.0)},
        "blurred": {"sharpness": 0.1},
        "too dark": {"brightness": 10.0},
        "cut off": {"inside": 0.5},
        "eyes covered": {"covered": (0.1, 0.9, 0.1, 0.1)},
        "nose covered": {"covered": (0.1, 0.1, 0.9, 0.1)},
        "mouth covered": {"covered": (0.1, 0.1, 0.1, 0.9)},
        "hardly detected": {"confidence": 0.55},
    }
    for trouble, change in changes.items():
        assert limits.troubles(replace(good, **change)) == (trouble,)  # type: ignore[arg-type]
    # Whoever turns away hides an eye; that isn't said as well.
    assert limits.troubles(replace(good, pose=(0.0, 1.0, 0.0), covered=(0.9,) * 4)) == ("turned away",)
    assert limits.troubles(replace(good, pose=(0.6, 0.0, 2.0))) == ("turned away",)
    assert limits.troubles(replace(good, pose=(0.0, 0.0, 2.0))) == ()
