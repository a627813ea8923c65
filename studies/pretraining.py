"""Does masked pre-training help? `python -m studies.pretraining` trains with and without it and probes on the way.

Needs the rendered corpus and the pre-trained encoder that `recipes/rendered/finetune_tiny.yaml` names. Every training
is a run that can be resumed, so the study can be stopped and started again.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console

from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import LoaderConfig, eval_loader
from facskit.datasets.manifest import Manifest, read_manifest, write_manifest
from facskit.datasets.packed import packaged_faces
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.train import train
from facskit.files import write_text
from facskit.models.checkpoints import load_encoder
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.processes import single_threaded_children, start_worker
from facskit.training.runtime import seed_everything
from studies.command import run_study
from studies.linear_probe import linear_probe
from studies.pretraining_figures import draw_labels, draw_probes

Arm = str
ARMS: tuple[Arm, ...] = ("pre-trained", "from scratch")


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to train and probe."""

    recipe: Path = Path("recipes/rendered/finetune_tiny.yaml")
    """The fine-tuning; its manifest, initial weights, seed and epochs are replaced run by run."""
    pretraining: Path = Path("runs/pretrain_tiny")
    """Folder of the pre-training."""
    out: Path = Path("runs/studies/pretraining")
    """Folder of the study."""
    subjects: tuple[int, ...] = (40, 400)
    """Numbers of people with labels to train on, the first ones of the recipe's manifest."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of each training."""
    images: int = 30_000
    """Images seen in each training: all have the same number of updates."""
    probe_subjects: int = 250
    """People whose labels the linear probe is fitted to."""
    jobs: int = 2
    """Trainings at a time, each in a process of one thread."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training and its test on the packaged faces."""

    arm: Arm
    subjects: int
    seed: int
    recipe: Recipe
    folder: Path

    def run(self) -> dict[str, float | str | int]:
        """Train, test, and return the scores as a row of the result table."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tested = self.folder / "packaged"
        with (self.folder / "messages.txt").open("a") as messages, redirect_stderr(messages):
            weights, _ = train(self.recipe, self.folder / "training")
            if not (tested / "results.json").is_file():
                evaluate(weights, "packaged", tested, device="cpu")
        scores = Predictions.load(tested / "predictions.parquet").scores()
        values = {name: scores.macro(name).value for name in ("f1", "roc_auc")}
        return {"arm": self.arm, "subjects": self.subjects, "seed": self.seed, **values}


def main(study: Study) -> None:
    """Run the whole study and say where its results are."""
    console = Console(highlight=False, soft_wrap=True)
    recipe = read_recipe(study.recipe, Recipe)
    corpus = read_manifest(Path(recipe.data.manifest), recipe.data.unit_set)
    probes = list(_probes(study, recipe, corpus, console))
    rows = _trainings(study, recipe, corpus, console)
    write_text(study.out / "results.json", json.dumps({"trainings": rows, "probes": probes}, indent=2) + "\n")
    draw_labels(rows, len(packaged_faces()), study.out / "labels.png")
    draw_probes(probes, study.out / "probes.png")
    write_text(study.out / "results.md", _table(rows) + "\n" + _probe_table(probes))
    console.print((study.out / "results.md").read_text())
    console.print(f"Results: {study.out}/results.md, results.json, labels.png and probes.png")


def _trainings(study: Study, recipe: Recipe, corpus: Manifest, console: Console) -> list[dict[str, float | str | int]]:
    jobs = [
        _job(study, recipe, corpus, arm=arm, subjects=subjects, seed=seed)
        for subjects in study.subjects
        for seed in study.seeds
        for arm in ARMS
    ]
    with (
        single_threaded_children(),
        ProcessPoolExecutor(study.jobs, get_context("spawn"), initializer=start_worker) as pool,
    ):
        futures = {pool.submit(job.run): place for place, job in enumerate(jobs)}
        rows: dict[int, dict[str, float | str | int]] = {}
        for future in as_completed(futures):
            rows[futures[future]] = row = future.result()
            console.print(
                f"{len(rows)} of {len(jobs)}: {row['subjects']} people, {row['arm']}, seed {row['seed']}: "
                f"macro F1 {row['f1']:.1%}, ROC-AUC {row['roc_auc']:.3f}"
            )
    return [rows[place] for place in range(len(jobs))]


def _job(study: Study, recipe: Recipe, corpus: Manifest, *, arm: Arm, subjects: int, seed: int) -> Job:
    names = set(corpus.subject_names[:subjects])
    chosen = corpus.select(np.array([name in names for name in corpus.subjects]))
    path = study.out / f"subjects-{subjects}.parquet"
    if not path.is_file():
        write_manifest(chosen, path)
    pretrained = arm == "pre-trained"
    data = replace(recipe.data, manifest=str(path))
    data = replace(data, folds=replace(data.folds, test_fraction=0.0))  # type: ignore[arg-type]
    changed = replace(
        recipe,
        data=data,
        initial_weights=str(study.pretraining / "encoder.safetensors") if pretrained else "",
        # From scratch there is nothing in the lower layers to protect.
        optimizer=recipe.optimizer if pretrained else replace(recipe.optimizer, layer_decay=1.0),
        training=replace(recipe.training, epochs=max(2, round(study.images / len(chosen)))),
        runtime=replace(recipe.runtime, seed=seed, threads=1),
    )
    folder = study.out / f"subjects-{subjects}-{arm.replace(' ', '-')}-seed-{seed}"
    return Job(arm=arm, subjects=subjects, seed=seed, recipe=changed, folder=folder)


def _probes(study: Study, recipe: Recipe, corpus: Manifest, console: Console) -> Iterator[dict[str, float | int]]:
    """Probe a fresh encoder and every one that the pre-training kept."""
    kept = sorted((study.pretraining / "encoders").glob("epoch-*.safetensors"))
    names = set(corpus.subject_names[: study.probe_subjects])
    train = corpus.select(np.array([name in names for name in corpus.subjects]))
    test = replace(packaged_faces(), action_units=recipe.data.unit_set)
    for path in [None, *kept]:
        encoder, epoch = _encoder(path or kept[0], fresh=path is None)
        features = tuple(_features(encoder, faces, recipe) for faces in (train, test))
        probe = linear_probe((features[0], features[1]), (train.labels, test.labels), recipe.data.unit_set)
        console.print(f"linear probe after epoch {epoch}: ROC-AUC {probe.macro_roc_auc:.3f}")
        yield {"epoch": epoch, "roc_auc": probe.macro_roc_auc}


def _encoder(path: Path, *, fresh: bool) -> tuple[MaskedAutoencoder, int]:
    encoder, info = load_encoder(path)
    if not fresh:
        return encoder, int(info.provenance["epoch"])
    assert isinstance(info.model, AutoencoderConfig)
    seed_everything(0)
    return MaskedAutoencoder(info.model).eval(), 0


@torch.inference_mode()
def _features(encoder: MaskedAutoencoder, faces: Manifest, recipe: Recipe) -> Float[np.ndarray, "samples dim"]:
    preparation = Preparation(recipe=recipe.data.crop, normalization=recipe.data.normalization)
    loader = eval_loader(FaceDataset(faces, preparation), LoaderConfig(batch_size=64))
    return np.concatenate([encoder.features(batch.images).numpy() for batch in loader.batches(0)])


def _table(rows: list[dict[str, float | str | int]]) -> str:
    """Return mean and range over the seeds per number of people and arm."""
    lines = [
        "| people with labels | start | macro F1 (%), mean (lowest to highest) | ROC-AUC, mean (lowest to highest) |",
        "|---:|---|---|---|",
    ]
    for subjects in dict.fromkeys(row["subjects"] for row in rows):
        for arm in ARMS:
            cells = []
            for name, scale, digits in (("f1", 100, 1), ("roc_auc", 1, 3)):
                found = [scale * float(r[name]) for r in rows if (r["subjects"], r["arm"]) == (subjects, arm)]
                cells.append(f"{np.mean(found):.{digits}f} ({min(found):.{digits}f} to {max(found):.{digits}f})")
            lines.append(f"| {subjects} | {arm} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def _probe_table(probes: list[dict[str, float | int]]) -> str:
    lines = ["| epochs of pre-training | ROC-AUC of the linear probe |", "|---:|---|"]
    return "\n".join([*lines, *(f"| {probe['epoch']} | {probe['roc_auc']:.3f} |" for probe in probes)]) + "\n"


if __name__ == "__main__":
    run_study(main, Study)
