"""The run of one network in a folder of its own: claimed, trained, tested on the people left out, and written last."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from facskit.datasets.fold import Fold
from facskit.datasets.loaders import EpochLoader
from facskit.datasets.people import People, find_known_people, people_of_weights, refuse_known_people
from facskit.datasets.samples import Batch
from facskit.datasets.unlabelled.beside import unlabelled_rows
from facskit.evaluation.epochs import EpochPredictions
from facskit.evaluation.protocols import Readout
from facskit.experiments.assemble import Part, assemble_loader
from facskit.experiments.data_check import check_data, record_data
from facskit.experiments.initial_branches import branch_sources
from facskit.experiments.initial_weights import (
    Body,
    describe_body,
    describe_start,
    provenance_of_people,
    provenance_of_start,
    provenance_of_teachers,
)
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe
from facskit.experiments.scoring import RunScoring, scoring_of
from facskit.experiments.session import Session, device_name
from facskit.experiments.training_parts import Feeds, assemble_network
from facskit.experiments.untaught import describe_untaught, untaught_labels
from facskit.files import write_text
from facskit.models.attention_network import AttentionConfig, about_attention
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint, save_checkpoint
from facskit.models.layers import FaceNetwork
from facskit.objectives.objective import Objective
from facskit.training.loop import fit
from facskit.training.run_directory import RunDirectory

__all__ = ["Predecessors", "mention_untaught", "open_run", "refuse_known_start", "train_network"]


@dataclass(frozen=True, kw_only=True)
class Predecessors:
    """What a network gets from those trained before it in the same fold, and from whoever looked at the fold first."""

    networks: Mapping[str, FaceNetwork] = field(default_factory=dict)
    """Those that a staged objective learns from, by name."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What its weight file must say about them."""
    feeds: Feeds | None = None
    """Batches that are open already; then the people and labels of the fold have been looked at too."""
    start: Body | None = None
    """The initial weights, which were looked at then, if there are any."""


def train_network(
    recipe: Recipe,
    out: Path,
    session: Session,
    *,
    claim: Callable[[], None] | None = None,
    before: Predecessors = Predecessors(),
) -> RunDirectory:
    """Train and test the network of one fold in its folder; go on if it broke off.

    Nothing is written, nor `claim` called, before everything is built.
    """
    fold, run = session.folds[recipe.data.fold - 1], RunDirectory(out)
    check_data(run, session.record(recipe.data.fold))
    if run.finished:
        open_run(recipe, out, session, claim)
        return run
    start = before.start
    if before.feeds is None:  # whoever opened the batches has looked at the people too
        start = describe_start(recipe.initial_weights)
        refuse_known_start(start, session, fold)
        mention_untaught(recipe, session, fold)
    teachers = _meet_teachers(recipe, session, fold)
    parts = assemble_network(recipe, session, fold, stages=before.networks, feeds=before.feeds)
    open_run(recipe, out, session, claim)
    if run.finished:  # by another process, while this one waited
        return run
    session.introduce(recipe, fold, parts.model)
    branches = {}
    if start is not None and isinstance(recipe.model, AttentionConfig):
        branches = branch_sources(recipe.data.unit_set, start.action_units)
    _mention_start(recipe, session, start, branches)
    provenance = _provenance(recipe, session, fold) | _provenance_of_others(session, fold, start, teachers)
    provenance |= {"initial_branches": branches} if branches else {}
    info = partial(_describe_weights, recipe, {**provenance, **before.provenance})
    scoring = scoring_of(recipe, session)
    watch = _EpochWatch(recipe=recipe, run=run, scoring=scoring, scored=parts.feeds.scored, info=info)
    fit(parts.objective, parts.feeds.training, recipe.plan, run=run, fabric=session.fabric, on_epoch_end=watch)
    if session.fabric.is_global_zero:
        epoch = _adopt_best(run, parts.model) if recipe.evaluation.epoch == "validation" else None
        readout = scoring.test(parts.model, parts.feeds.scored, run.path)
        _look_back(recipe, session, fold, parts.objective, run.path)
        save_checkpoint(run.weights, parts.model, info(readout, epoch))
        run.drop_snapshots()
    session.fabric.barrier()
    return run


@dataclass(frozen=True, kw_only=True)
class _EpochWatch:
    """Keeps weights on the way, scores the subjects that the recipe wants scored, and keeps the best weights."""

    recipe: Recipe
    run: RunDirectory
    scoring: RunScoring
    scored: dict[Part, EpochLoader[Batch]]
    info: Callable[[Readout, int], CheckpointInfo]

    def __call__(self, epoch: int, model: nn.Module) -> dict[str, float]:
        """Do so after an epoch, from 1; return its scores for the log."""
        if self.recipe.training.keeps(epoch):
            self._save(self.run.kept_weights(epoch), model, epoch)
        logged = self.scoring.after_epoch(model, self.scored, self.run.path, epoch)
        if self.recipe.evaluation.epoch == "validation" and self._best_epoch() == epoch:
            self._save(self.run.best_weights, model, epoch)
        return logged

    def _save(self, path: Path, model: nn.Module, epoch: int) -> None:
        assert isinstance(model, FaceNetwork)
        evaluation = self.recipe.evaluation
        unread = Readout(thresholds=(evaluation.fixed_threshold,) * len(self.recipe.data.unit_set))
        save_checkpoint(path, model, self.info(unread, epoch))

    def _best_epoch(self) -> int:
        return EpochPredictions.load(self.run.path).choose_epoch(self.recipe.evaluation.protocol(""))


def _adopt_best(run: RunDirectory, model: FaceNetwork) -> int:
    """Give a network the weights of the epoch that was chosen; return the epoch."""
    best, info = load_checkpoint(run.best_weights)
    model.load_state_dict(best.state_dict())
    return int(info.provenance["epoch"])


