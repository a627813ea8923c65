"""The tables of `facskit describe`: the same text in the terminal and in Markdown, and every number as JSON."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facskit.action_units import ActionUnit
from facskit.datasets.statistics.numbers import ManifestStatistics
from facskit.expressions import EXPRESSION_NAMES

__all__ = ["TextTable", "statistics_dict", "statistics_markdown", "statistics_tables", "units_of_all"]

_NOTHING = "–"
_LISTED_SUBJECTS = 200
_PAIRS = 6


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """One table, ready to be shown anywhere."""

    title: str
    """What it shows."""
    headings: tuple[str, ...]
    """One per column."""
    rows: tuple[tuple[str, ...], ...]
    """Cells."""
    note: str = ""
    """How to read it: units, and what was left out."""
    in_terminal: bool = True
    """Whether it's short enough for a terminal."""
    words: int = 1
    """How many columns from the left hold words, not numbers."""

    def to_markdown(self) -> str:
        """Return it as Markdown, aligned for reading as plain text too."""
        lines = [self.headings, *self.rows]
        widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(self.headings))]
        numbers = [column >= self.words for column in range(len(widths))]
        rule = [f"{'-' * (width - right)}{':' if right else ''}" for width, right in zip(widths, numbers, strict=True)]

        def line(cells: Sequence[str]) -> str:
            padded = (
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(cells, widths, numbers, strict=True)
            )
            return f"| {' | '.join(padded)} |"

        table = "\n".join([line(self.headings), line(rule), *map(line, self.rows)])
        return f"## {self.title}\n\n{self.note + chr(10) * 2 if self.note else ''}{table}\n"


def units_of_all(parts: Sequence[ManifestStatistics]) -> tuple[ActionUnit, ...]:
    """Return every AU that one of the manifests has, ascending."""
    return tuple(sorted({unit for part in parts for unit in part.action_units}, key=lambda unit: unit.number))


def statistics_tables(parts: Sequence[ManifestStatistics]) -> list[TextTable]:
    """Make every table.

    Args:
        parts: Statistics of one manifest or several.

    Returns:
        Tables, from the overview to the people.
    """
    tables = [_overview(parts)]
    if units_of_all(parts):
        tables += [_occurrence(parts), *(_folds(part) for part in parts if part.folds)]
        tables += [_runs(part) for part in parts if part.runs is not None]
        tables += [table for part in parts if part.action_units for table in (_pairs(part), *_matrices(part))]
    if any(part.expressions or part.unknown_expressions for part in parts):
        tables.append(_expressions(parts))
    return tables + [_people(part) for part in parts if 1 < len(part.subject_names) <= _LISTED_SUBJECTS]


def statistics_markdown(parts: Sequence[ManifestStatistics]) -> str:
    """Return the report as a Markdown page.

    Args:
        parts: Statistics of one manifest or several.
    """
    files = "\n".join(f"- {part.name}: `{part.source}`" for part in parts)
    tables = "\n".join(table.to_markdown() for table in statistics_tables(parts))
    return f"# {' and '.join(part.name for part in parts)} in numbers\n\n{files}\n\n{tables}"


def statistics_dict(parts: Sequence[ManifestStatistics]) -> dict[str, Any]:
    """Return every number as plain values: fractions, None where undefined.

    Args:
        parts: Statistics of one manifest or several.
    """
    return {"manifests": [_dict(part) for part in parts]}


def _dict(part: ManifestStatistics) -> dict[str, Any]:
    codes = part.action_units.codes
    runs = part.runs
    return {
        "name": part.name,
        "source": part.source,
        "frames": part.frames,
        "action_units": list(codes),
        "present": dict(zip(codes, part.present.tolist(), strict=True)),
        "known": dict(zip(codes, part.known.tolist(), strict=True)),
        "rate": dict(zip(codes, _plain(part.rates), strict=True)),
        "chance_of_row_given_column": _plain(part.together.conditional),
        "phi": _plain(part.together.phi),
        "jaccard": _plain(part.together.jaccard),
        "fps": part.fps,
        "recordings": None if runs is None else runs.recordings,
        "runs_in_frames": None if runs is None else {code: _run_numbers(part, unit) for unit, code in enumerate(codes)},
        "expressions": part.expressions,
        "unknown_expressions": part.unknown_expressions,
        "folds": [
            {"fold": fold.index, "subjects": fold.subjects, "frames": fold.frames}
            | {"present": dict(zip(codes, fold.present.tolist(), strict=True))}
            | {"known": dict(zip(codes, fold.known.tolist(), strict=True))}
            for fold in part.folds
        ],
        "subjects": {
            name: {"frames": frames, "rate": rates}
            for name, frames, rates in zip(
                part.subject_names, part.subject_frames.tolist(), _plain(part.subject_rates), strict=True
            )
        },
    }


