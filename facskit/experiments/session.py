"""Faces and folds of a recipe, opened once, and the runtime: what all runs of one command share."""

from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from rich.console import Console

from facskit.datasets.fold import Fold
from facskit.experiments.opened_data import OpenedData, describe_folds
from facskit.experiments.recipe import Recipe
from facskit.models.layers import FaceNetwork
from facskit.training.runtime import start_runtime

__all__ = ["Session", "device_name", "say"]


@dataclass(frozen=True, kw_only=True)
class Session(OpenedData):
    """The faces of a recipe, opened once, and the runtime, started once."""

    fabric: Fabric
    """The launched runtime."""

    @classmethod
    def open(cls, recipe: Recipe) -> "Session":
        """Check the data before any process starts, then start the runtime."""
        data = OpenedData.read(recipe.data)
        fabric = start_runtime(recipe.runtime)
        return cls(
            manifest=data.manifest, folds=data.folds, config=data.config, unlabelled=data.unlabelled, fabric=fabric
        )

    @property
    def held_out(self) -> str:
        """How test subjects were held out, in words."""
        return describe_folds(self.config.folds, len(self.folds))

    @property
    def notes(self) -> list[str]:
        """What a report must say about the data: where they are from, with every decision that changes a number."""
        origin, crop = self.manifest.origin, self.config.crop
        what = "whole pictures" if crop.kind == "none" else f"{crop.kind} crops"
        seen = f"The network sees {what} of {crop.size} px."
        return [seen] if origin is None else [f"Data: {origin.stamp()}.", seen]

    def say(self, text: str) -> None:
        """Tell the person at the terminal, once for all processes."""
        say(self.fabric, text)

    def introduce(self, recipe: Recipe, fold: Fold, model: FaceNetwork) -> None:
        """Say what is about to be trained, with the numbers that follow from the recipe."""
        size = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        expressions = recipe.data.expression_set
        learned = f"{len(self.manifest.action_units)} AUs" if expressions is None else f"{len(expressions)} expressions"
        self.say(
            f"{recipe.name}, fold {fold.index} of {len(self.folds)}, seed {recipe.runtime.seed}: "
            f"{len(fold.train)} images of {len(fold.train_subjects)} subjects, {learned}; "
            f"{recipe.model.kind} with {size:.1f} M parameters "
            f"on {device_name(self.fabric)} ({recipe.runtime.precision}); "
            f"{recipe.optimizer.describe_rate(recipe.effective_batch)}"
        )


def device_name(fabric: Fabric) -> str:
    """Return the name of what computes, for the record."""
    device = fabric.device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def say(fabric: Fabric, text: str) -> None:
    """Tell the person at the terminal, once for all processes."""
    if fabric.is_global_zero:
        Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)