def open_run(recipe: Recipe, out: Path, session: Session, claim: Callable[[], None] | None = None) -> None:
    """Make a folder the run's own, in the main process; the others wait. Say so if the run is finished."""
    if session.fabric.is_global_zero:
        if claim is not None:
            claim()
        run = RunDirectory.open(
            out, format_recipe(recipe), device=device_name(session.fabric), difference=describe_difference
        )
        record_data(run, session.record(recipe.data.fold))
    session.fabric.barrier()
    run = RunDirectory(out)
    if run.finished:
        session.say(f"{out}: this run is finished; its weights are in {run.weights.name}")


def refuse_known_start(start: Body | None, session: Session, fold: Fold) -> None:
    """Refuse to test on people whose labels the initial weights were trained with; say so where it isn't certain."""
    if start is None or not len(fold.test):
        return
    trained = people_of_weights(start.provenance)
    tested = People.of(session.manifest, fold.test_subjects)
    if start.kind == "recognizer":  # an autoencoder has seen their faces, but no label
        refuse_known_people(trained, tested)
        if not trained:
            session.say(f"It isn't known whom {start.name} was trained on; people to test on may be among them.")
    if known := find_known_people(trained, tested).all:
        session.say(
            f"{start.name} may know {len(known):,} of the people to test on, {known[0]} for example: "
            "it was trained on people of these names."
        )


def _meet_teachers(recipe: Recipe, session: Session, fold: Fold) -> dict[str, Body]:
    """Describe the finished networks that teach, by name; those who know people to test on are refused."""
    named = recipe.objective.teachers
    teachers = {name: describe_body(weights, f"objective.{name}") for name, weights in named.items()}
    for teacher in teachers.values():
        refuse_known_start(teacher, session, fold)
    return teachers


def mention_untaught(recipe: Recipe, session: Session, fold: Fold) -> None:
    """Say which labels and places the training part can't teach."""
    for sentence in describe_untaught(recipe, session.manifest, fold):
        session.say(sentence)


def _mention_start(recipe: Recipe, session: Session, start: Body | None, branches: Mapping[str, str]) -> None:
    """Say what a reader of the result may trip over in the weights that the training starts from."""
    if start is None:
        return
    if start.licence != recipe.licence:
        session.say(
            f"The training starts from {start.name}, whose licence is {start.licence}; the new weights will say "
            f"{recipe.licence}, as in the recipe: check that they may."
        )
    others = [f"{unit} from {given}" for unit, given in branches.items() if unit != given]
    fresh = [unit for unit in recipe.data.unit_set.codes if unit not in branches]
    if branches and (others or fresh):
        told = [*others, *(f"{unit} starts anew" for unit in fresh)]
        session.say(f"Branches of {start.name} are taken over by action unit; {', '.join(told)}.")


def _look_back(recipe: Recipe, session: Session, fold: Fold, objective: Objective[Batch], folder: Path) -> None:
    """Write beside the weights what the objective made of its training images."""

    def images() -> Iterator[Batch]:
        loader = assemble_loader(recipe, session.manifest, fold, "train", session.fabric, plain=True)
        for batch in loader.batches(0):
            yield batch.to(session.fabric.device)
        loader.close()

    with session.fabric.autocast():
        told = objective.look_back(images())
    for name, content in told.items():
        write_text(folder / f"{name}.json", json.dumps(content, indent=2) + "\n")


def _provenance(recipe: Recipe, session: Session, fold: Fold) -> dict[str, Any]:
    """Say what a network is trained on, apart from where it starts."""
    entries: dict[str, Any] = {
        "recipe": recipe.name,
        "paper": recipe.about.paper,
        "manifest": recipe.data.manifest,
        "data": "" if session.manifest.origin is None else session.manifest.origin.stamp(),
        "training_images": len(fold.train),
        "training_subjects": list(fold.train_subjects),
        "seed": recipe.runtime.seed,
        "epoch": "last",
        "epochs": recipe.training.epochs,
        "threshold": recipe.evaluation.threshold if recipe.evaluation.threshold.startswith("validation") else "fixed",
    }
    if isinstance(recipe.model, AttentionConfig):
        entries |= about_attention(taught=recipe.objective.teaches_attention)
    untaught = untaught_labels(recipe, session.manifest, fold)
    return entries | ({"untaught": untaught} if untaught else {})


def _provenance_of_others(
    session: Session, fold: Fold, start: Body | None, teachers: Mapping[str, Body]
) -> dict[str, Any]:
    """Say where a network started, who taught it, what unlabelled faces it learned from, and whom all these know."""
    entries = provenance_of_start(start)
    if not teachers and session.unlabelled is None:
        return entries
    entries |= provenance_of_teachers(teachers) if teachers else {}
    known = [group for body in (start, *teachers.values()) if body is not None for group in body.people]
    if (faces := session.unlabelled) is not None:
        rows = unlabelled_rows(faces, session.manifest, fold)
        entries["unlabelled"] = {"manifest": faces.name, "images": len(rows)}
        known.append(People.of(faces, sorted(set(faces.subjects[rows]))))
    return entries | provenance_of_people(known)


def _describe_weights(
    recipe: Recipe, provenance: Mapping[str, Any], readout: Readout, epoch: int | None = None
) -> CheckpointInfo:
    return CheckpointInfo(
        model=recipe.model,
        action_units=recipe.data.unit_set,
        expressions=recipe.data.expression_set,
        crop=recipe.data.crop,
        normalization=recipe.data.normalization,
        thresholds=readout.thresholds,
        calibration=readout.calibration,
        answers=recipe.objective.answers,
        licence=recipe.licence,
        provenance={**provenance, "epoch": "last" if epoch is None else epoch},
    )
