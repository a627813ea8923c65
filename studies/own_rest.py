"""Does it help to know a person's face at rest? `python -m studies.own_rest` takes it off rendered people's answers.

Needs a rendered corpus of people that the weights haven't met, such as the test corpus of docs/studies/identity.md. The
packaged weights recognise each picture and each person's resting picture; then rest is taken off as `facskit recognize
--neutral` does it, found in the person's own pictures (`auto`) or read off the resting one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rich.progress import track

from facskit.action_units import ActionUnitSet
from facskit.columns import NEUTRAL_IMAGE
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.evaluation.metrics import score
from facskit.inference.derived_columns import above_rest
from facskit.inference.own_rest import RestFrame, take_rest_off
from facskit.inference.recognizer import Recognizer
from facskit.tables import TextTable, percent_cell, write_results
from studies.command import run_study


@dataclass(frozen=True, kw_only=True)
class OwnRest:
    """What to recognise."""

    manifest: Path = Path("data/identity/test/manifest.parquet")
    """Rendered people, with a resting picture each."""
    out: Path = Path("runs/studies/own_rest")
    """Folder of the results."""


RESTING = 0
"""Number of the resting picture among a person's; the others follow."""
FORMS: dict[str, RestFrame] = {"--neutral auto": None, f"--neutral {RESTING}, the resting picture": RESTING}


def main(study: OwnRest) -> None:
    """Recognise, take rest off in both ways, and print the scores."""
    recognizer = Recognizer.from_checkpoint("packaged")
    faces = read_manifest(study.manifest)
    units = ActionUnitSet(tuple(unit for unit in recognizer.info.action_units if unit in faces.action_units))
    table = _recognised(recognizer, faces)
    pictures = table.filter(pl.col("frame") != RESTING)
    found = {"as they are": _scores(recognizer, faces, units, pictures, list(units.codes))}
    for form, frame in FORMS.items():
        seen = table if frame is not None else pictures
        above = take_rest_off(seen, recognizer.info.action_units, recognizer.info.thresholds, frame)
        found[form] = _scores(
            recognizer, faces, units, above.filter(pl.col("frame") != RESTING), list(map(above_rest, units.codes))
        )
    rows = tuple((form, *map(percent_cell, numbers.values())) for form, numbers in found.items())
    printed = TextTable(
        title=f"{len(faces.subject_names)} people, {pictures.height:,} pictures, {len(units)} action units, in percent",
        header=("probabilities", "ROC-AUC", "macro F1", "false alarms"),
        rows=rows,
    )
    write_results(study.out, printed.to_markdown("#"), found)
    print(printed.to_markdown())


def _recognised(recognizer: Recognizer, faces: Manifest) -> pl.DataFrame:
    """Return a recognition table: a person's pictures are frames of one file, the resting one frame 0."""
    rows = []
    people: set[str] = set()
    for row in track(range(len(faces)), "recognising"):
        subject = str(faces.subjects[row])
        if subject not in people:
            people.add(subject)
            rows.append(_row(recognizer, faces.root / faces.table[NEUTRAL_IMAGE][row], subject, RESTING, row))
        rows.append(_row(recognizer, faces.root / faces.image_name(row), subject, row + 1, row))
    return pl.DataFrame([row for row in rows if row])


def _row(recognizer: Recognizer, picture: Path, subject: str, frame: int, row: int) -> dict[str, object]:
    faces = recognizer.recognize(picture)
    if not faces:
        return {}
    told = dict(zip(recognizer.info.action_units.codes, faces[0].probabilities.astype(float).tolist(), strict=True))
    return {"input": subject, "face_id": 0, "frame": frame, "success": 1, "reliable": 1, "picture": row, **told}


def _scores(
    recognizer: Recognizer, faces: Manifest, units: ActionUnitSet, table: pl.DataFrame, columns: list[str]
) -> dict[str, float]:
    """Return macro ROC-AUC and F1, and the share of absent action units that are said, at the stored thresholds."""
    known = table.drop_nulls(columns)
    labels = faces.labels[known["picture"].to_numpy()][:, [faces.action_units.index(unit) for unit in units]]
    thresholds = np.array([recognizer.info.thresholds[recognizer.info.action_units.index(unit)] for unit in units])
    probabilities = known.select(columns).to_numpy()
    scores = score(labels, probabilities, units, thresholds)
    said = probabilities >= thresholds
    alarms = [said[labels[:, place] == 0, place].mean() for place in range(len(units))]
    return {
        "roc_auc": scores.macro("roc_auc").value,
        "f1": scores.macro("f1").value,
        "false_alarms": float(np.mean(alarms)),
    }


if __name__ == "__main__":
    run_study(main, OwnRest)
