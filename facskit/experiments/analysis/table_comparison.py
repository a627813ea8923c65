"""The comparison of two tools' result tables: where they agree, and which of them agrees with labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from facskit.action_units import ActionUnit, ActionUnitSet
from facskit.columns import FRAME
from facskit.datasets.corpora.lists.foreign_tables import INPUT
from facskit.datasets.corpora.lists.frame_labels import read_frame_labels
from facskit.datasets.findings import counted
from facskit.errors import DatasetError
from facskit.evaluation.agreement import Lag, cohen_kappa, find_lag, rank_correlation
from facskit.evaluation.confusion_counts import count
from facskit.evaluation.metrics import macro_mean, roc_auc_per_au
from facskit.experiments.analysis.tool_tables import WHERE, PairedFaces, ToolTable, located, pair_faces, same_inputs
from facskit.tables import MISSING, TextTable, markdown_page, number_cell, percent_cell, write_results

__all__ = ["TableComparison", "compare_tables"]

_MEASURES = {"f1": "F1", "precision": "precision", "recall": "recall", "roc_auc": "AUC"}
"""What tools are scored by against labels, and how the table calls it."""


@dataclass(frozen=True, kw_only=True)
class UnitAgreement:
    """How far two tools agree about an action unit."""

    unit: ActionUnit
    """The action unit."""
    faces: int
    """Faces on which both decided."""
    shares: tuple[float, float]
    """Shares of these on which each says that it's present."""
    kappa: float
    """Cohen's kappa of their decisions."""
    correlation: float
    """Spearman's correlation of their scores."""
    lag: Lag | None
    """How much later the second tool's scores follow, in videos."""


