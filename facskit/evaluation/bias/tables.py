"""The tables of a bias report for the terminal and as Markdown, and its numbers for programs."""

import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from facskit.evaluation.bias.numbers import BiasNumbers, log_ratio
from facskit.evaluation.bias.report import BiasReport, NetworkBias
from facskit.evaluation.bootstrap import Interval
from facskit.evaluation.confusion_counts import Counts, PerAU
from facskit.tables import MISSING, TextTable, markdown_page, number_cell, percent_cell, write_results

__all__ = ["bias_dict", "bias_markdown", "bias_tables", "bias_text_tables", "write_bias_report"]

_NUMBERS = {
    "spread": ("Spread", 1, 2),
    "correlation": ("Correlation", 1, 2),
    "level": ("Level", 1, 2),
    "macro_f1": ("F1 %", 100, 1),
    "head_f1": ("Head F1 %", 100, 1),
    "tail_f1": ("Tail F1 %", 100, 1),
}
"""Heading, factor and decimals of each of the numbers."""


def bias_tables(report: BiasReport) -> list[Table]:
    """Return the tables for the terminal, the footnotes as the last one's caption."""
    summary = _summary_table(report, "{}\n{}, {}").to_terminal()
    for column in summary.columns[1:]:
        column.no_wrap = True
    return [summary, _unit_table(report, repeated=False).to_terminal()]


def bias_text_tables(report: BiasReport) -> list[TextTable]:
    """Return the tables for files, the footnotes under the last one."""
    return [_summary_table(report, "{} ({} to {})"), _unit_table(report, repeated=True)]


def bias_markdown(report: BiasReport) -> str:
    """Return tables and footnotes as Markdown."""
    return markdown_page(bias_text_tables(report))


def bias_dict(report: BiasReport) -> dict[str, Any]:
    """Return every number: fractions, NaN where undefined."""
    codes, training = report.action_units.codes, report.frequencies.training
    networks = []
    for network in report.networks:
        per_au = {
            **{field.name: network.per_seed(field.name) for field in fields(Counts)},
            "false_positive_rate": network.false_positive_rate,
            "precision": network.counts.precision(),
            "recall": network.counts.recall(),
            "f1": network.f1,
            "ratio": network.ratio,
            "log2_ratio": np.asarray(log_ratio(network.counts)),
        }
        networks.append(
            {
                "name": network.name,
                "seeds": network.num_seeds,
                "numbers": _numbers_dict(network.numbers),
                "minus_first": None if network.difference is None else _numbers_dict(network.difference),
                "per_au": {name: _by_au(codes, values) for name, values in per_au.items()},
            }
        )
    return {
        "title": report.title,
        "frequencies": {
            "test": _by_au(codes, report.frequencies.test),
            "training": None if training is None else _by_au(codes, training),
        },
        "head": [unit.code for unit in report.groups.head],
        "tail": [unit.code for unit in report.groups.tail],
        "groups": report.groups.source,
        "networks": networks,
        "notes": list(report.notes),
    }


def write_bias_report(report: BiasReport, folder: Path) -> None:
    """Write `results.md` and `results.json` into a folder."""
    write_results(folder, bias_markdown(report), bias_dict(report))


def _summary_table(report: BiasReport, shape: str) -> TextTable:
    """Return a row per network, then one per difference from the first; `shape` places a number and its interval."""
    rows = [(network.name, *_cells(network.numbers, shape)) for network in report.networks]
    for network in report.networks:
        if network.difference is not None:
            name = f"{network.name} − {report.networks[0].name}"
            rows.append((name, *_cells(network.difference, shape, signed=True)))
    return TextTable(
        title=report.title,
        header=("Network", *(heading for heading, _, _ in _NUMBERS.values())),
        rows=tuple(rows),
        ruled_rows={len(report.networks)},
    )


def _cells(numbers: BiasNumbers, shape: str, *, signed: bool = False) -> list[str]:
    cells = []
    for name, (_, factor, decimals) in _NUMBERS.items():
        interval: Interval = getattr(numbers, name)
        sign = "+" if signed or name in {"correlation", "level"} else ""
        value = f"{factor * interval.estimate:{sign}.{decimals}f}"
        low, high = f"{factor * interval.low:.{decimals}f}", f"{factor * interval.high:.{decimals}f}"
        if math.isnan(interval.estimate):
            value = MISSING
        elif not math.isnan(interval.low):
            value = shape.format(value, low, high)
        cells.append(value.replace("-", "−"))
    return cells


def _unit_table(report: BiasReport, *, repeated: bool) -> TextTable:
    """Return a row per AU and network; unless `repeated`, what is the same as in the row above is left out."""
    rates = {"Test %": report.frequencies.test}
    if report.frequencies.training is not None:
        rates["Train %"] = report.frequencies.training
    rows = []
    for place, unit in enumerate(report.action_units):
        group = "head" if unit in report.groups.head else "tail" if unit in report.groups.tail else ""
        shares = [percent_cell(rate[place]) for rate in rates.values()]
        for number, network in enumerate(report.networks):
            if number and not repeated:
                rows.append(("", "", network.name, *[""] * len(rates), *_unit_cells(network, place)))
            else:
                rows.append((unit.code, group, network.name, *shares, *_unit_cells(network, place)))
    several = len(report.networks) if len(report.networks) > 1 else len(rows)
    counted = ("TP", "FP", "FN", "FP rate %", "Prec. %", "Recall %", "F1 %", "Ratio")
    return TextTable(
        title="Per action unit",
        header=("AU", "", "Network", *rates, *counted),
        rows=tuple(rows),
        num_text=3,
        ruled_rows=range(several, len(rows), several),
        notes=report.notes,
    )


def _unit_cells(network: NetworkBias, place: int) -> list[str]:
    names = ("true_positive", "false_positive", "false_negative")
    counts = [number_cell(network.per_seed(name)[place], 0) for name in names]
    shares = (network.false_positive_rate, network.counts.precision(), network.counts.recall(), network.f1)
    return [*counts, *(percent_cell(share[place]) for share in shares), number_cell(network.ratio[place], 2)]


def _by_au(codes: Sequence[str], values: PerAU) -> dict[str, float]:
    return dict(zip(codes, values.tolist(), strict=True))


def _numbers_dict(numbers: BiasNumbers) -> dict[str, dict[str, float | int]]:
    return {name: asdict(getattr(numbers, name)) for name in _NUMBERS}
