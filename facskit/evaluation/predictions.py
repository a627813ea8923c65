"""What a model said about every face, next to the truth: the one value that all scores, tables and figures come from.

Predictions are kept as probabilities in 32-bit precision (16-bit probabilities tie, and ties change rank scores) and
saved as one Parquet file: a row per image and run, with columns `image`, `subject`, `fold`, `seed`, and per action
unit (AU) `AU01` (1 present, 0 absent, null unknown), `AU01_probability` and `AU01_threshold`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int, Int8, Int64, Shaped
from polars.exceptions import PolarsError

from facskit import columns
from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import LabelState
from facskit.errors import DatasetError
from facskit.evaluation.counts import decide
from facskit.evaluation.metrics import AUScores, score
from facskit.evaluation.protocols import Protocol, choose_thresholds
from facskit.files import atomic_path

__all__ = ["Predictions", "apply_protocol", "concat"]

_METADATA = "facskit.predictions"
_FORMAT = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """Probabilities, labels and origin of every scored image, of one run or of many (folds and seeds)."""

    action_units: ActionUnitSet
    """What the columns of probabilities, labels and thresholds mean."""
    probabilities: Float32[np.ndarray, "samples aus"]
    """Probability that each AU is present, 0 to 1."""
    labels: Int8[np.ndarray, "samples aus"]
    """Label states."""
    subjects: Shaped[np.ndarray, "samples"]
    """Who is in each image, as text."""
    names: Shaped[np.ndarray, "samples"]
    """Image of each row, as in the manifest."""
    folds: Int64[np.ndarray, "samples"]
    """Fold whose test part the row belongs to."""
    seeds: Int64[np.ndarray, "samples"]
    """Seed of the training run that made the row."""
    thresholds: Float32[np.ndarray, "samples aus"]
    """Decision threshold of each row and AU, the same within a fold and seed."""
    protocol: Protocol = field(default_factory=Protocol)
    """How epoch and thresholds were chosen."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """Where the model came from: plain values that JSON can hold."""

    def __post_init__(self) -> None:
        """Check shapes and values."""
        object.__setattr__(self, "subjects", np.asarray(self.subjects, dtype=np.str_))
        object.__setattr__(self, "names", np.asarray(self.names, dtype=np.str_))
        _check_shapes(self)
        _check_values(self)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.names)

    @property
    def decisions(self) -> Bool[np.ndarray, "samples aus"]:
        """Where each AU is predicted present under the row's thresholds."""
        return decide(self.probabilities, self.thresholds)

    @property
    def runs(self) -> list[tuple[int, int]]:
        """The (fold, seed) pairs there are, in ascending order."""
        return sorted(set(zip(self.folds.tolist(), self.seeds.tolist(), strict=True)))

    def scores(self) -> AUScores:
        """Score all rows together, under their thresholds and the protocol's rule for undefined F1."""
        undefined = self.protocol.undefined_f1_value
        return score(self.labels, self.probabilities, self.action_units, self.thresholds, undefined_f1=undefined)

    def select(self, rows: Bool[np.ndarray, "samples"] | Int[np.ndarray, "rows"]) -> "Predictions":
        """Return the chosen rows, given as a mask or as row numbers."""
        return replace(self, **{name: values[rows] for name, values in _arrays(self).items()})

    def run(self, fold: int, seed: int) -> "Predictions":
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
        metadata = {
            "format": _FORMAT,
            "action_units": list(self.action_units.codes),
            "protocol": asdict(self.protocol),
            "stamp": self.protocol.stamp,
            "model": dict(self.model),
        }
        with atomic_path(path) as part:
            _to_table(self).write_parquet(part, metadata={_METADATA: json.dumps(metadata)})
        return path

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read a file that `save` wrote.

        Raises:
            DatasetError: The file is missing, is no predictions file, or holds impossible values.
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
            raise DatasetError(f"{path}: a Parquet file, but not one of facskit's predictions files")
        try:
            metadata = json.loads(text)
            if metadata["format"] != _FORMAT:
                raise DatasetError(f"{path}: predictions format {metadata['format']}, expected {_FORMAT}")
            return cls(
                action_units=ActionUnitSet.parse(metadata["action_units"]),
                protocol=Protocol(**metadata["protocol"]),
                model=metadata["model"],
                **_from_table(table, metadata["action_units"]),
            )
        except (ValueError, KeyError, TypeError, PolarsError) as error:
            raise DatasetError(f"{path}: damaged predictions file: {str(error).splitlines()[0]}") from error


def _arrays(predictions: Predictions) -> dict[str, np.ndarray]:
    names = ("probabilities", "labels", "subjects", "names", "folds", "seeds", "thresholds")
    return {name: getattr(predictions, name) for name in names}


def _check_shapes(predictions: Predictions) -> None:
    samples, aus = len(predictions.names), len(predictions.action_units)
    for name, values in _arrays(predictions).items():
        expected = (samples, aus) if name in {"probabilities", "labels", "thresholds"} else (samples,)
        if values.shape != expected:
            raise ValueError(f"{name} has shape {values.shape}; expected {expected} (samples and action units)")


