"""Trains drawn faces on two processor processes; `python -m tests.experiments.two_processes MANIFEST FOLDER KIND`."""

import sys
from pathlib import Path

from facskit.datasets.folds import SubjectFolds
from facskit.datasets.loaders import LoaderConfig
from facskit.experiments.recipe import DataConfig, Recipe
from facskit.experiments.train import cross_validate
from facskit.faces.alignment import WholeImage
from facskit.models.compact_network import CompactConfig
from facskit.objectives.attention_regression import AttentionRegressionConfig
from facskit.objectives.causal_intervention import CausalInterventionConfig
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig
from facskit.objectives.identity_term import IdentityReversalConfig
from facskit.training.loop import TrainingConfig
from facskit.training.optimization import OptimizerConfig
from facskit.training.runtime import RuntimeConfig

OBJECTIVES: dict[str, IdentityAdversarialConfig | CausalInterventionConfig] = {
    "identity-adversarial": IdentityAdversarialConfig(strength=0.1),
    "causal-intervention": CausalInterventionConfig(
        attention=AttentionRegressionConfig(), identity=IdentityReversalConfig(strength=0.1)
    ),
}


def main() -> None:
    """Run the smallest cross-validation there is, as two processes."""
    manifest, out, kind = sys.argv[1:]
    recipe = Recipe(
        name="two",
        data=DataConfig(
            manifest=manifest,
            action_units="AU01,AU12",
            crop=WholeImage(size=32),
            loader=LoaderConfig(batch_size=4),
            folds=SubjectFolds(k=2, validation_fraction=0.2),
        ),
        model=CompactConfig(image_size=32, widths=(8, 16), depths=(1, 1), places=4, place_dim=4),
        objective=OBJECTIVES[kind],
        optimizer=OptimizerConfig(base_lr=0.05),
        training=TrainingConfig(epochs=2, accumulate=2, log_steps=2, checkpoint_steps=2, ema_decay=0.9),
        runtime=RuntimeConfig(device="cpu", devices=2, threads=1),
    )
    cross_validate(recipe, Path(out))


if __name__ == "__main__":
    main()
