"""The three networks of causal intervention side by side: what the intervention was worth, in one short table."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.evaluation.reports import json_number
from facskit.experiments.analysis.trained_networks import TrainedNetwork, find_networks
from facskit.files import write_text
from facskit.tables import MISSING, TextTable

__all__ = ["NetworkScores", "compare_networks", "comparison_table", "write_comparison"]

COMPARISON = "networks"
"""Name of the files, without their endings."""


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


def compare_networks(out: Path) -> list[NetworkScores]:
    """Score the three networks of a run or cross-validation by causal intervention.

    Returns:
        The imbalanced, the balanced and the unbiased network, as far as there are any.

    Raises:
        DatasetError: Predictions are missing or damaged.
    """
    return [_score(network) for network in find_networks([str(out)])]


def comparison_table(networks: list[NetworkScores]) -> TextTable:
    """Return the scores in short, a row for each network.

    Args:
        networks: What `compare_networks` returned.
    """
    fewer = any(one.num_units < len(one.f1) for one in networks)
    titles = {"f1": "F1 %", "precision": "Precision %", "recall": "Recall %", "roc_auc": "ROC-AUC %"}
    return TextTable(
        title="The networks, means over action units",
        header=("Network", *titles.values()),
        rows=tuple((one.name, *(_percent(one.macro[metric]) for metric in titles)) for one in networks),
        strong_rows=frozenset({len(networks) - 1}),
        notes=("A mean leaves out action units where its score isn't defined.",) if fewer else (),
    )


def write_comparison(networks: list[NetworkScores], out: Path) -> None:
    """Write `networks.md` and `networks.json`, with F1 by action unit.

    Args:
        networks: What `compare_networks` returned.
        out: Folder of the run or cross-validation.
    """
    units = list(networks[0].f1)
    means = ("Mean", *(_percent(one.macro["f1"]) for one in networks))
    by_unit = TextTable(
        title="F1 %",
        header=("AU", *(one.name for one in networks)),
        rows=(*((unit, *(_percent(one.f1[unit]) for one in networks)) for unit in units), means),
        strong_rows=frozenset({len(units)}),
    )
    tables = (comparison_table(networks).to_markdown("#"), by_unit.to_markdown())
    write_text(out / f"{COMPARISON}.md", "\n\n".join(table.rstrip() for table in tables) + "\n")
    plain = {one.name: _plain(one, out) for one in networks}
    write_text(out / f"{COMPARISON}.json", json.dumps(plain, indent=2) + "\n")


def _score(network: TrainedNetwork) -> NetworkScores:
    result = CrossValidationResult(network.predictions)
    metrics = ("f1", "precision", "recall", "roc_auc")
    per_unit: Float[np.ndarray, "aus"] = result.mean("f1")
    return NetworkScores(
        name=network.name,
        path=network.path.parent if network.path.is_file() else network.path,
        macro={metric: result.macro(metric).mean.value for metric in metrics},
        num_units=result.macro("f1").mean.num_aus,
        f1=dict(zip(result.action_units.codes, per_unit.tolist(), strict=True)),
    )


def _percent(share: float) -> str:
    return MISSING if math.isnan(share) else f"{100 * share:.1f}"


def _plain(network: NetworkScores, out: Path) -> dict[str, Any]:
    here = out.resolve()
    inside = network.path.is_relative_to(here)
    return {
        "path": str(network.path.relative_to(here) if inside else network.path),
        "macro": {metric: json_number(value) for metric, value in network.macro.items()},
        "f1": {unit: json_number(value) for unit, value in network.f1.items()},
    }