def _check_values(predictions: Predictions) -> None:
    codes, images = predictions.action_units.codes, predictions.names
    labels, probabilities = predictions.labels, predictions.probabilities
    states = [int(state) for state in LabelState]
    checks = (
        ("label", labels, np.isin(labels, states), "1 (present), 0 (absent) or -1 (unknown)"),
        ("probability", probabilities, (probabilities >= 0) & (probabilities <= 1), "a number from 0 to 1"),
    )
    for what, values, valid, expected in checks:
        wrong = np.argwhere(~valid)
        if len(wrong):
            row, au = wrong[0]
            found = f"{codes[au]} {what} of {images[row]} (row {row}) is {values[row, au]}"
            raise ValueError(f"{found}; expected {expected}")


def _to_table(predictions: Predictions) -> pl.DataFrame:
    data: dict[str, Any] = {
        columns.IMAGE: predictions.names.tolist(),
        columns.SUBJECT: predictions.subjects.tolist(),
        "fold": predictions.folds,
        "seed": predictions.seeds,
    }
    for au, unit in enumerate(predictions.action_units):
        labels = pl.Series(predictions.labels[:, au].copy())
        data[columns.occurrence(unit)] = labels.replace(int(LabelState.UNKNOWN), None)
        data[f"{unit.code}_probability"] = predictions.probabilities[:, au].copy()
        data[f"{unit.code}_threshold"] = predictions.thresholds[:, au].copy()
    return pl.DataFrame(data, schema_overrides={columns.IMAGE: pl.String, columns.SUBJECT: pl.String})


def _from_table(table: pl.DataFrame, codes: Sequence[str]) -> dict[str, np.ndarray]:
    def stack(suffix: str, dtype: type[np.generic]) -> np.ndarray:
        chosen = table.select(pl.col(f"{code}{suffix}").fill_null(int(LabelState.UNKNOWN)) for code in codes)
        return np.ascontiguousarray(chosen.to_numpy(), dtype=dtype).reshape(len(table), len(codes))

    return {
        "labels": stack("", np.int8),
        "probabilities": stack("_probability", np.float32),
        "thresholds": stack("_threshold", np.float32),
        "names": np.asarray(table[columns.IMAGE].to_list(), dtype=np.str_),
        "subjects": np.asarray(table[columns.SUBJECT].to_list(), dtype=np.str_),
        "folds": table["fold"].to_numpy().astype(np.int64),
        "seeds": table["seed"].to_numpy().astype(np.int64),
    }


def concat(parts: Sequence[Predictions]) -> Predictions:
    """Join the predictions of several runs; their models' provenances are kept as a list under `runs`.

    Raises:
        DatasetError: There is nothing to join, or the parts differ in action units or protocol, or an image appears
            twice within a fold and seed.
    """
    if not parts:
        raise DatasetError("there are no predictions to join; expected at least one part")
    first = parts[0]
    for part in parts[1:]:
        if part.action_units != first.action_units:
            raise DatasetError(
                f"can't join predictions of {first.action_units} with predictions of {part.action_units}"
            )
        if part.protocol != first.protocol:
            raise DatasetError(
                f"can't join numbers of two protocols: {first.protocol.stamp!r}, {part.protocol.stamp!r}"
            )
    arrays = {name: np.concatenate([_arrays(part)[name] for part in parts]) for name in _arrays(first)}
    runs: list[Any] = []
    for part in parts:
        runs.extend(part.model.get("runs", [dict(part.model)] if part.model else []))
    joined = Predictions(action_units=first.action_units, protocol=first.protocol, model={"runs": runs}, **arrays)
    rows = pl.DataFrame({"image": joined.names.tolist(), "fold": joined.folds, "seed": joined.seeds})
    twice = rows.filter(rows.is_duplicated())
    if len(twice):
        image, fold, seed = twice.row(0)
        raise DatasetError(f"{image} appears twice in fold {fold}, seed {seed}; expected each image once per run")
    return joined


def apply_protocol(predictions: Predictions, protocol: Protocol, validation: Predictions | None = None) -> Predictions:
    """Return the predictions with the thresholds that a protocol's rule chooses, for each fold and seed by itself.

    Args:
        validation: Predictions of the same models (same folds and seeds) on validation subjects, for the rules that
            need them.

    Raises:
        DatasetError: The rule needs validation predictions and there are none for a run, or a validation subject is
            also a test subject of the run.
    """
    thresholds = np.empty_like(predictions.probabilities)
    for fold, seed in predictions.runs:
        seen = predictions.run(fold, seed)
        if protocol.threshold.startswith("validation"):
            seen = _validation_run(seen, protocol, validation, (fold, seed))
        chosen = choose_thresholds(protocol, seen.labels, seen.probabilities)
        thresholds[(predictions.folds == fold) & (predictions.seeds == seed)] = chosen.astype(np.float32)
    return replace(predictions, thresholds=thresholds, protocol=protocol)


def _validation_run(
    test: Predictions, protocol: Protocol, validation: Predictions | None, run: tuple[int, int]
) -> Predictions:
    """Return the validation rows of a run, having checked that they are there and independent of the test rows."""
    fold, seed = run
    if validation is None or run not in validation.runs:
        found = "none were given" if validation is None else f"runs (fold, seed) are {validation.runs}"
        rule = f"threshold rule {protocol.threshold!r}"
        raise DatasetError(f"{rule} needs validation predictions of fold {fold}, seed {seed}; {found}")
    if validation.action_units != test.action_units:
        raise DatasetError(f"validation predictions are of {validation.action_units}, expected {test.action_units}")
    chosen = validation.run(fold, seed)
    both = sorted(set(chosen.subjects.tolist()) & set(test.subjects.tolist()))
    if both:
        raise DatasetError(f"subject {both[0]} is in both validation and test of fold {fold}; thresholds would leak")
    return chosen
