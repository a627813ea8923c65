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
from facskit.evaluation.metrics import roc_auc_per_au
from facskit.experiments.analysis.tool_tables import PairedFaces, ToolTable, pair_faces, stem_of
from facskit.tables import MISSING, TextTable, markdown_page, number_cell, percent_cell, write_results

__all__ = ["TableComparison", "compare_tables"]


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
    f1: tuple[float, float]
    """F1 of each tool's decisions."""
    precision: tuple[float, float]
    """Share of what each says that is true."""
    recall: tuple[float, float]
    """Share of what is true that each says."""
    roc_auc: tuple[float, float]
    """How well each tool's scores order these faces."""


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
            | {
                measure: dict(zip(names, getattr(one, measure), strict=True))
                for measure in ("f1", "precision", "recall", "roc_auc")
            }
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
        if pyfeat := [tool.name for tool in (self.faces.first, self.faces.second) if tool.tool == "py-feat"]:
            notes.append(f"{pyfeat[0]} decides nothing itself: here an AU is present from a probability of 0.5.")
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
            row = [one.unit.code, one.unit.name, f"{one.labelled:,}", f"{one.present:,}"]
            for values in (one.f1, one.precision, one.recall, one.roc_auc):
                row += [percent_cell(values[0]), percent_cell(values[1])]
            rows.append(tuple(row))
        if self.scores:
            means = [
                float(np.nanmean(column)) if not np.isnan(column).all() else float("nan")
                for measure in ("f1", "precision", "recall", "roc_auc")
                for column in np.array([getattr(one, measure) for one in self.scores], float).T
            ]
            rows.append(("mean", "", "", "", *(percent_cell(value) for value in means)))
        measures = ("F1", "precision", "recall", "AUC")
        return TextTable(
            title=f"Against the labels of {self.labels}, in percent",
            header=("AU", "Name", "faces", "present", *(f"{m} {name}" for m in measures for name in (first, second))),
            rows=tuple(rows),
            num_text=2,
            strong_rows={len(self.scores)} if self.scores else set(),
            notes=("On the labelled faces that both tools found and decided on; a dash where the labels can't say.",),
        )


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
    where = [stem_of(name) for name in labels[INPUT].to_list()]
    named = labels.with_columns(pl.Series("where", where)).unique(["where", FRAME], keep="first", maintain_order=True)
    rows = faces.first.table.select(
        pl.Series("where", [stem_of(name) for name in faces.first.table[INPUT].to_list()]), FRAME
    )
    if named["where"].n_unique() == rows["where"].n_unique() == 1:
        named = named.with_columns(pl.lit(rows["where"][0]).alias("where"))
    if rows.select("where", FRAME).is_duplicated().any():
        raise DatasetError(f"{path}: frames with several people can't be labelled by frame; compare one person's rows")
    known = rows.join(named.drop(INPUT), on=["where", FRAME], how="left", maintain_order="left")
    if not known.select(pl.any_horizontal(pl.col(code).is_not_null() for code in coded.codes).any()).item():
        raise DatasetError(
            f"{path}: its labels are of other frames: found {where[0]!r}, frame {labels[FRAME][0]}; expected frames of "
            f"{rows['where'][0]!r}"
        )
    found = []
    for unit in coded:
        states = known[unit.code].fill_null(-1).to_numpy().astype(np.int8)
        said = [(tool.decisions(unit), tool.scores(unit)) for tool in (faces.first, faces.second)]
        usable = states >= 0
        for decisions, scores in said:
            usable &= (decisions >= 0) & ~np.isnan(scores)
        truth = states[usable][:, None]
        counts = [count(truth, decisions[usable][:, None] == 1) for decisions, _ in said]
        areas = [float(roc_auc_per_au(truth, scores[usable][:, None])[0]) for _, scores in said]
        found.append(
            UnitScores(
                unit=unit,
                labelled=int(usable.sum()),
                present=int((truth == 1).sum()),
                f1=(float(counts[0].f1()[0]), float(counts[1].f1()[0])),
                precision=(float(counts[0].precision()[0]), float(counts[1].precision()[0])),
                recall=(float(counts[0].recall()[0]), float(counts[1].recall()[0])),
                roc_auc=(areas[0], areas[1]),
            )
        )
    return tuple(found)