def _run_numbers(part: ManifestStatistics, unit: int) -> dict[str, int | float]:
    assert part.runs is not None
    found = part.runs.quantiles(unit)
    names = ("shortest", "first_quartile", "median", "third_quartile", "longest")
    numbers = {} if found is None else dict(zip(names, found.tolist(), strict=True))
    return {"number": len(part.runs.lengths[unit]), **numbers}


def _plain(numbers: np.ndarray) -> Any:  # noqa: ANN401 (nested lists of any depth)
    values = np.round(numbers, 6).astype(object)
    values[np.isnan(numbers)] = None
    return values.tolist()


def _overview(parts: Sequence[ManifestStatistics]) -> TextTable:
    rows = []
    for part in parts:
        counts = part.subject_frames
        recordings = _NOTHING if part.runs is None else f"{part.runs.recordings:,}"
        each = _NOTHING if not len(counts) else f"{counts.min():,} / {np.median(counts):,.0f} / {counts.max():,}"
        rate = _NOTHING if part.fps is None else f"{part.fps:g}"
        labels = ", ".join(
            [f"{len(part.action_units)} AUs"] * bool(part.action_units)
            + ["expressions"] * bool(part.expressions or part.unknown_expressions)
        )
        rows.append((part.name, labels, f"{part.frames:,}", f"{len(part.subject_names):,}", recordings, each, rate))
    headings = ("", "labels", "frames", "subjects", "recordings", "frames per subject: min / median / max", "fps")
    return TextTable(title="Overview", headings=headings, rows=tuple(rows), words=2)


def _occurrence(parts: Sequence[ManifestStatistics]) -> TextTable:
    """Make the table of rates: a group of columns per manifest."""
    headings = ["AU", "name"]
    for part in parts:
        before = f"{part.name} " if len(parts) > 1 else ""
        headings += [f"{before}present %", "subjects %", "unknown %"]
    rows = []
    for unit in units_of_all(parts):
        row = [unit.code, unit.name]
        for part in parts:
            row += _occurrence_cells(part, unit)
        rows.append(tuple(row))
    note = (
        "present: share of the frames in which the AU is coded. subjects: the middle half of the people lies between "
        "these shares. unknown: share of all frames without a code."
    )
    return TextTable(
        title="How often each action unit occurs", headings=tuple(headings), rows=tuple(rows), note=note, words=2
    )


def _occurrence_cells(part: ManifestStatistics, unit: ActionUnit) -> list[str]:
    if unit not in part.action_units:
        return [_NOTHING] * 3
    column = part.action_units.index(unit)
    people = part.subject_rates[:, column]
    people = people[~np.isnan(people)]
    middle = _NOTHING
    if len(people) > 1:
        low, high = np.quantile(people, (0.25, 0.75))
        middle = f"{100 * low:.1f}–{100 * high:.1f}"
    return [_percent(part.rates[column]), middle, _percent(part.unknown[column])]


def _folds(part: ManifestStatistics) -> TextTable:
    headings = ("AU", *(f"fold {f.index} ({f.subjects} people, {f.frames:,} frames)" for f in part.folds))
    rows = []
    for column, code in enumerate(part.action_units.codes):
        shares = (f.present[column] / f.known[column] if f.known[column] else math.nan for f in part.folds)
        rows.append((code, *map(_percent, shares)))
    note = "present %, among the people that the fold tests."
    return TextTable(title=f"{part.name}: folds", headings=headings, rows=tuple(rows), note=note)


