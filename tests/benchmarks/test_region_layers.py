"""The loops that facskit is timed against compute the same; otherwise the ratios mean nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.attention_targets import faces, looped_targets, tabled_targets
from benchmarks.region_layers import Setting, largest_differences, measure
from facskit.action_units import BP4D, ActionUnitSet
from facskit.models.attention_network import AttentionConfig
from facskit.models.attention_targets import attention_targets

SMALL = AttentionConfig(image_size=16, unit_width=1, branch_widths=(2, 3, 4, 5, 6))
SETTING = Setting(config=SMALL, units=3, batch=2, repeats=1, device=torch.device("cpu"))


def test_outputs_and_gradients_are_the_same() -> None:
    values, gradients = largest_differences(SETTING)

    assert values < 1e-10
    assert gradients < 1e-8


def test_both_are_timed_in_both_formats() -> None:
    results = measure(replace(SETTING, config=replace(SMALL, image_size=32)))

    names = [name for name, _, _ in results]
    assert names == [f"{part}, {kind}" for kind in ("float32", "bfloat16") for part in ("region layers", "network")]
    assert all(seconds > 0 for _, loop, ours in results for seconds in (*loop, *ours))


@pytest.mark.parametrize("loop", [looped_targets, tabled_targets])
def test_maps_are_the_same(loop: Callable[[Tensor, ActionUnitSet, int], Tensor]) -> None:
    landmarks = faces(2, 32)

    torch.testing.assert_close(loop(landmarks, BP4D, 32), attention_targets(landmarks, BP4D, image_size=32))
