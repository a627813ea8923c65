"""`facskit compare`: do runs differ? Paired intervals over subjects, overall and per AU, and one sentence each."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, DifferenceInterval
from facskit.evaluation.cells import difference_cell, percent_cell
from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.evaluation.paired_comparison import PairedComparison, compare_predictions
from facskit.evaluation.reports import json_number
from facskit.experiments.analysis.trained_networks import TrainedNetwork
from facskit.files import write_text
from facskit.tables import TextTable

__all__ = ["ComparisonReport", "compare_networks", "write_comparison"]

_FEW_SUBJECTS = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonReport:
    """Networks, and how each differs from the first."""

    networks: tuple[TrainedNetwork, ...]
    """The networks; the first is what the others are compared with."""
    results: tuple[CrossValidationResult, ...]
    """Scores of each network."""
    comparisons: tuple[PairedComparison, ...]
    """How the second and each further network differ from the first."""

    def to_table(self) -> TextTable:
        """Return one row per network: its scores, and the differences to the first."""
        level = f"{100 * self.comparisons[0].f1.level:.4g} %"
        rows = []
        for index, (network, result) in enumerate(zip(self.networks, self.results, strict=True)):
            spread = result.macro("f1").over_seeds
            scores = (
                network.name,
                f"{len(result.folds)} x {len(result.seeds)}",
                percent_cell(result.macro("f1").mean.value)
                + ("" if math.isnan(spread) else f" ± {percent_cell(spread)}"),
                percent_cell(result.macro("roc_auc").mean.value),
            )
            one = self.comparisons[index - 1] if index else None
            differences = (None, None) if one is None else (one.f1, one.roc_auc)
            rows.append((*scores, *map(difference_cell, differences)))
        many = any(len(result.seeds) > 1 for result in self.results)
        return TextTable(
            title=f"Compared with {self.networks[0].name}",
            header=(
                "Model",
                "folds x seeds",
                f"F1 %{' ± sd of seeds' * many}",
                "ROC-AUC %",
                f"F1 difference [{level}]",
                f"AUC difference [{level}]",
            ),
            rows=tuple(rows),
            notes=(*self.sentences, *self._notes()),
        )

    def to_unit_table(self) -> TextTable:
        """Return one row per AU: the first network's F1, and the others' differences to it."""
        first, units = self.results[0], self.results[0].action_units
        chance = round(1 / (1 - self.comparisons[0].f1.level))
        cells = [[percent_cell(value) for value in first.mean("f1").tolist()]]
        cells += [[difference_cell(one) for one in comparison.f1_per_au] for comparison in self.comparisons]
        names = [[unit.code for unit in units], [unit.name for unit in units]]
        return TextTable(
            title="F1 of each AU",
            header=(
                "AU",
                "Name",
                f"{self.networks[0].name} F1 %",
                *(f"{network.name} - {self.networks[0].name}" for network in self.networks[1:]),
            ),
            rows=tuple(zip(*names, *cells, strict=True)),
            num_text=2,
            notes=(f"Of {chance} AUs without a difference, one is expected to show one by chance.",),
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence for each network but the first: whether it differs."""
        first = self.networks[0].name
        return tuple(
            _sentence(network.name, first, comparison)
            for network, comparison in zip(self.networks[1:], self.comparisons, strict=True)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every number as plain values: fractions, None where undefined."""
        found = []
        for network, one in zip(self.networks[1:], self.comparisons, strict=True):
            units = zip(one.action_units.codes, one.f1_per_au, strict=True)
            found.append(
                {
                    "name": network.name,
                    "minus": self.networks[0].name,
                    "f1": _plain(one.f1),
                    "roc_auc": _plain(one.roc_auc),
                    "f1_per_au": {code: _plain(interval) for code, interval in units},
                    "f1_by_seed": {str(seed): json_number(value) for seed, value in one.f1_by_seed.items()},
                    "interval_excludes_zero": _excludes_zero(one.f1),
                }
            )
        scores = [
            {
                "name": network.name,
                "path": str(network.path),
                "f1": json_number(result.macro("f1").mean.value),
                "roc_auc": json_number(result.macro("roc_auc").mean.value),
                "runs": [list(run) for run in network.predictions.runs],
            }
            for network, result in zip(self.networks, self.results, strict=True)
        ]
        return {"models": scores, "differences": found, "sentences": list(self.sentences), "notes": self._notes()}

    def to_markdown(self) -> str:
        """Return both tables as Markdown."""
        return f"{self.to_table().to_markdown('#')}\n{self.to_unit_table().to_markdown()}"

    def _notes(self) -> list[str]:
        one = self.comparisons[0].f1
        few = "" if one.num_subjects >= _FEW_SUBJECTS else ", and so few of them make intervals too narrow"
        notes = [
            f"Intervals draw the {one.num_subjects} test subjects, the same for both models{few}. They say nothing "
            "about other seeds: for that, look at the seeds one by one."
        ]
        for network, comparison in zip(self.networks[1:], self.comparisons, strict=True):
            if len(comparison.f1_by_seed) > 1:
                values = ", ".join(f"{100 * value:+.1f}" for value in comparison.f1_by_seed.values())
                better = sum(value > 0 for value in comparison.f1_by_seed.values())
                count = f"{better} of {len(comparison.f1_by_seed)} above zero"
                notes.append(f"{network.name}, seed by seed: {values} ({count}).")
        stamps = {network.predictions.protocol.stamp: network.name for network in self.networks}
        if len(stamps) == 1:
            return [*notes, *stamps]
        return [*notes, *(f"{name}: {stamp}" for stamp, name in stamps.items())]


def compare_networks(networks: Sequence[TrainedNetwork], config: BootstrapConfig | None = None) -> ComparisonReport:
    """Compare every network with the first.

    Args:
        networks: At least two, tested on the same faces.
        config: How subjects are resampled; the default when not given.

    Raises:
        DatasetError: There are fewer than two, they weren't tested on the same faces, or a fold has one subject only.
    """
    if len(networks) < 2:
        raise DatasetError(f"a comparison needs two networks, got {len(networks)}")
    first, *others = networks
    comparisons = []
    for other in others:
        try:
            comparisons.append(compare_predictions(first.predictions, other.predictions, config))
        except DatasetError as error:
            sentence = str(error).replace("the first predictions", first.name)
            sentence = sentence.replace("the second predictions", other.name)
            raise DatasetError(f"{first.name} and {other.name} can't be compared: {sentence}") from error
    results = tuple(CrossValidationResult(network.predictions) for network in networks)
    return ComparisonReport(networks=tuple(networks), results=results, comparisons=tuple(comparisons))


def write_comparison(report: ComparisonReport, folder: Path) -> None:
    """Write `results.md` and `results.json`."""
    write_text(folder / "results.md", report.to_markdown())
    write_text(folder / "results.json", json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n")


def _excludes_zero(difference: DifferenceInterval) -> bool:
    return difference.low > 0 or difference.high < 0


def _sentence(name: str, first: str, comparison: PairedComparison) -> str:
    difference = comparison.f1
    if math.isnan(difference.estimate):
        return f"{name} and {first}: the macro F1 of one of them is not defined."
    points = f"{100 * abs(difference.estimate):.1f} points"
    interval = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
    level = f"{100 * difference.level:.4g} % interval"
    if _excludes_zero(difference):
        where = "better" if difference.low > 0 else "worse"
        return f"{name} is {points} of macro F1 {where} than {first}: the {level}, {interval}, excludes zero."
    where = "above" if difference.estimate > 0 else "below"
    return (
        f"{name} is {points} of macro F1 {where} {first}, but they can't be told apart: "
        f"the {level}, {interval}, includes zero."
    )


def _plain(difference: DifferenceInterval | None) -> dict[str, float | None] | None:
    if difference is None:
        return None
    return {name: json_number(float(value)) for name, value in asdict(difference).items()}
