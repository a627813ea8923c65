"""Importing published files: what they hold is told right, and nothing that's wrong or hostile gets through."""

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from facskit.action_units import BP4D, DISFA_8, NO_ACTION_UNITS
from facskit.errors import CheckpointError
from facskit.experiments.initial_weights import load_body
from facskit.expressions import AFFECTNET_7, AFFECTNET_8, RAF_DB, ExpressionSet
from facskit.faces.alignment import BoxCrop
from facskit.models.build import build_model
from facskit.models.checkpoints import CheckpointInfo, EncoderInfo, load_checkpoint, load_encoder, save_checkpoint
from facskit.models.masked_autoencoder import MaskedAutoencoder
from facskit.models.positions import resize_positions
from facskit.models.published import ImportConfig, PublishedDataset, import_published
from tests.models import published_files as fakes

HEADS = ImportConfig(heads=2)


def given(dataset: PublishedDataset) -> ImportConfig:
    return ImportConfig(heads=2, dataset=dataset)


def test_a_pretraining_file_becomes_an_autoencoder_with_everything(tmp_path: Path) -> None:
    path = fakes.write(tmp_path / "checkpoint-49.pth", fakes.autoencoder())
    imported = import_published(path, HEADS)

    assert isinstance(imported.info, EncoderInfo)
    assert isinstance(imported.model, MaskedAutoencoder)
    expected = fakes.state(fakes.autoencoder())
    assert all(torch.equal(tensor, expected[name]) for name, tensor in imported.model.state_dict().items())
    assert imported.model.state_dict().keys() == expected.keys()
    assert imported.info.licence == "CC-BY-NC-4.0"
    assert imported.info.normalization == "imagenet"
    provenance = imported.info.provenance
    assert provenance["published_file"] == "checkpoint-49.pth"
    assert provenance["published_epoch"] == 20
    assert provenance["dropped"] == ["optimizer", "scaler"]
    arguments = {"blr": "0.0005", "device": "cuda", "epochs": "30", "model": "vit_large_patch16"}
    assert provenance["published_arguments"] == arguments
    assert len(provenance["sha256"]) == 64

    save_checkpoint(tmp_path / "mine.safetensors", imported.model, imported.info)
    again, info = load_encoder(tmp_path / "mine.safetensors")
    assert info == imported.info
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(again.features(images), imported.model.features(images))
    with pytest.raises(CheckpointError, match="has no trained head, because it holds a pre-trained autoencoder"):
        load_checkpoint(tmp_path / "mine.safetensors")


@pytest.mark.parametrize(
    ("shapes", "dataset", "told"),
    [
        (fakes.fine_tuned(12, 41), None, "bp4d"),
        (fakes.fine_tuned(12, 140), None, "bp4d-plus"),
        (fakes.fine_tuned(8, 27), None, "disfa"),
        (fakes.fine_tuned(12), "bp4d", "bp4d"),
        (fakes.fine_tuned(8), "disfa", "disfa"),
        (fakes.fine_tuned(12, 41, head="AU_head"), None, "bp4d"),
    ],
)
def test_action_units_are_named(
    tmp_path: Path, shapes: fakes.Shapes, dataset: PublishedDataset | None, told: str
) -> None:
    imported = import_published(fakes.write(tmp_path / "file.pth", shapes), ImportConfig(heads=2, dataset=dataset))
    info = imported.info
    assert isinstance(info, CheckpointInfo)
    assert imported.dataset == told
    assert info.action_units == (DISFA_8 if told == "disfa" else BP4D)
    assert info.expressions is None
    assert info.thresholds == (0.5,) * len(info.action_units)
    assert info.crop == BoxCrop(size=32, margin=0.05, stretch=True)
    assert ("ID_head" in info.provenance["dropped"]) == (imported.layout.identities > 0)
    assert isinstance(info.provenance["training_subjects"], str)


@pytest.mark.parametrize(
    ("shapes", "dataset", "expressions"),
    [
        (fakes.raf_db(), None, RAF_DB),
        (fakes.fine_tuned(7), "raf-db", RAF_DB),
        (fakes.fine_tuned(8), "affectnet", AFFECTNET_8),
        (fakes.fine_tuned(7), "affectnet", AFFECTNET_7),
    ],
)
def test_expressions_are_named(
    tmp_path: Path, shapes: fakes.Shapes, dataset: PublishedDataset | None, expressions: ExpressionSet
) -> None:
    path = fakes.write(tmp_path / "file.pth", shapes)
    imported = import_published(path, ImportConfig(heads=2, dataset=dataset))
    assert isinstance(imported.info, CheckpointInfo)
    assert imported.info.expressions == expressions
    assert imported.info.action_units == NO_ACTION_UNITS
    save_checkpoint(tmp_path / "mine.safetensors", imported.model, imported.info)
    model, info = load_checkpoint(tmp_path / "mine.safetensors")
    assert info == imported.info
    assert model.head.out_features == len(expressions)


