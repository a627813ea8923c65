"""The recipe: one dataclass tree for a whole experiment, composed of the configs that live beside their components.

Reading and writing is in `recipe_files`; turning a recipe into objects is in `assemble`.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, get_args

from facskit.action_units import ActionUnitSet
from facskit.configurations import BY_KIND
from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.folds import FoldsConfig, HoldOut
from facskit.datasets.loaders import LoaderConfig
from facskit.datasets.unlabelled.beside import UnlabelledConfig
from facskit.evaluation.epochs import ScoredPart
from facskit.evaluation.protocols import PROTOCOLS, Protocol, ProtocolName
from facskit.experiments.base_recipe import About, BaseRecipe
from facskit.expressions import ExpressionSet
from facskit.faces.alignment import CropRecipe, EyeSimilarityCrop
from facskit.faces.normalization import Normalization
from facskit.models.attention_targets import CENTRE_RULES
from facskit.models.build import ModelConfig
from facskit.models.compact_network import CompactConfig
from facskit.objectives.attention_regression import taught_attention
from facskit.objectives.causal_intervention import CausalInterventionConfig
from facskit.objectives.consistency import ConsistencyConfig
from facskit.objectives.distillation import DistillationConfig
from facskit.objectives.expression import ExpressionConfig
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig
from facskit.objectives.occurrence import OccurrenceConfig
from facskit.objectives.several_answers import SeveralAnswersConfig

__all__ = ["About", "DataConfig", "EvaluationConfig", "ObjectiveConfig", "Recipe"]

ObjectiveConfig = (
    OccurrenceConfig
    | SeveralAnswersConfig
    | IdentityAdversarialConfig
    | CausalInterventionConfig
    | DistillationConfig
    | ConsistencyConfig
    | ExpressionConfig
)
"""Every objective on labelled faces; the `kind` field tells which. This is the only place that lists them."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which faces, how they are cut out, varied and divided among training and test."""

    manifest: str = "packaged"
    """Path of a manifest, from the working directory; `packaged` takes the rendered faces that ship with facskit."""
    action_units: str = "rendered"
    """Action units to learn: the name of a set (`bp4d`, `disfa-8`), a list (`AU01,AU02`), or `none`."""
    expressions: str = "none"
    """Expressions to learn: the name of a set (`raf-db`, `affectnet-8`), a list (`neutral,happiness`), or `none`."""
    crop: Annotated[CropRecipe, BY_KIND] = field(default_factory=EyeSimilarityCrop)
    """How a face is cut out."""
    normalization: Normalization = "per-image"
    """How a crop's pixels become numbers."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """How training crops are varied."""
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    """Batch size and worker processes."""
    unlabelled: UnlabelledConfig = field(default_factory=UnlabelledConfig)
    """Faces without labels, for objectives that learn from such beside the labelled ones."""
    folds: Annotated[FoldsConfig, BY_KIND] = field(default_factory=HoldOut)
    """How subjects are divided."""
    fold: int = 1
    """Which fold `train` leaves out, from 1; a cross-validation runs through all of them."""
    subjects_in_head: Literal["training", "all"] = "training"
    """Whose identities an identity objective knows; `all` adds the test subjects' outputs, which the released FMAE-IAT
    code has and which never see a positive example."""

    def __post_init__(self) -> None:
        """Refuse unknown and no labels, and impossible folds."""
        if not self.num_outputs:
            raise ValueError("action_units and expressions must not both be none: there would be nothing to learn")
        if self.fold < 1:
            raise ValueError(f"fold must be at least 1, got {self.fold}")

    @property
    def unit_set(self) -> ActionUnitSet:
        """The action units learned."""
        return ActionUnitSet.parse(self.action_units)

    @property
    def expression_set(self) -> ExpressionSet | None:
        """The expressions learned."""
        return None if self.expressions.strip().lower() == "none" else ExpressionSet.parse(self.expressions)

    @property
    def num_outputs(self) -> int:
        """Outputs of the network's head: the action units, then the expressions."""
        return len(self.unit_set) + len(self.expression_set or ())


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How the trained models are scored."""

    seeds: tuple[int, ...] = (0,)
    """Seeds of a cross-validation: every fold is trained once with each."""
    threshold: Literal["fixed", "validation-shared", "validation-per-au", "test-shared"] = "fixed"
    """Where decision thresholds come from; `test-shared` imitates a paper and is optimistic."""
    fixed_threshold: float = 0.5
    """Probability from which an AU counts as present, for `fixed`."""
    epoch: Literal["last", "validation"] = "last"
    """Which epoch's weights are tested and kept: the last one's, or those that score best on validation subjects."""
    calibration: Literal["none", "validation"] = "none"
    """Whether a temperature and a bias per AU are fitted on validation subjects and kept with the weights."""
    protocols: tuple[ProtocolName, ...] = ()
    """Protocols to score the same training by as well, side by side; those that choose an epoch keep the predictions
    of every epoch in the run's `epochs` folder."""
    undefined_f1: Literal["excluded", "zero"] = "excluded"
    """What happens to the F1 of an AU that is neither present nor predicted."""
    dataset: Literal["none", "bp4d", "bp4d-plus", "disfa", "raf-db", "affectnet-8"] = "none"
    """Whose published scores the report sets beside ours; the last two are of expressions."""
    validate_each_epoch: bool = True
    """Log the validation subjects' scores after each epoch; they choose nothing unless `epoch` says so."""

    def __post_init__(self) -> None:
        """Refuse a cross-validation without seeds and thresholds that no protocol knows."""
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds must be different numbers from 0, at least one, got {self.seeds}")
        self.protocol("")

    @property
    def needs_validation(self) -> bool:
        """Whether validation subjects choose anything."""
        return any(protocol.needs_validation for protocol in self._all_protocols)

    @property
    def kept_parts(self) -> tuple[ScoredPart, ...]:
        """Parts of a fold whose predictions are kept after each epoch."""
        by_epoch = [protocol for protocol in self._all_protocols if protocol.needs_epochs]
        if len(by_epoch) > (self.epoch == "validation"):
            return ("validation", "test")
        return ("validation",) if by_epoch else ()

    @property
    def _all_protocols(self) -> list[Protocol]:
        return [self.protocol(""), *(PROTOCOLS[name] for name in self.protocols)]

    def protocol(self, folds: str) -> Protocol:
        """Return the stamp that every score gets.

        Args:
            folds: How test subjects were held out, in words.
        """
        return Protocol(
            epoch=self.epoch,
            threshold=self.threshold,
            fixed_threshold=self.fixed_threshold,
            calibration=self.calibration,
            undefined_f1=self.undefined_f1,
            folds=folds,
        )


