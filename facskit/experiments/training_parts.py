"""Parts that one network is trained with, built before anything is written: a mistake in the recipe shows at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from facskit.datasets.fold import Fold
from facskit.datasets.loaders import EpochLoader
from facskit.datasets.samples import Batch
from facskit.errors import DatasetError
from facskit.experiments.assemble import Part, assemble_loader, assemble_model, assemble_objective, assemble_training
from facskit.experiments.recipe import Recipe
from facskit.experiments.session import Session
from facskit.models.layers import FaceNetwork
from facskit.objectives.config import StagedConfig
from facskit.objectives.objective import Objective
from facskit.training.loop import BatchSource
from facskit.training.runtime import seed_everything

__all__ = ["Feeds", "NetworkParts", "assemble_network"]


@dataclass(frozen=True, kw_only=True)
class Feeds:
    """The batches of one fold, which networks trained one after the other may share: no feed has a state."""

    training: BatchSource[Batch]
    """The training batches."""
    scored: dict[Part, EpochLoader[Batch]]
    """The test subjects, and the validation subjects where they are used."""


@dataclass(frozen=True, kw_only=True)
class NetworkParts:
    """What a run trains with, and what it will score."""

    model: FaceNetwork
    """The network."""
    objective: Objective[Batch]
    """The network with its loss."""
    feeds: Feeds
    """Its batches."""


def assemble_network(
    recipe: Recipe,
    session: Session,
    fold: Fold,
    *,
    stages: Mapping[str, FaceNetwork] | None = None,
    feeds: Feeds | None = None,
) -> NetworkParts:
    """Seed the process and build what one run needs.

    Args:
        stages: The finished networks that a staged objective learns from, by name.
        feeds: Batches of this fold and seed that are open already.
    """
    seed_everything(recipe.runtime.seed, session.fabric.global_rank)
    model = assemble_model(recipe)
    if stages and isinstance(recipe.objective, StagedConfig) and recipe.objective.starts_from is not None:
        model.load_state_dict(stages[recipe.objective.starts_from].state_dict())
    objective = assemble_objective(recipe, model, session.manifest, fold, stages)
    return NetworkParts(model=model, objective=objective, feeds=feeds or _open_feeds(recipe, session, fold))


def _open_feeds(recipe: Recipe, session: Session, fold: Fold) -> Feeds:
    """Open what the network learns from and what it will be scored on, the latter as far as it is used."""
    manifest, fabric = session.manifest, session.fabric
    training = assemble_training(recipe, manifest, session.unlabelled, fold, fabric)
    chosen_there = recipe.evaluation.needs_validation
    if chosen_there and not len(fold.validation):
        raise DatasetError("evaluation asks for validation subjects to choose on, but data.folds sets none aside.")
    scored: dict[Part, EpochLoader[Batch]] = {}
    if len(fold.validation) and (chosen_there or recipe.evaluation.validate_each_epoch):
        scored["validation"] = assemble_loader(recipe, manifest, fold, "validation", fabric)
    if len(fold.test):
        scored["test"] = assemble_loader(recipe, manifest, fold, "test", fabric)
    return Feeds(training=training, scored=scored)
