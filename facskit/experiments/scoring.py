"""The scores of a run: what is logged after each epoch, the test predictions, and the report over one or many runs.

Action units and expressions go the same way through `train` and `cross-validate`; they differ here alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from torch import nn

from facskit.datasets.loaders import EpochLoader
from facskit.datasets.samples import Batch
from facskit.evaluation.epochs import epoch_file, protocol_f1
from facskit.evaluation.expressions.metrics import score_expressions
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.evaluation.expressions.reports import ExpressionReport, build_expression_report
from facskit.evaluation.predicted_faces import PredictedFaces, concat
from facskit.evaluation.predicting import PredictionSource, predict, predict_expressions
from facskit.evaluation.predictions import Predictions, apply_protocol
from facskit.evaluation.protocol_scores import score_protocols
from facskit.evaluation.protocols import PROTOCOLS, Readout, choose_readout
from facskit.evaluation.reports import Report, build_report
from facskit.experiments.assemble import Part
from facskit.experiments.recipe import Recipe
from facskit.experiments.session import Session
from facskit.models.checkpoints import weights_digest
from facskit.models.layers import FaceNetwork
from facskit.version import __version__

__all__ = ["PREDICTIONS", "PUBLISHED_NAMES", "ActionUnitScoring", "ExpressionScoring", "RunScoring", "scoring_of"]

PREDICTIONS = "predictions.parquet"
"""Name of the predictions in the folder of a run or cross-validation."""
PUBLISHED_NAMES = {"bp4d": "BP4D", "bp4d-plus": "BP4D+", "disfa": "DISFA"}


class RunScoring(ABC):
    """What scores the runs of one recipe."""

    container: ClassVar[type[PredictedFaces]]
    """What holds the predictions."""

    def __init__(self, recipe: Recipe, session: Session) -> None:
        self.recipe = recipe
        self.session = session

    @abstractmethod
    def after_epoch(
        self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path, epoch: int
    ) -> dict[str, float]:
        """Return scores for the log, and keep the predictions that protocols ask for.

        Args:
            scored: The parts of the fold that are used.
            folder: The run's folder.
            epoch: The epoch that ended, from 1.
        """

    @abstractmethod
    def test(self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path) -> Readout:
        """Predict the test subjects, write the predictions, and return what goes with the weights to read them.

        Args:
            scored: The parts of the fold that are used; without a test part nothing is written.
        """

    @abstractmethod
    def build(self, predictions: PredictedFaces) -> Report | ExpressionReport:
        """Return the report on predictions of this kind, beside the published scores that the recipe names."""

    def report(self, runs: Sequence[Path], out: Path) -> Report | ExpressionReport:
        """Score finished runs together and write the results.

        Args:
            runs: Folders of the runs; predictions of several are joined in `out`.
        """
        parts = [self.container.load(run / PREDICTIONS) for run in runs]
        predictions = parts[0]
        if list(runs) != [out]:
            predictions = concat(parts)
            predictions.save(out / PREDICTIONS)
        report = self.build(predictions)
        report = replace(report, notes=[*self.session.notes, *report.notes])
        report.write(out)
        return report

    def source(self, **model: object) -> PredictionSource:
        """Return where this run's predictions come from.

        Args:
            model: What is to be known of the model beside the recipe.
        """
        recipe, faces = self.recipe, self.session.manifest
        return PredictionSource(
            subjects=faces.subjects.tolist(),
            names=[faces.image_name(row) for row in range(len(faces))],
            fold=recipe.data.fold,
            seed=recipe.runtime.seed,
            protocol=recipe.evaluation.protocol(self.session.held_out),
            model={"recipe": recipe.name, "facskit": __version__, **model},
        )


class ActionUnitScoring(RunScoring):
    """Scores recipes that learn action units."""

    container = Predictions

    def after_epoch(
        self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path, epoch: int
    ) -> dict[str, float]:
        """Return macro F1 at the fixed threshold and at the best one, and ROC-AUC, of each part that is looked at."""
        evaluation = self.recipe.evaluation
        logged: dict[str, float] = {}
        for part in ("validation", "test"):
            kept = part in evaluation.kept_parts
            if part not in scored or not (kept or (part == "validation" and evaluation.validate_each_epoch)):
                continue
            said = self._predict(model, scored[part], None)  # no bar of its own: the training's is still there
            scores = said.scores()
            logged |= {f"{part}_{name}": scores.macro(name).value for name in ("f1", "roc_auc")}
            if kept:
                logged[f"{part}_f1_at_best_threshold"] = protocol_f1(said, PROTOCOLS["published-fmae"])
                unchosen = replace(said, protocol=replace(said.protocol, epoch="unknown"), model={"epoch": epoch})
                unchosen.save(epoch_file(folder, epoch, part))
        return logged

    def test(self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path) -> Readout:
        """Predict the test subjects; return calibration and thresholds that the recipe's protocol chooses."""
        protocol = self.recipe.evaluation.protocol(self.session.held_out)
        validation, digest = None, weights_digest(model.state_dict())
        if protocol.needs_validation:
            validation = self._predict(model, scored["validation"], "Recognising validation faces")
        if "test" in scored:
            test = self._predict(model, scored["test"], "Recognising test faces", weights=digest)
            apply_protocol(test, protocol, validation).save(folder / PREDICTIONS)
        if validation is None:
            # A threshold chosen on the test labels imitates a paper; it doesn't go with the weights.
            return Readout(thresholds=(protocol.fixed_threshold,) * len(self.session.manifest.action_units))
        return choose_readout(protocol, validation.labels, validation.probabilities)

    def report(self, runs: Sequence[Path], out: Path) -> Report | ExpressionReport:
        """Score finished runs together, by every protocol that the recipe names, and write the results."""
        if names := self.recipe.evaluation.protocols:
            score_protocols(runs, names).write(out)
        return super().report(runs, out)

    def build(self, predictions: PredictedFaces) -> Report:
        """Return the report on predictions of action units."""
        assert isinstance(predictions, Predictions)
        dataset = PUBLISHED_NAMES.get(self.recipe.evaluation.dataset)
        return build_report(predictions, title=self.recipe.name, dataset=dataset)

    def _predict(self, model: nn.Module, loader: EpochLoader[Batch], shown: str | None, **about: object) -> Predictions:
        assert isinstance(model, FaceNetwork)
        scale, precision = model.intensity_scale, self.recipe.runtime.precision
        return predict(
            model,
            loader.batches(0),
            self.source(**about),
            intensities=None if scale is None else scale.intensities,
            precision=precision,
            description=shown,
        )