@dataclass(frozen=True, kw_only=True)
class Recipe(BaseRecipe):
    """A whole experiment; running the same recipe again gives the same result."""

    data: DataConfig = field(default_factory=DataConfig)
    """Faces and labels."""
    model: Annotated[ModelConfig, BY_KIND] = field(default_factory=CompactConfig)
    """The network."""
    initial_weights: str = ""
    """A `.safetensors` file, a run's folder or the name of weights whose network body the training starts from; empty
    starts from random weights. Causal intervention takes the folder of another such run like to like: imbalanced
    network from imbalanced network, and so on."""
    objective: Annotated[ObjectiveConfig, BY_KIND] = field(default_factory=OccurrenceConfig)
    """The loss."""
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    """Scores."""

    def __post_init__(self) -> None:
        """Check the parts against each other."""
        super().__post_init__()
        if self.model.image_size != self.data.crop.size:
            raise ValueError(
                f"data.crop.size must be the {self.model.image_size} px of model.image_size, got {self.data.crop.size}"
            )
        self._check_labels()
        self._check_unlabelled()
        self._check_attention()

    def of_run(self, fold: int, seed: int) -> "Recipe":
        """Return the recipe that repeats one run of a cross-validation or sweep by itself."""
        return replace(self, data=replace(self.data, fold=fold), runtime=replace(self.runtime, seed=seed))

    def _check_labels(self) -> None:
        """Check that labels, loss and scores are about the same thing."""
        units, expressions = self.data.unit_set, self.data.expression_set
        if units and expressions is not None:
            raise ValueError(
                "data.action_units and data.expressions can't both be learned yet: an objective learns one or the "
                "other, so one of them must be none"
            )
        learns = self.objective.learns
        if learns != ("action_units" if expressions is None else "expressions"):
            found = f"data.action_units {self.data.action_units} and data.expressions {self.data.expressions}"
            wanted = "expressions, and action_units none" if learns == "expressions" else "action_units"
            raise ValueError(f"objective.kind {self.objective.kind} needs data.{wanted}, got {found}")
        dataset = self.evaluation.dataset
        if dataset != "none" and (dataset in {"raf-db", "affectnet-8"}) != (expressions is not None):
            labels = "action units" if expressions is None else "expressions"
            raise ValueError(f"evaluation.dataset must be one with published scores of {labels}, got {dataset}")
        if expressions is not None:
            self._check_expression_scores()

    def _check_expression_scores(self) -> None:
        """Check that nothing is to be chosen that expressions don't have."""
        unchosen = EvaluationConfig()
        for name in ("threshold", "epoch", "calibration", "protocols"):
            value, wanted = getattr(self.evaluation, name), getattr(unchosen, name)
            if value != wanted:
                raise ValueError(f"evaluation.{name} must stay {wanted or 'empty'} for expressions, got {value}")

    def _check_unlabelled(self) -> None:
        """Check that faces without labels are there for whoever needs them, and for nobody else."""
        kind, named = self.objective.kind, self.data.unlabelled.manifest
        if self.objective.unlabelled == "always" and not named:
            raise ValueError(
                f"objective.kind {kind} needs data.unlabelled.manifest, the faces without labels; got none"
            )
        if self.objective.unlabelled == "never" and named:
            raise ValueError(
                f"data.unlabelled.manifest must be empty with objective.kind {kind}, which learns from labels alone, "
                f"got {named}"
            )

    def _check_attention(self) -> None:
        """Check that attention is only taught to a network that has some, and where its maps are known."""
        key, taught = taught_attention(self.objective) or ("", None)
        if taught is None or not taught.weight:
            return
        if not self.model.attentive:
            attentive = " or ".join(each.kind for each in get_args(ModelConfig) if each.attentive)
            raise ValueError(
                f"{key}.weight must be 0 unless model.kind is {attentive}, got {taught.weight:g} for {self.model.kind}"
            )
        unknown = [unit.code for unit in self.data.unit_set if unit.number not in CENTRE_RULES]
        if unknown:
            raise ValueError(f"{key}.weight must be 0 with {', '.join(unknown)}, whose place in a face has no rule")
