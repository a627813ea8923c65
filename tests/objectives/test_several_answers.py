"""Several answers at once: each loss against a loop, unknown labels, and one scale for presence and intensity."""

import math

import pytest
import torch
from torch import Tensor

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.models.answer_heads import Geometry, IntensityScale
from facskit.models.answers import Answers
from facskit.models.build import build_model
from facskit.models.calibration import Calibration
from facskit.models.compact_network import CompactConfig
from facskit.objectives.several_answers import (
    SeveralAnswers,
    SeveralAnswersConfig,
    angle_loss,
    landmark_loss,
    level_loss,
)

TINY = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=2, dropout=0.0)
ALL = Answers(intensities=True, geometry=True)


def _batch(count: int = 4) -> Batch:
    return Batch(
        images=torch.randn(count, 3, 16, 16),
        labels=torch.randint(-1, 2, (count, 3), dtype=torch.int8),
        subjects=torch.zeros(count, dtype=torch.int64),
        indices=torch.arange(count),
        action_units=ActionUnitSet.parse("1 4 12"),
        landmarks=torch.rand(count, 68, 2) * 16,
        levels=torch.randint(-1, 6, (count, 3), dtype=torch.int8),
        angles=torch.randn(count, 5) * 20,
    )


def test_level_loss_equals_a_loop() -> None:
    torch.manual_seed(0)
    logits, levels = torch.randn(3, 2, 5), torch.tensor([[0, 5], [-1, 2], [1, 3]], dtype=torch.int8)
    total, count = 0.0, 0
    for row in range(3):
        for unit in range(2):
            for level in (1, 3, 4, 5):
                if levels[row, unit] < 0:
                    continue
                probability = 1 / (1 + math.exp(-float(logits[row, unit, level - 1])))
                total -= math.log(probability if levels[row, unit] >= level else 1 - probability)
                count += 1
    assert float(level_loss(logits, levels)) == pytest.approx(total / count, abs=1e-6)


def test_landmark_loss_equals_a_loop_and_skips_unknown_points() -> None:
    torch.manual_seed(0)
    found = Geometry(points=torch.rand(2, 68, 2) * 50, deviations=torch.rand(2, 68) + 0.5, angles=torch.zeros(2, 5))
    points = torch.rand(2, 68, 2) * 50
    points[0, 3:], points[1, 0] = torch.nan, torch.nan
    total, count = 0.0, 0
    for row in range(2):
        for point in range(68):
            x, y = (points[row, point] - found.points[row, point]).tolist()
            if math.isnan(x):
                continue
            spread, square = 2 * float(found.deviations[row, point]), 4 * (x * x + y * y)
            total += spread * (2 * math.log(spread) + square / (2 * spread * spread))
            count += 1
    assert float(landmark_loss(found, points, side=50)) == pytest.approx(total / count, rel=1e-5)


def test_the_most_probable_deviation_is_that_of_the_errors() -> None:
    errors = torch.randn(4000, 68, 2) * 1.5
    raw = torch.zeros(68, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(120):
        found = Geometry(points=errors, deviations=raw.exp().expand(4000, -1), angles=torch.zeros(4000, 5))
        optimizer.zero_grad()
        torch.autograd.backward(landmark_loss(found, torch.zeros(4000, 68, 2), side=100))
        optimizer.step()
    assert raw.exp().mean().item() == pytest.approx(1.5, rel=0.02)


def test_angles_unknown_to_the_batch_change_nothing() -> None:
    found = torch.tensor([[3.0, 30.0], [torch.inf, 8.0]], requires_grad=True)
    wanted = torch.tensor([[0.0, 10.0], [torch.nan, torch.nan]])
    # quadratic up to two degrees: |3| / 10 - 0.1 and |20| / 10 - 0.1
    loss = angle_loss(found, wanted)
    assert float(loss.detach()) == pytest.approx((0.2 + 1.9) / 2)
    (gradient,) = torch.autograd.grad(loss, found)
    assert torch.equal(gradient[1], torch.zeros(2))


def test_presence_and_intensity_are_one_scale() -> None:
    scale = IntensityScale(3)
    with torch.no_grad():
        scale.steps.normal_()
    logits = torch.linspace(-9, 9, 50)[:, None].expand(-1, 3)
    reached = scale(logits).sigmoid()
    assert torch.equal(scale(logits)[..., 1], logits)
    assert (reached.diff(dim=-1) <= 0).all()
    intensities = reached.sum(-1)
    assert (intensities.diff(dim=0) > 0).all()
    assert (intensities >= 0).all()
    assert (intensities <= 5).all()
    # A face that is as likely as not at level B is between A and C.
    middle = scale(torch.zeros(1, 3)).sigmoid().sum(-1)
    assert ((middle > 1) & (middle < 3.5)).all()


def test_a_calibration_of_presence_holds_for_intensities_too() -> None:
    scale = IntensityScale(2)
    calibration = Calibration(temperatures=(2.0, 0.5), biases=(1.0, -1.0))
    logits = torch.tensor([[0.5, -1.5], [-2.0, 3.0]])
    expected = torch.zeros(2, 2)
    for face in range(2):
        for unit in range(2):
            for cut in scale.cut_points()[unit].tolist():
                level = (float(logits[face, unit]) - cut) / calibration.temperatures[unit] + calibration.biases[unit]
                expected[face, unit] += torch.tensor(level).sigmoid()
    torch.testing.assert_close(scale.intensities(logits, calibration).detach(), expected)
    alone = scale.select([1]).intensities(logits[:, 1:], calibration.select([1])).detach()
    torch.testing.assert_close(alone, expected[:, 1:])


def test_every_answer_is_learned() -> None:
    torch.manual_seed(0)
    model = build_model(TINY, 3, ALL)
    objective = SeveralAnswers(model, SeveralAnswersConfig())
    step = objective(_batch())
    assert set(step.terms) == {"occurrence", "levels", "landmarks", "angles"}
    step.loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all()


def test_a_batch_that_knows_nothing_teaches_nothing() -> None:
    model = build_model(TINY, 3, ALL)
    batch = _batch()
    blank = Batch(
        images=batch.images,
        labels=torch.full_like(batch.labels, -1),
        subjects=batch.subjects,
        indices=batch.indices,
        action_units=batch.action_units,
    )
    step = SeveralAnswers(model, SeveralAnswersConfig())(blank)
    step.loss.backward()
    gradients: list[Tensor] = [each.grad for each in model.parameters() if each.grad is not None]
    assert float(step.loss.detach()) == 0.0
    assert all(not gradient.any() for gradient in gradients)


def test_a_network_without_the_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="must answer intensities and geometry"):
        SeveralAnswers(build_model(TINY, 3), SeveralAnswersConfig())


def test_a_weight_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="level_weight must be at least 0"):
        SeveralAnswersConfig(level_weight=-1.0)
