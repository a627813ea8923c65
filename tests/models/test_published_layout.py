"""What a published file holds is told from names and shapes, and every parameter is accounted for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facskit.errors import CheckpointError
from facskit.models.published import ImportConfig, import_published
from facskit.models.published_layout import read_layout
from tests.models import published_files as fakes

HEADS = ImportConfig(heads=2)


@pytest.mark.parametrize(
    ("size", "encoder", "total", "keys"),
    [
        ("S", 21_665_664, 47_578_240, 254),
        ("B", 85_798_656, 111_907_840, 254),
        ("L", 303_301_632, 329_541_888, 398),
        ("H", 630_764_800, 657_074_508, 494),
    ],
)
def test_the_published_sizes_are_told_from_shapes(size: str, encoder: int, total: int, keys: int) -> None:
    with torch.device("meta"):
        tensors = {
            name: torch.empty(shape)
            for name, shape in fakes.autoencoder(fakes.SIZES[size], 224, decoder=(512, 8)).items()
        }
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    layout = read_layout("file", shapes)

    assert (layout.kind, layout.size, len(shapes)) == ("autoencoder", size, keys)
    assert sum(tensor.numel() for tensor in tensors.values()) == total
    decoder = ("decoder", "mask_token")
    assert sum(tensor.numel() for name, tensor in tensors.items() if not name.startswith(decoder)) == encoder
    assert (layout.decoder_dim, layout.decoder_depth) == (512, 8)
    fine = read_layout("file", fakes.fine_tuned(12, 41, fakes.SIZES[size], 224))
    assert (fine.kind, fine.size, fine.outputs, fine.identities) == ("recognizer", size, 12, 41)
    assert fine.encoder.heads == {"S": 6, "B": 12, "L": 16, "H": 16}[size]
    assert fine.encoder.image_size == 224


def change(name: str, *shape: int) -> Callable[[dict[str, Any]], None]:
    return lambda p: p.update({name: torch.zeros(shape)})


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    def without(parameters: dict[str, Any]) -> None:
        parameters.pop(name)

    return without


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (drop("cls_token"), "is no FMAE-IAT network: cls_token is missing"),
        (drop("blocks.1.norm2.bias"), "lacks blocks.1.norm2.bias, which"),
        (drop("head.bias"), "lacks head.bias, which"),
        (drop("fc_norm.weight"), "lacks fc_norm.weight, which"),
        (drop("ID_head.bias"), "lacks ID_head.bias, which"),
        (change("surprise", 1), "holds surprise, which an FMAE-IAT network of its kind doesn't have"),
        (change("norm.weight", 64), "holds norm.weight, which"),
        (change("blocks.3.norm1.weight", 64), "must number its blocks from 0 without a gap; found 0, 1, 3"),
        (change("head.weight", 12, 32), r"holds head.weight in the shape \(12, 32\); expected \(12, 64\)"),
        (change("head.weight", 12), r"holds head.weight in the shape \(12,\); expected 2 dimensions"),
        (change("head.weight", 0, 64), r"holds head.weight in the shape \(0, 64\)"),
        (change("pos_embed", 1, 6, 64), "has 6 position embeddings; expected those of a square grid and one more"),
        (change("pos_embed", 1, 1, 64), "has 1 position embeddings"),
        (change("mask_token", 1, 1, 32), "must number its decoder_blocks from 0"),
        (change("ID_head.weight", 41, 32), r"holds ID_head.weight in the shape \(41, 32\)"),
        (lambda p: p["head.bias"].fill_(float("nan")), "holds a value in head.bias that is not finite"),
        (lambda p: p["blocks.0.mlp.fc1.weight"].fill_(float("inf")), "holds a value in blocks.0.mlp.fc1.weight that"),
        (lambda p: p.update(cls_token="text"), "holds cls_token as str; expected a named tensor"),
        (lambda p: p.update({3: torch.zeros(1)}), "holds 3 as Tensor; expected a named tensor"),
        (lambda p: p.update({"module.head.bias": torch.zeros(12)}), "holds head.bias twice"),
        (lambda p: p.update({"head.bias": torch.zeros(12, dtype=torch.int64)}), "holds head.bias as int64; expected"),
        (
            lambda p: p.update({"head.weight": torch.zeros(1, 1).expand(12, 64)}),
            "holds head.weight in an unusual layout",
        ),
        (
            lambda p: p.update({"head.weight": torch.zeros(12, 64).to_sparse()}),
            "holds head.weight in an unusual layout",
        ),
        (lambda p: p.clear(), "holds no parameters"),
    ],
)
def test_every_parameter_is_accounted_for(tmp_path: Path, edit: Callable[[dict[str, Any]], None], message: str) -> None:
    parameters: dict[str, Any] = dict(fakes.state(fakes.fine_tuned(12, 41)))
    edit(parameters)
    path = tmp_path / "file.pth"
    torch.save(fakes.checkpoint(parameters), path)
    with pytest.raises(CheckpointError, match=rf"^{path} {message}"):
        import_published(path, HEADS)


def test_the_heads_of_the_ablation_are_followed(tmp_path: Path) -> None:
    chain = fakes.linear("ID_head", 64, 32) | fakes.linear("ID_head2", 32, 16) | fakes.linear("ID_head3", 16, 41)
    imported = import_published(fakes.write(tmp_path / "a.pth", fakes.fine_tuned(12) | chain), HEADS)
    assert (imported.layout.identities, imported.dataset) == (41, "bp4d")
    broken = chain | fakes.linear("ID_head2", 31, 16)
    with pytest.raises(CheckpointError, match=r"holds ID_head2.weight in the shape \(16, 31\); expected \(16, 32\)"):
        import_published(fakes.write(tmp_path / "b.pth", fakes.fine_tuned(12) | broken), HEADS)
