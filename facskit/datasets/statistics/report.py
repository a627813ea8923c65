"""The tables of `facskit describe`: the same text in the terminal and in Markdown, and every number as JSON."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from facskit.action_units import ActionUnit
from facskit.datasets.statistics.numbers import ManifestStatistics
from facskit.expressions import EXPRESSION_NAMES
from facskit.tables import MISSING, TextTable, number_cell, percent_cell

__all__ = ["statistics_dict", "statistics_markdown", "statistics_tables", "units_of_all"]

_LISTED_SUBJECTS = 200
_PAIRS = 6


def units_of_all(parts: Sequence[ManifestStatistics]) -> tuple[ActionUnit, ...]:
    """Return every AU that one of the manifests has, ascending."""
    units = set[ActionUnit]().union(*(part.action_units for part in parts))
    return tuple(sorted(units, key=lambda unit: unit.number))


def statistics_tables(parts: Sequence[ManifestStatistics], *, short: bool = False) -> list[TextTable]:
    """Make every table, from the overview to the people; a short list has those that fit a terminal."""
    tables = [_overview(parts)]
    if units_of_all(parts):
        tables.append(_occurrence(parts))
        tables += [_folds(part) for part in parts if part.folds]
        tables += [_runs(part) for part in parts if part.runs is not None]
    for part in parts:
        if part.action_units:
            tables += [_pairs(part), *_matrices(part, short=short)]
    if any(part.expressions or part.unknown_expressions for part in parts):
        tables.append(_expressions(parts))
    if not short:
        tables += [_people(part) for part in parts if 1 < len(part.subject_names) <= _LISTED_SUBJECTS]
    return tables


def statistics_markdown(parts: Sequence[ManifestStatistics]) -> str:
    """Return the report as a Markdown page."""
    files = "\n".join(f"- {part.name}: `{part.source}`" for part in parts)
    tables = "\n".join(table.to_markdown() for table in statistics_tables(parts))
    return f"# {' and '.join(part.name for part in parts)} in numbers\n\n{files}\n\n{tables}"


def statistics_dict(parts: Sequence[ManifestStatistics]) -> dict[str, Any]:
    """Return every number: fractions, NaN where undefined."""
    return {"manifests": [_dict(part) for part in parts]}


def _dict(part: ManifestStatistics) -> dict[str, Any]:
    codes, runs = part.action_units.codes, part.runs
    folds = []
    for fold in part.folds:
        counts = {"present": _by_unit(codes, fold.present), "known": _by_unit(codes, fold.known)}
        folds.append({"fold": fold.index, "subjects": fold.subjects, "frames": fold.frames, **counts})
    subjects = {}
    for place, name in enumerate(part.subject_names):
        subjects[name] = {"frames": part.subject_frames[place].item(), "rate": part.subject_rates[place].round(6)}
    return {
        "name": part.name,
        "source": part.source,
        "frames": part.frames,
        "action_units": list(codes),
        "present": _by_unit(codes, part.present),
        "known": _by_unit(codes, part.known),
        "rate": _by_unit(codes, part.rates.round(6)),
        "chance_of_row_given_column": part.together.conditional.round(6),
        "phi": part.together.phi.round(6),
        "jaccard": part.together.jaccard.round(6),
        "fps": part.fps,
        "recordings": None if runs is None else runs.recordings,
        "runs_in_frames": None if runs is None else {code: _run_numbers(part, unit) for unit, code in enumerate(codes)},
        "expressions": part.expressions,
        "unknown_expressions": part.unknown_expressions,
        "folds": folds,
        "subjects": subjects,
    }


def _by_unit(codes: Sequence[str], numbers: np.ndarray) -> dict[str, Any]:
    return dict(zip(codes, numbers.tolist(), strict=True))


def _run_numbers(part: ManifestStatistics, unit: int) -> dict[str, int | float]:
    assert part.runs is not None
    found = part.runs.quantiles(unit)
    names = ("shortest", "first_quartile", "median", "third_quartile", "longest")
    numbers = {} if found is None else dict(zip(names, found.tolist(), strict=True))
    return {"number": len(part.runs.lengths[unit]), **numbers}


def _overview(parts: Sequence[ManifestStatistics]) -> TextTable:
    rows = []
    for part in parts:
        counts = part.subject_frames
        recordings = MISSING if part.runs is None else f"{part.runs.recordings:,}"
        each = MISSING if not len(counts) else f"{counts.min():,} / {np.median(counts):,.0f} / {counts.max():,}"
        rate = MISSING if part.fps is None else f"{part.fps:g}"
        labels = [f"{len(part.action_units)} AUs"] if part.action_units else []
        if part.expressions or part.unknown_expressions:
            labels.append("expressions")
        people = f"{len(part.subject_names):,}"
        rows.append((part.name, ", ".join(labels), f"{part.frames:,}", people, recordings, each, rate))
    headings = ("", "labels", "frames", "subjects", "recordings", "frames per subject: min / median / max", "fps")
    return TextTable(title="Overview", header=headings, rows=tuple(rows), num_text=2)


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
        title="How often each action unit occurs", header=tuple(headings), rows=tuple(rows), lead=note, num_text=2
    )


def _occurrence_cells(part: ManifestStatistics, unit: ActionUnit) -> list[str]:
    if unit not in part.action_units:
        return [MISSING] * 3
    column = part.action_units.index(unit)
    people = part.subject_rates[:, column]
    people = people[~np.isnan(people)]
    middle = MISSING
    if len(people) > 1:
        low, high = np.quantile(people, (0.25, 0.75))
        middle = f"{100 * low:.1f}–{100 * high:.1f}"
    return [percent_cell(part.rates[column]), middle, percent_cell(part.unknown[column])]


def _folds(part: ManifestStatistics) -> TextTable:
    headings, columns = ["AU"], [part.action_units.codes]
    for fold in part.folds:
        headings.append(f"fold {fold.index} ({fold.subjects} people, {fold.frames:,} frames)")
        columns.append(tuple(map(percent_cell, fold.rates)))
    note = "present %, among the people that the fold tests."
    rows = tuple(zip(*columns, strict=True))
    return TextTable(title=f"{part.name}: folds", header=tuple(headings), rows=rows, lead=note)


def _runs(part: ManifestStatistics) -> TextTable:
    assert part.runs is not None
    rows = []
    for unit, code in enumerate(part.action_units.codes):
        found = part.runs.quantiles(unit)
        if found is None:
            rows.append((code, "0", *[MISSING] * (5 if part.fps else 3)))
            continue
        _, low, middle, high, longest = found.tolist()
        cells = [f"{len(part.runs.lengths[unit]):,}", f"{middle:,.0f}", f"{low:,.0f}–{high:,.0f}", f"{longest:,.0f}"]
        if part.fps:
            cells += [f"{middle / part.fps:.1f}", f"{longest / part.fps:.1f}"]
        rows.append((code, *cells))
    seconds = ("median s", "longest s") if part.fps else ()
    headings = ("AU", "runs", "median frames", "quartiles", "longest", *seconds)
    note = "A run is a row of consecutive frames with the AU; a missing frame or an unknown label ends it."
    return TextTable(title=f"{part.name}: how long an AU stays", header=headings, rows=tuple(rows), lead=note)


def _pairs(part: ManifestStatistics) -> TextTable:
    """Name the pairs that say most: what is nearly the same, and what excludes each other."""
    phi, conditional = part.together.phi, part.together.conditional
    codes = part.action_units.codes
    pairs = [pair for pair in zip(*np.tril_indices(len(codes), -1), strict=True) if not math.isnan(phi[pair])]
    pairs.sort(key=lambda pair: -abs(phi[pair]))
    rows = []
    for one, other in pairs[:_PAIRS]:
        chances = (percent_cell(conditional[one, other]), percent_cell(conditional[other, one]))
        rows.append((f"{codes[other]} and {codes[one]}", f"{phi[one, other]:+.2f}", *chances))
    note = "phi: correlation of the two labels, -1 to 1, where both are known."
    headings = ("pair", "phi", "% second, given the first", "% first, given the second")
    return TextTable(title=f"{part.name}: the closest pairs", header=headings, rows=tuple(rows), lead=note)


def _matrices(part: ManifestStatistics, *, short: bool) -> list[TextTable]:
    known, together = "over the frames where both are known.", part.together
    chance = _matrix(part, "chance of the row's AU, given the column's", 100 * together.conditional, 0)
    tables = [replace(chance, lead=f"%, {known}")]
    if not short:
        phi, jaccard = _matrix(part, "phi", together.phi, 2), _matrix(part, "Jaccard index", together.jaccard, 2)
        tables.append(replace(phi, lead=f"Correlation of two labels, -1 to 1, {known}"))
        tables.append(replace(jaccard, lead="Frames with both AUs over frames with either, where both are known."))
    return tables


def _matrix(part: ManifestStatistics, title: str, numbers: np.ndarray, decimals: int) -> TextTable:
    codes, rows = part.action_units.codes, []
    for code, line in zip(codes, numbers.tolist(), strict=True):
        rows.append((code, *(number_cell(value, decimals) for value in line)))
    header = ("", *(code.removeprefix("AU") for code in codes))
    return TextTable(title=f"{part.name}: {title}", header=header, rows=tuple(rows))


def _expressions(parts: Sequence[ManifestStatistics]) -> TextTable:
    rows = []
    for name in (*EXPRESSION_NAMES, "unknown"):
        cells, total = [name], 0
        for part in parts:
            count = part.unknown_expressions if name == "unknown" else part.expressions.get(name, 0)
            cells += [f"{count:,}", percent_cell(count / part.frames if part.frames else math.nan)]
            total += count
        if total:
            rows.append(tuple(cells))
    headings = ["expression"]
    for part in parts:
        headings += [part.name, "%"]
    return TextTable(title="Expressions", header=tuple(headings), rows=tuple(rows))


def _people(part: ManifestStatistics) -> TextTable:
    rows = []
    for place, name in enumerate(part.subject_names):
        rows.append((name, f"{part.subject_frames[place]:,}", *map(percent_cell, part.subject_rates[place])))
    headings = ("subject", "frames", *part.action_units.codes)
    note = "present %, of the frames in which the AU is coded." if part.action_units else ""
    return TextTable(title=f"{part.name}: people", header=headings, rows=tuple(rows), lead=note)
