"""One training under several protocols: the same networks, scored by what each protocol may look at.

The differences are what choosing on the test fold is worth: no network is trained twice.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, DifferenceInterval, bootstrap_difference
from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.evaluation.epochs import EpochPredictions
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.protocols import PROTOCOLS, Protocol, ProtocolName
from facskit.tables import MISSING, TextTable, percent_cell, write_results

__all__ = ["ProtocolScore", "ProtocolScores", "score_protocols"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ProtocolScore:
    """What one protocol makes of a training."""

    name: ProtocolName
    """The protocol."""
    epochs: tuple[int, ...]
    """The epoch that it scores, of each run."""
    result: CrossValidationResult
    """Its scores."""
    honest: CrossValidationResult | None = None
    """For an optimistic protocol: scores of the same networks by the same rules, with validation subjects in place of
    the test subjects. None for the others, or where there are no validation subjects."""
    optimism: DifferenceInterval | None = None
    """How much macro F1 the look at the test labels adds, on the same draws of subjects; None without `honest`."""

    @property
    def protocol(self) -> Protocol:
        """The rules."""
        return self.result.predictions.protocol


@dataclass(frozen=True, kw_only=True, eq=False)
class ProtocolScores:
    """A training under several protocols."""

    runs: tuple[str, ...]
    """What the runs are called."""
    scores: tuple[ProtocolScore, ...]
    """One for each protocol that the runs kept enough for."""
    left_out: tuple[str, ...]
    """Sentences about the others."""

    def to_table(self) -> TextTable:
        """Return one row per protocol."""
        rows = []
        for score in self.scores:
            f1, roc_auc = (score.result.macro(name).mean.value for name in ("f1", "roc_auc"))
            honest = MISSING if score.honest is None else percent_cell(score.honest.macro("f1").mean.value)
            optimism = MISSING if score.optimism is None else score.optimism.in_points
            label = score.name + (" (optimistic)" if score.protocol.optimistic else "")
            epochs = " ".join(map(str, score.epochs))
            rows.append((label, epochs, percent_cell(f1), percent_cell(roc_auc), honest, optimism))
        stamps = [f"{score.name}: {score.protocol.stamp}" for score in self.scores]
        return TextTable(
            title="The same training under several protocols",
            header=("Protocol", "Epochs", "F1 %", "ROC-AUC %", "Same rules, no test label: F1 %", "Optimism [95 %]"),
            rows=tuple(rows),
            num_text=2,
            notes=(
                "No network was trained twice: protocols differ in which labels choose epoch, calibration and "
                f"threshold. Epochs are those of {', '.join(self.runs)}.",
                "Optimism: points of F1 that the same networks gain when test labels choose instead of validation "
                "subjects' labels; its interval draws test subjects, the same for both.",
                *stamps,
                *self.left_out,
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every number: fractions, NaN where undefined."""
        found = {}
        for score in self.scores:
            found[score.name] = {
                "stamp": score.protocol.stamp,
                "optimistic": score.protocol.optimistic,
                "epochs": dict(zip(self.runs, score.epochs, strict=True)),
                "macro_f1": score.result.macro("f1").mean.value,
                "macro_roc_auc": score.result.macro("roc_auc").mean.value,
                "f1": dict(zip(score.result.action_units.codes, score.result.mean("f1").tolist(), strict=True)),
                "honest_macro_f1": None if score.honest is None else score.honest.macro("f1").mean.value,
                "optimism": None if score.optimism is None else asdict(score.optimism),
            }
        return {"protocols": found, "left_out": list(self.left_out)}

    def write(self, folder: Path) -> None:
        """Write `protocols.md` and `protocols.json` into a folder."""
        write_results(folder, self.to_table().to_markdown("#"), self.to_dict(), name="protocols")


def score_protocols(
    runs: Sequence[Path],
    names: Sequence[ProtocolName] = tuple(PROTOCOLS),
    bootstrap: BootstrapConfig = BootstrapConfig(),  # noqa: B008  (frozen)
) -> ProtocolScores:
    """Score runs that kept the predictions of their epochs by several protocols, without training again.

    Args:
        runs: Folders of the runs of one training: one, or all folds and seeds.
        names: The protocols.

    Raises:
        DatasetError: A file of predictions is damaged.
    """
    kept = [EpochPredictions.load(run) for run in runs]
    found: list[ProtocolScore] = []
    left_out = []
    for name in names:
        try:
            found.append(_score(name, kept, bootstrap))
        except DatasetError as error:
            left_out.append(f"{name} isn't scored: {error}.")
    return ProtocolScores(runs=tuple(run.resolve().name for run in runs), scores=tuple(found), left_out=tuple(left_out))


def _score(name: ProtocolName, kept: Sequence[EpochPredictions], bootstrap: BootstrapConfig) -> ProtocolScore:
    protocol = PROTOCOLS[name]
    epochs, result = _under(protocol, kept)
    score = ProtocolScore(name=name, epochs=epochs, result=result)
    if not protocol.optimistic:
        return score
    with suppress(DatasetError):  # no validation subjects, or too few test subjects to draw
        _, honest = _under(protocol.honest, kept)
        score = replace(score, honest=honest)
        optimism = bootstrap_difference(honest.predictions, result.predictions, bootstrap)
        score = replace(score, optimism=optimism)
    return score


def _under(protocol: Protocol, kept: Sequence[EpochPredictions]) -> tuple[tuple[int, ...], CrossValidationResult]:
    """Return the epochs that a protocol chooses, and the scores of all runs together."""
    chosen = [epochs.under(protocol) for epochs in kept]
    result = CrossValidationResult(concat([one.predictions for one in chosen]))
    return tuple(one.epoch for one in chosen), result
