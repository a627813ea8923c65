"""Starting an attention network from another's weights: region layers as they are, branches action unit by action unit.

A branch belongs to an action unit, not to a place in a list; so a network for DISFA's units takes from one for BP4D's
the branches of the units that both have, and those of units that show at the same place.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType

import torch

from facskit.action_units import ActionUnitSet
from facskit.errors import CheckpointError
from facskit.models.attention_network import AttentionConfig, AttentionNetwork
from facskit.models.checkpoints import load_checkpoint

__all__ = ["SUBSTITUTES", "branch_sources", "load_branches"]

SUBSTITUTES: Mapping[int, int] = MappingProxyType({25: 23, 26: 17})
"""Number of an action unit -> the one whose branch starts it if the file lacks it. They show at the same place (see
`CENTRE_RULES`); CIU's group starts its networks for DISFA from those for BP4D this way."""
_OF_UNITS = ("branches.", "head.")
"""Parameters whose first dimension holds the action units in turn; the others are the region layers'."""
_FREE = ("image_size", "attention_bias")
"""Fields that two networks may differ in: the same filters fit any image, and the bias is a starting value."""


def branch_sources(units: ActionUnitSet, given: ActionUnitSet) -> dict[str, str]:
    """Choose which branch of a file starts which branch of a network.

    Returns:
        Code of a unit -> code of the file's unit: the same one, else its substitute. Units with neither are left out.
    """
    known = {unit.number: unit.code for unit in given}
    choices = {unit.code: known.get(unit.number, known.get(SUBSTITUTES.get(unit.number, 0))) for unit in units}
    return {code: source for code, source in choices.items() if source is not None}


@torch.no_grad()
def load_branches(model: AttentionNetwork, path: Path, units: ActionUnitSet) -> None:
    """Replace region layers, and the branches and answers that the file has something for; the others stay fresh.

    Args:
        model: The network, changed in place; its first outputs are `units`.
        path: A weight file of an attention network.
        units: The network's action units; `NO_ACTION_UNITS` takes the region layers alone.
    """
    stored, info = load_checkpoint(path)
    if not isinstance(info.model, AttentionConfig):
        raise CheckpointError(f"{path}: its network is of kind {info.model.kind}, the recipe's of kind attention.")
    fitted = replace(info.model, **{field: getattr(model.config, field) for field in _FREE})
    for field, value in asdict(model.config).items():
        if (found := getattr(fitted, field)) != value:
            raise CheckpointError(f"{path}: its network has {field} {found}, the recipe's has {value}.")
    sources = branch_sources(units, info.action_units)
    state = stored.state_dict()
    for name, value in model.state_dict().items():
        if not name.startswith(_OF_UNITS) or not value.ndim:
            value.copy_(state[name])
            continue
        # Branches lie one after the other in the first dimension; unflattening gives each its own place.
        ours, theirs = value.unflatten(0, (model.num_outputs, -1)), state[name].unflatten(0, (info.num_outputs, -1))
        for code, source in sources.items():
            ours[units.codes.index(code)].copy_(theirs[info.action_units.codes.index(source)])