@dataclass(frozen=True, kw_only=True)
class UnitScores:
    """How two tools do against labels of an action unit."""

    unit: ActionUnit
    """The action unit."""
    labelled: int
    """Faces with a label on which both decided."""
    present: int
    """Those of them that show it."""
    measures: dict[str, tuple[float, float]]
    """Each tool's F1, precision and recall by its decisions, and the area under the curve of its scores."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TableComparison:
    """Two tools on the same faces."""

    faces: PairedFaces
    """The faces, and what each tool said."""
    agreements: tuple[UnitAgreement, ...]
    """Of the action units that both know."""
    scores: tuple[UnitScores, ...] = ()
    """Against labels, if there are any, of the action units that both know and somebody coded."""
    labels: str = ""
    """Where the labels are from."""

    def to_tables(self) -> list[TextTable]:
        """Return the table of agreement, and that of scores if there are labels."""
        return [self._agreement_table(), *([self._score_table()] if self.labels else [])]

    def to_dict(self) -> dict[str, Any]:
        """Return every number: fractions, NaN where undefined."""
        names = self._names
        agreements = {
            one.unit.code: {
                "faces": one.faces,
                "present": dict(zip(names, one.shares, strict=True)),
                "kappa": one.kappa,
                "rank_correlation": one.correlation,
                "lag_frames": None if one.lag is None else one.lag.frames,
                "correlation_after_lag": None if one.lag is None else one.lag.correlation,
            }
            for one in self.agreements
        }
        scores = {
            one.unit.code: {"labelled": one.labelled, "present": one.present}
            | {measure: dict(zip(names, values, strict=True)) for measure, values in one.measures.items()}
            for one in self.scores
        }
        return {
            "tools": {tool.name: tool.tool for tool in (self.faces.first, self.faces.second)},
            "faces": len(self.faces.first.table),
            "only_first": self.faces.alone[0],
            "only_second": self.faces.alone[1],
            "unclear_frames": self.faces.unclear,
            "agreement": agreements,
            "against_labels": scores,
        }

    def write(self, folder: Path) -> None:
        """Write `results.md` and `results.json` into a folder."""
        write_results(folder, markdown_page(self.to_tables()), self.to_dict())

    @property
    def _names(self) -> tuple[str, str]:
        return self.faces.first.name, self.faces.second.name

    def _agreement_table(self) -> TextTable:
        first, second = self._names
        rows = tuple(_agreement_row(one) for one in self.agreements)
        found, (here, there) = counted(len(self.faces.first.table), "face"), self.faces.alone
        notes = [
            f"{found} found by both; {first} alone found {here:,}, {second} alone {there:,}.",
            "Kappa: agreement of the decisions beyond chance; correlation: of the ranks of probabilities or "
            f"intensities; lag: frames by which {second} follows {first}.",
        ]
        notes += [
            f"{tool.name} decides nothing itself: here an AU is present from a probability of 0.5."
            for tool in (self.faces.first, self.faces.second)
            if tool.tool == "py-feat"
        ]
        if self.faces.unclear:
            frames = counted(self.faces.unclear, "frame")
            notes.append(f"{frames} with several faces left out: one of the tools doesn't say where they are.")
        for tool, other in ((self.faces.first, self.faces.second), (self.faces.second, self.faces.first)):
            only = [unit.code for unit in tool.action_units if unit not in other.action_units]
            notes += [f"Only {tool.name} knows {', '.join(only)}."] if only else []
        return TextTable(
            title=f"{first} ({self.faces.first.tool}) and {second} ({self.faces.second.tool})",
            header=("AU", "Name", "faces", f"{first} %", f"{second} %", "kappa", "correlation", "lag"),
            rows=rows,
            num_text=2,
            notes=tuple(notes),
        )

    def _score_table(self) -> TextTable:
        first, second = self._names
        rows = []
        for one in self.scores:
            cells = [percent_cell(value) for measure in _MEASURES for value in one.measures[measure]]
            rows.append((one.unit.code, one.unit.name, f"{one.labelled:,}", f"{one.present:,}", *cells))
        measures = [f"{measure} {name}" for measure in _MEASURES.values() for name in (first, second)]
        means = [self._mean(measure, tool) for measure in _MEASURES for tool in (0, 1)]
        rows.append(("mean", "", "", "", *map(percent_cell, means)))
        return TextTable(
            title=f"Against the labels of {self.labels}, in percent",
            header=("AU", "Name", "faces", "present", *measures),
            rows=tuple(rows),
            num_text=2,
            strong_rows={len(self.scores)},
            notes=("On the labelled faces that both tools found and decided on; a dash where the labels can't say.",),
        )

    def _mean(self, measure: str, tool: int) -> float:
        return macro_mean(np.array([one.measures[measure][tool] for one in self.scores])).value


def _agreement_row(one: UnitAgreement) -> tuple[str, ...]:
    shares = (percent_cell(one.shares[0]), percent_cell(one.shares[1]))
    agreement = (number_cell(one.kappa, 2), number_cell(one.correlation, 2))
    lag = MISSING if one.lag is None else f"{one.lag.frames:+d}" if one.lag.frames else "0"
    return (one.unit.code, one.unit.name, f"{one.faces:,}", *shares, *agreement, lag)


def compare_tables(first: ToolTable, second: ToolTable, labels: Path | None = None) -> TableComparison:
    """Compare two tools on the faces and action units that both know.

    Args:
        labels: What people coded, as `read_frame_labels` reads it.

    Raises:
        DatasetError: They share no frame or no action unit, the labels can't be read, or they're of other frames.
    """
    shared = [unit for unit in first.action_units if unit in second.action_units]
    if not shared:
        raise DatasetError(
            f"{first.name} and {second.name} share no action unit: found {first.action_units} and {second.action_units}"
        )
    faces = pair_faces(first, second)
    agreements = tuple(_agreement(faces, unit) for unit in sorted(shared, key=lambda unit: unit.number))
    if labels is None:
        return TableComparison(faces=faces, agreements=agreements)
    table, coded = read_frame_labels(labels)
    scored = tuple(one.unit for one in agreements if one.unit in coded)
    if not scored:
        raise DatasetError(f"{labels}: there are no labels of an action unit that both tools know; found {coded}")
    scores = _against(faces, table, ActionUnitSet(scored), labels)
    return TableComparison(faces=faces, agreements=agreements, scores=scores, labels=labels.name)


def _agreement(faces: PairedFaces, unit: ActionUnit) -> UnitAgreement:
    here, there = faces.first.decisions(unit), faces.second.decisions(unit)
    both = (here >= 0) & (there >= 0)
    shares = tuple(float((said[both] == 1).mean()) if both.any() else float("nan") for said in (here, there))
    scores = faces.first.table.select(
        pl.col(INPUT).alias("video"),
        pl.col("face_id").alias("person"),
        FRAME,
        pl.Series("first", faces.first.scores(unit), nan_to_null=True),
        pl.Series("second", faces.second.scores(unit), nan_to_null=True),
    )
    return UnitAgreement(
        unit=unit,
        faces=int(both.sum()),
        shares=(shares[0], shares[1]),
        kappa=cohen_kappa(here, there),
        correlation=rank_correlation(faces.first.scores(unit), faces.second.scores(unit)),
        lag=find_lag(scores),
    )


def _against(faces: PairedFaces, labels: pl.DataFrame, coded: ActionUnitSet, path: Path) -> tuple[UnitScores, ...]:
    """Score both tools on the labelled faces that both found."""
    frame = [WHERE, FRAME]
    rows, named = same_inputs(located(faces.first.table), located(labels))
    if rows.select(frame).is_duplicated().any():
        raise DatasetError(f"{path}: frames with several people can't be labelled by frame; compare one person's rows")
    again = named.filter(~pl.struct(frame).is_first_distinct())
    if again.height:
        raise DatasetError(f"{path}: found labels of {again[WHERE][0]!r}, frame {again[FRAME][0]} twice; expected one")
    known = rows.select(frame).join(named.select(*frame, *coded.codes), on=frame, how="left", maintain_order="left")
    if not known.select(pl.any_horizontal(pl.col(code).is_not_null() for code in coded.codes).any()).item():
        raise DatasetError(
            f"{path}: its labels are of other frames: found {named[WHERE][0]!r}, frame {labels[FRAME][0]}; expected "
            f"frames of {rows[WHERE][0]!r}"
        )
    return tuple(_unit_scores(faces, unit, known[unit.code]) for unit in coded)


def _unit_scores(faces: PairedFaces, unit: ActionUnit, labels: pl.Series) -> UnitScores:
    states = labels.fill_null(-1).to_numpy().astype(np.int8)
    tools = (faces.first, faces.second)
    usable = states >= 0
    for tool in tools:
        usable &= (tool.decisions(unit) >= 0) & ~np.isnan(tool.scores(unit))
    truth = states[usable][:, None]
    scored = []
    for tool in tools:
        counts = count(truth, tool.decisions(unit)[usable][:, None] == 1)
        area = roc_auc_per_au(truth, tool.scores(unit)[usable][:, None])
        scored.append({"f1": counts.f1(), "precision": counts.precision(), "recall": counts.recall(), "roc_auc": area})
    return UnitScores(
        unit=unit,
        labelled=len(truth),
        present=int((truth == 1).sum()),
        measures={name: (float(scored[0][name][0]), float(scored[1][name][0])) for name in _MEASURES},
    )
