"""Predictions of expressions: a probability for each expression of every face, next to the true one.

In a file they add to the columns of all predictions `expression` (the true name, null for unknown), `predicted` (the
most probable one), and a probability per expression, such as `expression_happiness`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from facskit import columns
from facskit.evaluation.predicted_faces import PredictedFaces
from facskit.evaluation.protocols import EPOCHS
from facskit.expressions import ExpressionSet

__all__ = ["ExpressionPredictions"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpressionPredictions(PredictedFaces):
    """Probabilities and labels of expressions, of one run or of many (folds and seeds)."""

    kind = "expressions"
    metadata_key = "facskit.expression_predictions"
    arrays_by_output = ("probabilities",)
    arrays_by_row = ("labels", *PredictedFaces.arrays_by_row)

    expressions: ExpressionSet
    """What the columns of probabilities mean."""
    probabilities: Float32[np.ndarray, "samples classes"]
    """Probability of each expression; each row sums to 1."""
    labels: Int64[np.ndarray, "samples"]
    """Position of the true expression; -1 is unknown."""
    epoch: Literal["last", "unknown"] = "last"
    """Which epoch's weights were scored: the last one of a schedule fixed beforehand, or unknown (foreign weights)."""
    held_out: str = "one held-out set"
    """How test images were held out, in words."""

    @property
    def outputs(self) -> ExpressionSet:
        """The expressions."""
        return self.expressions

    @property
    def predicted(self) -> Int64[np.ndarray, "samples"]:
        """Position of the most probable expression."""
        return self.probabilities.argmax(axis=1)

    @property
    def stamp(self) -> str:
        """One line that says how the scores come about."""
        return (
            f"Protocol: {EPOCHS[self.epoch]}; the most probable expression; unknown labels left out; {self.held_out}."
        )

    def about(self) -> dict[str, Any]:
        """Return expressions and protocol."""
        return {"expressions": list(self.expressions), "epoch": self.epoch, "held_out": self.held_out}

    def own_columns(self) -> dict[str, pl.Series]:
        """Return true and most probable expression by name, and the probability of each."""
        names = np.array([*self.expressions, None], dtype=object)  # the unknown label, -1, is the last one
        found = {
            columns.EXPRESSION: pl.Series(names[self.labels].tolist(), dtype=pl.String),
            "predicted": pl.Series(names[self.predicted].tolist(), dtype=pl.String),
        }
        for position, name in enumerate(self.expressions):
            found[f"{columns.EXPRESSION}_{name}"] = pl.Series(self.probabilities[:, position].copy())
        return found

    @classmethod
    def from_columns(
        cls, table: pl.DataFrame, about: Mapping[str, Any], rows: Mapping[str, Any]
    ) -> "ExpressionPredictions":
        """Return the predictions of a file."""
        expressions = ExpressionSet.parse(about["expressions"])
        shares = table.select(f"{columns.EXPRESSION}_{name}" for name in expressions)
        truth = table[columns.EXPRESSION].to_list()
        return cls(
            expressions=expressions,
            probabilities=np.ascontiguousarray(shares.to_numpy(), dtype=np.float32),
            labels=np.array([-1 if name is None else expressions.index(name) for name in truth], np.int64),
            epoch=about["epoch"],
            held_out=about["held_out"],
            **rows,
        )

    def check_values(self) -> None:
        """Refuse unknown epochs, labels that are no expression, and probabilities that don't sum to 1."""
        if self.epoch not in EPOCHS:
            raise ValueError(f"epoch is {self.epoch!r}; expected one of {', '.join(EPOCHS)}")
        classes = len(self.expressions)
        wrong = (self.labels < -1) | (self.labels >= classes)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"expression of {self.names[row]} (row {row}) is {self.labels[row]}; expected -1 to {classes - 1}"
            )
        total = self.probabilities.sum(axis=1)
        sums_to_one = (self.probabilities >= 0).all(axis=1) & (np.abs(total - 1) < 1e-3)  # False for NaN
        if not sums_to_one.all():
            row = int(sums_to_one.argmin())
            raise ValueError(f"probabilities of {self.names[row]} (row {row}) sum to {total[row]:.4f}; expected 1")
