"""The comparison of runs, whether they differ: paired intervals over subjects, and one sentence each."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, DifferenceInterval, check_same_labels
from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.evaluation.paired_comparison import PairedComparison, compare_predictions
from facskit.experiments.analysis.trained_networks import TrainedNetwork
from facskit.tables import MISSING, TextTable, markdown_page, percent_cell, write_results

__all__ = ["ComparisonReport", "compare_networks"]

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

    def to_tables(self) -> list[TextTable]:
        """Return the table of networks and that of action units."""
        return [self.to_table(), self.to_unit_table()]

    def to_table(self) -> TextTable:
        """Return one row per network: its scores, and the differences to the first."""
        rows = []
        for network, result, one in zip(self.networks, self.results, (None, *self.comparisons), strict=True):
            f1, roc_auc = result.macro("f1"), result.macro("roc_auc")
            deviation = "" if math.isnan(f1.over_seeds) else f" ± {percent_cell(f1.over_seeds)}"
            rows.append(
                (
                    network.name,
                    f"{len(result.folds)} x {len(result.seeds)}",
                    percent_cell(f1.mean.value) + deviation,
                    percent_cell(roc_auc.mean.value),
                    _difference(one.f1 if one else None),
                    _difference(one.roc_auc if one else None),
                )
            )
        many = any(len(result.seeds) > 1 for result in self.results)
        level = f"{100 * self.comparisons[0].f1.level:.4g} %"
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
        first, f1 = self.networks[0].name, self.results[0].mean("f1")
        rows = []
        for place, unit in enumerate(self.results[0].action_units):
            differences = [_difference(one.f1_per_au[place]) for one in self.comparisons]
            rows.append((unit.code, unit.name, percent_cell(f1[place]), *differences))
        chance = round(1 / (1 - self.comparisons[0].f1.level))
        return TextTable(
            title="F1 of each AU",
            header=("AU", "Name", f"{first} F1 %", *(f"{network.name} - {first}" for network in self.networks[1:])),
            rows=tuple(rows),
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
        """Return every number: fractions, NaN where undefined."""
        differences = []
        for network, one in zip(self.networks[1:], self.comparisons, strict=True):
            f1_per_au = {}
            for code, difference in zip(one.action_units.codes, one.f1_per_au, strict=True):
                f1_per_au[code] = _plain(difference)
            differences.append(
                {
                    "name": network.name,
                    "minus": self.networks[0].name,
                    "f1": _plain(one.f1),
                    "roc_auc": _plain(one.roc_auc),
                    "f1_per_au": f1_per_au,
                    "f1_by_seed": {str(seed): value for seed, value in one.f1_by_seed.items()},
                    "interval_excludes_zero": _excludes_zero(one.f1),
                }
            )
        models = []
        for network, result in zip(self.networks, self.results, strict=True):
            models.append(
                {
                    "name": network.name,
                    "path": str(network.path),
                    "f1": result.macro("f1").mean.value,
                    "roc_auc": result.macro("roc_auc").mean.value,
                    "runs": network.predictions.runs,
                }
            )
        sentences = list(self.sentences)
        return {"models": models, "differences": differences, "sentences": sentences, "notes": self._notes()}

    def to_markdown(self) -> str:
        """Return both tables as Markdown."""
        return markdown_page(self.to_tables())

    def write(self, folder: Path) -> None:
        """Write `results.md` and `results.json` into a folder."""
        write_results(folder, self.to_markdown(), self.to_dict())

    def _notes(self) -> list[str]:
        one = self.comparisons[0].f1
        few = "" if one.num_subjects >= _FEW_SUBJECTS else ", and so few of them make intervals too narrow"
        notes = [
            f"Intervals draw the {one.num_subjects} test subjects, the same for both models{few}. They say nothing "
            "about other seeds: for that, look at the seeds one by one."
        ]
        for network, comparison in zip(self.networks[1:], self.comparisons, strict=True):
            gains = list(comparison.f1_by_seed.values())
            if len(gains) > 1:
                points = ", ".join(f"{100 * gain:+.1f}" for gain in gains)
                better = sum(gain > 0 for gain in gains)
                notes.append(f"{network.name}, seed by seed: {points} ({better} of {len(gains)} above zero).")
        stamps = {network.predictions.protocol.stamp: network.name for network in self.networks}
        if len(stamps) == 1:
            return [*notes, *stamps]
        return [*notes, *(f"{name}: {stamp}" for stamp, name in stamps.items())]


def compare_networks(networks: Sequence[TrainedNetwork], config: BootstrapConfig | None = None) -> ComparisonReport:
    """Compare every network with the first.

    Args:
        networks: At least two, tested on the same faces.

    Raises:
        DatasetError: There are fewer than two, they weren't tested on the same faces, or a fold has one subject only.
    """
    if len(networks) < 2:
        raise DatasetError(f"a comparison needs two networks, got {len(networks)}")
    first, *others = networks
    comparisons = []
    for other in others:
        try:
            check_same_labels(first.predictions, other.predictions, (first.name, other.name))
            comparisons.append(compare_predictions(first.predictions, other.predictions, config))
        except DatasetError as error:
            raise DatasetError(f"{first.name} and {other.name} can't be compared: {error}") from error
    results = tuple(CrossValidationResult(network.predictions) for network in networks)
    return ComparisonReport(networks=tuple(networks), results=results, comparisons=tuple(comparisons))


def _difference(difference: DifferenceInterval | None) -> str:
    return MISSING if difference is None else difference.in_points


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


def _plain(difference: DifferenceInterval | None) -> dict[str, float] | None:
    if difference is None:
        return None
    return {name: float(value) for name, value in asdict(difference).items()}
