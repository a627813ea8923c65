"""The container of all predictions: what a model said about every face, next to the truth; all scores come from it.

Predictions are kept as probabilities in 32-bit precision (16-bit probabilities tie, and ties change rank scores) and
saved as one Parquet file: a row per image and run, with columns `image`, `subject`, `fold`, `seed`, and what the kind
of predictions adds: see `facskit.evaluation.predictions` for action units and `facskit.evaluation.expressions` for
expressions.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import polars as pl
from jaxtyping import Bool, Int, Int64, Shaped
from polars.exceptions import PolarsError

from facskit import columns
from facskit.action_units import ActionUnitSet
from facskit.errors import DatasetError
from facskit.expressions import ExpressionSet
from facskit.files import atomic_path

__all__ = ["PredictedFaces", "concat", "networks_of"]

_FORMAT = 1
_Kind = TypeVar("_Kind", bound="PredictedFaces")


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictedFaces(ABC):
    """Rows of predictions of any kind: where each is from, how rows are chosen, and their file."""

    subjects: Shaped[np.ndarray, "samples"]
    """Who is in each image, as text."""
    names: Shaped[np.ndarray, "samples"]
    """Image of each row, as in the manifest."""
    folds: Int64[np.ndarray, "samples"]
    """Fold whose test part the row belongs to."""
    seeds: Int64[np.ndarray, "samples"]
    """Seed of the training run that made the row."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """Where the model came from: plain values that JSON can hold."""

    kind: ClassVar[str]
    """What is predicted, in words."""
    metadata_key: ClassVar[str]
    """Under which name a file says what it holds."""
    arrays_by_output: ClassVar[tuple[str, ...]]
    """Arrays with a column for each output; some may be None."""
    arrays_by_row: ClassVar[tuple[str, ...]] = ("subjects", "names", "folds", "seeds")
    """Arrays with one entry for each row."""

    @property
    @abstractmethod
    def outputs(self) -> ActionUnitSet | ExpressionSet:
        """What the columns of the probabilities mean."""

    @property
    @abstractmethod
    def stamp(self) -> str:
        """One line that says how the scores come about."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return what holds for all rows, as JSON can hold it: the outputs and how scores are made."""

    @abstractmethod
    def own_columns(self) -> dict[str, pl.Series]:
        """Return the columns of the file that this kind of predictions adds."""

    @classmethod
    @abstractmethod
    def from_columns(cls: type[_Kind], table: pl.DataFrame, about: Mapping[str, Any], rows: Mapping[str, Any]) -> _Kind:
        """Return the predictions of a file: the reverse of `own_columns` and `about`.

        Args:
            rows: What all kinds of predictions have, read already.
        """

    @abstractmethod
    def check_values(self) -> None:
        """Refuse impossible labels and probabilities with a `ValueError`."""

    def __post_init__(self) -> None:
        """Check shapes and values."""
        object.__setattr__(self, "subjects", np.asarray(self.subjects, dtype=np.str_))
        object.__setattr__(self, "names", np.asarray(self.names, dtype=np.str_))
        for name, values in self.arrays().items():
            expected = (len(self), len(self.outputs)) if name in self.arrays_by_output else (len(self),)
            if values.shape != expected:
                raise ValueError(f"{name} has shape {values.shape}; expected {expected} (samples and {self.kind})")
        self.check_values()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.names)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything that has an entry for each row."""
        every = {name: getattr(self, name) for name in (*self.arrays_by_output, *self.arrays_by_row)}
        return {name: values for name, values in every.items() if values is not None}

    @property
    def runs(self) -> list[tuple[int, int]]:
        """The (fold, seed) pairs there are, in ascending order."""
        return sorted(set(zip(self.folds.tolist(), self.seeds.tolist(), strict=True)))

    def select(self: _Kind, rows: Bool[np.ndarray, "samples"] | Int[np.ndarray, "rows"]) -> _Kind:
        """Return the chosen rows, given as a mask or as row numbers."""
        return replace(self, **{name: values[rows] for name, values in self.arrays().items()})

    def run(self: _Kind, fold: int, seed: int) -> _Kind:
        """Return the rows of one fold and seed.

        Raises:
            ValueError: There is no such run.
        """
        rows = (self.folds == fold) & (self.seeds == seed)
        if not rows.any():
            raise ValueError(f"there is no run with fold {fold} and seed {seed}; runs (fold, seed) are {self.runs}")
        return self.select(rows)

    def save(self, path: Path) -> Path:
        """Write one Parquet file, atomically, and return its path."""
        table = pl.DataFrame(
            {
                columns.IMAGE: pl.Series(self.names.tolist(), dtype=pl.String),
                columns.SUBJECT: pl.Series(self.subjects.tolist(), dtype=pl.String),
                "fold": self.folds,
                "seed": self.seeds,
                **self.own_columns(),
            }
        )
        metadata = {"format": _FORMAT, **self.about(), "stamp": self.stamp, "model": dict(self.model)}
        with atomic_path(path) as part:
            table.write_parquet(part, metadata={self.metadata_key: json.dumps(metadata)})
        return path

    @classmethod
    def load(cls: type[_Kind], path: Path) -> _Kind:
        """Read a file that `save` wrote.

        Raises:
            DatasetError: The file is missing, holds no predictions of this kind, or impossible values.
        """
        path = Path(path)
        if not path.is_file():
            raise DatasetError(f"{path}: there is no such predictions file")
        try:
            text = pl.read_parquet_metadata(path).get(cls.metadata_key)
            table = pl.read_parquet(path)
        except (PolarsError, OSError) as error:
            raise DatasetError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from error
        if text is None:
            raise DatasetError(f"{path}: a Parquet file, but not one of facskit's predictions of {cls.kind}")
        try:
            about = json.loads(text)
            if about["format"] != _FORMAT:
                raise DatasetError(f"{path}: predictions format {about['format']}, expected {_FORMAT}")
            rows = {
                "names": np.asarray(table[columns.IMAGE].to_list(), dtype=np.str_),
                "subjects": np.asarray(table[columns.SUBJECT].to_list(), dtype=np.str_),
                "folds": table["fold"].to_numpy().astype(np.int64),
                "seeds": table["seed"].to_numpy().astype(np.int64),
                "model": about["model"],
            }
            return cls.from_columns(table, about, rows)
        except (ValueError, KeyError, TypeError, PolarsError) as error:
            raise DatasetError(f"{path}: damaged predictions file: {str(error).splitlines()[0]}") from error


def networks_of(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what predictions say of each network that made them; those of several runs come from several."""
    found: list[Mapping[str, Any]] = model.get("runs", [model] if model else [])
    return found


