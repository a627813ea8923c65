"""Do action units learned on one head hold on another? `python -m studies.held_out_head --other-head FILE` measures it.

A renderer's own held-out people say little about photographs, since their faces move in the way that was learned. A
second head, made by other people from other faces, says more: the compact network is trained on faces of one head and
scored on faces of the other, both ways. Every rendering and training is resumable, so the study can be stopped and
started again. How long it takes at its full size has not been measured yet.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.train import train
from facskit.synthesis.corpus import SynthesisConfig, synthesize
from facskit.synthesis.head_import import PACKAGED
from facskit.tables import TextTable, number_cell, percent_cell, write_results
from studies.command import run_study


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to render, train and score."""

    other_head: str
    """The head beside the packaged one: a head asset (.npz) or a clone of ICT-FaceKit."""
    recipe: Path = Path("recipes/rendered/compact.yaml")
    """The training; its manifest, folds, seed and epochs are replaced."""
    out: Path = Path("runs/studies/held_out_head")
    """Folder of the study."""
    train_people: int = 500
    """People to train on, 24 pictures of each."""
    test_people: int = 125
    """People to score, 24 pictures of each."""
    epochs: int = 10
    """Epochs of each training."""
    crops: tuple[int, ...] = (112,)
    """Heights and widths in pixels of what the network sees, 2.5 distances between the eyes; each is trained anew."""
    size: int = 192
    """Height and width of the rendered pictures in pixels; a crop has about 0.6 of them before it is resized."""
    seed: int = 0
    """Seed of the training; the people to train on have the seed 100, those to score 200."""
    directions: tuple[int, ...] = (0, 1)
    """0 trains on the packaged head and scores the other one, 1 the other way round."""


FRAMES = 24

Scores = dict[str, dict[str, float]]
"""By measure (`roc_auc`, `f1`, `false_alarms`), the value of each action unit and their `mean`."""


def main(study: Study) -> None:
    """Run the study and say where its results are."""
    console = Console(highlight=False, soft_wrap=True)
    heads = {"packaged": PACKAGED, "other": study.other_head}
    results: dict[str, Scores] = {}
    for direction in study.directions:
        taught, tested = list(heads) if direction == 0 else list(heads)[::-1]
        for crop in study.crops:
            folder = study.out / f"{taught}-to-{tested}-{crop}"
            console.print(f"{folder.name}: rendering, training, scoring")
            weights = _train(study, crop, folder, _faces(study, heads[taught], taught, training=True))
            # The same head's own strangers beside the other head: what is lost is the head, not the people.
            for where in (taught, tested):
                if not (folder / f"on-{where}" / "results.json").is_file():
                    manifest = _faces(study, heads[where], where, training=False)
                    evaluate(weights, str(manifest), folder / f"on-{where}", device="cpu")
                results[f"{taught} on {where}, {crop} px"] = _scores(folder / f"on-{where}")
            tables = (_means(results), _table(results))
            write_results(study.out, "\n".join(table.to_markdown("#") for table in tables), results)
            console.print(tables[0].to_terminal())
    console.print(f"Results, by action unit too: {study.out}/results.md and results.json")


def _faces(study: Study, source: str, name: str, *, training: bool) -> Path:
    config = SynthesisConfig(
        subjects=study.train_people if training else study.test_people,
        frames=FRAMES,
        seed=100 if training else 200,
        profile="mixed",
        size=study.size,
        head=(source,),
    )
    return synthesize(config, study.out / "faces" / f"{name}-{study.size}-{'train' if training else 'test'}")


def _train(study: Study, crop: int, folder: Path, manifest: Path) -> Path:
    recipe = read_recipe(study.recipe, Recipe)
    data = replace(recipe.data, manifest=str(manifest))
    # Everybody is trained on: those to score are in another corpus.
    data = replace(data, folds=replace(data.folds, test_fraction=0.0))  # type: ignore[arg-type]
    data = replace(data, crop=replace(data.crop, size=crop))
    recipe = replace(
        recipe,
        data=data,
        model=replace(recipe.model, image_size=crop),
        training=replace(recipe.training, epochs=study.epochs),
        runtime=replace(recipe.runtime, seed=study.seed),
    )
    return train(recipe, folder / "training")[0]


def _scores(folder: Path) -> Scores:
    """Return ROC-AUC, F1 at 0.5 and false-alarm rate by action unit, and their means."""
    predictions = Predictions.load(folder / "predictions.parquet")
    scores = predictions.scores()
    decided = predictions.probabilities >= 0.5
    false_alarms = [float(decided[absent, row].mean()) for row, absent in enumerate((predictions.labels == 0).T)]
    columns = {
        "roc_auc": [float(value) for value in scores.per_au("roc_auc")],
        "f1": [float(value) for value in scores.per_au("f1")],
        "false_alarms": false_alarms,
    }
    codes = predictions.action_units.codes
    found = {name: dict(zip(codes, values, strict=True)) for name, values in columns.items()}
    return {name: {**values, "mean": float(np.nanmean(list(values.values())))} for name, values in found.items()}


def _means(results: dict[str, Scores]) -> TextTable:
    """Return a row for each network and head, means over the action units."""
    rows = [
        (
            name,
            number_cell(scores["roc_auc"]["mean"], 3),
            percent_cell(scores["f1"]["mean"]),
            percent_cell(scores["false_alarms"]["mean"]),
        )
        for name, scores in results.items()
    ]
    return TextTable(
        title="Trained on one head, scored on strangers of the same head and of the other",
        header=("trained on which head, scored on which, crop", "ROC-AUC", "F1 %", "false alarms %"),
        rows=tuple(rows),
        notes=("means over the action units; F1 and false alarms at the threshold 0.5; one seed",),
    )


def _table(results: dict[str, Scores]) -> TextTable:
    header, rows = ["AU"], []
    for name in results:
        header += [f"{name}: AUC", "F1", "false alarms"]
    codes = next(iter(results.values()))["roc_auc"]
    for code in codes:
        row = [code]
        for scores in results.values():
            row.append(number_cell(scores["roc_auc"][code], 3))
            row += [percent_cell(scores["f1"][code]), percent_cell(scores["false_alarms"][code])]
        rows.append(tuple(row))
    return TextTable(
        title="By action unit",
        header=tuple(header),
        rows=tuple(rows),
        strong_rows={len(rows) - 1},
        notes=("F1 and false alarms in percent, at the threshold 0.5; one seed",),
    )


if __name__ == "__main__":
    run_study(main, Study)
