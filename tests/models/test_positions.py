"""Position embeddings against the published table and loops, and on other grids."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from facskit.models.positions import resize_positions, sincos_positions

DATA = Path(__file__).parent.parent / "data"


def test_positions_meet_the_published_table() -> None:
    published = np.load(DATA / "pos_embed.npz")["dim64_grid4"]

    ours = sincos_positions(64, 4, class_token=True)

    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours[0].numpy(), published, atol=1e-6)


def test_positions_put_the_column_first() -> None:
    dim, grid = 8, 3

    ours = sincos_positions(dim, grid, class_token=False)[0]

    for row in range(grid):
        for column in range(grid):
            expected = [
                function(coordinate / 10000 ** (index / (dim / 4)))
                for coordinate in (column, row)
                for function in (math.sin, math.cos)
                for index in range(dim // 4)
            ]
            assert ours[row * grid + column].tolist() == pytest.approx(expected, abs=1e-6)


def test_positions_need_a_multiple_of_four() -> None:
    with pytest.raises(ValueError, match=r"^dim must be a multiple of 4 for sine-cosine positions, got 6$"):
        sincos_positions(6, 2, class_token=True)


def test_resized_positions_keep_the_class_token_and_interpolate_the_rest() -> None:
    positions = torch.randn(1, 1 + 16, 8)

    resized = resize_positions(positions, 7)

    assert resized.shape == (1, 50, 8)
    assert torch.equal(resized[:, :1], positions[:, :1])
    for channel in range(8):
        square = positions[0, 1:, channel].reshape(1, 1, 4, 4)
        expected = functional.interpolate(square, size=(7, 7), mode="bicubic", align_corners=False)
        assert torch.allclose(resized[0, 1:, channel], expected.flatten(), atol=1e-6)


def test_resizing_to_the_same_grid_changes_nothing_and_odd_grids_are_refused() -> None:
    positions = torch.randn(1, 17, 8)

    assert resize_positions(positions, 4) is positions
    with pytest.raises(ValueError, match=r"^positions of a square grid are needed, got 14 patches$"):
        resize_positions(torch.randn(1, 15, 8), 4)
