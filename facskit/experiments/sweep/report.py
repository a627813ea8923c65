"""The table of a sweep: one row per grid point, with what is needed to judge whether rows differ.

The mean F1 of every row is compared with that of the first by a bootstrap that draws test subjects in pairs. Because
the best of many rows looks good by chance alone, the intervals are widened for the number of comparisons (Bonferroni).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, DifferenceInterval, bootstrap_difference
from facskit.experiments.sweep.grid import GridPoint, short_keys, show_value
from facskit.experiments.sweep.parallel_runs import PlannedRun
from facskit.experiments.sweep.results import PointResult, read_point
from facskit.tables import MISSING, TextTable, markdown_page, number_cell, percent_cell, write_results

__all__ = ["SweepReport", "build_sweep_report", "write_sweep_report"]

_LEVEL = 0.95
_FEW_SUBJECTS = 20
_COPIES_PER_TAIL = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class SweepReport:
    """Results of all grid points."""

    title: str
    """What was swept."""
    points: tuple[PointResult, ...]
    """The grid points in the order of the grid; the first is what the others are compared with."""
    differences: tuple[DifferenceInterval | None, ...]
    """F1 of each point minus that of the first; None for the first and where runs are missing."""
    failures: Mapping[Path, str]
    """Why runs failed, by their folder."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The swept keys."""
        return tuple(key for key, _ in self.points[0].point.values)

    @property
    def best(self) -> int | None:
        """Row of the highest F1, if it is surely above that of the first row; None otherwise."""
        top = self._top()
        difference = self.differences[top]
        return top if difference is not None and difference.low > 0 else None

    def to_table(self) -> TextTable:
        """Return the main table."""
        columns = [column for column in self._columns() if any(cell != MISSING for cell in column[1])]
        names = [[show_value(dict(one.point.values)[key]) for one in self.points] for key in self.keys]
        header = [*short_keys(self.keys), *(title for title, _ in columns)]
        cells = [*names, *(cells for _, cells in columns)]
        if not self.keys:
            header, cells = ["recipe", *header], [[one.point.name for one in self.points], *cells]
        return TextTable(
            title=self.title,
            header=tuple(header),
            rows=tuple(zip(*cells, strict=True)),
            num_text=max(1, len(self.keys)),
            strong_rows=frozenset() if self.best is None else frozenset({self.best}),
            notes=tuple(self._notes()),
        )

    def to_paper_table(self) -> TextTable:
        """Return the table as papers print it: values side by side, F1, identity loss and best epoch below."""
        rows: list[tuple[str, ...]] = [("F1 %", *self._cells(lambda one: percent_cell(one.mean("f1"))))]
        identity = self._cells(lambda one: number_cell(one.last("identity"), 3))
        epochs = self._cells(lambda one: str(one.best_epoch.epoch) if one.best_epoch else MISSING)
        rows += [("Identity loss", *identity), ("Epoch of the best validation F1", *epochs)]
        names = [one.point.short_name for one in self.points]
        return TextTable(
            title="Values side by side",
            header=(", ".join(short_keys(self.keys)) or "recipe", *names),
            rows=tuple(row for row in rows if set(row[1:]) != {MISSING}),
        )

    def to_unit_table(self) -> TextTable:
        """Return the F1 of each AU at every grid point."""
        columns = [_by_unit(one) for one in self.points]
        codes = list(dict.fromkeys(code for column in columns for code in column if code != "Mean"))
        return TextTable(
            title=f"F1 % of each AU by {', '.join(short_keys(self.keys)) or 'recipe'}",
            header=("AU", *self._cells(lambda one: one.point.short_name)),
            rows=tuple(
                (code, *(percent_cell(column.get(code, math.nan)) for column in columns)) for code in [*codes, "Mean"]
            ),
            strong_rows=frozenset({len(codes)}),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every number: fractions, NaN or None where undefined."""
        rows = zip(self.points, self.differences, strict=True)
        return {
            "title": self.title,
            "keys": list(self.keys),
            "best": self.best,
            "points": [one.to_dict(difference) for one, difference in rows],
            "failures": {str(folder): sentence for folder, sentence in self.failures.items()},
            "notes": self._notes(),
        }

    def _cells(self, cell: Callable[[PointResult], str]) -> list[str]:
        return [cell(one) for one in self.points]

    def _columns(self) -> list[tuple[str, list[str]]]:
        """Return heading and cells of each column; ID: identity, with a constant predictor in brackets."""
        header = ("F1 %", "AUC %", "F1 - row 1", "ID loss (const.)", "ID acc. %", "val. F1 % (best)", "runs")
        missing = any(not one.complete for one in self.points)
        rows = []
        for one, difference in zip(self.points, self.differences, strict=True):
            spread = "" if math.isnan(one.spread) else f" ± {percent_cell(one.spread)}"
            loss, constant = one.last("identity"), one.last("identity_constant")
            best, last = one.best_epoch, percent_cell(one.last("validation_f1"))
            row = (
                percent_cell(one.mean("f1")) + spread,
                percent_cell(one.mean("roc_auc")),
                MISSING if difference is None else difference.in_points,
                MISSING if math.isnan(loss) else f"{number_cell(loss, 3)} ({number_cell(constant, 3)})",
                percent_cell(one.last("identity_accuracy")),
                MISSING if best is None else f"{last} ({percent_cell(best.f1)} @ {best.epoch})",
                f"{len(one.runs)} of {one.planned}" if missing else MISSING,
            )
            rows.append(row)
        return [(title, list(cells)) for title, cells in zip(header, zip(*rows, strict=True), strict=True)]

    def _top(self) -> int:
        values = [-1.0 if math.isnan(one.mean("f1")) else one.mean("f1") for one in self.points]
        return values.index(max(values))

    def _notes(self) -> list[str]:
        example = next(one.predictions for one in self.points if one.predictions is not None)
        folds, seeds = ({run[part] for run in example.runs} for part in (0, 1))
        runs = f"{_counted(len(folds), 'fold')} and {_counted(len(seeds), 'seed')} per row, scored on test subjects"
        spread = f"; ± is the standard deviation between {'seeds' if len(seeds) > 1 else 'folds'}"
        spread *= any(not math.isnan(one.spread) for one in self.points)
        notes = [f"{runs}{spread}. {example.protocol.stamp}", *self._verdict()]
        if all(one.best_epoch is None for one in self.points):
            notes.append(
                "No validation F1 was logged, so there are no curves over epochs: set subjects aside with "
                "--data.folds.validation-fraction 0.15, and leave evaluation.validate-each-epoch on."
            )
        else:
            notes.append(
                "Validation F1: of the last epoch, and (of the best epoch @ its number), both means over runs."
            )
        if any(not math.isnan(one.last("identity")) for one in self.points):
            notes.append(
                "Identity: loss and accuracy of the subject head in the last epoch (in brackets a constant predictor): "
                "a head with a higher loss than that does no better than one that looks at nothing."
            )
        notes += [f"Failed: {sentence}" for sentence in self.failures.values()]
        return notes

    def _verdict(self) -> list[str]:
        """Say whether the best row is better than the first."""
        compared = [one for one in self.differences if one is not None]
        if not compared:
            return []
        top, level = self._top(), f"{100 * compared[0].level:.4g} %"
        subjects = f"paired bootstrap over {compared[0].num_subjects} test subjects"
        widened = f", widened for {len(compared)} comparisons" if len(compared) > 1 else ""
        few = "; so few subjects make intervals too narrow" if compared[0].num_subjects < _FEW_SUBJECTS else ""
        interval = f"{level} interval, {subjects}{widened}{few}"
        if top == 0:
            return [f"No row has a higher F1 than the first ({interval})."]
        if self.best is None:
            return [f"Row {top + 1} has the highest F1, but it can't be told from row 1 ({interval})."]
        first, other = self.points[0].by_seed, self.points[top].by_seed
        above = sum(other[seed] > f1 for seed, f1 in first.items())
        return [
            f"Row {top + 1} (bold) has the highest F1, and its difference to row 1 excludes zero ({interval}).",
            f"It is above row 1 in {above} of {_counted(len(first), 'seed')}; the interval draws subjects, not seeds.",
        ]


def build_sweep_report(
    planned: Mapping[GridPoint, Sequence[PlannedRun]], failures: Mapping[Path, str], *, title: str
) -> SweepReport:
    """Score the finished runs of a sweep.

    Args:
        planned: The runs of each grid point, in the order of the grid.

    Raises:
        DatasetError: No run is finished, or predictions are damaged.
    """
    points = tuple(read_point(point, runs) for point, runs in planned.items())
    if all(one.predictions is None for one in points):
        reason = next(iter(failures.values()), "none was trained")
        raise DatasetError(f"no run of the sweep is finished: {reason}")
    return SweepReport(title=title, points=points, differences=_differences(points), failures=dict(failures))


def write_sweep_report(report: SweepReport, folder: Path, pictures: Sequence[Path] = ()) -> None:
    """Write `results.md`, `results.json` and `results.csv`."""
    text = markdown_page([report.to_table(), report.to_paper_table(), report.to_unit_table()])
    text += "".join(f"\n![{picture.stem}]({picture.name})\n" for picture in pictures)
    write_results(folder, text, report.to_dict(), rows=_csv_rows(report))


def _differences(points: Sequence[PointResult]) -> tuple[DifferenceInterval | None, ...]:
    """Compare every complete row with the first, with intervals widened for the number of rows."""
    first = points[0]
    others = [one for one in points[1:] if one.complete and first.complete]
    share = (1 - _LEVEL) / max(1, len(others))
    config = BootstrapConfig(level=1 - share, resamples=max(2000, math.ceil(2 * _COPIES_PER_TAIL / share)))
    found: list[DifferenceInterval | None] = []
    for one in points:
        if one not in others or first.predictions is None or one.predictions is None:
            found.append(None)
            continue
        try:
            found.append(bootstrap_difference(first.predictions, one.predictions, config))
        except DatasetError:  # other subjects or labels than the first row, or too few to draw from
            found.append(None)
    return tuple(found)


def _by_unit(one: PointResult) -> dict[str, float]:
    """Return the F1 of each AU by its code, the mean last; nothing if no run is finished."""
    if one.predictions is None:
        return {}
    units = zip(one.predictions.action_units.codes, one.per_au("f1").tolist(), strict=True)
    return dict(units) | {"Mean": one.mean("f1")}


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number > 1)}"


def _csv_rows(report: SweepReport) -> list[dict[str, Any]]:
    """Return one line of numbers per grid point."""
    rows = []
    for one, difference in zip(report.points, report.differences, strict=True):
        plain = one.to_dict(difference)
        interval = {f"difference_{name}": getattr(difference, name, None) for name in ("estimate", "low", "high")}
        units = {f"f1_{code}": value for code, value in plain["f1_per_au"].items()}
        values = {key: show_value(value) for key, value in one.point.values}
        nested = {"difference_to_first"} | {key for key, value in plain.items() if isinstance(value, dict | list)}
        rows.append(values | {key: plain[key] for key in plain if key not in nested} | interval | units)
    return rows
