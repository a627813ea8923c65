"""Verification of a result: its predictions are scored again, and what was published beside them must be the same."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facskit.errors import CheckpointError, DatasetError
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.evaluation.expressions.reports import ExpressionReport, build_expression_report
from facskit.evaluation.predicted_faces import networks_of
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.reports import Report, build_report
from facskit.experiments.run_tree import runs_in
from facskit.models.checkpoints import load_checkpoint, weights_digest
from facskit.training.run_directory import RunDirectory
from facskit.version import __version__

__all__ = ["Verification", "verify"]

_TOLERANCE = 1e-9
_TEXTS = ("title", "protocol", "notes", "model", "published_f1")
"""What results say in words, or took from papers: nothing of it follows from the predictions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Verification:
    """Scores computed anew from stored predictions, and how they differ from the stored ones."""

    report: Report | ExpressionReport
    """The scores."""
    compared: int
    """Numbers of the results beside the predictions that were compared; 0 without such results."""
    differences: tuple[str, ...]
    """What is different, a sentence each."""


def verify(path: Path) -> Verification:
    """Score stored predictions again, and compare with `results.json` and the weights in the same folder.

    Args:
        path: A predictions file of a run, a cross-validation or `facskit evaluate`.

    Raises:
        DatasetError: The predictions or results can't be read.
    """
    report = _report(path)
    stored = path.with_name("results.json")
    differences, compared = list(_weights_differ(path, report)), 0
    if stored.is_file():
        try:
            before = json.loads(stored.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DatasetError(f"{stored}: can't be read as JSON ({error})") from error
        here, again = _numbers(before), _numbers(report.to_dict())
        for name in sorted({*here, *again}):
            compared += 1
            value, now = here.get(name, math.nan), again.get(name, math.nan)
            if not abs(now - value) <= _TOLERANCE:  # NaN is a difference too: one of them has no such number
                differences.append(f"{stored}: {name} is {value:.6g}; these predictions give {now:.6g}")
    versions = sorted({str(made["facskit"]) for made in networks_of(report.model) if "facskit" in made})
    if versions and versions != [__version__]:
        note = f"predicted by facskit {', '.join(versions)}, scored again by {__version__}"
        report = replace(report, notes=[*report.notes, note])
    return Verification(report=report, compared=compared, differences=tuple(differences))


def _report(path: Path) -> Report | ExpressionReport:
    title = f"{path.parent.resolve().name}, scored again"
    try:
        return build_report(Predictions.load(path), title=title)
    except DatasetError as error:
        try:
            return build_expression_report(ExpressionPredictions.load(path), title=title)
        except DatasetError:
            raise error from None


def _weights_differ(path: Path, report: Report | ExpressionReport) -> Iterator[str]:
    """Yield a sentence for each of the weights beside the predictions, in runs too, that didn't make them."""
    told = [str(made["weights"]) for made in networks_of(report.model) if "weights" in made]
    for folder in (path.parent, *runs_in(path.parent)):
        weights = RunDirectory(folder).weights
        if not told or not weights.is_file():
            continue
        try:
            found = weights_digest(load_checkpoint(weights)[0].state_dict())
        except CheckpointError as error:
            yield str(error)
            continue
        if found not in told:
            made_by = ", ".join(digest[:12] for digest in told)
            yield f"{weights}: found the weights {found[:12]}; the predictions are of {made_by}"


def _numbers(results: Mapping[str, Any]) -> dict[str, float]:
    """Return every number that follows from the predictions, by its place: `per_au.f1.AU12`."""
    found: dict[str, float] = {}
    pending = [(key, value) for key, value in results.items() if key not in _TEXTS]
    while pending:
        place, value = pending.pop()
        if isinstance(value, Mapping):
            pending += [(f"{place}.{key}", entry) for key, entry in value.items()]
        elif isinstance(value, list | tuple):
            pending += [(f"{place}.{index}", entry) for index, entry in enumerate(value)]
        elif isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value):
            found[place] = float(value)
    return found
