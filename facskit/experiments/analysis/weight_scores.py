"""What `facskit evaluate` does: the scores of a weight file on labelled faces, of whatever both know."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import LoaderConfig, eval_loader
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.packed import packaged_faces
from facskit.datasets.people import (
    People,
    find_known_people,
    independence_notes,
    people_of_weights,
    refuse_known_people,
)
from facskit.errors import DatasetError
from facskit.evaluation.expressions.predictions import predict_expressions
from facskit.evaluation.expressions.reports import ExpressionReport, build_expression_report, write_expression_report
from facskit.evaluation.predicting import PredictionSource, predict
from facskit.evaluation.protocols import Protocol
from facskit.evaluation.reports import Report, build_report, write_report
from facskit.experiments.assemble import remaining_crop
from facskit.experiments.scoring import PREDICTIONS
from facskit.expressions import ExpressionSet
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint
from facskit.training.runtime import RuntimeConfig, start_runtime

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
        weights: A `.safetensors` file that facskit wrote.
        manifest: Path of the manifest, or `packaged`.
        out: Folder for predictions and report.
        device: Where to compute: `auto`, `cpu`, `cuda` or `mps`.
        known_people: What to do about people the weights were trained on, as far as that is certain.

    Returns:
        The report, which is also written to `results.md` and `results.json`.

    Raises:
        CheckpointError: The weight file is missing or damaged.
        DatasetError: The manifest is missing or wrong, has none of the model's labels, or shows people of whom it's
            certain that the weights were trained on them.
    """
    model, info = load_checkpoint(weights)
    faces = packaged_faces() if manifest == "packaged" else read_manifest(Path(manifest))
    shared = tuple(unit for unit in info.action_units if unit in faces.action_units)
    rated = info.expressions is not None and faces.has_expressions
    if not shared and not rated:
        expressions = " and expressions" if faces.has_expressions else ""
        raise DatasetError(
            f"{manifest}: found labels of {faces.action_units}{expressions}, expected some of what {weights} "
            f"recognises ({_known(info)})"
        )
    faces, left_out = _strangers(faces, info, known_people)
    fabric = start_runtime(RuntimeConfig(device=device))  # type: ignore[arg-type]
    test = _Test(model.to(fabric.device), info, faces, manifest, batch_size, title=f"{_name(weights)} on {manifest}")
    test = replace(test, remarks=left_out)
    if shared:
        unscored = ["the weights' expressions are not scored beside action units"] if rated else []
        return _score_units(replace(test, faces=replace(faces, action_units=ActionUnitSet(shared))), out, unscored)
    assert info.expressions is not None  # there is nothing else to score
    return _score_expressions(test, info.expressions, out)


@dataclass(frozen=True, eq=False)
class _Test:
    """A model and the faces it is tested on."""

    model: nn.Module
    info: CheckpointInfo
    faces: Manifest
    manifest: str
    batch_size: int
    title: str
    remarks: tuple[str, ...] = ()

    @property
    def source(self) -> PredictionSource:
        epoch = "last" if self.info.provenance.get("epoch") == "last" else "unknown"
        folds = f"all images of {self.manifest}"
        return PredictionSource(
            subjects=self.faces.subjects.tolist(),
            names=[self.faces.image_name(row) for row in range(len(self.faces))],
            protocol=Protocol(epoch=epoch, threshold="stored", folds=folds),  # type: ignore[arg-type]
            model=dict(self.info.provenance),
        )

    def dataset(self, expressions: ExpressionSet | None = None) -> FaceDataset:
        crop = remaining_crop(self.faces, self.info.crop)
        preparation = Preparation(recipe=crop, normalization=self.info.normalization)
        return FaceDataset(self.faces, preparation, expressions=expressions)

    def notes(self) -> list[str]:
        origin = self.faces.origin
        return [
            *self.remarks,
            *independence_notes(self.info.provenance, People.of(self.faces)),
            *([] if origin is None else [f"Data: {origin.stamp()}."]),
        ]


def _score_units(test: _Test, out: Path, notes: list[str]) -> Report:
    outputs = [test.info.action_units.index(unit) for unit in test.faces.action_units]
    batches = eval_loader(test.dataset(), LoaderConfig(batch_size=test.batch_size)).batches(0)
    predictions = predict(_Outputs(test.model, outputs), batches, test.source, description="Recognising")
    thresholds = np.tile(np.array(test.info.thresholds, np.float32)[outputs], (len(predictions), 1))
    predictions = replace(predictions, thresholds=thresholds, protocol=test.source.protocol)
    predictions.save(out / PREDICTIONS)
    report = build_report(predictions, title=test.title)
    report = replace(report, notes=[*test.notes(), *_not_scored(test), *notes, *report.notes])
    write_report(report, out)
    return report


def _score_expressions(test: _Test, expressions: ExpressionSet, out: Path) -> ExpressionReport:
    dataset = test.dataset(expressions)
    if not (dataset.expressions >= 0).any():
        raise DatasetError(f"{test.manifest}: no row has an expression that the weights recognise ({expressions})")
    outputs = list(range(len(test.info.action_units), test.info.num_outputs))
    batches = eval_loader(dataset, LoaderConfig(batch_size=test.batch_size)).batches(0)
    model = _Outputs(test.model, outputs)
    predictions = predict_expressions(model, batches, expressions, test.source, description="Recognising")
    predictions.save(out / PREDICTIONS)
    report = build_expression_report(predictions, title=test.title)
    report = replace(report, notes=[*test.notes(), *report.notes])
    write_expression_report(report, out)
    return report


class _Outputs(nn.Module):
    """A network reduced to some of its outputs."""

    def __init__(self, model: nn.Module, outputs: list[int]) -> None:
        super().__init__()
        self.model = model
        self.outputs = outputs

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch outputs"]:
        logits: Tensor = self.model(images)
        return logits[:, self.outputs]


def _name(weights: Path) -> str:
    """Name a run's weights by the run's folder, since all are called the same."""
    return weights.resolve().parent.name if weights.stem == "weights" else weights.stem


def _known(info: CheckpointInfo) -> str:
    parts = [str(labels) for labels in (info.action_units, info.expressions or ()) if labels]
    return " and ".join(parts)


def _not_scored(test: _Test) -> list[str]:
    missing = [unit.code for unit in test.info.action_units if unit not in test.faces.action_units]
    return [f"not in the manifest, so not scored: {', '.join(missing)}"] if missing else []


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