def test_raf_db_keeps_the_trained_head_and_drops_the_other(tmp_path: Path) -> None:
    path = fakes.write(tmp_path / "file.pth", fakes.raf_db())
    imported = import_published(path, HEADS)
    expected = fakes.state(fakes.raf_db())
    assert torch.equal(imported.model.state_dict()["head.weight"], expected["AU_head.weight"])
    assert imported.info.provenance["dropped"] == ["head", "optimizer", "scaler"]


def test_the_outputs_are_those_of_the_described_network(tmp_path: Path) -> None:
    """The forward pass written out with the file's own parameters."""
    path = fakes.write(tmp_path / "file.pth", fakes.fine_tuned(12, 41))
    model = import_published(path, HEADS).model
    p, heads = fakes.state(fakes.fine_tuned(12, 41)), 2
    image = torch.randn(1, 3, 32, 32)

    def layer_norm(x: Tensor, stem: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * p[f"{stem}.weight"] + p[f"{stem}.bias"]

    def affine(x: Tensor, stem: str) -> Tensor:
        return x @ p[f"{stem}.weight"].T + p[f"{stem}.bias"]

    patches = image.reshape(3, 2, 16, 2, 16).permute(1, 3, 0, 2, 4).reshape(4, -1)
    tokens = patches @ p["patch_embed.proj.weight"].reshape(64, -1).T + p["patch_embed.proj.bias"]
    x = torch.cat([p["cls_token"][0], tokens]) + p["pos_embed"][0]
    for index in range(2):
        stem = f"blocks.{index}"
        q, k, v = (
            affine(layer_norm(x, f"{stem}.norm1"), f"{stem}.attn.qkv").reshape(5, 3, heads, 32).permute(1, 2, 0, 3)
        )
        mixed = torch.softmax(q @ k.transpose(1, 2) / 32**0.5, -1) @ v
        x = x + affine(mixed.transpose(0, 1).reshape(5, 64), f"{stem}.attn.proj")
        hidden = affine(layer_norm(x, f"{stem}.norm2"), f"{stem}.mlp.fc1")
        x = x + affine(hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5)), f"{stem}.mlp.fc2")
    logits = affine(layer_norm(x[1:].mean(0), "fc_norm"), "head")

    with torch.no_grad():
        torch.testing.assert_close(model(image)[0], logits, atol=1e-5, rtol=1e-5)


def test_bare_state_dicts_and_safetensors_are_read_too(tmp_path: Path) -> None:
    parameters = fakes.state(fakes.fine_tuned(12, 41))
    reference = import_published(fakes.write(tmp_path / "a.pth", fakes.fine_tuned(12, 41)), HEADS).model.state_dict()
    torch.save({f"module.{name}": value for name, value in parameters.items()}, tmp_path / "b.pth")
    safetensors.torch.save_file(dict(parameters), tmp_path / "c.safetensors")
    torch.save({name: torch.nn.Parameter(value) for name, value in parameters.items()}, tmp_path / "d.pth")
    for name in ("b.pth", "c.safetensors", "d.pth"):
        imported = import_published(tmp_path / name, HEADS)
        assert all(torch.equal(value, reference[key]) for key, value in imported.model.state_dict().items())
        assert "published_epoch" not in imported.info.provenance


@pytest.mark.parametrize("form", ["zip", "before 1.6", "safetensors"])
def test_an_encoder_without_its_decoder_is_a_start_for_training(tmp_path: Path, form: str) -> None:
    path, out = tmp_path / "mae_pretrain.pth", tmp_path / "encoder.safetensors"
    parameters = fakes.state(fakes.encoder())
    if form == "safetensors":
        safetensors.torch.save_file(dict(parameters), path)
    else:
        torch.save({"model": parameters}, path, _use_new_zipfile_serialization=form == "zip")
    imported = import_published(path, HEADS)
    save_checkpoint(out, imported.model, imported.info)

    model, info = load_encoder(out)
    assert (info.model.decoder_dim, info.model.decoder_depth, info.model.decoder_heads) == (0, 0, 0)
    assert model.state_dict().keys() == parameters.keys()
    assert torch.equal(model.state_dict()["norm.weight"], parameters["norm.weight"])
    assert "MAE" in info.provenance["source"]
    assert "decoder isn't in the file" in imported.warnings[0]
    network = build_model(replace(info.model.encoder, drop_path=0.1), 3)
    load_body(network, out)
    assert torch.equal(network.state_dict()["blocks.1.mlp.fc2.bias"], parameters["blocks.1.mlp.fc2.bias"])
    with pytest.raises(ValueError, match="without its decoder"):
        model(torch.zeros(1, 3, 32, 32))


