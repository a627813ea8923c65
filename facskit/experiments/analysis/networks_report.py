"""The three networks of causal intervention side by side: what the intervention was worth, in one short table."""

from dataclasses import dataclass
from pathlib import Path

from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.experiments.analysis.trained_networks import find_networks
from facskit.tables import TextTable, markdown_page, percent_cell, write_results

__all__ = ["NetworkScores", "networks_table", "score_networks", "write_networks"]


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkScores:
    """How one of the networks did on the people left out."""

    name: str
    """Which network."""
    path: Path
    """Its folder; in a cross-validation the one of the first run."""
    macro: dict[str, float]
    """F1, precision, recall and ROC-AUC, each the mean over folds, seeds and action units, as fractions."""
    num_units: int
    """Action units that the mean F1 runs over."""
    f1: dict[str, float]
    """F1 by action unit, as fractions; NaN where it isn't defined."""


def score_networks(out: Path) -> list[NetworkScores]:
    """Score the three networks of a run or cross-validation by causal intervention.

    Returns:
        The imbalanced, the balanced and the unbiased network, as far as there are any.
    """
    metrics = ("f1", "precision", "recall", "roc_auc")
    found = []
    for network in find_networks([str(out)]):
        result = CrossValidationResult(network.predictions)
        one = NetworkScores(
            name=network.name,
            path=network.path.parent if network.path.is_file() else network.path,
            macro={metric: result.macro(metric).mean.value for metric in metrics},
            num_units=result.macro("f1").mean.num_aus,
            f1=dict(zip(result.action_units.codes, result.mean("f1").tolist(), strict=True)),
        )
        found.append(one)
    return found


def networks_table(networks: list[NetworkScores]) -> TextTable:
    """Return the scores in short, a row for each network."""
    titles = {"f1": "F1 %", "precision": "Precision %", "recall": "Recall %", "roc_auc": "ROC-AUC %"}
    rows = []
    for one in networks:
        cells = [percent_cell(one.macro[metric]) for metric in titles]
        rows.append((one.name, *cells))
    fewer = any(one.num_units < len(one.f1) for one in networks)
    return TextTable(
        title="The networks, means over action units",
        header=("Network", *titles.values()),
        rows=tuple(rows),
        strong_rows={len(networks) - 1},
        notes=("A mean leaves out action units where its score isn't defined.",) if fewer else (),
    )


def write_networks(networks: list[NetworkScores], out: Path) -> None:
    """Write `networks.md` and `networks.json`, with F1 by action unit.

    Args:
        out: Folder of the run or cross-validation.
    """
    units = list(networks[0].f1)
    rows = []
    for unit in units:
        cells = [percent_cell(one.f1[unit]) for one in networks]
        rows.append((unit, *cells))
    means = ("Mean", *(percent_cell(one.macro["f1"]) for one in networks))
    by_unit = TextTable(
        title="F1 %",
        header=("AU", *(one.name for one in networks)),
        rows=(*rows, means),
        strong_rows={len(units)},
    )
    here = out.resolve()
    numbers = {}
    for one in networks:
        place = one.path.relative_to(here) if one.path.is_relative_to(here) else one.path
        numbers[one.name] = {"path": str(place), "macro": one.macro, "f1": one.f1}
    write_results(out, markdown_page([networks_table(networks), by_unit]), numbers, name="networks")
