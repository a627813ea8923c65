"""Turn a finished run of `recipes/rendered/compact.yaml` into the weights that ship: calibrated, decided, measured.

Probabilities and thresholds are fitted on faces drawn otherwise than those of the training (folds by action unit
instead of by tension, skin at four times the detail, light of places alone, other sizes, other people), found and cut
out as a user's photographs are: decisions must hold beyond the renderer that taught them.

```text
facskit synthesize data/train --subjects 2100 --frames 24 --seed 1 --profile mixed --size 192 \
    --head packaged --head ICT-FaceKit/
facskit train recipes/rendered/compact.yaml --out runs/compact
facskit synthesize data/shifted --subjects 120 --frames 24 --seed 77 --profile disfa --folds units --light places \
    --skins makehuman/data/skins/ --size 256 --head packaged --head ICT-FaceKit/
python tools/package_weights.py runs/compact data/shifted/manifest.parquet
```
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int8
from rich.progress import track

from facskit.datasets.manifest import Manifest, read_manifest
from facskit.evaluation.calibration import fit_calibration, logits_of, precise_thresholds
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.inference.recognizer import Recognizer
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint, save_checkpoint

ASSET = Path("facskit/assets/weights/rendered-compact.safetensors")
LEAST_PRECISION = 0.8


def main(run: Path, shifted: Path) -> None:
    """Calibrate and copy the run's weights, and score them on the packaged faces, whose people they have never met."""
    model, info = load_checkpoint(run / "weights.safetensors")
    manifest = read_manifest(shifted, info.action_units)
    labels, probabilities = _recognized(Recognizer(model, info, device="cpu"), manifest)
    calibration = fit_calibration(labels, logits_of(probabilities))
    calibrated = 1 / (1 + np.exp(-calibration.logits(logits_of(probabilities))))
    thresholds, precise = precise_thresholds(labels, calibrated, LEAST_PRECISION)
    info = replace(info, calibration=calibration, thresholds=thresholds)
    research = [unit.code for unit, enough in zip(info.action_units, precise, strict=True) if not enough]
    info = replace(info, provenance=_provenance(info, manifest, research))
    save_checkpoint(ASSET, model, info)
    for unit, threshold, rate in zip(info.action_units, thresholds, (labels == 1).mean(0), strict=True):
        column = info.action_units.index(unit)
        said = calibrated[:, column] >= threshold
        precision, recall = (labels[said, column] == 1).mean(), said[labels[:, column] == 1].mean()
        print(f"{unit.code} threshold {threshold:.2f} precision {precision:.2f} recall {recall:.2f} rate {rate:.3f}")
    report = evaluate(ASSET, "packaged", run / "on_packaged_faces")
    print(f"{ASSET}: {ASSET.stat().st_size / 1e6:.1f} MB; research: {' '.join(research)}\n\n{report.to_markdown()}")


def _recognized(
    recognizer: Recognizer, manifest: Manifest
) -> tuple[Int8[np.ndarray, "faces aus"], Float[np.ndarray, "faces aus"]]:
    """Return labels and probabilities of the faces that are found."""
    rows, told = [], []
    for row in track(range(len(manifest)), "recognising faces"):
        for face in recognizer.recognize(manifest.image(row))[:1]:
            rows.append(row)
            told.append(face.probabilities)
    return manifest.labels[rows], np.stack(told).astype(np.float64)


def _provenance(info: CheckpointInfo, manifest: Manifest, research: list[str]) -> dict[str, object]:
    people = len(manifest.subject_names)
    return {
        **info.provenance,
        "training_data": "50,400 rendered faces of 2,100 people, two heads: facskit synthesize, seed 1, mixed, 192 px",
        "calibrated_on": f"{len(manifest):,} rendered faces of {people} other people, drawn otherwise: seed 77, disfa",
        "research": research,
        "limits": "research demonstration, not a certified FACS coder",
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
