import numpy as np
import pytest
import torch

from facskit.action_units import ActionUnitSet
from facskit.evaluation.attention_scores import AttentionTally, attention_table
from facskit.models.attention_targets import attention_targets

UNITS = ActionUnitSet.parse("AU12,AU17")


def landmarks(count: int = 6) -> torch.Tensor:
    """Return faces of 176 px whose points of interest move about."""
    points = torch.rand(count, 68, 2, generator=torch.Generator().manual_seed(1)) * 100 + 38
    points[:, 39, 0], points[:, 42, 0] = 60, 100
    return points


def test_the_numbers_are_those_of_a_loop() -> None:
    targets = attention_targets(landmarks(), UNITS, image_size=176)
    maps = torch.rand(6, 2, 44, 44, generator=torch.Generator().manual_seed(2))
    tally = AttentionTally(UNITS)
    tally.add(maps[:4], targets[:4])
    tally.add(maps[4:], targets[4:])
    scores = tally.scores()
    for au in range(2):
        regions = [target >= 0.5 for target in targets[:, au]]
        pairs = list(zip(maps[:, au], targets[:, au], regions, strict=True))
        mass = [float(one[region].sum() / one.sum()) for one, _, region in pairs]
        perfect = [float(target[region].sum() / target.sum()) for _, target, region in pairs]
        pointing = [float(region.flatten()[one.argmax()]) for one, _, region in pairs]
        mean = targets[:, au].mean(dim=0)
        fixed = [float(mean[region].sum() / mean.sum()) for region in regions]
        assert scores.num_faces[au] == 6
        assert scores.mass[au] == pytest.approx(np.mean(mass), rel=1e-5)
        assert scores.area[au] == pytest.approx(np.mean([float(region.float().mean()) for region in regions]), rel=1e-5)
        assert scores.perfect[au] == pytest.approx(np.mean(perfect), rel=1e-5)
        assert scores.fixed[au] == pytest.approx(np.mean(fixed), rel=1e-5)
        assert scores.pointing[au] == pytest.approx(np.mean(pointing))


def test_a_copy_is_perfect_and_an_even_map_gets_the_area() -> None:
    targets = attention_targets(landmarks(), UNITS, image_size=176)
    copy, even, nothing = (AttentionTally(UNITS) for _ in range(3))
    copy.add(targets, targets)
    even.add(torch.full_like(targets, 0.3), targets)
    nothing.add(torch.zeros_like(targets), targets)
    assert copy.scores().mass == pytest.approx(copy.scores().perfect)
    assert copy.scores().pointing == pytest.approx([1, 1])
    assert (copy.scores().mass > 2 * copy.scores().fixed).all()  # these faces don't stay in place
    for blank in (even, nothing):
        assert blank.scores().mass == pytest.approx(blank.scores().area, rel=1e-5)
    assert nothing.scores().pointing == pytest.approx([0, 0])


def test_unknown_landmarks_and_places_outside_the_crop_are_not_counted() -> None:
    points = landmarks(3)
    points[0, 48] = float("nan")  # a corner of the mouth, for AU12
    points[1, 56:59] = 900.0  # the lower lip, for AU17, far outside
    targets = attention_targets(points, UNITS, image_size=176)
    tally = AttentionTally(UNITS)
    tally.add(torch.rand(3, 2, 44, 44), targets)
    assert tally.scores().num_faces.tolist() == [2, 2]
    assert np.isfinite(tally.scores().mass).all()
    table = attention_table(AttentionTally(UNITS).scores(), "None").to_markdown()
    assert "| AU12     | Lip corner puller |     0 |             – |" in table


def test_the_table_ends_with_means() -> None:
    targets = attention_targets(landmarks(), UNITS, image_size=176)
    tally = AttentionTally(UNITS)
    tally.add(targets, targets)
    scores = tally.scores()
    lines = attention_table(scores, "Attention").to_markdown().splitlines()
    assert "**Mean**" in lines[6]
    assert f"**{100 * scores.mass.mean():.1f}**" in lines[6]
