"""Sources of a probing (runs, cross-validations, weights) as networks at moments of their training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facskit.configurations import read_configuration
from facskit.errors import CheckpointError, RecipeError
from facskit.experiments.assemble import assemble_model
from facskit.experiments.initial_weights import describe_body
from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.run_tree import is_pretraining, kept_weights, runs_in, split_name
from facskit.faces.alignment import CropRecipe, WholeImage
from facskit.faces.normalization import Normalization
from facskit.models.checkpoints import EncoderInfo, load_checkpoint, load_encoder, read_weight_info
from facskit.models.layers import FaceNetwork
from facskit.models.masked_autoencoder import MaskedAutoencoder
from facskit.models.weight_files import find_weights, weights_of_run

__all__ = ["Moment", "ProbedNetwork", "Source", "SourceRun", "find_sources"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbedNetwork:
    """A network, and how a face gets in front of it."""

    model: FaceNetwork | MaskedAutoencoder
    """The network."""
    crop: CropRecipe
    """How a face is cut out."""
    normalization: Normalization
    """How a crop's pixels become numbers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """A network at one moment of its training."""

    epoch: int | None
    """Epochs of training done; 0 before the first, None if nobody wrote it down."""
    identity: Callable[[], str]
    """Returns text that is another for other weights; a result belongs to it."""
    load: Callable[[], ProbedNetwork]
    """Reads or builds the network."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceRun:
    """One training with the networks that it kept, or one weight file."""

    name: str
    """Name within its source; empty where there is only one."""
    moments: tuple[Moment, ...]
    """The networks, by rising epoch."""
    recipe: Recipe | None = None
    """What it was trained by, if that is known: its faces and its fold."""
    folder: Path | None = None
    """Its folder, if it has one."""
    images: str = ""
    """Manifest that it was pre-trained on, if that was one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What becomes one curve: a run, all runs of a cross-validation, or one weight file."""

    label: str
    """What figure and tables call it."""
    runs: tuple[SourceRun, ...]
    """One, or one per fold and seed."""
    notes: tuple[str, ...] = ()
    """What is missing in it."""


def find_sources(given: Sequence[str]) -> list[Source]:
    """Find the networks of everything that was given.

    Args:
        given: Folders of runs, cross-validations, sweep points or pre-trainings, weight files, or names of weights;
            `LABEL=` in front of one gives its label, which is otherwise the folder's or the file's name.

    Raises:
        CheckpointError: There are no weights in or under a name.
        RecipeError: Two have the same label, or a recipe is damaged.
    """
    found = [_source(*split_name(text)) for text in given]
    labels = [source.label for source in found]
    for label in labels:
        if labels.count(label) > 1:
            raise RecipeError(f"two things to probe are called {label}; give them names: A={given[0]} B={given[1]}")
    return found


def _source(label: str, text: str) -> Source:
    folder = Path(text)
    if not folder.is_dir():
        weights = find_weights(text)
        return Source(
            label=label or text if weights.stem in {"weights", "encoder"} else weights.stem, runs=(_file(weights),)
        )
    label = label or folder.resolve().name
    members = [path for path in runs_in(folder) if (path / "recipe.yaml").is_file()]
    if members:
        runs, notes = zip(*(_run(path, path.name) for path in members), strict=True)
        return Source(label=label, runs=runs, notes=tuple(note for each in notes for note in each))
    if not (folder / "recipe.yaml").is_file():
        return Source(label=label, runs=(_file(find_weights(folder)),))
    run, found = _run(folder, "")
    return Source(label=label, runs=(run,), notes=found)


def _file(weights: Path) -> SourceRun:
    stored = read_weight_info(weights).provenance
    epoch = stored.get("epochs") if stored.get("epoch") == "last" else stored.get("epoch")
    return SourceRun(name="", moments=(_moment(epoch if isinstance(epoch, int) else None, weights),))


def _run(folder: Path, name: str) -> tuple[SourceRun, tuple[str, ...]]:
    if is_pretraining(folder):
        return _pretraining(folder, name), ()
    recipe = read_recipe(folder / "recipe.yaml")
    moments, notes = [], []
    if recipe.initial_weights:
        try:
            moments.append(_before(recipe))
        except CheckpointError as error:
            notes.append(f"{folder}: not probed before training, because its initial weights are not here ({error})")
    kept = _kept(folder, recipe.training.epochs)
    if not kept:
        raise CheckpointError(f"{folder}: the run has no weights yet; go on with it: facskit train, or cross-validate")
    if weights_of_run(folder) is None:
        notes.append(f"{folder}: the run isn't finished; it is probed up to epoch {kept[-1].epoch}")
    elif len(kept) == 1:
        notes.append(
            f"{folder}: only the last weights were kept; training.keep_every in the recipe keeps some on the way"
        )
    return SourceRun(name=name, moments=(*moments, *kept), recipe=recipe, folder=folder), tuple(notes)


def _pretraining(folder: Path, name: str) -> SourceRun:
    recipe = read_recipe(folder / "recipe.yaml", PretrainRecipe)
    kept = _kept(folder, recipe.training.epochs)
    if not kept:
        raise CheckpointError(f"{folder}: the pre-training has no weights yet; go on with it: facskit pretrain")
    images = recipe.data.images
    known = images == "packaged" or Path(images).suffix in {".parquet", ".csv", ".jsonl"}
    return SourceRun(name=name, moments=tuple(kept), images=images if known else "")


def _kept(folder: Path, epochs: int) -> list[Moment]:
    """Return the networks that a run kept on the way, and its result unless the last epoch was kept anyway."""
    kept = kept_weights(folder)
    result = weights_of_run(folder)
    if result is not None and epochs not in kept:
        kept[epochs] = result
    return [_moment(epoch, path) for epoch, path in kept.items()]


def _moment(epoch: int | None, weights: Path) -> Moment:
    return Moment(epoch=epoch, identity=lambda: describe_body(weights).sha256, load=partial(_load, weights))


def _load(weights: Path) -> ProbedNetwork:
    info = read_weight_info(weights)
    if not isinstance(info, EncoderInfo):
        return ProbedNetwork(model=load_checkpoint(weights)[0], crop=info.crop, normalization=info.normalization)
    stored = info.provenance.get("crop")
    crop: CropRecipe = WholeImage(size=info.model.encoder.image_size)
    if isinstance(stored, dict):
        crop = read_configuration(CropRecipe, stored)
    return ProbedNetwork(model=load_encoder(weights)[0], crop=crop, normalization=info.normalization)


def _before(recipe: Recipe) -> Moment:
    """Return the network before the first update: the initial weights under the recipe's network."""
    digest = describe_body(recipe.initial_weights).sha256  # looked for now, to know that they are there

    def load() -> ProbedNetwork:
        model = assemble_model(recipe)
        return ProbedNetwork(model=model, crop=recipe.data.crop, normalization=recipe.data.normalization)

    return Moment(
        epoch=0,
        identity=lambda: f"{digest} before training {recipe.model} {recipe.data.crop} {recipe.data.normalization}",
        load=load,
    )
