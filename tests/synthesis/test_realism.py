"""Do the faces pass for faces? A detector that was trained on photographs is asked."""

import numpy as np
import pytest

from facskit.faces.centerface import CenterFace, CenterFaceConfig
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.studio import Studio, invent_person, noise_stream, sample_picture

pytest.importorskip("vtkmodules")

FRONTAL = np.radians(20)
SEED = 77


def share_found(head: MorphableHead, people: int, pictures: int) -> tuple[float, int]:
    """Return which share of the frontal faces is found with a score above 0.5, and how many there are."""
    studio = Studio(head, 256)
    detector = CenterFace(CenterFaceConfig(score_threshold=0.5))
    found = []
    for subject in range(people):
        person = invent_person(SEED, subject, "mixed", head)
        studio.seat(person)
        for frame in range(pictures):
            action, scene = sample_picture(person, SEED, subject, frame)
            if max(abs(scene.pose[0]), abs(scene.pose[1])) < FRONTAL:
                image = studio.shoot(action, scene, noise_stream(SEED, subject, frame)).image
                found.append(bool(detector.detect(image)))
    studio.close()
    return float(np.mean(found)), len(found)


def test_a_detector_finds_a_handful_of_frontal_faces(packaged_head: MorphableHead) -> None:
    share, count = share_found(packaged_head, people=5, pictures=4)
    assert count >= 10
    assert share >= 0.9


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_detector_finds_98_percent_of_frontal_faces(any_head: MorphableHead) -> None:
    share, count = share_found(any_head, people=60, pictures=8)
    print(f"{share:.4f} of {count} frontal faces found")
    assert count >= 300
    assert share >= 0.98
