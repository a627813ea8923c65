"""Region layers: the authors' numbers, the loop over patches, and that no patch sees its neighbour."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.looped_attention_network import LoopedPatches
from facskit.models.region_layers import (
    GRIDS,
    PatchConvolution,
    PatchNorm,
    RegionLayer,
    join_patches,
    split_patches,
)

PARITY = Path(__file__).parents[1] / "data" / "region_layer.npz"
"""Computed once with published code: `config`, weights as `state/NAME`, `images`, `eval_output`, `train_output`."""
THEIR_NAMES = {"convolution": ("conv", "convs"), "norm": ("bn", "bns")}
"""Our name of a part -> theirs in a layer, and in a level, where each patch has its own."""


def _published_state(layer: RegionLayer, published: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Put the published weights of one layer into our arrangement: a level's patches one after the other."""
    state = {}
    for name, value in layer.state_dict().items():
        match name.split("."):
            case [*_, "num_batches_tracked"]:
                state[name] = value
            case ["levels", level, part, leaf]:
                patches = range(GRIDS[int(level)] ** 2)
                place = f"{prefix}local_conv_branch{int(level) + 1}.{THEIR_NAMES[part][1]}"
                state[name] = torch.cat([published[f"{place}.{patch}.{leaf}"] for patch in patches])
            case [part, leaf]:
                state[name] = published[f"{prefix}{THEIR_NAMES[part][0]}.{leaf}"]
    return state


@pytest.fixture(scope="module")
def parity() -> dict[str, Tensor]:
    with np.load(PARITY) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files if name != "config"}


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_two_layers_give_the_published_output(parity: dict[str, Tensor], mode: str) -> None:
    published = {name.removeprefix("state/"): value for name, value in parity.items()}
    layers = RegionLayer(3, 1), RegionLayer(4, 2)
    for index, layer in zip((0, 2), layers, strict=True):
        layer.load_state_dict(_published_state(layer, published, f"multiscale_feat.{index}."))
    trunk = nn.Sequential(layers[0], nn.MaxPool2d(2), layers[1], nn.MaxPool2d(2)).train(mode == "train")

    torch.testing.assert_close(trunk(parity["images"]), parity[f"{mode}_output"], atol=1e-4, rtol=0)


def _pair(grid: int) -> tuple[PatchConvolution, LoopedPatches]:
    """Return the same patch convolution twice, with weights that differ from patch to patch."""
    torch.manual_seed(grid)
    ours, loop = PatchConvolution(3, 2, grid).double(), LoopedPatches(3, 2, grid).double()
    for name in ("weight", "bias"):
        nn.init.normal_(ours.norm.get_parameter(name))
    for part, modules in (("norm", loop.norms), ("convolution", loop.convolutions)):
        for name, value in ours.get_submodule(part).named_parameters():
            for module, share in zip(modules, value.detach().chunk(grid * grid), strict=True):
                module.get_parameter(name).data.copy_(share)
    return ours, loop


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("grid", GRIDS)
def test_patches_at_once_equal_the_loop(grid: int, channels_last: bool) -> None:
    ours, loop = _pair(grid)
    maps = torch.randn(2, 3, 3 * grid, 3 * grid, dtype=torch.float64, requires_grad=True)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    same = maps.detach().clone(memory_format=layout).requires_grad_()

    described, expected = ours(same), loop(maps)
    torch.testing.assert_close(described, expected)
    weights = torch.randn_like(expected)
    for output in (described, expected):
        torch.autograd.backward((output * weights).sum())
    torch.testing.assert_close(same.grad, maps.grad)
    for statistic in ("running_mean", "running_var"):
        of_patches = torch.cat([norm.get_buffer(statistic) for norm in loop.norms])
        torch.testing.assert_close(ours.norm.get_buffer(statistic), of_patches)
    ours.eval()
    loop.eval()
    torch.testing.assert_close(ours(same), loop(maps))


@pytest.mark.parametrize("patch_norm", ["patch", "map"])
def test_no_patch_sees_its_neighbours(patch_norm: PatchNorm) -> None:
    level = PatchConvolution(2, 3, 4, patch_norm).eval()
    maps = torch.randn(1, 2, 16, 16)
    changed = maps.clone()
    changed[..., 4:8, 8:12] += 1.0

    different = (level(changed) != level(maps)).any(dim=1)[0]

    assert different[4:8, 8:12].any()
    different[4:8, 8:12] = False
    assert not different.any()


def test_the_whole_map_has_one_norm_if_wanted() -> None:
    torch.manual_seed(0)
    level = PatchConvolution(2, 3, 4, "map")
    maps = torch.randn(2, 2, 16, 16) * torch.linspace(0.1, 3, 16)  # patches of different spread
    normed = functional.batch_norm(maps, None, None, training=True)
    patches = split_patches(functional.relu(normed), 4)
    expected = functional.conv2d(patches, level.convolution.weight, level.convolution.bias, padding=1, groups=16)

    torch.testing.assert_close(level(maps), join_patches(expected, 4))
    assert level.norm.num_features == 2


def test_patches_go_row_by_row_and_come_back() -> None:
    maps = torch.arange(2 * 3 * 4 * 8.0).view(2, 3, 4, 8)

    patches = split_patches(maps, 2)

    assert patches.shape == (2, 12, 2, 4)
    assert torch.equal(patches[:, 3:6], maps[:, :, :2, 4:])  # the second patch is the one to the right
    assert torch.equal(join_patches(patches, 2), maps)


def test_gradients_come_in_the_layout_of_the_maps() -> None:
    maps = torch.randn(2, 8, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()

    PatchConvolution(8, 4, 4)(maps).sum().backward()

    assert maps.grad is not None
    assert maps.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("inputs", "width", "parameters"), [(3, 8, 322_464), (32, 16, 1_292_928)])
def test_parameters_are_those_of_the_paper(inputs: int, width: int, parameters: int) -> None:
    with torch.device("meta"):
        layer = RegionLayer(inputs, width)
    patches = [sum(value.numel() for value in level.parameters()) for level in layer.levels]

    assert sum(value.numel() for value in layer.parameters()) == parameters
    assert patches == ([300_032, 19_072, 2_400] if width == 8 else [1_189_888, 75_008, 9_408])
