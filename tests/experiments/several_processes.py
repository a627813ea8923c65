"""Trains drawn faces on several processes: `-m tests.experiments.several_processes MANIFEST FOLDER KIND NUMBER`.

The global batch is the same whatever the number. With `--batch-norm` behind it the network isn't a transformer but one
whose normalisation sees another batch in each process.
"""

import sys
from pathlib import Path

from facskit.datasets.folds import SubjectFolds
from facskit.datasets.loaders import LoaderConfig
from facskit.experiments.recipe import DataConfig, Recipe
from facskit.experiments.train import cross_validate
from facskit.faces.alignment import WholeImage
from facskit.models.compact_network import CompactConfig
from facskit.models.vision_transformer import ViTConfig
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

TRANSFORMER = ViTConfig(image_size=32, patch_size=16, dim=24, depth=2, heads=2, drop_path=0.0)
COMPACT = CompactConfig(image_size=32, widths=(8, 16), depths=(1, 1), places=4, place_dim=4)


def main() -> None:
    """Run the smallest cross-validation there is, as so many processes."""
    manifest, out, kind = sys.argv[1:4]
    processes = int(sys.argv[4])
    recipe = Recipe(
        name="several",
        data=DataConfig(
            manifest=manifest,
            action_units="AU01,AU12",
            crop=WholeImage(size=32),
            loader=LoaderConfig(batch_size=8 // processes),
            folds=SubjectFolds(k=2, validation_fraction=0.2),
        ),
        model=COMPACT if "--batch-norm" in sys.argv else TRANSFORMER,
        objective=OBJECTIVES[kind],
        optimizer=OptimizerConfig(base_lr=0.05),
        training=TrainingConfig(epochs=2, accumulate=2, log_steps=2, checkpoint_steps=2, ema_decay=0.9),
        runtime=RuntimeConfig(device="cpu", devices=processes, threads=1),
    )
    cross_validate(recipe, Path(out))


if __name__ == "__main__":
    main()