def test_files_from_before_pytorch_1_6_are_read_as_others_are(tmp_path: Path) -> None:
    content = fakes.checkpoint(fakes.state(fakes.fine_tuned(12, 41)))
    old, new = tmp_path / "old.pth", tmp_path / "new.pth"
    torch.save(content, old, _use_new_zipfile_serialization=False)
    torch.save(content, new)
    first, second = (import_published(path, HEADS) for path in (old, new))
    assert first.info.provenance["published_epoch"] == second.info.provenance["published_epoch"] == 20
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name])


def test_positions_are_interpolated_only_when_asked(tmp_path: Path) -> None:
    path = fakes.write(tmp_path / "a.pth", fakes.fine_tuned(12, 41))
    resized = import_published(path, ImportConfig(heads=2, image_size=64))
    assert isinstance(resized.info, CheckpointInfo)
    assert resized.info.crop == BoxCrop(size=64, margin=0.05, stretch=True)
    assert resized.info.provenance["positions_resized_from"] == 32
    expected = resize_positions(fakes.state(fakes.fine_tuned(12, 41))["pos_embed"], 4)
    assert torch.equal(resized.model.state_dict()["pos_embed"], expected)
    with pytest.raises(
        CheckpointError, match=r"can't be brought to 60 px: image_size must be a multiple of patch_size"
    ):
        import_published(path, ImportConfig(heads=2, image_size=60))
    encoder = fakes.write(tmp_path / "b.pth", fakes.autoencoder())
    bigger = import_published(encoder, ImportConfig(heads=2, image_size=64)).model.state_dict()
    assert bigger["pos_embed"].shape == (1, 17, 64)
    assert bigger["decoder_pos_embed"].shape == (1, 17, 32)


@pytest.mark.parametrize(
    ("shapes", "config", "message"),
    [
        (fakes.fine_tuned(8), HEADS, "8 outputs are DISFA's action units or AffectNet's expressions; give --dataset"),
        (fakes.fine_tuned(12), HEADS, "12 outputs are BP4D's or BP4D\\+'s action units; give --dataset"),
        (fakes.fine_tuned(7), HEADS, "7 outputs are RAF-DB's or AffectNet's expressions, in other orders"),
        (fakes.fine_tuned(41), HEADS, "41 outputs are none of 12, 8 and 7, which were published"),
        (
            fakes.fine_tuned(12, 41),
            given("disfa"),
            "trained on BP4D, as its identity head with 41 outputs tells, not on",
        ),
        (fakes.raf_db(), given("affectnet"), "trained on RAF-DB, as its unused second head tells, not on AffectNet"),
        (fakes.fine_tuned(12), given("disfa"), "a classifier with 12 outputs; expected 8 for DISFA"),
        (fakes.fine_tuned(8), given("raf-db"), "a classifier with 8 outputs; expected 7 for RAF-DB"),
        (fakes.fine_tuned(1000), HEADS, "has no trained head: head has the 1000 outputs that timm starts with"),
        (
            fakes.body(fakes.SMALL, 32) | fakes.norm("fc_norm", 64),
            HEADS,
            "has no trained head: neither head.weight nor",
        ),
        (
            fakes.autoencoder(),
            given("bp4d"),
            "has no trained head, so it recognises nothing of BP4D: it's a pre-trained",
        ),
        (fakes.fine_tuned(12, 41), ImportConfig(), "of width 64 and depth 2, which nobody published .* give --heads"),
        (fakes.fine_tuned(12, 41), ImportConfig(heads=5), "can't have 5 heads: dim must be a multiple"),
        (fakes.autoencoder(decoder=(24, 1)), HEADS, "no autoencoder that can be built: decoder_dim must be a multiple"),
    ],
)
def test_what_the_file_does_not_say_is_asked_for(
    tmp_path: Path, shapes: fakes.Shapes, config: ImportConfig, message: str
) -> None:
    path = fakes.write(tmp_path / "file.pth", shapes)
    with pytest.raises(CheckpointError, match=rf"^{path} .*{message}"):
        import_published(path, config)


def test_an_untrained_classifier_is_pointed_out(tmp_path: Path) -> None:
    parameters = fakes.state(fakes.fine_tuned(12, 41))
    torch.save(parameters, tmp_path / "a.pth")
    parameters["head.weight"] *= 2e-5 / 0.05
    torch.save(parameters, tmp_path / "b.pth")
    untrained = "the classifier's weights are as small as before training; don't trust what it says"
    assert untrained not in import_published(tmp_path / "a.pth", HEADS).warnings
    assert untrained in import_published(tmp_path / "b.pth", HEADS).warnings


def test_import_options_are_checked() -> None:
    with pytest.raises(ValueError, match=r"^heads must be at least 1, got 0$"):
        ImportConfig(heads=0)
