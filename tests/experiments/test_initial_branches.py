"""Attention networks start from each other unit by unit: the mapping, what is copied, and what isn't."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from facskit.action_units import BP4D, DISFA_8, ActionUnitSet
from facskit.errors import CheckpointError
from facskit.experiments.initial_branches import branch_sources
from facskit.experiments.initial_weights import load_body
from facskit.faces.alignment import Similarity49Crop
from facskit.models.attention_network import AttentionConfig, AttentionNetwork
from facskit.models.build import ModelConfig, build_model
from facskit.models.checkpoints import CheckpointInfo, save_checkpoint
from facskit.models.compact_network import CompactConfig

CONFIG = AttentionConfig(image_size=16, unit_width=1, branch_widths=(2, 3, 2, 4, 5))


def _file(folder: Path, units: ActionUnitSet, config: ModelConfig = CONFIG) -> tuple[Path, dict[str, Tensor]]:
    """Save a network whose every tensor, statistics included, has values of its own."""
    model = build_model(config, len(units))
    with torch.no_grad():
        for value in model.state_dict().values():
            value.copy_(torch.rand(value.shape) if value.is_floating_point() else torch.tensor(7))
    info = CheckpointInfo(
        model=config,
        action_units=units,
        crop=Similarity49Crop(size=config.image_size),
        normalization="symmetric",
        thresholds=(0.5,) * len(units),
        licence="Apache-2.0",
    )
    path = folder / "weights.safetensors"
    save_checkpoint(path, model, info)
    return path, model.state_dict()


def _shares(state: dict[str, Tensor], units: ActionUnitSet, number: int) -> Iterator[tuple[str, Tensor]]:
    """Return one unit's rows of every tensor that holds units."""
    index = [unit.number for unit in units].index(number)
    for name, value in state.items():
        if name.startswith(("branches.", "head.")) and value.ndim:
            rows = value.shape[0] // len(units)
            yield name, value[index * rows : (index + 1) * rows]


def test_disfa_starts_from_bp4d_as_published() -> None:
    expected = {1: 1, 2: 2, 4: 4, 6: 6, 12: 12, 25: 23, 26: 17}

    sources = branch_sources(DISFA_8, BP4D)

    assert sources == {f"AU{unit:02d}": f"AU{source:02d}" for unit, source in expected.items()}  # none for AU9


def test_a_unit_of_the_file_is_better_than_a_substitute() -> None:
    given = ActionUnitSet.parse("17 23 25")

    assert branch_sources(ActionUnitSet.parse("25 26"), given) == {"AU25": "AU25", "AU26": "AU17"}
    assert branch_sources(ActionUnitSet.parse("9"), given) == {}


def test_branches_go_where_their_units_are_and_the_others_stay_fresh(tmp_path: Path) -> None:
    path, stored = _file(tmp_path, BP4D)
    model = AttentionNetwork(replace(CONFIG, image_size=32, attention_bias=-2.0), len(DISFA_8))
    fresh = {name: value.clone() for name, value in model.state_dict().items()}

    load_body(model, path, DISFA_8)

    state = model.state_dict()
    for code, source in branch_sources(DISFA_8, BP4D).items():
        ours = dict(_shares(state, DISFA_8, int(code[2:])))
        assert "head.weight" in ours
        assert "branches.attention.bias" in ours
        for name, value in _shares(stored, BP4D, int(source[2:])):
            assert torch.equal(ours[name], value), name
    before = dict(_shares(fresh, DISFA_8, 9))
    for name, value in _shares(state, DISFA_8, 9):
        assert torch.equal(value, before[name]), name
    for name, value in state.items():
        if name.startswith("regions."):
            assert torch.equal(value, stored[name]), name


def test_the_same_units_make_the_same_network(tmp_path: Path) -> None:
    path, stored = _file(tmp_path, BP4D)
    model = AttentionNetwork(CONFIG, len(BP4D))

    load_body(model, path, BP4D)
    for name, value in model.state_dict().items():
        assert torch.equal(value, stored[name]), name


def test_another_order_of_units_gives_the_same_answers(tmp_path: Path) -> None:
    path, _ = _file(tmp_path, BP4D)
    turned = ActionUnitSet(BP4D.units[::-1])
    images = torch.randn(2, 3, 16, 16)
    models = [AttentionNetwork(CONFIG, len(BP4D)).eval() for _ in range(2)]
    for model, units in zip(models, (BP4D, turned), strict=True):
        load_body(model, path, units)

    torch.testing.assert_close(models[1](images), models[0](images).flip(1))


def test_without_units_only_the_region_layers_are_taken(tmp_path: Path) -> None:
    path, stored = _file(tmp_path, BP4D)
    model = AttentionNetwork(CONFIG, 2)
    before = model.head.weight.detach().clone()

    load_body(model, path)
    assert torch.equal(model.state_dict()["regions.0.norm.running_var"], stored["regions.0.norm.running_var"])
    assert torch.equal(model.head.weight, before)


def test_another_network_is_refused(tmp_path: Path) -> None:
    path, _ = _file(tmp_path, BP4D)
    message = r"weights.safetensors: its network has product before-norm, the recipe's has after-relu\.$"
    with pytest.raises(CheckpointError, match=message):
        load_body(AttentionNetwork(replace(CONFIG, product="after-relu"), 12), path, BP4D)
    with pytest.raises(CheckpointError, match=r"its network has unit_width 1, the recipe's has 2\.$"):
        load_body(AttentionNetwork(replace(CONFIG, unit_width=2), 12), path, BP4D)
    compact = CompactConfig(image_size=16, widths=(8,), depths=(1,), places=2, place_dim=2)
    path, _ = _file(tmp_path, BP4D, compact)
    with pytest.raises(CheckpointError, match=r"its network is of kind compact, the recipe's of kind attention\.$"):
        load_body(AttentionNetwork(CONFIG, 12), path, BP4D)
