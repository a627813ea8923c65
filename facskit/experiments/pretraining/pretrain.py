"""Pre-training: a masked autoencoder learns from unlabelled faces, in a folder that can be resumed.

```text
run/
  recipe.yaml, environment.json, metrics.jsonl, checkpoints/    as in every run
  encoder.safetensors     the result, decoder included; where it is, the run is finished
  encoders/epoch-010.safetensors    encoders kept on the way, if the recipe asks for them
  pictures/epoch-010.png  faces as original, visible patches and reconstruction, always the same under the same masks
  loss.png                the losses over the epochs
```
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import nn

from facskit.configurations import plain_values
from facskit.datasets.unlabelled.sources import UnlabelledImages
from facskit.experiments.data_check import check_data, record_data
from facskit.experiments.initial_weights import describe_start, provenance_of_start
from facskit.experiments.pretraining.loss_figure import draw_losses
from facskit.experiments.pretraining.parts import PretrainingParts, assemble_pretraining
from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.experiments.recipe_files import describe_difference, format_recipe
from facskit.experiments.session import device_name, say
from facskit.faces.images import write_image
from facskit.models.checkpoints import EncoderInfo, save_checkpoint
from facskit.models.masked_autoencoder import MaskedAutoencoder
from facskit.training.loop import fit
from facskit.training.metrics_file import read_metrics
from facskit.training.run_directory import RunDirectory
from facskit.training.runtime import start_runtime

__all__ = ["PretrainingDirectory", "pretrain"]


class PretrainingDirectory(RunDirectory):
    """The files of one pre-training."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.weights = path / "encoder.safetensors"
        self.losses = path / "loss.png"

    def picture(self, epoch: int) -> Path:
        """Return where the reconstructions after an epoch, from 1, are drawn."""
        return self.path / "pictures" / f"epoch-{epoch:03d}.png"

    def kept_encoder(self, epoch: int) -> Path:
        """Return where the encoder after an epoch, from 1, is kept."""
        return self.path / "encoders" / f"epoch-{epoch:03d}.safetensors"


def pretrain(recipe: PretrainRecipe, out: Path) -> Path:
    """Pre-train an autoencoder; a run that broke off goes on and ends with the same weights.

    Raises:
        CheckpointError: The initial weights are missing or belong to another network.
        DatasetError: The images are missing or wrong, or others than the run began with, or too few.
        RecipeError: The folder belongs to another recipe, or the machine isn't what the recipe asks for.
        FacskitError: The loss is no longer a number, or somebody asked the run to stop.
    """
    source = UnlabelledImages.open(recipe.data.images)
    fabric, run = start_runtime(recipe.runtime), PretrainingDirectory(out)
    check_data(run, source.record())
    # Nothing is written before everything is built.
    parts = None if run.finished else assemble_pretraining(recipe, source, fabric)
    if fabric.is_global_zero:
        PretrainingDirectory.open(
            out, format_recipe(recipe), device=device_name(fabric), difference=describe_difference
        )
        record_data(run, source.record())
    fabric.barrier()
    if parts is None or run.finished:
        say(fabric, f"{out}: this run is finished; its encoder is in {run.weights.name}")
        return run.weights
    _introduce(recipe, source, parts, fabric)
    describe = _describer(recipe, source, parts)

    def watch(epoch: int, model: nn.Module) -> dict[str, float]:
        """Measure, draw and keep after each epoch."""
        assert isinstance(model, MaskedAutoencoder)
        values = {} if parts.held_out is None else {"validation_loss": parts.held_out.loss(model)}
        if recipe.training.keeps(epoch):
            save_checkpoint(run.kept_encoder(epoch), model, describe(epoch, values))
        every, last = recipe.pictures.every, epoch == recipe.training.epochs
        if parts.shown is not None and (last or (every and epoch % every == 0)):
            write_image(run.picture(epoch), parts.shown.picture(model))
            draw_losses(run.metrics, run.losses)
        return values

    fit(parts.objective, parts.loader, recipe.plan, run=run, fabric=fabric, on_epoch_end=watch)
    if fabric.is_global_zero:
        draw_losses(run.metrics, run.losses)
        *_, last = (record for record in read_metrics(run.metrics) if record["kind"] == "epoch")
        losses: dict[str, float] = {name: last[name] for name in ("loss", "validation_loss") if name in last}
        save_checkpoint(run.weights, parts.model, describe(recipe.training.epochs, losses))
        run.drop_snapshots()
    fabric.barrier()
    return run.weights


Describe = Callable[[int, dict[str, float]], EncoderInfo]
"""From an epoch and its losses to what goes with the weights."""


def _describer(recipe: PretrainRecipe, source: UnlabelledImages, parts: PretrainingParts) -> Describe:
    start = provenance_of_start(describe_start(recipe.initial_weights))

    def describe(epoch: int, losses: dict[str, float]) -> EncoderInfo:
        provenance: dict[str, Any] = {
            "recipe": recipe.name,
            "paper": recipe.about.paper,
            "images": recipe.data.images,
            "data": "" if source.origin is None else source.origin.stamp(),
            "training_images": len(parts.faces),
            "training_subjects": source.subject_names(parts.faces.rows),
            "crop": plain_values(recipe.data.crop),
            "augmentation": recipe.data.augmentation.kind,
            "norm_pixels": recipe.objective.norm_pixels,
            "effective_batch": recipe.effective_batch,
            "seed": recipe.runtime.seed,
            "epoch": epoch,
            "epochs": recipe.training.epochs,
            **start,
            **losses,
        }
        return EncoderInfo(model=recipe.model, normalization="imagenet", licence=recipe.licence, provenance=provenance)

    return describe


def _introduce(recipe: PretrainRecipe, source: UnlabelledImages, parts: PretrainingParts, fabric: Fabric) -> None:
    """Say what is about to be trained, with the numbers that follow from the recipe."""
    encoder = recipe.model.encoder
    size = sum(parameter.numel() for parameter in parts.model.parameters()) / 1e6
    trained = len(parts.faces)
    say(
        fabric,
        f"{recipe.name}: {trained} of {len(source)} images to learn from, {len(source) - trained} set aside; "
        f"masked autoencoder of {size:.1f} M parameters, {recipe.model.visible} of {recipe.model.patches} patches of "
        f"{encoder.patch_size} px visible, on {device_name(fabric)} ({recipe.runtime.precision}); "
        f"{recipe.training.epochs} epochs of {parts.loader.steps_per_epoch // recipe.training.accumulate} updates; "
        f"{recipe.optimizer.describe_rate(recipe.effective_batch)}",
    )
