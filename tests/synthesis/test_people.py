"""People's heads: sexes and skin tones in equal shares, ages that show, faces that stay human."""

import numpy as np

from facskit.synthesis.casting import sample_looks
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.people import draw_identity


def test_half_of_each_skin_tone_are_men(packaged_head: MorphableHead) -> None:
    tones, men = [], []
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        looks = sample_looks(rng)
        tones.append(looks.skin_tone)
        men.append(draw_identity(packaged_head, looks, rng).male > 0.5)
        assert men[-1] or looks.stubble == 0
    for light, dark in ((1, 4), (4, 7), (7, 11)):
        share = np.mean([man for tone, man in zip(tones, men, strict=True) if light <= tone < dark])
        assert 0.42 < share < 0.58


def test_faces_stay_human(packaged_head: MorphableHead) -> None:
    widths = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        identity = draw_identity(packaged_head, sample_looks(rng), rng)
        marks = packaged_head.neutral(identity.coefficients)[packaged_head.landmarks68]
        left, right = marks[42:48].mean(0), marks[36:42].mean(0)
        np.testing.assert_allclose((left + right)[:1] / 2, 0, atol=0.25)
        widths.append(np.linalg.norm(left - right))
        assert marks[27, 1] > marks[30, 1] > marks[51, 1] > marks[57, 1] > marks[8, 1]
    assert 5.7 < np.mean(widths) < 7.2
    assert 0.1 < np.std(widths) < 0.5


def test_scanned_heads_have_normal_coefficients(ict_head: MorphableHead) -> None:
    rng = np.random.default_rng(0)
    identity = draw_identity(ict_head, sample_looks(rng), rng)
    assert identity.male == 0.5
    assert identity.coefficients.shape == (ict_head.num_modes,)
