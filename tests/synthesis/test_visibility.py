from dataclasses import replace

import numpy as np
import pytest

from facskit.synthesis.casting import sample_looks
from facskit.synthesis.looks import Glasses, Looks
from facskit.synthesis.visibility import hidden_units

FRONT = np.zeros(3, np.float32)


@pytest.fixture(scope="module")
def looks() -> Looks:
    return replace(sample_looks(np.random.default_rng(0)), glasses=None, goatee=0.0, moustache=0.0)


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    return np.random.default_rng(0).uniform(40, 200, (68, 2)).astype(np.float32)


def test_everything_shows_on_a_bare_face(looks: Looks, landmarks: np.ndarray) -> None:
    assert hidden_units(looks, landmarks, FRONT, 256) == {}


def test_glasses_and_beards_cover_what_lies_under_them(looks: Looks, landmarks: np.ndarray) -> None:
    dark = Glasses(roundness=0.5, width=2.4, height=1.9, wire=0.1, colour=(0.1, 0.1, 0.1), tint=0.5)
    covered = hidden_units(replace(looks, glasses=dark, goatee=0.9), landmarks, FRONT, 256)
    assert covered == {5: "glasses", 6: "glasses", 7: "glasses", 17: "beard", 43: "glasses"}


def test_what_lies_outside_is_hidden(looks: Looks, landmarks: np.ndarray) -> None:
    low = landmarks.copy()
    low[[6, 8, 10], 1] = 300
    assert hidden_units(looks, low, FRONT, 256) == {17: "outside", 26: "outside"}


def test_half_a_face_is_hidden_on_a_profile(looks: Looks, landmarks: np.ndarray) -> None:
    hidden = hidden_units(looks, landmarks, np.array((0, 1.2, 0), np.float32), 256)
    assert set(hidden.values()) == {"turned"}
    assert len(hidden) == 19