def concat(parts: Sequence[_Kind]) -> _Kind:
    """Join the predictions of several runs; their models' provenances are kept as a list under `runs`.

    Raises:
        DatasetError: There is nothing to join, or the parts differ in outputs or protocol, or an image appears twice
            within a fold and seed.
    """
    if not parts:
        raise DatasetError("there are no predictions to join; expected at least one part")
    first = parts[0]
    runs: list[Any] = []
    for part in parts:
        if part.outputs != first.outputs:
            raise DatasetError(f"can't join predictions of {first.outputs} with predictions of {part.outputs}")
        if part.about() != first.about():
            raise DatasetError(f"can't join numbers of two protocols: {first.stamp!r}, {part.stamp!r}")
        if part.arrays().keys() != first.arrays().keys():
            raise DatasetError("can't join predictions with intensities and predictions without")
        runs.extend(map(dict, networks_of(part.model)))
    arrays = {}
    for name in first.arrays():
        arrays[name] = np.concatenate([getattr(part, name) for part in parts])
    joined = replace(first, model={"runs": runs}, **arrays)
    rows = pl.DataFrame({"image": joined.names.tolist(), "fold": joined.folds, "seed": joined.seeds})
    twice = rows.filter(rows.is_duplicated())
    if len(twice):
        image, fold, seed = twice.row(0)
        raise DatasetError(f"{image} appears twice in fold {fold}, seed {seed}; expected each image once per run")
    return joined
