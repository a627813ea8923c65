"""What a model said about every face's expression, next to the truth, of one run or of many.

Kept as probabilities in 32-bit precision and saved as one Parquet file: a row per image and run, with columns `image`,
`subject`, `fold`, `seed`, `expression` (the true name, null for unknown), `predicted` (the most probable one), and a
probability per expression, such as `expression_happiness`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int, Int64, Shaped
from polars.exceptions import PolarsError
from torch import nn

from facskit import columns
from facskit.datasets.samples import Batch
from facskit.errors import DatasetError
from facskit.evaluation.predicting import Precision, PredictionSource, answers, in_row_order
from facskit.expressions import ExpressionSet
from facskit.files import atomic_path

__all__ = ["ExpressionPredictions", "concat_expressions", "predict_expressions"]

_METADATA = "facskit.expression_predictions"
_FORMAT = 1
_EPOCHS = {"last": "last epoch", "unknown": "epoch chosen in an unknown way"}


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpressionPredictions:
    """Probabilities, labels and origin of every scored image, of one run or of many (folds and seeds)."""

    expressions: ExpressionSet
    """What the columns of probabilities mean."""
    probabilities: Float32[np.ndarray, "samples classes"]
    """Probability of each expression; each row sums to 1."""
    labels: Int64[np.ndarray, "samples"]
    """Position of the true expression; -1 is unknown."""
    subjects: Shaped[np.ndarray, "samples"]
    """Who is in each image, as text."""
    names: Shaped[np.ndarray, "samples"]
    """Image of each row, as in the manifest."""
    folds: Int64[np.ndarray, "samples"]
    """Fold whose test part the row belongs to."""
    seeds: Int64[np.ndarray, "samples"]
    """Seed of the training run that made the row."""
    epoch: Literal["last", "unknown"] = "last"
    """Which epoch's weights were scored: the last one of a schedule fixed beforehand, or unknown (foreign weights)."""
    held_out: str = "one held-out set"
    """How test images were held out, in words."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """Where the model came from: plain values that JSON can hold."""

    def __post_init__(self) -> None:
        """Check shapes and values."""
        object.__setattr__(self, "subjects", np.asarray(self.subjects, dtype=np.str_))
        object.__setattr__(self, "names", np.asarray(self.names, dtype=np.str_))
        if self.epoch not in _EPOCHS:
            raise ValueError(f"epoch is {self.epoch!r}; expected one of {', '.join(_EPOCHS)}")
        samples, classes = len(self.names), len(self.expressions)
        for name, values in _arrays(self).items():
            expected = (samples, classes) if name == "probabilities" else (samples,)
            if values.shape != expected:
                raise ValueError(f"{name} has shape {values.shape}; expected {expected} (samples and expressions)")
        wrong = (self.labels < -1) | (self.labels >= classes)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"expression of {self.names[row]} (row {row}) is {self.labels[row]}; expected -1 to {classes - 1}"
            )
        total = self.probabilities.sum(axis=1)
        bad = ~((self.probabilities >= 0).all(axis=1) & (np.abs(total - 1) < 1e-3))
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(f"probabilities of {self.names[row]} (row {row}) sum to {total[row]:.4f}; expected 1")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.names)

    @property
    def predicted(self) -> Int64[np.ndarray, "samples"]:
        """Position of the most probable expression."""
        return self.probabilities.argmax(axis=1)

    @property
    def stamp(self) -> str:
        """One line that says how the scores come about."""
        return (
            f"Protocol: {_EPOCHS[self.epoch]}; the most probable expression; unknown labels left out; {self.held_out}."
        )

    @property
    def runs(self) -> list[tuple[int, int]]:
        """The (fold, seed) pairs there are, in ascending order."""
        return sorted(set(zip(self.folds.tolist(), self.seeds.tolist(), strict=True)))

    def select(self, rows: Bool[np.ndarray, "samples"] | Int[np.ndarray, "rows"]) -> "ExpressionPredictions":
        """Return the chosen rows, given as a mask or as row numbers."""
        return replace(self, **{name: values[rows] for name, values in _arrays(self).items()})

    def save(self, path: Path) -> Path:
        """Write one Parquet file, atomically, and return its path."""
        metadata = {
            "format": _FORMAT,
            "expressions": list(self.expressions),
            "epoch": self.epoch,
            "held_out": self.held_out,
            "stamp": self.stamp,
            "model": dict(self.model),
        }
        names = np.array([*self.expressions, None], dtype=object)  # -1 is the last one
        data: dict[str, Any] = {
            columns.IMAGE: self.names.tolist(),
            columns.SUBJECT: self.subjects.tolist(),
            "fold": self.folds,
            "seed": self.seeds,
            columns.EXPRESSION: names[self.labels].tolist(),
            "predicted": names[self.predicted].tolist(),
        }
        for position, name in enumerate(self.expressions):
            data[f"{columns.EXPRESSION}_{name}"] = self.probabilities[:, position].copy()
        text = (columns.IMAGE, columns.SUBJECT, columns.EXPRESSION, "predicted")
        table = pl.DataFrame(data, schema_overrides=dict.fromkeys(text, pl.String))
        with atomic_path(path) as part:
            table.write_parquet(part, metadata={_METADATA: json.dumps(metadata)})
        return path

    @classmethod
    def load(cls, path: Path) -> "ExpressionPredictions":
        """Read a file that `save` wrote.

        Raises:
            DatasetError: The file is missing, is no predictions file of expressions, or holds impossible values.
        """
        path = Path(path)
        if not path.is_file():
            raise DatasetError(f"{path}: there is no such predictions file")
        try:
            text = pl.read_parquet_metadata(path).get(_METADATA)
            table = pl.read_parquet(path)
        except (PolarsError, OSError) as error:
            raise DatasetError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from error
        if text is None:
            raise DatasetError(f"{path}: a Parquet file, but not one of facskit's predictions of expressions")
        try:
            return _from_table(table, json.loads(text))
        except (ValueError, KeyError, TypeError, PolarsError) as error:
            raise DatasetError(f"{path}: damaged predictions file: {str(error).splitlines()[0]}") from error


def predict_expressions(
    model: nn.Module,
    batches: Iterable[Batch],
    expressions: ExpressionSet,
    source: PredictionSource,
    *,
    precision: Precision = "32",
    description: str | None = None,
) -> ExpressionPredictions:
    """Return a model's probabilities for every image of the batches, in the manifest's order.

    Args:
        model: Maps images to one logit per expression.
        expressions: What the logits and the batches' labels mean.
        source: Where the rows and the model come from.
        precision: Number format of the model's arithmetic; the softmax is always in 32 bits.
        description: Text of a progress bar on the error stream, shown when the work takes longer than two seconds.

    Raises:
        ValueError: There is no batch, an image comes twice, or the model's logits don't fit the expressions.
    """
    parts = []
    for batch, logits in answers(model, batches, precision=precision, description=description):
        if logits.shape != (len(batch), len(expressions)):
            raise ValueError(
                f"the model gave logits of shape {tuple(logits.shape)} for {len(batch)} images and "
                f"{len(expressions)} expressions ({expressions})"
            )
        probabilities = logits.softmax(dim=1).numpy()
        parts.append((probabilities, batch.expressions.cpu().numpy(), batch.indices.cpu().numpy()))
    if not parts:
        raise ValueError("there is nothing to predict: the loader gave no batch")
    probabilities, labels, rows = (np.concatenate([part[i] for part in parts]) for i in range(3))
    order = in_row_order(rows, source)
    return ExpressionPredictions(
        expressions=expressions,
        probabilities=probabilities[order],
        labels=labels[order],
        subjects=np.array([source.subjects[row] for row in rows[order]], dtype=np.str_),
        names=np.array([source.names[row] for row in rows[order]], dtype=np.str_),
        folds=np.full(len(rows), source.fold, dtype=np.int64),
        seeds=np.full(len(rows), source.seed, dtype=np.int64),
        epoch=source.protocol.epoch,
        held_out=source.protocol.folds,
        model=dict(source.model),
    )


def concat_expressions(parts: Sequence[ExpressionPredictions]) -> ExpressionPredictions:
    """Join the predictions of several runs; their models' provenances are kept as a list under `runs`.

    Raises:
        DatasetError: There is nothing to join, the parts differ in expressions or protocol, or an image appears twice
            within a fold and seed.
    """
    if not parts:
        raise DatasetError("there are no predictions to join; expected at least one part")
    first = parts[0]
    for part in parts[1:]:
        if part.expressions != first.expressions:
            raise DatasetError(f"can't join predictions of {first.expressions} with predictions of {part.expressions}")
        if part.stamp != first.stamp:
            raise DatasetError(f"can't join numbers of two protocols: {first.stamp!r}, {part.stamp!r}")
    arrays: dict[str, Any] = {name: np.concatenate([_arrays(part)[name] for part in parts]) for name in _arrays(first)}
    runs = [entry for part in parts for entry in part.model.get("runs", [dict(part.model)] if part.model else [])]
    joined = replace(first, model={"runs": runs}, **arrays)
    rows = pl.DataFrame({"image": joined.names.tolist(), "fold": joined.folds, "seed": joined.seeds})
    twice = rows.filter(rows.is_duplicated())
    if len(twice):
        image, fold, seed = twice.row(0)
        raise DatasetError(f"{image} appears twice in fold {fold}, seed {seed}; expected each image once per run")
    return joined


def _arrays(predictions: ExpressionPredictions) -> dict[str, np.ndarray]:
    names = ("probabilities", "labels", "subjects", "names", "folds", "seeds")
    return {name: getattr(predictions, name) for name in names}


def _from_table(table: pl.DataFrame, metadata: Mapping[str, Any]) -> ExpressionPredictions:
    if metadata["format"] != _FORMAT:
        raise ValueError(f"predictions format {metadata['format']}, expected {_FORMAT}")
    expressions = ExpressionSet.parse(metadata["expressions"])
    chosen = table.select(f"{columns.EXPRESSION}_{name}" for name in expressions)
    return ExpressionPredictions(
        expressions=expressions,
        probabilities=np.ascontiguousarray(chosen.to_numpy(), dtype=np.float32),
        labels=np.array(
            [-1 if name is None else expressions.index(name) for name in table[columns.EXPRESSION].to_list()], np.int64
        ),
        subjects=np.asarray(table[columns.SUBJECT].to_list(), dtype=np.str_),
        names=np.asarray(table[columns.IMAGE].to_list(), dtype=np.str_),
        folds=table["fold"].to_numpy().astype(np.int64),
        seeds=table["seed"].to_numpy().astype(np.int64),
        epoch=metadata["epoch"],
        held_out=metadata["held_out"],
        model=metadata["model"],
    )
