"""The plain implementation that facskit is timed against computes the same; otherwise the ratio means nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.plain_pretraining import PlainAutoencoder, PlainFaces
from benchmarks.pretraining_speed import TINY, Endless, Measured, Setting, measure, our_loader, report, write_images
from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.experiments.recipe_files import read_recipe
from facskit.faces.images import read_image
from facskit.faces.normalization import normalize
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.reconstruction import reconstruction_loss
from facskit.training.runtime import RuntimeConfig

SMALL = AutoencoderConfig(
    encoder=ViTConfig(image_size=32, patch_size=8, dim=32, depth=2, heads=2),
    decoder_dim=32,
    decoder_depth=1,
    decoder_heads=2,
)
SETTING = Setting(model=SMALL, batch=4, steps=2, workers=0, runtime=RuntimeConfig(device="cpu", threads=1))


def test_both_have_the_same_loss_and_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    images, noise = torch.randn(3, 3, 32, 32, generator=generator), torch.rand(3, 16, generator=generator)
    ours, plain = MaskedAutoencoder(SMALL), PlainAutoencoder(SMALL)
    plain.load_state_dict(ours.state_dict())
    output = ours(images, noise)
    loss = reconstruction_loss(output.prediction, images, output.mask, 8, norm_pixels=True)
    torch.testing.assert_close(plain(images, noise), loss)
    torch.autograd.backward(loss)
    torch.autograd.backward(plain(images, noise))
    gradients = [{name: value.grad for name, value in model.named_parameters()} for model in (ours, plain)]
    torch.testing.assert_close(gradients[0], gradients[1])


def test_both_read_the_same_images(tmp_path: Path) -> None:
    manifest = write_images(tmp_path, 8, 32)
    files = sorted(tmp_path.glob("*.jpg"))
    expected = {float(torch.from_numpy(normalize(read_image(file), "imagenet")).sum().round()) for file in files}
    plain = PlainFaces(files, 32)
    assert {float(plain[row].sum().round()) for row in range(8)} == expected  # a mirror image has the same sum
    drawn = list(Endless(our_loader(manifest, SETTING), 5).batches(0))
    assert [len(batch) for batch in drawn] == [4] * 5
    assert sorted(drawn[0].indices.tolist() + drawn[1].indices.tolist()) == list(range(8))


def test_rates_of_both_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = measure(write_images(tmp_path, 8, 32), SETTING)
    assert list(measured) == ["plain", "facskit"]
    assert all(each.input_alone > 0 and each.training > 0 for each in measured.values())
    known = replace(SETTING, runtime=replace(SETTING.runtime, peak_tflops=1.0))
    capsys.readouterr()
    report({"plain": Measured(100.0, 50.0, 22.0), "facskit": Measured(300.0, 100.0, 0.0)}, known)
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1].split() == ["ratio", "3.00x", "2.00x"]
    assert "%" in shown[2]
    assert shown[1].endswith("22.0 GiB")


def test_the_tiny_network_is_that_of_the_recipe() -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "rendered" / "pretrain_tiny.yaml"
    assert read_recipe(recipe, PretrainRecipe).model == TINY
