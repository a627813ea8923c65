"""A bias report as tables for the terminal, as Markdown and as JSON, with the same numbers."""

import json
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
from facskit.evaluation.counts import Counts, PerAU
from facskit.evaluation.reports import json_number
from facskit.files import write_text
from facskit.tables import MISSING, TextTable

__all__ = ["bias_dict", "bias_markdown", "bias_tables", "write_bias_report"]

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
    summary = Table(title=report.title)
    summary.add_column("Network", overflow="fold")
    for heading, _, _ in _NUMBERS.values():
        summary.add_column(heading, justify="right", no_wrap=True)
    for number, row in enumerate(_summary_rows(report, "{}\n{}, {}")):
        if number == len(report.networks):
            summary.add_section()
        summary.add_row(*row)
    table = Table(title="Per action unit", caption="\n".join(report.notes), caption_justify="left")
    for heading in _unit_header(report):
        words = heading in {"AU", "", "Network"}
        table.add_column(heading, justify="left" if words else "right", overflow="fold")
    for number, row in enumerate(_unit_rows(report, blank=True)):
        if number % len(report.networks) == 0 and len(report.networks) > 1:
            table.add_section()
        table.add_row(*row)
    return [summary, table]


def bias_markdown(report: BiasReport) -> str:
    """Return tables and footnotes as Markdown."""
    tables = (
        TextTable(
            title=report.title,
            header=("Network", *(heading for heading, _, _ in _NUMBERS.values())),
            rows=tuple(map(tuple, _summary_rows(report, "{} ({} to {})"))),
        ),
        TextTable(
            title="Per action unit",
            header=tuple(_unit_header(report)),
            rows=tuple(map(tuple, _unit_rows(report, blank=False))),
            num_text=3,
            notes=report.notes,
        ),
    )
    return "\n".join(table.to_markdown(heading) for table, heading in zip(tables, ("#", "##"), strict=True))


def bias_dict(report: BiasReport) -> dict[str, Any]:
    """Return every number as plain values: fractions, None where undefined."""
    codes, training = report.action_units.codes, report.frequencies.training
    return {
        "title": report.title,
        "frequencies": {
            "test": _by_au(codes, report.frequencies.test),
            "training": None if training is None else _by_au(codes, training),
        },
        "head": [unit.code for unit in report.groups.head],
        "tail": [unit.code for unit in report.groups.tail],
        "groups": report.groups.source,
        "networks": [_network_dict(codes, network) for network in report.networks],
        "notes": list(report.notes),
    }


def write_bias_report(report: BiasReport, folder: Path) -> tuple[Path, Path]:
    """Write `results.md` and `results.json` into a folder, each atomically, and return their paths."""
    paths = folder / "results.md", folder / "results.json"
    texts = bias_markdown(report), json.dumps(bias_dict(report), indent=2, ensure_ascii=False) + "\n"
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)
    return paths


def _summary_rows(report: BiasReport, shape: str) -> list[list[str]]:
    """Return a row per network, then one per difference from the first; `shape` places a number and its interval."""
    rows = [[network.name, *_cells(network.numbers, shape)] for network in report.networks]
    first = report.networks[0].name
    return rows + [
        [f"{network.name} − {first}", *_cells(network.difference, shape, signed=True)]
        for network in report.networks
        if network.difference is not None
    ]


def _cells(numbers: BiasNumbers, shape: str, *, signed: bool = False) -> list[str]:
    cells = []
    for name, (_, factor, decimals) in _NUMBERS.items():
        interval: Interval = getattr(numbers, name)
        sign = "+" if signed or name in {"correlation", "level"} else ""
        value, *ends = (
            format(factor * number, f"{shown}.{decimals}f").replace("-", "−")
            for number, shown in ((interval.estimate, sign), (interval.low, ""), (interval.high, ""))
        )
        if math.isnan(interval.estimate):
            cells.append(MISSING)
        else:
            cells.append(value if math.isnan(interval.low) else shape.format(value, *ends))
    return cells


def _unit_header(report: BiasReport) -> list[str]:
    rates = [heading for heading, _ in _rates(report)]
    return ["AU", "", "Network", *rates, "TP", "FP", "FN", "FP rate %", "Prec. %", "Recall %", "F1 %", "Ratio"]


def _unit_rows(report: BiasReport, *, blank: bool) -> list[list[str]]:
    """Return a row per AU and network; `blank` leaves out what repeats the row above."""
    rows = []
    for place, unit in enumerate(report.action_units):
        group = "head" if unit in report.groups.head else "tail" if unit in report.groups.tail else ""
        rates = [_percent(rates[place]) for _, rates in _rates(report)]
        for number, network in enumerate(report.networks):
            about = [unit.code, group, network.name, *rates]
            if blank and number:
                about = ["", "", network.name, *[""] * len(rates)]
            rows.append([*about, *_unit_cells(network, place)])
    return rows


def _rates(report: BiasReport) -> list[tuple[str, PerAU]]:
    training = report.frequencies.training
    return [("Test %", report.frequencies.test), *([] if training is None else [("Train %", training)])]


def _unit_cells(network: NetworkBias, place: int) -> list[str]:
    counts = [f"{network.per_seed(name)[place]:,.0f}" for name in ("true_positive", "false_positive", "false_negative")]
    shares = (network.false_positive_rate, network.counts.precision(), network.counts.recall(), network.f1)
    ratio = network.ratio[place]
    return [*counts, *(_percent(share[place]) for share in shares), MISSING if math.isnan(ratio) else f"{ratio:.2f}"]


def _percent(share: float) -> str:
    return MISSING if math.isnan(share) else f"{100 * share:.1f}"


def _by_au(codes: Sequence[str], values: PerAU) -> dict[str, float | None]:
    return {code: json_number(value) for code, value in zip(codes, values.tolist(), strict=True)}


def _numbers_dict(numbers: BiasNumbers) -> dict[str, dict[str, float | int | None]]:
    return {name: _interval_dict(getattr(numbers, name)) for name in _NUMBERS}


def _interval_dict(interval: Interval) -> dict[str, float | int | None]:
    return {key: json_number(value) if isinstance(value, float) else value for key, value in asdict(interval).items()}


def _network_dict(codes: Sequence[str], network: NetworkBias) -> dict[str, Any]:
    counts = network.counts
    per_au = {
        **{field.name: network.per_seed(field.name) for field in fields(Counts)},
        "false_positive_rate": network.false_positive_rate,
        "precision": counts.precision(),
        "recall": counts.recall(),
        "f1": network.f1,
        "ratio": network.ratio,
        "log2_ratio": np.asarray(log_ratio(counts)),
    }
    return {
        "name": network.name,
        "seeds": network.num_seeds,
        "numbers": _numbers_dict(network.numbers),
        "minus_first": None if network.difference is None else _numbers_dict(network.difference),
        "per_au": {name: _by_au(codes, values) for name, values in per_au.items()},
    }
