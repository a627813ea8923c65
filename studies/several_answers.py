"""How far off are intensities, landmarks, pose and gaze? `python -m studies.several_answers --manifest FILE` tells.

Rendered faces know all of it exactly. They are recognised as a user's photographs are: found by the detector, cut out,
seen with their mirror images. Faces that aren't found count as missing, and are said.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from rich.console import Console
from rich.progress import track

from facskit.columns import HEAD
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import open_manifest
from facskit.evaluation.metrics import icc_per_au, intensity_error_per_au
from facskit.faces.landmarks import OUTER_EYE_CORNERS
from facskit.inference.recognition import Recognition
from facskit.inference.recognizer import Recognizer
from facskit.tables import TextTable, number_cell, write_results
from studies.command import run_study


@dataclass(frozen=True, kw_only=True)
class Study:
    """Which faces, and which weights."""

    manifest: str = "packaged"
    """Rendered faces whose people the weights haven't met; `packaged`, or a manifest."""
    weights: str = "packaged"
    """Weights that know intensities and geometry."""
    every: int = 1
    """Take every n-th face of the manifest."""
    out: Path = Path("runs/studies/several_answers")
    """Folder of the results."""


def main(study: Study) -> None:
    """Recognise the faces, and say how far off each answer is, by head."""
    console = Console(highlight=False, soft_wrap=True)
    manifest = open_manifest(study.manifest)
    manifest = manifest.select(np.arange(0, len(manifest), study.every))
    recognizer = Recognizer.from_checkpoint(study.weights, device="cpu")
    found: dict[int, Recognition] = {}
    for row in track(range(len(manifest)), "recognising faces", console=Console(stderr=True)):
        for face in recognizer.recognize(manifest.image(row))[:1]:
            found[row] = face
    heads = manifest.table[HEAD].cast(pl.String).to_numpy()
    groups = {"all": np.array(sorted(found))}
    for head in np.unique(heads):
        groups[str(head)] = np.array([row for row in sorted(found) if heads[row] == head])
    results = {name: measure(manifest, rows, [found[row] for row in rows]) for name, rows in groups.items()}
    for name, rows in groups.items():
        looked = len(manifest) if name == "all" else int((heads == name).sum())
        results[name]["missed_faces"] = looked - len(rows)
    table = _table(results)
    write_results(study.out, table.to_markdown("#"), results)
    console.print(table.to_terminal())
    console.print(f"Results: {study.out}/results.md and results.json")


def measure(manifest: Manifest, rows: Int[np.ndarray, "faces"], faces: list[Recognition]) -> dict[str, float]:
    """Return the errors of the answers on some faces, by name.

    Raises:
        ValueError: The weights don't know intensities or geometry, or the manifest doesn't.
    """
    levels, angles, points = manifest.levels, manifest.angles, manifest.all_landmarks
    if levels is None or angles is None or points is None:
        raise ValueError(f"{manifest.name}: it lacks levels, pose, gaze or landmarks, which rendered faces have")
    geometries = [face.geometry for face in faces]
    if any(geometry is None for geometry in geometries) or any(face.intensities is None for face in faces):
        raise ValueError("the weights don't know intensities and geometry")
    errors: dict[str, float] = {}
    graded = np.stack([face.intensities for face in faces if face.intensities is not None])
    shared = [unit for unit in manifest.action_units if unit in faces[0].action_units]
    truth = levels[rows][:, [manifest.action_units.index(unit) for unit in shared]]
    told = graded[:, [faces[0].action_units.index(unit) for unit in shared]]
    scores = (icc_per_au(truth, told), intensity_error_per_au(truth, told))
    for unit, icc, error in zip(shared, *scores, strict=True):
        errors[f"{unit.code} ICC"], errors[f"{unit.code} MAE"] = float(icc), float(error)
    for kind in ("ICC", "MAE"):
        errors[f"mean {kind}"] = float(np.nanmean([value for name, value in errors.items() if name.endswith(kind)]))
    known = [geometry for geometry in geometries if geometry is not None]
    distances = np.linalg.norm(np.stack([each.points for each in known]) - points[rows], axis=2)
    left, right = (points[rows, corner] for corner in OUTER_EYE_CORNERS)
    errors["NME %"] = 100 * float((distances.mean(1) / np.linalg.norm(left - right, axis=1)).mean())
    pose = np.abs(np.stack([each.pose for each in known]) - angles[rows, :3]).mean(0)
    errors |= dict(zip(("pitch", "yaw", "roll"), pose.tolist(), strict=True))
    errors["gaze"] = float(np.mean(_between(np.stack([each.gaze for each in known]), angles[rows, 3:])))
    return errors


def _between(told: Float[np.ndarray, "faces 2"], truth: Float[np.ndarray, "faces 2"]) -> Float[np.ndarray, "faces"]:
    """Return the angle between two directions of the eyes, in degrees."""
    first, second = _direction(np.radians(told)), _direction(np.radians(truth))
    angle: Float[np.ndarray, "faces"] = np.degrees(np.arccos(np.clip((first * second).sum(1), -1, 1)))
    return angle


def _direction(gaze: Float[np.ndarray, "faces 2"]) -> Float[np.ndarray, "faces 3"]:
    up, aside = gaze.T
    return np.stack([np.cos(up) * np.sin(aside), np.sin(up), np.cos(up) * np.cos(aside)], axis=1)


def _table(results: dict[str, dict[str, float]]) -> TextTable:
    rows = []
    for name in next(iter(results.values())):
        decimals = 0 if name == "missed_faces" else 2
        rows.append((name, *(number_cell(errors[name], decimals) for errors in results.values())))
    return TextTable(
        title="How far off each answer is",
        header=("", *results),
        rows=tuple(rows),
        notes=(
            "ICC(3,1) and mean absolute error (MAE) of the level, 0 to 5",
            "NME: mean distance of the 68 points in percent of that between the outer corners of the eyes",
            "pose: mean absolute error of each angle in degrees; gaze: mean angle between the directions",
        ),
    )


if __name__ == "__main__":
    run_study(main, Study)
