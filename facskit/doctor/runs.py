"""Examination of weight files and of the folders of training runs."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from facskit.datasets.findings import Finding
from facskit.doctor.checkup import Checkup, finding_of, quoted
from facskit.doctor.folders import leftovers
from facskit.errors import CheckpointError
from facskit.experiments.run_tree import is_pretraining, runs_in
from facskit.models.checkpoints import EncoderInfo, read_weight_info
from facskit.models.weight_files import weights_of_run

__all__ = ["check_run", "check_weights", "is_run"]


def check_weights(path: Path) -> Checkup:
    """Look a weight file over."""
    try:
        info = read_weight_info(path)
    except CheckpointError as error:
        elsewhere = (f"facskit weights import {quoted(path)}, if somebody else published it",)
        return Checkup(
            kind="weights", what="a weight file", place=path, findings=(finding_of(error, path),), steps=elsewhere
        )
    facts = [f"network: {info.model.kind}", f"licence: {info.licence}"]
    people = info.provenance.get("training_subjects")
    if isinstance(people, list):
        facts.append(f"trained on {len(people):,} subjects")
    if isinstance(info, EncoderInfo):
        what = "a pre-trained autoencoder that facskit wrote: a start for training, it recognises nothing yet"
        steps = (f"facskit weights info {quoted(path)}", f"facskit train RECIPE.yaml --initial-weights {quoted(path)}")
        return Checkup(kind="weights", what=what, place=path, facts=tuple(facts), steps=steps)
    labels = [f"{len(info.action_units)} AUs ({info.action_units})"] * bool(info.action_units)
    labels += [f"{len(info.expressions or ())} expressions"] * bool(info.expressions)
    what = f"a recogniser that facskit wrote, of {' and '.join(labels)}"
    uses = (f"facskit recognize PHOTO.jpg --weights {quoted(path)}", f"facskit evaluate {quoted(path)} MANIFEST")
    return Checkup(kind="weights", what=what, place=path, facts=tuple(facts), steps=uses)


def is_run(folder: Path) -> bool:
    """Tell whether a folder is that of a training run or of a cross-validation."""
    marks = ("metrics.jsonl", "environment.json", "checkpoints")
    begun = weights_of_run(folder) or runs_in(folder) or any((folder / mark).exists() for mark in marks)
    return (folder / "recipe.yaml").is_file() and bool(begun)


def check_run(folder: Path) -> Checkup:
    """Look over the folder of a run or of a cross-validation."""
    runs = runs_in(folder)
    return _check_cross_validation(folder, runs) if runs else _check_one_run(folder)


def _check_one_run(folder: Path) -> Checkup:
    weights = weights_of_run(folder)
    epochs = sum(1 for record in _records(folder) if "epoch" in record)
    facts = [f"{epochs:,} lines about epochs in metrics.jsonl"] if epochs else []
    run = Checkup(kind="run", what="a training run", place=folder, facts=tuple(facts))
    run = run.adding(findings=[*_losses(folder), *leftovers(folder)])
    command = "pretrain" if is_pretraining(folder) else "train"
    go_on = f"facskit {command} {quoted(folder / 'recipe.yaml')} --out {quoted(folder)}"
    if weights is None:
        snapshots = sorted((folder / "checkpoints").glob("step-*.pt"))
        kept = f"its last snapshot is of step {int(snapshots[-1].stem[5:]):,}" if snapshots else "it has no snapshot"
        sentence = f"the run isn't finished: {kept}; it was stopped or still goes on; the same command continues it"
        unfinished = Finding(severity="warning", place=str(folder), sentence=sentence)
        return run.adding(findings=[unfinished], steps=[go_on])
    inner = check_weights(weights)
    run = replace(run, what=f"a finished training run; {weights.name} is {inner.what}")
    run = run.adding(facts=inner.facts, findings=inner.findings)
    together = folder.resolve().parent / "results.md"
    if command == "train" and folder.match("fold-*-seed-*") and together.is_file():
        run = run.adding(facts=[f"a fold of a cross-validation, whose results are in {together}"])
    elif command == "train" and not (folder / "results.md").is_file():
        sentence = "there is no results.md: the recipe tests nobody, or scoring was stopped; run it again to score"
        run = run.adding(findings=[Finding(severity="note", place=str(folder), sentence=sentence)], steps=[go_on])
    return run.adding(steps=inner.steps)


def _check_cross_validation(folder: Path, runs: list[Path]) -> Checkup:
    findings = [finding for run in runs for finding in _check_one_run(run).findings if finding.severity != "note"]
    done = sum(weights_of_run(run) is not None for run in runs)
    again = f"facskit cross-validate {quoted(folder / 'recipe.yaml')} --out {quoted(folder)}"
    if not (folder / "results.md").is_file():
        sentence = f"{done} of {len(runs)} runs begun are finished, without results.md; the same command goes on"
        findings.append(Finding(severity="warning", place=str(folder), sentence=sentence))
    step = f"less {quoted(folder / 'results.md')}" if (folder / "results.md").is_file() else again
    facts = (f"{done} of {len(runs)} runs finished",)
    return Checkup(
        kind="run", what="a cross-validation", place=folder, facts=facts, findings=tuple(findings), steps=(step,)
    )


def _losses(folder: Path) -> Iterator[Finding]:
    for number, record in enumerate(_records(folder), start=1):
        loss = record.get("loss")
        if isinstance(loss, float) and not math.isfinite(loss):
            sentence = f"line {number}: the loss is {loss}; lower the learning rate, or look at the labels"
            yield Finding(severity="error", place=str(folder / "metrics.jsonl"), sentence=sentence)
            return


def _records(folder: Path) -> list[dict[str, object]]:
    try:
        text = (folder / "metrics.jsonl").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    records = []
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            records.append(found)
    return records
