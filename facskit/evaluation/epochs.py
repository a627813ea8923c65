"""Predictions of every epoch of one run, from which every protocol can be scored without training again.

They lie in the run's folder as `epochs/epoch-003-test.parquet` and `epochs/epoch-003-validation.parquet`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from facskit.errors import DatasetError
from facskit.evaluation.predictions import Predictions, apply_protocol
from facskit.evaluation.protocols import Protocol, choose_readout

__all__ = ["ChosenEpoch", "EpochPredictions", "ScoredPart", "epoch_file", "protocol_f1"]

ScoredPart = Literal["validation", "test"]
"""A part of a fold that is predicted after each epoch."""


def epoch_file(run: Path, epoch: int, part: ScoredPart) -> Path:
    """Return where the predictions of a part after an epoch, from 1, are kept in a run's folder."""
    return run / "epochs" / f"epoch-{epoch:03d}-{part}.parquet"


def protocol_f1(predictions: Predictions, protocol: Protocol) -> float:
    """Return the macro F1 under the thresholds that a protocol would choose on these very labels."""
    rules = replace(protocol, epoch="last")
    readout = choose_readout(rules, predictions.labels, predictions.probabilities)
    thresholds = np.tile(np.array(readout.thresholds, np.float32), (len(predictions), 1))
    probabilities = readout.probabilities(predictions.probabilities)
    return replace(predictions, probabilities=probabilities, thresholds=thresholds, protocol=rules).macro_f1()


@dataclass(frozen=True, kw_only=True, eq=False)
class ChosenEpoch:
    """The predictions that a protocol scores, and where they are from."""

    epoch: int
    """The epoch, from 1."""
    predictions: Predictions
    """Test predictions after that epoch, with the protocol's thresholds and calibration."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochPredictions:
    """What one run's network said after each epoch; maps rise by epoch."""

    test: Mapping[int, Predictions]
    """Of the test subjects."""
    validation: Mapping[int, Predictions]
    """Of the validation subjects; empty if there are none."""

    @classmethod
    def load(cls, run: Path) -> "EpochPredictions":
        """Read what a run kept.

        Raises:
            DatasetError: A file is damaged.
        """
        found: dict[str, dict[int, Predictions]] = {"test": {}, "validation": {}}
        for part, by_epoch in found.items():
            for file in sorted((run / "epochs").glob(f"epoch-*-{part}.parquet")):
                by_epoch[int(file.name.split("-")[1])] = Predictions.load(file)
        return cls(**found)

    def __len__(self) -> int:
        """Return the number of epochs whose test predictions are there."""
        return len(self.test)

    def scores(self, part: ScoredPart, protocol: Protocol) -> dict[int, float]:
        """Return for each epoch the macro F1 under thresholds that the protocol would choose on that part."""
        said = self.test if part == "test" else self.validation
        return {epoch: protocol_f1(predictions, protocol) for epoch, predictions in said.items()}

    def choose_epoch(self, protocol: Protocol) -> int:
        """Return the epoch that a protocol scores; of equally good ones the first.

        Raises:
            DatasetError: There are no predictions of the part that chooses.
        """
        part: ScoredPart = "validation" if protocol.epoch == "validation" else "test"
        scores = self.scores(part, protocol)
        if not scores:
            raise DatasetError(f"there are no predictions of single epochs on {part} subjects to choose one by")
        if not protocol.needs_epochs:
            return max(scores)
        return max(scores, key=lambda epoch: np.nan_to_num(scores[epoch], nan=-1.0))

    def under(self, protocol: Protocol) -> ChosenEpoch:
        """Return the test predictions as a protocol scores them.

        Args:
            protocol: Its `folds` may be left to the predictions' own.

        Raises:
            DatasetError: Predictions that the protocol needs are missing, or somebody is in validation and test.
        """
        epoch = self.choose_epoch(protocol)
        if epoch not in self.test:
            raise DatasetError(f"epoch {epoch} scores best on validation subjects, but has no test predictions")
        test = self.test[epoch]
        stamped = replace(protocol, folds=test.protocol.folds)
        return ChosenEpoch(epoch=epoch, predictions=apply_protocol(test, stamped, self.validation.get(epoch)))
