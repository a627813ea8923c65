"""Predictions of action units (AUs): probability, threshold and label of each, and the scores they give.

In a file they add to the columns of all predictions `AU01` (1 present, 0 absent, null unknown), `AU01_probability` and
`AU01_threshold` for each unit; where intensities are scored also `AU01_level` (0 to 5, null unknown) and
`AU01_intensity`, what the network said of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int8

from facskit import columns
from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import LabelState
from facskit.errors import DatasetError
from facskit.evaluation.confusion_counts import count, decide
from facskit.evaluation.metrics import AUScores, macro_mean, score
from facskit.evaluation.predicted_faces import PredictedFaces
from facskit.evaluation.protocols import Protocol, choose_readout

__all__ = ["Predictions", "apply_protocol"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions(PredictedFaces):
    """Probabilities, labels and thresholds of action units, of one run or of many (folds and seeds)."""

    kind = "action units"
    metadata_key = "facskit.predictions"
    arrays_by_output = ("probabilities", "labels", "thresholds", "levels", "intensities")

    action_units: ActionUnitSet
    """What the columns of probabilities, labels and thresholds mean."""
    probabilities: Float32[np.ndarray, "samples aus"]
    """Probability that each AU is present, 0 to 1."""
    labels: Int8[np.ndarray, "samples aus"]
    """Label states."""
    thresholds: Float32[np.ndarray, "samples aus"]
    """Decision threshold of each row and AU, the same within a fold and seed."""
    levels: Int8[np.ndarray, "samples aus"] | None = None
    """FACS levels 0 to 5, -1 for unknown; None where no intensities are scored."""
    intensities: Float32[np.ndarray, "samples aus"] | None = None
    """What the network says of the levels, 0 to 5; None together with them."""
    protocol: Protocol = field(default_factory=Protocol)
    """How epoch and thresholds were chosen."""

    @property
    def outputs(self) -> ActionUnitSet:
        """The action units."""
        return self.action_units

    @property
    def stamp(self) -> str:
        """One line that says how the scores come about."""
        return self.protocol.stamp

    @property
    def decisions(self) -> Bool[np.ndarray, "samples aus"]:
        """Where each AU is predicted present under the row's thresholds."""
        return decide(self.probabilities, self.thresholds)

    def scores(self) -> AUScores:
        """Score all rows together, under their thresholds and the protocol's rule for undefined F1."""
        undefined = self.protocol.undefined_f1_value
        return score(
            self.labels,
            self.probabilities,
            self.action_units,
            self.thresholds,
            undefined_f1=undefined,
            graded=None if self.levels is None or self.intensities is None else (self.levels, self.intensities),
        )

    def macro_f1(self) -> float:
        """Return the macro F1 of all rows together, as in `scores`, which it's faster than."""
        counts = count(self.labels, self.decisions)
        return macro_mean(counts.f1(self.protocol.undefined_f1_value)).value

    def about(self) -> dict[str, Any]:
        """Return action units and protocol."""
        return {"action_units": list(self.action_units.codes), "protocol": asdict(self.protocol)}

    def own_columns(self) -> dict[str, pl.Series]:
        """Return label, probability and threshold of each action unit, and level and intensity if there are any."""
        found = {}
        for au, unit in enumerate(self.action_units):
            labels = pl.Series(self.labels[:, au].copy())
            found[columns.occurrence(unit)] = labels.replace(int(LabelState.UNKNOWN), None)
            found[f"{unit.code}_probability"] = pl.Series(self.probabilities[:, au].copy())
            found[f"{unit.code}_threshold"] = pl.Series(self.thresholds[:, au].copy())
            if self.levels is not None and self.intensities is not None:
                found[columns.level(unit)] = pl.Series(self.levels[:, au].copy()).replace(-1, None)
                found[columns.intensity(unit)] = pl.Series(self.intensities[:, au].copy())
        return found

    @classmethod
    def from_columns(cls, table: pl.DataFrame, about: Mapping[str, Any], rows: Mapping[str, Any]) -> "Predictions":
        """Return the predictions of a file."""
        codes = about["action_units"]

        def stack(suffix: str, dtype: type[np.generic]) -> np.ndarray:
            chosen = table.select(pl.col(f"{code}{suffix}").fill_null(int(LabelState.UNKNOWN)) for code in codes)
            return np.ascontiguousarray(chosen.to_numpy(), dtype=dtype).reshape(len(table), len(codes))

        graded = bool(codes) and f"{codes[0]}_level" in table.columns
        return cls(
            action_units=ActionUnitSet.parse(codes),
            levels=stack("_level", np.int8) if graded else None,
            intensities=stack("_intensity", np.float32) if graded else None,
            protocol=Protocol(**about["protocol"]),
            labels=stack("", np.int8),
            probabilities=stack("_probability", np.float32),
            thresholds=stack("_threshold", np.float32),
            **rows,
        )

    def check_values(self) -> None:
        """Refuse labels that are no state, and probabilities outside 0 to 1."""
        known_state = np.isin(self.labels, [int(state) for state in LabelState])
        possible = (self.probabilities >= 0) & (self.probabilities <= 1)  # False for NaN
        self._refuse(~known_state, self.labels, "label", "1 (present), 0 (absent) or -1 (unknown)")
        self._refuse(~possible, self.probabilities, "probability", "a number from 0 to 1")
        if (self.levels is None) != (self.intensities is None):
            raise ValueError("levels and intensities belong together: found one without the other")
        if self.levels is not None and self.intensities is not None:
            self._refuse(~((self.levels >= -1) & (self.levels <= 5)), self.levels, "level", "0 to 5 or -1 (unknown)")
            graded = (self.intensities >= 0) & (self.intensities <= 5)  # False for NaN
            self._refuse(~graded, self.intensities, "intensity", "a number from 0 to 5")

    def _refuse(self, wrong: Bool[np.ndarray, "samples aus"], values: np.ndarray, what: str, expected: str) -> None:
        if wrong.any():
            row, au = np.argwhere(wrong)[0]
            found = f"{self.action_units.codes[au]} {what} of {self.names[row]} (row {row}) is {values[row, au]}"
            raise ValueError(f"{found}; expected {expected}")


