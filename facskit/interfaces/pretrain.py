"""`facskit pretrain RECIPE`: a masked autoencoder that learns faces from images without labels."""

from collections.abc import Sequence

from rich.console import Console

from facskit.experiments.pretraining.pretrain import PretrainingDirectory, pretrain
from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.interfaces.recipe_command import read_command

__all__ = ["main"]

_PURPOSE = "Pre-train an encoder on faces without labels as a recipe says; a run that broke off goes on."


def main(words: Sequence[str]) -> int:
    """Parse the command's words, pre-train, and say where everything is; return the exit code."""
    command = read_command(words, "pretrain", _PURPOSE, PretrainRecipe)
    encoder = pretrain(command.recipe, command.out)
    run = PretrainingDirectory(command.out)
    last = run.picture(command.recipe.training.epochs)
    lines = [f"Losses: {run.losses}, all numbers in {run.metrics}"]
    if last.exists():
        lines.append(f"Reconstructions: {last}")
    kept = sorted(run.kept_encoder(1).parent.glob("*.safetensors"))
    if kept:
        lines.append(f"Encoders on the way: {len(kept)} in {kept[0].parent}")
    lines.append(f"Encoder: {encoder}")
    lines.append(f"Fine-tune it: facskit train RECIPE --initial-weights {encoder}")
    Console(highlight=False, soft_wrap=True).print("\n".join(lines), markup=False)
    return 0
