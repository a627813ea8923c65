"""Predictions of expressions, drawn at random."""

import numpy as np

from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.expressions import RAF_DB


def predictions(samples: int, *, seed: int = 0, skill: float = 2.0, **changes: object) -> ExpressionPredictions:
    """Every image shows someone else; about one in ten is unknown."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(RAF_DB), samples)
    logits = rng.normal(size=(samples, len(RAF_DB)))
    logits[np.arange(samples), labels] += skill
    labels[rng.random(samples) < 0.1] = -1
    shares = np.exp(logits)
    parts: dict[str, object] = {
        "expressions": RAF_DB,
        "probabilities": (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32),
        "labels": labels.astype(np.int64),
        "subjects": np.array([f"s{row}" for row in range(samples)]),
        "names": np.array([f"{row}.jpg" for row in range(samples)]),
        "folds": np.ones(samples, np.int64),
        "seeds": np.full(samples, 0, np.int64),
    }
    return ExpressionPredictions(**(parts | changes))  # type: ignore[arg-type]
