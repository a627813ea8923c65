"""The scores of a run: what is logged after each epoch, the test predictions, and the report over one or many runs.

Action units and expressions go the same way through `train` and `cross-validate`; they differ here alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import nn

from facskit.datasets.loaders import EpochLoader
from facskit.datasets.samples import Batch
from facskit.evaluation.expressions.metrics import score_expressions
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.evaluation.expressions.reports import ExpressionReport, build_expression_report
from facskit.evaluation.predicted_faces import PredictedFaces, concat
from facskit.evaluation.predicting import PredictionSource, predict, predict_expressions
from facskit.evaluation.predictions import Predictions, apply_protocol
from facskit.evaluation.protocols import choose_thresholds
from facskit.evaluation.reports import Report, build_report
from facskit.experiments.assemble import Part
from facskit.experiments.recipe import Recipe
from facskit.experiments.session import Session

__all__ = ["PREDICTIONS", "ActionUnitScoring", "ExpressionScoring", "RunScoring", "scoring_of"]

PREDICTIONS = "predictions.parquet"
"""Name of the predictions in the folder of a run or cross-validation."""
_NAMES = {"bp4d": "BP4D", "bp4d-plus": "BP4D+", "disfa": "DISFA"}


class RunScoring(ABC):
    """What scores the runs of one recipe."""

    container: ClassVar[type[PredictedFaces]]
    """What holds the predictions."""

    def __init__(self, recipe: Recipe, session: Session) -> None:
        self.recipe = recipe
        self.session = session

    @abstractmethod
    def after_epoch(self, model: nn.Module, loader: EpochLoader[Batch]) -> dict[str, float]:
        """Return the validation subjects' scores for the log; they choose nothing."""

    @abstractmethod
    def test(self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path) -> tuple[float, ...]:
        """Predict the test subjects, once, write the predictions, and return the thresholds that go with the weights.

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

    def source(self) -> PredictionSource:
        """Return where this run's predictions come from."""
        recipe, faces = self.recipe, self.session.manifest
        return PredictionSource(
            subjects=faces.subjects.tolist(),
            names=[faces.image_name(row) for row in range(len(faces))],
            fold=recipe.data.fold,
            seed=recipe.runtime.seed,
            protocol=recipe.evaluation.protocol(self.session.held_out),
            model={"recipe": recipe.name},
        )


class ActionUnitScoring(RunScoring):
    """Scores recipes that learn action units."""

    container = Predictions

    def after_epoch(self, model: nn.Module, loader: EpochLoader[Batch]) -> dict[str, float]:
        """Return macro F1 at the fixed threshold, and ROC-AUC."""
        scores = self._predict(model, loader, None).scores()  # no bar of its own: the training's is still there
        return {f"validation_{name}": scores.macro(name).value for name in ("f1", "roc_auc")}

    def test(self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path) -> tuple[float, ...]:
        """Predict the test subjects; return the thresholds that the recipe's protocol chooses."""
        protocol = self.recipe.evaluation.protocol(self.session.held_out)
        validation = None
        if protocol.threshold.startswith("validation"):
            validation = self._predict(model, scored["validation"], "Recognising validation faces")
        if "test" in scored:
            test = self._predict(model, scored["test"], "Recognising test faces")
            apply_protocol(test, protocol, validation).save(folder / PREDICTIONS)
        if validation is None:
            # A threshold chosen on the test labels imitates a paper; it doesn't go with the weights.
            return (protocol.fixed_threshold,) * len(self.session.manifest.action_units)
        chosen = choose_thresholds(protocol, validation.labels, validation.probabilities)
        return tuple(np.broadcast_to(chosen, len(validation.action_units)).tolist())

    def build(self, predictions: PredictedFaces) -> Report:
        """Return the report on predictions of action units."""
        assert isinstance(predictions, Predictions)
        dataset = _NAMES.get(self.recipe.evaluation.dataset)
        return build_report(predictions, title=self.recipe.name, dataset=dataset)

    def _predict(self, model: nn.Module, loader: EpochLoader[Batch], shown: str | None) -> Predictions:
        precision = self.recipe.runtime.precision
        return predict(model, loader.batches(0), self.source(), precision=precision, description=shown)


class ExpressionScoring(RunScoring):
    """Scores recipes that learn expressions."""

    container = ExpressionPredictions

    def after_epoch(self, model: nn.Module, loader: EpochLoader[Batch]) -> dict[str, float]:
        """Return accuracy and mean class accuracy."""
        scores = score_expressions(self._predict(model, loader, None))
        return {"validation_accuracy": scores.accuracy, "validation_mean_class_accuracy": scores.mean_class_accuracy}

    def test(self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path) -> tuple[float, ...]:
        """Predict the test subjects; expressions have no thresholds."""
        if "test" in scored:
            self._predict(model, scored["test"], "Recognising test faces").save(folder / PREDICTIONS)
        return ()

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
