"""Protocols, how a number came about: which epoch, which threshold, what happened to unknown labels, which folds.

Published F1 scores of action units differ by several points through these choices alone, so facskit writes them into
every predictions file and under every table. Four of them have names:

- `fixed`: the last epoch of a schedule that was fixed beforehand, and a threshold of 0.5. Nothing is chosen.
- `validation`: epoch, calibration and a threshold per action unit chosen on validation subjects inside the training.
- `published-fmae`: FMAE-IAT's released code: of all epochs and thresholds 0.01 to 0.99 the best F1 on the test fold.
- `published-jaa`: JAA-Net's and its descendants': a threshold of 0.5, and the epoch with the best F1 on the test fold.

The last two are optimistic, and say so wherever they appear.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float32, Int8
from scipy.special import expit

from facskit.evaluation.calibration import calibrated_thresholds, fit_calibration, logits_of
from facskit.evaluation.thresholds import sweep_thresholds
from facskit.models.calibration import Calibration

__all__ = ["EPOCHS", "PROTOCOLS", "Protocol", "ProtocolName", "Readout", "choose_readout"]

ProtocolName = Literal["fixed", "validation", "published-fmae", "published-jaa"]
"""The protocols that have a name."""

EPOCHS = {
    "last": "last epoch",
    "validation": "epoch chosen on validation subjects",
    "test": "OPTIMISTIC: epoch chosen on the test labels themselves",
    "unknown": "epoch chosen in an unknown way",
}
"""Which epoch's weights may be scored, and how stamps say it."""
_THRESHOLDS = {
    "fixed": "threshold fixed at {fixed:g}",
    "validation-shared": "one threshold for all AUs, chosen on validation subjects",
    "validation-per-au": "one threshold per AU, chosen on validation subjects",
    "stored": "thresholds stored in the weight file",
    "test-shared": "OPTIMISTIC: one threshold for all AUs, chosen on the test labels themselves",
}
_CALIBRATIONS = {
    "none": "",
    "validation": "probabilities calibrated on validation subjects",
    "stored": "probabilities calibrated as the weight file says",
}
_UNDEFINED = {
    "excluded": "undefined scores left out of means",
    "zero": "undefined F1 counted as 0",
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a model was chosen and how its predictions became scores."""

    epoch: Literal["last", "validation", "test", "unknown"] = "last"
    """Which epoch's weights were scored: the last one of a schedule fixed beforehand, the one that scored best on
    validation subjects or (optimistic) on the test subjects, or unknown (foreign weights)."""
    threshold: Literal["fixed", "validation-shared", "validation-per-au", "stored", "test-shared"] = "fixed"
    """Where decision thresholds come from: one number, validation subjects, or a weight file that brings its own;
    `test-shared` imitates FMAE-IAT's evaluation and is optimistic."""
    fixed_threshold: float = 0.5
    """Probability at or above which an AU is present, for `threshold: fixed`."""
    calibration: Literal["none", "validation", "stored"] = "none"
    """Whether temperature and bias of each AU were fitted on validation subjects first, or came with a weight file."""
    undefined_f1: Literal["excluded", "zero"] = "excluded"
    """What to do with the F1 of an AU that is neither present nor predicted; papers mostly count it as 0."""
    folds: str = "one held-out set"
    """How test subjects were held out, in words, for example "3 subject-exclusive folds, seed 0"."""

    def __post_init__(self) -> None:
        """Refuse unknown choices and thresholds that no probability can straddle."""
        known_values = (
            ("epoch", EPOCHS),
            ("threshold", _THRESHOLDS),
            ("calibration", _CALIBRATIONS),
            ("undefined_f1", _UNDEFINED),
        )
        for name, known in known_values:
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")
        if not 0 < self.fixed_threshold < 1:
            raise ValueError(f"fixed_threshold is {self.fixed_threshold}; expected a probability between 0 and 1")

    @property
    def optimistic(self) -> bool:
        """Whether the test labels took part in a choice, so that the scores are too good."""
        return self.threshold == "test-shared" or self.epoch == "test"

    @property
    def honest(self) -> "Protocol":
        """The same rules with validation subjects in place of the test subjects."""
        epoch = "validation" if self.epoch == "test" else self.epoch
        threshold = "validation-shared" if self.threshold == "test-shared" else self.threshold
        return replace(self, epoch=epoch, threshold=threshold)

    @property
    def needs_validation(self) -> bool:
        """Whether validation subjects choose anything."""
        chosen = self.epoch == "validation" or self.calibration == "validation"
        return chosen or self.threshold.startswith("validation")

    @property
    def needs_epochs(self) -> bool:
        """Whether predictions of more than the last epoch are needed."""
        return self.epoch in {"validation", "test"}

    @property
    def name(self) -> ProtocolName | None:
        """The name of the protocol, whatever folds it is used with and however it counts undefined scores."""
        rules = (self.epoch, self.threshold, self.calibration)
        for name, known in PROTOCOLS.items():
            if rules == (known.epoch, known.threshold, known.calibration):
                return name if self.threshold != "fixed" or self.fixed_threshold == known.fixed_threshold else None
        return None

    @property
    def undefined_f1_value(self) -> float:
        """The number that stands for an undefined F1."""
        return 0.0 if self.undefined_f1 == "zero" else float("nan")

    @property
    def stamp(self) -> str:
        """One line that says how the numbers above it were made."""
        threshold = _THRESHOLDS[self.threshold].format(fixed=self.fixed_threshold)
        choices = (EPOCHS[self.epoch], _CALIBRATIONS[self.calibration], threshold)
        parts = (*choices, "unknown labels left out", _UNDEFINED[self.undefined_f1], self.folds)
        return f"Protocol: {'; '.join(filter(None, parts))}."


PROTOCOLS: Mapping[ProtocolName, Protocol] = MappingProxyType(
    {
        "fixed": Protocol(),
        "validation": Protocol(epoch="validation", threshold="validation-per-au", calibration="validation"),
        "published-fmae": Protocol(epoch="test", threshold="test-shared", undefined_f1="zero"),
        "published-jaa": Protocol(epoch="test", undefined_f1="zero"),
    }
)
"""The protocols that have a name; `replace(PROTOCOLS[name], folds=...)` says how subjects were held out."""
assert set(PROTOCOLS) == set(get_args(ProtocolName))


@dataclass(frozen=True, kw_only=True)
class Readout:
    """How a network's logits become probabilities and decisions; a weight file keeps it."""

    thresholds: tuple[float, ...]
    """Probability from which an AU counts as present, one per AU."""
    calibration: Calibration | None = None
    """What turns logits into those of the probabilities."""

    def probabilities(self, raw: Float32[np.ndarray, "samples aus"]) -> Float32[np.ndarray, "samples aus"]:
        """Return calibrated probabilities from a network's own."""
        if self.calibration is None:
            return raw
        return expit(self.calibration.logits(logits_of(raw))).astype(np.float32)


def choose_readout(
    protocol: Protocol,
    labels: Int8[np.ndarray, "samples aus"],
    probabilities: Float[np.ndarray, "samples aus"],
) -> Readout:
    """Return calibration and thresholds as a protocol's rules choose them.

    Args:
        labels: Label states of the subjects the rules may look at: validation subjects, or for `test-shared` the test
            subjects; `fixed` looks at nothing.
        probabilities: A network's own, before any calibration.

    Raises:
        ValueError: A rule is `stored`: such values come with the weights and can't be chosen here.
    """
    if "stored" in {protocol.threshold, protocol.calibration}:
        raise ValueError("stored thresholds and calibrations come with a weight file and can't be chosen from labels")
    calibration = None
    if protocol.calibration == "validation":
        logits = logits_of(probabilities)
        calibration = fit_calibration(labels, logits)
        if protocol.threshold == "validation-per-au":
            thresholds = calibrated_thresholds(labels, logits, calibration)
            return Readout(thresholds=thresholds, calibration=calibration)
    readout = Readout(thresholds=(protocol.fixed_threshold,) * labels.shape[1], calibration=calibration)
    if protocol.threshold == "fixed":
        return readout
    sweep = sweep_thresholds(labels, readout.probabilities(probabilities.astype(np.float32)))
    if protocol.threshold == "validation-per-au":
        return replace(readout, thresholds=tuple(sweep.per_au.tolist()))
    return replace(readout, thresholds=(sweep.shared,) * labels.shape[1])