class ExpressionScoring(RunScoring):
    """Scores recipes that learn expressions."""

    container = ExpressionPredictions

    def after_epoch(
        self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path, epoch: int
    ) -> dict[str, float]:
        """Return the validation subjects' accuracy and mean class accuracy; they choose nothing."""
        if "validation" not in scored or not self.recipe.evaluation.validate_each_epoch:
            return {}
        scores = score_expressions(self._predict(model, scored["validation"], None))
        return {"validation_accuracy": scores.accuracy, "validation_mean_class_accuracy": scores.mean_class_accuracy}

    def test(self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path) -> Readout:
        """Predict the test subjects; expressions have no thresholds."""
        if "test" in scored:
            self._predict(model, scored["test"], "Recognising test faces").save(folder / PREDICTIONS)
        return Readout(thresholds=())

    def build(self, predictions: PredictedFaces) -> ExpressionReport:
        """Return the report on predictions of expressions."""
        assert isinstance(predictions, ExpressionPredictions)
        dataset = self.recipe.evaluation.dataset
        return build_expression_report(
            predictions, title=self.recipe.name, dataset=None if dataset == "none" else dataset
        )

    def _predict(self, model: nn.Module, loader: EpochLoader[Batch], shown: str | None) -> ExpressionPredictions:
        precision, expressions = self.recipe.runtime.precision, self.recipe.data.expression_set
        assert expressions is not None
        return predict_expressions(
            model, loader.batches(0), expressions, self.source(), precision=precision, description=shown
        )


def scoring_of(recipe: Recipe, session: Session) -> RunScoring:
    """Return what scores a recipe's runs."""
    kind = ActionUnitScoring if recipe.data.expression_set is None else ExpressionScoring
    return kind(recipe, session)
