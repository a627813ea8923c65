"""How a run is scored: what is logged after each epoch, the test predictions, and the report over one or many runs.

Action units and expressions go the same way through `train` and `cross-validate`; they differ here alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from facskit.datasets.loaders import EpochLoader
from facskit.datasets.samples import Batch
from facskit.evaluation.expressions.predictions import ExpressionPredictions, concat_expressions, predict_expressions
from facskit.evaluation.expressions.reports import ExpressionReport, build_expression_report, write_expression_report
from facskit.evaluation.predicting import PredictionSource, predict
from facskit.evaluation.predictions import Predictions, apply_protocol, concat
from facskit.evaluation.protocols import Protocol, choose_thresholds
from facskit.evaluation.reports import Report, build_report, write_report
from facskit.experiments.assemble import Part
from facskit.experiments.recipe import Recipe
from facskit.experiments.session import Session
from facskit.expressions import ExpressionSet

__all__ = ["PREDICTIONS", "ActionUnitScoring", "ExpressionScoring", "RunScoring", "scoring_of"]

PREDICTIONS = "predictions.parquet"
"""Name of the predictions in the folder of a run or cross-validation."""
_NAMES = {"bp4d": "BP4D", "bp4d-plus": "BP4D+", "disfa": "DISFA"}


class RunScoring(ABC):
    """What scores the runs of one recipe.

    Args:
        recipe: The recipe of a run, or of all runs of a cross-validation.
        session: The faces and the runtime.
    """

    def __init__(self, recipe: Recipe, session: Session) -> None:
        self.recipe = recipe
        self.session = session

    @abstractmethod
    def after_epoch(self, model: nn.Module, loader: EpochLoader[Batch]) -> dict[str, float]:
        """Return the validation subjects' scores for the log; they choose nothing.

        Args:
            model: The network as it would ship.
        """

    @abstractmethod
    def test(self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path) -> tuple[float, ...]:
        """Predict the test subjects, once, write the predictions, and return the thresholds that go with the weights.

        Args:
            scored: The parts of the fold that are used; without a test part nothing is written.
        """

    @abstractmethod
    def report(self, runs: Sequence[Path], out: Path) -> Report | ExpressionReport:
        """Score finished runs together and write the results.

        Args:
            runs: Folders of the runs; predictions of several are joined in `out`.

        Raises:
            DatasetError: The predictions of a run are missing or damaged.
        """

    def source(self) -> PredictionSource:
        """Return where this run's predictions come from."""
        recipe, faces = self.recipe, self.session.manifest
        return PredictionSource(
            subjects=faces.subjects.tolist(),
            names=[faces.image_name(row) for row in range(len(faces))],
            fold=recipe.data.fold,
            seed=recipe.runtime.seed,
            protocol=Protocol(fixed_threshold=recipe.evaluation.fixed_threshold, folds=self.session.held_out),
            model={"recipe": recipe.name},
        )


class ActionUnitScoring(RunScoring):
    """Scores recipes that learn action units."""

    def after_epoch(self, model: nn.Module, loader: EpochLoader[Batch]) -> dict[str, float]:
        """Return macro F1 and ROC-AUC."""
        scores = self._predict(model, loader, None).scores()  # no bar of its own: the training's is still there
        return {f"validation_{name}": scores.macro(name).value for name in ("f1", "roc_auc")}

    def test(self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path) -> tuple[float, ...]:
        """Predict the test subjects; return the thresholds that the recipe's protocol chooses."""
        protocol = self.recipe.evaluation.protocol(self.session.held_out)

        def predictions(part: Part) -> Predictions:
            return self._predict(model, scored[part], f"Recognising {part} faces")

        validation = predictions("validation") if protocol.threshold.startswith("validation") else None
        if "test" in scored:
            apply_protocol(predictions("test"), protocol, validation).save(folder / PREDICTIONS)
        if validation is None:
            # A threshold chosen on the test labels imitates a paper; it doesn't go with the weights.
            return (protocol.fixed_threshold,) * len(self.session.manifest.action_units)
        chosen = choose_thresholds(protocol, validation.labels, validation.probabilities)
        return tuple(np.broadcast_to(chosen, len(validation.action_units)).tolist())

    def report(self, runs: Sequence[Path], out: Path) -> Report:
        """Score finished runs together and write the results."""
        predictions = Predictions.load(runs[0] / PREDICTIONS)
        if list(runs) != [out]:
            predictions = concat([Predictions.load(run / PREDICTIONS) for run in runs])
            predictions.save(out / PREDICTIONS)
        dataset = _NAMES.get(self.recipe.evaluation.dataset)
        report = build_report(predictions, title=self.recipe.name, dataset=dataset)
        report = replace(report, notes=[*self.session.notes, *report.notes])
        write_report(report, out)
        return report

    def _predict(self, model: nn.Module, loader: EpochLoader[Batch], shown: str | None) -> Predictions:
        precision = self.recipe.runtime.precision
        return predict(model, loader.batches(0), self.source(), precision=precision, description=shown)


class ExpressionScoring(RunScoring):
    """Scores recipes that learn expressions.

    Args:
        session: The faces and the runtime.
    """

    def __init__(self, recipe: Recipe, session: Session, expressions: ExpressionSet) -> None:
        super().__init__(recipe, session)
        self.expressions = expressions

    def after_epoch(self, model: nn.Module, loader: EpochLoader[Batch]) -> dict[str, float]:
        """Return accuracy and mean class accuracy."""
        predictions = self._predict(model, loader, None)
        scores = build_expression_report(predictions, title="").scores
        return {"validation_accuracy": scores.accuracy, "validation_mean_class_accuracy": scores.mean_class_accuracy}

    def test(self, model: nn.Module, scored: dict[Part, EpochLoader[Batch]], folder: Path) -> tuple[float, ...]:
        """Predict the test subjects; expressions have no thresholds."""
        if "test" in scored:
            self._predict(model, scored["test"], "Recognising test faces").save(folder / PREDICTIONS)
        return ()

    def report(self, runs: Sequence[Path], out: Path) -> ExpressionReport:
        """Score finished runs together and write the results."""
        predictions = ExpressionPredictions.load(runs[0] / PREDICTIONS)
        if list(runs) != [out]:
            predictions = concat_expressions([ExpressionPredictions.load(run / PREDICTIONS) for run in runs])
            predictions.save(out / PREDICTIONS)
        dataset = self.recipe.evaluation.dataset
        report = build_expression_report(
            predictions, title=self.recipe.name, dataset=None if dataset == "none" else dataset
        )
        report = replace(report, notes=[*self.session.notes, *report.notes])
        write_expression_report(report, out)
        return report

    def _predict(self, model: nn.Module, loader: EpochLoader[Batch], shown: str | None) -> ExpressionPredictions:
        precision = self.recipe.runtime.precision
        return predict_expressions(
            model, loader.batches(0), self.expressions, self.source(), precision=precision, description=shown
        )


def scoring_of(recipe: Recipe, session: Session) -> RunScoring:
    """Return what scores a recipe's runs."""
    expressions = recipe.data.expression_set
    return (
        ActionUnitScoring(recipe, session) if expressions is None else ExpressionScoring(recipe, session, expressions)
    )
