"""The three networks of causal intervention side by side: what the intervention was worth, in one short table."""

from pathlib import Path

from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.experiments.analysis.trained_networks import TrainedNetwork, find_networks
from facskit.tables import TextTable, markdown_page, percent_cell, write_results

__all__ = ["ScoredNetwork", "networks_table", "score_networks", "write_networks"]

ScoredNetwork = tuple[TrainedNetwork, CrossValidationResult]
"""A network, and how it did on the people left out."""
_METRICS = {"f1": "F1 %", "precision": "Precision %", "recall": "Recall %", "roc_auc": "ROC-AUC %"}


def score_networks(out: Path) -> list[ScoredNetwork]:
    """Score the three networks of a run or cross-validation by causal intervention.

    Returns:
        The imbalanced, the balanced and the unbiased network, as far as there are any.
    """
    return [(network, CrossValidationResult(network.predictions)) for network in find_networks([str(out)])]


def networks_table(networks: list[ScoredNetwork]) -> TextTable:
    """Return the scores in short, a row for each network."""
    rows = []
    for network, result in networks:
        rows.append((network.name, *(percent_cell(result.macro(metric).mean.value) for metric in _METRICS)))
    means = [result.macro("f1").mean for _, result in networks]
    fewer = any(mean.num_aus < mean.total_aus for mean in means)
    return TextTable(
        title="The networks, means over action units",
        header=("Network", *_METRICS.values()),
        rows=tuple(rows),
        strong_rows={len(networks) - 1},
        notes=("A mean leaves out action units where its score isn't defined.",) if fewer else (),
    )


def write_networks(networks: list[ScoredNetwork], out: Path) -> None:
    """Write `networks.md` and `networks.json`, with F1 by action unit.

    Args:
        out: Folder of the run or cross-validation.
    """
    units = networks[0][1].action_units.codes
    f1 = [result.mean("f1") for _, result in networks]
    rows = [(unit, *(percent_cell(column[place]) for column in f1)) for place, unit in enumerate(units)]
    means = ("Mean", *(percent_cell(result.macro("f1").mean.value) for _, result in networks))
    by_unit = TextTable(
        title="F1 %",
        header=("AU", *(network.name for network, _ in networks)),
        rows=(*rows, means),
        strong_rows={len(units)},
    )
    here = out.resolve()
    numbers = {}
    for (network, result), column in zip(networks, f1, strict=True):
        path = network.path.parent if network.path.is_file() else network.path
        numbers[network.name] = {
            "path": str(path.relative_to(here) if path.is_relative_to(here) else path),
            "macro": {metric: result.macro(metric).mean.value for metric in _METRICS},
            "f1": dict(zip(units, column.tolist(), strict=True)),
        }
    write_results(out, markdown_page([networks_table(networks), by_unit]), numbers, name="networks")