def apply_protocol(predictions: Predictions, protocol: Protocol, validation: Predictions | None = None) -> Predictions:
    """Return the predictions as a protocol's rules read them, for each fold and seed by itself.

    Args:
        predictions: Probabilities as the network said them, not calibrated.
        validation: Predictions of the same models (same folds and seeds) on validation subjects, for the rules that
            need them.
    """
    thresholds, probabilities = np.empty_like(predictions.probabilities), predictions.probabilities.copy()
    for fold, seed in predictions.runs:
        seen = predictions.run(fold, seed)
        if protocol.needs_validation:
            seen = _validation_run(seen, protocol, validation, (fold, seed))
        chosen = choose_readout(protocol, seen.labels, seen.probabilities)
        rows = (predictions.folds == fold) & (predictions.seeds == seed)
        thresholds[rows] = np.array(chosen.thresholds, np.float32)
        probabilities[rows] = chosen.probabilities(probabilities[rows])
    return replace(predictions, probabilities=probabilities, thresholds=thresholds, protocol=protocol)


def _validation_run(
    test: Predictions, protocol: Protocol, validation: Predictions | None, run: tuple[int, int]
) -> Predictions:
    """Return the validation rows of a run, having checked that they are there and independent of the test rows."""
    fold, seed = run
    if validation is None or run not in validation.runs:
        found = "none were given" if validation is None else f"runs (fold, seed) are {validation.runs}"
        rules = {"epoch": protocol.epoch, "calibration": protocol.calibration, "threshold": protocol.threshold}
        name, value = next(item for item in reversed(rules.items()) if item[1].startswith("validation"))
        rule = f"{name} rule {value!r}"
        raise DatasetError(f"{rule} needs validation predictions of fold {fold}, seed {seed}; {found}")
    if validation.action_units != test.action_units:
        raise DatasetError(f"validation predictions are of {validation.action_units}, expected {test.action_units}")
    chosen = validation.run(fold, seed)
    both = sorted(set(chosen.subjects.tolist()) & set(test.subjects.tolist()))
    if both:
        raise DatasetError(f"subject {both[0]} is in both validation and test of fold {fold}; thresholds would leak")
    return chosen
