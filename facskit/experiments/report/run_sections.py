"""Sections about how networks came to be: which data did what, training curves, protocols, and published rows."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facskit.errors import DatasetError
from facskit.evaluation.predicted_faces import networks_of
from facskit.evaluation.protocol_scores import ProtocolScores, score_protocols
from facskit.evaluation.published import PublishedF1, published_f1, published_protocol
from facskit.experiments.report.charts import Line, lines
from facskit.experiments.report.contents import Figure, Section
from facskit.experiments.report.networks import ReportedNetwork, ReportedRun
from facskit.experiments.scoring import PUBLISHED_NAMES
from facskit.tables import MISSING, TextTable, number_cell, percent_cell

__all__ = ["origin_section", "protocols_section", "published_section", "register_section", "training_section"]

_Records = list[dict[str, Any]]


def origin_section(networks: Sequence[ReportedNetwork]) -> Section:
    """Say what was run, exactly enough to run it again."""
    rows, numbers = [], {}
    for network in networks:
        recipe = network.network.recipe
        about = {
            "folder": str(network.network.path),
            "recipe": MISSING if recipe is None else recipe.name,
            "faces": MISSING if recipe is None else recipe.data.manifest,
            "folds x seeds": f"{len(network.result.folds)} x {len(network.result.seeds)}",
            "protocol": network.predictions.protocol.stamp,
            "weights (SHA-256)": ", ".join(digest[:12] for digest in _digests(network)) or MISSING,
            **_environment(network.runs),
        }
        numbers[network.name] = {**about, "model": dict(network.predictions.model)}
        rows += [(network.name if place == 0 else "", *item) for place, item in enumerate(about.items())]
    table = TextTable(title="What was run", header=("Network", "", ""), rows=tuple(rows), num_text=3)
    return Section(key="origin", title="What was run", tables=(table,), numbers=numbers)


def _digests(network: ReportedNetwork) -> list[str]:
    """Return the digests of the weights that the predictions are of."""
    return [str(made["weights"]) for made in networks_of(network.predictions.model) if made.get("weights")]


def _environment(runs: Sequence[ReportedRun]) -> dict[str, str]:
    """Say with which code and on which machine the first run was trained."""
    file = runs[0].path / "environment.json" if runs else None
    if file is None or not file.is_file():
        return {}
    known = json.loads(file.read_text(encoding="utf-8"))
    commit = known.get("commit") or "an installed package"
    packages = known.get("packages", {})
    versions = ", ".join(f"{name} {packages[name]}" for name in ("facskit", "torch") if packages.get(name))
    return {"code": f"{commit} ({versions})", "device": str(known.get("device")), "started": str(known.get("started"))}


def register_section(networks: Sequence[ReportedNetwork]) -> Section | None:
    """Say which people gave gradients, which chose anything, and which tested; None where no run kept a record."""
    rows, numbers = [], {}
    for network in networks:
        for run in network.runs:
            record = run.people
            if record is None:
                continue
            parts = {part: len(record.people.get(part, ())) for part in ("training", "validation", "test")}
            chose = _chosen_on_validation(network) if parts["validation"] else MISSING
            optimistic = network.predictions.protocol.optimistic
            tested = "test, and chose too" if optimistic else "test alone"
            counts = tuple(f"{parts[part]:,}" for part in ("training", "validation", "test"))
            start = _start(run)
            rows.append((network.name, run.name, counts[0], start, counts[1], chose, counts[2], tested))
            numbers[f"{network.name}/{run.name}"] = {
                "people": {part: list(names) for part, names in record.people.items()},
                "validation_chose": chose,
                "test_chose": optimistic,
                "start": start,
                "digests": dict(record.digests),
            }
    if not rows:
        return None
    header = ("Network", "Run", "Gave gradients", "after a start from", "Could choose", "and chose", "Tested", "as")
    table = TextTable(
        title="Who did what",
        header=header,
        rows=tuple(rows),
        num_text=2,
        more_text={3, 5, 7},
        notes=(
            "People, not pictures. Nobody is in two parts of a run. What was tuned by hand before (the recipe's "
            "numbers) is in no file: whoever looked at test scores while choosing them has used the test people too.",
        ),
    )
    return Section(
        key="register",
        title="Which people did what",
        lead="Who gave gradients, who chose epoch, threshold or calibration, and who only tested.",
        tables=(table,),
        numbers=numbers,
    )


def _chosen_on_validation(network: ReportedNetwork) -> str:
    protocol = network.predictions.protocol
    chosen = [name for name in ("epoch", "calibration") if getattr(protocol, name) == "validation"]
    chosen += ["threshold"] if protocol.threshold.startswith("validation") else []
    return ", ".join(chosen) or "nothing"


def _start(run: ReportedRun) -> str:
    """Say which weights a run started from, as its weight file says."""
    provenance = {} if run.info is None else run.info.provenance
    start = provenance.get("initial_weights")
    if isinstance(start, dict):
        start = start.get("name") or start.get("path")
    return str(start) if start else "random weights"


def training_section(networks: Sequence[ReportedNetwork]) -> Section | None:
    """Show losses and scores over the epochs, all networks in one figure; None where no run kept a log."""
    logs = {network.name: [run.records for run in network.runs if run.records] for network in networks}
    logs = {name: records for name, records in logs.items() if records}
    if not logs:
        return None
    figures = []
    for title, y_title, keys in (
        ("F1 over the epochs", "Macro F1 at 0.5", ("validation_f1", "test_f1")),
        ("F1 over the epochs, at each epoch's best threshold", "Macro F1", ("test_f1_at_best_threshold",)),
        ("Loss over the epochs", "Training loss", ("loss",)),
    ):
        drawn = []
        for colour, (name, records) in enumerate(logs.items(), start=1):
            for key in keys:
                xs, ys = _mean_over_runs(records, key)
                if xs:
                    part = key.split("_")[0] if len(keys) > 1 else ""
                    shown = f"{name}, {part} people" if part else name
                    drawn.append(Line(name=shown, xs=xs, ys=ys, colour=colour, dashed=part == "validation"))
        if drawn:
            figures.append(Figure(title=title, markup=lines(drawn, x_title="epoch", y_title=y_title)))
    rows = [row for network in networks for row in _epoch_rows(network)]
    table = TextTable(
        title="Best epochs",
        header=("Network", "Run", "Epochs", "Best test epoch", "F1 % there", "Last F1 %", "Identity loss there"),
        rows=tuple(rows),
        num_text=2,
        notes=(
            "The best test epoch is what FMAE-IAT's tables 5 and 7 print: chosen by the test labels, at the best "
            "shared threshold, so optimistic. A dash: test scores of single epochs weren't kept.",
        ),
    )
    several = max(map(len, logs.values())) > 1
    return Section(
        key="training",
        title="Training",
        lead="Means over folds and seeds." if several else "",
        tables=(table,),
        figures=tuple(figures),
        numbers={name: {f"run {place}": log for place, log in enumerate(runs)} for name, runs in logs.items()},
    )


def _mean_over_runs(logs: Sequence[_Records], key: str) -> tuple[list[float], list[float]]:
    """Return epochs, and the mean of a logged number over the runs that have it."""
    by_epoch: dict[int, list[float]] = {}
    for records in logs:
        for record in records:
            value = record.get(key)
            if isinstance(value, int | float) and not math.isnan(value):
                by_epoch.setdefault(int(record["epoch"]), []).append(float(value))
    epochs = sorted(by_epoch)
    return [float(epoch) for epoch in epochs], [float(np.mean(by_epoch[epoch])) for epoch in epochs]


def _epoch_rows(network: ReportedNetwork) -> list[tuple[str, ...]]:
    """Return the best epoch of each run."""
    rows: list[tuple[str, ...]] = []
    for run in network.runs:
        records = run.records
        if not records:
            continue
        key = "test_f1_at_best_threshold"
        scored = [record for record in records if isinstance(record.get(key), float)]
        best = max(scored, key=lambda record: record[key], default={})
        identity = best.get("identity")
        last = records[-1].get(key)
        rows.append(
            (
                network.name,
                run.name,
                str(len(records)),
                str(best.get("epoch", MISSING)),
                percent_cell(best[key]) if best else MISSING,
                percent_cell(last) if isinstance(last, float) else MISSING,
                number_cell(identity, 3) if isinstance(identity, float) else MISSING,
            )
        )
    return rows


def protocols_section(network: ReportedNetwork) -> tuple[Section | None, ProtocolScores | None]:
    """Score one training by every protocol; None where its runs kept no epochs."""
    try:
        scores = score_protocols([run.path for run in network.runs])
    except DatasetError:
        return None, None
    if len(scores.scores) < 2:
        return None, None
    section = Section(
        key="protocols",
        title="Which number is this?",
        lead="The same networks under four protocols. What the published ones gain comes from the test labels, not "
        "from the network.",
        tables=(scores.to_table(),),
        numbers=scores.to_dict(),
    )
    return section, scores


def published_section(network: ReportedNetwork, scores: ProtocolScores | None) -> Section | None:
    """Set a network beside the published rows of the same corpus; None where no corpus is named."""
    recipe = network.network.recipe
    dataset = None if recipe is None else PUBLISHED_NAMES.get(recipe.evaluation.dataset)
    if dataset is None:
        return None
    units = network.predictions.action_units
    ours = {network.predictions.protocol.name or "this run's own": network.result}
    if scores is not None:
        ours |= {score.name: score.result for score in scores.scores}
    rows, faint = [], []
    for name, result in ours.items():
        cells = (percent_cell(value) for value in result.mean("f1"))
        mean = percent_cell(result.macro("f1").mean.value)
        rows.append((f"{network.name}, {name}", "", mean, *cells, ""))
    strong = set(range(len(rows)))
    for entry in published_f1(dataset, None):
        reason = _why_not_comparable(entry, set(ours))
        if reason:
            faint.append(len(rows))
        cells = (percent_cell(float(value)) for value in entry.per_au(units))
        rows.append((entry.method, entry.source, percent_cell(entry.mean), *cells, reason))
    table = TextTable(
        title=f"F1 on {dataset}, percent",
        header=("Method", "Printed in", "Mean", *units.codes, "Why grey"),
        rows=tuple(rows),
        num_text=2,
        more_text={3 + len(units)},
        strong_rows=strong,
        faint_rows=set(faint),
        notes=("Means as printed. Grey rows aren't like for like, for the reason in the last column.",),
    )
    return Section(
        key="published",
        title=f"Beside published numbers on {dataset}",
        lead="Rows in black were made by a protocol that this report has numbers for too.",
        tables=(table,),
        numbers={"dataset": dataset, "comparable": [row[0] for place, row in enumerate(rows) if place not in faint]},
    )


def _why_not_comparable(entry: PublishedF1, ours: set[str]) -> str:
    protocol = published_protocol(entry.method)
    if protocol is None:
        return "its protocol isn't known"
    if protocol not in ours:
        return f"made by {protocol}: test labels chose, as none did here"
    return ""
