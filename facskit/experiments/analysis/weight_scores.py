"""The scores of a weight file on labelled faces, of whatever both know: what `facskit evaluate` prints."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import LoaderConfig, eval_loader
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import open_manifest
from facskit.datasets.people import (
    People,
    find_known_people,
    independence_notes,
    people_of_weights,
    refuse_known_people,
)
from facskit.datasets.samples import Batch
from facskit.errors import DatasetError
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.evaluation.expressions.reports import ExpressionReport, build_expression_report
from facskit.evaluation.predicting import PredictionSource, predict, predict_expressions
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.protocols import Protocol, Readout
from facskit.evaluation.reports import Report, build_report
from facskit.experiments.assemble import remaining_crop
from facskit.experiments.scoring import PREDICTIONS
from facskit.expressions import ExpressionSet
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint, weights_digest
from facskit.models.layers import FaceNetwork
from facskit.training.runtime import RuntimeConfig, start_runtime
from facskit.version import __version__

__all__ = ["KnownPeople", "evaluate"]

KnownPeople = Literal["refuse", "leave-out", "allow"]
"""`refuse` to test on people that the weights were trained on, `leave-out` those people, or `allow` it with a note."""


def evaluate(
    weights: Path,
    manifest: str,
    out: Path,
    *,
    device: str = "auto",
    batch_size: int = 64,
    known_people: KnownPeople = "refuse",
) -> Report | ExpressionReport:
    """Score a weight file on labelled faces: the action units that both know, or else the expressions.

    Args:
        known_people: What to do about people the weights were trained on, as far as that is certain.

    Returns:
        The report, which is also written to `results.md` and `results.json`.

    Raises:
        CheckpointError: The weight file is missing or damaged.
        DatasetError: The manifest is missing or wrong, has none of the model's labels, or shows people of whom it's
            certain that the weights were trained on them.
    """
    model, info = load_checkpoint(weights)
    faces = open_manifest(manifest)
    shared = tuple(unit for unit in info.action_units if unit in faces.action_units)
    rated = info.expressions is not None and faces.has_expressions
    if not shared and not rated:
        expressions = " and expressions" if faces.has_expressions else ""
        known = " and ".join(str(labels) for labels in (info.action_units, info.expressions or ()) if labels)
        raise DatasetError(
            f"{manifest}: found labels of {faces.action_units}{expressions}, expected some of what {weights} "
            f"recognises ({known})"
        )
    faces, left_out = _strangers(faces, info, known_people)
    fabric = start_runtime(RuntimeConfig(device=device))  # type: ignore[arg-type]
    digest = weights_digest(model.state_dict())
    test = _Test(model.to(fabric.device), info, digest, faces, manifest, batch_size)
    # A run's weights are named by the run's folder, since all are called the same.
    name = weights.resolve().parent.name if weights.stem == "weights" else weights.stem
    title, notes = f"{name} on {manifest}", list(left_out)
    notes += independence_notes(info.provenance, People.of(faces))
    if faces.origin is not None:
        notes.append(f"Data: {faces.origin.stamp()}.")
    predictions: Predictions | ExpressionPredictions
    report: Report | ExpressionReport
    if shared:
        predictions = test.predict_units(ActionUnitSet(shared))
        report = build_report(predictions, title=title)
        missing = [unit.code for unit in info.action_units if unit not in shared]
        if missing:
            notes.append(f"not in the manifest, so not scored: {', '.join(missing)}")
        if rated:
            notes.append("the weights' expressions are not scored beside action units")
    else:
        predictions = test.predict_expressions()
        report = build_expression_report(predictions, title=title)
    predictions.save(out / PREDICTIONS)
    report = replace(report, notes=[*notes, *report.notes])
    report.write(out)
    return report


@dataclass(frozen=True, eq=False)
class _Test:
    """A model and the faces it is tested on."""

    model: FaceNetwork
    info: CheckpointInfo
    digest: str
    faces: Manifest
    manifest: str
    batch_size: int

    def predict_units(self, shared: ActionUnitSet) -> Predictions:
        """Return the predictions of the action units that weights and faces share, under the stored thresholds."""
        outputs = [self.info.action_units.index(unit) for unit in shared]
        batches, source = self._batches(replace(self.faces, action_units=shared)), self._source()
        calibration = None if self.info.calibration is None else self.info.calibration.select(outputs)
        intensities, scale = None, self.model.intensity_scale
        if scale is not None:
            intensities = partial(scale.select(outputs).intensities, calibration=calibration)
        model = _Outputs(self.model, outputs)
        raw = predict(model, batches, source, intensities=intensities, description="Recognising")
        readout = Readout(thresholds=tuple(self.info.thresholds[output] for output in outputs), calibration=calibration)
        return replace(
            raw,
            probabilities=readout.probabilities(raw.probabilities),
            thresholds=np.tile(np.array(readout.thresholds, np.float32), (len(raw), 1)),
            protocol=source.protocol,
        )

    def predict_expressions(self) -> ExpressionPredictions:
        """Return the predictions of expressions.

        Raises:
            DatasetError: No face has an expression that the weights know.
        """
        expressions = self.info.expressions
        assert expressions is not None  # there is nothing else to score
        if not (self.faces.expression_indices(expressions) >= 0).any():
            raise DatasetError(f"{self.manifest}: no row has an expression that the weights recognise ({expressions})")
        model = _Outputs(self.model, list(range(len(self.info.action_units), self.info.num_outputs)))
        batches = self._batches(self.faces, expressions)
        return predict_expressions(model, batches, expressions, self._source(), description="Recognising")

    def _source(self) -> PredictionSource:
        epoch = "last" if self.info.provenance.get("epoch") == "last" else "unknown"
        folds = f"all images of {self.manifest}"
        return PredictionSource(
            subjects=self.faces.subjects.tolist(),
            names=[self.faces.image_name(row) for row in range(len(self.faces))],
            protocol=Protocol(epoch=epoch, threshold="stored", folds=folds),  # type: ignore[arg-type]
            model={**self.info.provenance, "facskit": __version__, "weights": self.digest},
        )

    def _batches(self, faces: Manifest, expressions: ExpressionSet | None = None) -> Iterable[Batch]:
        crop = remaining_crop(faces, self.info.crop)
        preparation = Preparation(recipe=crop, normalization=self.info.normalization)
        dataset = FaceDataset(faces, preparation, expressions=expressions)
        return eval_loader(dataset, LoaderConfig(batch_size=self.batch_size)).batches(0)


class _Outputs(nn.Module):
    """A network reduced to some of its outputs."""

    def __init__(self, model: FaceNetwork, outputs: list[int]) -> None:
        super().__init__()
        self.model = model
        self.outputs = outputs

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch outputs"]:
        logits: Tensor = self.model(images)[:, self.outputs]
        return logits


def _strangers(faces: Manifest, info: CheckpointInfo, known_people: KnownPeople) -> tuple[Manifest, tuple[str, ...]]:
    """Return the faces of people whom the weights don't know for certain, and what the report should say about it."""
    trained, here = people_of_weights(info.provenance), People.of(faces)
    match known_people:
        case "allow":
            return faces, ()
        case "refuse":
            refuse_known_people(trained, here)  # doubtful names become a note of the report
            return faces, ()
    known = find_known_people(trained, here).certain
    if not known:
        return faces, ()
    if len(known) == len(faces.subject_names):
        raise DatasetError(
            f"{faces.name}: the weights were trained on all {len(known):,} people; nobody is left to test"
        )
    rest = faces.select(~np.isin(faces.subjects.astype(str), known))
    return rest, (f"{len(known):,} people whom the weights were trained on are left out; {len(rest):,} images remain.",)
