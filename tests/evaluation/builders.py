"""Small predictions to test with."""

import numpy as np

from facskit.action_units import ActionUnitSet
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.protocols import Protocol

TWO = ActionUnitSet.parse("AU01,AU12")


def make_predictions(  # one builder for every test, hence the many knobs
    *,
    num_subjects: int = 9,
    frames: int = 20,
    folds: int = 3,
    seed: int = 0,
    skill: float = 2.0,
    noise_seed: int = 0,
    protocol: Protocol | None = None,
) -> Predictions:
    """Return random predictions: each subject has its own rates, every fold its own subjects, 5 % unknown labels."""
    generator = np.random.default_rng(7)
    subjects = np.repeat([f"S{number:03d}" for number in range(num_subjects)], frames)
    rates = np.repeat(generator.uniform(0.1, 0.7, (num_subjects, len(TWO))), frames, axis=0)
    labels = (generator.random(rates.shape) < rates).astype(np.int8)
    logits = skill * (labels - 0.5) + np.random.default_rng(noise_seed).normal(size=rates.shape)
    labels[generator.random(rates.shape) < 0.05] = -1
    rows = len(subjects)
    return Predictions(
        action_units=TWO,
        probabilities=(1 / (1 + np.exp(-logits))).astype(np.float32),
        labels=labels,
        subjects=subjects,
        names=np.array([f"{subject}/{row}.jpg" for row, subject in enumerate(subjects)]),
        folds=np.repeat(np.arange(num_subjects) % folds, frames).astype(np.int64),
        seeds=np.full(rows, seed, dtype=np.int64),
        thresholds=np.full(rates.shape, 0.5, dtype=np.float32),
        protocol=protocol or Protocol(),
        model={"checkpoint": "packaged", "sha256": "ab12"},
    )
