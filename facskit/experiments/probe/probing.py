"""Probing: every network that a run kept, probed for identity on the same frames.

Each network's result is stored in the folder under a name made of the weights, the faces and the settings. So a run of
the command that was stopped, or is repeated after more epochs of training, only computes what isn't there.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from rich.progress import Progress, TaskID

from facskit.action_units import ActionUnitSet
from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import EpochLoader, LoaderConfig, eval_loader
from facskit.datasets.samples import Batch
from facskit.evaluation.features import Features, extract_features
from facskit.evaluation.identity.embedding import Clustering, Embedding, EmbeddingConfig, embed_features
from facskit.evaluation.identity.probe import IdentityProbe, IdentityProbeConfig, ProbeMethod, probe_split
from facskit.experiments.assemble import remaining_crop
from facskit.experiments.probe.faces import FacePart, ProbedFaces, faces_of_sources
from facskit.experiments.probe.sources import Moment, ProbedNetwork, SourceRun, find_sources
from facskit.experiments.session import say
from facskit.files import write_text
from facskit.models.devices import Device
from facskit.processes import counting_bar
from facskit.training.runtime import RuntimeConfig, start_runtime

__all__ = ["ProbePlan", "ProbedMoment", "ProbedSource", "Probing", "probe"]

_VERSION = 1
"""Of the stored results; another number makes them be computed again."""
_COUNTS = ("tested", "correct", "correct_top")


@dataclass(frozen=True, kw_only=True)
class ProbePlan:
    """How networks are probed."""

    manifest: str = ""
    """Path of a manifest, or `packaged`; empty for the faces of each run's recipe."""
    part: FacePart = "all"
    """Which of a run's faces."""
    identity: IdentityProbeConfig = field(default_factory=IdentityProbeConfig)
    """The probe; its method isn't looked at."""
    methods: tuple[ProbeMethod, ...] = ("converged", "paper")
    """How the classifier is fitted; `paper` is only tried on random frames."""
    embedding: EmbeddingConfig | None = None
    """How the last network of every run is drawn; None draws nothing."""
    device: Device = "auto"
    """Where networks run."""
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    """How faces are loaded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbedMoment:
    """What was found in one network."""

    run: str
    """Name of its run within the source; empty where there is only one."""
    epoch: int | None
    """Epochs of training done."""
    dim: int
    """Length of its features."""
    probes: tuple[IdentityProbe, ...]
    """One per method and kind of split that the faces allow."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbedSource:
    """What was found in a run, in all runs of a cross-validation, or in one weight file."""

    label: str
    """What figure and tables call it."""
    moments: tuple[ProbedMoment, ...]
    """Results by run and rising epoch."""
    embedding: Embedding | None
    """The map of its last network's features; that of the first run, if there are several."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Probing:
    """Everything that one command found."""

    plan: ProbePlan
    """How."""
    sources: tuple[ProbedSource, ...]
    """What, in the order asked for."""
    faces: tuple[str, ...]
    """Which faces it was found on, in words."""
    notes: tuple[str, ...]
    """What a reader should know."""


def probe(given: Sequence[str], out: Path, plan: ProbePlan | None = None) -> Probing:
    """Probe networks for identity; results that are in the folder already aren't computed again.

    Args:
        given: Folders of runs or cross-validations, weight files, or names of weights; `LABEL=` in front names one.
        out: Folder of the results; finished networks are stored in its folder `networks`.

    Raises:
        CheckpointError: There are no weights under a name, or they are damaged.
        DatasetError: The faces are missing, wrong, or too few.
        RecipeError: A recipe is damaged, or two things have the same label.
    """
    plan = plan or ProbePlan()
    sources = find_sources(given)
    faces = faces_of_sources(sources, plan.manifest, plan.part, plan.identity.split)
    fabric = start_runtime(RuntimeConfig(device=plan.device))
    notes = [note for source in sources for note in source.notes]
    different = list(dict.fromkeys(faces.values()))
    notes += [note for each in different for note in each.notes]
    for each in different:
        say(fabric, f"Probing on {each.describe}: {len(each.rows):,} frames")
    found = []
    with counting_bar() as bar:
        total = sum(len(run.moments) for source in sources for run in source.runs)
        work = _Work(plan=plan, out=out / "networks", fabric=fabric, bar=bar, task=bar.add_task("Probing", total=total))
        for source in sources:
            moments, maps = [], []
            for place, run in enumerate(source.runs):
                for moment in run.moments:
                    drawn = plan.embedding is not None and place == 0 and moment is run.moments[-1]
                    result, embedding = work.probe(run, moment, faces[run], drawn=drawn)
                    moments.append(result)
                    maps += [] if embedding is None else [embedding]
            found.append(ProbedSource(label=source.label, moments=tuple(moments), embedding=maps[0] if maps else None))
    return Probing(
        plan=plan,
        sources=tuple(found),
        faces=tuple(each.describe for each in different),
        notes=tuple(dict.fromkeys(notes)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Work:
    """What is needed to probe one network after the other."""

    plan: ProbePlan
    out: Path
    fabric: Fabric
    bar: Progress
    task: TaskID

    def probe(
        self, run: SourceRun, moment: Moment, faces: ProbedFaces, *, drawn: bool
    ) -> tuple[ProbedMoment, Embedding | None]:
        """Return what is stored about a network, or find it out and store it."""
        settings = (_VERSION, moment.identity(), faces.fingerprint, self.plan.identity, self.plan.methods)
        key = hashlib.sha256("\n".join(map(str, settings)).encode()).hexdigest()[:24]
        results = self.out / f"{key}.json"
        units = faces.manifest.action_units
        # A map has settings of its own, and only some networks have one.
        drawing = hashlib.sha256(f"{key} {self.plan.embedding}".encode()).hexdigest()[:24]
        picture = self.out / f"{drawing}-map.json"
        if not results.is_file() or (drawn and not picture.is_file()):
            network = moment.load()
            features = self._features(network, faces)
            if not results.is_file():
                write_text(results, json.dumps(self._find(features, faces)) + "\n")
            if drawn:
                write_text(picture, json.dumps(self._draw(features, faces)) + "\n")
        self.bar.advance(self.task)
        stored = json.loads(results.read_text(encoding="utf-8"))
        probes = tuple(_probe_from(values) for values in stored["probes"])
        result = ProbedMoment(run=run.name, epoch=moment.epoch, dim=stored["dim"], probes=probes)
        return result, _map_from(json.loads(picture.read_text(encoding="utf-8")), units) if drawn else None

    def _features(self, network: ProbedNetwork, faces: ProbedFaces) -> Features:
        manifest = faces.manifest
        preparation = Preparation(recipe=remaining_crop(manifest, network.crop), normalization=network.normalization)
        loader: EpochLoader[Batch] = eval_loader(FaceDataset(manifest, preparation, rows=faces.rows), self.plan.loader)
        try:
            return extract_features(network.model.to(self.fabric.device), loader.batches(0))
        finally:
            loader.close()

    def _find(self, features: Features, faces: ProbedFaces) -> dict[str, Any]:
        subjects = faces.manifest.subjects[features.rows]
        probes = []
        for method in self.plan.methods:
            config = replace(self.plan.identity, method=method)
            for split in faces.splits:
                if method == "paper" and split.name != "random-frames":
                    continue  # published on random frames alone
                found = probe_split(features.values, subjects, split.within(features.rows), config)
                probes.append(
                    {name: value.tolist() if name in _COUNTS else value for name, value in vars(found).items()}
                )
        return {"dim": features.values.shape[1], "probes": probes}

    def _draw(self, features: Features, faces: ProbedFaces) -> dict[str, Any]:
        # The frames of random-frames: as many of everybody, whatever recordings there are.
        rows = faces.splits[0].rows
        manifest = faces.manifest
        embedding = embed_features(
            features.of(rows),
            manifest.subjects[rows],
            manifest.labels[rows],
            manifest.action_units,
            self.plan.embedding,
        )
        return {
            "points": embedding.points.round(3).tolist(),
            "subjects": embedding.subjects,
            "labels": embedding.labels.tolist(),
            "by_subject": asdict(embedding.by_subject),
            "by_unit": {code: asdict(found) for code, found in embedding.by_unit.items()},
        }


def _probe_from(stored: dict[str, Any]) -> IdentityProbe:
    counts = {name: np.array(stored[name], np.int64) for name in _COUNTS}
    return IdentityProbe(**{**stored, **counts, "subjects": tuple(stored["subjects"])})


def _map_from(stored: dict[str, Any], units: ActionUnitSet) -> Embedding:
    return Embedding(
        points=np.array(stored["points"], np.float64).reshape(-1, 2),
        subjects=tuple(stored["subjects"]),
        labels=np.array(stored["labels"], np.int8).reshape(len(stored["subjects"]), len(units)),
        action_units=units,
        by_subject=Clustering(**stored["by_subject"]),
        by_unit={code: Clustering(**found) for code, found in stored["by_unit"].items()},
    )
