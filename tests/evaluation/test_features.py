"""Features are the network's own, in evaluation mode, and the same every time; whatever the kind of network."""

import numpy as np
import pytest
import torch

from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import EpochLoader, LoaderConfig, eval_loader
from facskit.datasets.packed import packaged_faces
from facskit.datasets.samples import Batch
from facskit.evaluation.features import Features, extract_features
from facskit.faces.alignment import EyeSimilarityCrop
from facskit.models.attention_network import AttentionConfig
from facskit.models.build import build_model
from facskit.models.compact_network import CompactConfig
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.vision_transformer import ViTConfig

ROWS = np.array([3, 8, 500, 1200, 1439])
SMALL = ViTConfig(image_size=32, patch_size=16, dim=16, depth=2, heads=2, drop_path=0.5)


def _loader(batch_size: int = 2) -> EpochLoader[Batch]:
    preparation = Preparation(recipe=EyeSimilarityCrop(size=32))
    return eval_loader(FaceDataset(packaged_faces(), preparation, rows=ROWS), LoaderConfig(batch_size=batch_size))


def test_a_vision_transformer_drops_nothing() -> None:
    model = build_model(SMALL, 3).train()
    first, second = (extract_features(model, _loader(size).batches(0)) for size in (2, 5))
    assert model.training  # as it was
    assert first.rows.tolist() == ROWS.tolist()
    assert first.values.shape == (5, 16)
    np.testing.assert_allclose(first.values, second.values, atol=1e-5)


def test_the_head_reads_these_features() -> None:
    model = build_model(CompactConfig(image_size=32, widths=(8, 16), depths=(1, 1), places=4, place_dim=4), 3).eval()
    features = extract_features(model, _loader().batches(0))
    images = torch.cat([batch.images for batch in _loader().batches(0)])
    with torch.no_grad():
        torch.testing.assert_close(model.head(torch.from_numpy(features.values)), model(images))


def test_an_attention_network_gives_what_its_head_reads() -> None:
    model = build_model(AttentionConfig(image_size=32, unit_width=2, branch_widths=(4, 4, 4, 4, 4)), 2).train()
    features = extract_features(model, _loader().batches(0))
    assert features.values.shape == (5, model.dim)
    again = extract_features(model, _loader(5).batches(0))  # batch norm uses its stored statistics
    np.testing.assert_allclose(features.values, again.values, atol=1e-5)


def test_an_autoencoder_sees_whole_faces() -> None:
    model = MaskedAutoencoder(AutoencoderConfig(encoder=SMALL, decoder_dim=16, decoder_depth=1, decoder_heads=2))
    first, second = (extract_features(model, _loader().batches(0)) for _ in range(2))
    assert first.values.tolist() == second.values.tolist()  # no random mask


def test_rows_are_found_again() -> None:
    features = Features(values=np.arange(10, dtype=np.float32).reshape(5, 2), rows=ROWS)
    assert features.of(np.array([1200, 3])).tolist() == [[6, 7], [0, 1]]
    with pytest.raises(ValueError, match="rows must be among the 5 that features were extracted of"):
        features.of(np.array([4]))
    with pytest.raises(ValueError, match="among the 5"):
        features.of(np.array([9999]))


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="the loader gave no batch"):
        extract_features(build_model(SMALL, 3), [])
    with pytest.raises(ValueError, match="rows must rise, each once"):
        Features(values=np.zeros((2, 1), np.float32), rows=np.array([1, 1]))
    with pytest.raises(ValueError, match="features must be finite"):
        Features(values=np.full((1, 1), np.nan, np.float32), rows=np.array([1]))
