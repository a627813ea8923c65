"""Layers against loop-written references."""

import math

import pytest
import torch

from facskit.models.layers import Attention, Block, DropPath, PatchEmbedding


def test_patch_embedding_projects_each_patch_row_by_row() -> None:
    embedding = PatchEmbedding(4, 5)
    images = torch.randn(2, 3, 8, 8)

    tokens = embedding(images)

    weight = embedding.proj.weight.reshape(5, -1)
    for row in range(2):
        for column in range(2):
            patch = images[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].reshape(2, -1)
            assert torch.allclose(tokens[:, 2 * row + column], patch @ weight.T, atol=1e-5)


def test_patch_embedding_starts_xavier_uniform_over_the_flattened_patch() -> None:
    weight = PatchEmbedding(8, 64).proj.weight

    limit = math.sqrt(6 / (3 * 8 * 8 + 64))
    assert float(weight.detach().abs().max()) <= limit
    assert float(weight.detach().std()) == pytest.approx(limit / math.sqrt(3), rel=0.05)


def test_attention_equals_its_formula() -> None:
    attention = Attention(12, 3).double()
    tokens = torch.randn(2, 5, 12, dtype=torch.float64)

    query, key, value = attention.qkv(tokens).split(12, dim=-1)
    mixed = torch.zeros_like(tokens)
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(4)
        mixed[..., part] = scores.softmax(-1) @ value[..., part]

    assert torch.allclose(attention(tokens), attention.proj(mixed))


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25)

    dropped = drop(torch.ones(4000, 3, 2))

    assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert bool((dropped.flatten(1).amin(1) == dropped.flatten(1).amax(1)).all())
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.03)
    assert torch.equal(drop.eval()(torch.ones(5, 2)), torch.ones(5, 2))


def test_a_block_with_every_branch_dropped_is_the_identity() -> None:
    block = Block(8, 2, drop_path=1 - 1e-7)
    tokens = torch.randn(3, 4, 8)

    assert torch.equal(block(tokens), tokens)