def _runs(part: ManifestStatistics) -> TextTable:
    assert part.runs is not None
    rows = []
    for unit, code in enumerate(part.action_units.codes):
        found = part.runs.quantiles(unit)
        if found is None:
            rows.append((code, "0", *[_NOTHING] * (5 if part.fps else 3)))
            continue
        _, low, middle, high, longest = found.tolist()
        cells = [f"{len(part.runs.lengths[unit]):,}", f"{middle:,.0f}", f"{low:,.0f}–{high:,.0f}", f"{longest:,.0f}"]
        rows.append((code, *cells, *([f"{middle / part.fps:.1f}", f"{longest / part.fps:.1f}"] if part.fps else [])))
    seconds = ("median s", "longest s") if part.fps else ()
    headings = ("AU", "runs", "median frames", "quartiles", "longest", *seconds)
    note = "A run is a row of consecutive frames with the AU; a missing frame or an unknown label ends it."
    return TextTable(title=f"{part.name}: how long an AU stays", headings=headings, rows=tuple(rows), note=note)


def _pairs(part: ManifestStatistics) -> TextTable:
    """Name the pairs that say most: what is nearly the same, and what excludes each other."""
    phi, conditional = part.together.phi, part.together.conditional
    codes = part.action_units.codes
    pairs = [(one, other) for one in range(len(codes)) for other in range(one) if not math.isnan(phi[one, other])]
    pairs.sort(key=lambda pair: -abs(phi[pair]))
    rows = []
    for one, other in pairs[:_PAIRS]:
        cells = (f"{phi[one, other]:+.2f}", _percent(conditional[one, other]), _percent(conditional[other, one]))
        rows.append((f"{codes[other]} and {codes[one]}", *cells))
    note = "phi: correlation of the two labels, -1 to 1, where both are known."
    headings = ("pair", "phi", "% second, given the first", "% first, given the second")
    return TextTable(title=f"{part.name}: the closest pairs", headings=headings, rows=tuple(rows), note=note)


def _matrices(part: ManifestStatistics) -> Iterable[TextTable]:
    together = part.together
    chance = "%, over the frames where both are known."
    yield _matrix(part, "chance of the row's AU, given the column's", together.conditional, chance, percent=True)
    phi = "Correlation of two labels, -1 to 1, over the frames where both are known."
    yield _matrix(part, "phi", together.phi, phi, percent=False)
    jaccard = "Frames with both AUs over frames with either, where both are known."
    yield _matrix(part, "Jaccard index", together.jaccard, jaccard, percent=False)


def _matrix(part: ManifestStatistics, title: str, numbers: np.ndarray, note: str, *, percent: bool) -> TextTable:
    def cell(value: float) -> str:
        if math.isnan(value):
            return _NOTHING
        return f"{100 * value:.0f}" if percent else f"{value:.2f}"

    codes = part.action_units.codes
    return TextTable(
        title=f"{part.name}: {title}",
        headings=("", *(code.removeprefix("AU") for code in codes)),
        rows=tuple((code, *map(cell, line)) for code, line in zip(codes, numbers.tolist(), strict=True)),
        note=note,
        in_terminal=percent,
    )


def _expressions(parts: Sequence[ManifestStatistics]) -> TextTable:
    rows = []
    for name in (*EXPRESSION_NAMES, "unknown"):
        counts = [part.unknown_expressions if name == "unknown" else part.expressions.get(name, 0) for part in parts]
        cells = (
            cell
            for part, count in zip(parts, counts, strict=True)
            for cell in (f"{count:,}", _percent(count / part.frames if part.frames else math.nan))
        )
        if any(counts):
            rows.append((name, *cells))
    headings = ("expression", *(cell for part in parts for cell in (part.name, "%")))
    return TextTable(title="Expressions", headings=headings, rows=tuple(rows))


def _people(part: ManifestStatistics) -> TextTable:
    rows = tuple(
        (name, f"{frames:,}", *map(_percent, rates))
        for name, frames, rates in zip(
            part.subject_names, part.subject_frames.tolist(), part.subject_rates, strict=True
        )
    )
    headings = ("subject", "frames", *part.action_units.codes)
    note = "present %, of the frames in which the AU is coded." if part.action_units else ""
    return TextTable(title=f"{part.name}: people", headings=headings, rows=rows, note=note, in_terminal=False)


def _percent(share: float) -> str:
    return _NOTHING if math.isnan(share) else f"{100 * share:.1f}"
