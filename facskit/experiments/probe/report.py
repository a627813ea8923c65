"""The report on a probing: tables for people and plain values for programs, with the figures beside them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facskit.evaluation.identity.embedding import Embedding
from facskit.evaluation.identity.embedding_figure import draw_embeddings, shown_units
from facskit.evaluation.identity.figures import CurvePoint, ProbeCurve, draw_probe_curves
from facskit.evaluation.identity.probe import IdentityProbe, ProbeMethod, compare_probes, pool_probes
from facskit.evaluation.identity.splits import SplitName
from facskit.experiments.probe.probing import ProbedSource, Probing
from facskit.tables import MISSING, TextTable, percent_cell, write_results

__all__ = ["probe_markdown", "probe_tables", "write_probing"]

_Series = tuple[ProbeMethod, SplitName]
_NAMES: dict[_Series, str] = {
    ("converged", "random-frames"): "random frames",
    ("converged", "other-recordings"): "other recordings",
    ("paper", "random-frames"): "the paper's probe, random frames",
}
_MEANINGS: dict[_Series, str] = {
    ("converged", "random-frames"): "Tested on random frames of the recordings that the probe was fitted to. Logistic "
    "regression at its optimum, its penalty chosen within the frames it is fitted to.",
    ("converged", "other-recordings"): "Tested on recordings that the probe wasn't fitted to. Logistic regression at "
    "its optimum, its penalty chosen within the recordings it is fitted to.",
    ("paper", "random-frames"): "A linear layer after 20 epochs (AdamW at 5e-5, binary cross-entropy), far from its "
    "optimum, and the best of them on the test frames, as published: how easily identity is read off, not whether it "
    "is there.",
}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """The networks of one source at one epoch, counted together."""

    label: str
    epoch: int | None
    networks: int
    probe: IdentityProbe


def probe_tables(probing: Probing) -> list[TextTable]:
    """Return the tables: accuracies by epoch, differences at the end of training, and clusters if maps were drawn."""
    every = _series(probing)
    tables = [_accuracies(probing, series) for series in every]
    if len(probing.sources) > 1:
        tables += [_differences(probing, series) for series in every]
    return [*tables, _clusters(probing)] if _maps(probing) else tables


def probe_markdown(probing: Probing) -> str:
    """Return the tables as Markdown."""
    faces = " ".join(f"Probed on {each}." for each in probing.faces)
    tables = "\n".join(table.to_markdown() for table in probe_tables(probing))
    return f"# Identity probe\n\n{faces}\n\n{tables}"


def write_probing(probing: Probing, out: Path) -> list[Path]:
    """Write `results.md`, `results.json`, `probe.png` and, if maps were drawn, `embedding.png`; return their paths."""
    paths = [out / "results.md", out / "results.json", out / "probe.png"]
    write_results(out, probe_markdown(probing), _plain(probing))
    draw_probe_curves(list(_curves(probing)), paths[2])
    maps = _maps(probing)
    if maps:
        paths.append(out / "embedding.png")
        draw_embeddings(maps, paths[-1])
    return paths


def _accuracies(probing: Probing, series: _Series) -> TextTable:
    rows = [row for source in probing.sources for row in _rows(source, series)]
    top, level = rows[0].probe.top, f"{probing.plan.identity.bootstrap.level:.0%}"
    header = ("Run", "Epoch", "Accuracy %", f"{level} interval", f"Top {top} %", "Guess %", "Constant %", "Frames")
    cells = []
    for place, row in enumerate(rows):
        found, interval = row.probe, row.probe.interval(probing.plan.identity.bootstrap)
        again = place and rows[place - 1].label == row.label
        cells.append(
            (
                "" if again else row.label,
                "?" if row.epoch is None else str(row.epoch),
                percent_cell(found.accuracy) + ("" if _settled([row]) else "*"),
                f"{percent_cell(interval.low)} to {percent_cell(interval.high)}",
                percent_cell(found.top_accuracy),
                percent_cell(found.chance),
                percent_cell(found.majority),
                f"{found.trained:,} / {int(found.tested.sum()):,}",
            )
        )
    title, notes = f"Subjects named rightly, {_NAMES[series]}", _accuracy_notes(probing, series, rows)
    return TextTable(title=title, header=header, rows=tuple(cells), notes=tuple(notes))


def _accuracy_notes(probing: Probing, series: _Series, rows: list[_Row]) -> list[str]:
    subjects = sorted({len(row.probe.subjects) for row in rows})
    who = f"{subjects[0]}" if len(subjects) == 1 else f"{subjects[0]} to {subjects[-1]}"
    notes = [f"{_MEANINGS[series]} {who} subjects."]
    if series == _series(probing)[0]:
        notes += [
            "Features in evaluation mode, of crops without random changes. Intervals draw subjects, with all their "
            "frames. Guess: one over the number of subjects. Constant: always the commonest subject. Frames: fitted "
            "to / tested on.",
            *probing.notes,
        ]
    if max(row.networks for row in rows) > 1:
        notes.append("Several networks (folds, seeds) are counted together; a subject seen by several stays one.")
    if not _settled(rows):
        notes.append(f"*: the fit didn't converge within {probing.plan.identity.iterations} iterations.")
    return notes


def _differences(probing: Probing, series: _Series) -> TextTable:
    """Return how much less of identity the last networks hold than those of the first source."""
    (name, first), *others = ((source.label, _rows(source, series)[-1].probe) for source in probing.sources)
    rows = []
    for label, found in others:
        cells = [label, MISSING, MISSING, MISSING]
        if found.subjects == first.subjects:
            difference = compare_probes(first, found, probing.plan.identity.bootstrap)
            cells[1] = f"{100 * difference.estimate:+.1f}"
            cells[2] = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
            if first.above_chance > 0:
                cells[3] = f"{100 * (1 - found.above_chance / first.above_chance):.0f}"
        rows.append(tuple(cells))
    level = f"{probing.plan.identity.bootstrap.level:.0%}"
    return TextTable(
        title=f"At the end of training, {_NAMES[series]}",
        header=(f"Against {name}", "Points", f"{level} interval", "Way to guessing %"),
        rows=tuple(rows),
        notes=("Way to guessing: how much of what the first network's probe knows beyond guessing is gone.",),
    )


def _clusters(probing: Probing) -> TextTable:
    maps = _maps(probing)
    units = shown_units(next(iter(maps.values())), 3)
    header = ("Run", "Clustered by", "Silhouette", "Nearest faces right %", "Chance %")
    rows = []
    for label, embedding in maps.items():
        found = {"subject": embedding.by_subject}
        found |= {code: embedding.by_unit[code] for code in units if code in embedding.by_unit}
        for place, (name, numbers) in enumerate(found.items()):
            shares = percent_cell(numbers.neighbour_accuracy), percent_cell(numbers.chance)
            rows.append(("" if place else label, name, f"{numbers.silhouette:+.3f}", *shares))
    neighbours = 0 if probing.plan.embedding is None else probing.plan.embedding.neighbours
    notes = (
        "Measured on the features of the last network, not on the map. Silhouette: 1 for tight clusters, 0 for none.",
        f"Nearest: the {neighbours} nearest other faces vote; mean over subjects, or over present and absent. For an "
        "AU only other people's faces are asked. Chance: the same with shuffled answers.",
    )
    return TextTable(title="Clusters", header=header, rows=tuple(rows), num_text=2, notes=notes)


def _rows(source: ProbedSource, series: _Series) -> list[_Row]:
    """Count the networks of each epoch together, those of an unknown epoch first."""
    by_epoch: dict[int, list[IdentityProbe]] = {}
    for moment in source.moments:
        for found in moment.probes:
            if (found.method, found.split) == series:
                by_epoch.setdefault(-1 if moment.epoch is None else moment.epoch, []).append(found)
    rows = []
    for epoch in sorted(by_epoch):
        probes = by_epoch[epoch]
        known = None if epoch < 0 else epoch
        rows.append(_Row(label=source.label, epoch=known, networks=len(probes), probe=pool_probes(probes)))
    return rows


def _settled(rows: list[_Row]) -> bool:
    """Tell whether all fits that should have converged did."""
    return all(row.probe.converged or row.probe.method == "paper" for row in rows)


def _series(probing: Probing) -> list[_Series]:
    """Return the methods and splits that every source has, so that tables and panels are about all of them."""
    return [series for series in _NAMES if all(_rows(source, series) for source in probing.sources)]


def _curves(probing: Probing) -> Iterator[ProbeCurve]:
    for series in _series(probing):
        for source in probing.sources:
            points = []
            for row in _rows(source, series):
                interval = row.probe.interval(probing.plan.identity.bootstrap)
                points.append(CurvePoint(epoch=row.epoch, accuracy=interval, chance=row.probe.chance))
            yield ProbeCurve(label=source.label, method=series[0], split=series[1], points=tuple(points))


def _maps(probing: Probing) -> dict[str, Embedding]:
    return {source.label: source.embedding for source in probing.sources if source.embedding is not None}


def _plain(probing: Probing) -> dict[str, Any]:
    runs = []
    for source in probing.sources:
        rows = [row for series in _series(probing) for row in _rows(source, series)]
        points = [_probe_dict(row, probing) for row in rows]
        clusters = None
        if source.embedding is not None:
            clusters = {"subject": asdict(source.embedding.by_subject)}
            clusters |= {code: asdict(found) for code, found in source.embedding.by_unit.items()}
        runs.append({"label": source.label, "points": points, "clusters": clusters})
    settings = asdict(probing.plan.identity)
    return {"faces": list(probing.faces), "notes": list(probing.notes), "settings": settings, "runs": runs}


def _probe_dict(row: _Row, probing: Probing) -> dict[str, Any]:
    found = row.probe
    interval = found.interval(probing.plan.identity.bootstrap)
    return {
        "epoch": row.epoch,
        "networks": row.networks,
        "method": found.method,
        "split": found.split,
        "accuracy": found.accuracy,
        "low": interval.low,
        "high": interval.high,
        f"top_{found.top}_accuracy": found.top_accuracy,
        "chance": found.chance,
        "constant": found.majority,
        "above_chance": found.above_chance,
        "subjects": len(found.subjects),
        "fitted_frames": found.trained,
        "tested_frames": int(found.tested.sum()),
        "inverse_penalty": found.inverse_penalty,
        "iterations": found.iterations,
        "converged": found.converged,
    }
